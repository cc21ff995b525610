"""What the stores write: statements that DynamoDB takes, within its limits, and rows that read back as they were."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import product as combinations
from typing import Any

import pytest

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, IdempotencyRecord, ItemAddition, ItemUpdate, Selections
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.product import Product, ProductSnapshot
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_from_item, cart_to_item
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.table import ConditionFailed, Table
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.ports import Change, Conflict, IdempotencyKey
from tests.support.builders import OWNER, cart, item, product, snapshot
from tools.support.events import DAY, HASHID, NOW, SHOP

ROW: Item = {
    "version": {"N": "8"},
    "created_at": {"N": str(NOW)},
    "updated_at": {"N": str(NOW)},
    "expires_at": {"N": str(NOW // 1000 + 9)},
}


class FakeTable(Table):
    """Holds still and remembers the statements; ``failures`` are what conditional writes meet, in turn."""

    def __init__(self, failures: Sequence[ConditionFailed] = (), rows: Sequence[Item] = ()) -> None:
        self.statements: list[dict[str, Any]] = []
        self.items: list[Item] = []
        self.failures = list(failures)
        self.rows = {Key(row["pk"]["S"], row["sk"]["S"]): row for row in rows}
        self.asked: list[list[Key]] = []

    def _meet(self, statement: dict[str, Any]) -> None:
        self.statements.append(statement)
        if self.failures:
            raise self.failures.pop(0)

    def get(self, key: Key) -> Item | None:
        self.asked.append([key])
        return self.rows.get(key)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        self.asked.append(list(keys))
        return {key: self.rows[key] for key in keys if key in self.rows}

    def update(self, key: Key, expression: Expression) -> Item:  # noqa: ARG002 - the table's own signature
        self._meet(expression.update())
        return ROW

    def put(self, item: Item, expression: Expression) -> None:
        self.items.append(item)
        self._meet(expression.condition())

    def delete(self, key: Key, expression: Expression) -> None:  # noqa: ARG002
        self._meet(expression.condition())


def check(statement: dict[str, Any]) -> None:
    """Hold a statement against what DynamoDB refuses or limits."""
    written = [statement.get(name, "") for name in ("UpdateExpression", "ConditionExpression")]
    used = set(re.findall(r"[#:][a-z]+[0-9]+", " ".join(written)))
    declared = [*statement.get("ExpressionAttributeNames", {}), *statement.get("ExpressionAttributeValues", {})]
    assert used == set(declared), "every placeholder is declared, and every one declared is used"
    for text in written:
        assert len(text.encode()) <= 4096, "an expression holds 4 KB"
    for text in written:
        operators = re.findall(r"<=|>=|<>|[<>=+]| AND | OR | NOT |[a-z_]+\(", text)
        assert len(operators) < 300, "an expression holds 300 operators and functions"
    changed = re.findall(r"(?:SET |ADD |REMOVE |DELETE |,(?! ))(#n\d+)", written[0])
    assert len(changed) == len(set(changed)), "no attribute stands in two clauses"
    for value in statement.get("ExpressionAttributeValues", {}).values():
        assert value != {"NS": []}, "no set is empty"


# ----------------------------------------------------------------------------------------------------------------------
# Carts
# ----------------------------------------------------------------------------------------------------------------------

CARTS = {
    "absent": Cart(),
    "empty": cart(),
    "holding": cart(item(product(), 2)),
    "with a newer reading": cart(item(product(), snapshot=snapshot(product(), NOW + 1))),
    "expired": Cart(replaces_expired=True),
    "with keys": cart(
        item(product()),
        idempotency_records={f"key-{number}": IdempotencyRecord("r", NOW - number * DAY // 20) for number in range(40)}
        | {"k": IdempotencyRecord("old", NOW - 2 * DAY)},
    ),
}
OTHER = item(product(7), snapshot=snapshot(product(7), NOW - 10_000))


@pytest.mark.parametrize("name", CARTS)
@pytest.mark.parametrize("notes", [None, "", "n"])
def test_every_kind_of_addition_is_a_statement_that_dynamodb_takes(name: str, notes: str | None) -> None:
    for key, same_version, refreshed in combinations([None, IdempotencyKey("k", "r")], [False, True], [False, True]):
        table, it = FakeTable(), CARTS[name]
        if refreshed:
            it = replace(it, items={**it.items, 7: OTHER})
        change = Change(NOW, key, same_version, {7: snapshot(product(7))} if refreshed else {})

        DynamoDBCartStore(table, lambda: NOW).add(OWNER, it, snapshot(product()), ItemAddition(123, 2, notes), change)

        (statement,) = table.statements
        check(statement)
        assert bool(table.items) is it.replaces_expired


CHANGES: dict[str, Callable[[DynamoDBCartStore, Cart, Change], Cart]] = {
    "add": lambda store, it, change: store.add(
        OWNER, it, snapshot(product()), ItemAddition(123, 9_999, "n" * 500), change
    ),
    "revise": lambda store, it, change: store.update_item(OWNER, it, 1000, ItemUpdate(9_999, "n" * 500), change),
    "revise quantity": lambda store, it, change: store.update_item(OWNER, it, 1000, ItemUpdate(1, None), change),
    "revise notes": lambda store, it, change: store.update_item(OWNER, it, 1000, ItemUpdate(None, ""), change),
    "remove": lambda store, it, change: store.remove(OWNER, it, 1000, change),
    "select": lambda store, it, change: store.select(
        OWNER, it, dict.fromkeys(Selections._fields, limits.MAX_SAFE_INTEGER), change
    ),
    "select nothing": lambda store, it, change: store.select(OWNER, it, {}, change),
    "deselect": lambda store, it, change: store.select(OWNER, it, dict.fromkeys(Selections._fields), change),
    "clear": lambda store, it, change: store.clear(OWNER, it, change),
}
"""Every kind of change; what is about one item is about product 1000."""
every_change = pytest.mark.parametrize("kind", CHANGES)
REPLACES = {"add", "select", "select nothing", "deselect"}
"""The kinds that make a cart where an expired one lies."""


@every_change
@pytest.mark.parametrize("name", CARTS)
def test_every_change_is_a_statement_that_dynamodb_takes(name: str, kind: str) -> None:
    for key, same_version, refreshed in combinations([None, IdempotencyKey("k", "r")], [False, True], [False, True]):
        table, it = FakeTable(), CARTS[name]
        newer: dict[int, ProductSnapshot] = {}
        if refreshed:
            line = item(product(1000), snapshot=snapshot(product(1000), NOW - 10_000))
            it = replace(it, items={**it.items, 7: OTHER, 1000: line})
            newer = {number: snapshot(product(number)) for number in (7, 1000)}

        CHANGES[kind](DynamoDBCartStore(table, lambda: NOW), it, Change(NOW, key, same_version, newer))

        (statement,) = table.statements
        check(statement)
        assert bool(table.items) is (it.replaces_expired and kind in REPLACES)


@pytest.mark.parametrize(
    "kind", ["add", "add another", "revise", "remove", "select", "deselect", "clear", "clear with many keys"]
)
@pytest.mark.parametrize("key", [None, IdempotencyKey("k" * 16, "f" * 11)])
@pytest.mark.parametrize("aged", [False, True])
def test_the_largest_change_keeps_within_dynamodb_s_limits(
    kind: str, key: IdempotencyKey | None, *, aged: bool
) -> None:
    """A hundred items whose prices were all read anew, and 32 keys that are all to be forgotten."""
    table, lines = (
        FakeTable(),
        [1000 + number for number in range(CONTRACT_LIMITS.cart_items - (kind == "add another"))],
    )
    remembered = range(64 if kind == "clear with many keys" else limits.IDEMPOTENCY_RECORDS)
    it = cart(
        *(item(product(number), snapshot=snapshot(product(number), NOW - 10_000)) for number in lines),
        idempotency_records={
            f"key-{number}": IdempotencyRecord("r", NOW - number - (DAY if aged else 0)) for number in remembered
        },
    )
    change = Change(NOW, key, same_version=True, refreshed={number: snapshot(product(number)) for number in lines})
    store = DynamoDBCartStore(table, lambda: NOW)

    if kind == "add":
        store.add(OWNER, it, snapshot(product(1000)), ItemAddition(1000, 1, "n" * 500), change)
    else:
        CHANGES[kind.removesuffix(" another").removesuffix(" with many keys")](store, it, change)

    (statement,) = table.statements
    check(statement)
    assert len(statement["ExpressionAttributeNames"]) > 100


@pytest.mark.parametrize(
    "it",
    [
        product(),
        product(0, image=None, stock=None, price=0, discount=0),
        product(2**53 - 1, name='Käse "🎁" \\ \x00', ref="a b", image="", active=False),
    ],
)
@pytest.mark.parametrize("notes", [None, "", "Zoë 🎁"])
def test_a_line_reads_back_as_it_was_written(it: Product, notes: str | None) -> None:
    table = FakeTable()

    written = DynamoDBCartStore(table, lambda: NOW).add(
        OWNER,
        Cart(replaces_expired=True),
        snapshot(it, NOW - 5),
        ItemAddition(it.id, 3, notes),
        Change(NOW, IdempotencyKey("k", "r")),
    )

    (row,) = table.items
    assert cart_from_item(row, NOW) == written
    assert written.items == {it.id: item(it, 3, notes=notes or "", snapshot=snapshot(it, NOW - 5))}
    assert written.idempotency_records == {"k": IdempotencyRecord("r", NOW)}
    assert (written.created_at, written.updated_at) == (NOW, NOW)


def test_an_absent_cart_is_empty_and_an_expired_one_is_empty_and_in_the_way() -> None:
    last = int(ROW["expires_at"]["N"]) * 1000

    assert cart_from_item(None, NOW) == Cart()
    assert cart_from_item(ROW, last - 1).version == 8
    assert cart_from_item(ROW, last) == Cart(replaces_expired=True)


def test_a_failed_condition_is_a_conflict_with_the_cart_as_it_stands() -> None:
    for held in (Cart(), Cart(replaces_expired=True)):
        for stood, expected in ((None, 0), (ROW, 8)):
            store = DynamoDBCartStore(FakeTable([ConditionFailed(stood)]), lambda: NOW)
            with pytest.raises(Conflict) as conflict:
                store.add(OWNER, held, snapshot(product()), ItemAddition(123, 1, None), Change(NOW))
            assert conflict.value.current.version == expected


def test_a_cart_is_read_with_one_question_for_its_key_alone() -> None:
    table = FakeTable(rows=[cart_to_item(OWNER, cart(item(product(), 2)), NOW)])

    assert DynamoDBCartStore(table, lambda: NOW).read(OWNER) == cart(item(product(), 2))
    assert DynamoDBCartStore(table, lambda: NOW).read(OWNER._replace(customer="another")) == Cart()
    assert [len(keys) for keys in table.asked] == [1, 1]


@every_change
@pytest.mark.parametrize("stood", [None, ROW])
def test_every_change_that_met_another_state_tells_how_the_cart_stood(kind: str, stood: Item | None) -> None:
    for held in (Cart(), cart(), Cart(replaces_expired=True)):
        store = DynamoDBCartStore(FakeTable([ConditionFailed(stood)]), lambda: NOW)
        with pytest.raises(Conflict) as conflict:
            CHANGES[kind](store, held, Change(NOW))
        assert conflict.value.current.version == (8 if stood else 0)


@pytest.mark.parametrize("number", [-1, 2**53, 10**400])
def test_a_number_that_no_catalogue_can_hold_is_not_looked_up(number: int) -> None:
    table = FakeTable()

    assert DynamoDBCartStore(table, lambda: NOW).read_with_product(OWNER, number) == (Cart(), None)
    assert [len(keys) for keys in table.asked] == [1]


def test_products_are_read_with_the_moment_before_the_question_and_what_is_gone_is_not_for_sale() -> None:
    table = FakeTable(rows=[product_to_item(SHOP, product(7, price=9))])

    found = DynamoDBCartStore(table, lambda: NOW).read_products(SHOP, [product(7), product(8)])

    assert found == {7: snapshot(product(7, price=9)), 8: snapshot(product(8, active=False))}
    assert DynamoDBCartStore(table, lambda: NOW).read_with_product(OWNER, 7)[1] == snapshot(product(7, price=9))


# ----------------------------------------------------------------------------------------------------------------------
# Search sessions
# ----------------------------------------------------------------------------------------------------------------------

SESSION = Session(HASHID, "s")
ITEM = ItemKey("product", "MUG-7")
LIVING: Item = {"expires_at": {"N": str(NOW // 1000 + 1)}, "amount": {"N": "1"}}
EXPIRED: Item = {"expires_at": {"N": str(NOW // 1000)}, "amount": {"N": "1"}}


@pytest.mark.parametrize("price", [None, Decimal("12.5"), Decimal(10) ** 12, Decimal("0.000001")])
@pytest.mark.parametrize("races", [0, 1, 2, 5])
def test_every_session_event_is_a_statement_that_dynamodb_takes(price: Decimal | None, races: int) -> None:
    table = FakeTable([ConditionFailed(EXPIRED)] * races)
    SessionStore(table, lambda: NOW).add(SESSION, SessionItemAddition(ITEM, "Mug", 2, price))
    assert len(table.statements) == races + 1

    removing = FakeTable([ConditionFailed(LIVING)] * races)
    SessionStore(removing, lambda: NOW).remove(SESSION, SessionItemRemoval(ITEM, 1))

    for statement in table.statements + removing.statements:
        check(statement)
        for value in statement["ExpressionAttributeValues"].values():
            assert "E" not in value.get("N", ""), "numbers are written out"


@pytest.mark.parametrize("stood", [None, EXPIRED])
def test_taking_away_from_what_is_not_there_is_one_statement(stood: Item | None) -> None:
    table = FakeTable([ConditionFailed(stood)])

    SessionStore(table, lambda: NOW).remove(SESSION, SessionItemRemoval(ITEM, 1))

    assert len(table.statements) == 1


def test_a_session_s_item_that_is_always_raced_for_is_503_and_not_a_loop_for_ever() -> None:
    store = SessionStore(FakeTable([ConditionFailed(LIVING)] * 1000), lambda: NOW)

    with pytest.raises(Unavailable):
        store.add(SESSION, SessionItemAddition(ITEM, "Mug", 2, None))
    with pytest.raises(Unavailable):
        store.remove(SESSION, SessionItemRemoval(ITEM, 1))
