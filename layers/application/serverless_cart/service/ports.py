"""The interface of the service to the database (contract: Shop API)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from serverless_cart.domain.cart import Cart, CartItem, ItemAddition, ItemUpdate, Owner, Snapshots, Wanted
from serverless_cart.domain.discounts import DiscountSnapshot
from serverless_cart.domain.guests import Merge
from serverless_cart.domain.methods import Kind, Method, ShippingSnapshot
from serverless_cart.domain.product import ProductSnapshot


class Conflict(Exception):
    """The cart was not as the change expected; ``current`` is the cart as stored. Nothing was written."""

    def __init__(self, current: Cart) -> None:
        """Keep the cart out of the exception's text, which might be logged."""
        super().__init__()
        self.current = current


class MergeConflict(Exception):
    """A cart or the guest's token was not as it was read. Nothing was written."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The idempotency key of a request: the digest of the key and the fingerprint of the request."""

    digest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Change:
    """The parameters that all changes of a cart share.

    ``at`` is the time in milliseconds since 1970; ``key`` is stored with the cart; ``same_version`` requires the
    version that was read; ``refreshed`` are items of the cart, by product id, to store their snapshots and
    shown prices; ``shipping`` and ``discount`` are newer snapshots of the selected shipping method and of the discount
    code to store.
    """

    at: int
    key: IdempotencyKey | None = None
    same_version: bool = False
    refreshed: Mapping[int, CartItem] = field(default_factory=dict)
    shipping: ShippingSnapshot | None = None
    discount: DiscountSnapshot | None = None


class CartStore(Protocol):
    """The carts of all customers, and the products in them. Its methods raise `Unavailable`.

    Every change is one conditional write and returns the cart after it. It raises `Conflict` if the cart was not as
    the change expected, and `Ambiguous` if the write may have been applied.
    """

    def read(self, owner: Owner) -> Cart:
        """Read a cart in one call."""
        ...

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, ProductSnapshot | None]:
        """Read a cart and a product in one call; no snapshot if the catalogue has no such product."""
        ...

    def read_with_methods(self, owner: Owner) -> tuple[Cart, dict[Kind, list[Method]]]:
        """Read a cart and the shop's shipping and payment methods in one call."""
        ...

    def read_with_discount(self, owner: Owner, key: str) -> tuple[Cart, DiscountSnapshot | None]:
        """Read a cart and a discount code in one call, by the normalised code; no snapshot if there is none."""
        ...

    def read_again(self, owner: Owner, wanted: Wanted) -> Snapshots:
        """Read what is wanted, 100 items of the table per call.

        A product that has left the catalogue is returned as not for sale, a removed shipping method as not offered,
        and a discount code that does not exist any more as not active.
        """
        ...

    def add(self, owner: Owner, cart: Cart, snapshot: ProductSnapshot, addition: ItemAddition, change: Change) -> Cart:
        """Add a quantity of a product.

        The same write works for an absent cart, a new item and an existing item, so parallel additions do not conflict.
        Its condition includes the limits of `Cart.check_can_add`.
        """
        ...

    def update_item(self, owner: Owner, cart: Cart, product_id: int, update: ItemUpdate, change: Change) -> Cart:
        """Set an item's quantity, its notes or both. The write requires that the item is in the cart."""
        ...

    def remove(self, owner: Owner, cart: Cart, product_id: int, change: Change) -> Cart:
        """Remove an item. The write requires that the item is in the cart."""
        ...

    def select(self, owner: Owner, cart: Cart, selections: Mapping[str, int | None], change: Change) -> Cart:
        """Set the cart's selections, by name; ``None`` clears one. Creates an absent cart.

        ``change.shipping`` is the snapshot of the shipping method if this selects one.
        """
        ...

    def set_discount(self, owner: Owner, cart: Cart, discount: DiscountSnapshot | None, change: Change) -> Cart:
        """Set the cart's discount code; ``None`` removes it. Creates an absent cart."""
        ...

    def clear(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Remove all items; the creation time, the selections, the discount code and the idempotency records stay.

        The write requires that the cart has the products that were read.
        """
        ...

    def record_shown(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Store the newer snapshots and shown prices of a change; the version of the cart stays.

        The write requires that those in the cart are as they were read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest's cart, and the digest of the guest's token; it is ``revoked`` when all items have been moved."""

    owner: Owner
    cart: Cart
    digest: str
    revoked: bool = False


class MergeStore(CartStore, Protocol):
    """The carts, and the tokens of guests. Its methods raise `Unavailable`."""

    def read_for_merge(self, owner: Owner, digest: str) -> tuple[Cart, Guest | None]:
        """Read a customer's cart and a guest in one call; no guest if no guest of this shop has such a token."""
        ...

    def merge(self, owner: Owner, cart: Cart, guest: Guest, merge: Merge, change: Change) -> Cart:
        """Write both carts and revoke the token of a guest who keeps no item: one transaction, none if nothing changes.

        Returns the customer's cart. Raises `MergeConflict` if a cart is not as it was read.
        """
        ...
