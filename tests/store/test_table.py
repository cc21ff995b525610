"""The statements of `Table`: clauses, conditions, batches and pages."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import ConditionFailed, Table
from tests.support.engines import Put, Rows, in_order

pytestmark = pytest.mark.every_engine

ONE, TWO = Key("pk", "one"), Key("pk", "two")


def row(key: Key, **attributes: Any) -> Item:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}, **attributes}


HELD = row(ONE, number={"N": "2"}, name={"S": "a"}, numbers={"NS": ["1", "2"]})


def test_clauses_are_applied_in_one_write(table: Table, put: Put, rows: Rows) -> None:
    put({**HELD, "old": {"S": "x"}, "older": {"S": "y"}, "gone": {"NS": ["7"]}})
    write = Expression()
    write.set("name", {"S": "b"})
    write.set_once("number", {"N": "9"})
    write.set_once("first", {"N": "9"})
    write.count_up("version", start=9)
    write.count_up("old version", start=9)
    write.add("count", {"N": "2"})
    write.add("numbers", {"NS": ["2", "3"]})
    write.remove("old")
    write.remove("older")
    write.remove("never there")
    write.delete("gone", {"NS": ["7"]})
    write.delete("never there either", {"NS": ["7"]})
    put_again = Expression()
    put_again.count_up("version", start=9)

    answer = in_order(table.update(ONE, write))

    assert answer == row(
        ONE,
        name={"S": "b"},
        number={"N": "2"},
        first={"N": "9"},
        version={"N": "10"},
        count={"N": "2"},
        numbers={"NS": ["1", "2", "3"]},
        **{"old version": {"N": "10"}},
    )
    assert rows() == {ONE: answer}
    assert table.update(ONE, put_again)["version"] == {"N": "11"}


CONDITIONS = {
    "attribute_exists({name})": True,
    "attribute_not_exists({name})": False,
    "attribute_exists({absent})": False,
    "attribute_not_exists({absent})": True,
    "{number} <= {two}": True,
    "{number} < {two}": False,
    "{number} > {two}": False,
    "{number} = {two}": True,
    "{absent} <= {two}": False,
    "contains({numbers}, {two})": True,
    "contains({numbers}, {nine})": False,
    "size({numbers}) < {two}": False,
    "size({numbers}) < {nine}": True,
    "({number} > {two} OR {number} <= {nine}) AND attribute_exists({name})": True,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_condition_decides_about_a_write(table: Table, put: Put, condition: str) -> None:
    put(HELD)
    write = Expression()
    names, values = ("name", "absent", "number", "numbers"), {"two": "2", "nine": "9"}
    placeholders = {name: write.name(name) for name in names if f"{{{name}}}" in condition}
    placeholders |= {name: write.value({"N": it}) for name, it in values.items() if f"{{{name}}}" in condition}
    write.require(condition.format(**placeholders))
    write.set("written", {"S": "yes"})

    try:
        table.update(ONE, write)
    except ConditionFailed:
        met = False
    else:
        met = True
    assert met is CONDITIONS[condition]


NEW = row(ONE, written={"S": "yes"})
WRITES: dict[str, tuple[Callable[[Table, Expression], object], list[Item]]] = {
    "update": (lambda table, write: table.update(ONE, write), [{**HELD, "written": {"S": "yes"}}]),
    "put": (lambda table, write: table.put(NEW, write), [NEW]),
    "delete": (lambda table, write: table.delete(ONE, write), []),
}


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("held", [HELD, None], ids=["held", "absent"])
def test_write_is_refused_with_the_item_or_applied(
    table: Table, put: Put, rows: Rows, operation: str, held: Item | None
) -> None:
    send, after = WRITES[operation]
    if held:
        put(held)
    for requires, is_met in ((Expression.require_absent, held is None), (Expression.require_present, held is not None)):
        write = Expression()
        requires(write, "pk")
        if operation == "update":
            write.set("written", {"S": "yes"})
        if not is_met:
            with pytest.raises(ConditionFailed) as failed:
                send(table, write)
            assert failed.value.item == held or in_order(failed.value.item or {}) == held
            assert list(rows().values()) == ([held] if held else [])
        elif held:
            send(table, write)
            assert list(rows().values()) == after


def test_absent_items_are_left_out(table: Table, put: Put, calls: list[str]) -> None:
    many = [Key(f"pk{number}", "sk") for number in range(130)]
    put(HELD, *(row(key) for key in many))

    assert in_order(table.get(ONE) or {}) == HELD
    assert table.get(TWO) is None
    assert {key: in_order(it) for key, it in table.get_many([ONE, TWO]).items()} == {ONE: HELD}
    assert table.get_many([]) == {}
    assert set(table.get_many(many)) == set(many)
    assert calls == ["GetItem"] * 2 + ["BatchGetItem"] * 3


def test_large_reads_are_complete(table: Table, put: Put) -> None:
    """An answer has some megabytes at most: the remainder is unprocessed, or on another page."""
    large = {"S": "x" * 380_000}
    many = [Key("pk", f"{number:02}") for number in range(45)]
    put(*(row(key, large=large) for key in many), row(Key("pk2", "another's")))

    found = table.get_many(many)
    pages = list(islice(table.keys_of("pk"), 100))

    assert set(found) == set(many)
    assert all(it["large"] == large for it in found.values())
    assert [key for page in pages for key in page] == many
    assert len(pages) > 10
    assert list(table.keys_of("absent")) == [[]]


def test_items_are_written_25_a_call(table: Table, put: Put, rows: Rows, calls: list[str]) -> None:
    put(HELD)
    many = [Key(f"pk{number}", "sk") for number in range(60)]

    table.write_many({"PutRequest": {"Item": row(key)}} for key in many)
    assert set(rows()) == {ONE, *many}
    table.write_many({"DeleteRequest": {"Key": row(key)}} for key in [*many[10:], Key("never", "there")])

    assert set(rows()) == {ONE, *many[:10]}
    assert calls == ["BatchWriteItem"] * 6
