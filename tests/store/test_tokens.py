"""The tokens in the table: the principal of a key, and a shop's lists."""

import pytest

from serverless_cart.auth import Principal, Token, digest
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import number
from serverless_cart.dynamodb.table import Table
from serverless_cart.dynamodb.token_registry import TokenRegistry
from serverless_cart.dynamodb.tokens import DELETION_REQUESTED_AT, TokenStore, shop_to_item, token_to_items
from tests.support.engines import Put, Rows
from tools.support.events import HASHID, NOW

pytestmark = pytest.mark.every_engine

KEY, NAME = "0" * 40, "a shop # 1"
SHOP = Shop(
    NAME,
    frozenset({HASHID, "f" * 32}),
    frozenset({"203.0.113.0/24", "2001:db8:bad::/48"}),
    frozenset({"https://shop.example"}),
    "EUR",
)


@pytest.mark.parametrize("token", [Token("api_key", NAME), Token("customer", NAME, "zoë", expires_at=NOW // 1000 + 1)])
@pytest.mark.parametrize("shop", [SHOP, Shop(NAME)], ids=["guarded", "bare"])
def test_principal_has_its_token_and_its_shop(
    table: Table, put: Put, calls: list[str], token: Token, shop: Shop
) -> None:
    put(shop_to_item(shop), *token_to_items(digest(KEY), token))

    assert TokenStore(table).principal(digest(KEY), NOW / 1000) == Principal.of(token, shop)
    assert calls == ["GetItem"] * 2


@pytest.mark.parametrize(
    "token",
    [
        Token("customer", NAME, "c", expires_at=NOW // 1000),
        Token("customer", NAME, "c", revoked=True),
        Token("api_key", NAME, revoked=True),
        Token("api_key", "another shop"),
    ],
)
def test_inactive_token_has_no_principal(table: Table, put: Put, token: Token) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), token))

    assert TokenStore(table).principal(digest(KEY), NOW / 1000) is None


def test_token_of_a_closed_shop_has_no_principal(table: Table, put: Put) -> None:
    closed = {**shop_to_item(SHOP), DELETION_REQUESTED_AT: number(NOW)}
    put(closed, *token_to_items(digest(KEY), Token("api_key", NAME)))

    assert TokenStore(table).principal(digest(KEY), NOW / 1000) is None


def test_unknown_key_is_one_read(table: Table, put: Put, calls: list[str]) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), Token("api_key", NAME)))

    assert TokenStore(table).principal(digest("1" * 40), NOW / 1000) is None
    assert calls == ["GetItem"]


def test_token_is_in_its_shops_list(table: Table, put: Put, rows: Rows) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), Token("api_key", NAME)))

    entry = keys.token_entry(NAME, "", digest(KEY))
    assert set(rows()) == {keys.token(digest(KEY)), keys.shop(NAME), entry}
    assert list(table.keys_of(keys.tokens(NAME))) == [[entry]]


def test_lists_have_one_kind_of_one_customer(table: Table, put: Put) -> None:
    put(shop_to_item(SHOP))
    registry = TokenRegistry(table, lambda: NOW)
    registry.issue(NAME, [Token("api_key", NAME), Token("customer", NAME, "c"), Token("customer", NAME, "c2")])

    assert [it.token.customer for it in registry.api_keys(NAME)] == [""]
    assert [it.token.customer for it in registry.customer_tokens(NAME, "c")] == ["c"]
    assert sorted(it.token.customer for it in registry.customer_tokens(NAME)) == ["c", "c2"]
