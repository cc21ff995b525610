"""Guests: anonymous customers, and what becomes of their carts when they sign in (contract: Guests)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from serverless_cart.domain.cart import Cart, CartItem, CartWarning
from serverless_cart.domain.discounts import DiscountSnapshot
from serverless_cart.domain.limits import Limits
from serverless_cart.domain.product import Product, ProductSnapshot

PREFIX: Final = "guest:"
"""The beginning of the customer ids of guests; a shop gives no customer such an id."""
LIFETIME: Final = 30 * 24 * 3600
"""Seconds for which a guest token is valid."""


def guest_customer(digest: str) -> str:
    """Return the customer id of a guest, by the digest of the guest's token."""
    return f"{PREFIX}{digest[:32]}"


class Merge(NamedTuple):
    """Both carts' items after a merge, by product id; ``moved`` is true if anything changes its cart.

    ``discount`` is the guest's discount code for the customer, who had none.
    """

    customer: Mapping[int, CartItem]
    guest: Mapping[int, CartItem]
    moved: bool
    discount: DiscountSnapshot | None = None


def movable(customer: Cart, guest: Cart, limits: Limits) -> list[Product]:
    """List the guest's products for which the customer's cart may have room.

    With the customer's own products, they are at most as many as a cart has items, so one call reads all of them.
    """
    held = [item.snapshot.product for item in guest.items.values() if item.product_id in customer.items]
    new = [item.snapshot.product for item in guest.items.values() if item.product_id not in customer.items]
    new.sort(key=lambda product: not product.active)
    return held + new[: max(0, limits.cart_items - len(customer.items))]


def merge(customer: Cart, guest: Cart, snapshots: Mapping[int, ProductSnapshot], limits: Limits, at: int) -> Merge:
    """Move the guest's items at a time (milliseconds since 1970), up to the stock and the limits.

    ``snapshots`` are of the products that may move. Notes of the customer's own items stay.
    """
    items, left = dict(customer.items), {}
    for product_id, item in guest.items.items():
        own = items.get(product_id)
        held = own.quantity if own else 0
        quantity = min(item.quantity, _room(product_id, held, snapshots, limits))
        if quantity <= 0 or (own is None and len(items) >= limits.cart_items):
            left[product_id] = item
            continue
        base = own._replace(notes=own.notes or item.notes) if own else item
        items[product_id] = base._replace(quantity=held + quantity, updated_at=at).showing(snapshots[product_id])
        if quantity < item.quantity:
            left[product_id] = item._replace(quantity=item.quantity - quantity, updated_at=at)
    return Merge(items, left, moved=left != guest.items)


def _room(product_id: int, held: int, snapshots: Mapping[int, ProductSnapshot], limits: Limits) -> int:
    """Return the pieces of a product that may be added to those that the customer holds; it may be negative."""
    if product_id not in snapshots or not snapshots[product_id].product.active:
        return 0
    stock = snapshots[product_id].product.stock
    return min(limits.item_quantity, limits.item_quantity if stock is None else stock) - held


def not_merged(left: Mapping[int, CartItem]) -> tuple[CartWarning, ...]:
    """Return a warning for each item that stays in the guest's cart (contract: Warnings)."""
    return tuple(
        CartWarning("not_merged", product_id, f"{item.quantity} of {item.snapshot.product.name} not merged")
        for product_id, item in left.items()
    )
