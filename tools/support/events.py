"""The events in events/, as API Gateway sends them: loading them, changing parts of them, and the values they have."""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any, Final

from tools.support.paths import EVENTS

HASHID: Final = "d8fdeab7fce96a19d3fc7b0ca7a1e98b"
SHOP: Final = "demo"
NOW: Final = 1_763_728_496_789
"""Milliseconds: Friday 2025-11-21T12:34:56.789Z, the moment of the events."""

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Event = dict[str, Any]

_STAGE: Final = "arn:aws:execute-api:eu-west-1:123456789012"
_NOTES: Final = "Bitte gut einpacken \u2013 für Zoë 🎁"
_BROWSER: Final = {"Origin": "https://shop.example"}
_ONCE: Final = {"Idempotency-Key": "order-form-42"}
_ONCE_ON_VERSION: Final = {"Idempotency-Key": "7d1f6c1e-4f0b", "If-Match": '"0-5c1f2e3d4b5a6978"'}
_MUG: Final = {"id": "MUG-7", "index": "product", "title": "Enamel mug", "amount": 2, "price": 12.5}


def _binary(**body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


VARIANTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "authorizer/customer_token": (
        "authorizer/token",
        {"token": f"Token {'1' * 40}", "arn": f"{_STAGE}:f6g7h8i9j0/live/POST/api/shop/cart/items"},
    ),
    "authorizer/lower_case_scheme": (
        "authorizer/token",
        {"token": f"token {'1' * 40}", "arn": f"{_STAGE}:f6g7h8i9j0/live/POST/api/shop/cart/items/"},
    ),
    "authorizer/management_key": (
        "authorizer/token",
        {
            "token": f"Token {'3' * 40}",
            "arn": f"{_STAGE}:m7n8o9p0q1/live/POST/api/v2/customers/customer-1/tokens",
        },
    ),
    "authorizer/unknown_key": ("authorizer/token", {"token": f"Token {'f' * 40}"}),
    "stats_cart/put_base64_body": (
        "stats_cart/put",
        {
            "headers": {"Content-Type": "application/octet-stream"},
            "body": _binary(**_MUG | {"title": "Émaille-Becher ☕"}),
        },
    ),
    "stats_cart/put_null_headers": ("stats_cart/put", {"headers": None}),
    "stats_cart/put_other_case_headers": ("stats_cart/put", {"headers": _BROWSER, "header_names": str.lower}),
    "stats_cart/put_percent_encoded_session": (
        "stats_cart/put",
        {"path": {"session_id": "besucher%20%231%2F%C3%A4%2A"}},
    ),
    "stats_cart/put_query": ("stats_cart/put", {"body": None, "query": _MUG}),
    "stats_cart/put_query_repeated": (
        "stats_cart/put",
        {
            "headers": _BROWSER,
            "body": None,
            "query": _MUG
            | {"id": ["MUG-6", "MUG-7"], "title": ["Tin mug", "Enamel mug"], "amount": [9, 2]}
            | {"random": 0.8414709848, "hashid": HASHID, "session_id": "4affa6a1c5b94b3a"},
        },
    ),
    "cart/delete_null_headers": ("cart/delete", {"headers": None}),
    "cart/delete_once": ("cart/delete", {"headers": _ONCE}),
    "cart/delete_trailing_slash": ("cart/delete", {"slash": True}),
    "cart/get_if_none_match": ("cart/get", {"headers": {"If-None-Match": '"0-b289bfd854998662"'}}),
    "cart/get_null_headers": ("cart/get", {"headers": None}),
    "cart/get_other_case_headers": ("cart/get", {"headers": {"If-None-Match": "*"}, "header_names": str.upper}),
    "cart/get_trailing_slash": ("cart/get", {"slash": True}),
    "cart/patch_absent_body": ("cart/patch", {"body": None}),
    "cart/patch_base64_body": ("cart/patch", {"body": _binary(shipping_method=3)}),
    "cart/patch_clears": ("cart/patch", {"body": {"address": None, "payment_method": 8}}),
    "cart/patch_null_headers": ("cart/patch", {"headers": None, "body": {"address": 41}}),
    "cart/patch_once_on_version": ("cart/patch", {"headers": _ONCE_ON_VERSION}),
    "cart/patch_trailing_slash": ("cart/patch", {"slash": True, "body": {"address": 41}}),
    "cart_items/delete_id_no_integer": ("cart_items/delete", {"path": {"id": "-1"}}),
    "cart_items/delete_null_headers": ("cart_items/delete", {"headers": None}),
    "cart_items/delete_once": ("cart_items/delete", {"headers": _ONCE}),
    "cart_items/delete_trailing_slash": ("cart_items/delete", {"slash": True}),
    "cart_items/patch_absent_body": ("cart_items/patch", {"body": None}),
    "cart_items/patch_base64_body": ("cart_items/patch", {"body": _binary(notes=_NOTES)}),
    "cart_items/patch_both": ("cart_items/patch", {"body": {"quantity": 5, "notes": "Please pack carefully"}}),
    "cart_items/patch_id_no_integer": ("cart_items/patch", {"path": {"id": "first%20item%2F%C3%A4"}}),
    "cart_items/patch_notes": ("cart_items/patch", {"body": {"notes": "Please pack carefully"}}),
    "cart_items/patch_null_headers": ("cart_items/patch", {"headers": None}),
    "cart_items/patch_other_case_headers": ("cart_items/patch", {"headers": _ONCE, "header_names": str.upper}),
    "cart_items/patch_percent_encoded_id": ("cart_items/patch", {"path": {"id": "%36%38%377149277336005"}}),
    "cart_items/patch_trailing_slash": ("cart_items/patch", {"slash": True}),
    "cart_items/post_absent_body": ("cart_items/post", {"body": None}),
    "cart_items/post_base64_body": ("cart_items/post", {"body": _binary(product=123, quantity=2, notes=_NOTES)}),
    "cart_items/post_null_headers": ("cart_items/post", {"headers": None}),
    "cart_items/post_once_on_version": ("cart_items/post", {"headers": _ONCE_ON_VERSION}),
    "cart_items/post_other_case_headers": ("cart_items/post", {"headers": _ONCE, "header_names": str.upper}),
    "cart_items/post_trailing_slash": ("cart_items/post", {"slash": True, "body": {"product": 123}}),
}
"""Spellings of a route's request: the fixture and what `altered` changes."""


def load(name: str) -> Event:
    """Load an event of events/, ``stats_cart/patch`` for example, or one of its `VARIANTS`."""
    fixture, changes = VARIANTS.get(name, (name, {}))
    event: Event = json.loads((EVENTS / f"{fixture}.json").read_text())
    return altered(event, **changes)


def altered(event: Event, **changes: Any) -> Event:
    """Return a copy of an event with some of its parts changed, in the order of the arguments.

    Of a request: ``body`` (text; bytes, which the gateway encodes in base 64; another value as JSON; None for none),
    ``query`` (names with a value or a list of values), ``headers`` (added to those there; None for no headers),
    ``header_names`` (a function that spells them), ``path`` (values of path parameters, percent-encoded), ``slash``
    (True for a trailing one), ``method``, ``address`` (the client's) and ``authorizer`` (added to the context's values;
    None for no context). Of the authorizer's event: ``token`` (the whole header) and ``arn`` (of the method).
    """
    event = copy.deepcopy(event)
    for name, value in changes.items():
        _CHANGE[name](event, value)
    return event


def _body(event: Event, value: Any) -> None:
    event["isBase64Encoded"] = isinstance(value, bytes)
    if isinstance(value, bytes):
        event["body"] = base64.b64encode(value).decode()
    else:
        event["body"] = value if value is None or isinstance(value, str) else json.dumps(value)
    if value is None and event["headers"]:
        _set_headers(event, {name: text for name, text in event["headers"].items() if name.lower() != "content-type"})


def _query(event: Event, value: dict[str, Any]) -> None:
    texts = {name: [str(one) for one in (it if isinstance(it, list) else [it])] for name, it in value.items()}
    event["multiValueQueryStringParameters"] = texts or None
    event["queryStringParameters"] = {name: them[-1] for name, them in texts.items()} or None


def _set_headers(event: Event, value: dict[str, str] | None) -> None:
    event["headers"] = value
    event["multiValueHeaders"] = None if value is None else {name: [text] for name, text in value.items()}


def _headers(event: Event, value: dict[str, str] | None) -> None:
    _set_headers(event, None if value is None else {**(event["headers"] or {}), **value})
    if value is None:
        event["requestContext"]["identity"]["userAgent"] = None


def _set_path(event: Event, path: str) -> None:
    event["path"] = path
    event["requestContext"]["path"] = f"/{event['requestContext']['stage']}{path}"


def _path(event: Event, value: dict[str, str]) -> None:
    event["pathParameters"] = {**event["pathParameters"], **value}
    _set_path(event, event["resource"].format(**event["pathParameters"]))


def _authorizer(event: Event, value: dict[str, str] | None) -> None:
    context = event["requestContext"]
    context["authorizer"] = None if value is None else {**context["authorizer"], **value}


def _method(event: Event, value: str) -> None:
    event["httpMethod"] = event["requestContext"]["httpMethod"] = value


_CHANGE: Final[dict[str, Callable[[Event, Any], None]]] = {
    "body": _body,
    "query": _query,
    "headers": _headers,
    "header_names": lambda event, spell: _set_headers(event, {spell(k): v for k, v in event["headers"].items()}),
    "path": _path,
    "slash": lambda event, value: _set_path(event, event["path"].rstrip("/") + "/" * value),
    "method": _method,
    "address": lambda event, value: event["requestContext"]["identity"].update(sourceIp=value),
    "authorizer": _authorizer,
    "token": lambda event, value: event.update(authorizationToken=value),
    "arn": lambda event, value: event.update(methodArn=value),
}
