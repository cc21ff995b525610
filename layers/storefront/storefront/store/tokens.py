"""Tokens and the shops that they belong to. No key is ever stored, only its digest."""

from typing import Any, Final

from storefront.store import keys
from storefront.store.table import Item, Table
from storefront.tokens import Kind, Principal, Shop, Token

LEAVING_SINCE: Final = "leaving_since"
"""The attribute of a shop that has been closed: nothing opens it from then on, whatever is still there of it."""


class TokenStore:
    """The tokens and shops of this deployment. Its methods raise `Unavailable`."""

    def __init__(self, table: Table) -> None:
        """Read from this table."""
        self._table = table

    def principal(self, digest: str, now: float) -> Principal | None:
        """Find whom a key belongs to, by its digest, if it opens anything at ``now`` (seconds since 1970).

        Two reads, one where there is no such token.
        """
        found = self._table.get(keys.token(digest))
        token = token_from_item(found) if found else None
        if token is None or not token.opens_at(now):
            return None
        settings = self._table.get(keys.shop(token.shop))
        if settings is None or LEAVING_SINCE in settings:
            return None
        return Principal.of(token, shop_from_item(settings))


def token_to_items(digest: str, token: Token) -> list[Item]:
    """Write a token as the items of the table: the token itself, and the entry in its shop's list."""
    attributes: dict[str, Any] = {"kind": {"S": token.kind}, "shop": {"S": token.shop}}
    if token.customer:
        attributes["customer"] = {"S": token.customer}
    if token.expires_at is not None:
        attributes["expires_at"] = {"N": str(token.expires_at)}
    if token.revoked:
        attributes["revoked"] = {"BOOL": True}
    return [
        {"pk": {"S": key.pk}, "sk": {"S": key.sk}, **attributes}
        for key in (keys.token(digest), keys.token_entry(token.shop, token.customer, digest))
    ]


def token_from_item(item: Item) -> Token:
    """Read what `token_to_items` wrote."""
    kind: Kind = item["kind"]["S"]
    return Token(
        kind=kind,
        shop=item["shop"]["S"],
        customer=item["customer"]["S"] if "customer" in item else "",
        expires_at=int(item["expires_at"]["N"]) if "expires_at" in item else None,
        revoked="revoked" in item,
    )


def shop_to_item(shop: Shop) -> Item:
    """Write a shop's settings as an item of the table."""
    key = keys.shop(shop.name)
    item: dict[str, Any] = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "name": {"S": shop.name}}
    for name, values in (
        ("search_engines", shop.search_engines),
        ("blocked_networks", shop.blocked_networks),
        ("allowed_origins", shop.allowed_origins),
    ):
        if values:
            item[name] = {"SS": sorted(values)}
    if shop.currency:
        item["currency"] = {"S": shop.currency}
    return item


def shop_from_item(item: Item) -> Shop:
    """Read what `shop_to_item` wrote."""
    return Shop(
        name=item["name"]["S"],
        search_engines=_texts(item, "search_engines"),
        blocked_networks=_texts(item, "blocked_networks"),
        allowed_origins=_texts(item, "allowed_origins"),
        currency=item["currency"]["S"] if "currency" in item else "",
    )


def _texts(item: Item, name: str) -> frozenset[str]:
    """Read a set of texts that may not be there."""
    return frozenset(item[name]["SS"]) if name in item else frozenset()
