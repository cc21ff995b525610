"""Keys, tokens and principals: format, digest, expiry, and the addresses and origins that may use them."""

from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart import auth
from serverless_cart.auth import Principal, Token
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.tokens import shop_from_item, shop_to_item, token_from_item, token_to_items
from serverless_cart.web.access import check_address, check_origin
from serverless_cart.web.refusals import BannedAddress, OriginNotAllowed
from tests.support.builders import principal

KEY = "0123456789abcdef0123456789abcdef01234567"
ACCEPTED = [
    f"{scheme} {zone}{KEY}" for scheme in ("Token", "token", "TOKEN", "tOkEn") for zone in ("", "eu1-", "us1-", "ap1-")
]
REFUSED = [
    *("", KEY, f"Bearer {KEY}", f"Tokens {KEY}", f"Toĸen {KEY}", f"Token {KEY}, Token {KEY}"),
    *("Token", "Token ", f"Token{KEY}", f"Token  {KEY}", f"Token\t{KEY}", f" Token {KEY}"),
    *(f"Token {KEY}{end}" for end in (" ", "\n", "0")),
    *(f"Token {key}" for key in (KEY[1:], f"g{KEY[1:]}", KEY.upper(), "\u0660" * 40)),
    *(f"Token {zone}{KEY}" for zone in ("EU1-", "eu2-", "eu1", "eu1-us1-")),
]


@pytest.mark.parametrize("header", ACCEPTED)
def test_well_formed_header_has_a_key(header: str) -> None:
    assert auth.key_of(header) == KEY


@pytest.mark.parametrize("header", REFUSED)
def test_malformed_header_has_no_key(header: str) -> None:
    assert auth.key_of(header) is None


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    assert auth.key_of(header) in (None, header[-40:])


def test_new_keys_are_well_formed_and_distinct() -> None:
    keys = {auth.new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(auth.key_of(f"Token ap1-{key}") == key for key in keys)


def test_digest_is_sha_256() -> None:
    assert auth.digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert auth.digest(KEY) != auth.digest(KEY[::-1])


@pytest.mark.parametrize(
    ("opens", "changes"),
    [
        *((True, changes) for changes in ({}, {"expires_at": 1001})),
        *((False, {"expires_at": at}) for at in (1000, 999, 0)),
        *((False, {"revoked": True, **more}) for more in ({}, {"expires_at": 1001})),
    ],
)
def test_token_is_active_until_it_ends(changes: dict[str, Any], *, opens: bool) -> None:
    assert Token("customer", "demo", "c", **changes).is_active(1000.0) is opens


words = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
sets = st.frozensets(words, max_size=4)
kinds = st.sampled_from(auth.Kind.__args__)  # type: ignore[attr-defined]


@given(st.builds(Principal, kinds, names, names, sets, sets, sets))
def test_principal_survives_the_context(it: Principal) -> None:
    context = it.to_context()

    assert all(isinstance(value, str) for value in context.values()), "API Gateway passes strings"
    assert Principal.from_context(context) == it
    assert Principal.from_context({**context, "principalId": "x", "integrationLatency": "42"}) == it


@pytest.mark.parametrize("context", [{}, {"kind": ""}, {"kind": "admin"}, {"principalId": "x"}])
def test_context_of_unknown_kind_has_no_principal(context: dict[str, str]) -> None:
    assert Principal.from_context(context) is None


@given(st.builds(Token, kinds, names, names, st.none() | st.integers(0, 2**40), st.booleans()))
def test_token_survives_the_table(it: Token) -> None:
    own, listed = token_to_items("ab", it)

    assert token_from_item(own) == token_from_item(listed) == it
    assert own["pk"]["S"] == "TOKEN#ab"
    assert listed["sk"]["S"].endswith("#ab")


@given(st.builds(Shop, names, sets, sets, sets, names))
def test_shop_survives_the_table(it: Shop) -> None:
    assert shop_from_item(shop_to_item(it)) == it


NETWORKS = frozenset({"203.0.113.0/24", "198.51.100.7", "2001:db8:bad::/48", "2001:db8::1/128"})


@pytest.mark.parametrize(
    ("banned", "addresses"),
    [
        (True, ["203.0.113.0", "203.0.113.255", "198.51.100.7", "::ffff:203.0.113.9", "::ffff:cb00:7109"]),
        (True, ["2001:db8:bad:ffff::1", "2001:DB8:BAD::1", "2001:db8::1"]),
        (True, ["", "test-invoke-source-ip", "203.0.113.9, 192.0.2.1"]),
        (False, ["203.0.114.0", "203.0.112.255", "198.51.100.8", "::ffff:192.0.2.1", "2001:db8:bae::1", "2001:db8::2"]),
    ],
)
def test_blocked_or_malformed_address_is_banned(addresses: list[str], *, banned: bool) -> None:
    for address in addresses:
        with pytest.raises(BannedAddress) if banned else nullcontext():
            check_address(principal(blocked_networks=NETWORKS), address)
        check_address(principal(), address)


ORIGINS = frozenset({"https://a.example", "https://b.example:8443"})


@pytest.mark.parametrize(
    ("allowed", "origins"),
    [
        (True, [None, "https://a.example", "https://b.example:8443"]),
        (False, ["", "null", "https://A.example", "http://a.example", "https://a.example/", "https://x.a.example"]),
        (False, ["https://b.example", "https://a.example https://b.example:8443"]),
    ],
)
def test_only_listed_or_absent_origin_is_allowed(origins: list[str | None], *, allowed: bool) -> None:
    for origin in origins:
        with nullcontext() if allowed else pytest.raises(OriginNotAllowed):
            check_origin(principal(allowed_origins=ORIGINS), origin)
        check_origin(principal(), origin)
