"""The numbers by which the outside knows carts and items (contract: Cart and Item, ``id``).

They are derived, so that they exist before anything is written and never need a counter; and they are drawn from 2^53
values, so that a browser reads them exactly.
"""

import hashlib

from storefront.domain.cart import Owner


def cart_id(owner: Owner) -> int:
    """Return the id of a customer's cart."""
    return _number(f"4:cart{_named(owner)}")


def item_id(owner: Owner, product_id: int) -> int:
    """Return the id of a product's item in a customer's cart: never another customer's."""
    product = str(product_id)
    return _number(f"4:item{_named(owner)}{len(product)}:{product}")


def _named(owner: Owner) -> str:
    """Name shop and customer, each with its length in front so that neither can run into what follows."""
    return f"{len(owner.shop)}:{owner.shop}{len(owner.customer)}:{owner.customer}"


def _number(name: str) -> int:
    """Digest a name to 53 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big") >> 3
