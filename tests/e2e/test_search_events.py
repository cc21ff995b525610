"""Search API: the events of a session over HTTP, by PUT and by GET, with every error of the contract.

tests/unit/test_search_events.py has every value of a parameter.
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.shopper import BANNED, FORBIDDEN, FOREIGN_ORIGIN, REGISTERED, Guarded
from tools.support.clients import Reply, Visitor, sensitive, unique
from tools.support.database import Database

MD5 = "E19347E1C3CA0C0B97DE5FB3B690855A"
MOBILE = {"Sec-CH-UA-Mobile": "?1"}
EVENTS = {"init": "INIT", "click": "CLICK", "image": "IMAGE", "redirect": "REDIRECT", "checkout": "CHECKOUT"}
"""The kind of each event in the table."""
every_event = pytest.mark.parametrize("event", EVENTS)
every_method = pytest.mark.parametrize("method", ["PUT", "GET"])


def sent(visitor: Visitor, **more: object) -> dict[str, Any]:
    """Return parameters that every event accepts; each ignores those of the others."""
    dfid = f"{visitor.hashid.upper()}@product@{MD5}"
    return {"session_id": visitor.session, "id": "27", "dfid": dfid, "random": "0.1", **more}


@every_event
@every_method
@pytest.mark.parametrize("where", ["json", "params"])
def test_event_is_registered(*, visitor: Visitor, database: Database, event: str, method: str, where: str) -> None:
    texts = {"user_id": sensitive(unique("visitor")[:36]), "query": sensitive(unique("marzipan mousetrap"))}

    assert visitor.event(event, method, headers=MOBILE, **{where: sent(visitor, **texts)}) == REGISTERED

    ((kind, stored),) = database.events(visitor.hashid, visitor.session).items()
    assert (kind, stored["device"]) == (EVENTS[event], "mobile")
    assert stored.get("user", texts["user_id"]) == texts["user_id"]
    assert stored.get("query", texts["query"]) == texts["query"]


def test_each_request_is_an_event(visitor: Visitor, database: Database) -> None:
    for _ in range(3):
        assert visitor.event("image", json=sent(visitor)) == REGISTERED

    assert database.count_events(visitor.hashid, visitor.session) == 3


@every_method
def test_checkout_sells_the_cart_once(visitor: Visitor, database: Database, method: str) -> None:
    visitor.put("41")
    visitor.put("42", amount=5)
    for _ in range(2):
        assert visitor.event("checkout", method, params=sent(visitor)) == REGISTERED
        assert database.session(visitor.hashid, visitor.session) == {}
        assert database.events(visitor.hashid, visitor.session)["CHECKOUT"]["count"] == "1"

    visitor.put("42")
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == 1
    assert visitor.event("checkout", method, params=sent(visitor)) == REGISTERED
    assert database.events(visitor.hashid, visitor.session)["CHECKOUT"]["count"] == "2"


def error(text: str) -> Reply:
    return Reply(400, {"error": text})


SESSION_TOO_LONG = error("session_id should have 32 characters or less")
WRONG = [
    ("init", {"session_id": ""}, error("[session_id] fields are missing")),
    ("init", {"session_id": "é" * 33}, SESSION_TOO_LONG),
    ("init", {"user_id": "u" * 37}, error("invalid_user_id")),
    ("click", {"session_id": "", "dfid": ""}, error("[dfid, session_id] fields are missing")),
    ("click", {"dfid": ""}, error("[dfid] fields are missing")),
    ("click", {"session_id": "s" * 33}, SESSION_TOO_LONG),
    ("click", {"dfid": "x"}, error("Bad request, dfid is invalid")),
    ("click", {"dfid": f"{'e' * 32}@i@{MD5}"}, error("Item hashid must be the same as search engine hashid")),
    ("click", {"position": "0"}, error("Bad request")),
    ("image", {"session_id": "", "id": ""}, error("[id, session_id] fields are missing")),
    ("image", {"id": "x"}, error("Invalid redirect id")),
    ("image", {"query": "q" * 201}, error("Bad request")),
    ("redirect", {"session_id": "", "id": ""}, error("[session_id, id] fields are missing")),
    ("redirect", {"id": "1.5"}, error("Invalid redirect id")),
    ("redirect", {"session_id": "s" * 33}, error("Bad request")),
    ("checkout", {"session_id": ""}, error("[session_id] fields are missing")),
    ("checkout", {"session_id": "s" * 33}, SESSION_TOO_LONG),
    ("checkout", {"user_id": "u" * 37}, error("invalid_user_id")),
    ("checkout", {"sources": ["s"] * 11}, error("Bad request")),
]


@pytest.mark.parametrize(("event", "fields", "reply"), WRONG)
@every_method
@pytest.mark.parametrize("where", ["json", "params"])
def test_wrong_event_is_refused(
    *, visitor: Visitor, database: Database, event: str, fields: dict[str, Any], reply: Reply, method: str, where: str
) -> None:
    assert visitor.event(event, method, **{where: sent(visitor, **fields)}) == reply
    assert database.events(visitor.hashid, visitor.session) == {}


@every_event
def test_errors_come_in_the_contract_order(guarded: Guarded, event: str) -> None:
    visitor, origin = guarded.visitor, {"Origin": "https://elsewhere.example"}
    blocked = {"X-Forwarded-For": "198.51.100.3", **origin}
    other = replace(visitor, hashid="f" * 32)
    assert visitor.event(event, headers={"Authorization": "Token nothing", **blocked}, data=b"[]") == FORBIDDEN
    assert other.event(event, headers=blocked, data=b"[]") == FORBIDDEN
    assert visitor.event(event, headers=blocked, data=b"[]") == BANNED
    assert visitor.event(event, headers=origin, data=b"[]") == FOREIGN_ORIGIN
    assert visitor.event(event, data=b"[]") == error("Bad request")
    assert visitor.event(event, params=sent(visitor), data=b"\xff\xfe") == error("Bad request")


@every_event
def test_suffix_of_the_hashid_is_ignored(visitor: Visitor, database: Database, event: str) -> None:
    assert replace(visitor, hashid=f"{visitor.hashid}-es").event(event, json=sent(visitor)) == REGISTERED
    assert EVENTS[event] in database.events(visitor.hashid, visitor.session)


@every_event
def test_page_may_send_a_get_with_a_key(visitor: Visitor, event: str) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    answer = visitor.http.raw(
        "OPTIONS", f"/6/{visitor.hashid}/stats/{event}", headers={"Origin": "https://shop.example", **asked}
    )

    assert answer.status_code in {200, 204}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
