"""What visitors did in a search engine, counted by hour (contract: Statistics).

An hour is a number of whole hours since 1970 in UTC, so days of every time zone can be added up from hours. Figures
that only count are `Totals`. Figures that need an identity (which item, which user) are `Details`.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from serverless_cart.domain.session import Device, ItemKey, Session

Figure = Literal[
    "inits",
    "identified_inits",
    "clicks",
    "images",
    "redirects",
    "checkouts",
    "added",
    "removed",
    "orders",
    "order_total",
]
"""A figure of the totals. ``added`` and ``removed`` are pieces; an ``identified`` init has a user id.

``orders`` and ``order_total`` (minor units) are figures of a shop, the others of a search engine.
"""
Kind = Literal[
    "clicks",
    "banners",
    "redirects",
    "init_users",
    "click_users",
    "cart_sessions",
    "items",
    "sales",
    "expiring",
]
"""A kind of details."""

HOUR: Final = 3_600_000
"""Milliseconds of an hour."""
DIGEST_BYTES: Final = 8


class Use(NamedTuple):
    """Who or what was counted in an hour: a banner, a redirection, the digest of a user, a session."""

    hour: int
    device: Device
    id: str


class Click(NamedTuple):
    """A click on a search result. ``md5`` is the third part of the dfid; the other parts are absent if not sent."""

    hour: int
    device: Device
    index_name: str
    md5: str
    query: str | None = None
    position: int | None = None
    custom_result: str | None = None


class CartItemUse(NamedTuple):
    """An item of the carts of an hour."""

    hour: int
    device: Device
    index_name: str
    id: str


Key = Use | Click | CartItemUse
Amounts = tuple[int | Decimal, ...]
"""Numbers that are added up. ``items``: pieces added, removed and sold, and the money of the sold ones; ``sales``:
money, and the number of sold items; ``expiring``: items and their value in money; all others: how many times."""

KEYS: Final[dict[Kind, type[Key]]] = {
    "clicks": Click,
    "banners": Use,
    "redirects": Use,
    "init_users": Use,
    "click_users": Use,
    "cart_sessions": Use,
    "items": CartItemUse,
    "sales": Use,
    "expiring": Use,
}


def hour_of(at: int) -> int:
    """Return the hour of a time in milliseconds since 1970."""
    return at // HOUR


def day_of(hour: int) -> int:
    """Return the day of an hour: whole days since 1970 in UTC."""
    return hour // 24


def digest(name: str) -> str:
    """Return a short digest of a user or a session: enough to count distinct ones."""
    return urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:DIGEST_BYTES]).decode().rstrip("=")


def dfid_md5(item_id: str) -> str:
    """Return the third part of a cart item's dfid (contract: Statistics)."""
    return hashlib.md5(item_id.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Totals:
    """Figures that only count, by figure, device and hour."""

    counts: dict[tuple[Figure, Device, int], int] = field(default_factory=dict)

    def add(self, figure: Figure, device: Device, hour: int, count: int = 1) -> None:
        """Add to a figure."""
        key = (figure, device, hour)
        self.counts[key] = self.counts.get(key, 0) + count

    def merge(self, other: "Totals") -> None:
        """Add all figures of other totals."""
        for (figure, device, hour), count in other.counts.items():
            self.add(figure, device, hour, count)


@dataclass(slots=True)
class Details:
    """Figures that need an identity, by kind and key, and the newest title of each cart item."""

    counts: dict[Kind, dict[Key, Amounts]] = field(default_factory=dict)
    titles: dict[ItemKey, str] = field(default_factory=dict)

    def add(self, kind: Kind, key: Key, *amounts: int | Decimal) -> None:
        """Add the amounts of a key; amounts that are all 0 afterwards are dropped."""
        counts = self.counts.setdefault(kind, {})
        known = counts.get(key)
        total = amounts if known is None else tuple(a + b for a, b in zip(known, amounts, strict=True))
        if any(total):
            counts[key] = total
        else:
            counts.pop(key, None)

    def merge(self, later: "Details") -> None:
        """Add all that other details have; their titles win."""
        for kind, counts in later.counts.items():
            for key, amounts in counts.items():
                self.add(kind, key, *amounts)
        self.titles |= later.titles

    def of(self, kind: Kind) -> dict[Key, Amounts]:
        """Return the amounts of one kind by key."""
        return self.counts.get(kind, {})


@dataclass(slots=True)
class DayCounts:
    """The figures of one search engine, or of a shop itself, on one day."""

    totals: Totals = field(default_factory=Totals)
    details: Details = field(default_factory=Details)

    def merge(self, later: "DayCounts") -> None:
        """Add all that was counted later."""
        self.totals.merge(later.totals)
        self.details.merge(later.details)


@dataclass(frozen=True, slots=True)
class EngineDay:
    """A search engine and a day, in whole days since 1970 in UTC."""

    hashid: str
    day: int


@dataclass(frozen=True, slots=True)
class ShopDay:
    """A shop itself and a day, in whole days since 1970 in UTC."""

    shop: str
    day: int


class Event(NamedTuple):
    """Where and when something happened: the session, milliseconds since 1970, and the visitor's device."""

    session: Session
    at: int
    device: Device


class Counts:
    """What happened, by search engine or shop, and day. Every method counts one event.

    Only digests of users and sessions are kept, except the session of a sale.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._days: dict[EngineDay | ShopDay, DayCounts] = {}

    def __iter__(self) -> Iterator[tuple[EngineDay | ShopDay, DayCounts]]:
        """Iterate over the engines, shops and days in which something happened."""
        return iter(self._days.items())

    def __len__(self) -> int:
        """Return the number of engines or shops, and days."""
        return len(self._days)

    def merge(self, later: "Counts") -> None:
        """Add all that was counted later."""
        for of_day, counts in later:
            self._days.setdefault(of_day, DayCounts()).merge(counts)

    def init(self, event: Event, user: str | None = None) -> None:
        """Count a session's start; ``user`` is the id that the storefront sent."""
        day, hour = self._day_and_hour(event)
        day.totals.add("inits", event.device, hour)
        if user is not None:
            day.totals.add("identified_inits", event.device, hour)
            day.details.add("init_users", Use(hour, event.device, digest(user)), 1)

    def click(self, event: Event, click: Click, user: str | None = None) -> None:
        """Count a click on a search result. The click has the hour and the device of the event."""
        day, hour = self._day_and_hour(event)
        day.totals.add("clicks", event.device, hour)
        day.details.add("clicks", click, 1)
        if user is not None:
            day.details.add("click_users", Use(hour, event.device, digest(user)), 1)

    def image(self, event: Event, banner: str) -> None:
        """Count a click on a banner's image."""
        day, hour = self._day_and_hour(event)
        day.totals.add("images", event.device, hour)
        day.details.add("banners", Use(hour, event.device, banner), 1)

    def redirect(self, event: Event, redirection: str) -> None:
        """Count a redirection."""
        day, hour = self._day_and_hour(event)
        day.totals.add("redirects", event.device, hour)
        day.details.add("redirects", Use(hour, event.device, redirection), 1)

    def checkout(self, event: Event, times: int = 1) -> None:
        """Count checkouts of a session."""
        day, hour = self._day_and_hour(event)
        day.totals.add("checkouts", event.device, hour, times)

    def added(self, event: Event, item: ItemKey, pieces: int) -> None:
        """Count pieces that a session put in its cart."""
        day, hour = self._day_and_hour(event)
        day.totals.add("added", event.device, hour, pieces)
        day.details.add("items", CartItemUse(hour, event.device, item.index, item.id), pieces, 0, 0, 0)
        day.details.add("cart_sessions", Use(hour, event.device, digest(event.session.id)), 1)

    def removed(self, event: Event, item: ItemKey, pieces: int) -> None:
        """Count pieces that a session took out of its cart."""
        day, hour = self._day_and_hour(event)
        day.totals.add("removed", event.device, hour, pieces)
        day.details.add("items", CartItemUse(hour, event.device, item.index, item.id), 0, pieces, 0, 0)

    def sold(self, event: Event, item: ItemKey, pieces: int, price: Decimal | None) -> None:
        """Count pieces that a session bought; an unknown price counts as 0."""
        day, hour = self._day_and_hour(event)
        money = pieces * (price or Decimal(0))
        day.details.add("items", CartItemUse(hour, event.device, item.index, item.id), 0, 0, pieces, money)
        day.details.add("sales", Use(hour, event.device, event.session.id), money, 1)

    def title(self, event: Event, item: ItemKey, title: str) -> None:
        """Keep the title of a cart item."""
        self._day_and_hour(event)[0].details.titles[item] = title

    def expiring(self, event: Event, expires_at: int, items: int, value: Decimal) -> None:
        """Count cart items that will be abandoned at ``expires_at`` (milliseconds) unless something happens before.

        What is no longer expected is counted with negative ``items`` and ``value``.
        """
        day, _ = self._day_and_hour(event)
        use = Use(hour_of(expires_at), event.device, digest(event.session.id))
        day.details.add("expiring", use, items, value)

    def order(self, shop: str, at: int, total: int) -> None:
        """Count a new order of a shop. ``at`` is milliseconds since 1970, ``total`` is in minor units.

        An order has no device: its figures are those of desktops.
        """
        hour = hour_of(at)
        totals = self._days.setdefault(ShopDay(shop, day_of(hour)), DayCounts()).totals
        totals.add("orders", "desktop", hour)
        totals.add("order_total", "desktop", hour, total)

    def _day_and_hour(self, event: Event) -> tuple[DayCounts, int]:
        hour = hour_of(event.at)
        return self._days.setdefault(EngineDay(event.session.hashid, day_of(hour)), DayCounts()), hour
