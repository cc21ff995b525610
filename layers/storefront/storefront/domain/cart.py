"""The customer's cart: what it holds, what may be added, what it costs and what the customer must be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from storefront.domain import limits
from storefront.domain.errors import CartFull, IdempotencyKeyReused, InsufficientStock, InvalidProduct
from storefront.domain.product import Product, Reading

NOT_FOR_SALE: Final = {"product": ["no such product, or it is not for sale"]}


class Owner(NamedTuple):
    """Whose cart it is: a customer of a shop."""

    shop: str
    customer: str


class Addition(NamedTuple):
    """So much of a product is to go into a cart; ``notes`` replace the item's, ``None`` keeps them."""

    product_id: int
    quantity: int
    notes: str | None


class Revision(NamedTuple):
    """What is to be changed of an item: its quantity, its notes or both; ``None`` leaves."""

    quantity: int | None
    notes: str | None


class Selections(NamedTuple):
    """What the customer has selected for the order, by the shop's own ids."""

    address: int | None = None
    shipping_method: int | None = None
    payment_method: int | None = None


class RememberedKey(NamedTuple):
    """An idempotency key that was used: for which request (a fingerprint) and when (milliseconds since 1970)."""

    fingerprint: str
    used_at: int


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a cart, as stored. Times are milliseconds since 1970."""

    product_id: int
    quantity: int
    notes: str
    added_at: int
    updated_at: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart, as stored; ``Cart()`` is the one that every customer has before anything is written.

    ``items`` maps product ids to items in the order in which they were first added; ``version`` grows with every change
    and never repeats; ``keys`` maps digests of idempotency keys to their use. ``replaces_expired`` says that an expired
    cart, which counts as absent, still lies where this one is to be written.
    """

    version: int = 0
    selections: Selections = field(default_factory=Selections)
    created_at: int | None = None
    updated_at: int | None = None
    items: Mapping[int, Item] = field(default_factory=dict)
    keys: Mapping[str, RememberedKey] = field(default_factory=dict)
    replaces_expired: bool = False

    def may_hold(self, product: Product, quantity: int) -> None:
        """Check that an item may have this quantity. Raises `InvalidProduct` or `InsufficientStock`."""
        if not product.active:
            raise InvalidProduct(NOT_FOR_SALE)
        if product.stock is not None and quantity > product.stock:
            item = self.items.get(product.id)
            raise InsufficientStock({"quantity": [_stock_left(product.stock, item.quantity if item else 0)]})

    def may_add(self, product: Product, quantity: int) -> None:
        """Check that so much more of a product may go into this cart.

        Raises `InvalidProduct`, `InsufficientStock` or `CartFull`, in the contract's order (Shop API, error table).
        """
        item = self.items.get(product.id)
        held = item.quantity if item else 0
        self.may_hold(product, held + quantity)
        if item is None and len(self.items) >= limits.CART_ITEMS:
            raise CartFull({"product": [f"the cart holds at most {limits.CART_ITEMS} different products"]})
        if held + quantity > limits.ITEM_QUANTITY:
            message = f"the cart holds at most {limits.ITEM_QUANTITY} of one product, {held} now"
            raise CartFull({"quantity": [message]})

    def remembered_keys(self, now: int) -> dict[str, RememberedKey]:
        """Return the idempotency keys that still count at ``now``: the last 32, each for at most 24 hours."""
        oldest = now - limits.REMEMBERED_KEY_LIFETIME * 1000
        young = [(digest, key) for digest, key in self.keys.items() if key.used_at > oldest]
        young.sort(key=lambda entry: (entry[1].used_at, entry[0]), reverse=True)
        return dict(young[: limits.REMEMBERED_KEYS])

    def repeats(self, digest: str, fingerprint: str, now: int) -> bool:
        """Tell whether the request with this idempotency key was applied before.

        Raises `IdempotencyKeyReused` where the key belongs to another request.
        """
        remembered = self.remembered_keys(now).get(digest)
        if remembered is None:
            return False
        if remembered.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        return True


def _stock_left(stock: int, held: int) -> str:
    """Say what is available."""
    return f"only {stock} available" + (f", {held} of them in the cart" if held else "")


class CartWarning(NamedTuple):
    """Something that the customer must be told about an item (contract: Warnings)."""

    code: Literal["price_changed", "unavailable", "insufficient_stock"]
    product_id: int
    message: str


@dataclass(frozen=True, slots=True)
class PricedItem:
    """An item at the catalogue's present prices. Money is minor currency units."""

    item: Item
    product: Product

    @property
    def subtotal(self) -> int:
        """The unit price times the quantity."""
        return self.product.price * self.item.quantity

    @property
    def discount(self) -> int:
        """The unit discount times the quantity."""
        return self.product.discount * self.item.quantity

    @property
    def total(self) -> int:
        """What the item costs."""
        return self.subtotal - self.discount


@dataclass(frozen=True, slots=True)
class PricedCart:
    """A cart at the catalogue's present prices. Money is minor currency units; what is not for sale counts in none."""

    owner: Owner
    cart: Cart
    items: tuple[PricedItem, ...]
    warnings: tuple[CartWarning, ...]

    @property
    def quantity(self) -> int:
        """The sum of the items' quantities."""
        return sum(priced.item.quantity for priced in self.items)

    @property
    def items_subtotal(self) -> int:
        """The sum of the subtotals of the items that are for sale."""
        return sum(priced.subtotal for priced in self.items if priced.product.active)

    @property
    def items_discount(self) -> int:
        """The sum of the discounts of the items that are for sale."""
        return sum(priced.discount for priced in self.items if priced.product.active)

    @property
    def subtotal(self) -> int:
        """What the items cost after their discounts."""
        return self.items_subtotal - self.items_discount

    @property
    def discount(self) -> int:
        """The discount on the cart as a whole: none until there are promotions."""
        return 0

    @property
    def total(self) -> int:
        """What the cart costs."""
        return self.subtotal - self.discount


def price(owner: Owner, cart: Cart, readings: Mapping[int, Reading], shown: Mapping[int, Product]) -> PricedCart:
    """Price a cart.

    ``readings`` holds newer readings of the catalogue than the cart's own, by product id; ``shown`` holds, by product
    id, what the customer was last shown or added, against which a change of price is told.
    """
    items: list[PricedItem] = []
    warnings: list[CartWarning] = []
    for product_id, item in cart.items.items():
        reading = item.reading
        if product_id in readings and readings[product_id].read_at >= reading.read_at:
            reading = readings[product_id]
        product = reading.product
        items.append(PricedItem(item, product))
        warnings += _warnings(item, product, shown.get(product_id, product))
    return PricedCart(owner, cart, tuple(items), tuple(warnings))


def _warnings(item: Item, product: Product, shown: Product) -> list[CartWarning]:
    """Say what the customer must be told about one item."""
    if not product.active:
        return [CartWarning("unavailable", product.id, f"{product.name} is no longer for sale")]
    warnings = []
    changes = [
        f"the {name} of {product.name} changed from {before} to {after}"
        for name, before, after in (
            ("unit price", shown.price, product.price),
            ("unit discount", shown.discount, product.discount),
        )
        if before != after
    ]
    if changes:
        warnings.append(CartWarning("price_changed", product.id, "; ".join(changes)))
    if product.stock is not None and item.quantity > product.stock:
        message = f"only {product.stock} of {product.name} available, {item.quantity} in the cart"
        warnings.append(CartWarning("insufficient_stock", product.id, message))
    return warnings


def stale_products(cart: Cart, readings: Mapping[int, Reading], now: int, age: int) -> list[Product]:
    """List the cart's products whose newest reading is at least ``age`` seconds old at ``now`` (milliseconds)."""
    stale = []
    for product_id, item in cart.items.items():
        newest = item.reading
        if product_id in readings and readings[product_id].read_at > newest.read_at:
            newest = readings[product_id]
        if now - newest.read_at >= age * 1000:
            stale.append(newest.product)
    return stale
