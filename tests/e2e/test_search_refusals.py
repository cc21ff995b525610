"""Search API: every error of the contract over HTTP; a refused request registers nothing.

tests/integration/test_stats_cart.py has every value and the order of the checks; test_isolation.py every credential.
"""

from dataclasses import replace
from typing import Any

import pytest

from local.stack import Stack
from tests.support.shopper import BANNED, FORBIDDEN, FOREIGN_ORIGIN, INVALID_ITEM, REGISTERED, Guarded
from tools.support.clients import TITLE, Reply, Visitor
from tools.support.database import Database

ITEM = {"id": "42", "index": "product", "title": TITLE}
TOO_LONG = Reply(400, {"error": "session_id should have 32 characters or less"})
MISSING = Reply(400, {"error": 'Following fields are missing: ["id", "index"]'})
every_method = pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])


@every_method
@pytest.mark.parametrize("character", ["s", "%20", "%F0%9F%9B%92"], ids=["plain", "space", "emoji"])
def test_session_id_is_measured_decoded(visitor: Visitor, method: str, character: str) -> None:
    assert replace(visitor, session=character * 33).send(method, json=ITEM) == TOO_LONG
    if character != "s":
        assert replace(visitor, session=character * 32).send(method, json=ITEM) == REGISTERED


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ({"params": ITEM, "data": b"[]"}, INVALID_ITEM),
        ({"params": ITEM, "data": b"\xff\xfe"}, INVALID_ITEM),
        ({"json": {"id": None, "index": "", "title": "x"}}, MISSING),
        ({"params": {"id": "", "title": "x"}}, MISSING),
        ({"json": {**ITEM, "amount": 0}}, INVALID_ITEM),
        ({"params": {**ITEM, "amount": "x"}}, INVALID_ITEM),
        ({"json": {**ITEM, "id": "x" * 257}}, INVALID_ITEM),
    ],
    ids=["no object", "no UTF-8", "missing", "missing in query", "field", "field in query", "long"],
)
def test_bad_request_is_refused(untouched: Visitor, method: str, request_: dict[str, Any], reply: Reply) -> None:
    assert untouched.send(method, **request_) == reply


MALFORMED = [
    "", "Token", "Token ", "{key}", "Token  {key}", "Token\t{key}", "Bearer {key}", "Token {key}0", "Token x{key}",
    "Token {KEY}", "Token EU1-{key}", "Token eu2-{key}", "Token eu1{key}", "Token eu1-eu1-{key}", "Token {key}, x",
    "Tokens {key}", "Token token={key}",
]  # fmt: skip


def test_malformed_key_is_forbidden(untouched: Visitor) -> None:
    key = untouched.token.rpartition("-")[2]
    for form in MALFORMED:
        header = form.format(key=key, KEY=key.upper())
        assert (form, untouched.send("PUT", headers={"Authorization": header}, json=ITEM)) == (form, FORBIDDEN)


@pytest.mark.parametrize("scheme", ["Token", "token", "TOKEN", "tOkEn"])
def test_scheme_case_and_zone_are_ignored(visitor: Visitor, scheme: str) -> None:
    for zone in ("", "eu1-", "us1-", "ap1-"):
        header = f"{scheme} {zone}{visitor.token.rpartition('-')[2]}"
        assert visitor.send("PUT", headers={"Authorization": header}, json=ITEM) == REGISTERED


HASHIDS = ["f" * 32, "a" * 31, "a" * 33, "g" * 32, "%20" * 32, "{hashid}%20", "{hashid}0", "*", "%2A"]


@every_method
def test_bad_hashid_is_forbidden(untouched: Visitor, stack: Stack, database: Database, method: str) -> None:
    for form in (*HASHIDS, stack.second_shop.hashid):
        stranger = replace(untouched, hashid=form.format(hashid=untouched.hashid))
        assert (form, stranger.send(method, json=ITEM)) == (form, FORBIDDEN)
    assert replace(untouched, token=stack.second_shop.api_key).send(method, json=ITEM) == FORBIDDEN
    assert database.session(stack.second_shop.hashid, untouched.session) == {}


@every_method
def test_blocked_address_is_banned(untouched: Visitor, stack: Stack, method: str) -> None:
    headers = {"X-Forwarded-For": stack.blocked_address}
    assert untouched.send(method, headers=headers, json=ITEM) == BANNED


@every_method
def test_unlisted_origin_is_not_allowed(visitor: Visitor, stack: Stack, database: Database, method: str) -> None:
    second = stack.second_shop
    visitor = replace(visitor, hashid=second.hashid, token=second.api_key)
    assert visitor.send(method, headers={"Origin": "https://elsewhere.example"}, json=ITEM) == FOREIGN_ORIGIN
    assert database.session(second.hashid, visitor.session) == {}
    assert visitor.send(method, headers={"Origin": second.allowed_origin}, json=ITEM) == REGISTERED
    assert visitor.send(method, json=ITEM) == REGISTERED


def test_errors_come_in_the_contract_order(guarded: Guarded) -> None:
    visitor, origin = replace(guarded.visitor, session="s" * 33), {"Origin": "https://elsewhere.example"}
    blocked = {"X-Forwarded-For": "198.51.100.3", **origin}
    assert visitor.send("PUT", headers={"Authorization": "Token nothing", **blocked}, data=b"[]") == FORBIDDEN
    assert visitor.send("PUT", headers=blocked, data=b"[]") == BANNED
    assert visitor.send("PUT", headers=origin, data=b"[]") == FOREIGN_ORIGIN
    assert visitor.send("PUT", data=b"[]") == TOO_LONG
    assert guarded.visitor.send("PUT", data=b"[]") == INVALID_ITEM
