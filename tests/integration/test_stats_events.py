"""PUT and GET /6/{hashid}/stats/…, from the gateway's event to the table.

tests/unit/test_search_events.py has every value of a parameter, and tests/store/test_search_events.py every event.
"""

from typing import Any

import pytest

from serverless_cart.domain.session import Session
from serverless_cart.dynamodb import keys
from tests.support.builders import SESSION
from tests.support.bundle import Answer, Bundle
from tools.support.events import DAY, HASHID, NOW, altered, load

VISITOR, QUERY, DFID = "visitor-7", "mug", f"{HASHID}@product@e19347e1c3ca0c0b97de5fb3b690855a"
PK = keys.session(Session(HASHID, SESSION))
REQUEST_ID = load("stats_events/init")["requestContext"]["requestId"]
CLICK = {"index": "product", "md5": DFID[-32:], "query": QUERY, "position": "3"}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "init": ("INIT", {"user": VISITOR}),
    "click": (f"CLICK#{REQUEST_ID}", CLICK),
    "click_get": (f"CLICK#{REQUEST_ID}", CLICK | {"device": "mobile"}),
    "image": (f"IMAGE#{REQUEST_ID}", {"id": "27", "query": QUERY}),
    "redirect": (f"REDIRECT#{REQUEST_ID}", {"id": "27", "query": QUERY}),
    "checkout": ("CHECKOUT", {"user": VISITOR, "count": "1"}),
}
"""Each event's sort key and attributes beside those of all."""


def send(bundle: Bundle, event: str, **changes: Any) -> Answer:
    return bundle.send("stats_events", altered(load(f"stats_events/{event}"), **changes))


@pytest.mark.parametrize("event", ROWS)
def test_event_is_one_item(bundle: Bundle, event: str) -> None:
    answer = send(bundle, event)

    assert (answer.status, answer.body) == (200, {"status": "registered"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bundle.database.calls == ["Query"] * (event == "checkout") + ["PutItem"]
    sk, attributes = ROWS[event]
    expected = {"at": str(NOW), "device": "desktop", "expires_at": str((NOW + DAY) // 1000), **attributes}
    assert bundle.rows() == [{"pk": PK, "sk": sk, **expected}]
    assert send(bundle, event).status == 200
    assert len(bundle.rows()) == 1


@pytest.mark.parametrize("event", [event for event in ROWS if event != "click_get"])
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_both_methods_take_both_forms(bundle: Bundle, event: str, method: str) -> None:
    body = {"session_id": SESSION, "id": 7, "dfid": DFID}

    assert send(bundle, event, method=method, body=body).status == 200
    assert send(bundle, event, method=method, body=None, query=body).status == 200


def test_checkout_sells_the_cart(bundle: Bundle) -> None:
    bundle.send("stats_cart", load("stats_cart/put"))

    assert send(bundle, "checkout").status == 200

    assert bundle.database.calls == ["Query", "TransactWriteItems"]
    cart, checkout = sorted(bundle.rows(), key=lambda row: str(row["sk"]))
    assert (cart["sold_at"], cart["amount"], checkout["count"]) == (str(NOW), "2", "1")


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("403 forbidden", {"path": {"hashid": "f" * 32}}),
    ("403 banned ip", {"address": "203.0.113.9"}),
    ("403 origin not allowed", {"authorizer": {"allowed_origins": "https://a.example"}}),
    ("400 Bad request", {"body": "[]"}),
]
"""Errors in the order of the contract, each with the change that causes it."""


@pytest.mark.parametrize("event", ROWS)
@pytest.mark.parametrize("first", range(len(WRONG)))
def test_first_error_in_the_contract_order_wins(bundle: Bundle, event: str, first: int) -> None:
    changes = {"headers": {"Origin": "https://b.example"}}
    for _, change in WRONG[first:]:
        changes |= change
    answer = send(bundle, event, **changes)

    assert f"{answer.status} {answer.body['error']}" == WRONG[first][0]
    assert bundle.database.calls == []


@pytest.mark.parametrize("event", ROWS)
def test_log_has_no_user_and_no_query(bundle: Bundle, event: str) -> None:
    secrets = {"user_id": "secret-user", "query": "secret-query", "session_id": "secret-session"}
    body = {**secrets, "id": 7, "dfid": DFID}
    for change in ({"body": body}, {"body": None, "query": body}, {"body": {**body, "user_id": "secret-user" * 9}}):
        send(bundle, event, **change)

    assert '"RegisteredEvents":' in bundle.logged()
    assert "secret" not in bundle.logged()
    assert DFID not in bundle.logged()
