"""Whom a key belongs to, by what the table holds of tokens and shops."""

import pytest

from serverless_cart.auth import Principal, Token, digest
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.table import Table
from serverless_cart.dynamodb.tokens import TokenStore, shop_to_item, token_to_items
from tests.support.engines import Put, Rows
from tools.support.events import HASHID, NOW

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
def test_a_key_opens_what_its_token_and_its_shop_say(
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
def test_what_has_expired_is_revoked_or_has_lost_its_shop_opens_nothing(table: Table, put: Put, token: Token) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), token))

    assert TokenStore(table).principal(digest(KEY), NOW / 1000) is None


def test_a_key_that_nobody_was_given_costs_one_read(table: Table, put: Put, calls: list[str]) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), Token("api_key", NAME)))

    assert TokenStore(table).principal(digest("1" * 40), NOW / 1000) is None
    assert calls == ["GetItem"]


def test_a_shop_s_tokens_stand_in_its_list_too(table: Table, put: Put, rows: Rows) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), Token("api_key", NAME)))

    entry = keys.token_entry(NAME, "", digest(KEY))
    assert set(rows()) == {keys.token(digest(KEY)), keys.shop(NAME), entry}
    assert list(table.keys_of(keys.tokens(NAME))) == [[entry]]
