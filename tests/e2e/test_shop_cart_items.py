"""Shop API: what adding a product does, and the cart that it answers with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import product_to_item
from tests.support.shopper import moment
from tools.support.clients import NOTE, Customer, Reply
from tools.support.database import Database

MONTH = 30 * 24 * 3600
BROWSER_LIMIT = 2**53


def only_item(reply: Reply) -> dict[str, object]:
    """Return the one item of the cart in an answer."""
    (item,) = reply.body["items"]
    assert isinstance(item, dict)
    return item


def test_an_added_product_is_answered_with_the_whole_cart(customer: Customer, lamp: Product) -> None:
    start = datetime.now(UTC) - timedelta(seconds=1)
    reply = customer.add(lamp.id, quantity=3, notes=NOTE)
    assert reply.status == 200
    cart, item = reply.body, only_item(reply)
    assert cart == {
        "id": cart["id"],
        "address": None,
        "shipping_method": None,
        "payment_method": None,
        "created_at": cart["created_at"],
        "updated_at": cart["created_at"],
        "count": 1,
        "quantity": 3,
        "is_empty": False,
        "items_subtotal": 3_000,
        "items_discount": 450,
        "subtotal": 2_550,
        "discount": 0,
        "total": 2_550,
        "items": [
            {
                "id": item["id"],
                "ref": lamp.ref,
                "product": {"id": lamp.id, "name": lamp.name, "image": lamp.image},
                "quantity": 3,
                "notes": NOTE,
                "created_at": cart["created_at"],
                "updated_at": cart["created_at"],
                "unit_price": 1_000,
                "unit_discount": 150,
                "subtotal": 3_000,
                "discount": 450,
                "total": 2_550,
            }
        ],
        "warnings": [],
    }
    assert start < moment(cart["created_at"]) < datetime.now(UTC) + timedelta(seconds=1)
    numbers = [value for part in (cart, item) for value in part.values() if isinstance(value, (int, float))]
    assert all(type(number) in (int, bool) and 0 <= number < BROWSER_LIMIT for number in numbers)
    assert type(cart["id"]) is int
    assert type(item["id"]) is int


def test_the_demo_catalogue_is_priced_as_it_says(customer: Customer, stack: Stack) -> None:
    product = next(p for p in stack.products if p.active and p.discount and (p.stock is None or p.stock > 2))
    item = only_item(customer.add(product.id, quantity=2))
    shown = {name: item[name] for name in ("ref", "unit_price", "unit_discount", "total")}
    assert shown == {
        "ref": product.ref,
        "unit_price": product.price,
        "unit_discount": product.discount,
        "total": 2 * (product.price - product.discount),
    }


def test_quantity_is_one_and_notes_are_empty_unless_given(customer: Customer, lamp: Product) -> None:
    item = only_item(customer.add(lamp.id))
    assert (item["quantity"], item["notes"]) == (1, "")


def test_a_product_that_is_there_already_grows(customer: Customer, lamp: Product) -> None:
    before = only_item(customer.add(lamp.id, quantity=2))
    reply = customer.add(lamp.id, quantity=5)
    item = only_item(reply)
    assert item["quantity"] == 7
    assert (item["id"], item["created_at"]) == (before["id"], before["created_at"])
    assert reply.body["created_at"] == before["created_at"]
    assert moment(reply.body["updated_at"]) > moment(reply.body["created_at"])
    assert item["updated_at"] == reply.body["updated_at"]


@pytest.mark.parametrize(("more", "kept"), [({}, NOTE), ({"notes": "blue"}, "blue"), ({"notes": ""}, "")])
def test_notes_are_replaced_where_given_and_kept_where_absent(
    customer: Customer, lamp: Product, more: dict[str, str], kept: str
) -> None:
    customer.add(lamp.id, notes=NOTE)
    assert only_item(customer.post(json={"product": lamp.id, **more}))["notes"] == kept


@pytest.mark.parametrize("notes", ["🛒" * 500, "a\tb\nc", '"<&\\'])
def test_notes_come_back_as_they_were_given(customer: Customer, lamp: Product, notes: str) -> None:
    assert only_item(customer.add(lamp.id, notes=notes))["notes"] == notes


def test_items_stand_in_the_order_in_which_they_were_first_added_and_sum_up(
    customer: Customer, database: Database
) -> None:
    shop = customer.owner.shop
    low, high = database.sell(shop, price=999, discount=99), database.sell(shop, price=1)
    for product in (high, low, high):
        reply = customer.add(product.id, quantity=2)
    cart = reply.body
    assert [item["product"]["id"] for item in cart["items"]] == [high.id, low.id]
    assert (cart["count"], cart["quantity"]) == (2, 6)
    assert (cart["items_subtotal"], cart["items_discount"], cart["total"]) == (2_002, 198, 1_804)


def test_the_largest_quantity_and_the_last_piece_can_be_had(
    customer: Customer, lamp: Product, database: Database
) -> None:
    scarce = database.sell(customer.owner.shop, stock=3)
    assert customer.add(lamp.id, quantity=9_999).status == 200
    assert customer.add(scarce.id, quantity=2).status == 200
    assert customer.add(scarce.id).body["quantity"] == 10_002


def test_a_product_without_an_image_says_so(customer: Customer, database: Database, lamp: Product) -> None:
    database.put([product_to_item(customer.owner.shop, lamp._replace(image=None))])
    assert only_item(customer.add(lamp.id))["product"] == {"id": lamp.id, "name": lamp.name, "image": None}


def test_a_trailing_slash_changes_nothing(customer: Customer, lamp: Product) -> None:
    customer.add(lamp.id)
    reply = customer.post(path="/api/shop/cart/items/", json={"product": lamp.id})
    assert (reply.status, only_item(reply)["quantity"]) == (200, 2)


def test_unknown_fields_are_ignored(customer: Customer, lamp: Product) -> None:
    reply = customer.post(json={"product": lamp.id, "price": 1, "colour": ["red"]}, params={"quantity": "7"})
    item = only_item(reply)
    assert (item["quantity"], item["unit_price"]) == (1, lamp.price)


def test_ids_are_stable_and_nobody_elses(
    new_customer: Callable[[], Customer], stack: Stack, database: Database, lamp: Product
) -> None:
    one, other = new_customer(), new_customer()
    replies = [one.add(lamp.id), other.add(lamp.id), one.add(lamp.id)]
    carts = [reply.body["id"] for reply in replies]
    items = [only_item(reply)["id"] for reply in replies]
    assert (carts[0], items[0]) == (carts[2], items[2])
    assert len({*carts, *items}) == 4

    # The customer of the same name in another shop is another customer.
    shop = database.token(stack.second_shop.customer_token).shop
    database.sell(shop, product_id=lamp.id)
    token = database.issue(Token("customer", shop, one.owner.customer))
    reply = Customer(one.http, token, Owner(shop, one.owner.customer)).add(lamp.id)
    assert reply.body["id"] not in carts
    assert only_item(reply)["id"] not in items
    assert only_item(reply)["quantity"] == 1


def test_two_tokens_of_one_customer_open_the_same_cart(customer: Customer, database: Database, lamp: Product) -> None:
    customer.add(lamp.id)
    token = database.issue(Token("customer", customer.owner.shop, customer.owner.customer))
    assert only_item(replace(customer, token=f"us1-{token}").add(lamp.id))["quantity"] == 2


def test_a_cart_lives_30_days_from_its_last_change(customer: Customer, database: Database, lamp: Product) -> None:
    customer.add(lamp.id)
    assert database.cart_lifetime(customer.owner) == pytest.approx(MONTH, abs=30)


def test_an_expired_cart_counts_as_absent(customer: Customer, database: Database, lamp: Product) -> None:
    old = customer.add(lamp.id, quantity=5, notes=NOTE)
    database.let_cart_expire(customer.owner)
    other = database.sell(customer.owner.shop)

    reply = customer.add(other.id)
    assert reply.body["id"] == old.body["id"]
    assert only_item(reply)["product"] == {"id": other.id, "name": other.name, "image": other.image}
    assert moment(reply.body["created_at"]) > moment(old.body["created_at"])
    assert (reply.body["quantity"], reply.body["warnings"]) == (1, [])
    assert database.cart_lifetime(customer.owner) == pytest.approx(MONTH, abs=30)
    item = next(item for item in customer.add(lamp.id).body["items"] if item["product"]["id"] == lamp.id)
    assert (item["quantity"], item["notes"]) == (1, "")
