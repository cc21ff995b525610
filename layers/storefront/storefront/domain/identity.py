"""The numbers by which the outside knows carts and items (contract: Cart and Item, ``id``).

They are derived, so that they exist before anything is written and never need a counter; and they are drawn from 2^53
values, so that a browser reads them exactly.
"""

import hashlib

from storefront.domain.cart import Owner


def cart_id(owner: Owner) -> int:
    """Return the id of a customer's cart."""
    return _number("cart", owner.shop, owner.customer)


def item_id(owner: Owner, product_id: int) -> int:
    """Return the id of a product's item in a customer's cart: never another customer's."""
    return _number("item", owner.shop, owner.customer, str(product_id))


def _number(*parts: str) -> int:
    """Digest the parts, each with its length in front so that none can run into the next, to 53 bits."""
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") >> 3
