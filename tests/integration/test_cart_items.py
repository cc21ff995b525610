"""POST, PATCH and DELETE of /api/shop/cart/items, from the gateway's event to the table and back."""

from typing import Any

import pytest

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.public_ids import cart_id, item_id
from tests.support.builders import OWNER, product
from tests.support.bundle import Bundle
from tests.support.cart_requests import (
    add,
    clear,
    is_refusal,
    once,
    quantities,
    read,
    remove,
    select,
    update_item,
    version,
)
from tools.support.events import SECOND, SHOP, altered, load

MOMENT = "2025-11-21T12:34:56.789Z"
LATER = "2025-11-21T12:34:57.789Z"
GERMAN_NOTES = "Bitte gut einpacken \u2013 für Zoë 🎁"
ITEM = item_id(OWNER, 123)
THREE = ["GetItem", "BatchGetItem", "UpdateItem"]
TWO = ["GetItem", "UpdateItem"]


def item_json(quantity: int, notes: str, updated_at: str) -> dict[str, Any]:
    """Return the item of the seed request's product."""
    return {
        "id": ITEM,
        "ref": "REF-123",
        "product": {"id": 123, "name": "Product 123", "image": "https://img.example/123.jpg"},
        "quantity": quantity,
        "notes": notes,
        "created_at": MOMENT,
        "updated_at": updated_at,
        "unit_price": 1250,
        "unit_discount": 250,
        "subtotal": 1250 * quantity,
        "discount": 250 * quantity,
        "total": 1000 * quantity,
    }


# ----------------------------------------------------------------------------------------------------------------------
# POST
# ----------------------------------------------------------------------------------------------------------------------


def test_seed_request_answers_the_priced_cart(shop: Bundle) -> None:
    answer = shop.send("cart_items", load("cart_items/post"))

    assert answer.status == 200
    assert answer.body == {
        "id": cart_id(OWNER),
        "address": None,
        "shipping_method": None,
        "payment_method": None,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "count": 1,
        "quantity": 2,
        "is_empty": False,
        "items_subtotal": 2500,
        "items_discount": 500,
        "subtotal": 2000,
        "discount": 0,
        "shipping_cost": 0,
        "total": 2000,
        "currency": "EUR",
        "discount_code": None,
        "items": [item_json(2, "Please pack carefully", MOMENT)],
        "warnings": [],
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Idempotency-Replayed" not in answer.headers


@pytest.mark.parametrize(
    ("name", "quantity", "notes"),
    [
        ("post", 2, "Please pack carefully"),
        ("post_base64_body", 2, GERMAN_NOTES),
        ("post_null_headers", 2, "Please pack carefully"),
        ("post_once_on_version", 2, "Please pack carefully"),
        ("post_other_case_headers", 2, "Please pack carefully"),
        ("post_trailing_slash", 1, ""),
    ],
)
def test_add_is_one_read_and_one_write(shop: Bundle, name: str, quantity: int, notes: str) -> None:
    answer = shop.send("cart_items", load(f"cart_items/{name}"))

    assert answer.status == 200
    assert answer.body["items"] == [item_json(quantity, notes, MOMENT)]
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]


def test_add_again_increases_the_quantity(shop: Bundle) -> None:
    add(shop, quantity=2)
    shop.clock.forward(SECOND)

    answer = add(shop, quantity=3)

    assert answer.body["items"] == [item_json(5, "", LATER)]
    assert (answer.body["count"], answer.body["created_at"], answer.body["updated_at"]) == (1, MOMENT, LATER)
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]


def test_add_replaces_given_notes_and_keeps_absent(shop: Bundle) -> None:
    given: list[dict[str, Any]] = [{}, {"notes": "red"}, {}, {"notes": "blue"}, {"notes": ""}, {}]

    notes = [add(shop, **body).body["items"][0]["notes"] for body in given]

    assert notes == ["", "red", "red", "blue", "", ""]


@pytest.mark.parametrize("notes", ["🛒" * 500, "a\tb\nc", "a\0b", '"<&\\'], ids=ascii)
def test_notes_are_stored_unchanged(shop: Bundle, notes: str) -> None:
    assert add(shop, notes=notes).body["items"][0]["notes"] == notes
    assert update_item(shop, notes=notes[::-1]).body["items"][0]["notes"] == notes[::-1]
    assert read(shop).body["items"][0]["notes"] == notes[::-1]


def test_product_without_image_has_null(shop: Bundle) -> None:
    shop.sell(product(image=None))

    assert add(shop).body["items"][0]["product"]["image"] is None


def test_carts_of_other_customers_are_separate(shop: Bundle) -> None:
    shop.sell(product(), shop="other")
    add(shop, quantity=2, headers=once())
    mine = add(shop)
    others = [
        shop.send("cart_items", altered(load("cart_items/post"), authorizer=who, headers=once()))
        for who in ({"customer": "customer-2"}, {"shop": "other"}, {"customer": "customer-1#CART"})
    ]

    assert quantities(mine) == {123: 3}
    assert [quantities(other) for other in others] == [{123: 2}] * 3
    assert len({answer.body["id"] for answer in [mine, *others]}) == 4
    assert len({answer.body["items"][0]["id"] for answer in [mine, *others]}) == 4
    assert len(shop.rows("CART#")) == 4


def test_customer_name_may_hold_any_character(shop: Bundle) -> None:
    owner = Owner(SHOP, "a#b*c%20 ü 🎁")
    answer = shop.send("cart_items", altered(load("cart_items/post"), authorizer={"customer": owner.customer}))

    assert answer.body["id"] == cart_id(owner)
    assert shop.cart_row(owner)["pk"].count("#") == 2


# ----------------------------------------------------------------------------------------------------------------------
# GET
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"slash": True}, {"headers": None}])
def test_item_is_read_in_one_call(shop: Bundle, changes: dict[str, Any]) -> None:
    shop.sell(product(7))
    add(shop, 7)
    add(shop, quantity=2, notes="old")
    rows = shop.rows()

    answer = shop.send("cart_items", altered(load("cart_items/get"), **changes))

    assert (answer.status, answer.body) == (200, item_json(2, "old", MOMENT))
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "ETag" not in answer.headers
    assert shop.database.calls == ["GetItem"]
    assert shop.rows() == rows


# ----------------------------------------------------------------------------------------------------------------------
# PATCH
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quantity", "notes", "calls"),
    [
        ("patch", 5, "old", THREE),
        ("patch_notes", 2, "Please pack carefully", TWO),
        ("patch_both", 5, "Please pack carefully", THREE),
        ("patch_base64_body", 2, GERMAN_NOTES, TWO),
        ("patch_trailing_slash", 5, "old", THREE),
        ("patch_null_headers", 5, "old", THREE),
        ("patch_other_case_headers", 5, "old", THREE),
        ("patch_percent_encoded_id", 5, "old", THREE),
    ],
)
def test_update_answers_the_cart_in_the_fewest_calls(
    shop: Bundle, name: str, quantity: int, notes: str, calls: list[str]
) -> None:
    shop.sell(product(7))
    add(shop, quantity=2, notes="old")
    shop.clock.forward(1)
    before = add(shop, 7)
    shop.clock.forward(SECOND - 1)

    answer = shop.send("cart_items", load(f"cart_items/{name}"))

    assert answer.status == 200
    assert shop.database.calls == calls
    assert answer.body == before.body | {
        "updated_at": LATER,
        "quantity": quantity + 1,
        "items_subtotal": 1250 * (quantity + 1),
        "items_discount": 250 * (quantity + 1),
        "subtotal": 1000 * (quantity + 1),
        "total": 1000 * (quantity + 1),
        "items": [item_json(quantity, notes, LATER), before.body["items"][1]],
    }
    assert version(answer) > version(before)
    assert read(shop) == answer


# ----------------------------------------------------------------------------------------------------------------------
# DELETE
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["delete", "delete_trailing_slash", "delete_null_headers", "delete_once"])
def test_remove_answers_the_remaining_cart(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    add(shop, 7, notes="stays")
    add(shop, quantity=2, notes="goes")
    before = select(shop, address=4)
    shop.clock.forward(SECOND)

    answer = shop.send("cart_items", load(f"cart_items/{name}"))

    assert (answer.status, quantities(answer), answer.body["address"]) == (200, {7: 1}, 4)
    assert (answer.body["created_at"], answer.body["updated_at"]) == (MOMENT, LATER)
    assert answer.body["items"] == before.body["items"][:1]
    assert (answer.body["count"], answer.body["quantity"], answer.body["total"]) == (1, 1, 1000)
    assert shop.database.calls == TWO
    assert [attribute for attribute in shop.cart_row() if attribute.endswith("#123")] == []
    assert version(answer) > version(before)


def test_remove_of_the_last_item_keeps_the_cart(shop: Bundle) -> None:
    add(shop, quantity=5, notes="old")
    select(shop, address=7)

    cart = remove(shop).body

    assert (cart["is_empty"], cart["created_at"], cart["address"], cart["total"]) == (True, MOMENT, 7, 0)
    assert "products" not in shop.cart_row()
    shop.clock.forward(SECOND)
    assert add(shop).body["items"] == [item_json(1, "", LATER) | {"created_at": LATER}], "added again, it is new"


# ----------------------------------------------------------------------------------------------------------------------
# 404
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["get", "patch", "patch_notes", "delete", "delete_once"])
def test_item_not_in_the_cart_is_not_found(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    for prepare in (lambda: None, lambda: add(shop, 7), lambda: add(shop) and remove(shop), lambda: clear(shop)):
        prepare()
        assert is_refusal(shop.send("cart_items", load(f"cart_items/{name}")), 404, "item not found")
        assert shop.database.calls == ["GetItem"]
    assert all("#123" not in attribute for attribute in shop.cart_row())


NO_ITEMS = ["0", "1", "-1", "123", str(2**53), "9" * 17, "1" * 9_000, f"-{ITEM}", str(cart_id(OWNER))]
NO_INTEGERS = [
    "abc", "1x", f"{ITEM}.0", f"{ITEM}x", f"+{ITEM}", f"{ITEM}e0", "%20", f"%20{ITEM}", f"{ITEM}%20", f"{ITEM}%0A",
    f"{ITEM}%23", f"{ITEM}%2C{ITEM}", "null", "NaN", "%C2%B2", "%D9%A1%D9%A2", "%FF", "0x1F", "1_0", f"%22{ITEM}%22",
    "1.5", "%0A", "..%2F..%2Fcart", "%2A", "*", "%23", "CART%23demo", "%ED%A0%80", "\ud800", "%00",
]  # fmt: skip


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["", "keyed"])
@pytest.mark.parametrize("name", ["get", "patch_both", "patch_id_no_integer", "delete", "delete_id_no_integer"])
def test_bad_item_id_is_not_found(shop: Bundle, name: str, headers: dict[str, str]) -> None:
    add(shop)
    theirs = str(item_id(OWNER._replace(customer="customer-2"), 123))
    shop.send("cart_items", altered(load("cart_items/post"), authorizer={"customer": "customer-2"}))
    rows = shop.rows()
    event = load(f"cart_items/{name}")

    spellings = [event["pathParameters"]["id"]] if "no_integer" in name else [*NO_ITEMS, *NO_INTEGERS, theirs]
    for spelling in spellings:
        answer = shop.send("cart_items", altered(event, path={"id": spelling}, headers=headers))
        assert is_refusal(answer, 404, "item not found"), spelling

    assert shop.rows() == rows
