"""Thousands of parallel checkouts of scarce products with scarce discount codes, on DynamoDB Local, with faults.

While shoppers add, check out, pay and cancel, and the timer ends holds, a reader reads one product, one code or one
customer with all its orders in one TransactGetItems, so its figures are of one moment. At every such moment

- the stock of a product and what orders have of it are the stock at the start, and no stock is negative;
- the uses of a code, in all and by a customer, are the orders that have it, and not above the limits;
- the open holds of a customer are the orders that wait for their payment, and a cart has all or nothing of an item.

At the end this is checked for the whole table, and also that the orders are those that were answered, one for each
idempotency key; that each piece that was put in a cart is in one order or still in the cart; that the figures of an
order are the sums of its items; and that lists and holds have each order once.
"""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
import pytest

from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.limits import Limits
from serverless_cart.domain.orders import Order
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, key_attributes, key_of, read_int, read_optional_int, read_text
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.checkout import DynamoDBCheckoutStore
from serverless_cart.dynamodb.discounts import DiscountStore
from serverless_cart.dynamodb.order_item import order_from_item
from serverless_cart.dynamodb.orders import DynamoDBOrderStore
from serverless_cart.dynamodb.table import Table
from serverless_cart.dynamodb.tokens import shop_to_item
from serverless_cart.service.checkout import CheckoutService
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.holds import HoldService
from serverless_cart.service.orders import OrderService
from tests.support.builders import product
from tests.support.checkout_shoppers import CODES, FATES, PRODUCTS, Services, Shopper
from tests.support.faults import Faults, client_with_faults, one_attempt
from tests.support.history import assert_whole
from tests.support.order_ledger import Ledger
from tools.support.events import SHOP
from tools.support.figures import record
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine

NAME: Final = "checkout"
LIMITS: Final = Limits(hold_lifetime=1, open_holds=2)
PRICE: Final = 1_000
"""The price of a piece of any product, after its discount."""
PERCENT: Final = 10
"""What a code takes off."""
USES_OF_CUSTOMER: Final = 3
FAULTS: Final = 1 / 12
"""The share of calls that fail."""


class Subject(Protocol):
    """What the reader compares with orders at one moment."""

    @property
    def rows(self) -> list[keys.Key]:
        """The items that must be read."""
        ...

    def check(self, rows: Mapping[keys.Key, Item], orders: Sequence[Order]) -> None:
        """Compare the items with all orders that may have to do with them."""
        ...


def counts(order: Order) -> bool:
    """Return whether an order has its stock and its use of a code; refunds are with restock."""
    return order.status not in {"cancelled", "failed", "refunded"}


@dataclass(frozen=True)
class Product:
    """A product with its stock at the start."""

    id: int
    stock: int

    @property
    def rows(self) -> list[keys.Key]:
        return [keys.product(SHOP, self.id)]

    def check(self, rows: Mapping[keys.Key, Item], orders: Sequence[Order]) -> None:
        left = read_int(rows[self.rows[0]], "stock")
        sold = sum(it.quantity for order in orders if counts(order) for it in order.items if it.product_id == self.id)
        assert (left >= 0, left + sold) == (True, self.stock), f"{self}: {left} left, {sold} sold"


@dataclass(frozen=True)
class Code:
    """A discount code with the number of its uses."""

    code: str
    max_uses: int

    @property
    def rows(self) -> list[keys.Key]:
        return [keys.discount(SHOP, self.code)]

    def check(self, rows: Mapping[keys.Key, Item], orders: Sequence[Order]) -> None:
        uses = read_int(rows[self.rows[0]], "uses")
        having = sum(counts(order) for order in orders if order.discount_key == self.code)
        assert having == uses <= self.max_uses, f"{self}: {uses} uses, {having} orders"


@dataclass(frozen=True)
class Customer:
    """A customer with uses, holds and a cart."""

    owner: Owner
    code: str

    @property
    def rows(self) -> list[keys.Key]:
        return [keys.uses(self.owner), keys.cart(self.owner)]

    def check(self, rows: Mapping[keys.Key, Item], orders: Sequence[Order]) -> None:
        uses, cart = (rows.get(key, {}) for key in self.rows)
        mine = [order for order in orders if order.customer == self.owner.customer]
        held = sum(order.status == "hold" for order in mine)
        assert held == (read_optional_int(uses, "holds") or 0) <= LIMITS.open_holds, f"{self}: {held} holds, {uses}"
        having = sum(counts(order) and order.discount_key == self.code for order in mine)
        used = read_optional_int(uses, keys.use_of(self.code)) or 0
        assert having == used <= USES_OF_CUSTOMER, f"{self}: {having} orders with the code, {uses}"
        assert_whole(cart)


class Reader:
    """Reads subjects with all orders that may have to do with them, each in one transaction."""

    def __init__(self, client: "DynamoDBClient", ledger: Ledger, subjects: Mapping[Subject, Sequence[str]]) -> None:
        """``subjects`` has the customers whose orders may have to do with each."""
        self._client = client
        self._ledger = ledger
        self._subjects = subjects
        self.counts: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Read one subject after another, and check each."""
        for subject, customers in itertools.cycle(self._subjects.items()):
            if stop.is_set():
                return
            view = self._ledger.view(customers)
            wanted = [*subject.rows, *(keys.order(SHOP, key) for key in view.keys)]
            gets: Any = [{"Get": {"TableName": NAME, "Key": key_attributes(key)}} for key in wanted]
            answers: Any = self._client.transact_get_items(TransactItems=gets)["Responses"]
            if not self._ledger.has_all(view):
                self.counts["moments that were read too slowly"] += 1
                continue
            rows = {key_of(answer["Item"]): answer["Item"] for answer in answers if "Item" in answer}
            subject.check(rows, [*view.settled, *orders_of(rows)])
            self.counts["moments that were read"] += 1


def orders_of(rows: Mapping[keys.Key, Item]) -> list[Order]:
    return [order_from_item(SHOP, row) for key, row in rows.items() if keys.is_order(key)]


@pytest.fixture
def client(dynamodb_local_url: str) -> Iterator["DynamoDBClient"]:
    """Connect to the engine without faults, with a table."""
    client = boto3.Session("testing", "testing", region_name="eu-west-1").client(
        "dynamodb", endpoint_url=dynamodb_local_url, config=one_attempt()
    )
    create_table(client, NAME)
    yield client
    client.delete_table(TableName=NAME)


def open_shop(table: Table, products: Sequence[Product], codes: Sequence[Code]) -> None:
    items = [shop_to_item(Shop(SHOP)), *(product_to_item(SHOP, product(it.id, stock=it.stock)) for it in products)]
    table.write_many({"PutRequest": {"Item": item}} for item in items)
    terms = DiscountCode("", percent=PERCENT, max_uses_per_customer=USES_OF_CUSTOMER)
    DiscountStore(table, SHOP, clock).create([terms._replace(code=it.code, max_uses=it.max_uses) for it in codes])


def test_parallel_checkouts_sell_each_piece_once(
    client: "DynamoDBClient",
    dynamodb_local_url: str,
    seed: int,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    full: bool,
) -> None:
    clients, times, stock, uses = (64, 32, 45, 20) if full else (32, 8, 8, 5)
    products, codes = [Product(id_, stock) for id_ in PRODUCTS], [Code(code, uses) for code in CODES]
    open_shop(Table(NAME, client), products, codes)
    faults = Faults(seed, FAULTS)
    table = Table(NAME, client_with_faults(dynamodb_local_url, faults))
    ledger = Ledger(f"customer-{number}" for number in range(clients))
    monkeypatch.setattr("serverless_cart.service.checkout.new_key", ledger.new_key)
    store = DynamoDBOrderStore(table)
    services = Services(
        CheckoutService(DynamoDBCheckoutStore(table, clock, LIMITS), clock, LIMITS), OrderService(store, clock), ledger
    )
    shoppers = [Shopper(services, number, seed) for number in range(clients)]
    customers = [Customer(shopper.owner, shopper.code) for shopper in shoppers]
    subjects: dict[Subject, list[str]] = {
        **{it: [one.owner.customer for one in shoppers if it.id in one.products] for it in products},
        **{it: [one.owner.customer for one in shoppers if it.code == one.code] for it in codes},
        **{it: [it.owner.customer] for it in customers},
    }
    reader, timer = Reader(client, ledger, subjects), Timer(HoldService(store, clock))
    stop, start = threading.Event(), time.perf_counter()
    with ThreadPoolExecutor(clients + 2) as pool:
        observers = [pool.submit(it.run, stop) for it in (reader, timer)]
        shopping = [pool.submit(shopper.shop, times) for shopper in shoppers]
        try:
            wait(shopping)
            seconds = time.perf_counter() - start
        finally:
            stop.set()
        for done in (*shopping, *observers):
            done.result()

    ended = sum(order.status == "failed" for order in check_all(client, [*subjects], shoppers))
    time.sleep(LIMITS.hold_lifetime)
    assert HoldService(DynamoDBOrderStore(Table(NAME, client)), clock).release(lambda: 60.0).is_complete
    orders = check_all(client, [*subjects], shoppers)

    assert not [order for order in orders if order.status == "hold"]
    totals = sum((shopper.counts for shopper in shoppers), reader.counts)
    assert {f"orders {fate}" for fate in FATES} <= totals.keys()
    assert min(ended, totals["moments that were read"], totals["replays"], totals["reviews of the cart"]) > 0
    assert not full or totals["checkouts"] - totals["empty carts"] >= 2_000
    record(
        "checkout",
        command,
        clients=clients,
        products=len(products),
        pieces_at_the_start=stock * len(products),
        pieces_sold=sum(order.quantity for order in orders if counts(order)),
        **dict(sorted(totals.items())),
        holds_that_the_timer_ended_meanwhile=ended,
        faults=str(faults),
        differences=0,
        seconds=round(seconds),
        seed=seed,
    )


class Timer:
    """Ends holds all the time, as the scheduled function does every minute."""

    def __init__(self, holds: HoldService) -> None:
        self._holds = holds

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(0.2):
            with suppress(Unavailable):  # the next run ends the holds that this one leaves
                ended = self._holds.release(lambda: 60.0)
                assert all(isinstance(error, Unavailable) for error in ended.errors)


def check_all(client: "DynamoDBClient", subjects: Sequence[Subject], shoppers: Sequence[Shopper]) -> list[Order]:
    """Check the whole table while nothing changes it. Return the orders."""
    pages: Any = client.get_paginator("scan").paginate(TableName=NAME, ConsistentRead=True)
    rows: dict[keys.Key, Item] = {key_of(item): item for page in pages for item in page["Items"]}
    orders = orders_of(rows)
    for subject in subjects:
        subject.check(rows, orders)
    answered = [made for shopper in shoppers for made in shopper.orders.values()]
    assert [made for made in answered if len(made) > 1] == []
    assert {order.key for order in orders} == set().union(*answered)
    for shopper in shoppers:
        found = rows.get(keys.cart(shopper.owner), {})
        pieces = Counter({int(name[4:]): read_int(found, name) for name in found if name.startswith("qty#")})
        for order in orders:
            if order.customer == shopper.owner.customer:
                pieces.update({item.product_id: item.quantity for item in order.items})
        assert pieces == +shopper.pieces, shopper.owner
    holds, months, entries = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for key, row in rows.items():
        match key.pk.partition("#")[0]:
            case "HOLDS":
                holds[keys.held_order(key)[1]] += 1
            case "SHOPORDERS":
                months[keys.listed_order(key.sk), read_text(row, "status")] += 1
            case "ORDERS":
                entries[keys.listed_order(key.sk), read_text(row, "status")] += 1
    assert holds == Counter(order.key for order in orders if order.status == "hold")
    assert months == entries == Counter((order.key, order.status) for order in orders)
    for order in orders:
        check_sums(order, json.loads(read_text(rows[keys.order(SHOP, order.key)], "order")))
    return orders


def check_sums(order: Order, stored: Mapping[str, Any]) -> None:
    subtotal = PRICE * sum(item.quantity for item in order.items)
    off = subtotal * PERCENT // 100 if order.discount_key else 0
    assert (order.subtotal, order.discount, order.total) == (subtotal, off, subtotal - off)
    assert (stored["subtotal"], stored["discount"], stored["total"]) == (subtotal, off, subtotal - off)
