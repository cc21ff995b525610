"""Stores in memory for the service's tests: one that obeys the port's word, and a table that obeys DynamoDB's."""

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, CartItem, IdempotencyRecord, ItemAddition, ItemUpdate, Owner
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.product import Product, ProductSnapshot
from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import ConditionFailed, Table
from serverless_cart.service.errors import Ambiguous
from serverless_cart.service.ports import CartStore, Change, Conflict
from tests.support.builders import OWNER
from tools.support.events import NOW, SECOND


class Clock:
    """Stands until it is set."""

    now = NOW

    def __call__(self) -> int:
        return self.now


# ----------------------------------------------------------------------------------------------------------------------
# The port's word
# ----------------------------------------------------------------------------------------------------------------------


@dataclass
class FakeStore(CartStore):
    """Carts and products in memory.

    ``between`` runs before each write, as another request would that came first; ``lost`` says for each write in turn
    whether its answer is lost, and whether it was applied all the same.
    """

    clock: Callable[[], int]
    catalogue: dict[int, Product] = field(default_factory=dict)
    carts: dict[Owner, Cart] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    lost: Iterator[str] = field(default_factory=lambda: iter(()))
    limits: Limits = CONTRACT_LIMITS

    def read(self, owner: Owner) -> Cart:
        self.calls.append("read")
        return self._standing(owner, self.clock())

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, ProductSnapshot | None]:
        found = self.catalogue.get(product_id)
        return self.read(owner), ProductSnapshot(found, self.clock()) if found else None

    def read_products(self, shop: str, products: Collection[Product]) -> dict[int, ProductSnapshot]:
        assert shop == OWNER.shop
        self.calls.append("read products")
        return {
            it.id: ProductSnapshot(self.catalogue.get(it.id, it._replace(active=False)), self.clock())
            for it in products
        }

    def add(self, owner: Owner, cart: Cart, snapshot: ProductSnapshot, addition: ItemAddition, change: Change) -> Cart:
        def add(now: Cart) -> dict[str, Any]:
            now.check_can_add(snapshot.product, addition.quantity, self.limits)
            it = now.items.get(addition.product_id)
            newest = max(snapshot, it.snapshot if it else snapshot, key=lambda one: one.read_at)
            line = CartItem(
                product_id=addition.product_id,
                quantity=addition.quantity + (it.quantity if it else 0),
                notes=addition.notes if addition.notes is not None else (it.notes if it else ""),
                added_at=it.added_at if it else change.at,
                updated_at=change.at,
                snapshot=newest,
            )
            return {"items": {**now.items, line.product_id: line}}

        return self._write(owner, cart, change, add, apart={addition.product_id})

    def update_item(self, owner: Owner, cart: Cart, product_id: int, item_update: ItemUpdate, change: Change) -> Cart:
        def update_item(now: Cart) -> dict[str, Any]:
            line = now.items[product_id]._replace(updated_at=change.at)
            if item_update.quantity is not None:
                line = line._replace(quantity=item_update.quantity)
            if item_update.notes is not None:
                line = line._replace(notes=item_update.notes)
            return {"items": {**now.items, product_id: line}}

        return self._write(owner, cart, change, update_item)

    def remove(self, owner: Owner, cart: Cart, product_id: int, change: Change) -> Cart:
        def remove(now: Cart) -> dict[str, Any]:
            now.items[product_id]
            return {"items": {other: line for other, line in now.items.items() if other != product_id}}

        return self._write(owner, cart, change, remove, apart={product_id})

    def select(self, owner: Owner, cart: Cart, selections: Mapping[str, int | None], change: Change) -> Cart:
        def select(now: Cart) -> dict[str, Any]:
            return {"selections": now.selections._replace(**selections)}

        return self._write(owner, cart, change, select)

    def clear(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        def clear(now: Cart) -> dict[str, Any]:
            if set(now.items) != set(cart.items):
                raise Conflict(now)
            return {"items": {}}

        return self._write(owner, cart, change, clear, apart=set(cart.items))

    def _standing(self, owner: Owner, now: int) -> Cart:
        """Return a cart as it stands at a time; an expired one counts as absent."""
        it = self.carts.get(owner, Cart())
        if it.updated_at is not None and (it.updated_at // SECOND + CONTRACT_LIMITS.cart_lifetime) * SECOND <= now:
            return Cart(replaces_expired=True)
        return it

    def _write(
        self,
        owner: Owner,
        supposed: Cart,
        change: Change,
        make: Callable[[Cart], dict[str, Any]],
        apart: Collection[int] = (),
    ) -> Cart:
        """Make a change under the conditions that all have; it keeps no readings of the lines ``apart``."""
        self.calls.append("write")
        self.changes.append(change)
        self.between()
        fate = next(self.lost, "")
        if fate == "lost":
            raise Ambiguous
        now = self._standing(owner, change.at)
        kept = {number: newer for number, newer in change.refreshed.items() if number not in apart}
        if (
            (change.key and change.key.digest in now.active_idempotency_records(change.at))
            or (change.same_version and now.version != supposed.version)
            or any(
                number not in now.items or now.items[number].snapshot.read_at >= newer.read_at
                for number, newer in kept.items()
            )
        ):
            raise Conflict(now)
        try:
            parts = make(now)
        except (Refusal, KeyError):
            raise Conflict(now) from None
        items = parts.setdefault("items", dict(now.items))
        for number, newer in kept.items():
            items[number] = items[number]._replace(snapshot=newer)
        keys = now.idempotency_records
        if change.key:
            use = IdempotencyRecord(change.key.fingerprint, change.at)
            remembered = list(now.active_idempotency_records(change.at).items())[: limits.IDEMPOTENCY_RECORDS - 1]
            keys = {change.key.digest: use, **dict(remembered)}
        changed = replace(
            now,
            version=(now.version or change.at) + 1,
            created_at=change.at if now.created_at is None else now.created_at,
            updated_at=change.at,
            idempotency_records=keys,
            replaces_expired=False,
            **parts,
        )
        self.carts[owner] = changed
        if fate == "applied":
            raise Ambiguous
        return changed


# ----------------------------------------------------------------------------------------------------------------------
# DynamoDB's word
# ----------------------------------------------------------------------------------------------------------------------


class MemoryTable(Table):
    """A table in memory that reads the stores' own expressions as DynamoDB does.

    ``between`` and ``lost`` are as in `FakeStore`; ``writes`` counts what was written.
    """

    def __init__(self) -> None:
        self.rows: dict[Key, Item] = {}
        self.calls: list[str] = []
        self.between: Callable[[], None] = lambda: None
        self.lost: Iterator[str] = iter(())
        self.writes = 0

    def get(self, key: Key) -> Item | None:
        self.calls.append("GetItem")
        return self.rows.get(key)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        self.calls.append("BatchGetItem")
        assert len(keys) == len(set(keys)) <= 100, "DynamoDB takes a hundred, and none twice"
        return {key: self.rows[key] for key in keys if key in self.rows}

    def update(self, key: Key, expression: Expression) -> Item:
        statement = expression.update()
        return self._write("UpdateItem", key, statement, lambda old: _updated(old or _key(key), statement))

    def put(self, item: Item, expression: Expression) -> None:
        key = Key(item["pk"]["S"], item["sk"]["S"])
        self._write("PutItem", key, expression.condition(), lambda _old: item)

    def _write(self, call: str, key: Key, statement: dict[str, Any], make: Callable[[Item | None], Item]) -> Item:
        self.calls.append(call)
        self.between()
        fate = next(self.lost, "")
        if fate == "lost":
            raise Ambiguous
        old = self.rows.get(key)
        condition = statement.get("ConditionExpression")
        if condition and not _holds(condition, statement, old or {}):
            raise ConditionFailed(old)
        self.rows[key] = make(old)
        self.writes += 1
        if fate == "applied":
            raise Ambiguous
        return self.rows[key]


COMPARISONS: dict[str, Callable[[Any, Any], object]] = {
    ", ": operator.contains,
    " <= ": operator.le,
    " < ": operator.lt,
    " > ": operator.gt,
    " = ": operator.eq,
}


def _key(key: Key) -> Item:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _split(text: str, word: str) -> list[str]:
    """Split a condition at a word that stands outside of all brackets."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and text.startswith(word, place):
            parts.append(text[start:place])
            start = place + len(word)
    return [*parts, text[start:]]


def _holds(condition: str, statement: dict[str, Any], row: Item) -> bool:
    """Evaluate a condition."""
    for word, meaning in ((" OR ", any), (" AND ", all)):
        parts = _split(condition, word)
        if len(parts) > 1:
            return meaning([_holds(part, statement, row) for part in parts])
    if condition.startswith("("):
        return _holds(condition[1:-1], statement, row)
    told = re.fullmatch(r"(attribute_exists|attribute_not_exists|contains|size)?\(?(#n\d+)\)?(.*)", condition)
    assert told, condition
    function, name, rest = told.groups()
    found = row.get(statement["ExpressionAttributeNames"][name])
    if function == "attribute_exists":
        return found is not None
    if function == "attribute_not_exists":
        return found is None
    told = re.fullmatch(r"(, | <= | < | > | = )(:v\d+)\)?", rest)
    assert told, condition
    if found is None:
        return False
    held: Any = _plain(found)
    asked: Any = _plain(statement["ExpressionAttributeValues"][told[2]])
    if function == "size":
        held = len(held)
    assert function == "contains" or type(held) is type(asked), "DynamoDB compares like with like"
    return bool(COMPARISONS[told[1]](held, asked))


def _updated(old: Item, statement: dict[str, Any]) -> Item:
    """Apply an update expression; every operand is what stood before."""
    names, values = statement["ExpressionAttributeNames"], statement["ExpressionAttributeValues"]
    new = dict(old)
    words = re.split(r" ?\b(SET|ADD|REMOVE|DELETE) ", statement["UpdateExpression"])[1:]
    for verb, clauses in zip(words[::2], words[1::2], strict=True):
        for clause in re.split(r",(?! )", clauses):
            placeholder, _, rest = clause.partition(" ")
            name, value = names[placeholder], rest.rpartition(" ")[2].rstrip(")")
            given = values.get(value)
            if verb == "REMOVE":
                new.pop(name, None)
            elif verb == "SET" and rest.endswith(f"+ {value}"):
                first = re.fullmatch(rf"= if_not_exists\({placeholder}, (:v\d+)\) \+ {value}", rest)
                assert first, clause
                new[name] = {"N": str(_plain(old.get(name, values[first[1]])) + _plain(given))}
            elif verb == "SET":
                assert rest in (f"= {value}", f"= if_not_exists({placeholder}, {value})"), clause
                new[name] = old.get(name, given) if "if_not_exists" in rest else given
            elif "N" in given:
                assert verb == "ADD", "DELETE is for sets"
                new[name] = {"N": str(_plain(old.get(name, {"N": "0"})) + _plain(given))}
            else:
                held, more = _plain(old.get(name, {"NS": []})), _plain(given)
                left = held | more if verb == "ADD" else held - more
                new[name] = {"NS": [str(number) for number in sorted(left)]}
                if not left:
                    del new[name]
    return new


def _plain(value: dict[str, Any]) -> Any:
    """Read an attribute's value. Every number of a cart is an integer."""
    ((kind, it),) = value.items()
    if kind == "NS":
        return frozenset(map(int, it))
    return {"S": str, "N": int}[kind](it)
