"""Customers' carts: one item each, with flat attributes, so that one conditional update serves every change.

A cart's attributes are ``version``, ``products`` (the set of product ids in it), ``created_at``, ``updated_at``
(milliseconds), ``expires_at`` (seconds, the table's TTL), the three selections, ``key#<digest>`` for each remembered
idempotency key and, for each product in it, ``qty#<product>``, ``line#<product>``, ``added#<product>``,
``changed#<product>`` and ``notes#<product>``.

A line is what the catalogue said, as text: the milliseconds of the reading, then JSON. As text it costs one attribute
instead of eight, and an older reading compares as less than a newer one in a condition.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from storefront.domain import limits
from storefront.domain.cart import Addition, Cart, Item, Owner, RememberedKey, Revision, Selections
from storefront.domain.product import Product, Reading
from storefront.service import port
from storefront.service.port import Change, Conflict, UsedKey
from storefront.store import keys
from storefront.store.catalogue import product_from_item
from storefront.store.table import ConditionFailed, Expression, Table
from storefront.store.table import Item as TableItem


class CartStore(port.CartStore):
    """Carts and products in the table."""

    def __init__(self, table: Table, clock: Callable[[], int], lifetime: int = limits.CART_LIFETIME) -> None:
        """``clock`` returns milliseconds since 1970; a cart lives ``lifetime`` seconds after its last change."""
        self._table = table
        self._clock = clock
        self._lifetime = lifetime

    def read(self, owner: Owner) -> Cart:
        """Read it with one GetItem."""
        return cart_from_item(self._table.get(keys.cart(owner)), self._clock())

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
            item = Item(product.id, addition.quantity, addition.notes or "", change.at, change.at, reading)
            return self._replace_expired(owner, replace(_newborn(change), items={product.id: item}), change)
        write = Expression()
        held, line = write.name(f"qty#{product.id}"), write.name(f"line#{product.id}")
        products = write.name("products")

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
        refreshed = {other: newer for other, newer in change.refreshed.items() if other != product.id}
        return self._update(owner, cart, write, replace(change, refreshed=refreshed))

    def revise(self, owner: Owner, cart: Cart, product_id: int, revision: Revision, change: Change) -> Cart:
        """Revise with one UpdateItem."""
        write = Expression()
        write.require(f"attribute_exists({write.name(f'qty#{product_id}')})")
        if revision.quantity is not None:
            write.set(f"qty#{product_id}", {"N": str(revision.quantity)})
        if revision.notes is not None:
            write.set(f"notes#{product_id}", {"S": revision.notes})
        write.set(f"changed#{product_id}", {"N": str(change.at)})
        return self._update(owner, cart, write, change)

    def remove(self, owner: Owner, cart: Cart, product_id: int, change: Change) -> Cart:
        """Remove with one UpdateItem."""
        write = Expression()
        write.require(f"attribute_exists({write.name(f'qty#{product_id}')})")
        _remove_line(write, product_id)
        write.delete("products", {"NS": [str(product_id)]})
        refreshed = {other: newer for other, newer in change.refreshed.items() if other != product_id}
        return self._update(owner, cart, write, replace(change, refreshed=refreshed))

    def select(self, owner: Owner, cart: Cart, selections: Mapping[str, int | None], change: Change) -> Cart:
        """Select with one UpdateItem, or with one PutItem where an expired cart is to be replaced."""
        if cart.replaces_expired:
            newborn = replace(_newborn(change), selections=Selections()._replace(**selections))
            return self._replace_expired(owner, newborn, change)
        write = Expression()
        for name, selected in selections.items():
            if selected is None:
                write.remove(name)
            else:
                write.set(name, {"N": str(selected)})
        return self._update(owner, cart, write, change)

    def clear(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Clear with one UpdateItem, which asks for the same products alone: no other change is lost or in the way."""
        write = Expression()
        products = write.name("products")
        if cart.items:
            write.require(f"{products} = {write.value({'NS': [str(product_id) for product_id in cart.items]})}")
            write.remove("products")
        else:
            write.require(f"attribute_not_exists({products})")
        for product_id in cart.items:
            _remove_line(write, product_id)
        return self._update(owner, cart, write, replace(change, refreshed={}))

    def _update(self, owner: Owner, cart: Cart, write: Expression, change: Change) -> Cart:
        """Write what every change of a living or absent cart has in common beside what this one has of its own."""
        version, expires_at = write.name("version"), write.name("expires_at")
        write.require(f"(attribute_not_exists({expires_at}) OR {expires_at} > {_seconds_value(write, change.at)})")
        if change.same_version:
            if cart.version:
                write.require(f"{version} = {write.value({'N': str(cart.version)})}")
            else:
                write.require(f"attribute_not_exists({version})")
        # Starting at the time, a version never repeats, not even in a cart made anew after the last one expired.
        write.count_up("version", start=change.at)
        write.set_once("created_at", {"N": str(change.at)})
        write.set("updated_at", {"N": str(change.at)})
        write.set("expires_at", _expiry(change.at, self._lifetime))
        for product_id, reading in change.refreshed.items():
            # False where the line is gone or carries a newer reading: the change is then planned anew.
            write.require(f"{write.name(f'line#{product_id}')} < {write.value({'S': _line(reading)})}")
            write.set(f"line#{product_id}", {"S": _line(reading)})
        if change.key:
            _remember(write, cart, change.key, change)
        try:
            return cart_from_item(self._table.update(keys.cart(owner), write), change.at)
        except ConditionFailed as failed:
            raise Conflict(cart_from_item(failed.item, change.at)) from None

    def _replace_expired(self, owner: Owner, newborn: Cart, change: Change) -> Cart:
        """Put a new cart in the place of one that has expired and that DynamoDB has not deleted yet."""
        write = Expression()
        still_expired = f"{write.name('expires_at')} <= {_seconds_value(write, change.at)}"
        write.require(f"(attribute_not_exists({write.name('pk')}) OR {still_expired})")
        return self._put(owner, newborn, write, change)

    def _put(self, owner: Owner, cart: Cart, write: Expression, change: Change) -> Cart:
        """Write a whole cart under a condition."""
        try:
            self._table.put(cart_to_item(owner, cart, change.at, self._lifetime), write)
        except ConditionFailed as failed:
            raise Conflict(cart_from_item(failed.item, change.at)) from None
        return cart


def _remove_line(write: Expression, product_id: int) -> None:
    """Remove all that a cart knows of a product, but for its place among the products."""
    for attribute in ("qty", "line", "added", "changed", "notes"):
        write.remove(f"{attribute}#{product_id}")


def _newborn(change: Change) -> Cart:
    """Return the cart that a change begins with where there is none."""
    return Cart(version=change.at + 1, created_at=change.at, updated_at=change.at, keys=_keys_after(Cart(), change))


def _keys_after(cart: Cart, change: Change) -> dict[str, RememberedKey]:
    """Return the idempotency keys that a cart remembers after a change."""
    remembered = cart.remembered_keys(change.at)
    if change.key is None:
        return remembered
    others = [digest for digest in remembered if digest != change.key.digest]
    kept = {digest: remembered[digest] for digest in others[: limits.REMEMBERED_KEYS - 1]}
    return kept | {change.key.digest: RememberedKey(change.key.fingerprint, change.at)}


def cart_to_item(owner: Owner, cart: Cart, now: int, lifetime: int = limits.CART_LIFETIME) -> TableItem:
    """Write a whole cart that changes ``now`` (milliseconds) and lives ``lifetime`` seconds as an item of the table."""
    key = keys.cart(owner)
    item: TableItem = {
        "pk": {"S": key.pk},
        "sk": {"S": key.sk},
        "version": {"N": str(cart.version)},
        "created_at": {"N": str(cart.created_at)},
        "updated_at": {"N": str(cart.updated_at)},
        "expires_at": _expiry(now, lifetime),
    }
    if cart.items:
        item["products"] = {"NS": [str(product_id) for product_id in cart.items]}
    for name, selected in cart.selections._asdict().items():
        if selected is not None:
            item[name] = {"N": str(selected)}
    for product_id, line in cart.items.items():
        item[f"qty#{product_id}"] = {"N": str(line.quantity)}
        item[f"line#{product_id}"] = {"S": _line(line.reading)}
        item[f"added#{product_id}"] = {"N": str(line.added_at)}
        item[f"changed#{product_id}"] = {"N": str(line.updated_at)}
        if line.notes:
            item[f"notes#{product_id}"] = {"S": line.notes}
    for digest, use in cart.keys.items():
        item[f"key#{digest}"] = _key_use(use)
    return item


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
    items = _items(item, products)
    items.sort(key=lambda line: (line.added_at, line.product_id))
    return Cart(
        version=int(item["version"]["N"]),
        selections=Selections(*(_optional_number(item, name) for name in Selections._fields)),
        created_at=int(item["created_at"]["N"]),
        updated_at=int(item["updated_at"]["N"]),
        items={line.product_id: line for line in items},
        keys=remembered,
    )


def _remember(write: Expression, cart: Cart, key: UsedKey, change: Change) -> None:
    """Remember an idempotency key, unless a request came first with it, and forget those too many or too old."""
    attribute = f"key#{key.digest}"
    forgotten = cart.keys.get(key.digest)
    if forgotten:
        write.require(f"{write.name(attribute)} = {write.value(_key_use(forgotten))}")
    else:
        write.require(f"attribute_not_exists({write.name(attribute)})")
    kept = _keys_after(cart, change)
    write.set(attribute, _key_use(kept[key.digest]))
    # Requests in parallel may leave more than are remembered; an expression has no room for any number of them.
    surplus = [digest for digest in cart.keys if digest not in kept]
    for digest in surplus[: limits.REMEMBERED_KEYS]:
        write.remove(f"key#{digest}")


def _items(item: TableItem, products: Sequence[int]) -> list[Item]:
    """Read the lines of a cart."""
    lines = [item[f"line#{product_id}"]["S"].partition(" ") for product_id in products]
    # One text for all of them, because a reader of JSON takes longer to call than to read a line.
    said = json.loads(f"[{','.join(it for _, _, it in lines)}]")
    return [
        Item(
            product_id=product_id,
            quantity=int(item[f"qty#{product_id}"]["N"]),
            notes=item[f"notes#{product_id}"]["S"] if f"notes#{product_id}" in item else "",
            added_at=int(item[f"added#{product_id}"]["N"]),
            updated_at=int(item[f"changed#{product_id}"]["N"]),
            reading=Reading(Product(product_id, *it), int(read_at)),
        )
        for product_id, (read_at, _, _), it in zip(products, lines, said, strict=True)
    ]


def _replaces(new: Reading, old: Reading) -> bool:
    """Tell whether a reading is to be stored in the place of another one of the same product."""
    age = new.read_at - old.read_at
    return age >= limits.READING_KEPT * 1000 or (age >= 0 and new.product != old.product)


def _line(reading: Reading) -> str:
    """Write a reading: thirteen digits of milliseconds, which compare as text until the year 2286, then JSON."""
    it = reading.product
    said = [it.ref, it.name, it.image, it.price, it.discount, it.stock, it.active]
    return f"{reading.read_at:013d} {json.dumps(said, ensure_ascii=False, separators=(',', ':'))}"


def _key_use(key: RememberedKey) -> dict[str, str]:
    """Write when an idempotency key was used, and for which request."""
    return {"S": f"{key.used_at} {key.fingerprint}"}


def _expiry(now: int, lifetime: int) -> dict[str, str]:
    """Write when a cart that changes now expires, in seconds."""
    return {"N": str(now // 1000 + lifetime)}


def _seconds_value(write: Expression, now: int) -> str:
    """Return a placeholder for the present second, to compare an expiry with."""
    return write.value({"N": str(now // 1000)})


def _optional_number(item: TableItem, name: str) -> int | None:
    """Read a number that may not be there."""
    return int(item[name]["N"]) if name in item else None
