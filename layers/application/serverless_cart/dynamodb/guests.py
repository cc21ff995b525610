"""Creates guests (contract: Guests)."""

from collections.abc import Callable

from serverless_cart.auth import Token
from serverless_cart.domain.guests import LIFETIME, guest_customer
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import Table
from serverless_cart.dynamodb.tokens import token_to_item


class GuestStore:
    """Creates guests. Its method raises `Unavailable`."""

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock

    def create(self, shop: str, digest: str) -> int:
        """Store the token of a new guest by its digest, with one write, and return its end in seconds since 1970.

        DynamoDB deletes it then. It is not in the shop's list of tokens, which would take a second write.
        """
        expires_at = self._clock() // 1000 + LIFETIME
        token = Token("customer", shop, guest_customer(digest), expires_at)
        absent = Expression()
        absent.require_absent("pk")
        self._table.put(token_to_item(digest, token), absent)
        return expires_at
