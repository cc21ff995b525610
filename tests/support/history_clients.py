"""The client that sends a history's operations to the service, without HTTP and functions."""

import threading
from typing import Any

from serverless_cart.domain.cart import Cart, Owner
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.guests import Merge, guest_customer
from serverless_cart.dynamodb.merge import DynamoDBMergeStore
from serverless_cart.service.cart import CartChanged, CartService
from serverless_cart.service.merge import MergeService
from serverless_cart.service.ports import Change, Guest
from tests.support.history import CARTS, Answer, Contents, Operation
from tests.support.reference_cart import REFUSALS
from tools.support.events import SHOP


def guest_digest(cart: int) -> str:
    return str(cart) * 64


def owner_of(cart: int) -> Owner:
    return Owner(SHOP, f"customer-{cart}" if cart < CARTS else guest_customer(guest_digest(cart)))


class MergeProbe(DynamoDBMergeStore):
    """Remembers what the last merge of this thread has written."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.last = threading.local()

    def merge(self, owner: Owner, cart: Cart, guest: Guest, merge: Merge, change: Change) -> Cart:
        changed = super().merge(owner, cart, guest, merge, change)
        self.last.changed = changed.version != cart.version
        self.last.guest_version = guest.cart.version + 1 if merge.moved else None
        return changed


class ServiceClient:
    """Calls the service as the functions do; merges need a `MergeProbe`."""

    def __init__(self, carts: CartService, probe: MergeProbe | None = None) -> None:
        self._carts = carts
        self._probe = probe

    def __call__(self, operation: Operation, version: int | None) -> Answer:
        owner, preconditions = owner_of(operation.cart), operation.preconditions(version)
        try:
            if operation.kind == "merge":
                assert isinstance(self._carts, MergeService)
                outcome = self._carts.merge(owner, guest_digest(operation.guest), preconditions)
            else:
                outcome = operation.request.send(self._carts, preconditions, owner)
        except CartChanged as changed:
            return Answer("cart has changed", changed.current.cart.version)
        except Refusal as refusal:
            return Answer(REFUSALS[type(refusal)])
        shown = "replay" if outcome.replayed else "done", outcome.cart.cart.version, Contents.of(outcome.cart.cart)
        if operation.kind == "merge" and self._probe and not outcome.replayed:
            return Answer(*shown, self._probe.last.changed, self._probe.last.guest_version)
        return Answer(*shown)
