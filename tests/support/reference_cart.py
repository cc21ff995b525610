"""The reference model of the cart: its rules by the contract, written once for every kind of test.

`Rules` decides what a request must lead to, and applies it. It uses the package's values (`Cart`, `Product` …) and none
of its rules. `FakeStore` keeps carts in memory by these rules, for tests of the service; `Interposed` adds races and
lost answers to any store. cart_machine.py compares a service with the rules, one request after another, and history.py
a recording of parallel requests.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from serverless_cart.domain.cart import (
    Cart,
    CartItem,
    IdempotencyRecord,
    ItemAddition,
    ItemUpdate,
    Owner,
    Price,
    PricedCart,
    Snapshots,
    Wanted,
)
from serverless_cart.domain.discounts import DiscountCode, DiscountSnapshot
from serverless_cart.domain.errors import (
    CartEmpty,
    CartFull,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidDiscountCode,
    InvalidProduct,
    ItemNotFound,
    MethodNotOffered,
    Refusal,
)
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.methods import Kind as MethodKind
from serverless_cart.domain.methods import Method, ShippingMethod, ShippingSnapshot, shipping_snapshot
from serverless_cart.domain.product import Product, ProductSnapshot
from serverless_cart.domain.public_ids import item_id
from serverless_cart.service.cart import CartChanged, CartService, Outcome, Preconditions
from serverless_cart.service.errors import Ambiguous
from serverless_cart.service.ports import CartStore, Change, Conflict, IdempotencyKey
from tests.support.builders import OWNER
from tools.support.events import DAY, NOW, SECOND

REFUSALS: Final[Mapping[type[Refusal], str]] = {
    IdempotencyKeyReused: "idempotency key reused",
    ItemNotFound: "item not found",
    MethodNotOffered: "validation error",
    CartChanged: "cart has changed",
    CartEmpty: "cart is empty",
    InvalidProduct: "invalid product",
    InsufficientStock: "insufficient stock",
    CartFull: "cart is full",
    InvalidDiscountCode: "invalid discount code",
}
"""The contract's error for each refusal, in the order of the checks."""


class Clock:
    """A clock that stays at ``now`` until a test sets it. Milliseconds since 1970."""

    now = NOW

    def __call__(self) -> int:
        return self.now


Methods = Mapping[MethodKind, Sequence[Method]]
Kind = Literal["read", "add", "update", "remove", "select", "clear", "merge", "apply", "withdraw", "checkout"]


@dataclass(frozen=True)
class Request:
    """A request for a cart; an absent quantity or absent notes stay as they are."""

    kind: Kind
    product: int = 0
    quantity: int | None = None
    notes: str | None = None
    selections: Mapping[str, int | None] = field(default_factory=dict)
    code: str = ""

    def send(  # noqa: PLR0911 - one for each kind
        self, carts: CartService, preconditions: Preconditions, owner: Owner = OWNER
    ) -> Outcome:
        """Send it to the service."""
        match self.kind:
            case "add":
                return carts.add(owner, ItemAddition(self.product, self.quantity or 0, self.notes), preconditions)
            case "update":
                update = ItemUpdate(self.quantity, self.notes)
                return carts.update_item(owner, item_id(owner, self.product), update, preconditions)
            case "remove":
                return carts.remove(owner, item_id(owner, self.product), preconditions)
            case "select":
                return carts.select(owner, self.selections, preconditions)
            case "clear":
                return carts.clear(owner, preconditions)
            case "apply":
                return carts.apply_discount(owner, self.code, preconditions)
            case "withdraw":
                return carts.remove_discount(owner, preconditions)
            case "read":
                return Outcome(carts.read(owner))
            case "merge" | "checkout":
                raise TypeError("a merge names a guest, and a checkout answers with an order")


@dataclass(frozen=True)
class Rules:
    """The rules of a cart under these limits; it remembers this number of idempotency keys. Times are milliseconds."""

    limits: Limits = CONTRACT_LIMITS
    records: int = 32

    def current(self, cart: Cart, now: int) -> Cart:
        """Return a stored cart as it counts now: absent from 30 days after its last change, in whole seconds."""
        last = cart.updated_at
        expired = last is not None and (last // SECOND + self.limits.cart_lifetime) * SECOND <= now
        return Cart(replaces_expired=True) if expired else cart

    def remembered(self, cart: Cart, now: int) -> dict[str, IdempotencyRecord]:
        """Return the records of the last keys that were used in the last 24 hours, oldest first."""
        used = sorted((it.used_at, key) for key, it in cart.idempotency_records.items() if now - it.used_at < DAY)
        return {key: cart.idempotency_records[key] for _, key in used[-self.records :]}

    def outcome(
        self,
        cart: Cart,
        request: Request,
        product: Product | None,
        preconditions: Preconditions,
        *,
        now: int,
        methods: Methods | None = None,
    ) -> str:
        """Return what a request must lead to: ``done``, ``replay`` or the contract's error."""
        key, versions = preconditions.key, preconditions.versions
        record = self.remembered(cart, now).get(key.digest) if key else None
        if key and record:
            return "replay" if record.fingerprint == key.fingerprint else "idempotency key reused"
        if self.lacks_item(cart, request):
            return "item not found"
        if not self.offered(request, methods or {}):
            return "validation error"
        if versions is not None and cart.version not in versions:
            return "cart has changed"
        if request.kind == "checkout" and not cart.items:
            return "cart is empty"
        return self.lacks_room(cart, request, product) or "done"

    def offered(self, request: Request, methods: Methods) -> bool:
        """Return whether the shop offers the methods that a request selects: any of a kind of which it lists none."""
        selected = {kind: request.selections.get(f"{kind}_method") for kind in methods}
        return all(
            id_ is None or not methods[kind] or id_ in [it.id for it in methods[kind] if it.active]
            for kind, id_ in selected.items()
        )

    def shipping(self, selected: int | None, methods: Sequence[Method], cart: PricedCart) -> tuple[int, list[str]]:
        """Return the cost of the selected shipping method, and the codes of its warnings."""
        if selected is None or not methods:
            return 0, []
        method = next((it for it in methods if it.id == selected and it.active), None)
        if not isinstance(method, ShippingMethod):
            return 0, ["shipping_unavailable"]
        free = method.free_from is not None and cart.subtotal >= method.free_from
        sells = any(line.product.active for line in cart.items)
        return 0 if free or not sells else method.cost, []

    def discount(self, code: DiscountCode | None, uses: int, subtotal: int, at: int) -> int | None:
        """Return what a code takes off a subtotal at this time, by the customer's uses; None if it does not apply."""
        if (
            code is None
            or not code.active
            or not (code.starts_at or 0) <= at <= (code.ends_at or at)
            or code.uses >= (code.max_uses or code.uses + 1)
            or uses >= (code.max_uses_per_customer or uses + 1)
            or subtotal < code.minimum
        ):
            return None
        return min(subtotal, code.amount) if code.amount is not None else subtotal * (code.percent or 0) // 100

    def lacks_item(self, cart: Cart, request: Request) -> bool:
        """Return whether a request is about an item that is not in the cart."""
        return request.kind in {"update", "remove"} and request.product not in cart.items

    def lacks_room(self, cart: Cart, request: Request, product: Product | None) -> str:
        """Return the error if a product, its stock or the limits do not allow the new quantity; empty if they do."""
        if not request.quantity:
            return ""
        adds, item = request.kind == "add", cart.items.get(request.product)
        quantity = request.quantity + (item.quantity if adds and item else 0)
        if product is None or not product.active:
            return "invalid product"
        if product.stock is not None and quantity > product.stock:
            return "insufficient stock"
        full = quantity > self.limits.item_quantity or len({*cart.items, request.product}) > self.limits.cart_items
        return "cart is full" if adds and full else ""

    def changes(self, cart: Cart, request: Request) -> bool:
        """Return whether a request that is done changes the cart: an absent one has nothing to remove."""
        return request.kind != "read" and (request.kind not in {"clear", "withdraw"} or cart.version > 0)

    def after(
        self,
        cart: Cart,
        request: Request,
        at: int,
        key: IdempotencyKey | None,
        stored: Mapping[int, CartItem],
        *,
        shipping: ShippingSnapshot | None = None,
        discount: DiscountSnapshot | None = None,
    ) -> Cart:
        """Return the cart after a change at this time that stores the snapshots and shown prices of these items.

        ``shipping`` and ``discount`` are the snapshots of the shipping method and of the code that are stored then.
        """
        items, selections = dict(cart.items), cart.selections
        item = items.get(request.product)
        match request.kind:
            case "add":
                item = item or CartItem(request.product, 0, "", at, at, stored[request.product].snapshot)
                items[request.product] = _updated(item, item.quantity + (request.quantity or 0), request, at)
            case "update":
                items[request.product] = _updated(items[request.product], request.quantity, request, at)
            case "remove":
                del items[request.product]
            case "select":
                selections = selections._replace(**request.selections)
            case "clear" | "checkout":
                items = {}
        ordered = sorted(items.values(), key=lambda it: (it.added_at, it.product_id))
        records = dict(cart.idempotency_records)
        if key:
            kept = list(self.remembered(cart, at).items())[1 - self.records :]
            records = {**dict(kept), key.digest: IdempotencyRecord(key.fingerprint, at)}
        return Cart(
            # A version begins at the time, so that no later cart repeats it.
            version=(cart.version or at) + 1,
            selections=selections,
            created_at=cart.created_at or at,
            updated_at=at,
            items={it.product_id: shown_as(it, stored.get(it.product_id, it)) for it in ordered},
            idempotency_records=records,
            shipping=shipping,
            discount=discount,
        )

    def merged(
        self, cart: Cart, guest: Cart, products: Mapping[int, Product]
    ) -> tuple[dict[int, CartItem], dict[int, CartItem]]:
        """Return the items of both carts after a merge: each piece moves that could be added by itself."""
        items, left = dict(cart.items), dict(guest.items)
        for id_, item in guest.items.items():
            pieces = item.quantity
            while pieces and not self.lacks_room(Cart(items=items), Request("add", id_, 1), products[id_]):
                own = items.get(id_, item._replace(quantity=0))
                items[id_] = own._replace(quantity=own.quantity + 1, notes=own.notes or item.notes)
                pieces -= 1
            left[id_] = item._replace(quantity=pieces)
        return items, {id_: it for id_, it in left.items() if it.quantity}

    def showing(self, item: CartItem, product: Product) -> tuple[Price, Price | None]:
        """Return the price that a customer has been shown after an answer, and the one before a change of it.

        Only a product on sale shows a price. A change is reported against the first price that differs.
        """
        price, shown = Price.of(product), item.last_shown
        if not product.active or price == shown:
            return shown, item.changed_from
        return price, next(it for it in (item.changed_from, shown) if it not in {None, price})

    def warnings(self, item: CartItem, product: Product) -> list[str]:
        """Return the codes of an item's warnings in an answer that shows this product."""
        if not product.active:
            return ["unavailable"]
        repriced = self.showing(item, product)[1] is not None
        scarce = product.stock is not None and item.quantity > product.stock
        return ["price_changed"] * repriced + ["insufficient_stock"] * scarce


def shown_as(item: CartItem, other: CartItem) -> CartItem:
    return item._replace(snapshot=other.snapshot, shown=other.shown, changed_from=other.changed_from)


def _showing(item: CartItem | None) -> tuple[object, ...]:
    return (item.snapshot, item.last_shown, item.changed_from) if item else ()


def _updated(item: CartItem, quantity: int | None, request: Request, at: int) -> CartItem:
    notes = item.notes if request.notes is None else request.notes
    return item._replace(quantity=quantity or item.quantity, notes=notes, updated_at=at)


@dataclass
class FakeStore(CartStore):
    """Carts and products in memory, by the `Rules`."""

    clock: Callable[[], int]
    catalogue: dict[int, Product] = field(default_factory=dict)
    carts: dict[Owner, Cart] = field(default_factory=dict)
    codes: dict[str, DiscountCode] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)
    methods: dict[MethodKind, list[Method]] = field(default_factory=lambda: {kind: [] for kind in MethodKind})
    rules: Rules = field(default_factory=Rules)

    def read(self, owner: Owner) -> Cart:
        return self.rules.current(self.carts.get(owner, Cart()), self.clock())

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, ProductSnapshot | None]:
        found = self.catalogue.get(product_id)
        return self.read(owner), ProductSnapshot(found, self.clock()) if found else None

    def read_with_methods(self, owner: Owner) -> tuple[Cart, dict[MethodKind, list[Method]]]:
        return self.read(owner), self.methods

    def read_with_discount(self, owner: Owner, key: str) -> tuple[Cart, DiscountSnapshot | None]:
        code = self.codes.get(key)
        return self.read(owner), DiscountSnapshot(code, self.uses.get(key, 0), self.clock()) if code else None

    def read_again(self, owner: Owner, wanted: Wanted) -> Snapshots:
        assert owner.shop == OWNER.shop
        now, id_ = self.clock(), wanted.shipping
        found = [self.catalogue.get(it.id, it._replace(active=False)) for it in wanted.products.values()]
        shipping = {} if id_ is None else {id_: shipping_snapshot(self.methods[MethodKind.SHIPPING], id_, now)}
        discounts = {}
        if wanted.discount:
            key = wanted.discount.key
            code = self.codes.get(key, wanted.discount._replace(active=False))
            discounts[key] = DiscountSnapshot(code, self.uses.get(key, 0), now)
        return Snapshots({it.id: ProductSnapshot(it, now) for it in found}, shipping, discounts)

    def add(self, owner: Owner, cart: Cart, snapshot: ProductSnapshot, addition: ItemAddition, change: Change) -> Cart:
        return self._write(owner, cart, Request("add", *addition), change, snapshot)

    def update_item(self, owner: Owner, cart: Cart, product_id: int, update: ItemUpdate, change: Change) -> Cart:
        return self._write(owner, cart, Request("update", product_id, *update), change)

    def remove(self, owner: Owner, cart: Cart, product_id: int, change: Change) -> Cart:
        return self._write(owner, cart, Request("remove", product_id), change)

    def select(self, owner: Owner, cart: Cart, selections: Mapping[str, int | None], change: Change) -> Cart:
        return self._write(owner, cart, Request("select", selections=selections), change)

    def set_discount(self, owner: Owner, cart: Cart, discount: DiscountSnapshot | None, change: Change) -> Cart:
        return self._write(owner, cart, Request("apply"), replace(change, discount=discount))

    def clear(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        return self._write(owner, cart, Request("clear"), replace(change, refreshed={}))

    def _write(
        self, owner: Owner, read: Cart, request: Request, change: Change, added: ProductSnapshot | None = None
    ) -> Cart:
        """Make a change of the cart that was read, under the conditions of the port."""
        now = self.rules.current(self.carts.get(owner, Cart()), change.at)
        stored = dict(change.refreshed)
        own = stored.pop(request.product, None) if request.kind in {"add", "remove"} else None
        repriced = added and own and _showing(own)[1:] != _showing(read.items[request.product])[1:]
        unchanged = {*stored, request.product} if repriced else set(stored)
        selects, applies = "shipping_method" in request.selections, request.kind == "apply"
        if (
            (now.replaces_expired and not read.replaces_expired)
            or (read.replaces_expired and now.version)
            or (change.key and change.key.digest in self.rules.remembered(now, change.at))
            or (change.same_version and now.version != read.version)
            or self.rules.lacks_item(now, request)
            or (added and self.rules.lacks_room(now, request, added.product))
            or (request.kind == "clear" and set(now.items) != set(read.items))
            or any(_showing(now.items.get(id_)) != _showing(read.items[id_]) for id_ in unchanged)
            or (change.shipping and not selects and now.shipping != read.shipping)
            or (change.discount and not applies and now.discount != read.discount)
        ):
            raise Conflict(now)
        if added:
            held = now.items.get(request.product) or CartItem(request.product, 0, "", 0, 0, added)
            newest = max(added, held.snapshot, key=lambda it: it.read_at)
            stored[request.product] = own if repriced and own else held._replace(snapshot=newest)
        shipping = change.shipping if selects else change.shipping or now.shipping
        discount = change.discount if applies else change.discount or now.discount
        self.carts[owner] = self.rules.after(
            now, request, change.at, change.key, stored, shipping=shipping, discount=discount
        )
        return self.carts[owner]

    def record_shown(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        current, items = self.rules.current(self.carts.get(owner, Cart()), change.at), change.refreshed
        if any(_showing(current.items.get(id_)) != _showing(cart.items[id_]) for id_ in items):
            raise Conflict(current)
        shown = {id_: shown_as(it, items.get(id_, it)) for id_, it in current.items.items()}
        self.carts[owner] = replace(current, items=shown)
        return self.carts[owner]


class Interposed:
    """A `CartStore` behind which writes are delayed and answers are lost.

    ``between`` runs before each write, as another request would; ``lost`` has for each write in turn whether its answer
    is ``lost`` before it is applied, or when it is ``applied``, or empty.
    """

    def __init__(self, store: CartStore) -> None:
        self.store = store
        self.calls: list[str] = []
        self.changes: list[Change] = []
        self.between: Callable[[], None] = lambda: None
        self.lost: Iterator[str] = iter(())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self.store, name)

        def read(*arguments: Any) -> Any:
            self.calls.append("read products" if name == "read_again" else "read")
            return method(*arguments)

        def write(*arguments: Any) -> Any:
            self.calls.append("write")
            self.changes.append(arguments[-1])
            self.between()
            fate = next(self.lost, "")
            if fate == "lost":
                raise Ambiguous
            changed = method(*arguments)
            if fate == "applied":
                raise Ambiguous
            return changed

        def record(*arguments: Any) -> Any:
            self.calls.append("record")
            return method(*arguments)

        return record if name == "record_shown" else read if name.startswith("read") else write
