"""What the Shop API does with a customer's cart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from storefront.domain import limits
from storefront.domain.cart import NOT_FOR_SALE, Addition, Cart, Owner, PricedCart, Revision, price, stale_products
from storefront.domain.errors import Ambiguous, CartChanged, InvalidProduct, ItemNotFound, Unavailable
from storefront.domain.identity import item_id
from storefront.domain.product import Product, Reading
from storefront.service.port import CartStore, Change, Conflict, UsedKey

RACES: Final = 32
"""Times that a change is planned anew against others of the same cart before it gives up."""

LOST_ANSWERS: Final = 2
"""Times that a change with an idempotency key is tried again after a write whose answer never came: each may take the
whole wait for it, and the function's time is bounded."""

Readings = dict[int, Reading]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a change is to be made.

    ``key`` makes it happen once however often it is asked for (contract: Idempotency-Key); ``versions`` are those of
    the cart on which it may happen, ``None`` being any (contract: If-Match).
    """

    key: UsedKey | None = None
    versions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The cart as it stands after a request; ``replayed`` where the request had been applied before."""

    cart: PricedCart
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change looks for, decides and writes, in the contract's order; each may be done again on a newer cart.

    ``find`` raises `ItemNotFound`, ``judge`` the other refusals; ``write`` is the one conditional write. Where
    it ``keeps_items``, prices that have aged are read before it, so that it may keep them too: all of them where its
    answer ``warns`` of those that changed, and otherwise those that did not, lest a warning is never told.
    """

    write: Callable[[Cart, Change], Cart]
    find: Callable[[Cart], object] = lambda _cart: None
    judge: Callable[[Cart], None] = lambda _cart: None
    keeps_items: bool = True
    warns: bool = True


class CartService:
    """The customer's cart: every change reads, decides by the domain's rules, writes once and prices.

    Its methods raise the domain's refusals, and `Unavailable`. Each costs one database call more than it says where
    the price of an item has aged, or where another request came between.
    """

    def __init__(self, store: CartStore, clock: Callable[[], int], price_age: int = limits.PRICE_AGE) -> None:
        """``clock`` returns milliseconds since 1970; no price that is shown is older than ``price_age`` seconds."""
        self._store = store
        self._clock = clock
        self._price_age = price_age

    def read(self, owner: Owner) -> PricedCart:
        """Return the customer's cart (contract: GET /api/shop/cart): one database call, and nothing is written."""
        cart = self._store.read(owner)
        return self._priced(owner, cart, {}, _products(cart))

    def add(self, owner: Owner, addition: Addition, terms: Terms) -> Outcome:
        """Add so much of a product (contract: POST /api/shop/cart/items): two database calls."""
        product_id = addition.product_id
        cart, reading = self._store.read_with_product(owner, product_id)
        readings = {product_id: reading} if reading else {}

        def judge(cart: Cart) -> None:
            if product_id not in readings:
                raise InvalidProduct(NOT_FOR_SALE)
            cart.may_add(readings[product_id].product, addition.quantity)

        def write(cart: Cart, change: Change) -> Cart:
            return self._store.add(owner, cart, readings[product_id], addition, change)

        return self._carry_out(owner, Plan(write, judge=judge), terms, cart, readings)

    def revise(self, owner: Owner, item: int, revision: Revision, terms: Terms) -> Outcome:
        """Set an item's quantity or notes (contract: PATCH /api/shop/cart/items/{id}).

        Three database calls, two where the quantity stays: which product an item is only the cart tells.
        """
        cart, readings = self._store.read(owner), Readings()

        def judge(cart: Cart) -> None:
            product_id = _find(owner, cart, item)
            if revision.quantity is None:
                return
            if product_id not in readings:
                self._read_anew(owner, cart, readings, self._price_age - limits.PRICE_MARGIN, also=product_id)
            cart.may_hold(readings[product_id].product, revision.quantity)

        def write(cart: Cart, change: Change) -> Cart:
            return self._store.revise(owner, cart, _find(owner, cart, item), revision, change)

        plan = Plan(write, find=lambda cart: _find(owner, cart, item), judge=judge, warns=False)
        return self._carry_out(owner, plan, terms, cart, readings)

    def remove(self, owner: Owner, item: int, terms: Terms) -> Outcome:
        """Remove an item (contract: DELETE /api/shop/cart/items/{id}): two database calls."""

        def write(cart: Cart, change: Change) -> Cart:
            return self._store.remove(owner, cart, _find(owner, cart, item), change)

        plan = Plan(write, find=lambda cart: _find(owner, cart, item))
        return self._carry_out(owner, plan, terms, self._store.read(owner), {})

    def select(self, owner: Owner, selections: Mapping[str, int | None], terms: Terms) -> Outcome:
        """Set address, shipping method or payment method (contract: PATCH /api/shop/cart): two database calls."""

        def write(cart: Cart, change: Change) -> Cart:
            return self._store.select(owner, cart, selections, change)

        return self._carry_out(owner, Plan(write), terms, self._store.read(owner), {})

    def clear(self, owner: Owner, terms: Terms) -> Outcome:
        """Empty the cart (contract: DELETE /api/shop/cart): two database calls, one where there is no cart."""

        def write(cart: Cart, change: Change) -> Cart:
            return self._store.clear(owner, cart, change) if cart.version else cart

        return self._carry_out(owner, Plan(write, keeps_items=False), terms, self._store.read(owner), {})

    def _carry_out(self, owner: Owner, plan: Plan, terms: Terms, cart: Cart, readings: Readings) -> Outcome:
        """Carry a plan out on the cart as it was read, or on what others have made of it since."""
        shown: dict[int, Product] = {}
        tries = 0
        for _ in range(RACES):
            now = self._clock()
            shown = _products(cart) | shown
            if terms.key and cart.repeats(terms.key.digest, terms.key.fingerprint, now):
                return Outcome(self._priced(owner, cart, readings, shown), replayed=not tries)
            plan.find(cart)
            if terms.versions is not None and cart.version not in terms.versions:
                raise CartChanged(self._priced(owner, cart, readings, shown))
            plan.judge(cart)
            if plan.keeps_items:
                self._read_anew(owner, cart, readings, self._price_age - limits.PRICE_MARGIN)
            change = Change(
                at=now,
                key=terms.key,
                same_version=terms.versions is not None,
                refreshed=_worth_keeping(cart, readings, warned=plan.warns),
            )
            try:
                changed = plan.write(cart, change)
            except Conflict as conflict:
                cart = conflict.current
            except Ambiguous:
                if terms.key is None or tries == LOST_ANSWERS:
                    raise
                # The key tells whether the write was applied, so this change may be tried again.
                tries += 1
                cart = self._store.read(owner)
            else:
                return Outcome(self._priced(owner, changed, readings, shown))
        raise Unavailable

    def _priced(self, owner: Owner, cart: Cart, readings: Readings, shown: Mapping[int, Product]) -> PricedCart:
        """Price a cart by readings that are not older than the contract allows."""
        self._read_anew(owner, cart, readings, self._price_age)
        return price(owner, cart, readings, shown)

    def _read_anew(self, owner: Owner, cart: Cart, readings: Readings, age: int, also: int | None = None) -> None:
        """Read the products of which no reading is younger than ``age`` seconds, and one more: one call, or none."""
        stale = {product.id: product for product in stale_products(cart, readings, self._clock(), age)}
        if also is not None:
            stale[also] = cart.items[also].reading.product
        if stale:
            readings |= self._store.read_products(owner.shop, stale.values())


def _find(owner: Owner, cart: Cart, item: int) -> int:
    """Return the product of one of the customer's items. Raises `ItemNotFound`."""
    for product_id in cart.items:
        if item_id(owner, product_id) == item:
            return product_id
    raise ItemNotFound


def _products(cart: Cart) -> dict[int, Product]:
    """Return what the customer was last shown of each product in the cart."""
    return {product_id: item.reading.product for product_id, item in cart.items.items()}


def _worth_keeping(cart: Cart, readings: Readings, *, warned: bool) -> Readings:
    """Pick the readings that are newer than the cart's own, which a change may keep at no further cost.

    Unless the customer is ``warned`` of it, a changed price is not among them: what is kept counts as told.
    """
    known = {product_id: item.reading for product_id, item in cart.items.items()}
    return {
        product_id: reading
        for product_id, reading in readings.items()
        if product_id in known
        and reading.read_at > known[product_id].read_at
        and (warned or not reading.product.costs_other_than(known[product_id].product))
    }
