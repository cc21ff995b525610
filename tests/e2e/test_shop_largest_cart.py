"""Shop API: the largest cart: all that a customer may add, of products with the longest texts."""

from collections.abc import Callable
from typing import Any

import pytest

from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import product_to_item
from tests.support.shopper import Shopper, assert_invalid
from tools.support.clients import Customer
from tools.support.database import Database

NOTES = "🛒" * 500
PRICE = (2**53 - 1) // (100 * 9_999 + 1)


@pytest.fixture(scope="module")
def products(database: Database, shop: str) -> list[Product]:
    """Sell a hundred products with the longest texts of a catalogue, and one more."""
    products = []
    for n in range(101):
        id_ = 2**53 - 2 - n
        ref, image = f"{n:064d}", f"https://img.example/{n}/".ljust(512, "x")
        products.append(Product(id_, ref, "é" * 253 + "€" * 2, image, PRICE, 0, 2**53 - 1, active=True))
        assert (len(products[n].name), len(products[n].name.encode()), products[n].faults()) == (255, 512, [])
    products[0] = Product(products[0].id, "é" * 32, "🛒" * 128, products[0].image, PRICE, 0, None, active=True)
    assert products[0].faults() == []
    database.put(product_to_item(shop, product) for product in products)
    return products


@pytest.fixture(scope="module")
def filled(new_customer: Callable[[], Customer], products: list[Product]) -> Customer:
    """Make a customer who has added all of them, in the largest quantity."""
    customer = new_customer()
    customer.select(address=2**53 - 1, shipping_method=2**53 - 1, payment_method=2**53 - 1)
    for n, product in enumerate(products[:100]):
        headers = {"Idempotency-Key": f"{n:0255d}"}
        assert customer.add(product.id, quantity=9_999, notes=NOTES, headers=headers).status == 200
    return customer


@pytest.fixture
def shopper(customer: Customer, filled: Customer, database: Database, products: list[Product]) -> Shopper:
    """Make a customer with a copy of that cart."""
    database.copy_cart(filled.owner, customer.owner)
    return Shopper(customer, products[0], customer.read().body["items"][0]["id"])


def shown(product: Product) -> dict[str, Any]:
    return {
        "ref": product.ref,
        "product": {"id": product.id, "name": product.name, "image": product.image},
        "quantity": 9_999,
        "notes": NOTES,
        "unit_price": PRICE,
        "total": PRICE * 9_999,
    }


def test_largest_cart_is_read(filled: Customer, products: list[Product]) -> None:
    cart = filled.read().body
    assert [{name: item[name] for name in shown(products[0])} for item in cart["items"]] == [
        shown(product) for product in products[:100]
    ]
    assert (cart["count"], cart["quantity"], cart["warnings"]) == (100, 999_900, [])
    assert cart["total"] == 999_900 * PRICE < 2**53


def test_largest_cart_fits_in_a_row(filled: Customer, database: Database) -> None:
    row = database.cart(filled.owner)
    assert row is not None
    assert sum(name.startswith("key#") for name in row) == 32
    # DynamoDB counts the bytes of names and texts; a number has at most as many bytes as digits.
    parts = [(name, part) for name, value in row.items() for part in value.values()]
    texts = [text for name, part in parts for text in (name, *(part if isinstance(part, list) else [part]))]
    assert 300 * 1024 < sum(len(text.encode()) for text in texts) < 0.95 * 400 * 1024


def test_largest_cart_gets_new_prices(shopper: Shopper, database: Database) -> None:
    before = shopper.ask("read").body
    database.age_prices(shopper.customer.owner, 60)
    row = database.cart(shopper.customer.owner)
    assert shopper.ask("read").body == before
    changed = shopper.ask("select", headers={"Idempotency-Key": "k"})
    assert changed.body == {**before, "address": 7, "updated_at": changed.body["updated_at"]}
    now = database.cart(shopper.customer.owner)
    assert row is not None
    assert now is not None
    assert all(now[name]["S"] > value["S"] for name, value in row.items() if name.startswith("snap#"))


def test_largest_cart_is_full(shopper: Shopper, database: Database, products: list[Product]) -> None:
    row = database.cart(shopper.customer.owner)
    assert_invalid(shopper.customer.add(products[100].id, notes=NOTES), "cart is full", "product")
    assert_invalid(shopper.ask("add"), "cart is full", "quantity")
    assert database.cart(shopper.customer.owner) == row


def test_largest_cart_is_changed_and_cleared(shopper: Shopper, database: Database, products: list[Product]) -> None:
    assert shopper.ask("update", json={"quantity": 1, "notes": NOTES[::-1]}).body["items"][0]["total"] == PRICE
    cart = shopper.ask("remove").body
    assert (cart["count"], cart["quantity"]) == (99, 99 * 9_999)
    assert shopper.customer.add(products[100].id, quantity=9_999, notes=NOTES).body["count"] == 100
    cleared = shopper.ask("clear").body
    assert (cleared["items"], cleared["total"], cleared["address"]) == ([], 0, cart["address"])
    row = database.cart(shopper.customer.owner)
    assert row is not None
    assert [name for name in row if name.endswith(tuple(f"#{product.id}" for product in products))] == []
