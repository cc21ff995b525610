"""Both APIs: what the gateway itself answers, and what every answer carries."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from local import environment
from local.stack import Stack
from serverless_cart.domain.product import Product
from tests.support.lambdas import Lambdas
from tests.support.shopper import NOT_FOUND, REGISTERED, SLASHES, TOO_LARGE, Shopper
from tools.support.clients import CART, ITEMS, TITLE, Customer, Http, Reply, Visitor
from tools.support.database import Database

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.literals import GatewayResponseTypeType
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef

SEARCH_ROUTE = "/6/{hashid}/stats/cart/{session}"
SHOP_PATHS = {
    "/api/shop/cart": {"GET", "PATCH", "DELETE"},
    "/api/shop/cart/items": {"POST"},
    "/api/shop/cart/items/7": {"PATCH", "DELETE"},
}
"""The methods of each path of the Shop API."""


@pytest.fixture(params=["search", "shop"])
def api(request: pytest.FixtureRequest, search_http: Http, shop_http: Http) -> Http:
    """Return each API in turn."""
    return {"search": search_http, "shop": shop_http}[request.param]


@pytest.fixture
def gateway(stack: Stack) -> "APIGatewayClient":
    """Return a client of the gateway's own settings."""
    session = environment.session()
    return session.client("apigateway", endpoint_url=stack.endpoint_url, config=environment.CLIENT)


@pytest.fixture(params=["no token", "API key", "customer token", "malformed", "of another scheme", "signature"])
def credentials(request: pytest.FixtureRequest, stack: Stack) -> dict[str, str]:
    """Return every kind of Authorization header in turn."""
    headers = {
        "API key": f"Token {stack.api_key}",
        "customer token": f"Token {stack.customer_tokens[0]}",
        "malformed": "Token x",
        "of another scheme": "Bearer abc.def",
        "signature": "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0",
    }
    return {"Authorization": headers[request.param]} if request.param in headers else {}


# ----------------------------------------------------------------------------------------------------------------------
# 404
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/nothing", "/6", "/api/shop/cart/items/7/more"])
def test_an_unknown_route_is_not_found(api: Http, credentials: dict[str, str], method: str, path: str) -> None:
    assert api.send(method, path, headers=credentials) == NOT_FOUND


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_method_of_the_search_api_is_not_found(
    visitor: Visitor, credentials: dict[str, str], method: str
) -> None:
    assert visitor.http.send(method, visitor.path, headers=credentials, json={}) == NOT_FOUND


@pytest.mark.parametrize("slash", SLASHES)
@pytest.mark.parametrize("path", SHOP_PATHS)
def test_an_unknown_method_of_the_shop_api_is_not_found(
    shop_http: Http, credentials: dict[str, str], path: str, slash: str
) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - SHOP_PATHS[path]:
        reply = shop_http.send(method, path + slash, headers=credentials, json={})
        assert (method, reply) == (method, NOT_FOUND)
    assert shop_http.raw("HEAD", path + slash, headers=credentials).status_code == 404


def test_no_api_answers_the_others_routes(visitor: Visitor, customer: Customer) -> None:
    stray_visitor = replace(visitor, http=customer.http)
    stray_customer = replace(customer, http=visitor.http)
    assert stray_visitor.put("42") == NOT_FOUND
    assert stray_customer.add(1) == NOT_FOUND
    assert stray_customer.read() == NOT_FOUND
    assert stray_customer.remove(1) == NOT_FOUND


@pytest.mark.parametrize("stage", ["Stage", "Prod", "default", "test"])
def test_no_other_stage_is_open(stack: Stack, api: Http, stage: str) -> None:
    url = stack.search_url if api.raw("GET", "/").url.startswith(stack.search_url) else stack.shop_url
    assert "/live/" in url
    other = Http(url.replace("/live/", f"/{stage}/"), innards="-")
    for path in (ITEMS, f"/6/{stack.hashid}/stats/cart/x"):
        for token in (stack.api_key, stack.customer_tokens[0]):
            headers = {"Authorization": f"Token {token}"}
            assert other.raw("POST", path, headers=headers).status_code in (403, 404)
            assert other.raw("PUT", path, headers=headers).status_code in (403, 404)
    other.close()


# ----------------------------------------------------------------------------------------------------------------------
# 413
# ----------------------------------------------------------------------------------------------------------------------

MEBIBYTE = 2**20


@pytest.mark.parametrize("size", [MEBIBYTE + 1, 5 * MEBIBYTE])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_search_request_over_a_mebibyte_is_too_large(
    visitor: Visitor, database: Database, method: str, size: int
) -> None:
    visitor.put("42")
    before = database.session(visitor.hashid, visitor.session)
    body = b'{"id": "42", "index": "product", "title": "x", "more": "%s"}'
    assert visitor.send(method, data=padded(body, size)) == TOO_LARGE
    assert database.session(visitor.hashid, visitor.session) == before


@pytest.mark.parametrize("size", [MEBIBYTE + 1, 5 * MEBIBYTE])
def test_a_shop_request_over_a_mebibyte_is_too_large(
    customer: Customer, database: Database, lamp: Product, size: int
) -> None:
    body = b'{"product": %d, "more": "%%s"}' % lamp.id
    assert customer.post(data=padded(body, size)) == TOO_LARGE
    body = b'{"address": 7, "more": "%s"}'
    assert customer.send("PATCH", CART, data=padded(body, size)) == TOO_LARGE
    assert customer.send("PATCH", f"{ITEMS}/7", data=padded(body, size)) == TOO_LARGE
    assert not database.has_cart(customer.owner)


def test_a_request_of_a_mebibyte_is_taken(visitor: Visitor, customer: Customer, lamp: Product) -> None:
    body = b'{"id": "42", "index": "product", "title": "%s", "more": "%%s"}' % TITLE.encode()
    assert visitor.send("PUT", data=padded(body, MEBIBYTE)) == REGISTERED
    body = b'{"product": %d, "more": "%%s"}' % lamp.id
    assert customer.post(data=padded(body, MEBIBYTE)).status == 200
    body = b'{"address": 7, "more": "%s"}'
    assert customer.send("PATCH", CART, data=padded(body, MEBIBYTE)).status == 200


def padded(body: bytes, size: int) -> bytes:
    """Fill a body's placeholder so that it has just so many bytes."""
    return body % (b"x" * (size - len(body % b"")))


# ----------------------------------------------------------------------------------------------------------------------
# 429
# ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def throttled(gateway: "APIGatewayClient", api_url: str) -> Iterator[None]:
    """Let a stage take a request a second, as an operator would."""
    api = api_id(gateway, api_url)
    before = gateway.get_stage(restApiId=api, stageName="live")["methodSettings"]["*/*"]

    def limit(rate: float, burst: int) -> None:
        for name, value in (("rateLimit", rate), ("burstLimit", burst)):
            change: PatchOperationTypeDef = {
                "op": "replace",
                "path": f"/*/*/throttling/{name}",
                "value": str(value),
            }
            gateway.update_stage(restApiId=api, stageName="live", patchOperations=[change])

    limit(1, 1)
    try:
        yield
    finally:
        limit(before["throttlingRateLimit"], before["throttlingBurstLimit"])


def api_id(gateway: "APIGatewayClient", api_url: str) -> str:
    """Return the id of the API at an address."""
    (found,) = (api["id"] for api in gateway.get_rest_apis()["items"] if f"/{api['id']}/" in api_url)
    return found


def test_a_throttled_search_request_is_one_too_many(
    gateway: "APIGatewayClient", stack: Stack, visitor: Visitor, database: Database
) -> None:
    with throttled(gateway, stack.search_url):
        replies = [visitor.put("42") for _ in range(5)]
    refused = [reply for reply in replies if reply != REGISTERED]
    assert refused
    assert refused == [Reply(429, {"error": "Too many requests"})] * len(refused)
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == 5 - len(refused)


def test_a_throttled_shop_request_is_one_too_many(
    gateway: "APIGatewayClient", stack: Stack, customer: Customer, lamp: Product
) -> None:
    with throttled(gateway, stack.shop_url):
        replies = [customer.add(lamp.id) for _ in range(5)]
    refused = [reply for reply in replies if reply.status != 200]
    assert refused
    assert refused == [Reply(429, {"error": "too many requests"})] * len(refused)
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
    assert customer.add(lamp.id).body["quantity"] == 6 - len(refused)


def test_each_api_has_a_throttle_of_its_own(
    gateway: "APIGatewayClient", stack: Stack, visitor: Visitor, customer: Customer, lamp: Product
) -> None:
    with throttled(gateway, stack.search_url):
        assert 429 in {visitor.put("42").status for _ in range(5)}
        assert {customer.add(lamp.id).status for _ in range(5)} == {200}


# ----------------------------------------------------------------------------------------------------------------------
# What the emulator never answers, and the gateway on AWS does
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("REQUEST_TOO_LARGE", "413", "request too large"),
        ("INTEGRATION_FAILURE", "503", "temporarily unavailable"),
        ("INTEGRATION_TIMEOUT", "503", "temporarily unavailable"),
        ("DEFAULT_4XX", "404", "not found"),
        ("DEFAULT_5XX", "500", "internal server error"),
    ],
)
@pytest.mark.parametrize("name", ["search_url", "shop_url"])
def test_the_gateways_other_answers_are_deployed_in_the_contracts_words(
    *, gateway: "APIGatewayClient", stack: Stack, name: str, kind: "GatewayResponseTypeType", status: str, error: str
) -> None:
    answer = gateway.get_gateway_response(restApiId=api_id(gateway, getattr(stack, name)), responseType=kind)
    assert answer["statusCode"] == status
    assert json.loads(answer["responseTemplates"]["application/json"]) == {"error": error}
    headers = {name.rpartition(".")[2]: value for name, value in answer["responseParameters"].items()}
    assert headers["Access-Control-Allow-Origin"] == "'*'"
    assert ("Retry-After" in headers) is (status == "503")


# ----------------------------------------------------------------------------------------------------------------------
# CORS (what every answer carries is checked by `Http.send`, on every answer of every test)
# ----------------------------------------------------------------------------------------------------------------------


def test_a_preflight_needs_no_token_and_runs_no_function(
    visitor: Visitor, customer: Customer, lambdas: Lambdas, lamp: Product
) -> None:
    before = lambdas.runs()
    routes = [(visitor.http, visitor.path, {"PUT", "PATCH", "DELETE"})]
    routes += [(customer.http, path + slash, methods) for path, methods in SHOP_PATHS.items() for slash in SLASHES]
    for http, path, methods in routes:
        for method in methods:
            headers = {
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,if-match,if-none-match,idempotency-key",
            }
            preflight = http.raw("OPTIONS", path, headers=headers)
            assert preflight.status_code in (200, 204)
            assert preflight.headers["Access-Control-Allow-Origin"] == "*"
            assert words(preflight.headers["Access-Control-Allow-Methods"]) >= {name.lower() for name in methods}
            assert words(preflight.headers["Access-Control-Allow-Headers"]) >= {
                "authorization", "content-type", "idempotency-key", "if-match", "if-none-match",
            }  # fmt: skip
            assert "Access-Control-Allow-Credentials" not in preflight.headers
    assert lambdas.runs() == before
    # The count does tell when functions run: once here, and the authorizer once for a token that it has not seen.
    assert customer.add(lamp.id).status == 200
    assert lambdas.runs() == {**before, "Authorizer": before["Authorizer"] + 1, "CartItems": before["CartItems"] + 1}


def words(header: str) -> set[str]:
    """Split a header's list."""
    return {word.strip().lower() for word in header.split(",")}


def test_a_page_can_read_an_answers_etag_and_replay_mark(customer: Customer, lamp: Product) -> None:
    headers = {"Origin": "https://shop.example", "Idempotency-Key": "k"}
    for reply in (customer.add(lamp.id, headers=headers), customer.add(lamp.id, headers=headers)):
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert words(reply.headers["Access-Control-Expose-Headers"]) >= {"etag", "idempotency-replayed", "retry-after"}
    assert reply.headers.keys() >= {"ETag", "Idempotency-Replayed"}


# ----------------------------------------------------------------------------------------------------------------------
# The authorizer, as it is deployed
# ----------------------------------------------------------------------------------------------------------------------


def test_a_malformed_header_never_costs_an_invocation(visitor: Visitor, customer: Customer, lambdas: Lambdas) -> None:
    before = lambdas.runs()
    for header in ("", "Token", "Bearer x", "Token x", f"Token  {customer.token}", f"Token {customer.token.upper()}"):
        assert visitor.send("PUT", headers={"Authorization": header}).status == 403
        assert customer.post(headers={"Authorization": header}).status == 401
    assert lambdas.runs() == before


def test_a_judgement_is_cached_whatever_the_route(customer: Customer, lambdas: Lambdas, lamp: Product) -> None:
    (item,) = customer.add(lamp.id).body["items"]
    before = lambdas.runs()["Authorizer"]
    shopper = Shopper(customer, lamp, item["id"])
    for slash in SLASHES:
        assert [shopper.ask(route, slash=slash).status for route in ("add", "read", "select", "revise")] == [200] * 4
    assert [shopper.ask(route).status for route in ("remove", "clear")] == [200] * 2
    assert lambdas.runs()["Authorizer"] == before


def test_a_refusal_is_cached(customer: Customer, lambdas: Lambdas, lamp: Product, database: Database) -> None:
    stranger = replace(customer, token=database.issue_nothing())
    assert stranger.add(lamp.id).status == 401
    before = lambdas.runs()
    assert stranger.add(lamp.id).status == 401
    assert lambdas.runs() == before
