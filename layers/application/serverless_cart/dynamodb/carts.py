"""Customers' carts: one item each, with flat attributes, so that one conditional update serves every change.

A cart's attributes are ``version``, ``products`` (the set of product ids in it), ``created_at``, ``updated_at``
(milliseconds), ``expires_at`` (seconds, the table's TTL), the three selections, ``shipping`` and ``discount`` (the
snapshots of the selected shipping method and of the discount code), ``reviewed_by``, ``key#<digest>`` for each
idempotency record and, for each product in it, ``qty#<product>``, ``snap#<product>``, ``added#<product>``,
``updated#<product>`` and ``notes#<product>``.

``snap#<product>`` is the product's snapshot as text: the milliseconds of the read, then JSON. As text it takes one
attribute instead of eight, and an older snapshot compares as less than a newer one in a condition.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic_core import from_json, to_json

from serverless_cart.domain.cart import (
    Cart,
    CartItem,
    IdempotencyRecord,
    ItemAddition,
    ItemUpdate,
    Owner,
    Price,
    Selections,
    Snapshots,
    Wanted,
)
from serverless_cart.domain.discounts import DiscountCode, DiscountSnapshot
from serverless_cart.domain.limits import CONTRACT_LIMITS, IDEMPOTENCY_RECORDS, MAX_SAFE_INTEGER, Limits
from serverless_cart.domain.methods import Kind, Method, ShippingSnapshot, shipping_snapshot
from serverless_cart.domain.product import Product, ProductSnapshot
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    number,
    number_set,
    read_int,
    read_optional_int,
    read_optional_text,
    read_text,
    text,
)
from serverless_cart.dynamodb.catalogue import product_from_item
from serverless_cart.dynamodb.discounts import discount_from_item, uses_from_item
from serverless_cart.dynamodb.expiry import (
    expiry,
    is_expired,
    require_absent_or_alive,
    require_absent_or_expired,
    require_alive,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.methods import methods_from_item
from serverless_cart.dynamodb.table import ConditionFailed, Table
from serverless_cart.service.ports import CartStore, Change, Conflict, IdempotencyKey

_ITEM_ATTRIBUTES: Final = ("qty", "snap", "added", "updated", "notes")
_PRODUCT_FIELDS: Final = len(Product._fields) - 1
"""A product's fields in a snapshot: all but its id, which the attribute's name has."""


class DynamoDBCartStore(CartStore):
    """Carts and products in the table."""

    def __init__(self, table: Table, clock: Callable[[], int], limits: Limits = CONTRACT_LIMITS) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock
        self._limits = limits

    def read(self, owner: Owner) -> Cart:
        """Read with one GetItem."""
        return cart_from_item(self._table.get(keys.cart(owner)), self._clock())

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, ProductSnapshot | None]:
        """Read both with one BatchGetItem."""
        now = self._clock()
        cart_key, product_key = keys.cart(owner), keys.product(owner.shop, product_id)
        # Product ids are below 2^53, and a sort key has no room for longer integers.
        possible = 0 <= product_id <= MAX_SAFE_INTEGER
        found = self._table.get_many([cart_key, product_key] if possible else [cart_key])
        cart = cart_from_item(found.get(cart_key), now)
        product = found.get(product_key)
        return cart, ProductSnapshot(product_from_item(product), now) if product else None

    def read_with_methods(self, owner: Owner) -> tuple[Cart, dict[Kind, list[Method]]]:
        """Read them with one BatchGetItem."""
        now = self._clock()
        cart_key = keys.cart(owner)
        method_keys = {kind: keys.methods(owner.shop, kind) for kind in Kind}
        found = self._table.get_many([cart_key, *method_keys.values()])
        methods = {kind: methods_from_item(found.get(key), kind) for kind, key in method_keys.items()}
        return cart_from_item(found.get(cart_key), now), methods

    def read_with_discount(self, owner: Owner, key: str) -> tuple[Cart, DiscountSnapshot | None]:
        """Read them with one BatchGetItem."""
        now = self._clock()
        cart_key, code_key, uses_key = keys.cart(owner), keys.discount(owner.shop, key), keys.uses(owner)
        found = self._table.get_many([cart_key, code_key, uses_key])
        cart = cart_from_item(found.get(cart_key), now)
        if code_key not in found:
            return cart, None
        discount = discount_from_item(found[code_key])
        return cart, DiscountSnapshot(discount, uses_from_item(found.get(uses_key), key), now)

    def read_again(self, owner: Owner, wanted: Wanted) -> Snapshots:
        """Read them with one BatchGetItem per 100."""
        now = self._clock()
        products = {keys.product(owner.shop, id_): product for id_, product in wanted.products.items()}
        methods = keys.methods(owner.shop, Kind.SHIPPING)
        more = [] if wanted.shipping is None else [methods]
        if wanted.discount:
            more += [keys.discount(owner.shop, wanted.discount.key), keys.uses(owner)]
        found = self._table.get_many([*products, *more])
        shipping = {}
        if wanted.shipping is not None:
            offered = methods_from_item(found.get(methods), Kind.SHIPPING)
            shipping[wanted.shipping] = shipping_snapshot(offered, wanted.shipping, now)
        discounts = {}
        if wanted.discount:
            key = wanted.discount.key
            item = found.get(keys.discount(owner.shop, key))
            code = discount_from_item(item) if item else wanted.discount._replace(active=False)
            discounts[key] = DiscountSnapshot(code, uses_from_item(found.get(keys.uses(owner)), key), now)
        return Snapshots(
            {
                product.id: ProductSnapshot(
                    product_from_item(found[key]) if key in found else product._replace(active=False), now
                )
                for key, product in products.items()
            },
            shipping,
            discounts,
        )

    def add(self, owner: Owner, cart: Cart, snapshot: ProductSnapshot, addition: ItemAddition, change: Change) -> Cart:
        """Add with one UpdateItem, or with one PutItem if an expired cart must be replaced."""
        product = snapshot.product
        if cart.replaces_expired:
            new = _new_item(snapshot, addition, change)
            return self._replace_expired(owner, replace(new_cart(change), items={product.id: new}), change)
        write = Expression()
        self._require_room(write, product, addition.quantity)
        write.add(f"qty#{product.id}", number(addition.quantity))
        write.add("products", number_set([product.id]))

        stored = cart.items.get(product.id)
        shown = stored.showing(snapshot) if stored else _new_item(snapshot, addition, change)
        item = change.refreshed.get(product.id, shown)
        if stored and not _same_report(item, stored):
            _store_snapshot(write, item, stored)
        elif stored and not snapshot.replaces(stored.snapshot, self._limits.snapshot_reuse):
            write.require_present(f"snap#{product.id}")
        else:
            write.require_absent_or(f"snap#{product.id}", "<=", snapshot_value(item))
            write.set(f"snap#{product.id}", snapshot_value(item))

        if addition.notes is not None:
            write.set(f"notes#{product.id}", text(addition.notes))
        write.set_once(f"added#{product.id}", number(change.at))
        write.set(f"updated#{product.id}", number(change.at))
        return self._update(owner, cart, write, _without_refresh(change, product.id))

    def update_item(self, owner: Owner, cart: Cart, product_id: int, update: ItemUpdate, change: Change) -> Cart:
        """Update with one UpdateItem."""
        write = Expression()
        write.require_present(f"qty#{product_id}")
        if update.quantity is not None:
            write.set(f"qty#{product_id}", number(update.quantity))
        if update.notes is not None:
            write.set(f"notes#{product_id}", text(update.notes))
        write.set(f"updated#{product_id}", number(change.at))
        return self._update(owner, cart, write, change)

    def remove(self, owner: Owner, cart: Cart, product_id: int, change: Change) -> Cart:
        """Remove with one UpdateItem."""
        write = Expression()
        write.require_present(f"qty#{product_id}")
        _remove_item(write, product_id)
        write.delete("products", number_set([product_id]))
        return self._update(owner, cart, write, _without_refresh(change, product_id))

    def select(self, owner: Owner, cart: Cart, selections: Mapping[str, int | None], change: Change) -> Cart:
        """Select with one UpdateItem, or with one PutItem if an expired cart must be replaced."""
        if cart.replaces_expired:
            new = replace(new_cart(change), selections=Selections()._replace(**selections), shipping=change.shipping)
            return self._replace_expired(owner, new, change)
        write = Expression()
        for name, selected in selections.items():
            if selected is None:
                write.remove(name)
            else:
                write.set(name, number(selected))
        if "shipping_method" not in selections:
            return self._update(owner, cart, write, change)
        if change.shipping:
            write.set("shipping", shipping_value(change.shipping))
        else:
            write.remove("shipping")
        return self._update(owner, cart, write, replace(change, shipping=None))

    def set_discount(self, owner: Owner, cart: Cart, discount: DiscountSnapshot | None, change: Change) -> Cart:
        """Set with one UpdateItem, or with one PutItem if an expired cart must be replaced."""
        if cart.replaces_expired:
            return self._replace_expired(owner, replace(new_cart(change), discount=discount), change)
        write = Expression()
        if discount:
            write.set("discount", discount_value(discount))
        else:
            write.remove("discount")
        return self._update(owner, cart, write, replace(change, discount=None))

    def clear(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Clear with one UpdateItem. It requires the same products, so it neither loses nor blocks other changes."""
        write = Expression()
        if cart.items:
            write.require_equal("products", number_set(cart.items))
            write.remove("products")
        else:
            write.require_absent("products")
        for product_id in cart.items:
            _remove_item(write, product_id)
        return self._update(owner, cart, write, replace(change, refreshed={}))

    def record_shown(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Record with one UpdateItem."""
        write = Expression()
        require_alive(write, change.at)
        store_newer(write, cart, change)
        return self._send(owner, write, change.at)

    def _require_room(self, write: Expression, product: Product, quantity: int) -> None:
        """Require what `Cart.check_can_add` checks: the stock, the quantity of one item, the items of one cart."""
        most = self._limits.item_quantity
        if product.stock is not None:
            most = min(most, product.stock)
        write.require_absent_or(f"qty#{product.id}", "<=", number(most - quantity))
        products = write.name("products")
        own_id, limit = write.value(number(product.id)), write.value(number(self._limits.cart_items))
        write.require(
            f"(attribute_not_exists({products}) OR contains({products}, {own_id}) OR size({products}) < {limit})"
        )

    def _update(self, owner: Owner, cart: Cart, write: Expression, change: Change) -> Cart:
        """Add the clauses that all changes of an unexpired or absent cart share, and send the write."""
        require_absent_or_alive(write, change.at)
        if change.same_version:
            if cart.version:
                write.require_equal("version", number(cart.version))
            else:
                write.require_absent("version")
        # Versions start at the current time, so they never repeat, even in a new cart after an expired one.
        write.count_up("version", start=change.at)
        write.set_once("created_at", number(change.at))
        write.set("updated_at", number(change.at))
        write.set("expires_at", expiry(change.at, self._limits.cart_lifetime))
        store_newer(write, cart, change)
        if change.key:
            _record_key(write, cart, change.key, change)
        return self._send(owner, write, change.at)

    def _send(self, owner: Owner, write: Expression, now: int) -> Cart:
        try:
            return cart_from_item(self._table.update(keys.cart(owner), write), now)
        except ConditionFailed as failed:
            self._table.report_conflict()
            raise Conflict(cart_from_item(failed.item, now)) from None

    def _replace_expired(self, owner: Owner, new: Cart, change: Change) -> Cart:
        """Write a new cart over an expired one that DynamoDB has not deleted yet."""
        write = Expression()
        require_absent_or_expired(write, change.at)
        try:
            self._table.put(cart_to_item(owner, new, change.at, self._limits.cart_lifetime), write)
        except ConditionFailed as failed:
            self._table.report_conflict()
            raise Conflict(cart_from_item(failed.item, change.at)) from None
        return new


def cart_to_item(owner: Owner, cart: Cart, now: int, lifetime: int = CONTRACT_LIMITS.cart_lifetime) -> Item:
    """Write a whole cart, changed ``now`` (milliseconds) and expiring after ``lifetime`` seconds, as an item."""
    item: Item = {
        **key_attributes(keys.cart(owner)),
        "version": number(cart.version),
        "created_at": {"N": str(cart.created_at)},
        "updated_at": {"N": str(cart.updated_at)},
        "expires_at": expiry(now, lifetime),
    }
    if cart.items:
        item["products"] = number_set(cart.items)
    for name, selected in cart.selections._asdict().items():
        if selected is not None:
            item[name] = number(selected)
    if cart.shipping:
        item["shipping"] = shipping_value(cart.shipping)
    if cart.discount:
        item["discount"] = discount_value(cart.discount)
    if cart.reviewed_by:
        item["reviewed_by"] = text(cart.reviewed_by)
    for product_id, cart_item in cart.items.items():
        item[f"qty#{product_id}"] = number(cart_item.quantity)
        item[f"snap#{product_id}"] = snapshot_value(cart_item)
        item[f"added#{product_id}"] = number(cart_item.added_at)
        item[f"updated#{product_id}"] = number(cart_item.updated_at)
        if cart_item.notes:
            item[f"notes#{product_id}"] = text(cart_item.notes)
    for digest, record in cart.idempotency_records.items():
        item[f"key#{digest}"] = _record_value(record)
    return item


def cart_from_item(item: Item | None, now: int) -> Cart:
    """Read a cart; an empty one if there is none, or if it has expired at ``now`` (milliseconds)."""
    if item is None:
        return Cart()
    if is_expired(item, now):
        return Cart(replaces_expired=True)
    items = _read_items(item, item["products"]["NS"] if "products" in item else ())
    items.sort(key=lambda cart_item: (cart_item.added_at, cart_item.product_id))
    records: dict[str, IdempotencyRecord] = {}
    for name in item:
        if name.startswith("key#"):
            use, _, fingerprint = read_text(item, name).partition(" ")
            used_at, _, order_key = use.partition("#")
            records[name.removeprefix("key#")] = IdempotencyRecord(fingerprint, int(used_at), order_key)
    return Cart(
        version=read_int(item, "version"),
        selections=Selections(*(read_optional_int(item, name) for name in Selections._fields)),
        created_at=read_int(item, "created_at"),
        updated_at=read_int(item, "updated_at"),
        items={cart_item.product_id: cart_item for cart_item in items},
        idempotency_records=records,
        shipping=_read_shipping(item),
        discount=_read_discount(item),
        reviewed_by=read_optional_text(item, "reviewed_by") or "",
    )


def _read_shipping(item: Item) -> ShippingSnapshot | None:
    if "shipping" not in item:
        return None
    read_at, _, fields = read_text(item, "shipping").partition(" ")
    method_id, offered, cost, free_from = from_json(fields)
    return ShippingSnapshot(method_id, offered, cost, free_from, int(read_at))


def _read_discount(item: Item) -> DiscountSnapshot | None:
    if "discount" not in item:
        return None
    read_at, _, fields = read_text(item, "discount").partition(" ")
    *code, customer_uses = from_json(fields)
    return DiscountSnapshot(DiscountCode(*code), customer_uses, int(read_at))


def _read_items(item: Item, products: Sequence[str]) -> list[CartItem]:
    snapshots = [item[f"snap#{product_id}"]["S"].partition(" ") for product_id in products]
    # One text for all of them, because calling the JSON parser takes longer than parsing one snapshot.
    parsed = from_json(f"[{','.join(fields for _, _, fields in snapshots)}]")
    items = []
    for product_id, (read_at, _, _), fields in zip(products, snapshots, parsed, strict=True):
        product = Product(int(product_id), *fields[:_PRODUCT_FIELDS])
        prices = fields[_PRODUCT_FIELDS:]
        items.append(
            CartItem(
                product_id=product.id,
                quantity=int(item[f"qty#{product_id}"]["N"]),
                notes=item[f"notes#{product_id}"]["S"] if f"notes#{product_id}" in item else "",
                added_at=int(item[f"added#{product_id}"]["N"]),
                updated_at=int(item[f"updated#{product_id}"]["N"]),
                snapshot=ProductSnapshot(product, int(read_at)),
                shown=Price(*prices[:2]) if prices and Price(*prices[:2]) != Price.of(product) else None,
                changed_from=Price(*prices[2:]) if prices[2:] else None,
            )
        )
    return items


def snapshot_value(item: CartItem) -> dict[str, str]:
    """Write an item's snapshot: 13 digits of milliseconds, which compare as text until the year 2286, then JSON.

    The prices that were shown follow only if they differ from the snapshot's or if a change of them was reported.
    """
    product = item.snapshot.product
    fields: list[Any] = [
        product.ref, product.name, product.image, product.price, product.discount, product.stock, product.active,
    ]  # fmt: skip
    if item.shown or item.changed_from:
        fields += [*item.last_shown, *(item.changed_from or ())]
    return text(f"{item.snapshot.read_at:013d} {to_json(fields).decode()}")


def _store_snapshot(write: Expression, item: CartItem, stored: CartItem) -> None:
    """Store an item's snapshot and shown prices, if they are as they were read."""
    write.require_equal(f"snap#{item.product_id}", snapshot_value(stored))
    write.set(f"snap#{item.product_id}", snapshot_value(item))


def store_newer(write: Expression, cart: Cart, change: Change) -> None:
    """Store the newer snapshots of a change, if those in the cart are as they were read."""
    for product_id, item in change.refreshed.items():
        _store_snapshot(write, item, cart.items[product_id])
    if change.shipping:
        stored = shipping_value(cart.shipping) if cart.shipping else None
        _replace_value(write, "shipping", shipping_value(change.shipping), stored)
    if change.discount and cart.discount:
        _replace_value(write, "discount", discount_value(change.discount), discount_value(cart.discount))


def shipping_value(snapshot: ShippingSnapshot) -> dict[str, str]:
    """Write the snapshot of a shipping method as that of an item: 13 digits of milliseconds, then JSON."""
    *fields, read_at = snapshot
    return text(f"{read_at:013d} {to_json(fields).decode()}")


def discount_value(snapshot: DiscountSnapshot) -> dict[str, str]:
    """Write the snapshot of a discount code as that of an item: 13 digits of milliseconds, then JSON."""
    fields = [*snapshot.discount, snapshot.customer_uses]
    return text(f"{snapshot.read_at:013d} {to_json(fields).decode()}")


def _replace_value(write: Expression, name: str, newer: Mapping[str, str], stored: Mapping[str, str] | None) -> None:
    """Store a newer snapshot, if no other request has stored one."""
    if stored:
        write.require_equal(name, stored)
    else:
        write.require_absent(name)
    write.set(name, newer)


def _same_report(item: CartItem, other: CartItem) -> bool:
    return (item.last_shown, item.changed_from) == (other.last_shown, other.changed_from)


def _new_item(snapshot: ProductSnapshot, addition: ItemAddition, change: Change) -> CartItem:
    return CartItem(
        product_id=snapshot.product.id,
        quantity=addition.quantity,
        notes=addition.notes or "",
        added_at=change.at,
        updated_at=change.at,
        snapshot=snapshot,
    )


def _remove_item(write: Expression, product_id: int) -> None:
    """Remove a product's attributes, but not its id in the set ``products``."""
    for attribute in _ITEM_ATTRIBUTES:
        write.remove(f"{attribute}#{product_id}")


def _without_refresh(change: Change, product_id: int) -> Change:
    """Leave the product out of the refreshed snapshots: this change writes or removes its snapshot itself."""
    refreshed = {other: snapshot for other, snapshot in change.refreshed.items() if other != product_id}
    return replace(change, refreshed=refreshed)


def new_cart(change: Change) -> Cart:
    """Return the cart that a change starts with if there is none."""
    records = records_after(Cart(), change)
    return Cart(version=change.at + 1, created_at=change.at, updated_at=change.at, idempotency_records=records)


def records_after(cart: Cart, change: Change, order_key: str = "") -> dict[str, IdempotencyRecord]:
    """Return the idempotency records that a cart keeps after a change, which may have made an order."""
    active = cart.active_idempotency_records(change.at)
    if change.key is None:
        return active
    others = [digest for digest in active if digest != change.key.digest]
    kept = {digest: active[digest] for digest in others[: IDEMPOTENCY_RECORDS - 1]}
    return kept | {change.key.digest: IdempotencyRecord(change.key.fingerprint, change.at, order_key)}


def _record_key(write: Expression, cart: Cart, key: IdempotencyKey, change: Change) -> None:
    """Record an idempotency key, unless another request has used it since, and remove surplus and old records."""
    attribute = f"key#{key.digest}"
    outdated = cart.idempotency_records.get(key.digest)
    if outdated:
        write.require_equal(attribute, _record_value(outdated))
    else:
        write.require_absent(attribute)
    kept = records_after(cart, change)
    write.set(attribute, _record_value(kept[key.digest]))
    # Parallel requests may leave more records than a cart keeps; one expression cannot remove any number of them.
    surplus = [digest for digest in cart.idempotency_records if digest not in kept]
    for digest in surplus[:IDEMPOTENCY_RECORDS]:
        write.remove(f"key#{digest}")


def _record_value(record: IdempotencyRecord) -> dict[str, str]:
    use = f"{record.used_at}#{record.order_key}" if record.order_key else str(record.used_at)
    return text(f"{use} {record.fingerprint}")
