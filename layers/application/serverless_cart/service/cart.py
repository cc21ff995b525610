"""The operations of the Shop API on a customer's cart (contract: Shop routes)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, TypeVar

from serverless_cart.domain.cart import (
    NO_SNAPSHOTS,
    NOT_FOR_SALE,
    Cart,
    CartItem,
    ItemAddition,
    ItemUpdate,
    Owner,
    Price,
    PricedCart,
    PricedItem,
    Snapshots,
    Wanted,
    price,
    stale,
)
from serverless_cart.domain.discounts import UNKNOWN, normalised
from serverless_cart.domain.errors import (
    IdempotencyKeyReused,
    InvalidDiscountCode,
    InvalidProduct,
    ItemNotFound,
    MethodNotOffered,
    Refusal,
)
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.methods import SELECTIONS, Kind, Method, not_offered, shipping_snapshot
from serverless_cart.domain.public_ids import item_id
from serverless_cart.service.errors import Ambiguous, Unavailable
from serverless_cart.service.ports import CartStore, Change, Conflict, IdempotencyKey

T = TypeVar("T")

NOTHING_MORE: Final = Wanted()

MAX_CONFLICT_RETRIES: Final = 32
"""Maximum attempts when concurrent requests change the same cart."""

MAX_AMBIGUOUS_RETRIES: Final = 2
"""Maximum retries of a change with an idempotency key after a write without an answer. Each may take the whole database
timeout, and the function's time is limited."""


class CartChanged(Refusal):
    """``If-Match`` names another version than that of the ``current`` cart (contract: Entity tags)."""

    def __init__(self, current: PricedCart) -> None:
        """Keep the current cart, for its entity tag."""
        super().__init__()
        self.current = current


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditions of a change.

    ``key`` makes repeated requests apply once (contract: Idempotency-Key). ``versions`` are the versions of the cart
    that may be changed, ``None`` for any (contract: Entity tags).
    """

    key: IdempotencyKey | None = None
    versions: frozenset[int] | None = None

    def is_replay(self, cart: Cart, now: int) -> bool:
        """Return whether the request was applied before. Raises `IdempotencyKeyReused` if another one used its key."""
        record = cart.find_idempotency_record(self.key.digest, now) if self.key else None
        if record is None or self.key is None:
            return False
        if record.fingerprint != self.key.fingerprint:
            raise IdempotencyKeyReused
        return True

    def allow(self, cart: Cart) -> bool:
        """Return whether this version of the cart may be changed."""
        return self.versions is None or cart.version in self.versions


@dataclass(frozen=True, slots=True)
class Outcome:
    """The cart after a request; ``replayed`` if the request had been applied before."""

    cart: PricedCart
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Operation:
    """One change of a cart, step by step (contract: Order of checks). After a conflict all steps are repeated."""

    owner: Owner
    checks_totals: ClassVar[bool] = False
    """Whether `check` needs the totals of the cart. If so, stale prices are read before it."""
    keeps_items: ClassVar[bool] = True
    """Whether items stay in the cart. If so, stale prices are read before the write, which stores them too."""

    def locate(self, cart: Cart) -> int | None:  # noqa: ARG002
        """Return the product that must have been read before `check`, if any.

        Raises `ItemNotFound` and `MethodNotOffered`, which come before a changed version.
        """
        return None

    def check(self, cart: Cart, snapshots: Snapshots) -> None:
        """Check the rules of the domain. Raises their refusals."""

    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:
        """Write the change, under its conditions."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Add(_Operation):
    addition: ItemAddition
    limits: Limits

    def check(self, cart: Cart, snapshots: Snapshots) -> None:
        if self.addition.product_id not in snapshots.products:
            raise InvalidProduct(NOT_FOR_SALE)
        cart.check_can_add(snapshots.products[self.addition.product_id].product, self.addition.quantity, self.limits)

    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:
        return store.add(self.owner, cart, snapshots.products[self.addition.product_id], self.addition, change)


@dataclass(frozen=True, slots=True)
class _UpdateItem(_Operation):
    item: int
    update: ItemUpdate

    def locate(self, cart: Cart) -> int | None:
        product_id = _find_product(self.owner, cart, self.item)
        return None if self.update.quantity is None else product_id

    def check(self, cart: Cart, snapshots: Snapshots) -> None:
        if self.update.quantity is not None:
            product_id = _find_product(self.owner, cart, self.item)
            cart.check_can_hold(snapshots.products[product_id].product, self.update.quantity)

    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:  # noqa: ARG002
        return store.update_item(self.owner, cart, _find_product(self.owner, cart, self.item), self.update, change)


@dataclass(frozen=True, slots=True)
class _Remove(_Operation):
    item: int

    def locate(self, cart: Cart) -> int | None:
        _find_product(self.owner, cart, self.item)
        return None

    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:  # noqa: ARG002
        return store.remove(self.owner, cart, _find_product(self.owner, cart, self.item), change)


@dataclass(frozen=True, slots=True)
class _Select(_Operation):
    selections: Mapping[str, int | None]
    methods: Mapping[Kind, list[Method]]

    def locate(self, cart: Cart) -> int | None:  # noqa: ARG002
        if faults := not_offered(self.selections, self.methods):
            raise MethodNotOffered(faults)
        return None

    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:
        if (id_ := self.selections.get("shipping_method")) is not None:
            change = replace(change, shipping=snapshots.shipping[id_])
        return store.select(self.owner, cart, self.selections, change)


@dataclass(frozen=True, slots=True)
class _ApplyDiscount(_Operation):
    key: str | None
    checks_totals = True

    def check(self, cart: Cart, snapshots: Snapshots) -> None:
        snapshot = snapshots.discounts.get(self.key) if self.key else None
        reason = snapshot.refusal(price(self.owner, cart, snapshots).subtotal) if snapshot else UNKNOWN
        if reason:
            raise InvalidDiscountCode({"code": [reason]})

    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:
        assert self.key  # noqa: S101 - `check` refuses others
        return store.set_discount(self.owner, cart, snapshots.discounts[self.key], change)


@dataclass(frozen=True, slots=True)
class _RemoveDiscount(_Operation):
    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:  # noqa: ARG002
        return store.set_discount(self.owner, cart, None, change) if cart.version else cart


@dataclass(frozen=True, slots=True)
class _Clear(_Operation):
    keeps_items = False

    def apply(self, store: CartStore, cart: Cart, snapshots: Snapshots, change: Change) -> Cart:  # noqa: ARG002
        return store.clear(self.owner, cart, change) if cart.version else cart


class CartService:
    """The operations on customers' carts. Every change reads the cart, checks the rules, writes once and prices it.

    The methods raise the domain's refusals, `CartChanged` and `Unavailable`. Each makes one more database call than
    documented if the price of an item is stale, and more if another request changes the cart at the same time.
    """

    def __init__(self, store: CartStore, clock: Callable[[], int], limits: Limits = CONTRACT_LIMITS) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._store = store
        self._clock = clock
        self._limits = limits

    def read(self, owner: Owner) -> PricedCart:
        """Return the customer's cart, for GET /api/shop/cart: one database call.

        A changed price that it reports for the first time takes one call more, which records that it was reported.
        """
        return self._shown(owner, self._store.read(owner), NO_SNAPSHOTS)

    def peek(self, owner: Owner) -> PricedCart:
        """Return the cart as `read` does, but for someone else than the customer: nothing is recorded."""
        return self._priced(owner, self._store.read(owner), NO_SNAPSHOTS)

    def read_item(self, owner: Owner, item: int) -> PricedItem:
        """Return one item, for GET /api/shop/cart/items/{id}: one database call. Raises `ItemNotFound`."""
        cart = self._store.read(owner)
        product_id = _find_product(owner, cart, item)
        return next(
            priced for priced in self._priced(owner, cart, NO_SNAPSHOTS).items if priced.item.product_id == product_id
        )

    def add(self, owner: Owner, addition: ItemAddition, preconditions: Preconditions) -> Outcome:
        """Add a quantity of a product, for POST /api/shop/cart/items: two database calls."""
        cart, snapshot = self._store.read_with_product(owner, addition.product_id)
        snapshots = Snapshots({addition.product_id: snapshot} if snapshot else {})
        return self._execute(_Add(owner, addition, self._limits), preconditions, cart, snapshots)

    def update_item(self, owner: Owner, item: int, update: ItemUpdate, preconditions: Preconditions) -> Outcome:
        """Set an item's quantity or notes, for PATCH /api/shop/cart/items/{id}.

        Three database calls, two without a new quantity: the product to read is known only after reading the cart.
        """
        return self._execute(_UpdateItem(owner, item, update), preconditions, self._store.read(owner))

    def remove(self, owner: Owner, item: int, preconditions: Preconditions) -> Outcome:
        """Remove an item, for DELETE /api/shop/cart/items/{id}: two database calls."""
        return self._execute(_Remove(owner, item), preconditions, self._store.read(owner))

    def select(self, owner: Owner, selections: Mapping[str, int | None], preconditions: Preconditions) -> Outcome:
        """Set address, shipping method or payment method, for PATCH /api/shop/cart: two database calls.

        Raises `MethodNotOffered` too (contract: Shipping and payment methods).
        """
        if all(selections.get(name) is None for name in SELECTIONS.values()):
            return self._execute(_Select(owner, selections, {}), preconditions, self._store.read(owner))
        now = self._clock()
        cart, methods = self._store.read_with_methods(owner)
        shipping = {}
        if (id_ := selections.get("shipping_method")) is not None:
            shipping[id_] = shipping_snapshot(methods[Kind.SHIPPING], id_, now)
        operation = _Select(owner, selections, methods)
        return self._execute(operation, preconditions, cart, Snapshots(shipping=shipping))

    def apply_discount(self, owner: Owner, code: str, preconditions: Preconditions) -> Outcome:
        """Set the discount code, for PUT /api/shop/cart/discount: two database calls.

        Raises `InvalidDiscountCode` too (contract: Discount codes).
        """
        key, snapshots = normalised(code), NO_SNAPSHOTS
        if key is None:
            cart = self._store.read(owner)
        else:
            cart, found = self._store.read_with_discount(owner, key)
            snapshots = Snapshots(discounts={key: found} if found else {})
        return self._execute(_ApplyDiscount(owner, key), preconditions, cart, snapshots)

    def remove_discount(self, owner: Owner, preconditions: Preconditions) -> Outcome:
        """Remove the discount code, for DELETE /api/shop/cart/discount: two database calls, one if there is no cart."""
        return self._execute(_RemoveDiscount(owner), preconditions, self._store.read(owner))

    def clear(self, owner: Owner, preconditions: Preconditions) -> Outcome:
        """Empty the cart, for DELETE /api/shop/cart: two database calls, one if there is no cart."""
        return self._execute(_Clear(owner), preconditions, self._store.read(owner))

    def _execute(
        self, operation: _Operation, preconditions: Preconditions, cart: Cart, snapshots: Snapshots = NO_SNAPSHOTS
    ) -> Outcome:
        """Apply an operation to the cart as it was read, or as concurrent changes have left it since."""
        owner = operation.owner
        reported = reports(cart)
        ambiguous = 0
        for _ in range(MAX_CONFLICT_RETRIES):
            now = self._clock()
            if preconditions.is_replay(cart, now):
                return Outcome(self._shown(owner, cart, snapshots), replayed=not ambiguous)
            snapshots = self._checked(operation, preconditions, cart, snapshots)
            change = Change(
                at=now,
                key=preconditions.key,
                same_version=preconditions.versions is not None,
                refreshed=items_to_store(cart, snapshots, reported),
                shipping=newer(cart.newest_shipping(snapshots), cart.shipping),
                discount=newer(cart.newest_discount(snapshots), cart.discount),
            )
            try:
                changed = operation.apply(self._store, cart, snapshots, change)
            except Conflict as conflict:
                cart = conflict.current
            except Ambiguous:
                if preconditions.key is None or ambiguous == MAX_AMBIGUOUS_RETRIES:
                    raise
                # The key's record shows whether the write was applied, so this change may be tried again.
                ambiguous += 1
                cart = self._store.read(owner)
            else:
                return Outcome(self._shown(owner, changed, snapshots))
        raise Unavailable

    def _checked(
        self, operation: _Operation, preconditions: Preconditions, cart: Cart, snapshots: Snapshots
    ) -> Snapshots:
        """Check a cart in the contract's order, and return the snapshots that the change needs."""
        owner, age = operation.owner, self._limits.refresh_age
        needed = operation.locate(cart)
        if not preconditions.allow(cart):
            raise CartChanged(self._priced(owner, cart, snapshots))
        if operation.checks_totals:
            snapshots = self._refreshed(owner, cart, snapshots, age)
        elif needed is not None and needed not in snapshots.products:
            also = Wanted({needed: cart.items[needed].snapshot.product})
            snapshots = self._refreshed(owner, cart, snapshots, age, also)
        operation.check(cart, snapshots)
        return self._refreshed(owner, cart, snapshots, age) if operation.keeps_items else snapshots

    def _shown(self, owner: Owner, cart: Cart, snapshots: Snapshots) -> PricedCart:
        """Price a cart for an answer to the customer, and record the changed prices that the answer reports."""
        for _ in range(MAX_CONFLICT_RETRIES):
            snapshots = self._refreshed(owner, cart, snapshots, self._limits.price_age)
            changed = changed_prices(cart, snapshots)
            if not changed:
                return price(owner, cart, snapshots)
            try:
                cart = self._store.record_shown(owner, cart, Change(self._clock(), refreshed=changed))
            except Conflict as conflict:
                cart = conflict.current
        raise Unavailable

    def _priced(self, owner: Owner, cart: Cart, snapshots: Snapshots) -> PricedCart:
        """Price a cart by snapshots that are not older than the contract allows."""
        return price(owner, cart, self._refreshed(owner, cart, snapshots, self._limits.price_age))

    def _refreshed(
        self, owner: Owner, cart: Cart, snapshots: Snapshots, age: int, also: Wanted = NOTHING_MORE
    ) -> Snapshots:
        """Read what is at least ``age`` seconds old, and ``also`` other products and a code: one call, or none."""
        wanted = stale(cart, snapshots, self._clock(), age)
        wanted = wanted._replace(
            products={**wanted.products, **also.products}, discount=wanted.discount or also.discount
        )
        return snapshots if wanted == NOTHING_MORE else snapshots.updated(self._store.read_again(owner, wanted))


def _find_product(owner: Owner, cart: Cart, item: int) -> int:
    """Return the product of one of the customer's items. Raises `ItemNotFound`."""
    for product_id in cart.items:
        if item_id(owner, product_id) == item:
            return product_id
    raise ItemNotFound


def reports(cart: Cart) -> dict[int, tuple[Price, Price]]:
    """Return the price changes that earlier answers have reported, by product."""
    return {
        product_id: (item.changed_from, item.last_shown)
        for product_id, item in cart.items.items()
        if item.changed_from is not None
    }


def items_to_store(
    cart: Cart, snapshots: Snapshots, acknowledged: Mapping[int, tuple[Price, Price]] | None = None
) -> dict[int, CartItem]:
    """Return the items that an answer shows by newer snapshots, which a change stores at no further cost.

    A change counts as having seen what was reported before it began: the reports that are ``acknowledged``.
    """
    items = {}
    for product_id, stored in cart.items.items():
        item = stored
        if acknowledged and acknowledged.get(product_id) == (stored.changed_from, stored.last_shown):
            item = item._replace(changed_from=None)
        if product_id in snapshots.products:
            item = item.showing(snapshots.products[product_id])
        if item != stored:
            items[product_id] = item
    return items


def changed_prices(cart: Cart, snapshots: Snapshots) -> dict[int, CartItem]:
    """Return the items, as `items_to_store` does, whose prices no answer has shown yet."""
    return {
        product_id: item
        for product_id, item in items_to_store(cart, snapshots).items()
        if item.last_shown != cart.items[product_id].last_shown
    }


def newer(newest: T | None, stored: T | None) -> T | None:
    """Return the newest snapshot of a part of the cart, if it is not the stored one."""
    return None if newest == stored else newest
