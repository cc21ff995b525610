"""The stores' statements that no engine shows: their size, what is not asked for, and the end of races."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from serverless_cart.domain.cart import Cart, IdempotencyRecord, ItemAddition, ItemUpdate, Selections
from serverless_cart.domain.discounts import DiscountCode, DiscountSnapshot
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_from_item, cart_to_item
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.sessions import MAX_CONFLICT_RETRIES, SessionStore
from serverless_cart.dynamodb.table import ConditionFailed, Table
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.ports import Change, IdempotencyKey
from tests.support.builders import OWNER, cart, free_shipping, item, product, snapshot
from tools.support.events import DAY, HASHID, NOW

ROW = cart_to_item(OWNER, cart(), NOW)


class StubTable(Table):
    """Keeps the statements; conditional writes fail with these items, one after another."""

    def __init__(self, failures: Sequence[Item | None] = ()) -> None:
        self.statements: list[dict[str, Any]] = []
        self.keys: list[Key] = []
        self.failures = list(failures)
        self.conflicts = 0
        self.report_conflict = self._count_conflict

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        self.keys += keys
        return {}

    def update(self, key: Key, expression: Expression) -> Item:  # noqa: ARG002
        return self._write(expression.update())

    def delete(self, key: Key, expression: Expression) -> None:  # noqa: ARG002
        self._write(expression.condition())

    def _count_conflict(self) -> None:
        self.conflicts += 1

    def _write(self, statement: dict[str, Any]) -> Item:
        self.statements.append(statement)
        if self.failures:
            raise ConditionFailed(self.failures.pop(0))
        return ROW


CHANGES: dict[str, Callable[[DynamoDBCartStore, Cart, Change], Cart]] = {
    "add": lambda store, it, change: store.add(
        OWNER, it, snapshot(product(1000)), ItemAddition(1000, 1, "n" * 500), change
    ),
    "add another": lambda store, it, change: store.add(
        OWNER, it, snapshot(product()), ItemAddition(123, 1, "n" * 500), change
    ),
    "update": lambda store, it, change: store.update_item(OWNER, it, 1000, ItemUpdate(9_999, "n" * 500), change),
    "remove": lambda store, it, change: store.remove(OWNER, it, 1000, change),
    "select": lambda store, it, change: store.select(OWNER, it, dict.fromkeys(Selections._fields, 2**53 - 1), change),
    "deselect": lambda store, it, change: store.select(OWNER, it, dict.fromkeys(Selections._fields), change),
    "clear": lambda store, it, change: store.clear(OWNER, it, change),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("records", [0, 32, 64])
@pytest.mark.parametrize("age", [0, DAY])
def test_largest_change_fits_an_expression(kind: str, records: int, age: int) -> None:
    """A hundred items, all of whose prices are refreshed, and all records that are removed in one write."""
    table, ids = StubTable(), range(1000, 1099 if kind == "add another" else 1100)
    it = cart(
        *(item(product(id_), snapshot=snapshot(product(id_), NOW - 10_000)) for id_ in ids),
        idempotency_records={f"{number:016}": IdempotencyRecord("r", NOW - number - age) for number in range(records)},
        shipping=free_shipping(1),
        discount=DiscountSnapshot(DiscountCode("OFF", 10), 0, NOW),
    )
    key = IdempotencyKey("k" * 16, "f" * 11) if records else None
    change = Change(NOW, key, same_version=True, refreshed={id_: item(product(id_, price=9)) for id_ in ids})
    change = replace(
        change, shipping=free_shipping(1, NOW + 1), discount=DiscountSnapshot(DiscountCode("OFF", 10), 0, NOW + 1)
    )

    CHANGES[kind](DynamoDBCartStore(table, lambda: NOW), it, change)

    (statement,) = table.statements
    for name in ("UpdateExpression", "ConditionExpression"):
        assert len(statement[name].encode()) <= 4096
        assert len(re.findall(r"<=|>=|<>|[<>=+]| AND | OR | NOT |[a-z_]+\(", statement[name])) < 300
    names = statement["ExpressionAttributeNames"].values()
    assert len(names) > 100
    assert sum(name.startswith("key#") for name in names) <= 33


@pytest.mark.parametrize(("id_", "keys"), [(-1, 1), (0, 2), (2**53 - 1, 2), (2**53, 1), (10**400, 1)])
def test_impossible_product_is_not_looked_up(id_: int, keys: int) -> None:
    table = StubTable()

    assert DynamoDBCartStore(table, lambda: NOW).read_with_product(OWNER, id_) == (Cart(), None)
    assert len(table.keys) == keys


def test_items_of_a_cart_are_read_in_order() -> None:
    """DynamoDB keeps no order of a set's numbers."""
    it = cart(
        item(product(9)), item(product(7), added_at=NOW + 2), item(product(10)), item(product(8), added_at=NOW + 1)
    )

    assert list(cart_from_item(cart_to_item(OWNER, it, NOW), NOW).items) == [9, 10, 8, 7]


def test_snapshot_begins_with_13_digits_of_its_time() -> None:
    """Conditions compare snapshots as text."""
    row = cart_to_item(OWNER, cart(item(product(7), snapshot=snapshot(product(7), 7))), NOW)

    assert row["snap#7"]["S"].startswith("0000000000007 [")


SESSION = Session(HASHID, "s")
ADDITION = SessionItemAddition(ItemKey("product", "MUG-7"), "Mug", 2, None)
REMOVAL = SessionItemRemoval(ADDITION.key, 1)
ALIVE: Item = {"expires_at": {"N": str(NOW // 1000 + 1)}, "amount": {"N": "1"}}
EXPIRED: Item = {"expires_at": {"N": str(NOW // 1000)}, "amount": {"N": "1"}}


@pytest.mark.parametrize("races", [0, 1, 2, 5, 2 * MAX_CONFLICT_RETRIES - 1])
def test_session_event_is_repeated_after_a_race(races: int) -> None:
    adding, removing = StubTable([EXPIRED] * races), StubTable([ALIVE] * races)

    SessionStore(adding, lambda: NOW).add(SESSION, ADDITION)
    SessionStore(removing, lambda: NOW).remove(SESSION, REMOVAL)

    assert len(adding.statements) == len(removing.statements) == races + 1
    assert adding.conflicts == removing.conflicts == races // 2, (
        "the first condition only asks whether the item is there"
    )


def test_session_event_in_endless_races_is_unavailable() -> None:
    table = StubTable([ALIVE] * 1000)
    store = SessionStore(table, lambda: NOW)

    with pytest.raises(Unavailable):
        store.add(SESSION, ADDITION)
    with pytest.raises(Unavailable):
        store.remove(SESSION, REMOVAL)
    assert len(table.statements) == 4 * MAX_CONFLICT_RETRIES


@pytest.mark.parametrize("stored", [None, EXPIRED], ids=["absent", "expired"])
def test_removal_of_an_absent_session_item_is_one_write(stored: Item | None) -> None:
    table = StubTable([stored])

    SessionStore(table, lambda: NOW).remove(SESSION, REMOVAL)

    assert len(table.statements) == 1
