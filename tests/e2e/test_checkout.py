"""Checkout and orders over HTTP: from a cart to a refund, and every refusal (contract: Checkout).

tests/integration has every value and every race: test_checkout.py and test_orders.py; test_isolation.py every
credential, test_unavailable.py the faults of the database.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from serverless_cart.auth import Token, digest
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.guests import guest_customer
from serverless_cart.domain.limits import CONTRACT_LIMITS, RESERVED_PRODUCTS
from serverless_cart.domain.methods import Kind, PaymentMethod, ShippingMethod
from serverless_cart.domain.orders import Order
from serverless_cart.domain.product import Product
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.discounts import DiscountRecord, discount_to_item
from serverless_cart.dynamodb.methods import methods_to_item
from tests.support.builders import without
from tests.support.shopper import (
    CART_EMPTY,
    CHANGED,
    MANAGED_NOT_FOUND,
    NO_ORDER,
    NOT_CANCELLABLE,
    ORDER_NOT_FOUND,
    REUSED,
    SLASHES,
    assert_invalid,
    moment,
)
from tools.support.clients import (
    CANCEL,
    CHECKOUT,
    GUESTS,
    NOTE,
    ORDER,
    ORDERS,
    SHOP_ORDER,
    SHOP_ORDERS,
    Customer,
    Http,
    Manager,
    Reply,
    unique,
)
from tools.support.database import Database

METHODS: Final[dict[str, Any]] = {"shipping_method": 3, "payment_method": 9}
ONCE: Final = {"Idempotency-Key": "k"}
PAST_HOLD: Final = 120
"""Seconds after which an order that was not paid in time has failed (contract: Order)."""

Buyers = Callable[[], Customer]
Servers = Callable[[str], Manager]


@pytest.fixture(scope="module")
def seller(database: Database) -> str:
    """Open a shop that lists methods of both kinds; return its name."""
    shop = unique("seller")
    database.open_shop(Shop(shop, frozenset(), currency="EUR"))
    card = PaymentMethod(9, "Card", next_step="https://pay.example/{order_key}?t={total}&c={currency}")
    database.put(
        [
            methods_to_item(shop, Kind.SHIPPING, [ShippingMethod(3, "Parcel", cost=490)], 1),
            methods_to_item(shop, Kind.PAYMENT, [card, PaymentMethod(8, "Invoice", pays_later=True)], 1),
        ]
    )
    return shop


@pytest.fixture(scope="module")
def new_server(database: Database, management_http: Http) -> Servers:
    """Return a function that makes a server of a shop."""
    return lambda shop: Manager(management_http, database.issue(Token("management", shop)))


@pytest.fixture(scope="module")
def server(seller: str, new_server: Servers) -> Manager:
    """Return the shop's server."""
    return new_server(seller)


@pytest.fixture
def new_buyer(seller: str, database: Database, shop_http: Http) -> Buyers:
    """Return a function that makes customers of the shop."""

    def make() -> Customer:
        owner, token = database.new_owner(seller)
        return Customer(shop_http, token, owner)

    return make


@pytest.fixture
def mug(seller: str, database: Database) -> Product:
    """Sell five pieces of a product at 12.50, discount 2.50."""
    return database.sell(seller, price=1_250, discount=250, stock=5)


@pytest.fixture
def code(seller: str, database: Database) -> str:
    """Issue a discount code of 10 percent that can be used once."""
    code = unique("once")
    database.put([discount_to_item(seller, DiscountRecord(DiscountCode(code, 10, max_uses=1), "", 0))])
    return code


@pytest.fixture
def buyer(new_buyer: Buyers, mug: Product) -> Customer:
    """Make a customer with two mugs in the cart and methods selected."""
    buyer = new_buyer()
    buyer.add(mug.id, quantity=2, notes=NOTE)
    assert buyer.select(address=7, **METHODS).status == 200
    return buyer


def available(buyer: Customer, product: Product) -> int:
    """Return how many pieces of a product are left, which the refusal of more says."""
    details = buyer.add(product.id, quantity=9_999).body["details"]
    return int("".join(filter(str.isdigit, details["quantity"][0])))


def review(reply: Reply) -> list[str]:
    """Return the codes of the warnings of an answer that asks for a review."""
    assert (reply.status, reply.body["error"]) == (409, "cart needs review")
    return [warning["code"] for warning in reply.body["details"]["warnings"]]


def days() -> dict[str, str]:
    """Return the period of a list that has all orders of the tests."""
    now = datetime.now(UTC)
    return {"from": f"{now - timedelta(days=1):%Y%m%d}", "to": f"{now + timedelta(days=1):%Y%m%d}"}


def every_order(server: Manager) -> list[dict[str, Any]]:
    """Read all pages of the shop's list."""
    found: list[dict[str, Any]] = []
    query: dict[str, object] = {**days(), "limit": 3}
    while True:
        body = server.orders(**query).body
        assert body["total"] == body["total_count"] == len(body["results"]) <= 3
        found += body["results"]
        if "cursor" not in body:
            return found
        query["cursor"] = body["cursor"]


# ----------------------------------------------------------------------------------------------------------------------
# Purchases
# ----------------------------------------------------------------------------------------------------------------------


def test_purchase_from_the_cart_to_a_refund(
    *, buyer: Customer, new_buyer: Buyers, server: Manager, mug: Product, code: str
) -> None:
    shown = buyer.apply_discount(code).body

    placed = buyer.check_out(notes=NOTE, total=shown["total"])

    key = placed.body["order_key"]
    assert placed == Reply(200, {"order_key": key, "next_step": f"https://pay.example/{key}?t=2290&c=EUR"})
    assert placed.headers["Cache-Control"] == "no-store"
    order = buyer.order(key).body
    assert {
        name: order[name] for name in shown.keys() & order.keys() - {"id", "items", "created_at", "updated_at"}
    } == (without(shown, "id", "items", "created_at", "updated_at", "is_empty", "warnings"))
    assert order["items"] == [without(item, "id", "created_at", "updated_at") for item in shown["items"]]
    assert (order["status"], order["notes"], order["customer"]) == ("hold", NOTE, buyer.owner.customer)
    assert moment(order["reserved_until"]) - moment(order["created_at"]) == timedelta(minutes=30)
    assert buyer.orders() == Reply(200, {"count": 1, "results": [without(order, "items")]})
    assert server.order(key) == Reply(200, order)
    assert without(order, "items") in every_order(server)
    assert available(new_buyer(), mug) == 3
    changes: list[dict[str, Any]] = [
        {"status": "processing"},
        {"status": "shipped", "amount_paid": 2_000},
        {"status": "completed"},
        {"status": "refunded", "amount_paid": 0, "restock": True},
    ]
    for change, paid in zip(changes, (2_290, 2_000, 2_000, 0), strict=True):
        for _ in range(2):
            changed = server.change_order(key, **change)
            assert changed.status == 200
        assert (changed.body["status"], changed.body["amount_paid"]) == (change["status"], paid)
        assert buyer.order(key).body == changed.body
    assert available(new_buyer(), mug) == 5
    assert buyer.cancel(key) == NOT_CANCELLABLE


def test_emptied_cart_has_its_next_version(buyer: Customer, code: str) -> None:
    filled = buyer.apply_discount(code)
    assert buyer.check_out().status == 200

    emptied = buyer.read()

    assert emptied.version == filled.version + 1
    assert (emptied.body["is_empty"], emptied.body["address"], emptied.body["discount_code"]) == (True, 7, None)
    assert (emptied.body["id"], emptied.body["created_at"]) == (filled.body["id"], filled.body["created_at"])
    assert buyer.read(headers={"If-None-Match": emptied.headers["ETag"]}).status == 304
    assert buyer.check_out() == CART_EMPTY


def test_cancelled_order_returns_stock_and_code(
    *, buyer: Customer, new_buyer: Buyers, server: Manager, mug: Product, code: str
) -> None:
    buyer.apply_discount(code)
    key = buyer.check_out().body["order_key"]
    other = new_buyer()
    other.add(mug.id, quantity=3)
    assert_invalid(other.apply_discount(code), "invalid discount code", "code")

    cancelled = buyer.cancel(key)

    assert (cancelled.status, cancelled.body["status"], cancelled.body["reserved_until"]) == (200, "cancelled", None)
    assert buyer.cancel(key) == NOT_CANCELLABLE
    refused = server.change_order(key, status="processing")
    assert (refused.status, refused.body["error"]["code"]) == (409, "invalid_transition")
    assert available(new_buyer(), mug) == 5
    assert other.apply_discount(code).body["discount"] == 300


def test_payment_that_comes_later_needs_no_hold(buyer: Customer) -> None:
    placed = buyer.check_out(payment_method=8)

    assert placed.body.keys() == {"order_key"}
    order = buyer.order(placed.body["order_key"]).body
    assert (order["status"], order["reserved_until"], order["is_paid"]) == ("processing", None, False)
    assert (buyer.orders(status="hold").body["count"], buyer.orders(status="processing").body["count"]) == (0, 1)
    assert buyer.orders(offset=1).body == {"count": 1, "results": []}


def test_guest_checks_out(seller: str, database: Database, shop_http: Http, mug: Product) -> None:
    token = shop_http.send("POST", GUESTS, token=database.issue(Token("api_key", seller))).body["token"]
    guest = Customer(shop_http, token, Owner(seller, guest_customer(digest(token))))
    guest.add(mug.id)

    key = guest.check_out(**METHODS).body["order_key"]

    assert guest.order(key).body["customer"] == guest.owner.customer
    assert guest.cancel(key).status == 200


@pytest.mark.parametrize("slash", SLASHES)
def test_trailing_slash_is_the_same_route(buyer: Customer, server: Manager, slash: str) -> None:
    key = buyer.send("POST", CHECKOUT + slash, json={}).body["order_key"]
    requests = [(buyer.send, "GET", ORDERS), (buyer.send, "GET", ORDER), (buyer.send, "POST", CANCEL)]

    for send, method, path in requests:
        assert send(method, path.format(order=key) + slash).status == 200
    assert server.send("GET", SHOP_ORDERS + slash, "", params=days()).status == 200
    for method in ("GET", "PATCH"):
        path = SHOP_ORDER.format(order=key) + slash
        assert server.send(method, path, "", json={"status": "cancelled"}).body["status"] == "cancelled"


# ----------------------------------------------------------------------------------------------------------------------
# Repetitions and reviews
# ----------------------------------------------------------------------------------------------------------------------


def test_repeated_key_is_the_same_order(buyer: Customer, mug: Product) -> None:
    first = buyer.check_out(headers=ONCE)
    buyer.add(mug.id)
    buyer.clear()

    again = buyer.check_out(headers=ONCE)

    assert "Idempotency-Replayed" not in first.headers
    assert (again, again.headers["Idempotency-Replayed"]) == (first, "true")
    assert buyer.orders().body["count"] == 1
    assert buyer.check_out(headers=ONCE, notes="other") == REUSED
    assert buyer.add(mug.id, headers=ONCE) == REUSED


def test_changed_price_is_reviewed_once(buyer: Customer, mug: Product, database: Database) -> None:
    database.sell(buyer.owner.shop, product_id=mug.id, price=1_300, discount=250, stock=5)

    first, again = (buyer.check_out(headers=ONCE) for _ in range(2))

    assert review(first) == ["price_changed"]
    assert again == first, "its answer may have been lost"
    assert buyer.read().body["items_subtotal"] == 2_600
    key = buyer.check_out().body["order_key"]
    assert buyer.order(key).body["total"] == 2_100 + 490


@pytest.mark.parametrize(("change", "code"), [({"active": False}, "unavailable"), ({"stock": 1}, "insufficient_stock")])
def test_what_prevents_an_order_must_be_resolved(
    *, buyer: Customer, seller: str, mug: Product, database: Database, change: dict[str, Any], code: str
) -> None:
    lamp = database.sell(seller)
    buyer.add(lamp.id)
    database.sell(seller, **{"product_id": mug.id, "price": 1_250, "discount": 250, "stock": 5} | change)

    assert [review(buyer.check_out()) for _ in range(2)] == [[code]] * 2
    assert buyer.orders().body == {"count": 0, "results": []}
    item = next(item["id"] for item in buyer.read().body["items"] if item["product"]["id"] == mug.id)
    assert buyer.remove(item).status == 200
    assert buyer.check_out().status == 200


def test_only_the_expected_total_is_charged(buyer: Customer) -> None:
    refused = buyer.check_out(total=1)

    assert review(refused) == []
    assert refused.body["details"]["total"] == ["the order would cost 2490"]
    assert buyer.check_out(total=2_490).status == 200


def test_only_the_expected_version_is_ordered(buyer: Customer, mug: Product) -> None:
    old = buyer.read().headers["ETag"]
    current = buyer.add(mug.id).headers["ETag"]

    refused = buyer.check_out(headers={"If-Match": old})

    assert (refused, refused.headers["ETag"]) == (CHANGED, current)
    assert buyer.check_out(headers={"If-Match": current}).status == 200


# ----------------------------------------------------------------------------------------------------------------------
# Refusals
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def unordered(buyer: Customer, database: Database) -> Iterator[Customer]:
    """Return the customer, and check that the test changes neither cart nor orders."""
    before = database.cart(buyer.owner)
    yield buyer
    assert database.cart(buyer.owner) == before
    assert buyer.orders().body["count"] == 0


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ([], {"body"}),
        ({"address": "7", "notes": None, "total": -1}, {"address", "notes", "total"}),
        ({"shipping_method": 4}, {"shipping_method"}),
        ({"payment_method": 2}, {"payment_method"}),
    ],
)
def test_invalid_checkout_is_400(unordered: Customer, body: Any, fields: set[str]) -> None:
    assert_invalid(unordered.send("POST", CHECKOUT, json=body), "validation error", *fields)


def test_order_needs_methods_that_the_shop_lists(new_buyer: Buyers, mug: Product) -> None:
    buyer = new_buyer()
    assert buyer.check_out(**METHODS) == CART_EMPTY
    buyer.add(mug.id)

    assert_invalid(buyer.check_out(), "validation error", *METHODS)


def test_bad_idempotency_key_is_400(unordered: Customer) -> None:
    assert_invalid(unordered.check_out(headers={"Idempotency-Key": "k" * 256}), "validation error", "Idempotency-Key")


def test_too_many_limited_products_are_400(buyer: Customer, seller: str, database: Database) -> None:
    for _ in range(RESERVED_PRODUCTS):
        assert buyer.add(database.sell(seller, stock=1).id).status == 200

    assert_invalid(buyer.check_out(), "cart is full", "items")


def test_customer_has_few_unpaid_orders(buyer: Customer, seller: str, database: Database) -> None:
    lamp = database.sell(seller)
    buyer.clear()
    for _ in range(CONTRACT_LIMITS.open_holds):
        buyer.add(lamp.id)
        key = buyer.check_out().body["order_key"]
    buyer.add(lamp.id)

    refused = buyer.check_out()

    assert (refused.status, refused.body["error"]) == (409, "too many unpaid orders")
    assert refused.body["details"].keys() == {"order"}
    assert buyer.cancel(key).status == 200
    assert buyer.check_out().status == 200


@pytest.mark.parametrize("key", [NO_ORDER, "1", "ORD-", "%20"])
def test_unknown_order_is_not_found(buyer: Customer, server: Manager, key: str) -> None:
    assert buyer.order(key) == buyer.cancel(key) == ORDER_NOT_FOUND
    assert server.order(key) == server.change_order(key, status="shipped") == MANAGED_NOT_FOUND


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"limit": 101}, {"limit"}),
        ({"offset": -1, "status": "paid"}, {"offset", "status"}),
        ({"limit": "x"}, {"limit"}),
    ],
)
def test_invalid_list_is_400(buyer: Customer, server: Manager, query: dict[str, object], fields: set[str]) -> None:
    assert_invalid(buyer.orders(**query), "validation error", *fields)
    refused = server.orders(**{"from": "20250230", "limit": 1_001, "status": "paid", "cursor": "1"})
    assert (refused.status, refused.body["error"]["code"]) == (400, "bad_params")
    assert refused.body["error"]["details"].keys() == {"from", "to", "limit", "status", "cursor"}


@pytest.mark.parametrize("body", [{}, {"status": "paid"}, {"status": "shipped", "restock": True}, []])
def test_invalid_change_is_400(buyer: Customer, server: Manager, body: Any) -> None:
    key = buyer.check_out().body["order_key"]

    refused = server.send("PATCH", SHOP_ORDER.format(order=key), "", json=body)

    assert (refused.status, refused.body["error"]["code"]) == (400, "bad_params")
    assert buyer.order(key).body["status"] == "hold"


# ----------------------------------------------------------------------------------------------------------------------
# The schedule
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.last(1)  # it waits for the schedule, for which the other tests leave it time
def test_unpaid_order_fails_by_itself(overdue: Order, database: Database, new_server: Servers) -> None:
    server = new_server(overdue.shop)
    end = time.monotonic() + PAST_HOLD
    while server.order(overdue.key).body["status"] == "hold" and time.monotonic() < end:
        time.sleep(1)

    assert server.order(overdue.key).body["status"] == "failed"
    assert database.stock(overdue.shop, *overdue.reserved) == 5
