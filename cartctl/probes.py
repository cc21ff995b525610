"""The events with which `cartctl doctor` invokes each function once.

They have no valid key, or no record of the stream, so they change nothing.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

Event = dict[str, Any]


class Probe(NamedTuple):
    """The invocation of a function, and the answer that it must give: a refusal, or that there is nothing to do."""

    log: str
    """The end of the name of the function's log group."""
    event: Callable[[], Event]
    refusal: Callable[[Any], object]
    """The part of an answer that is compared with ``expected``."""
    expected: object


def _request(method: str, resource: str) -> Event:
    """Return a request as API Gateway passes it on, but without a principal."""
    return {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "cartctl-doctor",
            "httpMethod": method,
            "resourcePath": resource,
            "stage": "live",
            "authorizer": {},
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": None,
        "isBase64Encoded": False,
    }


def _unknown_token() -> Event:
    """Return the authorizer's event for a well-formed token that was never issued."""
    return {
        "type": "TOKEN",
        "authorizationToken": f"Token {secrets.token_hex(20)}",
        "methodArn": "arn:aws:execute-api:us-east-1:123456789012:doctor/live/GET/api/shop/cart",
    }


def _status_and_body(answer: Any) -> object:  # noqa: ANN401 - JSON
    return answer["statusCode"], json.loads(answer["body"])


def _effects(answer: Any) -> object:  # noqa: ANN401 - JSON
    return [statement["Effect"] for statement in answer["policyDocument"]["Statement"]]


def _api(log: str, method: str, resource: str, status: int, error: object) -> Probe:
    return Probe(log, lambda: _request(method, resource), _status_and_body, (status, {"error": error}))


NOT_AUTHENTICATED: Final = {"code": "not_authenticated", "message": "Authentication required"}
"""The error of the Management API for a request without a valid key."""
_NOTHING_TO_COUNT: Final[dict[str, object]] = {"state": {}, "batchItemFailures": []}
PROBES: Final[Mapping[str, Probe]] = {
    "AuthorizerFunction": Probe("authorizer", _unknown_token, _effects, ["Deny"]),
    "StatsCartFunction": _api("stats-cart", "PUT", "/6/{hashid}/stats/cart/{session_id}", 403, "forbidden"),
    "StatsEventsFunction": _api("stats-events", "PUT", "/6/{hashid}/stats/init", 403, "forbidden"),
    "CartFunction": _api("cart", "GET", "/api/shop/cart", 401, "authentication required"),
    "CartItemsFunction": _api("cart-items", "POST", "/api/shop/cart/items", 401, "authentication required"),
    "CartMergeFunction": _api("cart-merge", "POST", "/api/shop/cart/merge", 401, "authentication required"),
    "CheckoutFunction": _api("checkout", "POST", "/api/shop/checkout/cart", 401, "authentication required"),
    "GuestsFunction": _api("guests", "POST", "/api/shop/guests", 401, "authentication required"),
    "MethodsFunction": _api("methods", "GET", "/api/shop/shipping/methods", 401, "authentication required"),
    "OrdersFunction": _api("orders", "GET", "/api/shop/customers/me/orders", 401, "authentication required"),
    "ShopOrdersFunction": _api("shop-orders", "GET", "/api/v2/orders", 401, NOT_AUTHENTICATED),
    "ReleaseHoldsFunction": Probe(
        "release-holds", lambda: {"source": "cartctl.doctor"}, lambda answer: answer, {"ended": 0, "errors": 0}
    ),
    "CustomerTokensFunction": _api(
        "customer-tokens", "POST", "/api/v2/customers/{customer}/tokens", 401, NOT_AUTHENTICATED
    ),
    "CustomerCartFunction": _api("customer-cart", "GET", "/api/v2/customers/{customer}/cart", 401, NOT_AUTHENTICATED),
    "StatisticsFunction": _api("statistics", "GET", "/api/v2/stats/{report}", 401, NOT_AUTHENTICATED),
    "StatisticsRollUpFunction": Probe(
        "statistics-roll-up", lambda: {"Records": [], "state": {}}, lambda answer: answer, _NOTHING_TO_COUNT
    ),
}
"""The probes, by the functions' names in the template."""
ALIAS: Final = "live"
"""The alias that the APIs call."""
