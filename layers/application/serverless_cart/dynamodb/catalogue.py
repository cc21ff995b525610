"""The catalogue: one item of the table per product."""

import heapq
from collections.abc import Collection, Iterable, Iterator

from serverless_cart.domain.product import Product
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    key_of,
    number,
    read_int,
    read_optional_int,
    read_optional_text,
    read_text,
    text,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import ATTEMPTS, ConditionFailed, Table
from serverless_cart.service.errors import Ambiguous


class ProductGone(Exception):
    """The product to change does not exist any more."""


class Catalogue:
    """The products of one shop. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, shop: str) -> None:
        """``shop`` is the name of the shop."""
        self._table = table
        self._shop = shop

    def products(self) -> Iterator[Product]:
        """List all products by ascending id, with bounded memory."""
        partitions = [map(product_from_item, self._table.items_of(pk)) for pk in keys.catalogue(self._shop)]
        return heapq.merge(*partitions, key=lambda product: product.id)

    def ids(self) -> Iterator[tuple[int, list[int]]]:
        """List the ids of all products, a page at a time, each with the number of partitions before it."""
        for before, partition in enumerate(keys.catalogue(self._shop)):
            for page in self._table.keys_of(partition):
                yield before, [keys.product_id(key) for key in page]

    def find(self, ids: Collection[int]) -> dict[int, Product]:
        """Read products, consistently: 100 per call. Absent ones are left out."""
        found = self._table.get_many([keys.product(self._shop, id_) for id_ in ids])
        return {product.id: product for product in map(product_from_item, found.values())}

    def put(self, products: Iterable[Product]) -> None:
        """Create or replace products: 25 per call. May be repeated."""
        self._table.write_many({"PutRequest": {"Item": product_to_item(self._shop, it)}} for it in products)

    def change(self, before: Product, after: Product) -> None:
        """Write the attributes that differ, in one call; all others stay as they are. May be repeated.

        Raises `ProductGone` if the product was deleted after ``before`` was read.
        """
        old, new = product_to_item(self._shop, before), product_to_item(self._shop, after)
        change = Expression()
        change.require_present("pk")
        for name in sorted(old.keys() | new.keys()):
            if name not in new:
                change.remove(name)
            elif new[name] != old.get(name):
                change.set(name, new[name])
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                self._table.update(keys.product(self._shop, after.id), change)
            except ConditionFailed:
                raise ProductGone from None
            except Ambiguous:  # the same values again are no second change
                if not attempts_left:
                    raise
            else:
                return

    def remove(self, ids: Iterable[int]) -> None:
        """Delete products: 25 per call. May be repeated."""
        self._table.write_many({"DeleteRequest": {"Key": key_attributes(keys.product(self._shop, id_))}} for id_ in ids)


def product_to_item(shop: str, product: Product) -> Item:
    """Write a product as an item of the table."""
    item: Item = {
        **key_attributes(keys.product(shop, product.id)),
        "ref": text(product.ref),
        "name": text(product.name),
        "price": number(product.price),
        "discount": number(product.discount),
        "active": {"BOOL": product.active},
    }
    if product.image is not None:
        item["image"] = text(product.image)
    if product.stock is not None:
        item["stock"] = number(product.stock)
    return item


def product_from_item(item: Item) -> Product:
    """Read what `product_to_item` wrote."""
    return Product(
        id=keys.product_id(key_of(item)),
        ref=read_text(item, "ref"),
        name=read_text(item, "name"),
        image=read_optional_text(item, "image"),
        price=read_int(item, "price"),
        discount=read_int(item, "discount"),
        stock=read_optional_int(item, "stock"),
        active=item["active"]["BOOL"],
    )
