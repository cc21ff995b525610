"""The public ids of carts, items and orders (contract: Cart).

They are derived, so they exist before anything is written and need no counter. They are below 2^53, so a browser reads
them exactly.
"""

import hashlib
from functools import lru_cache

from serverless_cart.domain.cart import Owner


def cart_id(owner: Owner) -> int:
    """Return the id of a customer's cart."""
    return _number(f"4:cart{_named(owner)}")


def item_id(owner: Owner, product_id: int) -> int:
    """Return the id of a product's item in a customer's cart, never another customer's (contract: Item)."""
    product = str(product_id)
    return _number(f"4:item{_named(owner)}{len(product)}:{product}")


def order_id(shop: str, key: str) -> int:
    """Return the id of an order with this key (contract: Order)."""
    return _number(f"5:order{len(shop)}:{shop}{len(key)}:{key}")


@lru_cache(maxsize=128)
def _named(owner: Owner) -> str:
    """Join shop and customer, each after its length, so that no two owners have the same text."""
    return f"{len(owner.shop)}:{owner.shop}{len(owner.customer)}:{owner.customer}"


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big") >> 3
