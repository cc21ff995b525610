"""PATCH and DELETE of /api/shop/cart/items/{id}, from the gateway's event to the table and back."""

from typing import Any

import pytest

from serverless_cart.domain.public_ids import item_id
from serverless_cart.dynamodb.catalogue import product_to_item
from tests.support.builders import OWNER, product
from tests.support.bundle import Bundle
from tests.support.cart_requests import add, clear, is_refusal, quantities, read, remove, select, update_item, version
from tools.support.events import SECOND, SHOP, altered, load

MOMENT = "2025-11-21T12:34:56.789Z"
LATER = "2025-11-21T12:34:57.789Z"
NUMBER = item_id(OWNER, 123)
THREE = ["GetItem", "BatchGetItem", "UpdateItem"]
TWO = ["GetItem", "UpdateItem"]


# ----------------------------------------------------------------------------------------------------------------------
# Revising
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quantity", "notes", "calls"),
    [
        ("patch_quantity", 5, "old", THREE),
        ("patch_notes", 2, "Please pack carefully", TWO),
        ("patch_both", 5, "Please pack carefully", THREE),
        ("patch_base64_body", 2, "Bitte gut einpacken \u2013 für Zoë 🎁", TWO),
        ("patch_trailing_slash", 5, "old", THREE),
        ("patch_null_headers", 5, "old", THREE),
        ("patch_other_case_headers", 5, "old", THREE),
        ("patch_percent_encoded_id", 5, "old", THREE),
    ],
)
def test_a_revision_answers_with_the_item_at_the_lowest_number_of_calls(
    shop: Bundle, name: str, quantity: int, notes: str, calls: list[str]
) -> None:
    shop.sell(product(7))
    add(shop, quantity=2, notes="old")
    shop.clock.forward(1)
    before = add(shop, 7)
    shop.clock.forward(SECOND - 1)

    answer = shop.send("cart_items", load(f"cart_items/{name}"))

    expected = {
        "id": NUMBER,
        "ref": "REF-123",
        "product": {"id": 123, "name": "Product 123", "image": "https://img.example/123.jpg"},
        "quantity": quantity,
        "notes": notes,
        "created_at": MOMENT,
        "updated_at": LATER,
        "unit_price": 1250,
        "unit_discount": 250,
        "subtotal": 1250 * quantity,
        "discount": 250 * quantity,
        "total": 1000 * quantity,
    }
    assert (answer.status, answer.body) == (200, expected)
    assert shop.database.calls == calls
    whole = read(shop)
    assert whole.body["items"][0] == expected
    assert quantities(whole) == {123: quantity, 7: 1}, "the order and the others stay"
    assert (whole.body["created_at"], whole.body["updated_at"]) == (MOMENT, LATER)
    assert version(answer) == version(whole) > version(before)
    assert answer.headers["ETag"] != whole.headers["ETag"]


def test_the_empty_string_empties_the_notes_and_an_absent_quantity_stays(shop: Bundle) -> None:
    add(shop, quantity=2, notes="old")

    assert update_item(shop, notes="").body["notes"] == ""
    assert (update_item(shop, notes="new").body["quantity"], update_item(shop, quantity=1).body["notes"]) == (2, "new")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"product": 7}, "body"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": 10_000}, "quantity"),
        ({"quantity": "2"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"notes": None}, "notes"),
        ({"notes": "x" * 501}, "notes"),
    ],
)
def test_what_is_no_revision_is_a_validation_error_even_of_an_item_that_is_not_there(
    shop: Bundle, body: dict[str, Any], field: str
) -> None:
    event = altered(load("cart_items/patch_both"), path={"id": "404"}, body=body)

    assert is_refusal(shop.send("cart_items", event), 400, "validation error", field)
    assert shop.database.calls == []


def test_a_revision_without_a_body_is_a_validation_error(shop: Bundle) -> None:
    assert is_refusal(shop.send("cart_items", load("cart_items/patch_absent_body")), 400, "validation error", "body")


def test_a_new_quantity_is_held_against_what_the_catalogue_says_now(shop: Bundle) -> None:
    add(shop, quantity=9)
    shop.sell(product(stock=5))
    before = shop.cart_row()

    answer = update_item(shop, quantity=6)

    assert is_refusal(answer, 400, "insufficient stock", "quantity")
    assert "only 5 available" in answer.body["details"]["quantity"][0]
    assert shop.cart_row() == before
    assert update_item(shop, quantity=5).body["quantity"] == 5
    assert update_item(shop, notes="red").status == 200


def test_a_new_quantity_of_what_is_not_for_sale_is_invalid_and_new_notes_are_not(shop: Bundle) -> None:
    add(shop)
    gone = product_to_item(SHOP, product())
    for change in (
        lambda: shop.sell(product(active=False)),
        lambda: shop.client.delete_item(TableName="table", Key={"pk": gone["pk"], "sk": gone["sk"]}),
    ):
        change()
        assert is_refusal(update_item(shop, quantity=2), 400, "invalid product", "product")
        assert update_item(shop, notes="red").status == 200


def test_a_new_quantity_keeps_the_price_that_was_read_for_it_and_the_change_is_told_until_then(shop: Bundle) -> None:
    add(shop)
    shop.sell(product(price=1300))
    shop.clock.forward(SECOND)

    assert update_item(shop, quantity=2).body["unit_price"] == 1300
    assert read(shop).body["warnings"] == []
    assert shop.database.calls == ["GetItem"]


# ----------------------------------------------------------------------------------------------------------------------
# Removing
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["delete", "delete_trailing_slash", "delete_null_headers", "delete_once"])
def test_removing_answers_with_the_cart_that_is_left(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    add(shop, 7, notes="stays")
    add(shop, quantity=2, notes="goes")
    before = select(shop, address=4)
    shop.clock.forward(SECOND)

    answer = shop.send("cart_items", load(f"cart_items/{name}"))

    assert (answer.status, quantities(answer), answer.body["address"]) == (200, {7: 1}, 4)
    assert (answer.body["created_at"], answer.body["updated_at"]) == (MOMENT, LATER)
    assert (answer.body["quantity"], answer.body["total"]) == (1, 1000)
    assert shop.database.calls == TWO
    assert [attribute for attribute in shop.cart_row() if attribute.endswith("#123")] == []
    assert version(answer) > version(before)


def test_removing_the_last_item_leaves_the_cart(shop: Bundle) -> None:
    add(shop)

    answer = remove(shop)

    assert (answer.body["is_empty"], answer.body["created_at"]) == (True, MOMENT)
    assert "products" not in shop.cart_row()
    assert quantities(add(shop, quantity=3)) == {123: 3}


def test_an_item_that_is_removed_and_added_again_begins_anew(shop: Bundle) -> None:
    add(shop, quantity=5, notes="old")
    remove(shop)
    shop.clock.forward(SECOND)

    (line,) = add(shop).body["items"]

    assert (line["id"], line["quantity"], line["notes"], line["created_at"]) == (NUMBER, 1, "", LATER)


# ----------------------------------------------------------------------------------------------------------------------
# What is not there
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["patch_quantity", "patch_notes", "delete", "delete_once"])
def test_an_item_that_is_not_in_the_cart_is_not_found(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    for prepare in (lambda: None, lambda: add(shop, 7), lambda: add(shop) and remove(shop), lambda: clear(shop)):
        prepare()
        assert is_refusal(shop.send("cart_items", load(f"cart_items/{name}")), 404, "item not found")
        assert shop.database.calls == ["GetItem"]
    assert all("#123" not in attribute for attribute in shop.cart_row())


def test_another_customer_s_item_is_not_found(shop: Bundle) -> None:
    shop.send("cart_items", altered(load("cart_items/post"), authorizer={"customer": "customer-2"}))
    add(shop)
    theirs = str(item_id(OWNER._replace(customer="customer-2"), 123))

    for name in ("patch_quantity", "delete"):
        answer = shop.send("cart_items", altered(load(f"cart_items/{name}"), path={"id": theirs}))
        assert is_refusal(answer, 404, "item not found")


@pytest.mark.parametrize("name", ["patch_id_no_integer", "delete_id_no_integer"])
def test_an_id_that_is_no_integer_is_not_found(shop: Bundle, name: str) -> None:
    add(shop)
    before = shop.cart_row()

    assert is_refusal(shop.send("cart_items", load(f"cart_items/{name}")), 404, "item not found")
    assert shop.cart_row() == before


def test_a_product_s_own_number_is_no_item_s(shop: Bundle) -> None:
    add(shop)

    answer = shop.send("cart_items", altered(load("cart_items/delete"), path={"id": "123"}))

    assert is_refusal(answer, 404, "item not found")


# ----------------------------------------------------------------------------------------------------------------------
# Exactly once
# ----------------------------------------------------------------------------------------------------------------------


def test_a_repeated_revision_shows_the_item_as_it_now_stands_and_404_where_it_is_gone(shop: Bundle) -> None:
    add(shop)
    event = load("cart_items/patch_other_case_headers")
    shop.send("cart_items", event)
    add(shop, notes="since")

    again = shop.send("cart_items", event)

    assert (again.body["quantity"], again.body["notes"]) == (6, "since")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.database.calls == ["GetItem"]
    remove(shop)
    assert is_refusal(shop.send("cart_items", event), 404, "item not found")
    clear(shop)
    assert is_refusal(shop.send("cart_items", event), 404, "item not found")
    assert shop.database.calls == ["GetItem"]


def test_a_repeated_removal_does_not_remove_what_was_added_since(shop: Bundle) -> None:
    add(shop)
    event = load("cart_items/delete_once")
    assert quantities(shop.send("cart_items", event)) == {}
    add(shop, quantity=3)

    again = shop.send("cart_items", event)

    assert (quantities(again), again.headers["Idempotency-Replayed"]) == ({123: 3}, "true")


def test_a_key_belongs_to_one_item_and_to_one_way_of_changing_it(shop: Bundle) -> None:
    shop.sell(product(7))
    add(shop)
    add(shop, 7)
    once = {"Idempotency-Key": "k"}
    update_item(shop, quantity=2, headers=once)
    before = shop.cart_row()

    for answer in (
        update_item(shop, 7, quantity=2, headers=once),
        update_item(shop, quantity=3, headers=once),
        update_item(shop, quantity=2, notes="", headers=once),
        remove(shop, headers=once),
        remove(shop, 404, headers=once),
    ):
        assert is_refusal(answer, 422, "idempotency key reused")
    assert shop.cart_row() == before
