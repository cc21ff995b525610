"""Both APIs: many requests at once. Nothing is lost, nothing counts twice, no limit is exceeded."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pytest

from local.stack import Stack
from serverless_cart.domain.product import Product
from serverless_cart.domain.public_ids import item_id
from serverless_cart.domain.shop import Shop
from tests.support import history
from tests.support.lambdas import Lambdas
from tests.support.shopper import CHANGED, CHANGES, ITEM_NOT_FOUND, REGISTERED, Shopper
from tools.support.clients import CART, ITEMS, Customer, Http, Reply, Visitor, unique
from tools.support.database import Database

pytestmark = pytest.mark.last(1)  # it leaves many functions running

THREADS = 6
T = TypeVar("T")


@pytest.fixture
def customer(customer: Customer) -> Customer:
    """Make a customer whose token the gateway has cached, so that parallel requests start no parallel authorizers."""
    assert customer.add(0).body["error"] == "invalid product"
    return customer


def at_once(call: Callable[[T], Reply], arguments: Iterable[T], threads: int = THREADS) -> list[Reply]:
    """Send requests from several threads."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, arguments))


def warm_up(shopper: Shopper, route: str) -> None:
    """Start as many functions as the parallel requests need, so that these run at once; nothing is changed."""
    replies = at_once(lambda _: shopper.ask(route, headers={"If-Match": '"1-0"'}), range(THREADS))
    assert replies == [CHANGED] * THREADS


def outcomes(replies: Iterable[Reply]) -> Counter[str]:
    """Count the answers of each kind."""
    return Counter(reply.body.get("error", "cart") for reply in replies)


def test_parallel_adds_of_a_product_all_count(customer: Customer, lamp: Product) -> None:
    replies = at_once(lambda _: customer.add(lamp.id), range(40))
    assert outcomes(replies) == {"cart": 40}
    assert sorted(reply.body["quantity"] for reply in replies) == list(range(1, 41))


def test_stock_is_never_exceeded(customer: Customer, database: Database) -> None:
    scarce = database.sell(customer.owner.shop, stock=5)
    replies = at_once(lambda _: customer.add(scarce.id), range(12))
    assert outcomes(replies) == {"cart": 5, "insufficient stock": 7}


@pytest.mark.parametrize("route", ["add", "update", "remove"])
def test_one_key_is_applied_once(shopper: Shopper, route: str) -> None:
    warm_up(shopper, route)
    before = shopper.ask("read")
    replies = at_once(lambda _: shopper.ask(route, headers={"Idempotency-Key": "k"}), range(30))
    assert outcomes(replies) == {"cart": 30}
    assert Counter(reply.headers.get("Idempotency-Replayed") for reply in replies) == {None: 1, "true": 29}
    after = shopper.ask("read")
    assert after.version == before.version + 1
    assert after.body["quantity"] == {"add": 3, "update": 5, "remove": 0}[route]


def test_removed_item_is_never_restored(shopper: Shopper, database: Database) -> None:
    for n in range(12):
        if n:
            shopper.ask("add")
        before = shopper.ask("read")
        asked = ["update", "remove", "update", "update"]
        bodies = [{"quantity": 5}, {}, {"notes": "blue"}, {"quantity": 6, "notes": "red"}]
        updated, removed, *others = at_once(
            lambda k, asked=asked, bodies=bodies: shopper.ask(asked[k], json=bodies[k]),  # type: ignore[misc]
            range(4),
            threads=4,
        )
        assert removed.status == 200
        assert removed.body["items"] == []
        statuses = Counter(reply.status for reply in (updated, *others))
        assert statuses.keys() <= {200, 404}
        assert all(reply == ITEM_NOT_FOUND for reply in (updated, *others) if reply.status == 404)
        after = shopper.ask("read")
        assert after == removed
        assert after.version == before.version + 1 + statuses[200]
        row = database.cart(shopper.customer.owner)
        assert row is not None
        assert [name for name in row if name.endswith(f"#{shopper.lamp.id}") or name == "products"] == []


def test_clear_removes_only_what_was_added_before(shopper: Shopper, database: Database, other: Product) -> None:
    customer = shopper.customer
    third = database.sell(customer.owner.shop)
    calls: list[Callable[[], Reply]] = [
        customer.clear,
        partial(customer.add, other.id),
        partial(customer.add, third.id),
    ]
    warm_up(shopper, "clear")
    for _ in range(12):
        shopper.ask("add")
        cleared, *added = at_once(lambda call: call(), calls, threads=3)
        left = [reply for reply in added if reply.version > cleared.version]
        assert outcomes([cleared, *added]) == {"cart": 3}
        assert customer.read() == max(cleared, *added, key=lambda reply: reply.version)
        row = database.cart(customer.owner)
        assert row is not None
        held = {name.partition("#")[2] for name in row if name.startswith("qty#")}
        assert set(row.get("products", {"NS": []})["NS"]) == held
        assert held == {str(id_) for id_, reply in zip((other.id, third.id), added, strict=True) if reply in left}
        customer.clear()


@dataclass(frozen=True)
class HttpClient:
    """A client of shared carts, each of one customer: sends the operations of a history."""

    customers: list[Customer]

    def __call__(self, operation: history.Operation, version: int | None) -> history.Answer:
        """Send an operation and read the answer."""
        customer = self.customers[operation.cart]
        headers = {"Idempotency-Key": operation.key} if operation.key else {}
        if version is not None:
            headers["If-Match"] = f'"{version}-0"' if version >= 0 else '"never"'
        reply = self._send(customer, operation, headers)
        if reply.status >= 400:
            known = reply.version if reply == CHANGED else None
            return history.Answer(reply.body["error"], known)
        outcome = "replay" if reply.headers.get("Idempotency-Replayed") == "true" else "done"
        assert_adds_up(reply.body)
        held = {line["product"]["id"]: (line["quantity"], line["notes"]) for line in reply.body["items"]}
        return history.Answer(outcome, reply.version, history.Contents(held, reply.body["address"]))

    def _send(self, customer: Customer, operation: history.Operation, headers: dict[str, str]) -> Reply:
        item = item_id(customer.owner, operation.product)
        said = {"quantity": operation.quantity, "notes": operation.notes}
        body = {name: it for name, it in said.items() if it is not None}
        match operation.kind:
            case "add":
                return customer.send("POST", ITEMS, json={"product": operation.product, **body}, headers=headers)
            case "revise" | "annotate":
                return customer.send("PATCH", f"{ITEMS}/{item}", json=body, headers=headers)
            case "remove":
                return customer.send("DELETE", f"{ITEMS}/{item}", headers=headers)
            case "select":
                return customer.send("PATCH", CART, json={"address": operation.address}, headers=headers)
            case "clear":
                return customer.send("DELETE", CART, headers=headers)
            case _:
                return customer.read()


@pytest.fixture
def few_items(lambdas: Lambdas) -> Iterator[None]:
    """Let carts hold few items, and let no request fail because this machine is slow."""
    with ExitStack() as functions:
        for function in ("Cart", "CartItems"):
            functions.enter_context(
                lambdas.with_variables(function, CART_ITEMS=str(history.ITEMS), DATABASE_TIMEOUT_SECONDS="5")
            )
        yield


@pytest.mark.usefixtures("few_items")
def test_acknowledged_changes_are_applied_exactly_once(
    stack: Stack, database: Database, seed: int, command: str, *, full: bool
) -> None:
    count, clients = (2_048, 32) if full else (256, 8)
    shop = database.open_shop(Shop(unique("shared"))).name
    for number, stock in history.STOCK.items():
        database.sell(shop, product_id=number, stock=stock, discount=100)
    owners = [database.new_owner(shop) for _ in range(history.CARTS)]
    with ExitStack() as connections:

        def client() -> HttpClient:
            http = Http(stack.shop_url, innards=stack.table_name)
            connections.callback(http.close)
            return HttpClient([Customer(http, token, owner) for owner, token in owners])

        first = client()
        for customer in first.customers:  # so that parallel requests start no parallel authorizers
            assert customer.add(0).body["error"] == "invalid product"
        # Few functions start at once: if all did, a client on a slow machine would wait for minutes.
        idle = [
            history.Operation(0, "add", 0, 1),
            history.Operation(0, "annotate", 0, notes=""),
            history.Operation(0, "read"),
        ]
        for crowd in range(8, clients + 1, 8):
            for operation in idle:
                history.play([[operation]] * crowd, client)
        events = history.play(history.operations(seed, count, clients), client)
        remaining = {cart: first(history.Operation(cart, "read"), None) for cart in range(history.CARTS)}

    outcomes = history.check(events, remaining)
    assert len(events) == count
    for owner, _ in owners:
        row = database.cart(owner)
        assert row is not None
        history.assert_whole(row)
    history.record_outcomes(command, f"the local cloud, by {clients} clients", events, outcomes, seed)


def assert_adds_up(cart: dict[str, Any]) -> None:
    """Check that the numbers of a cart agree."""
    items = cart["items"]
    assert len({item["id"] for item in items}) == len(items) == cart["count"]
    assert (cart["quantity"], cart["is_empty"]) == (sum(item["quantity"] for item in items), not items)
    for item in items:
        sums = (item["unit_price"] * item["quantity"], item["unit_discount"] * item["quantity"])
        assert (item["subtotal"], item["discount"], item["total"]) == (*sums, sums[0] - sums[1])
    assert cart["items_subtotal"] == sum(item["subtotal"] for item in items)
    assert cart["items_discount"] == sum(item["discount"] for item in items)
    assert cart["subtotal"] == cart["total"] == sum(item["total"] for item in items)


def test_cart_never_exceeds_100_products(
    customer: Customer, full_cart: Customer, database: Database, a_hundred_products: list[Product]
) -> None:
    database.copy_cart(full_cart.owner, customer.owner)
    database.drop_from_cart(customer.owner, a_hundred_products[-2:])
    new = [database.sell(customer.owner.shop).id for _ in range(8)]
    replies = at_once(customer.add, new)
    assert outcomes(replies) == {"cart": 2, "cart is full": 6}
    assert customer.add(a_hundred_products[0].id).body["count"] == 100


@pytest.mark.parametrize("routes", [CHANGES, ["remove"], ["select"]], ids=["all", "remove", "select"])
def test_one_version_is_changed_once(shopper: Shopper, routes: list[str]) -> None:
    before = shopper.ask("read")
    headers = {"If-Match": before.headers["ETag"]}
    replies = at_once(lambda n: shopper.ask(routes[n % len(routes)], headers=headers), range(12))
    (won,) = (reply for reply in replies if reply.status == 200)
    # If the winner removed the item, the others do not find it.
    assert all(reply in (CHANGED, ITEM_NOT_FOUND) for reply in replies if reply is not won)
    assert shopper.ask("read").version == won.version == before.version + 1


def test_absent_version_is_changed_once(customer: Customer) -> None:
    headers = {"If-Match": customer.read().headers["ETag"]}
    replies = at_once(lambda n: customer.select(address=n, headers=headers), range(12))
    assert outcomes(replies) == {"cart": 1, "cart has changed": 11}


def test_expired_cart_is_replaced_once(customer: Customer, database: Database, lamp: Product) -> None:
    customer.add(lamp.id, quantity=50)
    database.let_cart_expire(customer.owner)
    assert outcomes(at_once(lambda _: customer.add(lamp.id), range(12))) == {"cart": 12}
    assert customer.add(lamp.id).body["quantity"] == 13


def test_parallel_search_events_all_count(visitor: Visitor, database: Database) -> None:
    assert at_once(lambda _: visitor.put("42", amount=2), range(40), threads=4) == [REGISTERED] * 40
    item = database.session(visitor.hashid, visitor.session)["product", "42"]
    assert (item.amount, item.clicks) == (80, 40)
    assert at_once(lambda _: visitor.patch("42", amount=3), range(26), threads=4) == [REGISTERED] * 26
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == 2
    assert at_once(lambda _: visitor.patch("42"), range(8), threads=4) == [REGISTERED] * 8
    assert database.session(visitor.hashid, visitor.session) == {}
