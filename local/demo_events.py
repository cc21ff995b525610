"""Ninety days of events in the demo shop's search engine, from a seed, so that its statistics show something.

The visitors are invented: more of them in the evening and at weekends, most on mobiles, a slow growth, and one sale.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Final, Generic, TypeVar

from rich.console import Console

from local import environment
from local.errors import LocalCloudError
from local.progress import step
from local.stack import Stack
from serverless_cart.clock import clock
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.product import Product
from serverless_cart.domain.session import Device, ItemKey, Session
from serverless_cart.domain.statistics import HOUR, Click, Counts, Event, day_of, dfid_md5, hour_of
from serverless_cart.dynamodb.statistics import Chunk, StatisticsStore, count_writes
from serverless_cart.dynamodb.table import TRANSACTION, Table
from serverless_cart.service.errors import Unavailable

SEED: Final = 2026
DAYS: Final = 90
SALE: Final = DAYS - 24
"""The day of the sale; day 0 is the first."""
RETENTION_DAYS: Final = 400
INDEX: Final = "product"
QUERIES: Final = (
    "mug", "coffee beans", "french press", "knife", "tea", "cast-iron pan", "teapot", "gift card", "moka pot",
    "glasses", "pepper mill", "bowls", "cutting board", "linen", "grinder", "kettle", "plate", "bread",
    "espresso cups", "apron",
)  # fmt: skip
"""What visitors search for, most frequent first. The last word is part of the names of products."""

_SESSIONS: Final = 420
"""Sessions of an average day."""
_GROWTH: Final = 0.4
_SALE_SESSIONS: Final = 2.4
_WEEKDAYS: Final = (0.98, 0.94, 0.95, 0.97, 0.9, 1.08, 1.2)
"""From Monday to Sunday."""
_HOURS: Final = (8, 4, 2, 1, 1, 3, 10, 22, 34, 42, 46, 48, 50, 48, 45, 44, 47, 54, 66, 80, 84, 68, 40, 18)
_PARTS: Final = 4
"""Parts of a day."""
_PART: Final = 24 // _PARTS * HOUR
"""The time whose events are written as one chunk: a day's expression would be longer than DynamoDB allows."""
_SALE_EAGERNESS: Final = 1.3
_THURSDAY: Final = 3
"""The weekday of 1970-01-01."""
_USERS: Final = 3_000
_SIGNED_IN: Final = 0.2
_SECOND_THOUGHTS: Final = 0.12
_REDIRECTED: Final = 0.02
_CUSTOM: Final = 0.05
_BANNERS: Final = {"7": 0.03, "8": 0.012}
_MINUTE: Final = 60_000


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Habits:
    """The share of sessions on a device, of them those with a cart, and of carts those that are bought."""

    share: float
    cart: float
    checkout: float


_DEVICES: Final[dict[Device, _Habits]] = {
    "mobile": _Habits(share=0.62, cart=0.10, checkout=0.23),
    "desktop": _Habits(share=0.38, cart=0.13, checkout=0.36),
}


def generated(hashid: str, products: Sequence[Product], now: int, seed: int = SEED) -> dict[int, Counts]:
    """Count the events of ninety days until ``now`` (milliseconds since 1970), by parts of a day of six hours each.

    Equal arguments give equal counts.
    """
    visitors = _Visitors(hashid, [product for product in products if product.active], now, random.Random(seed))  # noqa: S311 - not for secrets
    today = day_of(hour_of(now))
    for number in range(DAYS):
        visitors.spend_day(today - DAYS + 1 + number, number)
    return visitors.counts


def load(table: Table, hashid: str, products: Sequence[Product], now: int) -> bool:
    """Write the statistics of the events until ``now``, and return ``True``; nothing if the engine has some already.

    Raises `Unavailable`.
    """
    today = day_of(hour_of(now))
    if StatisticsStore(table).totals(hashid, today - DAYS + 1, today - 1).counts:
        return False
    parts = generated(hashid, products, now)
    for of_day in range(_PARTS):  # a transaction changes each row once
        writes = [
            write
            for part in range(min(parts) // _PARTS * _PARTS + of_day, max(parts) + 1, _PARTS)
            for write in count_writes(parts[part], _chunk(part), RETENTION_DAYS)
        ]
        for start in range(0, len(writes), TRANSACTION):
            table.transact(writes[start : start + TRANSACTION])
    return True


def load_into(stack: Stack, console: Console) -> None:
    """Load the events into the demo shop of a running local cloud, once. Raises `LocalCloudError`."""
    client = environment.session().client("dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    with step(console, f"Loading {DAYS} days of events into the demo shop"):
        try:
            load(Table(stack.table_name, client), stack.hashid, stack.products, clock())
        except Unavailable as error:
            raise LocalCloudError("the demo shop's events could not be loaded: the emulator does not answer") from error


def _chunk(part: int) -> Chunk:
    sequence = f"{part:040d}"
    return Chunk("demo", sequence, sequence)


class _Popular(Generic[T]):
    """Things of which each is chosen less often than the one before it, by Zipf's law."""

    def __init__(self, things: Sequence[T]) -> None:
        self._things = things
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(len(things))))

    def place(self, chance: random.Random) -> int:
        """Choose a place, from 0."""
        return chance.choices(range(len(self._things)), cum_weights=self._weights)[0]

    def one(self, chance: random.Random) -> T:
        """Choose a thing."""
        return self._things[self.place(chance)]

    def __getitem__(self, place: int) -> T:
        return self._things[place]


@dataclass(frozen=True, slots=True)
class _InCart:
    """An item in a session's cart: the pieces, and the time at which it expires, in milliseconds."""

    product: Product
    pieces: int
    expires_at: int

    @property
    def key(self) -> ItemKey:
        return ItemKey(INDEX, str(self.product.id))

    @property
    def price(self) -> Decimal:
        return Decimal(self.product.price - self.product.discount).scaleb(-2)


class _Visitors:
    """Invents sessions, and counts their events up to ``now``."""

    def __init__(self, hashid: str, products: Sequence[Product], now: int, chance: random.Random) -> None:
        self._hashid = hashid
        self._now = now
        self._chance = chance
        self._products = _Popular(chance.sample(products, len(products)))
        self._queries = _Popular([(query, _Popular(matching(query, products))) for query in QUERIES])
        self.counts: defaultdict[int, Counts] = defaultdict(Counts)

    def spend_day(self, day: int, number: int) -> None:
        """Invent the sessions of a day; ``number`` counts the days from 0."""
        sessions = _SESSIONS * (1 + _GROWTH * (number / DAYS - 0.5)) * _WEEKDAYS[(day + _THURSDAY) % 7]
        sessions *= (_SALE_SESSIONS if number == SALE else 1) * self._chance.uniform(0.92, 1.08)
        for hour in self._chance.choices(range(24), _HOURS, k=round(sessions)):
            start = (day * 24 + hour) * HOUR + self._chance.randrange(HOUR)
            self._spend_session(start, eagerness=_SALE_EAGERNESS if number == SALE else 1)

    def _spend_session(self, at: int, eagerness: float) -> None:
        chance = self._chance
        device = chance.choices(list(_DEVICES), [habits.share for habits in _DEVICES.values()])[0]
        habits = _DEVICES[device]
        session = Session(self._hashid, f"{chance.getrandbits(64):016x}")
        user = f"user-{int(_USERS * chance.random() ** 2)}" if chance.random() < _SIGNED_IN else None

        def after_a_while() -> tuple[Counts, Event]:
            nonlocal at
            at += chance.randrange(_MINUTE // 6, 4 * _MINUTE)
            return self._at(Event(session, at, device))

        counts, event = self._at(Event(session, at, device))
        counts.init(event, user)
        for banner, likely in _BANNERS.items():
            if chance.random() < likely:
                counts, event = after_a_while()
                counts.image(event, banner)
        seen = []
        for _ in range(chance.choices(range(6), (38, 26, 17, 10, 6, 3))[0]):
            counts, event = after_a_while()
            click, product = self._click(event)
            counts.click(event, click, user)
            seen.append(product)
        if chance.random() < habits.cart * eagerness:
            cart = []
            for product in dict.fromkeys((seen or [self._products.one(chance)])[-3:]):
                cart.append(self._put(*after_a_while(), product))
                if chance.random() < _SECOND_THOUGHTS:
                    self._take_out(*after_a_while(), cart.pop())
            if cart and chance.random() < habits.checkout * eagerness:
                self._buy(*after_a_while(), cart)
        elif chance.random() < _REDIRECTED:
            counts, event = after_a_while()
            counts.redirect(event, chance.choice(("11", "12")))

    def _at(self, event: Event) -> tuple[Counts, Event]:
        """Return where an event is counted: nowhere, if it has not happened yet."""
        return (self.counts[event.at // _PART] if event.at <= self._now else Counts()), event

    def _click(self, event: Event) -> tuple[Click, Product]:
        chance = self._chance
        query, found = self._queries.one(chance)
        place = found.place(chance)
        product = found[place]
        custom = "staff-picks" if chance.random() < _CUSTOM else None
        md5 = dfid_md5(str(product.id))
        return Click(hour_of(event.at), event.device, INDEX, md5, query, place + 1, custom), product

    def _put(self, counts: Counts, event: Event, product: Product) -> _InCart:
        pieces = self._chance.choices((1, 2, 3, 4, 6), (70, 18, 5, 5, 2))[0]
        item = _InCart(product, pieces, event.at + CONTRACT_LIMITS.session_item_lifetime * 1000)
        counts.added(event, item.key, pieces)
        counts.title(event, item.key, product.name)
        counts.expiring(event, item.expires_at, 1, pieces * item.price)
        return item

    def _take_out(self, counts: Counts, event: Event, item: _InCart) -> None:
        counts.removed(event, item.key, item.pieces)
        counts.expiring(event, item.expires_at, -1, -item.pieces * item.price)

    def _buy(self, counts: Counts, event: Event, cart: list[_InCart]) -> None:
        counts.checkout(event)
        for item in cart:
            counts.sold(event, item.key, item.pieces, item.price)
            counts.expiring(event, item.expires_at, -1, -item.pieces * item.price)


def matching(query: str, products: Sequence[Product]) -> list[Product]:
    """Return the products that a query finds: those with its last word in their names."""
    word = query.rpartition(" ")[2].removesuffix("s")
    return [product for product in products if word in product.name.lower()]
