"""The largest cart that the limits allow, within the 400 KB of a DynamoDB item (docs/table.md)."""

from dataclasses import replace
from typing import Any

import pytest

from serverless_cart.domain import limits
from serverless_cart.domain.cart import NO_SNAPSHOTS, Selections, price
from serverless_cart.domain.checkout import NewOrder, make_order
from serverless_cart.domain.methods import PaymentMethod
from serverless_cart.domain.orders import new_key
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.carts import cart_from_item, cart_to_item
from serverless_cart.dynamodb.order_item import order_to_item
from tests.support.builders import OWNER, cart, item, largest_cart, largest_product
from tools.support.events import NOW
from tools.support.item_size import size_of


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ({"a": {"S": "é"}}, 3),
        ({"n": {"N": "27"}}, 3),
        ({"n": {"N": "-27"}}, 4),
        ({"n": {"N": "1" * 38}}, 21),
        ({"s": {"NS": ["27", "28"]}}, 10),
        ({"l": {"L": [{"S": "é"}, {"S": ""}]}}, 8),
    ],
)
def test_size_is_that_of_dynamodbs_guide(row: dict[str, Any], size: int) -> None:
    assert size_of(row) == size


def test_largest_cart_fits_an_item() -> None:
    it = largest_cart()
    owner = OWNER._replace(shop="s" * 1000, customer="c" * 1000)  # a key of 2,048 bytes has no room for more
    assert [line.snapshot.product.faults() for line in it.items.values()] == [[]] * 100
    assert {len(line.notes.encode()) for line in it.items.values()} == {2000}

    row = cart_to_item(owner, it, NOW)

    assert cart_from_item(row, NOW) == it
    assert size_of(row) == 362_316 < 400 * 1024


@pytest.mark.parametrize("character", ["🎁", "\x01", '"'], ids=ascii)
def test_largest_order_fits_an_item(character: str) -> None:
    sold = replace(largest_cart(), selections=Selections(*[limits.MAX_SAFE_INTEGER] * 3))
    sold = replace(sold, items={id_: it._replace(notes=character * 500) for id_, it in sold.items.items()})
    owner = OWNER._replace(customer="c" * 1000)
    new = NewOrder(new_key(), character * 500, "EUR", NOW, 1800, [largest_payment_method()])

    row = order_to_item(make_order(price(owner, sold), NO_SNAPSHOTS, new))

    assert size_of(row) < 360_000 < 400 * 1024


def largest_payment_method() -> PaymentMethod:
    return PaymentMethod(limits.MAX_SAFE_INTEGER, "n", next_step="https://a/" + "x" * (limits.NEXT_STEP_BYTES - 10))


@pytest.mark.parametrize("character", ["x", "ä", "€", "🎁", '"', "\\", "\n", "\x01", "\x7f", "\u2028"], ids=ascii)
@pytest.mark.parametrize("field", ["ref", "name", "image"])
def test_no_text_makes_a_larger_item(character: str, field: str) -> None:
    bytes_of_one = len(character.encode())
    most = {
        "ref": limits.PRODUCT_REF_BYTES // bytes_of_one,
        "name": min(limits.PRODUCT_NAME_LENGTH, limits.PRODUCT_NAME_BYTES // bytes_of_one),
        "image": limits.PRODUCT_IMAGE_BYTES // bytes_of_one,
    }[field]
    largest = largest_product(7)
    changes: dict[str, Any] = {field: character * most}
    it = largest._replace(**changes)

    assert it.faults() or size_with(it) <= size_with(largest)


def size_with(it: Product) -> int:
    return size_of(cart_to_item(OWNER, cart(item(it)), NOW))
