"""The catalogue: one item a product."""

import heapq
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from storefront.domain.product import Product
from storefront.store import keys
from storefront.store.table import Item, Table, key_attributes, key_of


class Catalogue:
    """The products of one shop. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, shop: str) -> None:
        """``shop`` is the name of the shop whose catalogue it is."""
        self._table = table
        self._shop = shop

    def products(self) -> Iterator[Product]:
        """List all products by ascending id, a bounded number of them being held at a time."""
        partitions = [map(product_from_item, self._table.items_of(pk)) for pk in keys.catalogue(self._shop)]
        return heapq.merge(*partitions, key=lambda product: product.id)

    def ids(self) -> Iterator[list[int]]:
        """List the ids of all products, a page at a time."""
        for partition in keys.catalogue(self._shop):
            for page in self._table.keys_of(partition):
                yield [keys.product_id(key) for key in page]

    def find(self, ids: Collection[int]) -> dict[int, Product]:
        """Read products, consistently: one call for a hundred. Those that are not there are left out."""
        found = self._table.get_many([keys.product(self._shop, id_) for id_ in ids])
        return {product.id: product for product in map(product_from_item, found.values())}

    def put(self, products: Iterable[Product]) -> None:
        """Write products, whether they are there or not: one call for 25. It may be repeated."""
        self._table.write_many({"PutRequest": {"Item": product_to_item(self._shop, it)}} for it in products)

    def remove(self, ids: Iterable[int]) -> None:
        """Remove products: one call for 25. It may be repeated."""
        self._table.write_many({"DeleteRequest": {"Key": key_attributes(keys.product(self._shop, id_))}} for id_ in ids)


def product_to_item(shop: str, product: Product) -> Item:
    """Write a product as an item of the table."""
    key = keys.product(shop, product.id)
    item: dict[str, Any] = {
        "pk": {"S": key.pk},
        "sk": {"S": key.sk},
        "ref": {"S": product.ref},
        "name": {"S": product.name},
        "price": {"N": str(product.price)},
        "discount": {"N": str(product.discount)},
        "active": {"BOOL": product.active},
    }
    if product.image is not None:
        item["image"] = {"S": product.image}
    if product.stock is not None:
        item["stock"] = {"N": str(product.stock)}
    return item


def product_from_item(item: Item) -> Product:
    """Read what `product_to_item` wrote."""
    return Product(
        id=keys.product_id(key_of(item)),
        ref=item["ref"]["S"],
        name=item["name"]["S"],
        image=item["image"]["S"] if "image" in item else None,
        price=int(item["price"]["N"]),
        discount=int(item["discount"]["N"]),
        stock=int(item["stock"]["N"]) if "stock" in item else None,
        active=item["active"]["BOOL"],
    )
