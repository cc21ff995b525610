"""The customer's cart: its items, the rules for changes, its prices and its warnings (contract: Cart)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from serverless_cart.domain.discounts import DiscountCode, DiscountSnapshot
from serverless_cart.domain.errors import CartFull, InsufficientStock, InvalidProduct
from serverless_cart.domain.limits import IDEMPOTENCY_RECORD_LIFETIME, IDEMPOTENCY_RECORDS, Limits
from serverless_cart.domain.methods import ShippingSnapshot
from serverless_cart.domain.product import Product, ProductSnapshot

NOT_FOR_SALE: Final = {"product": ["no such product, or it is not for sale"]}


class Owner(NamedTuple):
    """The owner of a cart: a customer of a shop."""

    shop: str
    customer: str


class ItemAddition(NamedTuple):
    """A quantity of a product to add to a cart; ``notes`` replace the item's, ``None`` keeps them."""

    product_id: int
    quantity: int
    notes: str | None


class ItemUpdate(NamedTuple):
    """A new quantity of an item, new notes or both; ``None`` leaves the value as it is."""

    quantity: int | None
    notes: str | None


class Selections(NamedTuple):
    """The customer's selections for the order: ids that the shop defines, ``None`` if not selected."""

    address: int | None = None
    shipping_method: int | None = None
    payment_method: int | None = None


class IdempotencyRecord(NamedTuple):
    """The use of an idempotency key: the request's fingerprint and the time (milliseconds since 1970).

    ``order_key`` is the key of the order that the request made, empty if it made none.
    """

    fingerprint: str
    used_at: int
    order_key: str = ""


class Price(NamedTuple):
    """The price and the discount of one piece, in minor currency units."""

    unit_price: int
    unit_discount: int

    @classmethod
    def of(cls, product: Product) -> "Price":
        """Return the price of a product."""
        return cls(product.price, product.discount)


class CartItem(NamedTuple):
    """One item of a cart, as stored. Times are milliseconds since 1970.

    ``shown`` is the price that an answer last showed while the product was for sale, ``None`` if it is the snapshot's.
    ``changed_from`` is the price before a change that an answer reported, until the customer makes a further change
    (contract: Warnings).
    """

    product_id: int
    quantity: int
    notes: str
    added_at: int
    updated_at: int
    snapshot: ProductSnapshot
    shown: Price | None = None
    changed_from: Price | None = None

    @property
    def last_shown(self) -> Price:
        """The price that an answer last showed while the product was for sale."""
        return self.shown or Price.of(self.snapshot.product)

    def showing(self, snapshot: ProductSnapshot) -> "CartItem":
        """Return the item after an answer that shows it by this snapshot, or by its own if that is newer."""
        newest = max(snapshot, self.snapshot, key=lambda one: one.read_at)
        price, last = Price.of(newest.product), self.last_shown
        if price == last:
            return self._replace(snapshot=newest, shown=None)
        if not newest.product.active:
            return self._replace(snapshot=newest, shown=last)
        before = self.changed_from if self.changed_from not in {None, price} else last
        return self._replace(snapshot=newest, shown=None, changed_from=before)


_NOTHING: Final[Mapping[Any, Any]] = {}


class Snapshots(NamedTuple):
    """What was read again for a cart: products and shipping methods by their ids, discount codes by their keys."""

    products: Mapping[int, ProductSnapshot] = _NOTHING
    shipping: Mapping[int, ShippingSnapshot] = _NOTHING
    discounts: Mapping[str, DiscountSnapshot] = _NOTHING

    def updated(self, newer: "Snapshots") -> "Snapshots":
        """Return these snapshots with newer ones in their place."""
        return Snapshots(
            {**self.products, **newer.products},
            {**self.shipping, **newer.shipping},
            {**self.discounts, **newer.discounts},
        )


NO_SNAPSHOTS: Final = Snapshots()


class Wanted(NamedTuple):
    """What must be read again for a cart: products, the selected shipping method by its id, and the discount code."""

    products: Mapping[int, Product] = _NOTHING
    shipping: int | None = None
    discount: DiscountCode | None = None


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart, as stored; ``Cart()`` is the empty cart of a customer for whom nothing is stored.

    ``items`` maps product ids to items, in the order in which they were first added; ``version`` grows with every
    change and never repeats; ``idempotency_records`` maps digests of idempotency keys to their use.
    ``shipping`` is the snapshot of the selected shipping method, ``None`` if it must be read; ``discount`` is the one
    of the discount code. ``reviewed_by`` is the digest of the idempotency key whose checkout last had to be reviewed.
    ``replaces_expired`` is true if an expired cart is still stored: it counts as absent, but must be replaced.
    """

    version: int = 0
    selections: Selections = field(default_factory=Selections)
    created_at: int | None = None
    updated_at: int | None = None
    items: Mapping[int, CartItem] = field(default_factory=dict)
    idempotency_records: Mapping[str, IdempotencyRecord] = field(default_factory=dict)
    shipping: ShippingSnapshot | None = None
    discount: DiscountSnapshot | None = None
    reviewed_by: str = ""
    replaces_expired: bool = False

    def newest_shipping(self, snapshots: Snapshots) -> ShippingSnapshot | None:
        """Return the newest snapshot of the selected shipping method; ``None`` if there is none."""
        selected = self.selections.shipping_method
        if selected is None:
            return None
        known = [snapshots.shipping.get(selected), self.shipping]
        fitting = [it for it in known if it is not None and it.method_id == selected]
        return max(fitting, key=lambda it: it.read_at, default=None)

    def newest_discount(self, snapshots: Snapshots) -> DiscountSnapshot | None:
        """Return the newest snapshot of the cart's discount code; ``None`` if it has none."""
        if self.discount is None:
            return None
        newer = snapshots.discounts.get(self.discount.discount.key, self.discount)
        return max(newer, self.discount, key=lambda it: it.read_at)

    def check_can_hold(self, product: Product, quantity: int) -> None:
        """Check that an item may have this quantity. Raises `InvalidProduct` or `InsufficientStock`."""
        if not product.active:
            raise InvalidProduct(NOT_FOR_SALE)
        if product.stock is not None and quantity > product.stock:
            item = self.items.get(product.id)
            raise InsufficientStock({"quantity": [_stock_left(product.stock, item.quantity if item else 0)]})

    def check_can_add(self, product: Product, quantity: int, limits: Limits) -> None:
        """Check that this quantity of a product may be added.

        Raises `InvalidProduct`, `InsufficientStock` or `CartFull`, in this order (contract: Order of checks).
        """
        item = self.items.get(product.id)
        held = item.quantity if item else 0
        self.check_can_hold(product, held + quantity)
        if item is None and len(self.items) >= limits.cart_items:
            raise CartFull({"product": [f"at most {limits.cart_items} different products can be in a cart"]})
        if held + quantity > limits.item_quantity:
            message = f"at most {limits.item_quantity} of one product can be in a cart, {held} in the cart"
            raise CartFull({"quantity": [message]})

    def active_idempotency_records(self, now: int) -> dict[str, IdempotencyRecord]:
        """Return the records that are valid at ``now`` (milliseconds): the last 32, each for at most 24 hours."""
        oldest = now - IDEMPOTENCY_RECORD_LIFETIME * 1000
        young = [(digest, record) for digest, record in self.idempotency_records.items() if record.used_at > oldest]
        young.sort(key=lambda entry: (entry[1].used_at, entry[0]), reverse=True)
        return dict(young[:IDEMPOTENCY_RECORDS])

    def find_idempotency_record(self, digest: str, now: int) -> IdempotencyRecord | None:
        """Return the record of an idempotency key, by the key's digest, if it is valid at ``now``."""
        return self.active_idempotency_records(now).get(digest)


def _stock_left(stock: int, held: int) -> str:
    return f"only {stock} available" + (f", {held} in the cart" if held else "")


class CartWarning(NamedTuple):
    """A warning about an item, or about the whole cart without a ``product_id`` (contract: Warnings)."""

    code: Literal[
        "price_changed",
        "unavailable",
        "insufficient_stock",
        "discount_unavailable",
        "shipping_unavailable",
        "not_merged",
    ]
    product_id: int | None
    message: str


class PricedItem(NamedTuple):
    """An item at current prices, in minor currency units: for the quantity, not for one piece."""

    item: CartItem
    product: Product
    subtotal: int
    discount: int

    @property
    def total(self) -> int:
        """The price of the item after its discount."""
        return self.subtotal - self.discount


class PricedCart(NamedTuple):
    """A cart at current prices, in minor currency units. Items that are not for sale count in no sum."""

    owner: Owner
    cart: Cart
    items: tuple[PricedItem, ...]
    warnings: tuple[CartWarning, ...]
    quantity: int
    items_subtotal: int
    items_discount: int
    discount: int = 0
    """The discount on the cart as a whole: by its discount code, while that applies."""
    shipping_cost: int = 0
    """The cost of the selected shipping method."""
    discount_code: str | None = None

    @property
    def subtotal(self) -> int:
        """The price of the items after their discounts."""
        return self.items_subtotal - self.items_discount

    @property
    def total(self) -> int:
        """The price of the cart after all discounts, with its shipping."""
        return self.subtotal - self.discount + self.shipping_cost


def price(owner: Owner, cart: Cart, snapshots: Snapshots = NO_SNAPSHOTS) -> PricedCart:
    """Price a cart. ``snapshots`` may be newer than the cart's own."""
    items: list[PricedItem] = []
    warnings: list[CartWarning] = []
    quantity = items_subtotal = items_discount = 0
    for product_id, stored in cart.items.items():
        item = stored.showing(snapshots.products[product_id]) if product_id in snapshots.products else stored
        product = item.snapshot.product
        priced = PricedItem(item, product, product.price * item.quantity, product.discount * item.quantity)
        items.append(priced)
        warnings += _warnings(item, product)
        quantity += item.quantity
        if product.active:
            items_subtotal += priced.subtotal
            items_discount += priced.discount
    subtotal = items_subtotal - items_discount
    code, discount = cart.newest_discount(snapshots), 0
    if code and (reason := code.refusal(subtotal)):
        message = f"the discount code {code.discount.code} does not apply: {reason}"
        warnings.append(CartWarning("discount_unavailable", None, message))
    elif code:
        discount = code.amount_off(subtotal)
    shipping, shipping_cost = cart.newest_shipping(snapshots), 0
    if shipping and not shipping.offered:
        warnings.append(CartWarning("shipping_unavailable", None, "the selected shipping method is not available"))
    elif shipping and any(priced.product.active for priced in items):
        shipping_cost = shipping.cost_of(subtotal)
    return PricedCart(
        owner=owner,
        cart=cart,
        items=tuple(items),
        warnings=tuple(warnings),
        quantity=quantity,
        items_subtotal=items_subtotal,
        items_discount=items_discount,
        discount=discount,
        shipping_cost=shipping_cost,
        discount_code=code.discount.code if code else None,
    )


def _warnings(item: CartItem, product: Product) -> list[CartWarning]:
    if not product.active:
        return [CartWarning("unavailable", product.id, f"{product.name} is no longer for sale")]
    warnings = []
    if item.changed_from is not None:
        changes = [
            f"the {name} of {product.name} changed from {before} to {after}"
            for name, before, after in zip(
                ("unit price", "unit discount"), item.changed_from, item.last_shown, strict=True
            )
            if before != after
        ]
        warnings.append(CartWarning("price_changed", product.id, "; ".join(changes)))
    if product.stock is not None and item.quantity > product.stock:
        message = f"only {product.stock} of {product.name} available, {item.quantity} in the cart"
        warnings.append(CartWarning("insufficient_stock", product.id, message))
    return warnings


def stale(cart: Cart, snapshots: Snapshots, now: int, age: int) -> Wanted:
    """Return the parts of a cart whose newest snapshot is at least ``age`` seconds old at ``now`` (milliseconds)."""
    oldest = now - age * 1000
    products = {}
    for product_id, item in cart.items.items():
        newest = item.snapshot
        if product_id in snapshots.products and snapshots.products[product_id].read_at > newest.read_at:
            newest = snapshots.products[product_id]
        if newest.read_at <= oldest:
            products[product_id] = newest.product
    shipping = cart.newest_shipping(snapshots)
    is_fresh = shipping is not None and shipping.read_at > oldest
    code = cart.newest_discount(snapshots)
    return Wanted(
        products,
        shipping=None if is_fresh else cart.selections.shipping_method,
        discount=code.discount if code and code.read_at <= oldest else None,
    )
