"""The catalogue: one item a product."""

from typing import Any

from storefront.domain.product import Product
from storefront.store import keys
from storefront.store.table import Item


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
        id=int(item["pk"]["S"].rpartition("#")[2]),
        ref=item["ref"]["S"],
        name=item["name"]["S"],
        image=item["image"]["S"] if "image" in item else None,
        price=int(item["price"]["N"]),
        discount=int(item["discount"]["N"]),
        stock=int(item["stock"]["N"]) if "stock" in item else None,
        active=item["active"]["BOOL"],
    )
