"""POST /api/shop/checkout/cart: the cart becomes an order, or must be reviewed first (contract: Checkout)."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from serverless_cart.domain.limits import CONTRACT_LIMITS, RESERVED_PRODUCTS
from serverless_cart.domain.methods import PaymentMethod, ShippingMethod
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_attributes, number
from serverless_cart.dynamodb.table import ATTEMPTS
from tests.integration.test_discounts import issue
from tests.integration.test_races import before
from tests.integration.test_shipping import offer
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle, Instead
from tests.support.cart_requests import (
    add,
    apply_discount,
    check_out,
    clear,
    is_refusal,
    is_replay,
    once,
    quantities,
    read,
    remove,
    select,
    version,
    warnings,
)
from tools.support.events import MINUTE, SECOND, altered, load

pytestmark = [pytest.mark.every_engine, pytest.mark.usefixtures("no_waits")]

CARD = PaymentMethod(9, "Card", next_step="https://pay.example/{order_key}?t={total}&c={currency}")
PARCEL = ShippingMethod(3, "Parcel", cost=490)
CALLS = ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


def order_of(shop: Bundle, answer: Answer) -> dict[str, Any]:
    """Read the order of a checkout, as its customer."""
    assert answer.status == 200, answer.body
    body: dict[str, Any] = shop.send("orders", altered(load("orders/get"), path={"key": answer.body["order_key"]})).body
    return body


def stock(shop: Bundle, id_: int = 123) -> int:
    (row,) = (row for row in shop.rows("PRODUCT#") if row["ref"] == f"REF-{id_}")
    return int(row["stock"])


def orders(shop: Bundle) -> int:
    return len(shop.rows("ORDER#"))


def review(answer: Answer) -> list[tuple[str, int | None]]:
    """Return the warnings of an answer that asks for a review."""
    assert (answer.status, answer.body["error"]) == (409, "cart needs review")
    return [(it["code"], it["item"]) for it in answer.body["details"]["warnings"]]


# ----------------------------------------------------------------------------------------------------------------------
# The order
# ----------------------------------------------------------------------------------------------------------------------


def test_order_has_what_the_cart_showed(shop: Bundle) -> None:
    issue(shop, max_uses=5, max_uses_per_customer=2)
    offer(shop, PARCEL)
    offer(shop, CARD)
    add(shop, quantity=2, notes="Blue")
    select(shop, address=7, shipping_method=3, payment_method=9)
    shown = apply_discount(shop, "SUMMER-10").body

    answer = check_out(shop, notes="Ring twice", total=shown["total"])

    assert shop.database.calls == CALLS
    key = answer.body["order_key"]
    assert answer.body == {"order_key": key, "next_step": f"https://pay.example/{key}?t=2290&c=EUR"}
    assert answer.headers["Cache-Control"] == "no-store"
    order = order_of(shop, answer)
    same = ("address", "shipping_method", "payment_method", "currency", "count", "quantity", "items_subtotal",
            "items_discount", "subtotal", "discount", "discount_code", "shipping_cost", "total")  # fmt: skip
    assert {name: order[name] for name in same} == {name: shown[name] for name in same}
    (sold,), (item,) = order["items"], shown["items"]
    assert sold == {name: value for name, value in item.items() if name not in {"id", "created_at", "updated_at"}}
    assert (order["status"], order["notes"], order["is_paid"]) == ("hold", "Ring twice", False)
    assert order["reserved_until"] == "2025-11-21T13:04:56.789Z"
    assert stock(shop) == 48
    assert [row["uses"] for row in shop.rows("DISCOUNT#")] == ["1"]
    (uses,) = shop.rows("CUSTOMER#")
    assert (uses["holds"], uses[keys.use_of("SUMMER-10")]) == ("1", "1")


def test_cart_is_empty_with_its_selections(shop: Bundle) -> None:
    issue(shop)
    add(shop)
    select(shop, address=7)
    filled = apply_discount(shop, "SUMMER-10")
    check_out(shop)

    emptied = read(shop)

    assert (emptied.body["is_empty"], emptied.body["address"], emptied.body["discount_code"]) == (True, 7, None)
    assert (emptied.body["id"], emptied.body["created_at"]) == (filled.body["id"], filled.body["created_at"])
    assert version(emptied) == version(filled) + 1
    assert is_refusal(check_out(shop), 400, "cart is empty")


@pytest.mark.parametrize(
    ("method", "price", "status"),
    [
        (PaymentMethod(9, "Invoice", pays_later=True), 1250, "processing"),
        (CARD, 250, "processing"),
        (CARD, 251, "hold"),
    ],
    ids=["pays later", "costs nothing", "costs something"],
)
def test_order_waits_for_a_payment_that_it_needs(shop: Bundle, method: PaymentMethod, price: int, status: str) -> None:
    shop.sell(product(price=price))
    offer(shop, method)
    add(shop)

    answer = check_out(shop, payment_method=9)

    order = order_of(shop, answer)
    assert order["status"] == status
    assert (order["reserved_until"] is not None, "next_step" in answer.body) == (status == "hold", status == "hold")
    assert len(shop.rows("HOLDS#")) == len(shop.rows("CUSTOMER#")) == (status == "hold")


def test_selections_of_the_request_win(shop: Bundle) -> None:
    offer(shop, PARCEL, PARCEL._replace(id=4, cost=990))
    add(shop)
    select(shop, address=7, shipping_method=3, payment_method=1)

    order = order_of(shop, check_out(shop, shipping_method=4, payment_method=2, address=None))

    assert [order[name] for name in ("address", "shipping_method", "payment_method")] == [7, 4, 2]
    assert order["total"] == 1000 + 990


def test_code_that_applies_no_longer_is_not_used(shop: Bundle) -> None:
    issue(shop)
    add(shop)
    apply_discount(shop, "SUMMER-10")
    issue(shop, active=False)
    assert review(check_out(shop)) == [("discount_unavailable", None)]

    order = order_of(shop, check_out(shop))

    assert (order["discount"], order["discount_code"], order["total"]) == (0, None, 1000)
    assert [row["uses"] for row in shop.rows("DISCOUNT#")] == ["0"]


def test_unlimited_stock_stays_unlimited(shop: Bundle) -> None:
    shop.sell(product(stock=None))
    add(shop, quantity=9_999)

    order_of(shop, check_out(shop))

    assert "stock" not in shop.rows("PRODUCT#")[0]


# ----------------------------------------------------------------------------------------------------------------------
# Refusals
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"address": -1}, "address"),
        ({"shipping_method": "3"}, "shipping_method"),
        ({"payment_method": 2**53}, "payment_method"),
        ({"notes": "x" * 501}, "notes"),
        ({"notes": None}, "notes"),
        ({"total": 1.5}, "total"),
        ({"total": None}, "total"),
        ({"total": -1}, "total"),
    ],
)
def test_invalid_request_is_refused_before_any_call(shop: Bundle, body: dict[str, Any], field: str) -> None:
    assert is_refusal(check_out(shop, **body), 400, "validation error", field)
    assert shop.database.calls == []
    assert shop.send("checkout", altered(load("checkout/post"), body=[])).body["details"].keys() == {"body"}


@pytest.mark.parametrize(
    ("selected", "asked", "field"),
    [
        ({}, {"shipping_method": 3}, "payment_method"),
        ({}, {"payment_method": 9}, "shipping_method"),
        ({}, {"payment_method": 8, "shipping_method": 3}, "payment_method"),
        ({}, {"payment_method": 9, "shipping_method": 4}, "shipping_method"),
        ({"payment_method": 8}, {"shipping_method": 3}, "payment_method"),
    ],
)
def test_order_needs_methods_that_the_shop_offers(
    shop: Bundle, selected: dict[str, Any], asked: dict[str, Any], field: str
) -> None:
    add(shop)
    select(shop, **selected)
    offer(shop, PARCEL, PARCEL._replace(id=4, active=False))
    offer(shop, CARD, CARD._replace(id=8, active=False))

    assert is_refusal(check_out(shop, **asked), 400, "validation error", field)
    assert orders(shop) == 0


def unavailable(shop: Bundle) -> None:
    shop.sell(product(active=False))


def scarce(shop: Bundle) -> None:
    shop.sell(product(stock=0))


def not_shipped(shop: Bundle) -> None:
    offer(shop, PARCEL._replace(active=False), ShippingMethod(4, "Pick-up"))


@pytest.mark.parametrize(
    ("damage", "code"),
    [(unavailable, "unavailable"), (scarce, "insufficient_stock"), (not_shipped, "shipping_unavailable")],
)
def test_customer_must_resolve_what_prevents_the_order(
    shop: Bundle, damage: Callable[[Bundle], None], code: str
) -> None:
    shop.sell(product(7))
    offer(shop, PARCEL)
    add(shop, 7)
    add(shop)
    select(shop, shipping_method=3)
    damage(shop)

    for _ in range(3):
        assert [found for found, _ in review(check_out(shop))] == [code]
    assert (orders(shop), stock(shop, 7)) == (0, 50)


def test_cart_of_unavailable_items_is_empty(shop: Bundle) -> None:
    assert is_refusal(check_out(shop), 400, "cart is empty")
    add(shop)
    unavailable(shop)

    assert is_refusal(check_out(shop), 400, "cart is empty")


def test_order_has_as_many_reserved_products_as_a_transaction_takes(shop: Bundle) -> None:
    issue(shop)
    shop.sell(product(stock=None), *(product(id_, stock=1) for id_ in range(1000, 1001 + RESERVED_PRODUCTS)))
    add(shop)
    apply_discount(shop, "SUMMER-10")
    shop.fill_cart(2 + RESERVED_PRODUCTS)

    full = check_out(shop)
    remove(shop, 1000 + RESERVED_PRODUCTS)

    assert is_refusal(full, 400, "cart is full", "items")
    assert order_of(shop, check_out(shop))["count"] == 1 + RESERVED_PRODUCTS
    assert sum(int(row.get("stock", 0)) for row in shop.rows("PRODUCT#")) == 1


def test_customer_has_few_unpaid_orders(shop: Bundle) -> None:
    row = key_attributes(keys.uses(OWNER)) | {"holds": number(CONTRACT_LIMITS.open_holds)}
    shop.put(row)
    add(shop)

    answer = check_out(shop)

    assert is_refusal(answer, 409, "too many unpaid orders", "order")
    shop.put(row | {"holds": number(CONTRACT_LIMITS.open_holds - 1)})
    assert check_out(shop).status == 200


# ----------------------------------------------------------------------------------------------------------------------
# Review
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"price": 1300}, {"discount": 0}, {"price": 1, "discount": 0}])
def test_changed_price_is_reported_once_before_it_is_paid(shop: Bundle, change: dict[str, int]) -> None:
    shown = add(shop).body
    shop.sell(product(**change))

    first = check_out(shop, total=shown["total"])

    assert review(first) == [("price_changed", shown["items"][0]["id"])]
    assert quantities(read(shop)) == {123: 1}
    order = order_of(shop, check_out(shop))
    assert order["total"] == change.get("price", 1250) - change.get("discount", 250)


def test_price_that_an_answer_reported_is_accepted(shop: Bundle) -> None:
    add(shop)
    shop.sell(product(price=1300))
    shop.clock.forward(MINUTE)
    assert warnings(read(shop))[0][0] == "price_changed"

    assert order_of(shop, check_out(shop))["total"] == 1050


def test_changed_shipping_cost_is_reported_once(shop: Bundle) -> None:
    offer(shop, PARCEL)
    add(shop)
    select(shop, shipping_method=3)
    offer(shop, PARCEL._replace(cost=590))

    assert review(check_out(shop)) == []
    assert read(shop).body["shipping_cost"] == 590
    assert order_of(shop, check_out(shop))["shipping_cost"] == 590


def test_total_of_the_request_must_be_charged(shop: Bundle) -> None:
    add(shop)

    for _ in range(2):
        answer = check_out(shop, total=999)
        assert review(answer) == []
        assert answer.body["details"]["total"] == ["the order would cost 1000"]
    assert order_of(shop, check_out(shop, total=1000))["total"] == 1000


def repriced(shop: Bundle) -> None:
    shop.sell(product(price=1300))


def dearer_to_ship(shop: Bundle) -> None:
    offer(shop, PARCEL._replace(cost=590))


@pytest.mark.parametrize("change", [repriced, dearer_to_ship])
def test_repetition_of_a_reviewed_request_accepts_nothing(shop: Bundle, change: Callable[[Bundle], None]) -> None:
    """The answer that asked for the review may have been lost."""
    offer(shop, PARCEL)
    add(shop)
    select(shop, shipping_method=3)
    change(shop)
    first = check_out(shop, once())

    again = check_out(shop, once())

    assert (first.status, again.status, first.body) == (409, 409, again.body)
    assert check_out(shop, once("another")).status == 200
    assert orders(shop) == 1


@pytest.mark.parametrize("applied", [False, True])
def test_review_whose_record_is_lost_is_still_asked_for(shop: Bundle, *, applied: bool) -> None:
    add(shop)
    repriced(shop)
    lose_once(shop, "UpdateItem", attempts=1, applied=applied)

    assert check_out(shop).status == 409
    assert orders(shop) == 0


# ----------------------------------------------------------------------------------------------------------------------
# Repetitions, versions and other requests at the same time
# ----------------------------------------------------------------------------------------------------------------------


def lose_once(shop: Bundle, operation: str, attempts: int, *, applied: bool) -> None:
    """Let all attempts of a call fail without an answer; the first may be applied."""
    made = 0

    def lose(called: str) -> None:
        nonlocal made
        made += called == operation
        if called == operation and made <= attempts and not (applied and made == 1):
            raise ReadTimeoutError(endpoint_url="http://database")

    def lose_answer(called: str) -> None:
        if called == operation and applied and made == 1:
            raise ReadTimeoutError(endpoint_url="http://database")

    shop.database.before, shop.database.after = lose, lose_answer


def test_repeated_request_is_the_same_order(shop: Bundle) -> None:
    offer(shop, CARD)
    add(shop)
    first = check_out(shop, once(), payment_method=9)
    offer(shop, CARD._replace(next_step="https://other.example/"))
    add(shop)
    shop.sell(product(price=9_999, stock=49))

    again = check_out(shop, once(), payment_method=9)

    assert is_replay(again)
    assert not is_replay(first)
    assert again.body == first.body
    assert shop.database.calls == ["BatchGetItem", "GetItem"]
    assert (orders(shop), stock(shop), quantities(read(shop))) == (1, 49, {123: 1})
    assert check_out(shop, once(), payment_method=8).status == 422


def test_key_of_a_checkout_is_remembered_through_a_clear(shop: Bundle) -> None:
    add(shop)
    first = check_out(shop, once())
    add(shop)
    clear(shop)

    assert check_out(shop, once()).body == first.body
    assert add(shop, headers=once()).status == 422


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("headers", [{}, once()], ids=["no key", "key"])
def test_checkout_without_an_answer_makes_one_order(shop: Bundle, headers: dict[str, str], *, applied: bool) -> None:
    add(shop)
    lose_once(shop, "TransactWriteItems", ATTEMPTS, applied=applied)

    answer = check_out(shop, headers)

    assert order_of(shop, answer)["quantity"] == 1
    assert (orders(shop), stock(shop)) == (1, 49)


def test_only_the_expected_version_is_ordered(shop: Bundle) -> None:
    first = add(shop)
    add(shop)

    answer = check_out(shop, {"If-Match": first.headers["ETag"]})

    assert (answer.status, answer.body) == (412, {"error": "cart has changed"})
    assert check_out(shop, {"If-Match": answer.headers["ETag"]}).status == 200


@pytest.mark.parametrize(
    "other",
    [lambda shop: add(shop, 7), lambda shop: select(shop, address=1), check_out],
    ids=["add", "select", "order"],
)
def test_cart_that_changes_meanwhile_is_read_again(shop: Bundle, other: Callable[[Bundle], Answer]) -> None:
    shop.sell(product(7))
    add(shop)
    before(shop, "TransactWriteItems", lambda: other(shop))

    answer = check_out(shop)

    assert orders(shop) == 1
    if other is check_out:
        assert is_refusal(answer, 400, "cart is empty")
    else:
        order = order_of(shop, answer)
        assert (order["count"], order["address"]) in {(2, None), (1, 1)}
    assert (stock(shop), read(shop).body["is_empty"]) == (49, True)


def test_last_unit_is_sold_once(shop: Bundle) -> None:
    shop.sell(product(stock=1))
    add(shop)
    theirs = {"customer": "customer-2"}
    shop.send("cart_items", altered(load("cart_items/post"), body={"product": 123}, authorizer=theirs))
    before(shop, "TransactWriteItems", lambda: shop.send("checkout", altered(load("checkout/post"), authorizer=theirs)))

    assert [code for code, _ in review(check_out(shop))] == ["insufficient_stock"]
    assert (orders(shop), stock(shop), quantities(read(shop))) == (1, 0, {123: 1})


@pytest.mark.parametrize("change", [{"price": 1300}, {"discount": 1}, {"active": False}])
def test_product_that_changes_meanwhile_is_not_sold(shop: Bundle, change: dict[str, Any]) -> None:
    shop.sell(product(7))
    add(shop, 7)
    add(shop)
    before(shop, "TransactWriteItems", lambda: shop.sell(product(**change)))

    assert len(review(check_out(shop))) == 1
    assert orders(shop) == 0


@pytest.mark.parametrize("terms", [{"max_uses": 1}, {"max_uses_per_customer": 1}, {}])
def test_code_is_used_as_often_as_it_may(shop: Bundle, terms: dict[str, Any]) -> None:
    issue(shop, **terms)
    add(shop)
    apply_discount(shop, "SUMMER-10")

    def use_up() -> None:
        if not terms:
            issue(shop, active=False)
        if "max_uses" in terms:
            issue(shop, uses=1, **terms)
        if "max_uses_per_customer" in terms:
            shop.put(key_attributes(keys.uses(OWNER)) | {keys.use_of("SUMMER-10"): number(1)})

    before(shop, "TransactWriteItems", use_up)

    assert review(check_out(shop)) == [("discount_unavailable", None)]
    assert orders(shop) == 0


def test_hold_of_another_request_counts(shop: Bundle) -> None:
    row = key_attributes(keys.uses(OWNER)) | {"holds": number(CONTRACT_LIMITS.open_holds)}
    add(shop)
    before(shop, "TransactWriteItems", lambda: shop.put(row))

    assert is_refusal(check_out(shop), 409, "too many unpaid orders", "order")


def test_contended_checkout_is_503_and_loses_nothing(shop: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    add(shop)
    waits: list[int] = []
    monkeypatch.setattr("serverless_cart.dynamodb.retries.wait_at_random", waits.append)
    reason = {"Code": "TransactionConflict"}
    refusal = {"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "message": "x"}

    def contend(operation: str, _asked: dict[str, Any]) -> Instead | None:
        shop.seconds_left -= 1
        return Instead(400, {**refusal, "CancellationReasons": [reason]}) if operation == "TransactWriteItems" else None

    shop.database.instead = contend

    answer = check_out(shop)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    longer = waits[1::2]
    assert longer == list(range(2, 2 + len(longer)))
    shop.database.instead = None
    shop.seconds_left = 20.0
    assert check_out(shop).status == 200


def test_prices_are_read_again_whatever_their_age(shop: Bundle) -> None:
    add(shop)
    shop.clock.forward(SECOND)
    repriced(shop)

    assert check_out(shop).status == 409
