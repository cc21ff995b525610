"""The checkout: a cart becomes an order (contract: Checkout)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from serverless_cart.domain.cart import NO_SNAPSHOTS, Cart, Owner, PricedCart, Snapshots, Wanted, price
from serverless_cart.domain.checkout import BLOCKING, CheckoutRequest, NewOrder, charges_otherwise, make_order
from serverless_cart.domain.errors import (
    CartEmpty,
    CartFull,
    MethodNotOffered,
    OrderNotFound,
    Refusal,
    TooManyUnpaidOrders,
)
from serverless_cart.domain.limits import CONTRACT_LIMITS, RESERVED_PRODUCTS, Limits
from serverless_cart.domain.methods import SELECTIONS, Kind, not_offered, shipping_snapshot
from serverless_cart.domain.orders import Order, new_key
from serverless_cart.service.cart import (
    MAX_AMBIGUOUS_RETRIES,
    CartChanged,
    CartService,
    Preconditions,
    changed_prices,
    newer,
)
from serverless_cart.service.checkout_ports import Basket, CheckoutConflict, CheckoutStore
from serverless_cart.service.deadline import check_time
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.ports import Change, Conflict


class NeedsReview(Refusal):
    """The customer would pay for something other than the last answer showed; ``current`` is what it would be."""

    def __init__(self, current: PricedCart, expected: int | None) -> None:
        """Keep the cart; ``expected`` is the total that the customer expects."""
        wrong = expected is not None and expected != current.total
        super().__init__({"total": [f"the order would cost {current.total}"]} if wrong else {})
        self.current = current


class Placed(NamedTuple):
    """The order of a checkout; ``replayed`` if an earlier request made it."""

    order: Order
    replayed: bool = False


@dataclass(slots=True)
class _Request:
    """A request and what its attempts so far have left: writes without an answer, and a report that was recorded."""

    owner: Owner
    currency: str
    asked: CheckoutRequest
    preconditions: Preconditions
    time_left: Callable[[], float]
    order_key: str
    attempt: int = 0
    unanswered: int = 0
    has_reported: bool = False

    def accepts(self, cart: Cart) -> bool:
        """Return whether the customer has seen what was reported before.

        A repetition of a request that was to be reviewed accepts nothing: its answer may have been lost.
        """
        key = self.preconditions.key
        return not self.has_reported and not (key and key.digest == cart.reviewed_by)


class CheckoutService(CartService):
    """Turns carts into orders. Its methods raise `Unavailable`."""

    def __init__(self, store: CheckoutStore, clock: Callable[[], int], limits: Limits = CONTRACT_LIMITS) -> None:
        """``clock`` returns milliseconds since 1970."""
        super().__init__(store, clock, limits)
        self._checkouts = store

    def check_out(
        self,
        owner: Owner,
        currency: str,
        asked: CheckoutRequest,
        preconditions: Preconditions,
        time_left: Callable[[], float],
    ) -> Placed:
        """Make an order, for POST /api/shop/checkout/cart: three database calls.

        After a conflict with another request it begins again, while ``time_left`` (seconds) suffices for each call. All
        attempts have one order key, so an attempt without an answer is found again. Raises `MethodNotOffered`,
        `CartChanged`, `CartEmpty`, `CartFull`, `NeedsReview` and `TooManyUnpaidOrders`, in this order.
        """
        request = _Request(owner, currency, asked, preconditions, time_left, new_key())
        while True:
            with suppress(CheckoutConflict, Conflict):
                return self._attempt(request)
            request.attempt += 1

    def _attempt(self, request: _Request) -> Placed:
        owner, asked, preconditions = request.owner, request.asked, request.preconditions
        check_time(request.time_left)
        basket = self._checkouts.read_basket(owner, request.order_key if request.unanswered else None)
        if basket.order:
            return Placed(basket.order)
        cart, now = basket.cart, self._clock()
        if preconditions.is_replay(cart, now):
            check_time(request.time_left)
            return Placed(self._ordered_by(owner, cart, preconditions, now), replayed=True)
        if faults := not_offered(asked.selections._asdict(), basket.methods):
            raise MethodNotOffered(faults)
        if not preconditions.allow(cart):
            raise CartChanged(self._priced(owner, cart, NO_SNAPSHOTS))
        if not cart.items:
            raise CartEmpty
        check_time(request.time_left)
        snapshots = self._read_terms(basket, asked.chosen(cart), owner)
        priced = price(owner, asked.chosen(cart), snapshots)
        _check_possible(priced, basket)
        self._review(request, cart, priced, snapshots)
        order = make_order(
            priced,
            snapshots,
            NewOrder(
                request.order_key,
                asked.notes,
                request.currency,
                now,
                self._limits.hold_lifetime,
                basket.methods[Kind.PAYMENT],
            ),
        )
        if order.reserved_until and basket.open_holds >= self._limits.open_holds:
            message = f"{basket.open_holds} orders wait for their payment: pay or cancel one of them"
            raise TooManyUnpaidOrders({"order": [message]})
        code = priced.cart.newest_discount(snapshots) if order.discount_key else None
        with _may_be_applied(request):
            change = Change(now, preconditions.key)
            self._checkouts.place(cart, order, code.discount if code else None, change, request.attempt)
        return Placed(order)

    def _ordered_by(self, owner: Owner, cart: Cart, preconditions: Preconditions, now: int) -> Order:
        record = cart.find_idempotency_record(preconditions.key.digest, now) if preconditions.key else None
        order = self._checkouts.find_order(owner.shop, record.order_key) if record else None
        if order is None:
            raise OrderNotFound
        return order

    def _read_terms(self, basket: Basket, cart: Cart, owner: Owner) -> Snapshots:
        """Read all products and the discount code of a cart, whatever their age."""
        shipping = {}
        if (id_ := cart.selections.shipping_method) is not None:
            shipping[id_] = shipping_snapshot(basket.methods[Kind.SHIPPING], id_, self._clock())
        products = {item.product_id: item.snapshot.product for item in cart.items.values()}
        wanted = Wanted(products, discount=cart.discount.discount if cart.discount else None)
        return self._checkouts.read_again(owner, wanted).updated(Snapshots(shipping=shipping))

    def _review(self, request: _Request, cart: Cart, priced: PricedCart, snapshots: Snapshots) -> None:
        """Raise `NeedsReview` unless the customer accepts the charge and nothing else prevents the order.

        What no answer has shown yet is recorded first, so that a further checkout accepts it.
        """
        changed = changed_prices(cart, snapshots)
        if changed or charges_otherwise(request.owner, priced.cart, snapshots):
            request.has_reported = True
            report = Change(
                self._clock(),
                request.preconditions.key,
                refreshed=changed,
                shipping=newer(cart.newest_shipping(snapshots), cart.shipping),
                discount=newer(cart.newest_discount(snapshots), cart.discount),
            )
            with _may_be_applied(request):
                self._checkouts.record_review(request.owner, cart, report)
        review = NeedsReview(priced, request.asked.total)
        blocked = any(warning.code in BLOCKING for warning in priced.warnings)
        if blocked or review.details or not request.accepts(cart):
            raise review


@contextmanager
def _may_be_applied(request: _Request) -> Iterator[None]:
    """Begin again after a write without an answer, a few times: the next attempt finds what was applied."""
    check_time(request.time_left)
    try:
        yield
    except Unavailable as failure:
        request.unanswered += 1
        if request.unanswered > MAX_AMBIGUOUS_RETRIES:
            raise
        raise CheckoutConflict from failure


def _check_possible(priced: PricedCart, basket: Basket) -> None:
    """Check what no review can resolve. Raises `CartEmpty`, `MethodNotOffered` or `CartFull`."""
    if not any(product.active for _, product, _, _ in priced.items):
        raise CartEmpty
    selections = priced.cart.selections._asdict()
    faults = {
        name: [f"is required: the shop lists {kind} methods"]
        for kind, name in SELECTIONS.items()
        if selections[name] is None and basket.methods[kind]
    }
    # A shipping method that is no longer offered is a warning (contract: Warnings).
    payment = {Kind.PAYMENT: basket.methods[Kind.PAYMENT], Kind.SHIPPING: ()}
    if faults := faults | not_offered(selections, payment):
        raise MethodNotOffered(faults)
    limited = sum(product.stock is not None for _, product, _, _ in priced.items)
    if limited > RESERVED_PRODUCTS:
        message = f"at most {RESERVED_PRODUCTS} products with limited stock can be in one order, {limited} in the cart"
        raise CartFull({"items": [message]})
