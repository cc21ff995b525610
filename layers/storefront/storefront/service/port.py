"""What the service needs of a store of carts, whichever it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from storefront.domain.cart import Addition, Cart, Owner, Revision
from storefront.domain.product import Product, Reading


class Conflict(Exception):
    """The cart was not as the change supposed; ``current`` is how it stood. Nothing was written."""

    def __init__(self, current: Cart) -> None:
        """Keep the cart out of the exception's text, which might be logged."""
        super().__init__()
        self.current = current


@dataclass(frozen=True, slots=True)
class UsedKey:
    """The idempotency key of a change: the key's digest and the fingerprint of the request that it belongs to."""

    digest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Change:
    """What goes with every change of a cart.

    ``at`` is milliseconds since 1970; ``key`` is to be remembered; ``same_version`` asks for the version that the cart
    had when it was read; ``refreshed`` are newer readings of lines that are in the cart, to be kept.
    """

    at: int
    key: UsedKey | None = None
    same_version: bool = False
    refreshed: Mapping[int, Reading] = field(default_factory=dict)


class CartStore(Protocol):
    """The carts of all customers and the products that stand in them. Its methods raise `Unavailable`.

    Every change is one conditional write and returns the cart as it then stands. It raises `Conflict` where the cart
    was not as supposed, and `Ambiguous` where the write may have been applied.
    """

    def read(self, owner: Owner) -> Cart:
        """Read a cart in one call."""
        ...

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, Reading | None]:
        """Read a cart and a product of the catalogue in one call; no reading where there is no such product."""
        ...

    def read_products(self, shop: str, products: Collection[Product]) -> dict[int, Reading]:
        """Read products anew in one call a hundred; what the catalogue no longer knows is read as not for sale."""
        ...

    def add(self, owner: Owner, cart: Cart, reading: Reading, addition: Addition, change: Change) -> Cart:
        """Add so much of a product.

        Serves the absent cart, the new item and the existing one alike: parallel additions do not conflict. The bounds
        of `Cart.may_add` are part of the write's condition.
        """
        ...

    def revise(self, owner: Owner, cart: Cart, product_id: int, revision: Revision, change: Change) -> Cart:
        """Set an item's quantity, its notes or both. That the item is there is part of the write's condition."""
        ...

    def remove(self, owner: Owner, cart: Cart, product_id: int, change: Change) -> Cart:
        """Remove an item. That the item is there is part of the write's condition."""
        ...

    def select(self, owner: Owner, cart: Cart, selections: Mapping[str, int | None], change: Change) -> Cart:
        """Set the cart's selections, by name; ``None`` clears one. An absent cart is made."""
        ...

    def clear(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Empty a cart; its creation, its selections and its remembered keys stay.

        That no product came or went since the cart was read is part of the write's condition.
        """
        ...
