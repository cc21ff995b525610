"""The merge of a guest's cart into a customer's, in the table (contract: Guests)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from serverless_cart.domain.cart import Cart, CartItem, Owner
from serverless_cart.domain.guests import Merge, guest_customer
from serverless_cart.dynamodb import keys, retries
from serverless_cart.dynamodb.attributes import key_attributes
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_from_item, records_after
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import TransactionRefused, Write
from serverless_cart.dynamodb.tokens import token_from_item
from serverless_cart.dynamodb.whole_carts import check, next_version, replacement
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
        writes: list[Write] = []
        if merge.moved or change.key:
            changed = replace(
                next_version(cart, change),
                items=_in_order(merge.customer),
                shipping=change.shipping or cart.shipping,
                discount=merge.discount or change.discount or cart.discount,
                idempotency_records=records_after(cart, change),
            )
            writes.append(self._put(owner, cart, changed, change))
        if merge.moved:
            left = None if merge.discount else guest.cart.discount
            remaining = replace(next_version(guest.cart, change), items=merge.guest, discount=left)
            writes.append(self._put(guest.owner, guest.cart, remaining, change))
        else:
            writes.append(check(guest.owner, guest.cart, change.at))
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

    def _put(self, owner: Owner, before: Cart, after: Cart, change: Change) -> Write:
        return replacement(owner, before, after, change.at, self._limits.cart_lifetime)


def _in_order(items: Mapping[int, CartItem]) -> dict[int, CartItem]:
    return dict(sorted(items.items(), key=lambda entry: (entry[1].added_at, entry[0])))
