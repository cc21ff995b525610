"""Attribute values in DynamoDB's format (``{"S": "text"}``, ``{"N": "1"}``), written and read directly."""

from collections.abc import Iterable, Mapping
from typing import Any

from serverless_cart.dynamodb.keys import Key

Item = dict[str, Any]
"""An item of the table: attribute values by name."""


def number(value: int) -> dict[str, str]:
    """Write an integer."""
    return {"N": str(value)}


def text(value: str) -> dict[str, str]:
    """Write a text."""
    return {"S": value}


def number_set(values: Iterable[int]) -> dict[str, list[str]]:
    """Write a set of integers; DynamoDB has no empty set."""
    return {"NS": [str(value) for value in values]}


def text_set(values: Iterable[str]) -> dict[str, list[str]]:
    """Write a set of texts; DynamoDB has no empty set."""
    return {"SS": sorted(values)}


def text_list(values: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Write a list of texts."""
    return {"L": [text(value) for value in values]}


def read_int(item: Mapping[str, Any], name: str) -> int:
    """Read an integer. Raises `KeyError` if it is absent."""
    return int(item[name]["N"])


def read_optional_int(item: Mapping[str, Any], name: str) -> int | None:
    """Read an integer that may be absent."""
    return int(item[name]["N"]) if name in item else None


def read_text(item: Mapping[str, Any], name: str) -> str:
    """Read a text. Raises `KeyError` if it is absent."""
    value: str = item[name]["S"]
    return value


def read_optional_text(item: Mapping[str, Any], name: str) -> str | None:
    """Read a text that may be absent."""
    return read_text(item, name) if name in item else None


def read_text_set(item: Mapping[str, Any], name: str) -> frozenset[str]:
    """Read a set of texts; an absent one is empty."""
    return frozenset(item[name]["SS"]) if name in item else frozenset()


def read_text_list(item: Mapping[str, Any], name: str) -> list[str]:
    """Read a list of texts; an absent one is empty."""
    return [entry["S"] for entry in item[name]["L"]] if name in item else []


def key_of(item: Mapping[str, Any]) -> Key:
    """Read the primary key of an item."""
    return Key(item["pk"]["S"], item["sk"]["S"])


def key_attributes(key: Key) -> Item:
    """Write a primary key as attribute values."""
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}
