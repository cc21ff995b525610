"""The events of a search session besides those of its cart (contract: Search routes)."""

from dataclasses import dataclass

from serverless_cart.domain.session import Device, Session


@dataclass(frozen=True, slots=True)
class SessionStart:
    """A session starts. ``user`` is the shop's id of the visitor, ``None`` if it gave none."""

    session: Session
    device: Device
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Click:
    """A visitor clicks an item of the results.

    ``index`` and ``md5`` are from the item's dfid, ``position`` counts from 1, and ``custom_result`` is the id of the
    custom results that contained the item.
    """

    session: Session
    device: Device
    index: str
    md5: str
    user: str | None = None
    query: str | None = None
    position: int | None = None
    custom_result: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class BannerClick:
    """A visitor clicks the image of a banner. ``id`` is digits."""

    session: Session
    device: Device
    id: str
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """A search is redirected to a page. ``id`` is digits."""

    session: Session
    device: Device
    id: str
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Checkout:
    """A visitor buys what is in the session's cart."""

    session: Session
    device: Device
    user: str | None = None
    sources: tuple[str, ...] = ()
