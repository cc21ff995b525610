"""The merge of a guest's cart into a customer's, in the table (contract: Guests)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from serverless_cart.domain.cart import Cart, CartItem, Owner
from serverless_cart.domain.guests import Merge, guest_customer
from serverless_cart.dynamodb import keys, retries
from serverless_cart.dynamodb.attributes import key_attributes, number
from serverless_cart.dynamodb.carts import (
    DynamoDBCartStore,
    cart_from_item,
    cart_to_item,
    new_cart,
    records_after,
    snapshot_value,
)
from serverless_cart.dynamodb.expiry import require_absent_or_expired
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import TransactionRefused
from serverless_cart.dynamodb.tokens import token_from_item
from serverless_cart.service.ports import Change, Guest, MergeConflict, MergeStore

SPREAD: Final = 2
"""The attempt before which `retries.wait_at_random` waits up to 40 ms: parallel merges then meet less often."""


class DynamoDBMergeStore(DynamoDBCartStore, MergeStore):
    """Carts, products and the tokens of guests in the table."""

    def read_for_merge(self, owner: Owner, digest: str) -> tuple[Cart, Guest | None]:
        """Read with one BatchGetItem."""
        now = self._clock()
        guest = Owner(owner.shop, guest_customer(digest))
        own_key, guest_key, token_key = keys.cart(owner), keys.cart(guest), keys.token(digest)
        found = self._table.get_many(list({own_key, guest_key, token_key}))
        cart = cart_from_item(found.get(own_key), now)
        token = token_from_item(found[token_key]) if token_key in found else None
        if (
            token is None
            or (token.shop, token.customer) != guest
            or not replace(token, revoked=False).is_active(now / 1000)
        ):
            return cart, None
        return cart, Guest(guest, cart_from_item(found.get(guest_key), now), digest, token.revoked)

    def merge(self, owner: Owner, cart: Cart, guest: Guest, merge: Merge, change: Change) -> Cart:
        """Write with one TransactWriteItems: the customer's cart, the guest's cart and the token."""
        revoke = not merge.guest and not guest.revoked
        if not (merge.moved or revoke or change.key):
            return cart
        changed = cart
        writes: list[tuple[str, dict[str, Any]]] = []
        if merge.moved or change.key:
            changed = replace(
                _next(cart, change),
                items=_in_order(merge.customer),
                shipping=change.shipping or cart.shipping,
                discount=merge.discount or change.discount or cart.discount,
                idempotency_records=records_after(cart, change),
            )
            writes.append(self._put(owner, cart, changed, change))
        if merge.moved:
            left = None if merge.discount else guest.cart.discount
            remaining = replace(_next(guest.cart, change), items=merge.guest, discount=left)
            writes.append(self._put(guest.owner, guest.cart, remaining, change))
        else:
            unchanged = {"Key": key_attributes(keys.cart(guest.owner)), **_as_read(guest.cart, change.at).condition()}
            writes.append(("ConditionCheck", unchanged))
        if revoke:
            revocation = Expression()
            revocation.require_present("pk")
            revocation.set("revoked", {"BOOL": True})
            writes.append(("Update", {"Key": key_attributes(keys.token(guest.digest)), **revocation.update()}))
        try:
            self._table.transact(writes)
        except TransactionRefused:
            retries.wait_at_random(SPREAD)
            raise MergeConflict from None
        return changed

    def _put(self, owner: Owner, before: Cart, after: Cart, change: Change) -> tuple[str, dict[str, Any]]:
        item = cart_to_item(owner, after, change.at, self._limits.cart_lifetime)
        return "Put", {"Item": item, **_as_read(before, change.at).condition()}


def _next(cart: Cart, change: Change) -> Cart:
    return replace(cart, version=cart.version + 1, updated_at=change.at) if cart.version else new_cart(change)


def _in_order(items: Mapping[int, CartItem]) -> dict[int, CartItem]:
    return dict(sorted(items.items(), key=lambda entry: (entry[1].added_at, entry[0])))


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
