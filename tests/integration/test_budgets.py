"""What each operation may cost: calls, units and bytes, whatever else the machine does (`make bench` has the times)."""

import pytest

from bench.operations import Operation, operations, shared_rows
from storefront.store import keys
from storefront.store.table import Table
from tests.builders import HASHID, SHOP
from tests.integration.conftest import TABLE, Bundle
from tests.item_size import size_of, write_units

SIZE = 20
"""Items of the largest carts here: moto is slow, and takes a set of a hundred for another than itself."""
LOG_BYTES = 700
"""Bytes that a request may write to the log, however large the cart; 638 were measured, of three calls."""
LINE_BYTES = 255
"""Bytes that an item of common size may take of its cart in the table; 248 were measured."""
OPERATIONS = {operation.title: operation for operation in operations() if (operation.size or 0) <= SIZE}


def carry_out(bundle: Bundle, operation: Operation) -> None:
    """Carry an operation out over what it supposes to be there."""
    rows = [*shared_rows(products=SIZE), *operation.rows]
    Table(TABLE, bundle.client).write_many({"PutRequest": {"Item": row}} for row in rows)
    if operation.function == "authorizer":
        bundle.database.calls.clear()
        assert bundle.judge(operation.event)["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    else:
        assert bundle.send(operation.function, operation.event).status == 200


@pytest.mark.parametrize("title", OPERATIONS)
def test_an_operation_makes_the_calls_that_are_promised_and_logs_little(bundle: Bundle, title: str) -> None:
    carry_out(bundle, OPERATIONS[title])

    assert len(bundle.database.calls) == OPERATIONS[title].calls
    assert len(bundle.log_lines()) == 1
    assert len(bundle.logged()) <= LOG_BYTES


@pytest.mark.parametrize("title", ["stats PUT", "stats PATCH"])
def test_an_event_of_a_search_session_costs_one_write_unit(bundle: Bundle, title: str) -> None:
    carry_out(bundle, OPERATIONS[title])

    items = bundle.client.scan(TableName=TABLE)["Items"]
    (row,) = [item for item in items if item["pk"]["S"].startswith(keys.sessions(HASHID))]
    assert write_units(size_of(row), size_of(row)) == OPERATIONS[title].write_units == 1


def test_an_item_takes_few_bytes_of_its_cart(bundle: Bundle) -> None:
    carry_out(bundle, OPERATIONS[f"cart add, {SIZE}"])

    items = bundle.client.scan(TableName=TABLE)["Items"]
    (row,) = [item for item in items if item["pk"]["S"].startswith(keys.carts(SHOP))]
    assert len(row["products"]["NS"]) == SIZE
    assert size_of(row) <= SIZE * LINE_BYTES
