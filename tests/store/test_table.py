"""The table's own statements, each in what it is asked for, what it answers and what it refuses."""

from typing import TYPE_CHECKING, Any

import pytest

from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import ConditionFailed, Table
from tests.support.engines import Put, Rows, in_order

if TYPE_CHECKING:
    from collections.abc import Callable

ONE, TWO = Key("pk", "one"), Key("pk", "two")


def row(key: Key, **attributes: Any) -> Item:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}, **attributes}


HELD = row(ONE, number={"N": "2"}, name={"S": "a"}, numbers={"NS": ["1", "2"]})


def test_every_clause_does_what_it_says_in_one_write(table: Table, put: Put, rows: Rows) -> None:
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


@pytest.mark.parametrize("operation", ["update", "put", "delete"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_write_whose_condition_fails_writes_nothing_and_tells_what_stood_there(
    table: Table, put: Put, rows: Rows, operation: str, condition: str
) -> None:
    put(HELD)
    write = Expression()
    placeholders = {
        name: write.name(name) for name in ("name", "absent", "number", "numbers") if f"{{{name}}}" in condition
    }
    numbers = {"two": "2", "nine": "9"}
    placeholders |= {name: write.value({"N": it}) for name, it in numbers.items() if f"{{{name}}}" in condition}
    write.require(condition.format(**placeholders))
    if operation == "update":
        write.set("written", {"S": "yes"})
    new = row(ONE, written={"S": "yes"})

    def send() -> None:
        match operation:
            case "update":
                table.update(ONE, write)
            case "put":
                table.put(new, write)
            case _:
                table.delete(ONE, write)

    if CONDITIONS[condition]:
        send()
        left: dict[str, dict[Key, Item]] = {
            "update": {ONE: {**HELD, "written": {"S": "yes"}}},
            "put": {ONE: new},
            "delete": {},
        }
        assert rows() == left[operation]
    else:
        with pytest.raises(ConditionFailed) as failed:
            send()
        assert in_order(failed.value.item or {}) == HELD
        assert rows() == {ONE: HELD}


@pytest.mark.parametrize("operation", ["update", "put", "delete"])
def test_a_condition_that_fails_on_nothing_tells_that_nothing_is_there(
    table: Table, rows: Rows, operation: str
) -> None:
    write = Expression()
    write.require(f"attribute_exists({write.name('pk')})")
    if operation == "update":
        write.set("written", {"S": "yes"})
    send: dict[str, Callable[[], object]] = {
        "update": lambda: table.update(ONE, write),
        "put": lambda: table.put(row(ONE), write),
        "delete": lambda: table.delete(ONE, write),
    }

    with pytest.raises(ConditionFailed) as failed:
        send[operation]()
    assert failed.value.item is None
    assert rows() == {}


def test_items_are_read_by_their_whole_key_and_what_is_not_there_is_left_out(
    table: Table, put: Put, calls: list[str]
) -> None:
    many = [Key(f"pk{number}", "sk") for number in range(130)]
    put(HELD, *(row(key) for key in many))

    assert in_order(table.get(ONE) or {}) == HELD
    assert table.get(TWO) is None
    assert {key: in_order(it) for key, it in table.get_many([ONE, TWO]).items()} == {ONE: HELD}
    assert table.get_many([]) == {}
    assert set(table.get_many(many)) == set(many)
    assert calls == ["GetItem"] * 2 + ["BatchGetItem"] * 3


def test_what_is_larger_than_one_answer_is_read_whole(table: Table, put: Put) -> None:
    """An engine answers with so many megabytes at most, and leaves the rest unprocessed or to another page."""
    large = {"S": "x" * 380_000}
    many = [Key("pk", f"{number:02}") for number in range(45)]
    put(*(row(key, large=large) for key in many), row(Key("pk2", "another's")))

    found = table.get_many(many)
    pages = list(table.keys_of("pk"))

    assert set(found) == set(many)
    assert all(it["large"] == large for it in found.values())
    assert [key for page in pages for key in page] == many, "in order, each once"
    assert len(pages) > 10
    assert list(table.keys_of("nobody")) == [[]]


def test_many_items_are_put_and_deleted_25_a_call(table: Table, put: Put, rows: Rows, calls: list[str]) -> None:
    put(HELD)
    many = [Key(f"pk{number}", "sk") for number in range(60)]

    table.write_many({"PutRequest": {"Item": row(key)}} for key in many)
    assert set(rows()) == {ONE, *many}
    table.write_many({"DeleteRequest": {"Key": row(key)}} for key in [*many[10:], Key("never", "there")])

    assert set(rows()) == {ONE, *many[:10]}
    assert calls == ["BatchWriteItem"] * 6
