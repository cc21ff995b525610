"""Customers' carts: one item each, with flat attributes, so that one conditional update serves every change.

A cart's attributes are ``version``, ``products`` (the set of product ids in it), ``created_at``, ``updated_at``
(milliseconds), ``expires_at`` (seconds, the table's TTL), the three selections, ``key#<digest>`` for each remembered
idempotency key and, for each product in it, ``qty#<product>``, ``line#<product>``, ``added#<product>``,
``changed#<product>`` and ``notes#<product>``.

A line is what the catalogue said, as text: the milliseconds of the reading, then JSON. As text it costs one attribute
instead of eight, and an older reading compares as less than a newer one in a condition.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from storefront.domain import limits
from storefront.domain.cart import Addition, Cart, Item, Owner, RememberedKey
from storefront.domain.product import Product, Reading
from storefront.service import port
from storefront.service.port import Change, Conflict, UsedKey
from storefront.store import keys
from storefront.store.catalogue import product_from_item
from storefront.store.table import ConditionFailed, Expression, Table
from storefront.store.table import Item as TableItem


class CartStore(port.CartStore):
    """Carts and products in the table."""

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, Reading | None]:
        """Read both with one BatchGetItem."""
        now = self._clock()
        cart_key, product_key = keys.cart(owner), keys.product(owner.shop, product_id)
        # No catalogue has ids past what a browser reads exactly, and a key has no room for any integer.
        sold = 0 <= product_id <= limits.LARGEST_INTEGER
        found = self._table.get_many([cart_key, product_key] if sold else [cart_key])
        cart = cart_from_item(found.get(cart_key), now)
        product = found.get(product_key)
        return cart, Reading(product_from_item(product), now) if product else None

    def read_products(self, shop: str, products: Collection[Product]) -> dict[int, Reading]:
        """Read them with one BatchGetItem a hundred."""
        now = self._clock()
        wanted = {keys.product(shop, product.id): product for product in products}
        found = self._table.get_many(list(wanted))
        return {
            product.id: Reading(product_from_item(found[key]) if key in found else replace(product, active=False), now)
            for key, product in wanted.items()
        }

    def add(self, owner: Owner, cart: Cart, reading: Reading, addition: Addition, change: Change) -> Cart:
        """Add with one UpdateItem, or with one PutItem where an expired cart is to be replaced."""
        product = reading.product
        if cart.replaces_expired:
            return self._replace_expired(owner, reading, addition, change)
        write = Expression()
        held, line = write.name(f"qty#{product.id}"), write.name(f"line#{product.id}")
        products, expires_at = write.name("products"), write.name("expires_at")

        write.add(f"qty#{product.id}", {"N": str(addition.quantity)})
        room = min(limits.ITEM_QUANTITY, limits.ITEM_QUANTITY if product.stock is None else product.stock)
        write.require(
            f"(attribute_not_exists({held}) OR {held} <= {write.value({'N': str(room - addition.quantity)})})"
        )

        write.add("products", {"NS": [str(product.id)]})
        id_, limit = write.value({"N": str(product.id)}), write.value({"N": str(limits.CART_ITEMS)})
        write.require(
            f"(attribute_not_exists({products}) OR contains({products}, {id_}) OR size({products}) < {limit})"
        )

        known = cart.items.get(product.id)
        if known and not _replaces(reading, known.reading):
            write.require(f"attribute_exists({line})")
        else:
            text = {"S": _line(reading)}
            write.set(f"line#{product.id}", text)
            write.require(f"(attribute_not_exists({line}) OR {line} <= {write.value(text)})")

        if addition.notes is not None:
            write.set(f"notes#{product.id}", {"S": addition.notes})
        write.set_once(f"added#{product.id}", {"N": str(change.at)})
        write.set(f"changed#{product.id}", {"N": str(change.at)})
        write.require(f"(attribute_not_exists({expires_at}) OR {expires_at} > {_seconds_value(write, change.at)})")
        _touch(write, cart, change)
        return self._update(owner, write, change)

    def _update(self, owner: Owner, write: Expression, change: Change) -> Cart:
        """Write; on another state than supposed, say which."""
        try:
            return cart_from_item(self._table.update(keys.cart(owner), write), change.at)
        except ConditionFailed as failed:
            raise Conflict(cart_from_item(failed.item, change.at)) from None

    def _replace_expired(self, owner: Owner, reading: Reading, addition: Addition, change: Change) -> Cart:
        """Put a new cart in the place of one that has expired and that DynamoDB has not deleted yet."""
        key, product_id, now = keys.cart(owner), reading.product.id, {"N": str(change.at)}
        item: dict[str, Any] = {
            "pk": {"S": key.pk},
            "sk": {"S": key.sk},
            "version": {"N": str(change.at + 1)},
            "products": {"NS": [str(product_id)]},
            "created_at": now,
            "updated_at": now,
            "expires_at": _expiry(change.at),
            f"qty#{product_id}": {"N": str(addition.quantity)},
            f"line#{product_id}": {"S": _line(reading)},
            f"added#{product_id}": now,
            f"changed#{product_id}": now,
        }
        if addition.notes is not None:
            item[f"notes#{product_id}"] = {"S": addition.notes}
        if change.key:
            item[f"key#{change.key.digest}"] = _key_use(change.key, change.at)
        write = Expression()
        expires_at = write.name("expires_at")
        still_expired = f"{expires_at} <= {_seconds_value(write, change.at)}"
        write.require(f"(attribute_not_exists({write.name('pk')}) OR {still_expired})")
        try:
            self._table.put(item, write)
        except ConditionFailed as failed:
            raise Conflict(cart_from_item(failed.item, change.at)) from None
        return cart_from_item(item, change.at)


def cart_from_item(item: TableItem | None, now: int) -> Cart:
    """Read a cart; where there is none, or where it has expired by ``now`` (milliseconds), the empty one."""
    if item is None:
        return Cart()
    if int(item["expires_at"]["N"]) * 1000 <= now:
        return Cart(replaces_expired=True)
    products: list[int] = []
    remembered: dict[str, RememberedKey] = {}
    for name, value in item.items():
        prefix, _, rest = name.partition("#")
        if prefix == "qty":
            products.append(int(rest))
        elif prefix == "key":
            used_at, _, fingerprint = value["S"].partition(" ")
            remembered[rest] = RememberedKey(fingerprint, int(used_at))
    items = [_item(item, product_id) for product_id in products]
    items.sort(key=lambda line: (line.added_at, line.product_id))
    return Cart(
        version=int(item["version"]["N"]),
        address=_optional_number(item, "address"),
        shipping_method=_optional_number(item, "shipping_method"),
        payment_method=_optional_number(item, "payment_method"),
        created_at=int(item["created_at"]["N"]),
        updated_at=int(item["updated_at"]["N"]),
        items={line.product_id: line for line in items},
        keys=remembered,
    )


def _touch(write: Expression, cart: Cart, change: Change) -> None:
    """Add what every change of a living or absent cart has in common."""
    version = write.name("version")
    if change.same_version:
        if cart.version:
            write.require(f"{version} = {write.value({'N': str(cart.version)})}")
        else:
            write.require(f"attribute_not_exists({version})")
    # Starting at the time, a version never repeats, not even in a cart that is made anew after the last one expired.
    write.count_up("version", start=change.at)
    write.set_once("created_at", {"N": str(change.at)})
    write.set("updated_at", {"N": str(change.at)})
    write.set("expires_at", _expiry(change.at))
    for product_id, reading in change.refreshed.items():
        # False where the line is gone or carries a newer reading: the change is then planned anew.
        write.require(f"{write.name(f'line#{product_id}')} < {write.value({'S': _line(reading)})}")
        write.set(f"line#{product_id}", {"S": _line(reading)})
    if change.key:
        _remember(write, cart, change.key, change.at)


def _remember(write: Expression, cart: Cart, key: UsedKey, now: int) -> None:
    """Remember an idempotency key, unless a request came first with it, and forget those too many or too old."""
    attribute = f"key#{key.digest}"
    forgotten = cart.keys.get(key.digest)
    if forgotten:
        old = {"S": f"{forgotten.used_at} {forgotten.fingerprint}"}
        write.require(f"{write.name(attribute)} = {write.value(old)}")
    else:
        write.require(f"attribute_not_exists({write.name(attribute)})")
    write.set(attribute, _key_use(key, now))
    kept = list(cart.remembered_keys(now))[: limits.REMEMBERED_KEYS - 1]
    for digest in cart.keys:
        if digest not in kept and digest != key.digest:
            write.remove(f"key#{digest}")


def _item(item: TableItem, product_id: int) -> Item:
    """Read one line of a cart."""
    text = item[f"line#{product_id}"]["S"]
    read_at, _, said = text.partition(" ")
    ref, name, image, price, discount, stock, active = json.loads(said)
    product = Product(product_id, ref, name, image, price, discount, stock, active)
    notes = item.get(f"notes#{product_id}")
    return Item(
        product_id=product_id,
        quantity=int(item[f"qty#{product_id}"]["N"]),
        notes=notes["S"] if notes else "",
        added_at=int(item[f"added#{product_id}"]["N"]),
        updated_at=int(item[f"changed#{product_id}"]["N"]),
        reading=Reading(product, int(read_at)),
    )


def _replaces(new: Reading, old: Reading) -> bool:
    """Tell whether a reading is to be stored in the place of another one of the same product."""
    age = new.read_at - old.read_at
    return age >= limits.READING_KEPT * 1000 or (age >= 0 and new.product != old.product)


def _line(reading: Reading) -> str:
    """Write a reading: thirteen digits of milliseconds, which compare as text until the year 2286, then JSON."""
    it = reading.product
    said = [it.ref, it.name, it.image, it.price, it.discount, it.stock, it.active]
    return f"{reading.read_at:013d} {json.dumps(said, ensure_ascii=False, separators=(',', ':'))}"


def _key_use(key: UsedKey, now: int) -> dict[str, str]:
    """Write when an idempotency key was used, and for which request."""
    return {"S": f"{now} {key.fingerprint}"}


def _expiry(now: int) -> dict[str, str]:
    """Write when a cart that changes now expires, in seconds."""
    return {"N": str(now // 1000 + limits.CART_LIFETIME)}


def _seconds_value(write: Expression, now: int) -> str:
    """Return a placeholder for the present second, to compare an expiry with."""
    return write.value({"N": str(now // 1000)})


def _optional_number(item: TableItem, name: str) -> int | None:
    """Read a number that may not be there."""
    return int(item[name]["N"]) if name in item else None
