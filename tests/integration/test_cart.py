"""GET, PATCH and DELETE of /api/shop/cart, from the event to the table and back, and what all routes share."""

from typing import Any

import pytest

from serverless_cart.domain.public_ids import cart_id, item_id
from tests.support.builders import OWNER, product
from tests.support.bundle import Bundle
from tests.support.cart_requests import (
    CALLS,
    CHANGES,
    add,
    clear,
    is_refusal,
    quantities,
    read,
    remove,
    select,
    update_item,
    version,
)
from tools.support.events import DAY, HOUR, NOW, SECOND, altered, load

MOMENT = "2025-11-21T12:34:56.789Z"
LATER = "2025-11-21T12:34:57.789Z"
EMPTY: dict[str, Any] = {
    "id": cart_id(OWNER),
    "address": None,
    "shipping_method": None,
    "payment_method": None,
    "created_at": None,
    "updated_at": None,
    "count": 0,
    "quantity": 0,
    "is_empty": True,
    "items_subtotal": 0,
    "items_discount": 0,
    "subtotal": 0,
    "discount": 0,
    "total": 0,
    "items": [],
    "warnings": [],
}
every_change = pytest.mark.parametrize("kind", CHANGES)


# ----------------------------------------------------------------------------------------------------------------------
# Reading
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["get", "get_trailing_slash", "get_null_headers"])
def test_a_customer_without_a_cart_is_shown_an_empty_one_and_nothing_is_written(shop: Bundle, name: str) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.body) == (200, EMPTY)
    assert answer.headers["ETag"].startswith('"0-')
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert shop.database.calls == ["GetItem"]
    assert shop.rows("CART#") == []


@pytest.mark.parametrize("name", ["get", "get_trailing_slash", "get_null_headers"])
def test_the_cart_is_shown_as_the_last_change_answered_with_it_in_one_call(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    add(shop, 7, quantity=3, notes="red")
    added = add(shop)

    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, added.body, added.headers["ETag"])
    assert shop.database.calls == ["GetItem"]


def test_another_customer_s_cart_is_not_shown(shop: Bundle) -> None:
    add(shop)

    for who in ({"customer": "customer-2"}, {"shop": "other"}):
        answer = shop.send("cart", altered(load("cart/get"), authorizer=who))
        assert (answer.body["items"], answer.body["id"] == cart_id(OWNER)) == ([], False)


@pytest.mark.parametrize("name", ["get_if_none_match", "get_other_case_headers"])
def test_what_the_client_has_already_is_304_without_a_body(shop: Bundle, name: str) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.text) == (304, "")
    assert answer.headers["ETag"] == read(shop).headers["ETag"]
    assert answer.headers["Access-Control-Expose-Headers"]


def test_a_tag_holds_until_the_cart_or_a_price_changes(shop: Bundle) -> None:
    tag = add(shop).headers["ETag"]
    assert read(shop, If_None_Match=tag).status == 304
    assert shop.database.calls == ["GetItem"]

    shop.clock.forward(59 * SECOND)
    shop.sell(product(price=1300))
    assert read(shop, If_None_Match=tag).status == 304, "the price that was read is still young"
    shop.clock.forward(SECOND)
    dearer = read(shop, If_None_Match=tag)
    assert (dearer.status, dearer.body["total"]) == (200, 1050)
    assert version(dearer) == int(tag.strip('"').split("-")[0]), "a changed price does not change the version"

    changed = select(shop, address=4)
    assert read(shop, If_None_Match=dearer.headers["ETag"]).body == {**changed.body, "warnings": []}
    assert read(shop, If_None_Match="*").status == 304


def test_reading_costs_one_call_more_when_prices_have_aged_and_writes_nothing(shop: Bundle) -> None:
    shop.sell(product(7), product(8))
    for number in (7, 8, 123):
        add(shop, number)
    before = shop.cart_row()

    for age, reads in ((60 * SECOND - 1, []), (1, ["BatchGetItem"]), (DAY, ["BatchGetItem"])):
        shop.clock.forward(age)
        read(shop)
        assert shop.database.calls == ["GetItem", *reads]
    assert shop.cart_row() == before


def test_a_hundred_aged_prices_are_read_in_one_call(shop: Bundle) -> None:
    add(shop)
    shop.fill_cart(100)
    shop.sell(*(product(number, price=5, discount=0) for number in range(1000, 1099)))
    shop.clock.forward(HOUR)

    answer = read(shop)

    assert shop.database.calls == ["GetItem", "BatchGetItem"]
    assert (answer.body["count"], answer.body["items_subtotal"]) == (100, 1250 + 99 * 5)


def test_a_changed_price_is_told_by_every_reading_until_a_change_has_kept_it(shop: Bundle) -> None:
    add(shop)
    shop.sell(product(price=1300))
    shop.clock.forward(60 * SECOND)

    for answer in (read(shop), read(shop), select(shop, address=4)):
        (warning,) = answer.body["warnings"]
        assert (warning["code"], warning["item"]) == ("price_changed", item_id(OWNER, 123))
        assert "from 1250 to 1300" in warning["message"]
        assert answer.body["items"][0]["unit_price"] == 1300
    assert read(shop).body["warnings"] == []
    assert shop.database.calls == ["GetItem"], "the change kept the fresh reading"


def test_what_is_gone_or_scarce_is_told_by_a_reading_too(shop: Bundle) -> None:
    shop.sell(product(7))
    add(shop, 7, quantity=3)
    add(shop, quantity=2)
    shop.sell(product(7, stock=1), product(123, active=False))
    shop.clock.forward(60 * SECOND)

    answer = read(shop)

    assert {warning["code"]: warning["item"] for warning in answer.body["warnings"]} == {
        "insufficient_stock": item_id(OWNER, 7),
        "unavailable": item_id(OWNER, 123),
    }
    assert (answer.body["quantity"], answer.body["total"]) == (5, 3000)


# ----------------------------------------------------------------------------------------------------------------------
# Selecting
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "selected"),
    [
        ("patch", (41, 3, 7)),
        ("patch_base64_body", (None, 3, None)),
        ("patch_trailing_slash", (41, None, None)),
        ("patch_null_headers", (41, None, None)),
        ("patch_once_on_version", (41, 3, 7)),
        ("patch_clears", (None, None, 8)),
    ],
)
def test_selecting_makes_a_cart_in_one_read_and_one_write(
    shop: Bundle, name: str, selected: tuple[int | None, ...]
) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    names = ("address", "shipping_method", "payment_method")
    expected = {**EMPTY, **dict(zip(names, selected, strict=True)), "created_at": MOMENT, "updated_at": MOMENT}
    assert (answer.status, answer.body) == (200, expected)
    assert shop.database.calls == ["GetItem", "UpdateItem"]
    assert read(shop).body == expected


def test_null_clears_a_selection_and_an_absent_one_stays(shop: Bundle) -> None:
    add(shop, quantity=2)
    shop.send("cart", load("cart/patch"))
    shop.clock.forward(SECOND)

    answer = shop.send("cart", load("cart/patch_clears"))

    told = [answer.body[name] for name in ("address", "shipping_method", "payment_method")]
    assert told == [None, 3, 8]
    assert "address" not in shop.cart_row()
    assert (answer.body["created_at"], answer.body["updated_at"]) == (MOMENT, LATER)
    assert quantities(answer) == {123: 2}


def test_a_selection_may_be_any_integer_that_a_browser_reads(shop: Bundle) -> None:
    assert select(shop, address=0, payment_method=2**53 - 1).body["payment_method"] == 2**53 - 1
    assert is_refusal(select(shop, address=2**53), 400, "validation error", "address")
    assert is_refusal(select(shop, address="1"), 400, "validation error", "address")
    assert shop.database.calls == []
    assert read(shop).body["address"] == 0


def test_a_selection_without_a_body_is_a_validation_error(shop: Bundle) -> None:
    assert is_refusal(shop.send("cart", load("cart/patch_absent_body")), 400, "validation error", "body")
    assert shop.database.calls == []


# ----------------------------------------------------------------------------------------------------------------------
# Emptying
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["delete", "delete_trailing_slash", "delete_null_headers", "delete_once"])
def test_emptying_keeps_the_cart_s_id_its_creation_and_its_selections(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    add(shop, notes="red")
    add(shop, 7)
    before = select(shop, address=4, payment_method=9)
    shop.clock.forward(SECOND)

    answer = shop.send("cart", load(f"cart/{name}"))

    kept = {"address": 4, "payment_method": 9, "created_at": MOMENT, "updated_at": LATER}
    assert (answer.status, answer.body) == (200, EMPTY | kept)
    assert shop.database.calls == ["GetItem", "UpdateItem"]
    assert version(answer) > version(before)
    row = shop.cart_row()
    assert [name for name in row if "#" in name and not name.startswith("key#")] == []
    assert "products" not in row
    assert read(shop).body == answer.body


@pytest.mark.parametrize("name", ["delete", "delete_once"])
def test_emptying_where_there_is_no_cart_writes_nothing(shop: Bundle, name: str) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.body) == (200, EMPTY)
    assert shop.database.calls == ["GetItem"]
    assert shop.rows("CART#") == []


def test_emptying_an_empty_cart_succeeds_and_it_fills_again(shop: Bundle) -> None:
    add(shop)
    assert remove(shop).body["is_empty"]
    assert clear(shop).status == clear(shop).status == 200

    assert quantities(add(shop, quantity=3)) == {123: 3}


def test_a_key_is_remembered_through_an_emptying(shop: Bundle) -> None:
    once = {"Idempotency-Key": "k"}
    add(shop, headers=once)
    clear(shop, {"Idempotency-Key": "c"})

    again = add(shop, headers=once)

    assert (quantities(again), again.headers["Idempotency-Replayed"]) == ({}, "true")
    assert is_refusal(select(shop, once, address=1), 422, "idempotency key reused")
    assert clear(shop, {"Idempotency-Key": "c"}).headers["Idempotency-Replayed"] == "true"


# ----------------------------------------------------------------------------------------------------------------------
# What all routes share
# ----------------------------------------------------------------------------------------------------------------------


@every_change
def test_every_change_is_one_write_and_as_few_reads_as_can_tell(shop: Bundle, kind: str) -> None:
    add(shop)

    assert CHANGES[kind](shop).status == 200
    assert shop.database.calls == CALLS[kind]


@pytest.mark.parametrize("kind", ["add", "remove", "select"])
def test_aged_prices_cost_every_change_one_more_read_at_most_and_are_kept_by_it(shop: Bundle, kind: str) -> None:
    shop.sell(product(7), product(8))
    for number in (7, 8, 123):
        add(shop, number)
    shop.sell(product(7, price=1300))
    shop.clock.forward(HOUR)

    answer = CHANGES[kind](shop)

    reads = {"add": ["BatchGetItem"] * 2}.get(kind, ["GetItem", "BatchGetItem"])
    assert shop.database.calls == [*reads, "UpdateItem"]
    row = shop.cart_row()
    assert row["snap#7"].startswith(f"{NOW + HOUR} ")
    assert "1300,250," in row["snap#7"]
    assert len(answer.body["warnings"]) == 1
    assert read(shop).body["warnings"] == []
    assert shop.database.calls == ["GetItem"]


@pytest.mark.parametrize("kind", ["update quantity", "update notes"])
def test_revising_an_item_keeps_no_price_of_which_its_answer_does_not_warn(shop: Bundle, kind: str) -> None:
    shop.sell(product(7), product(8))
    for number in (7, 8, 123):
        add(shop, number)
    shop.sell(product(7, price=1300))
    shop.clock.forward(HOUR)

    CHANGES[kind](shop)

    assert shop.database.calls == ["GetItem", "BatchGetItem", "UpdateItem"]
    row = shop.cart_row()
    assert row["snap#8"].startswith(f"{NOW + HOUR} "), "the price that stayed is kept"
    assert row["snap#7"].startswith(f"{NOW} ")
    (warning,) = read(shop).body["warnings"]
    assert warning["code"] == "price_changed"


@every_change
def test_an_older_reading_of_the_catalogue_never_overwrites_a_newer_one(shop: Bundle, kind: str) -> None:
    add(shop)
    shop.sell(product(price=9, discount=0))
    shop.clock.forward(-10 * SECOND)  # another function's clock, which is late

    assert CHANGES[kind](shop).status == 200

    row = shop.cart_row()
    assert kind in ("remove", "clear") or row["snap#123"].startswith(f"{NOW} ")


@every_change
def test_an_expired_cart_is_absent_on_every_route(shop: Bundle, kind: str) -> None:
    add(shop, notes="old", headers={"Idempotency-Key": "k"})
    old = select(shop, shipping_method=3)
    shop.clock.forward(30 * DAY - SECOND)
    assert read(shop).body["shipping_method"] == 3
    shop.clock.forward(SECOND)
    before = shop.cart_row()

    assert read(shop).body == EMPTY
    answer = CHANGES[kind](shop, {"Idempotency-Key": "k"})

    if kind in ("add", "select"):
        assert shop.database.calls[-1] == "PutItem"
        assert (answer.body["created_at"], answer.body["shipping_method"]) == ("2025-12-21T12:34:56.789Z", None)
        assert quantities(answer) == ({123: 1} if kind == "add" else {})
        assert "Idempotency-Replayed" not in answer.headers
        assert version(answer) > version(old)
        assert CHANGES[kind](shop, {"Idempotency-Key": "k"}).headers["Idempotency-Replayed"] == "true"
        return
    assert shop.database.calls == ["GetItem"]
    assert shop.cart_row() == before
    assert answer.body == EMPTY if kind == "clear" else is_refusal(answer, 404, "item not found")


@every_change
def test_a_repeated_key_is_not_applied_again_on_any_route(shop: Bundle, kind: str) -> None:
    once = {"Idempotency-Key": "k"}
    shop.sell(product(7))
    add(shop, quantity=2)
    first = CHANGES[kind](shop, once)
    before = shop.cart_row()

    again = CHANGES[kind](shop, once)

    assert "Idempotency-Replayed" not in first.headers
    if kind != "remove":
        assert (again.status, again.body, again.headers["ETag"]) == (200, first.body, first.headers["ETag"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(shop.database.calls) == 1
    assert CHANGES[kind](shop, {**once, "If-Match": '"1-0"'}).headers["Idempotency-Replayed"] == "true"
    assert is_refusal(add(shop, 7, headers={**once, "If-Match": '"1-0"'}), 422, "idempotency key reused")
    assert shop.cart_row() == before


def test_a_cart_remembers_its_last_32_keys_whatever_they_were_used_for(shop: Bundle) -> None:
    in_turn = ["add", "update quantity", "update notes", "remove", "select", "clear"]
    for number in range(33):
        shop.clock.forward(1)
        assert CHANGES[in_turn[number % 6]](shop, {"Idempotency-Key": f"key-{number}"}).status == 200

    assert sum(name.startswith("key#") for name in shop.cart_row()) == 32
    for number in (32, 4, 5):
        again = CHANGES[in_turn[number % 6]](shop, {"Idempotency-Key": f"key-{number}"})
        assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in CHANGES["add"](shop, {"Idempotency-Key": "key-0"}).headers, "forgotten"


@every_change
def test_a_key_is_remembered_for_24_hours_on_every_route(shop: Bundle, kind: str) -> None:
    once = {"Idempotency-Key": "k"}
    add(shop)
    CHANGES[kind](shop, once)
    shop.clock.forward(DAY - 1)
    assert CHANGES[kind](shop, once).headers["Idempotency-Replayed"] == "true"
    shop.clock.forward(1)

    assert is_refusal(add(shop, 404, headers=once), 400, "invalid product", "product"), "the key is free again"
    assert "Idempotency-Replayed" not in select(shop, once, address=1).headers


@every_change
def test_a_change_on_another_version_is_412_with_the_current_tag_on_every_route(shop: Bundle, kind: str) -> None:
    current = add(shop)
    before = shop.cart_row()

    answer = CHANGES[kind](shop, {"If-Match": '"1-0"'})

    assert is_refusal(answer, 412, "cart has changed")
    assert answer.headers["ETag"] == current.headers["ETag"]
    assert shop.cart_row() == before
    done = CHANGES[kind](shop, {"If-Match": answer.headers["ETag"]})
    assert (done.status, version(done) > version(current)) == (200, True)
    assert shop.database.calls == CALLS[kind]


def test_an_item_s_own_tag_names_the_cart_s_version(shop: Bundle) -> None:
    add(shop)
    tag = update_item(shop, notes="red").headers["ETag"]

    assert remove(shop, headers={"If-Match": tag}).status == 200
    assert is_refusal(clear(shop, {"If-Match": tag}), 412, "cart has changed")


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"authorizer": None}, 401, "authentication required"),
    ({"authorizer": {"kind": "api_key"}}, 401, "authentication required"),
    ({"address": "203.0.113.9"}, 403, "banned ip"),
    ({"authorizer": {"allowed_origins": "https://a.example"}}, 403, "origin not allowed"),
    ({"method": "POST"}, 404, "not found"),
    ({"body": "x" * (2**20 + 1)}, 413, "request too large"),
]


@pytest.mark.parametrize(
    "event", ["cart/get", "cart/patch", "cart/delete", "cart_items/patch_both", "cart_items/delete"]
)
def test_a_request_that_the_edge_refuses_reaches_no_table(shop: Bundle, event: str) -> None:
    for changes, status, error in REFUSALS:
        answer = shop.send(event.partition("/")[0], altered(load(event), **changes))

        assert is_refusal(answer, status, error)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert shop.database.calls == []


def test_emptying_an_aged_cart_reads_no_prices_that_it_would_throw_away(shop: Bundle) -> None:
    add(shop)
    shop.clock.forward(HOUR)

    assert clear(shop).body["is_empty"]

    assert shop.database.calls == ["GetItem", "UpdateItem"]
