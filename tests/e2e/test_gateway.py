"""Both APIs: the answers of the gateway itself, CORS, throttling, and the caching of the authorizer."""

from dataclasses import replace
from itertools import product as combinations

import pytest

from local.stack import Stack
from serverless_cart.domain.product import Product
from tests.support.lambdas import Lambdas
from tests.support.shopper import NOT_FOUND, ORDER_ROUTES, REGISTERED, ROUTES, SLASHES, TOO_LARGE, Shopper
from tests.support.throttle import throttled
from tools.support.clients import CART, CHECKOUT, ITEMS, TITLE, Customer, Http, Reply, Visitor
from tools.support.database import Database

SHOP_PATHS = {
    "/api/shop/cart": {"GET", "PATCH", "DELETE"},
    "/api/shop/cart/items": {"POST"},
    "/api/shop/cart/items/7": {"GET", "PATCH", "DELETE"},
    "/api/shop/cart/merge": {"POST"},
    "/api/shop/cart/discount": {"PUT", "DELETE"},
    "/api/shop/guests": {"POST"},
    "/api/shop/shipping/methods": {"GET"},
    "/api/shop/payment/methods": {"GET"},
    "/api/shop/checkout/cart": {"POST"},
    "/api/shop/customers/me/orders": {"GET"},
    "/api/shop/customers/me/orders/ORD-7": {"GET"},
    "/api/shop/customers/me/orders/ORD-7/cancel": {"POST"},
}
"""The methods of each path of the Shop API."""
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"}
UNKNOWN_PATHS = ["/", "/nothing", "/api/shop/nothing", "/api/shop/cart/items/7/nothing", "/6/nothing/stats/cart"]
PREFLIGHT_HEADERS = {
    "authorization", "content-type", "idempotency-key", "if-match", "if-none-match",
    "cache-control", "if-modified-since", "traceparent", "tracestate", "sentry-trace", "baggage",
}  # fmt: skip
"""The headers that a preflight allows (contract: All APIs)."""


@pytest.fixture
def credentials(stack: Stack) -> list[dict[str, str]]:
    """Return headers with every kind of Authorization."""
    values = [
        f"Token {stack.api_key}",
        f"Token {stack.customer_tokens[0]}",
        "Token x",
        "Bearer abc.def",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0",
    ]
    return [{}, *({"Authorization": value} for value in values)]


# ----------------------------------------------------------------------------------------------------------------------
# 404
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/nothing", "/6", "/api/shop/cart/items/7/more"])
def test_unknown_route_is_not_found(
    search_http: Http, shop_http: Http, credentials: list[dict[str, str]], path: str
) -> None:
    for http, method, headers in combinations((search_http, shop_http), ("GET", "POST", "DELETE"), credentials):
        assert http.send(method, path, headers=headers) == NOT_FOUND


@pytest.mark.parametrize("path", ["search", *SHOP_PATHS])
def test_unknown_method_is_not_found(
    visitor: Visitor, shop_http: Http, credentials: list[dict[str, str]], path: str
) -> None:
    if path == "search":
        targets = [(visitor.http, visitor.path, METHODS - {"PUT", "PATCH", "DELETE"})]
    else:
        targets = [(shop_http, path + slash, METHODS - SHOP_PATHS[path]) for slash in SLASHES]
    for (http, spelled, methods), headers in combinations(targets, credentials):
        for method in methods:
            assert (method, http.send(method, spelled, headers=headers, json={})) == (method, NOT_FOUND)
        assert http.raw("HEAD", spelled, headers=headers).status_code == 404


def test_no_api_has_routes_of_the_other(visitor: Visitor, customer: Customer) -> None:
    stray_visitor = replace(visitor, http=customer.http)
    stray_customer = replace(customer, http=visitor.http)
    assert stray_visitor.put("42") == NOT_FOUND
    assert stray_customer.add(1) == stray_customer.read() == stray_customer.remove(1) == NOT_FOUND


@pytest.mark.parametrize("stage", ["Stage", "Prod", "default", "test"])
def test_no_other_stage_is_open(stack: Stack, stage: str) -> None:
    for url in (stack.search_url, stack.shop_url):
        assert "/live/" in url
        other = Http(url.replace("/live/", f"/{stage}/"), innards="-")
        for path, token in combinations(
            (ITEMS, f"/6/{stack.hashid}/stats/cart/x"), (stack.api_key, stack.customer_tokens[0])
        ):
            for method in ("POST", "PUT"):
                reply = other.raw(method, path, headers={"Authorization": f"Token {token}"})
                assert reply.status_code in (403, 404)
        other.close()


# ----------------------------------------------------------------------------------------------------------------------
# 413
# ----------------------------------------------------------------------------------------------------------------------

MEBIBYTE = 2**20


@pytest.mark.parametrize("size", [MEBIBYTE + 1, 5 * MEBIBYTE])
def test_request_over_a_mebibyte_is_too_large(untouched: Visitor, unchanged: Shopper, size: int) -> None:
    body = b'{"id": "42", "index": "product", "title": "x", "product": 7, "quantity": 1, "address": 7, "more": "%s"}'
    for method in ("PUT", "PATCH", "DELETE"):
        assert untouched.send(method, data=padded(body, size)) == TOO_LARGE
    for method, path in (*(ROUTES[route] for route in ("add", "select", "update")), ORDER_ROUTES["check out"]):
        reply = unchanged.customer.send(method, path.format(item=unchanged.item), data=padded(body, size))
        assert reply == TOO_LARGE


def test_request_of_a_mebibyte_is_accepted(visitor: Visitor, customer: Customer, lamp: Product) -> None:
    body = b'{"id": "42", "index": "product", "title": "%s", "more": "%%s"}' % TITLE.encode()
    assert visitor.send("PUT", data=padded(body, MEBIBYTE)) == REGISTERED
    body = b'{"product": %d, "more": "%%s"}' % lamp.id
    assert customer.post(data=padded(body, MEBIBYTE)).status == 200
    body = b'{"address": 7, "more": "%s"}'
    assert customer.send("PATCH", CART, data=padded(body, MEBIBYTE)).status == 200
    assert customer.post(path=CHECKOUT, data=padded(body, MEBIBYTE)).status == 200


def padded(body: bytes, size: int) -> bytes:
    """Return a body of exactly this size, by filling its placeholder."""
    return body % (b"x" * (size - len(body % b"")))


# ----------------------------------------------------------------------------------------------------------------------
# 429
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("api", "other"), [("search", "shop"), ("shop", "search")])
def test_throttled_request_is_429(*, stack: Stack, visitor: Visitor, shopper: Shopper, api: str, other: str) -> None:
    send = {"search": lambda: visitor.put("42"), "shop": lambda: shopper.ask("add")}
    with throttled(stack, stack.search_url if api == "search" else stack.shop_url):
        refused = [reply for reply in (send[api]() for _ in range(5)) if reply.status != 200]
        assert {send[other]().status for _ in range(5)} == {200}, "the other API has its own throttle"
    assert refused
    error = "Too many requests" if api == "search" else "too many requests"
    assert refused == [Reply(429, {"error": error})] * len(refused)
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
    assert shopper.customer.read().body["quantity"] == 2 + 5 - len(refused) * (api == "shop")


# ----------------------------------------------------------------------------------------------------------------------
# CORS (`Http.send` checks the headers of every answer of every test)
# ----------------------------------------------------------------------------------------------------------------------


def test_preflight_needs_no_token_and_runs_no_function(
    visitor: Visitor, customer: Customer, lambdas: Lambdas, lamp: Product
) -> None:
    before = lambdas.runs()
    routes = [(visitor.http, visitor.path, {"PUT", "PATCH", "DELETE"})]
    routes += [(customer.http, path + slash, methods) for path, methods in SHOP_PATHS.items() for slash in SLASHES]
    routes += [(http, path, METHODS - {"TRACE"}) for http in (visitor.http, customer.http) for path in UNKNOWN_PATHS]
    for http, path, methods in routes:
        for method in methods:
            headers = {
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": ",".join(PREFLIGHT_HEADERS),
            }
            preflight = http.raw("OPTIONS", path, headers=headers)
            assert preflight.status_code in (200, 204)
            assert preflight.headers["Access-Control-Allow-Origin"] == "*"
            assert words(preflight.headers["Access-Control-Allow-Methods"]) >= {name.lower() for name in methods}
            assert words(preflight.headers["Access-Control-Allow-Headers"]) >= PREFLIGHT_HEADERS
            assert "Access-Control-Allow-Credentials" not in preflight.headers
    assert lambdas.runs() == before
    # The count works: one run for this request, and one of the authorizer for a new token.
    assert customer.add(lamp.id).status == 200
    assert lambdas.runs() == {**before, "Authorizer": before["Authorizer"] + 1, "CartItems": before["CartItems"] + 1}


def words(header: str) -> set[str]:
    """Split a header's list."""
    return {word.strip().lower() for word in header.split(",")}


# ----------------------------------------------------------------------------------------------------------------------
# The cache of the authorizer
# ----------------------------------------------------------------------------------------------------------------------


MALFORMED = [
    "", "Token", "Token ", "{key}", "Token  {key}", "Token\t{key}", "Bearer {key}", "Token {key}0", "Token x{key}",
    "Token {KEY}", "Token EU1-{key}", "Token eu2-{key}", "Token eu1{key}", "Token eu1-eu1-{key}", "Token {key}, x",
    "Tokens {key}", "Token token={key}",
]  # fmt: skip


def test_malformed_header_runs_no_function(visitor: Visitor, customer: Customer, lambdas: Lambdas) -> None:
    before = lambdas.runs()
    for form in MALFORMED:
        header = form.format(key=customer.token, KEY=customer.token.upper())
        assert (form, visitor.send("PUT", headers={"Authorization": header}).status) == (form, 403)
        assert (form, customer.post(headers={"Authorization": header}).status) == (form, 401)
    assert lambdas.runs() == before


def test_authorization_is_cached_for_all_routes(customer: Customer, lambdas: Lambdas, lamp: Product) -> None:
    (item,) = customer.add(lamp.id).body["items"]
    before = lambdas.runs()["Authorizer"]
    shopper = Shopper(customer, lamp, item["id"])
    for slash in SLASHES:
        assert [shopper.ask(route, slash=slash).status for route in ("add", "read", "select", "update")] == [200] * 4
    assert [shopper.ask(route).status for route in ("remove", "clear")] == [200] * 2
    assert lambdas.runs()["Authorizer"] == before


def test_denial_is_cached(customer: Customer, lambdas: Lambdas, lamp: Product, database: Database) -> None:
    stranger = replace(customer, token=database.issue_nothing())
    assert stranger.add(lamp.id).status == 401
    before = lambdas.runs()
    assert stranger.add(lamp.id).status == 401
    assert lambdas.runs() == before
