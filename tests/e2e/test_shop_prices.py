"""Shop API: an answer's prices are never older than 60 seconds, and the customer is told what has changed."""

from typing import Any

import pytest

from serverless_cart.domain.product import Product
from tests.support.shopper import Shopper
from tools.support.clients import Customer, Reply
from tools.support.database import Database

STALE = 60
"""Seconds after which no price is shown as it was read."""


def item_of(reply: Reply, product: Product) -> dict[str, Any]:
    """Return a product's item of the cart in an answer."""
    (item,) = (item for item in reply.body["items"] if item["product"]["id"] == product.id)
    assert isinstance(item, dict)
    return item


def warning_of(reply: Reply, product: Product) -> dict[str, Any]:
    """Return the one warning of an answer, which is about a product's item."""
    (warning,) = reply.body["warnings"]
    assert warning.keys() == {"code", "item", "message"}
    assert warning["item"] == item_of(reply, product)["id"]
    assert isinstance(warning, dict)
    return warning


def change(database: Database, customer: Customer, product: Product, **to: Any) -> None:
    """Change a product in the catalogue and let a minute pass."""
    now: dict[str, Any] = {"price": product.price, "discount": product.discount, "stock": product.stock}
    database.sell(customer.owner.shop, product_id=product.id, **now | to)
    database.age_prices(customer.owner, STALE)


def test_a_stale_price_is_read_anew_and_the_change_is_told(
    customer: Customer, database: Database, lamp: Product, other: Product
) -> None:
    customer.add(lamp.id, quantity=2)
    change(database, customer, lamp, price=1_234)
    reply = customer.add(other.id)
    item = item_of(reply, lamp)
    assert (item["unit_price"], item["subtotal"], item["total"]) == (1_234, 2_468, 2_168)
    assert (reply.body["items_subtotal"], reply.body["total"]) == (2_968, 2_668)
    warning = warning_of(reply, lamp)
    assert warning["code"] == "price_changed"
    assert "1000" in warning["message"]
    assert "1234" in warning["message"]


def test_a_changed_discount_is_a_changed_price(
    customer: Customer, database: Database, lamp: Product, other: Product
) -> None:
    customer.add(lamp.id)
    change(database, customer, lamp, discount=275)
    reply = customer.add(other.id)
    assert item_of(reply, lamp)["total"] == 725
    warning = warning_of(reply, lamp)
    assert warning["code"] == "price_changed"
    assert "150" in warning["message"]
    assert "275" in warning["message"]


def test_more_of_a_product_whose_price_changed_costs_the_new_price(
    customer: Customer, database: Database, lamp: Product
) -> None:
    customer.add(lamp.id)
    database.sell(customer.owner.shop, product_id=lamp.id, price=1_234, discount=150)
    reply = customer.add(lamp.id)
    assert (item_of(reply, lamp)["unit_price"], reply.body["items_subtotal"]) == (1_234, 2_468)
    assert warning_of(reply, lamp)["code"] == "price_changed"


def test_a_price_that_stayed_is_no_warning(
    customer: Customer, database: Database, lamp: Product, other: Product
) -> None:
    customer.add(lamp.id)
    change(database, customer, lamp)
    assert customer.add(other.id).body["warnings"] == []


@pytest.mark.parametrize("gone", [False, True], ids=["not for sale", "not in the catalogue"])
def test_what_is_no_longer_for_sale_stays_visible_and_counts_in_no_total(
    *, customer: Customer, database: Database, lamp: Product, other: Product, gone: bool
) -> None:
    customer.add(lamp.id, quantity=2)
    change(database, customer, lamp, active=False)
    if gone:
        database.withdraw(customer.owner.shop, lamp)
    reply = customer.add(other.id)
    item = item_of(reply, lamp)
    assert (item["product"]["name"], item["quantity"]) == (lamp.name, 2)
    totals = {name: reply.body[name] for name in ("count", "items_subtotal", "items_discount", "subtotal", "total")}
    assert totals == {"count": 2, "items_subtotal": 500, "items_discount": 0, "subtotal": 500, "total": 500}
    assert warning_of(reply, lamp)["code"] == "unavailable"


def test_less_in_stock_than_in_the_cart_is_told(
    customer: Customer, database: Database, lamp: Product, other: Product
) -> None:
    customer.add(lamp.id, quantity=3)
    change(database, customer, lamp, stock=1)
    reply = customer.add(other.id)
    assert item_of(reply, lamp)["quantity"] == 3
    assert reply.body["items_subtotal"] == 3_500
    assert warning_of(reply, lamp)["code"] == "insufficient_stock"


def test_a_cart_of_a_hundred_products_is_priced_anew_as_a_whole(
    customer: Customer, full_cart: Customer, database: Database, a_hundred_products: list[Product]
) -> None:
    database.copy_cart(full_cart.owner, customer.owner)
    database.age_prices(customer.owner, 3_600)
    reply = customer.add(a_hundred_products[0].id)
    assert reply.body["items_subtotal"] == sum(range(100, 200)) + 100
    assert [item["product"]["id"] for item in reply.body["items"]] == [product.id for product in a_hundred_products]
    assert reply.body["warnings"] == []


# ----------------------------------------------------------------------------------------------------------------------
# The same on the other routes
# ----------------------------------------------------------------------------------------------------------------------


def line(database: Database, shopper: Shopper) -> str:
    """Return what the table holds of the catalogue's word on the lamp."""
    row = database.cart(shopper.customer.owner)
    assert row is not None
    text = row[f"snap#{shopper.lamp.id}"]["S"]
    assert isinstance(text, str)
    return text


def test_reading_tells_a_changed_price_as_long_as_nothing_is_written(shopper: Shopper, database: Database) -> None:
    change(database, shopper.customer, shopper.lamp, price=1_234)
    row = database.cart(shopper.customer.owner)
    for _ in range(2):
        reply = shopper.ask("read")
        assert item_of(reply, shopper.lamp)["unit_price"] == 1_234
        assert (reply.body["items_subtotal"], reply.body["items_discount"], reply.body["total"]) == (2_468, 300, 2_168)
        warning = warning_of(reply, shopper.lamp)
        assert warning["code"] == "price_changed"
        assert "1000" in warning["message"]
        assert "1234" in warning["message"]
    assert database.cart(shopper.customer.owner) == row


@pytest.mark.parametrize("route", ["select", "add", "remove"])
def test_the_next_change_tells_a_changed_price_and_keeps_it(
    shopper: Shopper, database: Database, other: Product, route: str
) -> None:
    lamp, old = shopper.lamp, line(database, shopper)
    another = shopper.customer.add(other.id).body["items"][1]["id"]
    change(database, shopper.customer, lamp, price=1_234)
    reply = shopper.ask(route, item=another, json={"product": other.id, "address": 7})
    assert item_of(reply, lamp)["unit_price"] == 1_234
    warning = warning_of(reply, lamp)
    assert warning["code"] == "price_changed"
    assert "1000" in warning["message"]
    assert "1234" in warning["message"]
    assert line(database, shopper) > old
    after = shopper.ask("read")
    assert (item_of(after, lamp)["unit_price"], after.body["warnings"]) == (1_234, [])


@pytest.mark.parametrize("body", [{"quantity": 3}, {"notes": "blue"}], ids=str)
def test_a_revised_item_costs_the_new_price_of_which_the_next_cart_warns(
    shopper: Shopper, database: Database, body: dict[str, object]
) -> None:
    change(database, shopper.customer, shopper.lamp, price=1_234, discount=234)
    reply = shopper.ask("revise", json=body)
    assert (reply.body["unit_price"], reply.body["unit_discount"]) == (1_234, 234)
    assert reply.body["total"] == 1_000 * reply.body["quantity"]
    after = shopper.ask("read").body
    assert (after["items"], after["total"]) == ([reply.body], reply.body["total"])
    assert [warning["code"] for warning in after["warnings"]] == ["price_changed"]


@pytest.mark.parametrize("route", ["select", "add", "remove"])
def test_a_replay_tells_a_changed_price_and_writes_nothing(
    shopper: Shopper, database: Database, other: Product, route: str
) -> None:
    another = shopper.customer.add(other.id).body["items"][1]["id"]
    request = {"item": another, "json": {"product": other.id, "address": 7}, "headers": {"Idempotency-Key": "k"}}
    shopper.ask(route, **request)
    change(database, shopper.customer, shopper.lamp, price=1_234)
    row = database.cart(shopper.customer.owner)
    replay = shopper.ask(route, **request)
    assert replay.headers["Idempotency-Replayed"] == "true"
    assert warning_of(replay, shopper.lamp)["code"] == "price_changed"
    assert database.cart(shopper.customer.owner) == row


def test_an_emptied_cart_warns_of_nothing(shopper: Shopper, database: Database) -> None:
    change(database, shopper.customer, shopper.lamp, price=1_234)
    reply = shopper.ask("clear")
    assert (reply.body["warnings"], reply.body["total"]) == ([], 0)


@pytest.mark.parametrize("gone", [False, True], ids=["not for sale", "not in the catalogue"])
def test_reading_shows_what_is_no_longer_for_sale_and_counts_it_in_no_total(
    shopper: Shopper, database: Database, other: Product, *, gone: bool
) -> None:
    customer, lamp = shopper.customer, shopper.lamp
    customer.add(other.id)
    change(database, customer, lamp, active=False, price=1_234)
    if gone:
        database.withdraw(customer.owner.shop, lamp)
    for route in ("read", "select", "read"):  # before and after the table has it
        reply = shopper.ask(route)
        assert item_of(reply, lamp)["quantity"] == 2
        totals = {name: reply.body[name] for name in ("count", "items_subtotal", "items_discount", "subtotal", "total")}
        assert totals == {"count": 2, "items_subtotal": 500, "items_discount": 0, "subtotal": 500, "total": 500}
        assert warning_of(reply, lamp)["code"] == "unavailable"


def test_what_is_for_sale_again_counts_again(shopper: Shopper, database: Database) -> None:
    change(database, shopper.customer, shopper.lamp, active=False)
    assert shopper.ask("select").body["total"] == 0
    change(database, shopper.customer, shopper.lamp)
    reply = shopper.ask("read")
    assert (reply.body["total"], reply.body["warnings"]) == (1_700, [])


def test_reading_tells_of_too_little_stock_and_of_a_changed_price_at_once(shopper: Shopper, database: Database) -> None:
    change(database, shopper.customer, shopper.lamp, stock=1, price=1_234)
    cart = shopper.ask("read").body
    assert [(warning["code"], warning["item"]) for warning in cart["warnings"]] == [
        ("price_changed", shopper.item),
        ("insufficient_stock", shopper.item),
    ]
    assert (cart["quantity"], cart["items_subtotal"]) == (2, 2_468)
    shopper.ask("select")
    (warning,) = shopper.ask("read").body["warnings"]
    assert warning["code"] == "insufficient_stock"


def test_a_read_cart_of_a_hundred_products_is_priced_anew_as_a_whole(
    customer: Customer, full_cart: Customer, database: Database, a_hundred_products: list[Product]
) -> None:
    database.copy_cart(full_cart.owner, customer.owner)
    first, last = a_hundred_products[0], a_hundred_products[-1]
    for product in (first, last):
        database.sell(customer.owner.shop, product_id=product.id, price=product.price + 1_000)
    try:
        database.age_prices(customer.owner, STALE)
        cart = customer.read().body
    finally:
        for product in (first, last):
            database.sell(customer.owner.shop, product_id=product.id, price=product.price)
    assert cart["items_subtotal"] == sum(range(100, 200)) + 2_000
    items = {item["id"]: item["product"]["id"] for item in cart["items"]}
    assert [items[warning["item"]] for warning in cart["warnings"]] == [first.id, last.id]
