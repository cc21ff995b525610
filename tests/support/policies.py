"""IAM's decision about requests to DynamoDB, simulated, because the emulator does not evaluate key prefixes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

_SETS: Final[dict[str, Callable[[str, str], bool]]] = {
    "ForAllValues:StringLike": fnmatchcase,
    "ForAllValues:StringEquals": str.__eq__,
}
"""Operators on sets of values. They are case-sensitive, and true for a request without such a value."""
_PARTS: Final = {
    "ConditionCheck": "ConditionCheckItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
}
"""The action of each part of a transaction: IAM decides about each part."""


class Asked(NamedTuple):
    """The parts of a request that IAM evaluates: action, partitions of the keys, and selected attributes."""

    action: str
    partitions: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    select: str = "ALL_ATTRIBUTES"


def listed(value: Any) -> list[Any]:
    """Return a list; policies may have its only element instead."""
    return value if isinstance(value, list) else [value]


def permits(statements: Iterable[Mapping[str, Any]], action: str, *partitions: str) -> bool:
    """Evaluate statements as IAM does, for a request with these leading keys."""
    return judge(statements, Asked(action, partitions))


def judge(statements: Iterable[Mapping[str, Any]], asked: Asked) -> bool:
    """Evaluate statements as IAM does."""
    return any(
        f"dynamodb:{asked.action}" in listed(statement["Action"])
        and all(
            _met(operator, key, listed(allowed), asked)
            for operator, keys in statement.get("Condition", {}).items()
            for key, allowed in keys.items()
        )
        for statement in statements
    )


def _met(operator: str, key: str, allowed: list[str], asked: Asked) -> bool:
    """Evaluate one condition."""
    if operator in _SETS:
        values = {"dynamodb:LeadingKeys": asked.partitions, "dynamodb:Attributes": asked.attributes}[key]
        return all(any(_SETS[operator](value, pattern) for pattern in allowed) for value in values)
    assert (operator, key) == ("StringEquals", "dynamodb:Select"), "this simulation knows no other condition"
    return asked.select in allowed


def asked_by(operation: str, parameters: Mapping[str, Any]) -> Iterator[Asked]:
    """Yield what IAM evaluates of a call with these parameters."""
    match operation:
        case "TransactWriteItems":
            for part in parameters["TransactItems"]:
                ((kind, write),) = part.items()
                yield Asked(_PARTS[kind], (_partition(write.get("Key") or write["Item"]),))
        case "BatchGetItem":
            keys = [key for asked in parameters["RequestItems"].values() for key in asked["Keys"]]
            yield Asked(operation, tuple(map(_partition, keys)))
        case "BatchWriteItem":
            writes = [write for writes in parameters["RequestItems"].values() for write in writes]
            items = [write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]
                     for write in writes]  # fmt: skip
            yield Asked(operation, tuple(map(_partition, items)))
        case "Query":
            yield Asked(operation, (parameters["ExpressionAttributeValues"][":pk"]["S"],))
        case "Scan":
            attributes = parameters.get("ProjectionExpression", "").replace(" ", "")
            yield Asked(
                operation,
                attributes=tuple(filter(None, attributes.split(","))),
                select=parameters.get("Select", "ALL_ATTRIBUTES"),
            )
        case "GetItem" | "UpdateItem" | "DeleteItem":
            yield Asked(operation, (_partition(parameters["Key"]),))
        case "PutItem":
            yield Asked(operation, (_partition(parameters["Item"]),))
        case "DescribeTable" | "DescribeTimeToLive" | "DescribeContinuousBackups":
            yield Asked(operation)
        case _:
            raise AssertionError(f"{operation} is not simulated")


def _partition(item: Mapping[str, Any]) -> str:
    """Return the partition that an item, or its key, names."""
    partition: str = item["pk"]["S"]
    return partition
