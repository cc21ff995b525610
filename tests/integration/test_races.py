"""Two requests for one cart, the second between the first one's reading and its write: nothing is lost or exceeded.

One interleaving each, in one thread: that the conditions say what they must. That the engine keeps them under parallel
requests is proven elsewhere, on the engine itself.
"""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from serverless_cart.domain.public_ids import item_id
from tests.support import cart_requests as customer
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle
from tests.support.cart_requests import CALLS, CHANGES, quantities
from tools.support.events import DAY, HOUR, SECOND, altered, load


def add(bundle: Bundle, number: int = 123, quantity: int = 1, **headers: str) -> Answer:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"product": number, "quantity": quantity}
    return bundle.send("cart_items", altered(load("cart_items/post"), body=body, headers=spelled))


def stats(bundle: Bundle, name: str, amount: int = 1) -> Answer:
    body = {"id": "MUG-7", "index": "product", "title": "Enamel mug", "amount": amount}
    return bundle.send("stats_cart", altered(load(f"stats_cart/{name}"), body=body))


def before(bundle: Bundle, operation: str, do: Callable[[], object]) -> None:
    """Do so once, before the next call of an operation reaches the table."""

    def hook(called: str) -> None:
        if called == operation:
            bundle.database.before = None
            do()

    bundle.database.before = hook


def told(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.body.get("error")


@pytest.mark.parametrize("held", [0, 1])
def test_parallel_additions_of_one_product_are_both_there_and_neither_waits(shop: Bundle, held: int) -> None:
    for _ in range(held):
        add(shop)
    before(shop, "UpdateItem", lambda: add(shop, quantity=2))

    answer = add(shop, quantity=3)

    assert quantities(answer) == {123: held + 5}
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"], "the other's alone: this one did not try again"


def test_parallel_additions_do_not_contend_over_when_the_catalogue_was_read(shop: Bundle) -> None:
    add(shop)
    shop.clock.forward(SECOND)

    def another_that_read_later() -> None:
        shop.clock.forward(1)
        add(shop)

    before(shop, "UpdateItem", another_that_read_later)

    assert quantities(add(shop)) == {123: 3}
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"], "the other's alone"


def test_parallel_first_additions_of_different_products_are_both_there(shop: Bundle) -> None:
    shop.sell(product(7))
    before(shop, "UpdateItem", lambda: add(shop, 7))

    assert quantities(add(shop)) == {7: 1, 123: 1}


def test_the_last_in_stock_goes_to_one_of_two(shop: Bundle) -> None:
    shop.sell(product(7, stock=3))
    add(shop, 7, quantity=2)
    before(shop, "UpdateItem", lambda: add(shop, 7))

    assert told(add(shop, 7)) == (400, "insufficient stock")
    assert shop.cart_row()["qty#7"] == "3"


def test_the_last_place_in_a_cart_goes_to_one_of_two(shop: Bundle) -> None:
    shop.sell(product(7), product(8))
    add(shop)
    shop.fill_cart(99)
    before(shop, "UpdateItem", lambda: add(shop, 7))

    assert told(add(shop, 8)) == (400, "cart is full")
    assert len(shop.cart_row()["products"]) == 100


def test_an_item_s_quantity_never_passes_its_limit(shop: Bundle) -> None:
    shop.sell(product(7, stock=None))
    add(shop, 7, quantity=9998)
    before(shop, "UpdateItem", lambda: add(shop, 7))

    assert told(add(shop, 7)) == (400, "cart is full")
    assert shop.cart_row()["qty#7"] == "9999"


@pytest.mark.parametrize("held", [0, 1])
def test_of_two_changes_on_one_version_one_is_made(shop: Bundle, held: int) -> None:
    shop.sell(product(7))
    for _ in range(held):
        add(shop, 7)
    tag = add(shop, If_Match='"1-0"').headers["ETag"]
    before(shop, "UpdateItem", lambda: add(shop, 7, If_Match=tag))

    answer = add(shop, If_Match=tag)

    assert told(answer) == (412, "cart has changed")
    assert shop.cart_row()["products"] == ["7"]
    assert add(shop, If_Match=answer.headers["ETag"]).status == 200


@pytest.mark.parametrize("held", [0, 1])
def test_of_two_requests_with_one_key_one_is_applied(shop: Bundle, held: int) -> None:
    for _ in range(held):
        add(shop)
    before(shop, "UpdateItem", lambda: add(shop, quantity=2, Idempotency_Key="k"))

    answer = add(shop, quantity=2, Idempotency_Key="k")

    assert quantities(answer) == {123: held + 2}
    assert answer.headers["Idempotency-Replayed"] == "true"


def test_of_two_different_requests_with_one_key_one_is_422(shop: Bundle) -> None:
    before(shop, "UpdateItem", lambda: add(shop, quantity=2, Idempotency_Key="k"))

    assert told(add(shop, quantity=3, Idempotency_Key="k")) == (422, "idempotency key reused")
    assert shop.cart_row()["qty#123"] == "2"


def test_of_two_requests_with_one_key_that_had_been_forgotten_one_is_applied(shop: Bundle) -> None:
    add(shop, Idempotency_Key="k")
    shop.clock.forward(DAY)
    before(shop, "UpdateItem", lambda: add(shop, quantity=2, Idempotency_Key="k"))

    answer = add(shop, quantity=2, Idempotency_Key="k")

    assert quantities(answer) == {123: 3}
    assert answer.headers["Idempotency-Replayed"] == "true"


def test_a_fresh_price_that_another_request_kept_first_is_not_overwritten_and_still_told(shop: Bundle) -> None:
    shop.sell(product(7, price=100, discount=0), product(8))
    add(shop, 7)
    shop.sell(product(7, price=120, discount=0))
    shop.clock.forward(HOUR)

    def another_with_a_newer_price() -> None:
        shop.clock.forward(1)
        shop.sell(product(7, price=130, discount=0))
        add(shop, 8)

    before(shop, "UpdateItem", another_with_a_newer_price)
    answer = add(shop)

    assert quantities(answer) == {7: 1, 8: 1, 123: 1}
    assert answer.body["items"][0]["unit_price"] == 130
    (warning,) = answer.body["warnings"]
    assert (warning["code"], warning["item"]) == ("price_changed", item_id(OWNER, 7))
    assert "from 100 to 130" in warning["message"]
    assert "130,0," in shop.cart_row()["snap#7"]


@pytest.mark.parametrize("operation", ["PutItem", "BatchGetItem"])
def test_an_expired_cart_is_replaced_by_one_of_two_and_joined_by_the_other(shop: Bundle, operation: str) -> None:
    shop.sell(product(7), product(8))
    add(shop, 8)
    shop.clock.forward(30 * DAY)
    before(shop, operation, lambda: add(shop, 7))

    assert quantities(add(shop)) == {7: 1, 123: 1}


def test_a_cart_that_expires_between_reading_and_writing_is_replaced(shop: Bundle) -> None:
    """The write's own second counts: it may well be later than the reading's."""
    shop.sell(product(7))
    add(shop, 7)
    shop.clock.forward(30 * DAY - 1)
    before(shop, "BatchGetItem", lambda: shop.clock.forward(SECOND))

    assert quantities(add(shop)) == {123: 1}


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "lost"])
def test_replacing_an_expired_cart_with_a_key_happens_once_though_its_answer_is_lost(
    shop: Bundle, *, applied: bool
) -> None:
    add(shop)
    shop.clock.forward(30 * DAY)

    def lose(operation: str) -> None:
        if operation == "PutItem":
            shop.database.before = shop.database.after = None
            raise ReadTimeoutError(endpoint_url="http://database")

    if applied:
        shop.database.after = lose
    else:
        shop.database.before = lose

    assert quantities(add(shop, quantity=2, Idempotency_Key="k")) == {123: 2}


# ----------------------------------------------------------------------------------------------------------------------
# Every other change
# ----------------------------------------------------------------------------------------------------------------------

every_change = pytest.mark.parametrize("kind", CHANGES)
OTHERS: dict[str, list[str]] = {
    "add": [],
    "update quantity": ["remove", "clear"],
    "update notes": ["remove", "clear"],
    "remove": ["remove", "clear"],
    "select": [],
    "clear": [],
}


@pytest.mark.parametrize(("kind", "other"), [(kind, other) for kind, others in OTHERS.items() for other in others])
def test_an_item_that_is_removed_between_reading_and_writing_is_404_and_stays_away(
    shop: Bundle, kind: str, other: str
) -> None:
    """Never a resurrected line."""
    shop.sell(product(7))
    add(shop, 7)
    add(shop)
    before(shop, "UpdateItem", lambda: CHANGES[other](shop))

    assert told(CHANGES[kind](shop)) == (404, "item not found")

    row = shop.cart_row()
    assert row.get("products") == (["7"] if other == "remove" else None)
    assert [name for name in row if name.endswith("#123")] == []


def test_a_cart_that_another_adds_to_while_it_is_emptied_is_empty_in_the_end(shop: Bundle) -> None:
    shop.sell(product(7))
    add(shop)
    before(shop, "UpdateItem", lambda: add(shop, 7))

    assert quantities(customer.clear(shop)) == {}
    row = shop.cart_row()
    assert [name for name in row if "#" in name] == []
    assert "products" not in row


def test_a_revision_meanwhile_stands_in_no_emptying_s_way(shop: Bundle) -> None:
    add(shop)
    before(shop, "UpdateItem", lambda: customer.select(shop, address=4))

    answer = customer.clear(shop)

    assert (quantities(answer), answer.body["address"]) == ({}, 4)
    assert shop.database.calls == CALLS["select"], "the other's alone: this one did not try again"


@pytest.mark.parametrize("expired", [False, True])
def test_parallel_selections_that_make_the_cart_are_both_there(shop: Bundle, *, expired: bool) -> None:
    if expired:
        add(shop)
        shop.clock.forward(30 * DAY)
    before(shop, "PutItem" if expired else "UpdateItem", lambda: customer.select(shop, address=4))

    answer = customer.select(shop, payment_method=9)

    assert (answer.body["address"], answer.body["payment_method"], quantities(answer)) == (4, 9, {})


@every_change
def test_of_two_requests_with_one_key_at_once_one_is_applied_on_every_route(shop: Bundle, kind: str) -> None:
    once = {"Idempotency-Key": "k"}
    version = customer.version(add(shop))
    before(shop, "UpdateItem", lambda: CHANGES[kind](shop, once))

    answer = CHANGES[kind](shop, once)

    assert (answer.status, answer.headers["Idempotency-Replayed"]) == (200, "true")
    assert customer.version(answer) == version + 1


@every_change
def test_of_two_changes_on_one_version_one_is_made_on_every_route(shop: Bundle, kind: str) -> None:
    tag = add(shop, quantity=2).headers["ETag"]
    before(shop, "UpdateItem", lambda: customer.select(shop, {"If-Match": tag}, address=4))

    answer = CHANGES[kind](shop, {"If-Match": tag})

    assert told(answer) == (412, "cart has changed")
    assert answer.headers["ETag"] == customer.read(shop).headers["ETag"]
    assert quantities(customer.read(shop)) == {123: 2}


@every_change
def test_a_fresh_price_that_another_kept_first_is_not_overwritten_by_any_change(shop: Bundle, kind: str) -> None:
    shop.sell(product(7, price=100, discount=0))
    add(shop, 7)
    add(shop)
    shop.sell(product(7, price=120, discount=0))
    shop.clock.forward(HOUR)

    def another_with_a_newer_price() -> None:
        shop.clock.forward(1)
        shop.sell(product(7, price=130, discount=0))
        customer.select(shop, address=4)

    before(shop, "UpdateItem", another_with_a_newer_price)

    assert CHANGES[kind](shop).status == 200
    if kind != "clear":
        assert "130,0," in shop.cart_row()["snap#7"]
        assert {line["product"]["id"]: line["unit_price"] for line in customer.read(shop).body["items"]}[7] == 130


# ----------------------------------------------------------------------------------------------------------------------
# Search sessions
# ----------------------------------------------------------------------------------------------------------------------


def amounts(bundle: Bundle) -> list[tuple[str, str]]:
    return [(row["amount"], row["clicks"]) for row in bundle.rows("SESSION#")]


@pytest.mark.parametrize("held", [0, 1])
def test_parallel_events_of_one_item_are_both_counted(bundle: Bundle, held: int) -> None:
    for _ in range(held):
        stats(bundle, "put_body")
    before(bundle, "UpdateItem", lambda: stats(bundle, "put_body", 2))
    stats(bundle, "put_body", 3)

    assert amounts(bundle) == [(str(held + 5), str(held + 2))]


def test_an_item_that_is_put_while_it_is_taken_away_stays(bundle: Bundle) -> None:
    stats(bundle, "put_body", 2)
    before(bundle, "DeleteItem", lambda: stats(bundle, "put_body", 5))
    stats(bundle, "patch", 3)

    assert amounts(bundle) == [("4", "2")]


def test_an_item_that_leaves_while_it_is_taken_away_stays_away(bundle: Bundle) -> None:
    stats(bundle, "put_body", 2)
    before(bundle, "DeleteItem", lambda: stats(bundle, "patch", 2))

    assert stats(bundle, "patch", 2).status == 200
    assert amounts(bundle) == []


def test_an_expired_item_is_replaced_by_one_of_two_and_the_other_adds_to_it(bundle: Bundle) -> None:
    stats(bundle, "put_body", 9)
    bundle.clock.forward(DAY)
    before(bundle, "UpdateItem", lambda: before(bundle, "UpdateItem", lambda: stats(bundle, "put_body", 2)))
    stats(bundle, "put_body", 3)

    assert amounts(bundle) == [("5", "2")]
