"""The events in events/, as API Gateway sends them: loading them, changing parts of them, and the values they have."""

import copy
import json
from typing import Any, Final

from tools.support.paths import EVENTS

HASHID: Final = "d8fdeab7fce96a19d3fc7b0ca7a1e98b"
SHOP: Final = "demo"
NOW: Final = 1_763_728_496_789
"""Milliseconds: Friday 2025-11-21T12:34:56.789Z, the moment of the events."""

SECOND: Final = 1000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR

Event = dict[str, Any]


def load(name: str) -> Event:
    """Load an event of events/, ``stats_cart/patch`` for example."""
    event: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def altered(event: Event, **changes: Any) -> Event:
    """Return a copy of a proxy event with some of its parts changed.

    ``body`` is written as JSON unless it is text already; ``query``, ``headers`` and ``path`` give names their values
    (``path`` of the path parameters); ``authorizer`` joins the context's values, ``None`` removes the context;
    ``address`` is the client's; ``method`` the request's.
    """
    event = copy.deepcopy(event)
    context = event["requestContext"]
    for name, value in changes.items():
        match name:
            case "body":
                event |= {"body": value if value is None or isinstance(value, str) else json.dumps(value)}
                event |= {"isBase64Encoded": False}
            case "query":
                event["multiValueQueryStringParameters"] = {key: [str(text)] for key, text in value.items()} or None
                event["queryStringParameters"] = {key: str(text) for key, text in value.items()} or None
            case "headers":
                event["headers"] = {**(event["headers"] or {}), **value}
                event["multiValueHeaders"] = {key: [text] for key, text in event["headers"].items()}
            case "path":
                event["pathParameters"] = {**event["pathParameters"], **value}
            case "authorizer":
                context["authorizer"] = None if value is None else {**context["authorizer"], **value}
            case "address":
                context["identity"]["sourceIp"] = value
            case "method":
                event["httpMethod"] = context["httpMethod"] = value
            case _:
                raise AssertionError(name)
    return event
