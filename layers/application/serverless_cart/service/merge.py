"""The merge of a guest's cart into a customer's (contract: Guests)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from serverless_cart.domain.cart import NO_SNAPSHOTS, Cart, CartItem, Owner, Snapshots, Wanted
from serverless_cart.domain.errors import NotAGuest
from serverless_cart.domain.guests import merge, movable, not_merged
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.service.cart import (
    CartChanged,
    CartService,
    Outcome,
    Preconditions,
    items_to_store,
    newer,
    reports,
)
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.ports import Change, MergeConflict, MergeStore

MAX_MERGE_RETRIES: Final = 100
"""Maximum attempts when concurrent requests change either cart: a merge needs both as they were read."""


class MergeService(CartService):
    """The operations on customers' carts, and the merge of a guest's cart."""

    def __init__(self, store: MergeStore, clock: Callable[[], int], limits: Limits = CONTRACT_LIMITS) -> None:
        """``clock`` returns milliseconds since 1970."""
        super().__init__(store, clock, limits)
        self._merges = store

    def merge(self, owner: Owner, digest: str, preconditions: Preconditions) -> Outcome:
        """Move a guest's items into the customer's cart, for POST /api/shop/cart/merge: three database calls at most.

        ``digest`` is that of the guest's token. Items that do not fit stay in the guest's cart; if none stays, the same
        transaction revokes the token. A repetition finds nothing to move, so it may follow a lost answer. Raises
        `NotAGuest`, the refusals of other changes, and `Unavailable`.
        """
        reported = None
        for _ in range(MAX_MERGE_RETRIES):
            cart, guest = self._merges.read_for_merge(owner, digest)
            reported = reports(cart) if reported is None else reported
            now = self._clock()
            if preconditions.is_replay(cart, now):
                return self._merged(owner, cart, NO_SNAPSHOTS, guest.cart.items if guest else {}, replayed=True)
            if guest is None or guest.owner == owner:
                raise NotAGuest({"token": ["must be a token of another customer, a guest of this shop"]})
            if not preconditions.allow(cart):
                raise CartChanged(self._priced(owner, cart, NO_SNAPSHOTS))
            code = guest.cart.discount.discount if guest.cart.discount and not cart.discount else None
            also = Wanted({it.id: it for it in movable(cart, guest.cart, self._limits)}, discount=code)
            snapshots = self._refreshed(owner, cart, NO_SNAPSHOTS, self._limits.refresh_age, also)
            refreshed = items_to_store(cart, snapshots, reported)
            shown = replace(cart, items={**cart.items, **refreshed})
            merged = merge(shown, guest.cart, snapshots.products, self._limits, now)
            if code:
                merged = merged._replace(discount=snapshots.discounts[code.key], moved=True)
            change = Change(
                at=now,
                key=preconditions.key,
                refreshed=refreshed,
                shipping=newer(cart.newest_shipping(snapshots), cart.shipping),
                discount=newer(cart.newest_discount(snapshots), cart.discount),
            )
            try:
                changed = self._merges.merge(owner, cart, guest, merged, change)
            except MergeConflict:
                continue
            return self._merged(owner, changed, snapshots, merged.guest)
        raise Unavailable

    def _merged(
        self, owner: Owner, cart: Cart, snapshots: Snapshots, left: Mapping[int, CartItem], *, replayed: bool = False
    ) -> Outcome:
        shown = self._shown(owner, cart, snapshots)
        return Outcome(shown._replace(warnings=shown.warnings + not_merged(left)), replayed=replayed)
