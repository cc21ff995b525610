"""The metrics and logs of the functions, and what neither may contain."""

import base64
from typing import Any

import pytest

from serverless_cart.auth import digest
from tests.support.builders import OWNER, SESSION
from tests.support.bundle import Bundle
from tools.support.events import VARIANTS, altered, load
from tools.support.paths import EVENTS

FIXTURES = sorted({*VARIANTS, *(f"{file.parent.name}/{file.stem}" for file in EVENTS.glob("*/*.json"))})


def run(bundle: Bundle, name: str) -> None:
    function = name.partition("/")[0]
    if function in ("cart", "cart_items"):
        bundle.send("cart_items", load("cart_items/post"))
    if function == "authorizer":
        bundle.authorize(load(name))
    else:
        bundle.send(function, load(name))


def metrics(bundle: Bundle, name: str) -> list[dict[str, Any]]:
    """Return the lines in the embedded metric format that carry this metric, dimensions included."""
    found = []
    for line in bundle.log_lines():
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Namespace"] == "ServerlessCart"
            if name in {metric["Name"] for metric in directive["Metrics"]}:
                dimensions = directive["Dimensions"][-1]
                found.append({"value": line[name], **{key: line[key] for key in dimensions}})
    return found


@pytest.mark.parametrize("name", FIXTURES)
def test_log_has_no_key_body_note_or_customer(shop: Bundle, name: str) -> None:
    event = load(name)
    run(shop, name)

    assert shop.log_lines()
    keys = ["0" * 40, "1" * 40, "f" * 40]
    body = event.get("body") or "no body"
    notes = ["Please pack carefully", "Bitte gut einpacken", "Zoë", "Enamel", "Tin mug", "Becher", "MUG-"]
    secrets = [*keys, *map(digest, keys), body, *notes, OWNER.customer, SESSION, "besucher"]
    secrets += [event.get("authorizationToken", "no token"), "order-form-42", "7d1f6c1e-4f0b"]
    if event.get("isBase64Encoded"):
        secrets.append(base64.b64decode(body).decode())
    assert [secret for secret in secrets if secret in shop.logged()] == []


@pytest.mark.parametrize(
    ("function", "method", "event"),
    [
        ("stats_cart", "sessions.add", "put"),
        ("cart_items", "carts.add", "post"),
        ("cart", "carts.read", "get"),
        ("cart_items", "carts.remove", "delete"),
    ],
)
def test_fault_is_logged_without_its_text(
    shop: Bundle, function: str, method: str, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        message = "TOP-SECRET text of table, arn:aws:dynamodb:eu-west-1 and customer-1"
        raise KeyError(message)

    service, _, name = method.partition(".")
    monkeypatch.setattr(getattr(shop.apps[function], service), name, fail)

    answer = shop.send(function, load(f"{function}/{event}"))

    assert (answer.status, answer.body) == (500, {"error": "internal server error"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    fault, answered = (
        next(line for line in shop.log_lines() if line.get("message") == message) for message in ("fault", "answered")
    )
    assert (fault["level"], fault["fault"]) == ("ERROR", "KeyError")
    assert fault["frames"][-1].endswith(" fail")
    assert (answered["status"], answered["reason"]) == (500, answer.body["error"])
    assert "TOP-SECRET" not in shop.logged() + answer.text
    assert metrics(shop, "Faults") == [{"value": [1.0], "service": function}]


def test_log_line_has_request_id_status_and_calls(shop: Bundle) -> None:
    shop.send("cart_items", load("cart_items/post"))
    shop.send("stats_cart", altered(load("stats_cart/put"), body={}))

    lines = [line for line in shop.log_lines() if line.get("message") == "answered"]
    for line, function, method, status, calls, event in (
        (lines[0], "cart_items", "POST", 200, 2, "cart_items/post"),
        (lines[1], "stats_cart", "PUT", 400, 0, "stats_cart/put"),
    ):
        assert (line["service"], line["method"], line["status"]) == (function, method, status)
        assert line["database_calls"] == calls
        assert line["correlation_id"] == load(event)["requestContext"]["requestId"]
        assert line["function_request_id"] == "c0ffee00-0000-4000-8000-000000000000"
    assert (lines[0].get("reason"), lines[1]["reason"]) == (None, "Following fields are missing")


def test_replays_are_not_counted(shop: Bundle) -> None:
    for name in ("put", "patch", "delete"):
        shop.send("stats_cart", load(f"stats_cart/{name}"))
    for _ in range(2):
        shop.send("cart_items", load("cart_items/post_other_case_headers"))

    assert metrics(shop, "RegisteredEvents") == [{"value": [1.0], "service": "stats_cart"}] * 3
    assert metrics(shop, "AddedItems") == [{"value": [1.0], "service": "cart_items"}]
    assert len(metrics(shop, "Requests")) == 5


def test_latency_of_each_database_call_is_measured(shop: Bundle) -> None:
    shop.send("cart_items", load("cart_items/post"))
    shop.authorize(load("authorizer/customer_token"))

    in_function, in_authorizer = metrics(shop, "DatabaseLatency")
    for measured, service in ((in_function, "cart_items"), (in_authorizer, "authorizer")):
        assert measured["service"] == service
        assert len(measured["value"]) == 2
        assert all(0 < milliseconds < 10_000 for milliseconds in measured["value"])


@pytest.mark.parametrize(
    ("event", "changes", "reason"),
    [
        ("stats_cart/put", {"authorizer": None}, "forbidden"),
        ("stats_cart/put", {"address": "203.0.113.1"}, "banned ip"),
        ("stats_cart/put", {"body": {"id": "1"}}, "Following fields are missing"),
        ("stats_cart/put", {"body": "[1]"}, "Invalid cart item data"),
        ("cart_items/post", {"authorizer": None}, "authentication required"),
        ("cart_items/post", {"body": {"product": "2"}}, "validation error"),
        ("cart_items/post", {"body": {"product": 404}}, "invalid product"),
        ("cart_items/post", {"body": {"product": 123, "quantity": 51}}, "insufficient stock"),
        ("cart/patch", {"body": {"address": -1}}, "validation error"),
        ("cart/patch", {"headers": {"If-Match": '"1-0"'}}, "cart has changed"),
        ("cart_items/patch", {}, "item not found"),
    ],
)
def test_refusals_are_counted_by_reason(shop: Bundle, event: str, changes: dict[str, Any], reason: str) -> None:
    function = event.partition("/")[0]
    shop.send(function, altered(load(event), **changes))

    assert metrics(shop, "Refusals") == [{"value": [1.0], "service": function, "reason": reason}]
    assert metrics(shop, "AddedItems") == metrics(shop, "RegisteredEvents") == metrics(shop, "Faults") == []
