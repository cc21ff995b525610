"""Issues, lists and revokes the tokens of shops, for the Management API and for cartctl."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from serverless_cart.auth import Token, digest, new_key
from serverless_cart.domain.limits import CUSTOMER_TOKENS, ENDED_CUSTOMER_TOKENS
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    key_of,
    number,
    read_int,
    read_optional_int,
    read_text,
    text,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.retries import wait_at_random
from serverless_cart.dynamodb.table import TRANSACTION, Table, TransactionContended, TransactionRefused
from serverless_cart.dynamodb.tokens import still_open, token_from_item, token_to_items
from serverless_cart.service.errors import Unavailable

ID_LENGTH: Final = 12
"""Characters of the digest that identify a token to operators; they do not help to guess its key."""
LAST4_LENGTH: Final = 4
"""Last characters of a key that are stored: 144 of its 160 random bits stay unknown."""
MAX_CONFLICT_RETRIES: Final = 32
"""Maximum attempts when concurrent requests change the tokens of the same customer."""
WITH_A_TOKEN: Final = (TRANSACTION - 4) // 2
"""Former tokens that fit the transaction that issues one: it also has the shop, the version and two items."""
WITHOUT_A_TOKEN: Final = (TRANSACTION - 1) // 2
"""Tokens that fit the transaction that only revokes: it also has the version."""


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


@dataclass(frozen=True, slots=True)
class _Held:
    """A customer's tokens at one moment, each list with the oldest first, and their version, if there is one."""

    version: int | None
    active: list[TokenRecord]
    ended: list[TokenRecord]


class TokenRegistry:
    """The lists of tokens of this deployment's shops. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock

    def issue_key(self, token: Token, label: str = "") -> tuple[str, TokenRecord]:
        """Issue an API key or a management key, in one call, and return it.

        The key is not stored: only this method returns it. Raises `ShopNotOpen`.
        """
        key, record = _new(token, label, self._clock())
        try:
            self._table.transact([still_open(token.shop), *_puts(record)])
        except TransactionRefused:
            raise ShopNotOpen from None
        return key, record

    def sign_in(self, token: Token, label: str = "") -> tuple[str, TokenRecord]:
        """Issue a customer token and return it with its key, in two calls if no other request interferes.

        At most `CUSTOMER_TOKENS` of the customer's tokens are active afterwards: the oldest are revoked in the same
        transaction. Its condition is that the customer's tokens have the version that was read. Raises `ShopNotOpen`.
        """
        shop, customer = token.shop, token.customer
        key, record = _new(token, label, self._clock())
        for attempt in range(MAX_CONFLICT_RETRIES):
            wait_at_random(attempt)
            now = self._clock()
            held = self._held(shop, customer, now)
            surplus = held.active[: max(0, len(held.active) + 1 - CUSTOMER_TOKENS)]
            revoked, remaining = surplus[:WITH_A_TOKEN], held.active[len(surplus) :]
            expiries = [it.token.expires_at for it in (record, *remaining)]
            writes = [still_open(shop), _next_version(token, held.version, now, expiries), *_revocations(revoked, now)]
            is_last = revoked == surplus  # more than fit are only issued by an earlier version of cartctl
            if is_last:
                former = len(held.ended) + len(surplus) - ENDED_CUSTOMER_TOKENS
                writes += [*_puts(record), *_deletions(held.ended[: max(0, min(former, WITH_A_TOKEN - len(revoked)))])]
            try:
                self._table.transact(writes, attempts=1)
            except TransactionRefused as refused:
                if 0 in refused.failed:
                    raise ShopNotOpen from None
            except TransactionContended:
                pass
            else:
                if is_last:
                    return key, record
        raise Unavailable

    def sign_out(self, shop: str, customer: str) -> list[TokenRecord]:
        """Revoke all active tokens of a customer and return them: one call, and one more for each 49 tokens.

        A token that is issued meanwhile is either revoked too, or was issued after the others were revoked. May be
        repeated.
        """
        done: list[TokenRecord] = []
        for attempt in range(MAX_CONFLICT_RETRIES):
            wait_at_random(attempt)
            now = self._clock()
            held = self._held(shop, customer, now)
            version = held.version
            try:
                for start in range(0, len(held.active), WITHOUT_A_TOKEN):
                    some = held.active[start : start + WITHOUT_A_TOKEN]
                    following = _next_version(some[0].token, version, now, [])
                    self._table.transact([following, *_revocations(some, now)], attempts=1)
                    version = read_int(following[1]["Item"], "version")
                    done += [_revoked(record, now) for record in some]
            except (TransactionRefused, TransactionContended):
                continue
            return done
        raise Unavailable

    def keys(self, shop: str) -> Iterator[TokenRecord]:
        """List a shop's API keys, and then its management keys."""
        for prefix in (keys.api_keys(), keys.management_keys()):
            yield from map(_listed, self._table.items_of(keys.tokens(shop), prefix))

    def customer_tokens(self, shop: str, customer: str | None = None) -> Iterator[TokenRecord]:
        """List the tokens of one customer of a shop, or of all its customers, with bounded memory."""
        items = self._table.items_of(keys.tokens(shop), keys.customer_tokens(customer))
        return (_listed(item) for item in items if keys.listed_digest(key_of(item)))

    def find(self, key: str) -> TokenRecord | None:
        """Return the record of a key's token; ``None`` if there is none."""
        digest_ = digest(key)
        item = self._table.get(keys.token(digest_))
        if item is None:
            return None
        token = token_from_item(item)
        entry = self._table.get(keys.token_entry(token.shop, token.kind, token.customer, digest_))
        return _listed(entry) if entry else None

    def revoke(self, listed: TokenRecord) -> TokenRecord:
        """Revoke a token; a revoked one is returned unchanged. Raises `TokenGone`."""
        if listed.revoked_at is not None:
            return listed
        now = self._clock()
        try:
            self._table.transact(_revocations([listed], now))
        except TransactionRefused:
            raise TokenGone from None
        return _revoked(listed, now)

    def _held(self, shop: str, customer: str, now: int) -> _Held:
        """Read a customer's tokens and their version: one call for up to a thousand tokens."""
        version, records = None, []
        for item in self._table.items_of(keys.tokens(shop), keys.customer_tokens(customer)):
            if keys.listed_digest(key_of(item)):
                records.append(_listed(item))
            else:
                version = read_int(item, "version")
        records.sort(key=lambda record: (record.issued_at, record.digest))
        active = [record for record in records if record.token.is_active(now / 1000)]
        return _Held(version, active, [record for record in records if not record.token.is_active(now / 1000)])


def record_to_items(record: TokenRecord) -> list[Item]:
    """Write a token as two items; only the entry in the list has what operators see."""
    token, entry = token_to_items(record.digest, record.token)
    entry["label"] = text(record.label)
    entry["last4"] = text(record.last4)
    entry["issued_at"] = number(record.issued_at)
    return [token, entry]


def _new(token: Token, label: str, now: int) -> tuple[str, TokenRecord]:
    key = new_key()
    return key, TokenRecord(token, digest(key), label, key[-LAST4_LENGTH:], now)


Write = tuple[str, dict[str, Any]]
"""A part of a transaction: its kind and its parameters."""


def _next_version(token: Token, version: int | None, now: int, expiries: Sequence[int | None]) -> Write:
    """Give the customer's tokens a new version if they still have this one. It expires with the last of them.

    A version is at least the time in milliseconds, so that none is repeated after the item was deleted.
    """
    unchanged = Expression()
    if version is None:
        unchanged.require_absent("version")
    else:
        unchanged.require_equal("version", number(version))
    key = keys.token_version(token.shop, token.customer)
    item = {**key_attributes(key), "version": number(max(now, (version or 0) + 1))}
    if None not in expiries:
        item["expires_at"] = number(max([now // 1000, *(it for it in expiries if it is not None)]))
    return "Put", {"Item": item, **unchanged.condition()}


def _keys_of(record: TokenRecord) -> tuple[Key, Key]:
    """Return the keys of a token's two items: its own, and its entry in the list."""
    it = record.token
    return keys.token(record.digest), keys.token_entry(it.shop, it.kind, it.customer, record.digest)


def _puts(record: TokenRecord) -> list[Write]:
    return [("Put", {"Item": item}) for item in record_to_items(record)]


def _listed(entry: Item) -> TokenRecord:
    return TokenRecord(
        token=token_from_item(entry),
        digest=keys.listed_digest(key_of(entry)),
        label=read_text(entry, "label"),
        last4=read_text(entry, "last4"),
        issued_at=read_int(entry, "issued_at"),
        revoked_at=read_optional_int(entry, "revoked_at"),
    )


def _revocations(records: Sequence[TokenRecord], now: int) -> list[Write]:
    """Mark tokens and their entries in the list as revoked; only the entries have the time."""
    writes = []
    for record in records:
        token, entry = _keys_of(record)
        writes += [_revocation(token, None), _revocation(entry, now)]
    return writes


def _revocation(key: Key, at: int | None) -> Write:
    write = Expression()
    write.set("revoked", {"BOOL": True})
    if at is not None:
        write.set("revoked_at", number(at))
    write.require_present("pk")
    return "Update", {"Key": key_attributes(key), **write.update()}


def _deletions(records: Sequence[TokenRecord]) -> list[Write]:
    return [("Delete", {"Key": key_attributes(key)}) for record in records for key in _keys_of(record)]


def _revoked(record: TokenRecord, now: int) -> TokenRecord:
    return replace(record, token=replace(record.token, revoked=True), revoked_at=now)
