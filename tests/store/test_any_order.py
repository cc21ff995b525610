"""Whatever happens to a cart in whatever order, on an engine: each answer is that of the table in memory.

So the unit tests, which stand on the table in memory, stand on what engines do.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.carts import DynamoDBCartStore
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import ConditionFailed, Table
from serverless_cart.service.cart import CartService
from tests.store.conftest import NAME, Rows, in_order
from tests.unit.memory import MemoryTable
from tests.unit.test_any_order import LIMITS, Carts
from tools.support.figures import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient


class Said(Expression):
    """A statement that was put into words already."""

    def __init__(self, statement: dict[str, Any]) -> None:
        self._statement = statement

    def update(self) -> dict[str, Any]:
        return self._statement

    def condition(self) -> dict[str, Any]:
        return self._statement


class MirroredRows(dict[Key, Item]):
    """Rows in memory; what a test does to them it does to an engine's table too."""

    def __init__(self, client: "DynamoDBClient") -> None:
        super().__init__()
        self._client = client
        self.is_there_already = False

    def __setitem__(self, key: Key, item: Item) -> None:
        super().__setitem__(key, item)
        if not self.is_there_already:
            self._client.put_item(TableName=NAME, Item=item)

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        self._client.delete_item(TableName=NAME, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})


class TwinTable(MemoryTable):
    """A table in memory and one of an engine's: every statement goes to both, and both must answer alike."""

    def __init__(self, engine: Table, client: "DynamoDBClient") -> None:
        super().__init__()
        self.rows = self._mirrored = MirroredRows(client)
        self._engine = engine
        self.statements = 0

    def get(self, key: Key) -> Item | None:
        told = super().get(key)
        assert alike(self._engine.get(key), told)
        return told

    def get_many(self, keys: "Sequence[Key]") -> dict[Key, Item]:
        told, found = super().get_many(keys), self._engine.get_many(keys)
        assert found.keys() == told.keys()
        assert all(alike(found[key], told[key]) for key in found)
        return told

    def _write(self, call: str, key: Key, statement: dict[str, Any], make: Callable[[Item | None], Item]) -> Item:
        def ask() -> Item:
            self.statements += 1
            if call == "UpdateItem":
                return self._engine.update(key, Said(statement))
            item = make(None)
            self._engine.put(item, Said(statement))
            return item

        def both(old: Item | None) -> Item:
            new = make(old)
            assert alike(ask(), new)
            self._mirrored.is_there_already = True
            return new

        try:
            return super()._write(call, key, statement, both)
        except ConditionFailed as expected:
            with pytest.raises(ConditionFailed) as failed:
                ask()
            if not alike(failed.value.item, expected.item):
                raise AssertionError from expected
            raise
        finally:
            self._mirrored.is_there_already = False


def alike(one: Item | None, other: Item | None) -> bool:
    """Tell whether two items are the same, whatever the order in their sets."""
    return in_order(one or {}) == in_order(other or {})


def test_an_engine_answers_as_the_table_in_memory_does(
    client: "DynamoDBClient", table: Table, rows: Rows, command: str, engine: str, *, full: bool
) -> None:
    statements = 0

    class CartsOnEngine(Carts):
        """The same, on both tables at once."""

        def __init__(self) -> None:
            super().__init__()
            for key in rows():
                client.delete_item(TableName=NAME, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})
            self.table = self.twin = TwinTable(table, client)
            self.carts = CartService(DynamoDBCartStore(self.table, self.clock, LIMITS), self.clock, LIMITS)

        def teardown(self) -> None:
            nonlocal statements
            statements += self.twin.statements
            assert rows() == {key: in_order(row) for key, row in self.twin.rows.items()}
            super().teardown()

    run_state_machine_as_test(
        CartsOnEngine,
        settings=settings(
            max_examples=40 if full else 10, stateful_step_count=40, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip

    assert statements > 30
    record("engine", command, **{f"statements compared with the table in memory, {engine}": statements})
