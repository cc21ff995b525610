"""The metrics and logs of the functions, and what neither may contain."""

import base64
from typing import Any

import pytest

from serverless_cart.auth import digest
from serverless_cart.dynamodb.orders import new_order_writes
from tests.support.builders import OWNER, SESSION, order
from tests.support.bundle import TABLE, Bundle
from tools.support.events import NOW, VARIANTS, altered, load
from tools.support.paths import EVENTS

FIXTURES = sorted({*VARIANTS, *(f"{file.parent.name}/{file.stem}" for file in EVENTS.glob("*/*.json"))})


def run(bundle: Bundle, name: str) -> None:
    function = name.partition("/")[0]
    if function in ("cart", "cart_items"):
        bundle.send("cart_items", load("cart_items/post"))
    if function in ("authorizer", "release_holds", "statistics_roll_up"):
        bundle.invoke(function, load(name))
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


def test_write_that_another_request_refuses_is_a_conflict(shop: Bundle) -> None:
    add = load("cart_items/post")
    other = altered(load("cart/patch"), body={"address": 4})
    tag = shop.send("cart_items", add).headers["ETag"]

    def change(operation: str) -> None:
        if operation == "UpdateItem":
            shop.database.before = None
            shop.send("cart", other)

    shop.database.before = change
    shop.send("cart_items", altered(add, headers={"If-Match": tag}))

    (counted,) = metrics(shop, "Conflicts")
    assert (counted["value"], counted["service"]) == ([1.0], "cart_items")


def test_delay_of_holds_is_measured_in_every_run(shop: Bundle) -> None:
    made = order(created_at=NOW)
    writes: list[Any] = [{kind: {"TableName": TABLE, **it}} for kind, it in new_order_writes(made, 10)]
    shop.client.transact_write_items(TransactItems=writes)
    assert made.reserved_until
    shop.seconds_left = 55.0
    shop.clock.now = made.reserved_until + 150_000

    for event in (load("release_holds/schedule"), load("release_holds/schedule"), {"source": "cartctl.doctor"}):
        shop.invoke("release_holds", event)

    assert [line["value"] for line in metrics(shop, "HoldDelay")] == [[150.0], [0.0]], "and not by the doctor"


@pytest.mark.parametrize(
    ("event", "changes", "reason"),
    [
        ("stats_cart/put", {"body": {"id": "1"}}, "Following fields are missing"),
        ("cart_items/post", {"body": {"product": 404}}, "invalid product"),
        ("cart/patch", {"headers": {"If-Match": '"1-0"'}}, "cart has changed"),
    ],
)
def test_refusals_are_counted_by_reason(shop: Bundle, event: str, changes: dict[str, Any], reason: str) -> None:
    function = event.partition("/")[0]
    shop.send(function, altered(load(event), **changes))

    assert metrics(shop, "Refusals") == [{"value": [1.0], "service": function, "reason": reason}]
    assert metrics(shop, "AddedItems") == metrics(shop, "RegisteredEvents") == metrics(shop, "Faults") == []
