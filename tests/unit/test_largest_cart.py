"""The largest cart that the limits allow, against the 400 KB that an item of DynamoDB's may have (docs/table.md)."""

from typing import Any

import pytest

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, IdempotencyRecord, ItemAddition, Selections
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_from_item, cart_to_item
from serverless_cart.dynamodb.keys import Key
from serverless_cart.service.ports import Change, IdempotencyKey
from tests.support.builders import OWNER, cart, item, product, snapshot
from tests.unit.memory import MemoryTable
from tools.support.events import NOW
from tools.support.item_size import size_of


def largest_product(number: int) -> Product:
    """Return a product whose line takes the most bytes that a catalogue allows.

    JSON doubles quotes and backslashes; of a name's 255 characters so many may be such that its 512 bytes are full too.
    """
    return product(
        number,
        ref='"' * limits.PRODUCT_REF_BYTES,
        name='"' * 169 + "🎁" * 85 + "€",
        image="x" * limits.PRODUCT_IMAGE_BYTES,
        price=limits.PRODUCT_PRICE,
        discount=limits.PRODUCT_PRICE,
        stock=limits.MAX_SAFE_INTEGER,
        active=False,
    )


def largest_cart() -> Cart:
    """Return a cart at every limit at once."""
    lines = [
        item(
            largest_product(limits.MAX_SAFE_INTEGER - number),
            CONTRACT_LIMITS.item_quantity,
            notes="🎁" * limits.NOTES_LENGTH,
        )
        for number in range(CONTRACT_LIMITS.cart_items)
    ]
    keys = {f"{number:016}": IdempotencyRecord("f" * 11, NOW - number) for number in range(limits.IDEMPOTENCY_RECORDS)}
    return cart(*lines, idempotency_records=keys, version=NOW, selections=Selections(*[limits.MAX_SAFE_INTEGER] * 3))


def test_an_item_s_size_is_counted_as_dynamodb_counts_it() -> None:
    """By the examples in its guide: names and values, 27 as two bytes, and a set with its overhead."""
    assert size_of({"a": {"S": "é"}}) == 3
    assert size_of({"n": {"N": "27"}}) == 3
    assert size_of({"n": {"N": "-27"}}) == 4
    assert size_of({"n": {"N": "1" * 38}}) == 21
    assert size_of({"s": {"NS": ["27", "28"]}}) == 1 + 3 + 2 * 3


def test_the_largest_cart_stays_inside_dynamodb_s_400_kb_with_room_to_spare() -> None:
    """A hundred items at every bound, 500 characters of four bytes of notes each, 32 keys: 348 of 400 KB."""
    it = largest_cart()
    assert len(it.items) == 100
    assert len(it.idempotency_records) == 32
    assert [line.snapshot.product.faults() for line in it.items.values()] == [[]] * 100
    assert {len(line.notes.encode()) for line in it.items.values()} == {2000}
    owner = OWNER._replace(shop="s" * 1000, customer="c" * 1000)  # a key of 2,048 bytes holds no more

    row = cart_to_item(owner, it, NOW)

    assert cart_from_item(row, NOW) == it
    size = size_of(row)
    assert size == 356_394
    assert size < 380_000 < 400 * 1024


def test_the_largest_cart_is_emptied_in_one_write_and_can_be_filled_again() -> None:
    table, it = MemoryTable(), largest_cart()
    row = cart_to_item(OWNER, it, NOW)
    table.rows[Key(row["pk"]["S"], row["sk"]["S"])] = row
    store = DynamoDBCartStore(table, lambda: NOW)

    emptied = store.clear(OWNER, it, Change(NOW, IdempotencyKey("k" * 16, "f" * 11), same_version=True))

    assert table.calls == ["UpdateItem"]
    assert (emptied.items, emptied.selections, len(emptied.idempotency_records)) == ({}, it.selections, 32)
    assert store.add(OWNER, emptied, snapshot(product()), ItemAddition(123, 1, None), Change(NOW)).items.keys() == {123}


@pytest.mark.parametrize("character", ["x", "ä", "€", "🎁", '"', "\\", "\n", "\x01", "\x7f", "\u2028"], ids=ascii)
@pytest.mark.parametrize("field", ["ref", "name", "image"])
def test_no_text_that_a_catalogue_takes_makes_a_larger_line(character: str, field: str) -> None:
    """Whatever it is made of: what JSON writes with more bytes than two is not taken at all."""
    size = len(character.encode())
    bound = {
        "ref": limits.PRODUCT_REF_BYTES // size,
        "name": min(limits.PRODUCT_NAME_LENGTH, limits.PRODUCT_NAME_BYTES // size),
        "image": limits.PRODUCT_IMAGE_BYTES // size,
    }[field]
    largest = largest_product(limits.MAX_SAFE_INTEGER)
    changes: dict[str, Any] = {field: character * bound}
    it = largest._replace(**changes)

    assert it.faults() or size_of(line_of(it)) <= size_of(line_of(largest))


def line_of(it: Product) -> Item:
    """Return a row with one line."""
    return cart_to_item(OWNER, cart(item(it)), NOW)
