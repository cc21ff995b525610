"""Calls and units of each operation, computed from item sizes and compared with the report of DynamoDB Local.

DynamoDB charges for reading an absent item, and twice for each item of a transaction. DynamoDB Local does not
charge for the first, and not always twice for the second, so transactions are not compared. All others must agree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.bundle import Run
from bench.operations import shared_rows
from bench.replay import Exchange
from serverless_cart.dynamodb.attributes import Item
from tools.support.item_size import READ_UNIT, read_units, size_of, write_units


@dataclass(frozen=True)
class Units:
    """The calls of an operation, and its read and write units."""

    calls: int
    read: int
    write: int


def measure(run: Run) -> Units:
    """Count the units of an operation. Raises `RuntimeError` if the engine reports others."""
    before = {(row["pk"]["S"], row["sk"]["S"]): row for row in (*shared_rows(), *run.operation.rows)}
    units = Units(len(run.exchanges), 0, 0)
    for call in run.exchanges:
        counted, more = _by_size(call, before)
        if call.operation != "TransactWriteItems" and counted - more != call.units:
            raise RuntimeError(f"{run.operation.title}: {call.operation} {counted} by size, {call.units} by the engine")
        units = Units(
            units.calls,
            units.read + (counted if call.reads else 0),
            units.write + (0 if call.reads else counted),
        )
    return units


def _by_size(call: Exchange, before: dict[tuple[str, str], Item]) -> tuple[int, int]:
    """Return the units of a call, and the number of them that DynamoDB Local does not count."""
    match call.operation:
        case "GetItem":
            return _reading([call.answer.get("Item")])
        case "BatchGetItem":
            (asked,) = call.parameters["RequestItems"].values()
            (found,) = call.answer["Responses"].values()
            return _reading([*found, *[None] * (len(asked["Keys"]) - len(found))])
        case "TransactWriteItems":
            writes = [write for part in call.parameters["TransactItems"] for write in part.items()]
            units = 2 * sum(_writing(kind, write, before) for kind, write in writes)
        case "Query":
            values = {name: value["S"] for name, value in call.parameters["ExpressionAttributeValues"].items()}
            first, last = values.get(":first", ""), values.get(":last", "~")
            rows = [
                row
                for (pk, sk), row in before.items()
                if pk == values[":pk"] and first <= sk <= last and sk.startswith(values.get(":prefix", ""))
            ]
            units = math.ceil(sum(map(size_of, rows)) / READ_UNIT)
        case "UpdateItem":
            key = call.parameters["Key"]
            old = before.get((key["pk"]["S"], key["sk"]["S"]), {})
            units = write_units(size_of(old), size_of(call.answer["Attributes"]))
        case "PutItem":
            units = _writing("Put", call.parameters, before)
        case "BatchWriteItem":
            (requests,) = call.parameters["RequestItems"].values()
            keys = [request["DeleteRequest"]["Key"] for request in requests]
            units = sum(write_units(size_of(before[key["pk"]["S"], key["sk"]["S"]]), 0) for key in keys)
        case _:
            raise RuntimeError(f"no rule for {call.operation}")
    return units, 0


def _writing(kind: str, write: Mapping[str, Any], before: dict[tuple[str, str], Item]) -> int:
    """Return the units of a part of a transaction, without the factor of two."""
    key = write["Item"] if kind == "Put" else write["Key"]
    old = before.get((key["pk"]["S"], key["sk"]["S"]), {})
    # An update here only revokes a token, whose size stays within the same unit.
    new = {"Put": write.get("Item", {}), "Update": old}.get(kind, {})
    return write_units(size_of(old), size_of(new))


def _reading(items: Sequence[Item | None]) -> tuple[int, int]:
    """Return the units of reading items one by one, and the units for absent items."""
    return sum(read_units(size_of(item)) if item else 1 for item in items), items.count(None)
