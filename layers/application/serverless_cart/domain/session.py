"""The cart of a search session: its items and the events that change them (contract: Search API)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

Device = Literal["mobile", "desktop"]
"""The kind of device that a visitor uses."""


class Session(NamedTuple):
    """A visitor's search session: the search engine's hashid, in lower case, and an id that the storefront chose."""

    hashid: str
    id: str


@dataclass(frozen=True, slots=True)
class ItemKey:
    """The key of an item within a session."""

    index: str
    id: str


@dataclass(frozen=True, slots=True)
class SessionItemAddition:
    """An event that adds ``amount`` of an item. ``price`` is in the shop's currency, ``None`` if unknown."""

    key: ItemKey
    title: str
    amount: int
    price: Decimal | None
    device: Device = "desktop"


@dataclass(frozen=True, slots=True)
class SessionItemRemoval:
    """An event that subtracts ``amount`` from an item."""

    key: ItemKey
    amount: int


@dataclass(frozen=True, slots=True)
class SessionItem:
    """An item of a session's cart, as stored.

    ``clicks`` is the number of additions; ``amount`` is their sum, less all removals. ``added_at`` and ``updated_at``
    are milliseconds since 1970, ``expires_at`` seconds.
    """

    key: ItemKey
    title: str
    amount: int
    clicks: int
    price: Decimal | None
    added_at: int
    updated_at: int
    expires_at: int
