"""Shop API: one item of the cart: changing and removing it."""

from collections.abc import Callable

import pytest

from serverless_cart.domain.product import Product
from tests.support.shopper import ITEM_NOT_FOUND, NOT_FOUND, SLASHES, Shopper, assert_invalid, moment
from tools.support.clients import ITEMS, NOTE, Customer, Reply
from tools.support.database import Database

BOTH = ["revise", "remove"]


# ----------------------------------------------------------------------------------------------------------------------
# PATCH
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", SLASHES)
def test_a_revised_item_is_answered_with_the_item(shopper: Shopper, other: Product, slash: str) -> None:
    before = shopper.customer.add(other.id).body
    lamp = shopper.lamp
    reply = shopper.ask("revise", json={"quantity": 5, "notes": "blue"}, slash=slash)
    assert reply == Reply(
        200,
        {
            "id": shopper.item,
            "ref": lamp.ref,
            "product": {"id": lamp.id, "name": lamp.name, "image": lamp.image},
            "quantity": 5,
            "notes": "blue",
            "created_at": before["items"][0]["created_at"],
            "updated_at": reply.body["updated_at"],
            "unit_price": 1_000,
            "unit_discount": 150,
            "subtotal": 5_000,
            "discount": 750,
            "total": 4_250,
        },
    )
    assert moment(reply.body["updated_at"]) > moment(before["updated_at"])
    assert shopper.ask("read").body == {
        **before,
        "updated_at": reply.body["updated_at"],
        "quantity": 6,
        "items_subtotal": 5_500,
        "items_discount": 750,
        "subtotal": 4_750,
        "total": 4_750,
        "items": [reply.body, before["items"][1]],
    }


@pytest.mark.parametrize(
    ("changes", "quantity", "notes"),
    [
        ({"quantity": 1}, 1, NOTE),
        ({"quantity": 9_999}, 9_999, NOTE),
        ({"notes": "blue"}, 2, "blue"),
        ({"notes": ""}, 2, ""),
        ({"notes": "🛒" * 500}, 2, "🛒" * 500),
        ({"quantity": 2, "notes": NOTE}, 2, NOTE),
        ({"quantity": 3.0}, 3, NOTE),
        ({"quantity": 3, "id": 1, "unit_price": 1, "product": None}, 3, NOTE),
    ],
    ids=["least", "most", "notes", "no notes", "long notes", "the same", "3.0", "unknown fields"],
)
def test_quantity_and_notes_are_set_and_what_is_absent_stays(
    shopper: Shopper, changes: dict[str, object], quantity: int, notes: str
) -> None:
    reply = shopper.ask("revise", json=changes)
    assert (reply.status, reply.body["quantity"], reply.body["notes"]) == (200, quantity, notes)
    assert (reply.body["id"], reply.body["unit_price"]) == (shopper.item, 1_000)
    cart = shopper.ask("read").body
    assert (cart["items"], cart["quantity"], cart["total"]) == ([reply.body], quantity, quantity * 850)


@pytest.mark.parametrize("gone", [False, True], ids=["not for sale", "not in the catalogue"])
def test_no_quantity_can_be_set_of_what_is_not_for_sale(shopper: Shopper, database: Database, *, gone: bool) -> None:
    owner = shopper.customer.owner
    database.sell(owner.shop, product_id=shopper.lamp.id, active=False, stock=0)
    if gone:
        database.withdraw(owner.shop, shopper.lamp)
    row = database.cart(owner)
    assert_invalid(shopper.ask("revise", json={"quantity": 1, "notes": "blue"}), "invalid product", "product")
    assert database.cart(owner) == row


def test_no_more_than_the_stock_can_be_set_and_the_refusal_tells_what_is_available(
    shopper: Shopper, database: Database
) -> None:
    owner = shopper.customer.owner
    database.sell(owner.shop, product_id=shopper.lamp.id, stock=7)
    row = database.cart(owner)
    for quantity in (8, 9_999):
        reply = shopper.ask("revise", json={"quantity": quantity, "notes": "blue"})
        assert_invalid(reply, "insufficient stock", "quantity")
        assert "7" in reply.body["details"]["quantity"][0]
    assert database.cart(owner) == row
    # What is set replaces what was there: it does not add to it.
    assert shopper.ask("revise", json={"quantity": 7}).body["quantity"] == 7


def test_an_item_of_which_too_little_is_left_can_be_lowered_to_what_is_left(
    shopper: Shopper, database: Database
) -> None:
    shopper.ask("revise", json={"quantity": 9})
    database.sell(shopper.customer.owner.shop, product_id=shopper.lamp.id, stock=3)
    assert_invalid(shopper.ask("revise", json={"quantity": 4}), "insufficient stock", "quantity")
    assert shopper.ask("revise", json={"quantity": 3}).body["quantity"] == 3
    assert shopper.ask("read").body["warnings"] == []


# ----------------------------------------------------------------------------------------------------------------------
# DELETE
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", SLASHES)
def test_a_removed_item_leaves_the_rest_of_the_cart(shopper: Shopper, other: Product, slash: str) -> None:
    customer = shopper.customer
    customer.select(address=1, payment_method=3)
    before = customer.add(other.id, quantity=3, notes="ü").body
    reply = shopper.ask("remove", slash=slash)
    assert reply == Reply(
        200,
        {
            **before,
            "updated_at": reply.body["updated_at"],
            "count": 1,
            "quantity": 3,
            "items_subtotal": 1_500,
            "items_discount": 0,
            "subtotal": 1_500,
            "total": 1_500,
            "items": before["items"][1:],
        },
    )
    assert moment(reply.body["updated_at"]) > moment(before["updated_at"])
    assert customer.read() == reply


def test_the_last_removed_item_leaves_an_empty_cart(shopper: Shopper) -> None:
    created_at = shopper.ask("select").body["created_at"]
    cart = shopper.ask("remove").body
    assert (cart["is_empty"], cart["count"], cart["quantity"], cart["total"], cart["items"]) == (True, 0, 0, 0, [])
    assert (cart["created_at"], cart["address"]) == (created_at, 7)


def test_a_removed_item_that_is_added_again_is_a_new_one(shopper: Shopper, other: Product) -> None:
    shopper.customer.add(other.id)
    shopper.ask("remove")
    items = shopper.ask("add").body["items"]
    assert [item["product"]["id"] for item in items] == [other.id, shopper.lamp.id]
    assert (items[1]["id"], items[1]["quantity"], items[1]["notes"]) == (shopper.item, 1, "")


def test_what_is_no_longer_for_sale_can_be_removed(shopper: Shopper, database: Database) -> None:
    database.withdraw(shopper.customer.owner.shop, shopper.lamp)
    assert shopper.ask("remove").body["items"] == []


# ----------------------------------------------------------------------------------------------------------------------
# 404
# ----------------------------------------------------------------------------------------------------------------------

NO_ITEMS = [
    "0", "1", "-1", str(2**53 - 1), str(2**53), "9" * 16, "9" * 17, "9" * 5_000, "{product}", "{cart}", "-{item}",
]  # fmt: skip
NO_INTEGERS = [
    "abc", "1.5", "{item}.0", "{item}x", "x{item}", "+{item}", "{item}e0", "%20", "%20{item}", "{item}%20", "%00",
    "{item}%0A", "{item}%23", "{item}%2C{item}", "null", "true", "NaN", "%C2%B2", "%D9%A1%D9%A2", "%FF", "0x1F", "1_0",
    "*", "%22{item}%22",
]  # fmt: skip


@pytest.mark.parametrize("route", BOTH)
@pytest.mark.parametrize("ids", [NO_ITEMS, NO_INTEGERS], ids=["no item's", "no integer"])
def test_an_id_of_no_item_in_the_cart_is_not_found(
    shopper: Shopper, database: Database, route: str, ids: list[str]
) -> None:
    cart = shopper.ask("read").body
    row = database.cart(shopper.customer.owner)
    for name in ids:
        item = name.format(item=shopper.item, product=shopper.lamp.id, cart=cart["id"])
        assert (name, shopper.ask(route, item=item)) == (name, ITEM_NOT_FOUND)
    assert database.cart(shopper.customer.owner) == row


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("end", ["/", "//", "/{item}/{item}"])
def test_no_id_or_two_are_no_route(shopper: Shopper, database: Database, method: str, end: str) -> None:
    row = database.cart(shopper.customer.owner)
    path = ITEMS + end.format(item=shopper.item)
    assert shopper.customer.send(method, path, json={"quantity": 5}) == NOT_FOUND
    assert database.cart(shopper.customer.owner) == row


@pytest.mark.parametrize("route", BOTH)
def test_an_item_that_is_gone_is_not_found(shopper: Shopper, database: Database, other: Product, route: str) -> None:
    shopper.customer.add(other.id)
    shopper.ask("remove")
    row = database.cart(shopper.customer.owner)
    assert shopper.ask(route) == ITEM_NOT_FOUND
    assert database.cart(shopper.customer.owner) == row
    shopper.ask("clear")
    assert shopper.ask(route) == ITEM_NOT_FOUND


@pytest.mark.parametrize("route", BOTH)
def test_another_customers_item_is_not_found(
    new_customer: Callable[[], Customer], shopper: Shopper, database: Database, route: str
) -> None:
    thief = new_customer()
    (item,) = thief.add(shopper.lamp.id).body["items"]
    assert item["id"] != shopper.item
    rows = [database.cart(owner) for owner in (shopper.customer.owner, thief.owner)]
    assert Shopper(thief, shopper.lamp, shopper.item).ask(route) == ITEM_NOT_FOUND
    assert [database.cart(owner) for owner in (shopper.customer.owner, thief.owner)] == rows


@pytest.mark.parametrize("route", BOTH)
def test_no_cart_has_no_items_and_nothing_is_written(
    customer: Customer, database: Database, lamp: Product, route: str
) -> None:
    assert Shopper(customer, lamp, 1).ask(route) == ITEM_NOT_FOUND
    assert not database.has_cart(customer.owner)
