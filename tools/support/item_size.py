"""What an item weighs in DynamoDB, and the units that reading and writing it cost, by DynamoDB's own rules."""

import math
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

READ_UNIT = 4_096
"""Bytes of one consistent read unit."""
WRITE_UNIT = 1_024
"""Bytes of one write unit."""


def size_of(row: Mapping[str, Any]) -> int:
    """Count an item's bytes.

    Names and texts count as UTF-8; a number one byte for two significant digits and one more; a set, like a list, three
    bytes, and one for each element beside its own; a truth value one; a binary value its bytes.
    """
    return sum(len(name.encode()) + _size(*next(iter(value.items()))) for name, value in row.items())


def read_units(size: int) -> int:
    """Return what it costs to read so many bytes of one item, consistently; nothing at all costs one unit too."""
    return max(1, math.ceil(size / READ_UNIT))


def write_units(before: int, after: int) -> int:
    """Return what it costs to change an item from one size to another."""
    return max(1, math.ceil(max(before, after) / WRITE_UNIT))


def _size(kind: str, value: Any) -> int:
    """Count the bytes of one value."""
    size: int
    match kind:
        case "S":
            size = len(value.encode())
        case "N":
            size = (len(value.replace(".", "").lstrip("-").strip("0")) + 1) // 2 + 1 + value.startswith("-")
        case "NS" | "SS":
            size = 3 + sum(1 + _size(kind[0], element) for element in value)
        case "L":
            size = 3 + sum(1 + _size(*next(iter(element.items()))) for element in value)
        case "B":
            size = len(value) if isinstance(value, bytes) else len(b64decode(value))
        case "BOOL":
            size = 1
        case _:
            raise AssertionError(kind)
    return size
