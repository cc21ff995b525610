"""Expiry of items: DynamoDB deletes an expired item late (TTL), so an expired item counts as absent everywhere.

``now`` is milliseconds since 1970; the attribute has seconds, as TTL requires.
"""

from collections.abc import Mapping
from typing import Any, Final

from serverless_cart.dynamodb.attributes import number, read_int
from serverless_cart.dynamodb.expression import Expression

ATTRIBUTE: Final = "expires_at"
"""The table's TTL attribute."""


def expiry(now: int, lifetime: int) -> dict[str, str]:
    """Return the value of an item that lives ``lifetime`` seconds from now."""
    return number(now // 1000 + lifetime)


def is_expired(item: Mapping[str, Any], now: int) -> bool:
    """Return whether an item counts as absent."""
    return read_int(item, ATTRIBUTE) * 1000 <= now


def require_absent_or_alive(write: Expression, now: int) -> None:
    """Write only if there is no item, or one that has not expired."""
    write.require_absent_or(ATTRIBUTE, ">", number(now // 1000))


def require_alive(write: Expression, now: int) -> None:
    """Write only if there is an item that has not expired."""
    write.require(f"{write.name(ATTRIBUTE)} > {write.value(number(now // 1000))}")


def require_absent_or_expired(write: Expression, now: int) -> None:
    """Write only if there is no item, or one that has expired."""
    write.require_absent_or(ATTRIBUTE, "<=", number(now // 1000))


def require_expired(write: Expression, now: int) -> None:
    """Write only if there is an item that has expired."""
    write.require(f"{write.name(ATTRIBUTE)} <= {write.value(number(now // 1000))}")
