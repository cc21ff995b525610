"""Shop API: every route over HTTP.

tests/integration has every value, expiry and prices: test_cart.py, test_cart_items.py, test_prices.py.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.product import Product
from tests.support.shopper import NOT_FOUND, SLASHES, Shopper, moment
from tools.support.clients import CART, ITEMS, NOTE, Customer, Reply
from tools.support.database import Database

MONTH = 30 * 24 * 3600
SELECTIONS: dict[str, Any] = {"address": 1, "shipping_method": 2, "payment_method": 2**53 - 1}
EMPTY: dict[str, object] = {
    **dict.fromkeys(
        ("count", "quantity", "items_subtotal", "items_discount", "subtotal", "discount", "shipping_cost", "total"), 0
    ),
    "is_empty": True,
    "currency": "EUR",
    "discount_code": None,
    "items": [],
    "warnings": [],
}
"""The parts of a cart without items."""
every_slash = pytest.mark.parametrize("slash", SLASHES)


def item_json(product: Product, quantity: int, notes: str) -> dict[str, Any]:
    """Return an item as an answer has it, with any id and times."""
    return {
        "id": ANY,
        "ref": product.ref,
        "product": {"id": product.id, "name": product.name, "image": product.image},
        "quantity": quantity,
        "notes": notes,
        "created_at": ANY,
        "updated_at": ANY,
        "unit_price": product.price,
        "unit_discount": product.discount,
        "subtotal": product.price * quantity,
        "discount": product.discount * quantity,
        "total": (product.price - product.discount) * quantity,
    }


@every_slash
def test_add_answers_the_whole_cart(customer: Customer, database: Database, lamp: Product, slash: str) -> None:
    start = datetime.now(UTC) - timedelta(seconds=1)
    customer.add(lamp.id, quantity=2)
    reply = customer.post(path=ITEMS + slash, json={"product": lamp.id, "notes": NOTE})
    cart = reply.body
    totals = {"items_subtotal": 3_000, "items_discount": 450, "subtotal": 2_550, "discount": 0, "total": 2_550}
    totals |= {"shipping_cost": 0}
    assert reply == Reply(
        200,
        {
            "id": ANY,
            **dict.fromkeys(SELECTIONS),
            "created_at": ANY,
            "updated_at": ANY,
            "count": 1,
            "quantity": 3,
            "is_empty": False,
            **totals,
            "currency": "EUR",
            "discount_code": None,
            "items": [item_json(lamp, 3, NOTE)],
            "warnings": [],
        },
    )
    assert start < moment(cart["created_at"]) < moment(cart["updated_at"]) < datetime.now(UTC) + timedelta(seconds=1)
    assert database.cart_lifetime(customer.owner) == pytest.approx(MONTH, abs=30)
    numbers = [value for part in (cart, *cart["items"]) for value in part.values() if isinstance(value, (int, float))]
    assert all(type(number) in (int, bool) and 0 <= number < 2**53 for number in numbers)


@every_slash
def test_read_of_no_cart_is_empty_and_writes_nothing(
    customer: Customer, database: Database, lamp: Product, slash: str
) -> None:
    reply = customer.send("GET", CART + slash)
    absent = dict.fromkeys((*SELECTIONS, "created_at", "updated_at"))
    assert reply == Reply(200, {"id": reply.body["id"], **absent, **EMPTY})
    assert not database.has_cart(customer.owner)
    assert customer.add(lamp.id).body["id"] == reply.body["id"]


@every_slash
def test_read_shows_the_last_answer(shopper: Shopper, database: Database, other: Product, slash: str) -> None:
    answered = shopper.customer.add(other.id, quantity=3, notes="ü")
    row = database.cart(shopper.customer.owner)
    reply = shopper.ask("read", slash=slash)
    assert reply == answered
    assert reply.headers["ETag"] == answered.headers["ETag"]
    assert database.cart(shopper.customer.owner) == row


@every_slash
def test_select_creates_the_cart(customer: Customer, slash: str) -> None:
    reply = customer.send("PATCH", CART + slash, json=SELECTIONS)
    times = dict.fromkeys(("created_at", "updated_at"), reply.body["created_at"])
    assert reply == Reply(200, {"id": reply.body["id"], **SELECTIONS, **times, **EMPTY})
    cleared = customer.send("PATCH", CART + slash, json={"address": None})
    assert cleared == Reply(200, {**reply.body, "address": None, "updated_at": ANY})
    assert customer.read() == cleared


@every_slash
def test_item_is_read_as_in_the_cart(shopper: Shopper, other: Product, slash: str) -> None:
    (item, _) = shopper.customer.add(other.id).body["items"]
    reply = shopper.ask("read item", slash=slash)
    assert reply == Reply(200, item)
    assert "ETag" not in reply.headers


@every_slash
def test_update_answers_the_cart(shopper: Shopper, other: Product, slash: str) -> None:
    before = shopper.customer.add(other.id).body
    reply = shopper.ask("update", json={"quantity": 5, "notes": "blue"}, slash=slash)
    item, rest = reply.body["items"]
    assert (reply.status, item, rest) == (200, item_json(shopper.lamp, 5, "blue"), before["items"][1])
    assert (item["id"], item["created_at"]) == (shopper.item, before["items"][0]["created_at"])
    assert moment(item["updated_at"]) > moment(before["updated_at"])
    totals = {"quantity": 6, "items_subtotal": 5_500, "items_discount": 750, "subtotal": 4_750, "total": 4_750}
    assert reply.body == {**before, **totals, "items": [item, rest], "updated_at": item["updated_at"]}
    assert shopper.ask("read") == reply


@every_slash
def test_remove_answers_the_remaining_cart(shopper: Shopper, other: Product, slash: str) -> None:
    shopper.customer.select(**SELECTIONS)
    before = shopper.customer.add(other.id, quantity=3).body
    reply = shopper.ask("remove", slash=slash)
    totals = {"items_subtotal": 1_500, "items_discount": 0, "subtotal": 1_500, "total": 1_500}
    rest = {"items": before["items"][1:], "count": 1, "quantity": 3, "updated_at": ANY}
    assert reply == Reply(200, {**before, **totals, **rest})
    assert shopper.ask("read") == reply


@every_slash
def test_clear_keeps_id_creation_and_selections(shopper: Shopper, slash: str) -> None:
    before = shopper.customer.select(**SELECTIONS).body
    reply = shopper.ask("clear", slash=slash)
    assert reply == Reply(200, {**before, **EMPTY, "updated_at": ANY})
    assert shopper.ask("read") == reply


@every_slash
def test_clear_of_no_cart_writes_nothing(customer: Customer, database: Database, slash: str) -> None:
    reply = customer.send("DELETE", CART + slash)
    assert (reply.status, reply.body["created_at"]) == (200, None)
    assert not database.has_cart(customer.owner)


def test_demo_catalogue_has_its_prices(customer: Customer, stack: Stack) -> None:
    product = next(p for p in stack.products if p.active and p.discount and (p.stock is None or p.stock > 2))
    (item,) = customer.add(product.id, quantity=2).body["items"]
    shown = (item["ref"], item["unit_price"], item["unit_discount"], item["total"])
    assert shown == (product.ref, product.price, product.discount, 2 * (product.price - product.discount))


def test_tokens_of_one_customer_open_the_same_cart(customer: Customer, database: Database, lamp: Product) -> None:
    customer.add(lamp.id)
    token = database.issue(Token("customer", customer.owner.shop, customer.owner.customer))
    assert replace(customer, token=f"us1-{token}").add(lamp.id).body["quantity"] == 2


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_no_item_id_or_two_are_no_route(unchanged: Shopper, method: str) -> None:
    for end in ("/", "//", f"/{unchanged.item}/{unchanged.item}"):
        assert unchanged.customer.send(method, ITEMS + end, json={"quantity": 5}) == NOT_FOUND
