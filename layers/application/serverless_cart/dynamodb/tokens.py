"""Tokens and the shops that they belong to. No key is stored, only its digest."""

from typing import Any, Final

from serverless_cart.auth import Kind, Principal, Token
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    number,
    read_optional_int,
    read_optional_text,
    read_text,
    read_text_set,
    text,
    text_set,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import Table

DELETION_REQUESTED_AT: Final = "deletion_requested_at"
"""The attribute of a shop that is being deleted: its tokens open nothing."""


class TokenStore:
    """The tokens and shops of this deployment. Its methods raise `Unavailable`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def principal(self, digest: str, now: float) -> Principal | None:
        """Return the principal of a key, by its digest; ``None`` if it opens nothing at ``now`` (seconds since 1970).

        Two reads, one if there is no active token.
        """
        found = self._table.get(keys.token(digest))
        token = token_from_item(found) if found else None
        if token is None or not token.is_active(now):
            return None
        settings = self._table.get(keys.shop(token.shop))
        if settings is None or DELETION_REQUESTED_AT in settings:
            return None
        return Principal.of(token, shop_from_item(settings))


def still_open(name: str) -> tuple[str, dict[str, Any]]:
    """Return the part of a transaction that requires an existing shop that is not being deleted."""
    check = Expression()
    check.require_present("pk")
    check.require_absent(DELETION_REQUESTED_AT)
    return "ConditionCheck", {"Key": key_attributes(keys.shop(name)), **check.condition()}


def token_to_items(digest: str, token: Token) -> list[Item]:
    """Write a token as two items of the table: the token itself, and its entry in the shop's list."""
    item = token_to_item(digest, token)
    return [item, item | key_attributes(keys.token_entry(token.shop, token.kind, token.customer, digest))]


def token_to_item(digest: str, token: Token) -> Item:
    """Write a token as one item, which opens an API without being in a list."""
    item: Item = {**key_attributes(keys.token(digest)), "kind": text(token.kind), "shop": text(token.shop)}
    if token.customer:
        item["customer"] = text(token.customer)
    if token.expires_at is not None:
        item["expires_at"] = number(token.expires_at)
    if token.revoked:
        item["revoked"] = {"BOOL": True}
    return item


def token_from_item(item: Item) -> Token:
    """Read what `token_to_items` wrote."""
    kind: Kind = item["kind"]["S"]
    return Token(
        kind=kind,
        shop=read_text(item, "shop"),
        customer=read_optional_text(item, "customer") or "",
        expires_at=read_optional_int(item, "expires_at"),
        revoked="revoked" in item,
    )


def shop_to_item(shop: Shop) -> Item:
    """Write a shop's settings as an item of the table."""
    item: Item = {**key_attributes(keys.shop(shop.name)), "name": text(shop.name)}
    for name, values in (
        ("search_engines", shop.search_engines),
        ("blocked_networks", shop.blocked_networks),
        ("allowed_origins", shop.allowed_origins),
    ):
        if values:
            item[name] = text_set(values)
    if shop.currency:
        item["currency"] = text(shop.currency)
    return item


def shop_from_item(item: Item) -> Shop:
    """Read what `shop_to_item` wrote."""
    return Shop(
        name=read_text(item, "name"),
        search_engines=read_text_set(item, "search_engines"),
        blocked_networks=read_text_set(item, "blocked_networks"),
        allowed_origins=read_text_set(item, "allowed_origins"),
        currency=read_optional_text(item, "currency") or "",
    )
