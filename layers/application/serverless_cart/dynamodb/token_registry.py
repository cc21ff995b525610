"""Issues, lists and revokes the tokens of shops, for cartctl. No function uses it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from serverless_cart.auth import Token, digest, new_key
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    number,
    read_int,
    read_optional_int,
    read_text,
    text,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.shops import still_open
from serverless_cart.dynamodb.table import TRANSACTION, Table, TransactionRefused
from serverless_cart.dynamodb.tokens import token_from_item, token_to_items

ID_LENGTH: Final = 12
"""Characters of the digest that identify a token to operators; they do not help to guess its key."""
LAST4_LENGTH: Final = 4
"""Last characters of a key that are stored: 144 of its 160 random bits stay unknown."""
TOGETHER: Final = (TRANSACTION - 1) // 2
"""Tokens that one transaction can issue: two writes each, and one check of the shop."""


class ShopNotOpen(Exception):
    """There is no such shop, or it has been closed."""


class TokenGone(Exception):
    """The token no longer exists."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token in its shop's list, without its key.

    ``issued_at`` and ``revoked_at`` are milliseconds since 1970; ``last4`` are the last characters of the key.
    """

    token: Token
    digest: str
    label: str
    last4: str
    issued_at: int
    revoked_at: int | None = None

    @property
    def id(self) -> str:
        """The short id by which an operator revokes the token."""
        return self.digest[:ID_LENGTH]


class TokenRegistry:
    """The lists of tokens of this deployment's shops. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock

    def issue(self, shop: str, tokens: Sequence[Token], label: str = "") -> list[tuple[str, TokenRecord]]:
        """Issue tokens of one shop, at most `TOGETHER`, all or none, and return them with their keys.

        The keys are not stored: only this method returns them. Raises `ShopNotOpen`.
        """
        now = self._clock()
        issued = []
        for token in tokens:
            key = new_key()
            issued.append((key, TokenRecord(token, digest(key), label, key[-LAST4_LENGTH:], now)))
        puts = [("Put", {"Item": item}) for _, listed in issued for item in _items(listed)]
        try:
            self._table.transact([still_open(shop), *puts])
        except TransactionRefused:
            raise ShopNotOpen from None
        return issued

    def api_keys(self, shop: str) -> Iterator[TokenRecord]:
        """List a shop's API keys."""
        return map(_listed, self._table.items_of(keys.tokens(shop), keys.api_keys()))

    def customer_tokens(self, shop: str, customer: str | None = None) -> Iterator[TokenRecord]:
        """List the tokens of one customer of a shop, or of all its customers, with bounded memory."""
        return map(_listed, self._table.items_of(keys.tokens(shop), keys.customer_tokens(customer)))

    def find(self, key: str) -> TokenRecord | None:
        """Return the record of a key's token; ``None`` if there is none."""
        digest_ = digest(key)
        item = self._table.get(keys.token(digest_))
        if item is None:
            return None
        token = token_from_item(item)
        entry = self._table.get(keys.token_entry(token.shop, token.customer, digest_))
        return _listed(entry) if entry else None

    def revoke(self, listed: TokenRecord) -> TokenRecord:
        """Revoke a token; a revoked one is returned unchanged. Raises `TokenGone`."""
        if listed.revoked_at is not None:
            return listed
        now = self._clock()
        it = listed.token
        try:
            self._table.transact([
                _revocation(keys.token(listed.digest), None),
                _revocation(keys.token_entry(it.shop, it.customer, listed.digest), now),
            ])  # fmt: skip
        except TransactionRefused:
            raise TokenGone from None
        return replace(listed, token=replace(it, revoked=True), revoked_at=now)


def _items(listed: TokenRecord) -> list[Item]:
    """Write a token as two items; only the entry in the list has what operators see."""
    token, entry = token_to_items(listed.digest, listed.token)
    entry["label"] = text(listed.label)
    entry["last4"] = text(listed.last4)
    entry["issued_at"] = number(listed.issued_at)
    return [token, entry]


def _listed(entry: Item) -> TokenRecord:
    return TokenRecord(
        token=token_from_item(entry),
        digest=entry["sk"]["S"].rpartition("#")[2],
        label=read_text(entry, "label"),
        last4=read_text(entry, "last4"),
        issued_at=read_int(entry, "issued_at"),
        revoked_at=read_optional_int(entry, "revoked_at"),
    )


def _revocation(key: Key, at: int | None) -> tuple[str, dict[str, Any]]:
    """Return the part of a transaction that marks a token, or its entry in the list, as revoked."""
    write = Expression()
    write.set("revoked", {"BOOL": True})
    if at is not None:
        write.set("revoked_at", number(at))
    write.require_present("pk")
    return "Update", {"Key": key_attributes(key), **write.update()}
