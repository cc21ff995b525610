"""Which status and which words each refusal has in each API (contract: the error tables, to the letter)."""

import json
from collections.abc import Mapping
from typing import Final

from storefront.domain.errors import (
    BannedAddress,
    CartChanged,
    CartFull,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidProduct,
    InvalidRequest,
    InvalidSessionItem,
    ItemNotFound,
    MissingSessionFields,
    NotFound,
    OriginNotAllowed,
    Refusal,
    RequestTooLarge,
    SessionIdTooLong,
    Unauthenticated,
)

Table = Mapping[type[Refusal], tuple[int, str]]

_BOTH: Final[Table] = {
    BannedAddress: (403, "banned ip"),
    OriginNotAllowed: (403, "origin not allowed"),
    NotFound: (404, "not found"),
    RequestTooLarge: (413, "request too large"),
}

SEARCH: Final[Table] = {
    **_BOTH,
    Unauthenticated: (403, "forbidden"),
    SessionIdTooLong: (400, "session_id should have 32 characters or less"),
    MissingSessionFields: (400, "Following fields are missing: {fields}"),
    InvalidSessionItem: (400, "Invalid cart item data"),
}

SHOP: Final[Table] = {
    **_BOTH,
    Unauthenticated: (401, "authentication required"),
    InvalidRequest: (400, "validation error"),
    InvalidProduct: (400, "invalid product"),
    InsufficientStock: (400, "insufficient stock"),
    CartFull: (400, "cart is full"),
    ItemNotFound: (404, "item not found"),
    CartChanged: (412, "cart has changed"),
    IdempotencyKeyReused: (422, "idempotency key reused"),
}

UNAVAILABLE: Final = "temporarily unavailable"
FAULT: Final = "internal server error"


def words(table: Table, refusal: Refusal) -> tuple[int, str, str]:
    """Return a refusal's status, the text of its error, and its reason: the text without what varies."""
    status, error = table[type(refusal)]
    if isinstance(refusal, MissingSessionFields):
        return status, error.format(fields=json.dumps(refusal.fields)), "fields are missing"
    return status, error, error
