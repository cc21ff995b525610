"""What the stores write: statements that DynamoDB takes, within its limits, and rows that read back as they were."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import product as combinations
from typing import Any

import pytest

from storefront.domain import limits
from storefront.domain.cart import Addition, Cart, RememberedKey
from storefront.domain.errors import Unavailable
from storefront.domain.product import Product
from storefront.domain.session import Addition as SessionAddition
from storefront.domain.session import ItemKey, Removal, Session
from storefront.service.port import Change, Conflict, UsedKey
from storefront.store.carts import CartStore, cart_from_item
from storefront.store.catalogue import product_to_item
from storefront.store.keys import Key
from storefront.store.sessions import SessionStore
from storefront.store.table import ConditionFailed, Expression, Item, Table
from tests.builders import HASHID, NOW, OWNER, SHOP, cart, item, product, reading

DAY = 24 * 3600 * 1000
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
    operators = len(re.findall(r"<=|>=|<>|[<>=+]| AND | OR |[a-z_]+\(", written[1]))
    assert operators <= 300, "a condition holds 300 operators and functions"
    changed = re.findall(r"(?:SET|ADD|REMOVE|,) (#n\d+)", written[0])
    assert len(changed) == len(set(changed)), "no attribute stands in two clauses"


# ----------------------------------------------------------------------------------------------------------------------
# Carts
# ----------------------------------------------------------------------------------------------------------------------

CARTS = {
    "absent": Cart(),
    "empty": cart(),
    "holding": cart(item(product(), 2)),
    "with a newer reading": cart(item(product(), reading=reading(product(), NOW + 1))),
    "expired": Cart(replaces_expired=True),
    "with keys": cart(
        item(product()),
        keys={f"key-{number}": RememberedKey("r", NOW - number * DAY // 20) for number in range(40)}
        | {"k": RememberedKey("old", NOW - 2 * DAY)},
    ),
}
OTHER = item(product(7), reading=reading(product(7), NOW - 10_000))


@pytest.mark.parametrize("name", CARTS)
@pytest.mark.parametrize(
    ("notes", "key", "same_version", "refreshed"),
    list(combinations([None, "", "n"], [None, UsedKey("k", "r")], [False, True], [False, True])),
)
def test_every_kind_of_addition_is_a_statement_that_dynamodb_takes(
    name: str, notes: str | None, key: UsedKey | None, *, same_version: bool, refreshed: bool
) -> None:
    table, it = FakeTable(), CARTS[name]
    if refreshed:
        it = replace(it, items={**it.items, 7: OTHER})
    change = Change(NOW, key, same_version, {7: reading(product(7))} if refreshed else {})

    CartStore(table, lambda: NOW).add(OWNER, it, reading(product()), Addition(123, 2, notes), change)

    (statement,) = table.statements
    check(statement)
    assert bool(table.items) is it.replaces_expired


def test_the_largest_addition_keeps_within_dynamodb_s_limits() -> None:
    lines = [item(product(number), reading=reading(product(number), NOW - 10_000)) for number in range(100)]
    keys = {f"key-{number}": RememberedKey("r", NOW - number) for number in range(64)}
    it = cart(*lines, keys=keys)
    change = Change(
        NOW, UsedKey("k", "r"), same_version=True, refreshed={n: reading(product(n)) for n in range(1, 100)}
    )
    table = FakeTable()

    CartStore(table, lambda: NOW).add(OWNER, it, reading(product(0)), Addition(0, 1, "n" * 500), change)

    check(table.statements[0])
    assert len(table.statements[0]["ExpressionAttributeNames"]) > 130


@pytest.mark.parametrize("character", ["x", "ä", "🎁", '"', "\\", "\n", "\x01"], ids=ascii)
def test_the_largest_cart_stays_inside_dynamodb_s_400_kb(character: str) -> None:
    """Whatever its texts are made of, unless the catalogue does not take them."""
    size = len(character.encode())
    largest = product(
        limits.LARGEST_INTEGER,
        ref=character * (limits.PRODUCT_REF_BYTES // size),
        name=character * min(limits.PRODUCT_NAME_LENGTH, limits.PRODUCT_NAME_BYTES // size),
        image=character * (limits.PRODUCT_IMAGE_BYTES // size),
        price=limits.PRODUCT_PRICE,
        stock=limits.LARGEST_INTEGER,
    )
    addition = Addition(largest.id, limits.ITEM_QUANTITY, "🎁" * limits.NOTES_LENGTH)
    change = Change(NOW, UsedKey("k" * 16, "f" * 11))
    table = FakeTable()
    CartStore(table, lambda: NOW).add(OWNER, Cart(replaces_expired=True), reading(largest), addition, change)

    sizes = {
        name: len(name.encode()) + len(str(next(iter(value.values()))).encode())
        for name, value in table.items[0].items()
    }
    of_the_line = sum(size for name, size in sizes.items() if name.endswith(f"#{largest.id}"))
    of_the_key = sum(size for name, size in sizes.items() if name.startswith("key#"))
    whole = sum(sizes.values()) + of_the_line * limits.CART_ITEMS + of_the_key * limits.REMEMBERED_KEYS + 4096
    assert largest.faults() or whole < 400_000


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

    written = CartStore(table, lambda: NOW).add(
        OWNER,
        Cart(replaces_expired=True),
        reading(it, NOW - 5),
        Addition(it.id, 3, notes),
        Change(NOW, UsedKey("k", "r")),
    )

    (row,) = table.items
    assert cart_from_item(row, NOW) == written
    assert written.items == {it.id: item(it, 3, notes=notes or "", reading=reading(it, NOW - 5))}
    assert written.keys == {"k": RememberedKey("r", NOW)}
    assert (written.created_at, written.updated_at) == (NOW, NOW)


def test_an_absent_cart_is_empty_and_an_expired_one_is_empty_and_in_the_way() -> None:
    last = int(ROW["expires_at"]["N"]) * 1000

    assert cart_from_item(None, NOW) == Cart()
    assert cart_from_item(ROW, last - 1).version == 8
    assert cart_from_item(ROW, last) == Cart(replaces_expired=True)


def test_a_failed_condition_is_a_conflict_with_the_cart_as_it_stands() -> None:
    for held in (Cart(), Cart(replaces_expired=True)):
        for stood, expected in ((None, 0), (ROW, 8)):
            store = CartStore(FakeTable([ConditionFailed(stood)]), lambda: NOW)
            with pytest.raises(Conflict) as conflict:
                store.add(OWNER, held, reading(product()), Addition(123, 1, None), Change(NOW))
            assert conflict.value.current.version == expected


@pytest.mark.parametrize("number", [-1, 2**53, 10**400])
def test_a_number_that_no_catalogue_can_hold_is_not_looked_up(number: int) -> None:
    table = FakeTable()

    assert CartStore(table, lambda: NOW).read_with_product(OWNER, number) == (Cart(), None)
    assert [len(keys) for keys in table.asked] == [1]


def test_products_are_read_with_the_moment_before_the_question_and_what_is_gone_is_not_for_sale() -> None:
    table = FakeTable(rows=[product_to_item(SHOP, product(7, price=9))])

    found = CartStore(table, lambda: NOW).read_products(SHOP, [product(7), product(8)])

    assert found == {7: reading(product(7, price=9)), 8: reading(product(8, active=False))}
    assert CartStore(table, lambda: NOW).read_with_product(OWNER, 7)[1] == reading(product(7, price=9))


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
    SessionStore(table, lambda: NOW).add(SESSION, SessionAddition(ITEM, "Mug", 2, price))
    assert len(table.statements) == races + 1

    removing = FakeTable([ConditionFailed(LIVING)] * races)
    SessionStore(removing, lambda: NOW).remove(SESSION, Removal(ITEM, 1))

    for statement in table.statements + removing.statements:
        check(statement)
        for value in statement["ExpressionAttributeValues"].values():
            assert "E" not in value.get("N", ""), "numbers are written out"


@pytest.mark.parametrize("stood", [None, EXPIRED])
def test_taking_away_from_what_is_not_there_is_one_statement(stood: Item | None) -> None:
    table = FakeTable([ConditionFailed(stood)])

    SessionStore(table, lambda: NOW).remove(SESSION, Removal(ITEM, 1))

    assert len(table.statements) == 1


def test_a_session_s_item_that_is_always_raced_for_is_503_and_not_a_loop_for_ever() -> None:
    store = SessionStore(FakeTable([ConditionFailed(LIVING)] * 1000), lambda: NOW)

    with pytest.raises(Unavailable):
        store.add(SESSION, SessionAddition(ITEM, "Mug", 2, None))
    with pytest.raises(Unavailable):
        store.remove(SESSION, Removal(ITEM, 1))
