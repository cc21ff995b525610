"""Customers who add, check out, pay, cancel and repeat at random, each on two devices, and keep books of it."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from serverless_cart.clock import clock
from serverless_cart.domain.cart import ItemAddition, Owner, PricedCart
from serverless_cart.domain.checkout import CheckoutRequest
from serverless_cart.domain.errors import (
    CartEmpty,
    InsufficientStock,
    InvalidDiscountCode,
    InvalidTransition,
    OrderNotCancellable,
    OrderNotFound,
    Refusal,
    TooManyUnpaidOrders,
)
from serverless_cart.domain.orders import Order, OrderChange, Status
from serverless_cart.domain.public_ids import item_id
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.checkout import CheckoutService, NeedsReview
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.orders import OrderService
from serverless_cart.service.ports import IdempotencyKey
from tests.support.order_ledger import Ledger
from tools.support.events import SHOP

PRODUCTS: Final = range(1, 21)
CODES: Final = tuple(f"CODE-{number}" for number in range(7))
FATES: Final = {
    "left to the timer": 20,
    "cancelled": 20,
    "cancelled and paid at once": 12,
    "paid too late": 8,
    "sold": 6,
    "refused": 20,
    "refunded": 18,
}
"""What becomes of orders, with weights."""
REVIEWS: Final = 5
"""Reviews of a cart after which its customer gives up."""
REFUSALS: Final[Mapping[type[Refusal], str]] = {
    NeedsReview: "reviews of the cart",
    CartEmpty: "empty carts",
    TooManyUnpaidOrders: "too many unpaid orders",
}
TIME: Final = 25.0
"""Seconds for a request."""

T = TypeVar("T")
Placed = str | PricedCart | None
"""The answer of a checkout: the order's key, the cart that needs a review, or nothing."""


@dataclass(frozen=True)
class Services:
    """The shop's services, and the ledger of its orders."""

    carts: CheckoutService
    orders: OrderService
    ledger: Ledger


class Shopper:
    """A customer who repeats every request until it is answered, a change with the same idempotency key.

    Every third checkout has no key, and is not repeated: after a 503 the customer looks for a new order.
    """

    def __init__(self, services: Services, number: int, seed: int) -> None:
        self.owner = Owner(SHOP, f"customer-{number}")
        self.products = [PRODUCTS[(number + step) % len(PRODUCTS)] for step in (0, 7, 13)]
        self.code = CODES[number % len(CODES)]
        self.pieces: Counter[int] = Counter()
        """Pieces by product that were put in the cart and not taken out again, sold ones included."""
        self.orders: defaultdict[str, set[str]] = defaultdict(set)
        """The keys of the orders that were answered, by idempotency key."""
        self.counts: Counter[str] = Counter()
        self._services = services
        self._chance = random.Random(f"{seed} {number}")  # noqa: S311 - to be repeated
        self._keys = 0
        self._lock = threading.Lock()

    def shop(self, times: int) -> None:
        """Fill the cart and check out, this number of times."""
        self._begin()
        with ThreadPoolExecutor(1, initializer=self._begin) as self._device:
            for _ in range(times):
                self._services.ledger.settle(self.owner.customer, self._find)
                for _ in range(self._chance.randint(1, 3)):
                    self._add(self._addition(), self._key())
                if self._chance.random() < 0.5:
                    with suppress(InvalidDiscountCode):
                        self._answered(
                            lambda: self._services.carts.apply_discount(self.owner, self.code, Preconditions())
                        )
                for order_key in self._check_out() if self._chance.randrange(3) else self._check_out_once():
                    self._live(order_key)

    def _begin(self) -> None:
        self._services.ledger.thread.customer = self.owner.customer

    def _check_out(self) -> set[str]:
        """Check out while the other device may do something, too. Return the keys of the orders."""
        key, other, addition = self._key(), self._key(), self._addition()
        seconds: list[Callable[[], Placed]] = [
            lambda: None,
            partial(self._add, addition, other),
            partial(self._place, key),
            partial(self._place, other),
        ]
        meanwhile = self._device.submit(self._chance.choice(seconds))
        answers = [self._place(key), meanwhile.result()]
        answer = answers[0]
        for _ in range(REVIEWS):
            if not isinstance(answer, PricedCart):
                break
            self._take_out(answer)
            key = self._key()
            answer = self._place(key)
            answers.append(answer)
        if isinstance(answer, str) and self._chance.random() < 0.2:
            assert self._place(key) == answer
        return {answer for answer in answers if isinstance(answer, str)}

    def _check_out_once(self) -> set[str]:
        """Check out without an idempotency key. Return the key of the order."""
        before = set().union(*self.orders.values())
        try:
            made = {self._send(None)}
        except Unavailable:
            self._count("answers 503, not repeated")
            _, orders = self._answered(lambda: self._services.orders.of_customer(self.owner, None, 100, 0))
            made = {order.key for order in orders} - before
        except (NeedsReview, CartEmpty, TooManyUnpaidOrders):
            made = set()
        self.orders[self._key().digest] |= made
        return made

    def _place(self, key: IdempotencyKey) -> Placed:
        """Check out until there is an answer."""
        try:
            order_key = self._answered(lambda: self._send(key))
        except NeedsReview as review:
            return review.current
        except (CartEmpty, TooManyUnpaidOrders):
            return None
        with self._lock:
            self.orders[key.digest].add(order_key)
        return order_key

    def _send(self, key: IdempotencyKey | None) -> str:
        """Send a checkout once, and return the order's key."""
        end = time.monotonic() + TIME
        self._count("checkouts")
        try:
            placed = self._services.carts.check_out(
                self.owner, "EUR", CheckoutRequest(), Preconditions(key), lambda: end - time.monotonic()
            )
        except (NeedsReview, CartEmpty, TooManyUnpaidOrders) as refusal:
            self._count(REFUSALS[type(refusal)])
            raise
        self._count("replays" if placed.replayed else "orders")
        return placed.order.key

    def _take_out(self, shown: PricedCart) -> None:
        """Take out of the cart what is no longer in stock in its quantity."""
        cart = self._answered(lambda: self._services.carts.peek(self.owner)).cart
        for _, product, _, _ in shown.items:
            held = cart.items.get(product.id)
            if held and product.stock is not None and product.stock < held.quantity:
                once = Preconditions(self._key())
                remove = partial(self._services.carts.remove, self.owner, item_id(self.owner, product.id), once)
                self._answered(remove)
                self.pieces[product.id] -= held.quantity

    def _add(self, addition: ItemAddition, key: IdempotencyKey) -> None:
        try:
            self._answered(lambda: self._services.carts.add(self.owner, addition, Preconditions(key)))
        except InsufficientStock:
            self._count("additions refused")
        else:
            self.pieces[addition.product_id] += addition.quantity

    def _live(self, order_key: str) -> None:
        """Let an order have its fate."""
        (fate,) = self._chance.choices(list(FATES), list(FATES.values()))
        self._count(f"orders {fate}")
        match fate:
            case "cancelled":
                self._cancel(order_key)
            case "cancelled and paid at once":
                meanwhile = self._device.submit(self._cancel, order_key)
                self._change(order_key, "processing")
                meanwhile.result()
            case "paid too late":
                order = self._find(order_key)
                ends = order.reserved_until if order else None
                time.sleep(max(0, (ends or 0) - clock()) / 1000)
                self._change(order_key, "processing")
            case "sold":
                self._change(order_key, "processing", "shipped")
            case "refused":
                self._change(order_key, "processing", "cancelled")
            case "refunded":
                self._change(order_key, "processing", "refunded")

    def _cancel(self, order_key: str) -> None:
        with suppress(OrderNotCancellable):
            self._answered(lambda: self._services.orders.cancel(self.owner, order_key, lambda: TIME))

    def _change(self, order_key: str, *statuses: Status) -> None:
        with suppress(InvalidTransition):
            for status in statuses:
                change = OrderChange(status, restock=status == "refunded")
                self._answered(partial(self._services.orders.change, SHOP, order_key, change, lambda: TIME))

    def _find(self, order_key: str) -> Order | None:
        with suppress(OrderNotFound):
            return self._answered(lambda: self._services.orders.find(SHOP, order_key))
        return None

    def _answered(self, send: Callable[[], T]) -> T:
        while True:
            try:
                return send()
            except Unavailable:
                self._count("answers 503, repeated")

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def _addition(self) -> ItemAddition:
        return ItemAddition(self._chance.choice(self.products), self._chance.randint(1, 2), None)

    def _key(self) -> IdempotencyKey:
        self._keys += 1
        return IdempotencyKey(f"{self.owner.customer}-{self._keys}", "the same request")
