"""PUT, PATCH and DELETE /6/{hashid}/stats/cart/{session_id}, from the gateway's event to the table.

tests/unit/test_search_cart.py has every value of a parameter, and tests/store/test_sessions.py every event of an item.
"""

from itertools import combinations_with_replacement
from typing import Any

import pytest

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from tests.support.builders import SESSION, without
from tests.support.bundle import Answer, Bundle
from tools.support.events import DAY, HASHID, HOUR, NOW, altered, load

ITEM = {"id": "MUG-7", "index": "product", "title": "Enamel mug", "amount": 2, "price": 12.5}
EXPIRY = (NOW + DAY) // 1000
EVENTS = ["put", "put_query", "put_query_repeated", "put_base64_body", "put_percent_encoded_session",
         "put_other_case_headers", "put_null_headers"]  # fmt: skip


def send(bundle: Bundle, method: str, **changes: Any) -> Answer:
    return bundle.send("stats_cart", altered(load(f"stats_cart/{method}"), **changes))


def is_registered(answer: Answer) -> bool:
    return (answer.status, answer.body) == (200, {"status": "registered"})


@pytest.mark.parametrize("name", EVENTS)
def test_put_registers_the_item_in_one_call(bundle: Bundle, name: str) -> None:
    answer = bundle.send("stats_cart", load(f"stats_cart/{name}"))

    assert is_registered(answer)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bundle.database.calls == ["UpdateItem"]
    session = "besucher #1/ä*" if name == "put_percent_encoded_session" else SESSION
    key = keys.session_item(Session(HASHID, session), ItemKey("product", "MUG-7"))
    assert bundle.rows() == [
        {
            "pk": key.pk,
            "sk": key.sk,
            "id": "MUG-7",
            "index": "product",
            "title": "Émaille-Becher ☕" if name == "put_base64_body" else "Enamel mug",
            "amount": "2",
            "price": "12.5",
            "device": "desktop",
            "clicks": "1",
            "added_at": str(NOW),
            "updated_at": str(NOW),
            "expires_at": str(EXPIRY),
        }
    ]


@pytest.mark.parametrize("where", ["body", "query"])
def test_patch_subtracts_the_amount_in_one_call(bundle: Bundle, where: str) -> None:
    send(bundle, "put", body={**ITEM, "amount": 5})
    bundle.clock.forward(HOUR)

    change = {**without(ITEM, "title", "price"), "amount": 3}
    assert is_registered(send(bundle, "patch", **{"body": None, where: change}))

    assert bundle.database.calls == ["UpdateItem"]
    (row,) = bundle.rows()
    assert (row["amount"], row["clicks"], row["title"], row["price"]) == ("2", "1", "Enamel mug", "12.5")
    assert row["expires_at"] == str(EXPIRY + HOUR // 1000), "PATCH is an event of the item too"


@pytest.mark.parametrize("body", ["[]", None, "", "not json", '{"id": 1}'])
def test_delete_ignores_its_body_and_is_repeatable(bundle: Bundle, body: str | None) -> None:
    send(bundle, "put", body=ITEM)
    send(bundle, "put", body=ITEM, path={"session_id": "another"})

    assert is_registered(send(bundle, "delete", body=body))
    assert [row["pk"] for row in bundle.rows()] == [keys.session(Session(HASHID, "another"))]
    assert is_registered(send(bundle, "delete", body=body))


def test_delete_stops_in_time_and_continues(bundle: Bundle) -> None:
    send(bundle, "put", body=ITEM)
    bundle.seconds_left = 2.0
    stopped = send(bundle, "delete")
    bundle.seconds_left = 20.0

    assert (stopped.status, stopped.body) == (503, {"error": "temporarily unavailable"})
    assert stopped.headers["Retry-After"] == "1"
    assert is_registered(send(bundle, "delete"))
    assert bundle.rows() == []


TOO_LONG, INVALID = "session_id should have 32 characters or less", "Invalid cart item data"
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("403 forbidden", {"path": {"hashid": "f" * 32}}),
    ("403 banned ip", {"address": "203.0.113.9"}),
    ("403 origin not allowed", {"authorizer": {"allowed_origins": "https://a.example"}}),
    (f"400 {TOO_LONG}", {"path": {"session_id": "s" * 33}}),
    (f"400 {INVALID}", {"body": "[]"}),
    ('400 Following fields are missing: ["index"]', {"query": {"index": ""}}),
    (f"400 {INVALID}", {"query": {"amount": "0"}}),
]
"""Errors in the order of the contract, each with the change that causes it; DELETE has the first four."""


@pytest.mark.parametrize(("method", "errors"), [("put", WRONG), ("patch", WRONG), ("delete", WRONG[:4])])
def test_first_error_in_the_contract_order_wins(
    bundle: Bundle, method: str, errors: list[tuple[str, dict[str, Any]]]
) -> None:
    for (error, first), (_, second) in combinations_with_replacement(errors, 2):
        request: dict[str, Any] = {"body": None, "query": ITEM, "headers": {"Origin": "https://b.example"}}
        for part, value in [*second.items(), *first.items()]:
            request[part] = {**request.get(part, {}), **value} if isinstance(value, dict) else value
        answer = send(bundle, method, **request)
        assert f"{answer.status} {answer.body['error']}" == error, (first, second)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert bundle.database.calls == []
