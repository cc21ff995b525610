"""Search API: every error of the contract over HTTP; a refused request registers nothing.

tests/integration/test_stats_cart.py has the order of the checks on every method, tests/unit/test_search_cart.py every
value, test_isolation.py every credential, and test_gateway.py malformed ones.
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.shopper import BANNED, FORBIDDEN, FOREIGN_ORIGIN, INVALID_ITEM, REGISTERED, Guarded
from tools.support.clients import TITLE, Reply, Visitor

ITEM = {"id": "42", "index": "product", "title": TITLE}
TOO_LONG = Reply(400, {"error": "session_id should have 32 characters or less"})
MISSING = Reply(400, {"error": 'Following fields are missing: ["id", "index"]'})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("character", ["%20", "%F0%9F%9B%92"], ids=["space", "emoji"])
def test_session_id_is_measured_decoded(visitor: Visitor, method: str, character: str) -> None:
    assert replace(visitor, session=character * 33).send(method, json=ITEM) == TOO_LONG
    assert replace(visitor, session=character * 32).send(method, json=ITEM) == REGISTERED


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ({"params": ITEM, "data": b"\xff\xfe"}, INVALID_ITEM),
        ({"json": {"id": None, "index": "", "title": "x"}}, MISSING),
        ({"params": {"id": "", "title": "x"}}, MISSING),
        ({"params": {**ITEM, "amount": "x"}}, INVALID_ITEM),
    ],
    ids=["no UTF-8", "missing", "missing in query", "field in query"],
)
def test_bad_request_is_refused(untouched: Visitor, method: str, request_: dict[str, Any], reply: Reply) -> None:
    assert untouched.send(method, **request_) == reply


def test_scheme_case_and_zone_are_ignored(visitor: Visitor) -> None:
    for start in ("Token ", "token eu1-", "TOKEN us1-", "tOkEn ap1-"):
        header = start + visitor.token.rpartition("-")[2]
        assert visitor.send("PUT", headers={"Authorization": header}, json=ITEM) == REGISTERED


def test_errors_come_in_the_contract_order(guarded: Guarded) -> None:
    visitor, origin = replace(guarded.visitor, session="s" * 33), {"Origin": "https://elsewhere.example"}
    blocked = {"X-Forwarded-For": "198.51.100.3", **origin}
    assert visitor.send("PUT", headers={"Authorization": "Token nothing", **blocked}, data=b"[]") == FORBIDDEN
    assert visitor.send("PUT", headers=blocked, data=b"[]") == BANNED
    assert visitor.send("PUT", headers=origin, data=b"[]") == FOREIGN_ORIGIN
    assert visitor.send("PUT", data=b"[]") == TOO_LONG
    assert guarded.visitor.send("PUT", data=b"[]") == INVALID_ITEM
    assert guarded.visitor.send("PUT", headers={"Origin": "https://guarded.example"}, json=ITEM) == REGISTERED
