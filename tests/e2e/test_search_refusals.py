"""Search API: what it refuses, with which words and in which order; a refusal registers nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from tests.e2e.conftest import Guarded
from tests.support.shopper import BANNED, FORBIDDEN, FOREIGN_ORIGIN, REGISTERED
from tools.support.clients import TITLE, Reply, Visitor
from tools.support.database import Database

METHODS = ["PUT", "PATCH", "DELETE"]
ITEM = {"id": "42", "index": "product", "title": TITLE}
TOO_LONG = Reply(400, {"error": "session_id should have 32 characters or less"})
INVALID = Reply(400, {"error": "Invalid cart item data"})


def missing(*fields: str) -> Reply:
    """Return the refusal that names these fields."""
    return Reply(400, {"error": f"Following fields are missing: {json.dumps(fields)}"})


@pytest.fixture
def untouched(visitor: Visitor, database: Database) -> Iterator[Visitor]:
    """Make a visitor with an item in the cart, and see that the test leaves the cart as it was."""
    visitor.put("42", amount=7)
    before = database.session(visitor.hashid, visitor.session)
    yield visitor
    assert database.session(visitor.hashid, visitor.session) == before


# ----------------------------------------------------------------------------------------------------------------------
# 400
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("session", ["s" * 33, "%20" * 33, "%F0%9F%9B%92" * 33], ids=["plain", "spaces", "emoji"])
def test_a_session_id_of_33_characters_is_too_long(visitor: Visitor, method: str, session: str) -> None:
    assert replace(visitor, session=session).send(method, json=ITEM) == TOO_LONG


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("session", ["%20" * 32, "%F0%9F%9B%92" * 32], ids=["spaces", "emoji"])
def test_a_session_id_is_measured_percent_decoded(visitor: Visitor, method: str, session: str) -> None:
    assert replace(visitor, session=session).send(method, json=ITEM) == REGISTERED


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "body", [b"[]", b"[1]", b'"text"', b"null", b"true", b"1", b"{", b"id=42", b'{"id": NaN}', b"\xff\xfe", b" "]
)
def test_a_body_that_is_no_json_object_is_refused(untouched: Visitor, method: str, body: bytes) -> None:
    assert untouched.send(method, params=ITEM, data=body) == INVALID


@pytest.mark.parametrize("absent", [(), None, ""], ids=["absent", "null", "empty"])
@pytest.mark.parametrize("fields", [c for n in (1, 2, 3) for c in combinations(("id", "index", "title"), n)], ids=str)
def test_put_names_the_fields_that_are_missing_and_only_those(
    untouched: Visitor, fields: tuple[str, ...], absent: object
) -> None:
    item: dict[str, object] = {name: value for name, value in ITEM.items() if name not in fields}
    if absent != ():
        item |= dict.fromkeys(fields, absent)
    assert untouched.send("PUT", json=item) == missing(*fields)


@pytest.mark.parametrize("fields", [("id",), ("index",), ("id", "index")], ids=str)
def test_patch_needs_no_title(untouched: Visitor, fields: tuple[str, ...]) -> None:
    item = {name: value for name, value in ITEM.items() if name not in fields and name != "title"}
    assert untouched.send("PATCH", json=item) == missing(*fields)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("parameters", [{}, {"params": {"id": "", "index": ""}}, {"data": b"{}"}], ids=str)
def test_with_nothing_given_all_that_is_required_is_missing(
    untouched: Visitor, method: str, parameters: dict[str, Any]
) -> None:
    required = ("id", "index", "title") if method == "PUT" else ("id", "index")
    assert untouched.send(method, **parameters) == missing(*required)


TYPES = [True, ["42"], {"a": "b"}]
TEXTS = {"id": TYPES, "index": [*TYPES, 7], "title": [*TYPES, 7]}
AMOUNTS = [0, -1, 1_000_001, 1.5, True, None, "", "many", "1.5", "0", "1 ", "0x1", [1], 10**30]
PRICES = [-0.01, 10**12 + 1, 1e13, True, None, "", "dear", "-1", "1,5", " 1", "nan", "Infinity", [1]]
SURROGATE = "\ud800"


@pytest.mark.parametrize(
    ("method", "field", "value"),
    [
        *[("PUT", field, value) for field, values in TEXTS.items() for value in values],
        *[("PATCH", field, value) for field in ("id", "index") for value in TEXTS[field]],
        *[(method, "amount", value) for method in ("PUT", "PATCH") for value in AMOUNTS],
        *[("PUT", "price", value) for value in PRICES],
        *[(method, field, "x" * 257) for method in ("PUT", "PATCH") for field in ("id", "index")],
        ("PUT", "id", 10**256),
        ("PUT", "title", "x" * 1_025),
        *[("PUT", field, SURROGATE) for field in TEXTS],
        *[("PATCH", field, SURROGATE) for field in ("id", "index")],
    ],
    ids=lambda value: json.dumps(value)[:24],
)
def test_a_field_of_the_wrong_type_range_or_length_is_refused(
    untouched: Visitor, method: str, field: str, value: object
) -> None:
    assert untouched.send(method, json={**ITEM, field: value}) == INVALID


@pytest.mark.parametrize(
    ("field", "value"), [("amount", "0"), ("amount", "x"), ("amount", ""), ("price", "-1"), ("id", "x" * 257)]
)
def test_the_query_string_is_judged_like_the_body(untouched: Visitor, field: str, value: str) -> None:
    assert untouched.send("PUT", params={**ITEM, field: value}) == INVALID


# ----------------------------------------------------------------------------------------------------------------------
# 403
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(
    params=["unknown", "expired", "revoked", "customer's", "expired customer's", "revoked customer's", "of no shop"]
)
def wrong_key(request: pytest.FixtureRequest, stack: Stack, database: Database, shop: str) -> str:
    """Return a well-formed key that does not open the Search API."""
    keys: dict[str, Callable[[], str]] = {
        "unknown": database.issue_nothing,
        "expired": lambda: database.issue(Token("api_key", shop, expires_at=1_700_000_000)),
        "revoked": lambda: database.issue(Token("api_key", shop, revoked=True)),
        "customer's": lambda: stack.customer_tokens[0],
        "expired customer's": lambda: stack.expired_token,
        "revoked customer's": lambda: stack.revoked_token,
        "of no shop": lambda: database.issue(Token("api_key", "no-such-shop")),
    }
    return keys[request.param]()


@pytest.mark.parametrize("method", METHODS)
def test_a_key_that_does_not_open_the_api_is_forbidden(untouched: Visitor, method: str, wrong_key: str) -> None:
    assert replace(untouched, token=wrong_key).send(method, json=ITEM) == FORBIDDEN


@pytest.mark.parametrize("method", METHODS)
def test_no_key_is_forbidden(untouched: Visitor, method: str) -> None:
    assert untouched.http.send(method, untouched.path, json=ITEM) == FORBIDDEN


@pytest.mark.parametrize(
    "form",
    [
        "", "Token", "Token ", "{key}", "Token  {key}", "Token\t{key}", "Bearer {key}", "Token {key}0", "Token x{key}",
        "Token {KEY}", "Token EU1-{key}", "Token eu2-{key}", "Token eu1{key}", "Token eu1-eu1-{key}", "Token {key}, x",
        "Tokens {key}", "Token token={key}",
    ],
)  # fmt: skip
def test_a_malformed_key_is_forbidden(untouched: Visitor, form: str) -> None:
    key = untouched.token.rpartition("-")[2]
    header = form.format(key=key, KEY=key.upper())
    assert untouched.send("PUT", headers={"Authorization": header}, json=ITEM) == FORBIDDEN


@pytest.mark.parametrize("form", ["Token {key}", "token {key}", "TOKEN {key}", "tOkEn {key}"])
@pytest.mark.parametrize("zone", ["", "eu1-", "us1-", "ap1-"])
def test_the_key_opens_with_any_zone_and_any_case_of_the_scheme_word(visitor: Visitor, form: str, zone: str) -> None:
    header = form.format(key=zone + visitor.token.rpartition("-")[2])
    assert visitor.send("PUT", headers={"Authorization": header}, json=ITEM) == REGISTERED


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "hashid", ["f" * 32, "a" * 31, "a" * 33, "g" * 32, "%20" * 32, "{hashid}%20", "{hashid}0", "*", "%2A"]
)
def test_a_hashid_that_is_malformed_or_unknown_is_forbidden(untouched: Visitor, method: str, hashid: str) -> None:
    foreign = hashid.format(hashid=untouched.hashid)
    assert replace(untouched, hashid=foreign).send(method, json=ITEM) == FORBIDDEN


@pytest.mark.parametrize("method", METHODS)
def test_a_search_engine_of_another_shop_is_forbidden(
    untouched: Visitor, stack: Stack, database: Database, method: str
) -> None:
    second = stack.second_shop
    assert replace(untouched, hashid=second.hashid).send(method, json=ITEM) == FORBIDDEN
    assert replace(untouched, token=second.api_key).send(method, json=ITEM) == FORBIDDEN
    assert database.session(second.hashid, untouched.session) == {}


@pytest.mark.parametrize("method", METHODS)
def test_a_blocked_address_is_banned(untouched: Visitor, stack: Stack, method: str) -> None:
    headers = {"X-Forwarded-For": stack.blocked_address}
    assert untouched.send(method, headers=headers, json=ITEM) == BANNED


@pytest.mark.parametrize("method", METHODS)
def test_an_origin_that_the_shop_does_not_list_is_not_allowed(
    visitor: Visitor, stack: Stack, database: Database, method: str
) -> None:
    second = stack.second_shop
    visitor = replace(visitor, hashid=second.hashid, token=second.api_key)
    assert visitor.send(method, headers={"Origin": "https://elsewhere.example"}, json=ITEM) == FOREIGN_ORIGIN
    assert database.session(second.hashid, visitor.session) == {}
    assert visitor.send(method, headers={"Origin": second.allowed_origin}, json=ITEM) == REGISTERED
    assert visitor.send(method, json=ITEM) == REGISTERED


# ----------------------------------------------------------------------------------------------------------------------
# The order of the checks
# ----------------------------------------------------------------------------------------------------------------------

WRONGS: dict[str, tuple[Reply, dict[str, Any]]] = {
    "forbidden": (FORBIDDEN, {"hashid": "f" * 32}),
    "banned ip": (BANNED, {"headers": {"X-Forwarded-For": "198.51.100.3"}}),
    "origin": (FOREIGN_ORIGIN, {"headers": {"Origin": "https://elsewhere.example"}}),
    "session id": (TOO_LONG, {"session": "s" * 33}),
    "body": (INVALID, {"data": b"[]"}),
    "missing": (missing("index"), {"params": {"index": ""}}),
    "field": (INVALID, {"params": {"amount": "0"}}),
}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(("first", "second"), list(combinations(WRONGS, 2)))
def test_of_two_faults_the_first_in_the_contracts_order_is_told(
    guarded: Guarded, method: str, first: str, second: str
) -> None:
    request: dict[str, Any] = {"params": ITEM, "headers": {}}
    for _, wrong in (WRONGS[first], WRONGS[second]):
        for part, value in wrong.items():
            request[part] = {**request[part], **value} if part in ("params", "headers") else value
    target = {name: request.pop(name) for name in ("hashid", "session") if name in request}
    assert replace(guarded.visitor, **target).send(method, **request) == WRONGS[first][0]


def test_a_refused_key_is_told_before_anything_else(guarded: Guarded) -> None:
    everything_wrong = replace(guarded.visitor, session="s" * 33)
    headers = {
        "Authorization": "Token nothing",
        "X-Forwarded-For": "198.51.100.3",
        "Origin": "https://elsewhere.example",
    }
    assert everything_wrong.send("PUT", headers=headers, data=b"[]") == FORBIDDEN
