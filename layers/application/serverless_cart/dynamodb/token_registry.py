"""A shop's list of its tokens: issuing, listing and revoking them, which operators do, and no function."""

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
"""Characters of the digest by which people tell tokens apart: enough to recognise one, and no help in guessing it."""
LAST4_LENGTH: Final = 4
"""Characters of the key's end that its list keeps: 144 of its 160 random bits stay unknown."""
TOGETHER: Final = (TRANSACTION - 1) // 2
"""Tokens that one transaction issues: two items each, and one for the shop."""


class ShopNotOpen(Exception):
    """There is no such shop, or it has been closed."""


class TokenGone(Exception):
    """The token is no longer there."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as its shop's list has it: enough to recognise it, never enough to use it.

    ``issued_at`` and ``revoked_at`` are milliseconds since 1970; ``ending`` are the last characters of its key.
    """

    token: Token
    digest: str
    label: str
    last4: str
    issued_at: int
    revoked_at: int | None = None

    @property
    def id(self) -> str:
        """The short name by which a person revokes it."""
        return self.digest[:ID_LENGTH]


class TokenRegistry:
    """The lists of tokens of this deployment's shops. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock

    def issue(self, shop: str, tokens: Sequence[Token], label: str = "") -> list[tuple[str, TokenRecord]]:
        """Issue tokens of one shop, at most `TOGETHER`, all or none, and return them with their keys.

        A key is nowhere but in this answer. Raises `ShopNotOpen`.
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
        """List the tokens of one customer of a shop, or of all, a bounded number of them being held at a time."""
        return map(_listed, self._table.items_of(keys.tokens(shop), keys.customer_tokens(customer)))

    def find(self, key: str) -> TokenRecord | None:
        """Return the token that a key opens, as its shop's list has it."""
        digest_ = digest(key)
        item = self._table.get(keys.token(digest_))
        if item is None:
            return None
        token = token_from_item(item)
        entry = self._table.get(keys.token_entry(token.shop, token.customer, digest_))
        return _listed(entry) if entry else None

    def revoke(self, listed: TokenRecord) -> TokenRecord:
        """Revoke a token; one that has been revoked stays so. Raises `TokenGone`."""
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
    """Write a token as the items of the table; what only people need stands in the list alone."""
    token, entry = token_to_items(listed.digest, listed.token)
    entry["label"] = text(listed.label)
    entry["last4"] = text(listed.last4)
    entry["issued_at"] = number(listed.issued_at)
    return [token, entry]


def _listed(entry: Item) -> TokenRecord:
    """Read an entry of the list."""
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
