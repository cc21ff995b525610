"""Shop API: the largest cart that there can be: all that a customer may add, of products as long as they may be."""

from collections.abc import Callable
from typing import Any

import pytest

from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import product_to_item
from tests.support.shopper import Shopper, assert_invalid
from tools.support.clients import Customer
from tools.support.database import Database

NOTES = "🛒" * 500
PRICE = (2**53 - 1) // (100 * 9_999)


@pytest.fixture(scope="module")
def products(database: Database, shop: str) -> list[Product]:
    """Put a hundred products on sale that are as long as a catalogue takes them, and one more."""
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
    """Make a customer who has added all of it, as much as there may be of each."""
    customer = new_customer()
    customer.select(address=2**53 - 1, shipping_method=2**53 - 1, payment_method=2**53 - 1)
    for n, product in enumerate(products[:100]):
        headers = {"Idempotency-Key": f"{n:0255d}"}
        assert customer.add(product.id, quantity=9_999, notes=NOTES, headers=headers).status == 200
    return customer


@pytest.fixture
def shopper(customer: Customer, filled: Customer, database: Database, products: list[Product]) -> Shopper:
    """Make a customer with the same cart, and tell which is the first item."""
    database.copy_cart(filled.owner, customer.owner)
    return Shopper(customer, products[0], customer.read().body["items"][0]["id"])


def shown(product: Product) -> dict[str, Any]:
    """Return what a cart shows of a product and what the customer said of it."""
    return {
        "ref": product.ref,
        "product": {"id": product.id, "name": product.name, "image": product.image},
        "quantity": 9_999,
        "notes": NOTES,
        "unit_price": PRICE,
        "total": PRICE * 9_999,
    }


def test_all_of_it_is_read(filled: Customer, products: list[Product]) -> None:
    cart = filled.read().body
    assert [{name: item[name] for name in shown(products[0])} for item in cart["items"]] == [
        shown(product) for product in products[:100]
    ]
    assert (cart["count"], cart["quantity"], cart["warnings"]) == (100, 999_900, [])
    assert cart["total"] == 999_900 * PRICE < 2**53


def test_it_fits_the_table_with_room_to_spare(filled: Customer, database: Database) -> None:
    row = database.cart(filled.owner)
    assert row is not None
    assert sum(name.startswith("key#") for name in row) == 32
    # DynamoDB counts the bytes of names and texts; of a number it counts no more bytes than it has digits.
    texts = [text for name, value in row.items() for part in value.values() for text in (name, *_texts(part))]
    assert 300 * 1024 < sum(len(text.encode()) for text in texts) < 0.95 * 400 * 1024


def _texts(value: str | list[str]) -> list[str]:
    """Return the texts that a stored value is made of."""
    return value if isinstance(value, list) else [value]


def test_all_of_it_is_priced_anew_and_the_next_change_keeps_that(shopper: Shopper, database: Database) -> None:
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


def test_no_further_product_fits(shopper: Shopper, database: Database, products: list[Product]) -> None:
    row = database.cart(shopper.customer.owner)
    assert_invalid(shopper.customer.add(products[100].id, notes=NOTES), "cart is full", "product")
    assert_invalid(shopper.ask("add"), "cart is full", "quantity")
    assert database.cart(shopper.customer.owner) == row


def test_its_items_can_be_changed_and_removed(shopper: Shopper, products: list[Product]) -> None:
    assert shopper.ask("revise", json={"quantity": 1, "notes": NOTES[::-1]}).body["total"] == PRICE
    cart = shopper.ask("remove").body
    assert (cart["count"], cart["quantity"]) == (99, 99 * 9_999)
    assert shopper.customer.add(products[100].id, quantity=9_999, notes=NOTES).body["count"] == 100


def test_it_can_be_emptied(shopper: Shopper, database: Database, products: list[Product]) -> None:
    before = shopper.ask("read").body
    cart = shopper.ask("clear").body
    assert (cart["items"], cart["total"], cart["address"]) == ([], 0, before["address"])
    row = database.cart(shopper.customer.owner)
    assert row is not None
    assert [name for name in row if name.endswith(tuple(f"#{product.id}" for product in products))] == []
    assert shopper.ask("add").body["count"] == 1
