"""Shop API: an answer's prices are never older than 60 seconds, and the customer is told what has changed."""

from typing import Any

import pytest

from storefront.domain.product import Product
from tests.e2e.clients import Customer, Reply
from tests.e2e.database import Database

STALE = 61
"""Seconds."""


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


@pytest.fixture
def other(database: Database, shop: str) -> Product:
    """Put another product on sale: 5.00 a piece."""
    return database.sell(shop, price=500)


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
