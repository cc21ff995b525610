"""Visitors who send random events and orders, and a count of these that uses no code of the roll-up."""

import random
from base64 import urlsafe_b64encode
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from serverless_cart.domain.orders import OrderChange
from serverless_cart.domain.search_events import BannerClick, Checkout, Click, Redirect, SessionStart
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.orders import DynamoDBOrderStore, new_order_writes
from serverless_cart.dynamodb.search_events import SearchEventStore
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.statistics import StatisticsStore, day_number
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.order_ports import Change
from tests.support.builders import order, sold

ENGINES: Final = [f"{number:032x}" for number in range(3)]
SHOPS: Final = ["a shop", ENGINES[0]]
"""One has the name of a search engine."""
START: Final = day_number("20251121") * 24 * 3_600_000
"""The time of the first event, in milliseconds since 1970."""
DAY: Final = 24 * 3600
"""Seconds for which a session remembers an event."""
HOUR: Final = 3_600_000
EVENTS: Final = ("init", "click", "click", "image", "redirect", "put", "put", "put", "patch", "delete", "checkout",
                 "order")  # fmt: skip


@dataclass
class Figures:
    """Figures by engine or shop: totals by figure, device and hour; details by kind and key."""

    totals: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    details: dict[tuple[Any, ...], list[Any]] = field(default_factory=dict)

    def detail(self, *key: Any, amounts: tuple[Any, ...] = (1,)) -> None:
        known = self.details.get(key, [0] * len(amounts))
        self.details[key] = [a + b for a, b in zip(known, amounts, strict=True)]

    def merge(self, other: "Figures") -> None:
        self.totals.update(other.totals)
        for key, amounts in other.details.items():
            self.detail(*key, amounts=tuple(amounts))

    def whole(self) -> tuple[dict[Any, int], dict[Any, list[Any]]]:
        """Return all figures that are not 0."""
        return dict(self.totals), {key: amounts for key, amounts in self.details.items() if any(amounts)}


def stored_figures(table: Table) -> Figures:
    """Read the figures of all days as the statistics do."""
    store, figures = StatisticsStore(table), Figures()
    first = START // HOUR // 24
    for engine in ENGINES:
        for of_hour, count in store.totals(engine, first, first + 400).counts.items():
            figures.totals[engine, *of_hour] += count
        for chunk in store.details(engine, first, first + 400):
            for kind, counts in chunk.counts.items():
                for key, amounts in counts.items():
                    figures.detail(engine, kind, *key, amounts=amounts)
    for shop in SHOPS:
        for of_hour, count in store.shop_totals(shop, first, first + 400).counts.items():
            figures.totals[shop, *of_hour] += count
    return figures


def digest(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()[:8]).decode().rstrip("=")


@dataclass
class Item:
    """An item of a visitor's cart; one that is not ``alive`` was sold."""

    amount: int
    price: Decimal | None
    device: str
    since: int
    alive: bool = True

    @property
    def value(self) -> Decimal:
        return self.amount * (self.price or Decimal(0))


class Visitor:
    """A visitor with a session and a clock, whose events are sent to the stores and counted here."""

    def __init__(self, number: int, seed: int, table: Table) -> None:
        self.random = random.Random(f"{seed} {number}")  # noqa: S311 - to be repeated
        self.session = Session(ENGINES[number % len(ENGINES)], f"visitor #{number}")
        self.figures = Figures()
        self.sent: Counter[str] = Counter()
        self.deletions: dict[keys.Key, list[int]] = defaultdict(list)
        """The times at which each item was deleted: the stream has its own clock, which is not that of the visitor."""
        self._user = f"user {number % 200}" if number % 3 else None
        self._now = START + self.random.randrange(24 * HOUR)
        self._started = self._bought = -DAY
        self._cart: dict[ItemKey, Item] = {}
        self._table = table
        self._orders = DynamoDBOrderStore(table)
        self._carts = SessionStore(table, lambda: self._now)
        self._events = SearchEventStore(table, lambda: self._now)

    def send(self) -> None:
        """Send a random event."""
        kind = self.random.choice(EVENTS)
        self._now += self.random.choice(
            (1, 1_000, 60_000, 60_000, HOUR, 25 * HOUR if self.random.random() < 0.2 else 1)
        )
        self.device: Any = self.random.choice(("desktop", "mobile", "mobile"))
        self.sent[kind] += 1
        getattr(self, kind)()

    @property
    def _second(self) -> int:
        return self._now // 1000

    def _count(self, figure: str, device: str, count: int = 1) -> None:
        self.figures.totals[self.session.hashid, figure, device, self._now // HOUR] += count

    def _detail(self, kind: str, device: str, *name: Any, amounts: tuple[Any, ...] = (1,), hour: int = 0) -> None:
        key = (self.session.hashid, kind, hour or self._now // HOUR, device, *name)
        self.figures.detail(*key, amounts=amounts)

    def init(self) -> None:
        self._events.start(SessionStart(self.session, self.device, self._user))
        if self._second - self._started < DAY:
            return
        self._started = self._second
        self._count("inits", self.device)
        if self._user:
            self._count("identified_inits", self.device)
            self._detail("init_users", self.device, digest(self._user))

    def click(self) -> None:
        query, position = self.random.choice([(None, None), ("mug", 1), ("Émaille", 12)])
        result = self.random.choice([None, "77"])
        md5 = f"{self.random.randrange(20):032x}"
        click = Click(self.session, self.device, "product", md5, self._user, query, position, result)
        self._record(click)
        self._count("clicks", self.device)
        self._detail("clicks", self.device, "product", md5, query, position, result)
        if self._user:
            self._detail("click_users", self.device, digest(self._user))

    def image(self) -> None:
        self._record(BannerClick(self.session, self.device, id_ := str(self.random.randrange(5)), "mug"))
        self._count("images", self.device)
        self._detail("banners", self.device, id_)

    def redirect(self) -> None:
        self._record(Redirect(self.session, self.device, id_ := str(self.random.randrange(5))))
        self._count("redirects", self.device)
        self._detail("redirects", self.device, id_)

    def _record(self, event: Click | BannerClick | Redirect) -> None:
        """Record an event, sometimes twice, as after an answer that was lost."""
        event_id = f"{self.random.getrandbits(128):032x}"
        for _ in range(self.random.choice((1, 1, 1, 2))):
            self._events.record(event, event_id)

    def put(self) -> None:
        key, amount = self._any_item(), self.random.randint(1, 5)
        price = self.random.choice([None, Decimal("0.000001"), Decimal("19.99")])
        self._carts.add(self.session, SessionItemAddition(key, "Mug", amount, price, self.device))
        before = self._cart.get(key) if self._is_in_cart(key) else None
        if before:
            self._leaves(before, -1)
            price = before.price if price is None else price
        self._cart[key] = Item(amount + (before.amount if before else 0), price, self.device, self._second)
        self._leaves(self._cart[key], 1)
        self._count("added", self.device, amount)
        self._detail("items", self.device, key.index, key.id, amounts=(amount, 0, 0, 0))
        self._detail("cart_sessions", self.device, digest(self.session.id))

    def patch(self) -> None:
        key, amount = self._any_item(), self.random.randint(1, 6)
        self._carts.remove(self.session, SessionItemRemoval(key, amount))
        if not self._is_in_cart(key):
            return
        item = self._cart[key]
        if amount >= item.amount:
            self._delete(key)
            return
        self._leaves(item, -1)
        item.amount -= amount
        item.since = self._second
        self._leaves(item, 1)
        self._removed(key, item.device, amount)

    def delete(self) -> None:
        self._carts.empty(self.session, time_left=lambda: 60)
        for key in list(self._cart):
            self._delete(key)

    def checkout(self) -> None:
        self._events.check_out(Checkout(self.session, self.device, self._user), time_left=lambda: 60)
        bought = [key for key in self._cart if self._is_in_cart(key)]
        if bought or self._second - self._bought >= DAY:
            self._bought = self._second
            self._count("checkouts", self.device)
        for key in bought:
            item = self._cart[key]
            self._leaves(item, -1)
            self._detail("items", item.device, key.index, key.id, amounts=(0, 0, item.amount, item.value))
            self._detail("sales", item.device, self.session.id, amounts=(item.value, 1))
            item.alive = False

    def order(self) -> None:
        """Order, and sometimes pay or cancel it."""
        made = order(
            shop=self.random.choice(SHOPS),
            customer=self.session.id,
            created_at=self._now,
            items=(sold(quantity=self.random.randint(1, 9)),),
        )
        self._table.transact(new_order_writes(made, open_holds=10_000))
        for figure, count in (("orders", 1), ("order_total", made.total)):
            self.figures.totals[made.shop, figure, "desktop", self._now // HOUR] += count
        statuses: tuple[list[Any], ...] = ([], ["processing", "shipped"], ["cancelled"])
        for status in self.random.choice(statuses):
            before, made = made, made.changed(OrderChange(status), self._now)
            self._orders.change(Change(before, made), frozenset())

    def _any_item(self) -> ItemKey:
        return ItemKey("product", str(self.random.randrange(6)))

    def _is_in_cart(self, key: ItemKey) -> bool:
        item = self._cart.get(key)
        return item is not None and item.alive and self._second - item.since < DAY

    def _delete(self, key: ItemKey) -> None:
        if self._is_in_cart(key):
            self._leaves(self._cart[key], -1)
            self._removed(key, self._cart[key].device, self._cart[key].amount)
        del self._cart[key]
        self.deletions[keys.session_item(self.session, key)].append(self._now)

    def _removed(self, key: ItemKey, device: str, amount: int) -> None:
        self._count("removed", device, amount)
        self._detail("items", device, key.index, key.id, amounts=(0, amount, 0, 0))

    def _leaves(self, item: Item, times: int) -> None:
        """Count that an item will leave the cart by itself, or not any more."""
        hour = (item.since + DAY) * 1000 // HOUR
        name = digest(self.session.id)
        self._detail("expiring", item.device, name, hour=hour, amounts=(times, times * item.value))
