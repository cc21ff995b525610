"""What the service needs of the database (docs/contract.md, Shop API)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from serverless_cart.domain.cart import Cart, ItemAddition, ItemUpdate, Owner
from serverless_cart.domain.product import Product, ProductSnapshot


class Conflict(Exception):
    """The cart was not as the change assumed; ``current`` is the cart as it was. Nothing was written."""

    def __init__(self, current: Cart) -> None:
        """Keep the cart out of the exception's text, which might be logged."""
        super().__init__()
        self.current = current


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The idempotency key of a request: the key's digest, and the fingerprint of the request that it belongs to."""

    digest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Change:
    """What every write of a cart has in common.

    ``at`` is the time in milliseconds since 1970; ``key`` is remembered; ``same_version`` requires the version that was
    read; ``refreshed`` are newer snapshots, by product id, to store with items of the cart.
    """

    at: int
    key: IdempotencyKey | None = None
    same_version: bool = False
    refreshed: Mapping[int, ProductSnapshot] = field(default_factory=dict)


class CartStore(Protocol):
    """The carts of all customers, and the products in them. Its methods raise `Unavailable`.

    Every change is one conditional write and returns the cart after it. It raises `Conflict` if the cart was not as
    the change assumed, and `Ambiguous` if the write may have been applied.
    """

    def read(self, owner: Owner) -> Cart:
        """Read a cart in one call."""
        ...

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, ProductSnapshot | None]:
        """Read a cart and a product in one call; no snapshot if the catalogue has no such product."""
        ...

    def read_products(self, shop: str, products: Collection[Product]) -> dict[int, ProductSnapshot]:
        """Read products again, 100 in one call; a product that has left the catalogue is returned as not for sale."""
        ...

    def add(self, owner: Owner, cart: Cart, snapshot: ProductSnapshot, addition: ItemAddition, change: Change) -> Cart:
        """Add a quantity of a product.

        Serves an absent cart, a new item and an existing item: parallel additions do not conflict. The limits of
        `Cart.check_can_add` are part of the write's condition.
        """
        ...

    def update_item(self, owner: Owner, cart: Cart, product_id: int, update: ItemUpdate, change: Change) -> Cart:
        """Set an item's quantity, its notes or both. The item's presence is part of the write's condition."""
        ...

    def remove(self, owner: Owner, cart: Cart, product_id: int, change: Change) -> Cart:
        """Remove an item. The item's presence is part of the write's condition."""
        ...

    def select(self, owner: Owner, cart: Cart, selections: Mapping[str, int | None], change: Change) -> Cart:
        """Set the cart's selections, by name; ``None`` clears one. Creates an absent cart."""
        ...

    def clear(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Remove all items; the creation time, the selections and the idempotency records stay.

        That the cart has the same products as when it was read is part of the write's condition.
        """
        ...
