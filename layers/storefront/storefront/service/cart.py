"""What the Shop API does with a customer's cart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from storefront.domain import limits
from storefront.domain.cart import NOT_FOR_SALE, Addition, Cart, CartChanged, Owner, PricedCart, price, stale_products
from storefront.domain.errors import Ambiguous, InvalidProduct, Unavailable
from storefront.domain.product import Product, Reading
from storefront.service.port import CartStore, Change, Conflict, UsedKey

RACES: Final = 16
"""Times that a change is planned anew against others of the same cart before it gives up."""


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


class CartService:
    """The customer's cart: every method reads, decides by the domain's rules, writes at most once and prices.

    Its methods raise the domain's refusals, and `Unavailable`.
    """

    def __init__(self, store: CartStore, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._store = store
        self._clock = clock

    def add(self, owner: Owner, addition: Addition, terms: Terms) -> Outcome:
        """Add so much of a product to the customer's cart (contract: POST /api/shop/cart/items).

        Two database calls; one more where another item's price has aged, or where another request came between.
        """
        product_id = addition.product_id
        cart, reading = self._store.read_with_product(owner, product_id)
        readings = {product_id: reading} if reading else {}
        shown: dict[int, Product] = {}
        tried = False
        for _ in range(RACES):
            now = self._clock()
            shown = {item.product_id: item.reading.product for item in cart.items.values()} | shown
            if terms.key and cart.repeats(terms.key.digest, terms.key.fingerprint, now):
                return Outcome(self._priced(owner, cart, readings, shown), replayed=not tried)
            if terms.versions is not None and cart.version not in terms.versions:
                raise CartChanged(self._priced(owner, cart, readings, shown))
            if reading is None:
                raise InvalidProduct(NOT_FOR_SALE)
            cart.may_add(reading.product, addition.quantity)
            self._read_anew(owner, cart, readings, limits.PRICE_AGE - limits.PRICE_MARGIN)
            change = Change(
                at=now,
                key=terms.key,
                same_version=terms.versions is not None,
                refreshed=_worth_keeping(cart, readings, product_id),
            )
            try:
                changed = self._store.add(owner, cart, reading, addition, change)
            except Conflict as conflict:
                cart = conflict.current
            except Ambiguous:
                if terms.key is None:
                    raise
                # The key tells whether the write was applied, so this change may be tried again.
                tried = True
                cart, _ = self._store.read_with_product(owner, product_id)
            else:
                return Outcome(self._priced(owner, changed, readings, shown))
        raise Unavailable

    def _priced(self, owner: Owner, cart: Cart, readings: dict[int, Reading], shown: dict[int, Product]) -> PricedCart:
        """Price a cart by readings that are not older than the contract allows."""
        self._read_anew(owner, cart, readings, limits.PRICE_AGE)
        return price(owner, cart, readings, shown)

    def _read_anew(self, owner: Owner, cart: Cart, readings: dict[int, Reading], age: int) -> None:
        """Read the cart's products of which no reading is younger than ``age`` seconds: one call, or none."""
        stale = stale_products(cart, readings, self._clock(), age)
        if stale:
            readings |= self._store.read_products(owner.shop, stale)


def _worth_keeping(cart: Cart, readings: dict[int, Reading], product_id: int) -> dict[int, Reading]:
    """Pick the newer readings of the cart's other items, which the change may keep at no further cost."""
    return {
        other: reading
        for other, reading in readings.items()
        if other != product_id and other in cart.items and reading.read_at > cart.items[other].reading.read_at
    }
