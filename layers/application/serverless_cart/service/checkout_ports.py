"""The interface of the service to the database at checkout (contract: Checkout)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from serverless_cart.domain.cart import Cart, Owner
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.methods import Kind, Method
from serverless_cart.domain.orders import Order
from serverless_cart.service.ports import CartStore, Change


class CheckoutConflict(Exception):
    """The cart, stock, price, discount code or the customer's uses were not as they were read. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Basket:
    """What a checkout begins with: the cart, the shop's methods, and the customer's orders that wait for payment.

    ``order`` is the order of an earlier attempt whose answer was lost, ``None`` if it was not made.
    """

    cart: Cart
    methods: Mapping[Kind, list[Method]]
    open_holds: int
    order: Order | None = None


class CheckoutStore(CartStore, Protocol):
    """The carts, and what a checkout writes. Its methods raise `Unavailable`."""

    def read_basket(self, owner: Owner, order_key: str | None) -> Basket:
        """Read in one call. ``order_key`` is that of an earlier attempt, ``None`` if there was none."""
        ...

    def find_order(self, shop: str, key: str) -> Order | None:
        """Read an order in one call."""
        ...

    def record_review(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Store the newer snapshots and shown prices of a change, and its idempotency key as that of the review."""
        ...

    def place(self, cart: Cart, order: Order, code: DiscountCode | None, change: Change, attempt: int = 0) -> None:
        """Make an order of a cart: take its stock, count a use of the discount code and empty the cart.

        One transaction, whole or not at all, on the condition that everything is as it was read. ``code`` is that of
        the order. Raises `CheckoutConflict` after a random wait, which is longer after each ``attempt``, and
        `Unavailable` if the order may have been made.
        """
        ...
