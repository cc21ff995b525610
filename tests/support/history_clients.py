"""The client that sends a history's operations to the service, without HTTP and functions."""

import threading
from dataclasses import replace
from typing import Any

from serverless_cart.domain.cart import Cart, Owner
from serverless_cart.domain.checkout import CheckoutRequest
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.guests import Merge, guest_customer
from serverless_cart.domain.orders import Order
from serverless_cart.dynamodb.checkout import DynamoDBCheckoutStore
from serverless_cart.dynamodb.merge import DynamoDBMergeStore
from serverless_cart.service.cart import CartChanged, CartService, Preconditions
from serverless_cart.service.checkout import CheckoutService
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


class CheckoutProbe(DynamoDBCheckoutStore):
    """Remembers the version of the cart that the last checkout of this thread has emptied.

    The orders take no stock, because a history has the same stock all the time.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.last = threading.local()

    def place(self, cart: Cart, order: Order, code: DiscountCode | None, change: Change, attempt: int = 0) -> None:
        super().place(cart, replace(order, reserved={}), code, change, attempt)
        self.last.version = cart.version + 1


class ServiceClient:
    """Calls the service as the functions do; merges need a `MergeProbe`, checkouts a `CheckoutProbe`."""

    def __init__(
        self,
        carts: CartService,
        probe: MergeProbe | None = None,
        checkouts: tuple[CheckoutService, CheckoutProbe] | None = None,
    ) -> None:
        self._carts = carts
        self._probe = probe
        self._checkouts = checkouts

    def __call__(self, operation: Operation, version: int | None) -> Answer:
        owner, preconditions = owner_of(operation.cart), operation.preconditions(version)
        try:
            if operation.kind == "checkout":
                return self._check_out(owner, preconditions)
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

    def _check_out(self, owner: Owner, preconditions: Preconditions) -> Answer:
        assert self._checkouts
        service, probe = self._checkouts
        order, is_replay = service.check_out(owner, "EUR", CheckoutRequest(), preconditions, lambda: 20.0)
        contents = Contents.of_order(order)
        if is_replay:
            return Answer("replay", None, contents, order=order.key)
        return Answer("done", probe.last.version, contents, order=order.key)
