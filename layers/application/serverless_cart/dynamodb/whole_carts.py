"""A whole cart as one write of a transaction, on the condition that the cart is as it was read."""

from dataclasses import replace

from serverless_cart.domain.cart import Cart, Owner
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_attributes, number
from serverless_cart.dynamodb.carts import cart_to_item, new_cart, snapshot_value
from serverless_cart.dynamodb.expiry import require_absent_or_expired
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import Write
from serverless_cart.service.ports import Change


def next_version(cart: Cart, change: Change) -> Cart:
    """Return the cart with the version and the time of a change; a new cart if there is none."""
    return replace(cart, version=cart.version + 1, updated_at=change.at) if cart.version else new_cart(change)


def replacement(owner: Owner, before: Cart, after: Cart, at: int, lifetime: int) -> Write:
    """Replace the cart at a time (milliseconds); the new one expires after ``lifetime`` seconds."""
    return "Put", {"Item": cart_to_item(owner, after, at, lifetime), **_as_read(before, at).condition()}


def check(owner: Owner, cart: Cart, at: int) -> Write:
    """Change nothing, but require the cart at a time (milliseconds)."""
    return "ConditionCheck", {"Key": key_attributes(keys.cart(owner)), **_as_read(cart, at).condition()}


def _as_read(cart: Cart, at: int) -> Expression:
    """Require that a cart is as it was read. The version does not show which prices a read has recorded as shown."""
    write = Expression()
    if cart.version:
        write.require_equal("version", number(cart.version))
    else:
        require_absent_or_expired(write, at)
    for product_id, item in cart.items.items():
        write.require_equal(f"snap#{product_id}", snapshot_value(item))
    return write
