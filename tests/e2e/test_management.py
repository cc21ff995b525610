"""Management API: signing customers in and out and reading their carts, over HTTP.

tests/integration/test_customers.py has the rules in process; test_isolation.py every credential on every route,
test_unavailable.py the faults of the database.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.limits import CUSTOMER_TOKENS
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb import keys
from tests.e2e.test_gateway import MALFORMED, MEBIBYTE, padded
from tests.support.lambdas import Lambdas
from tests.support.shopper import (
    ACCESS_DENIED,
    MANAGED_NOT_FOUND,
    MANAGEMENT_ROUTES,
    NOT_AUTHENTICATED,
    SLASHES,
    Guarded,
    moment,
)
from tests.support.throttle import throttled
from tools.support.clients import CART, TOKENS, Customer, Http, Manager, Reply, sensitive, unique
from tools.support.database import Database

every_route = pytest.mark.parametrize(("method", "path"), MANAGEMENT_ROUTES)
TOO_LARGE = Reply(413, {"error": {"code": "request_too_large", "message": "Request too large"}})
THROTTLED = Reply(429, {"error": {"code": "too_many_requests", "message": "Too many requests"}})


@pytest.fixture
def name() -> str:
    """Return the id of a new customer."""
    return sensitive(unique("wilhelmina"))


@pytest.fixture
def signed_in(shop: str, shop_http: Http) -> Callable[[str, Reply], Customer]:
    """Return a function that makes a customer of the demo shop, with the token of an answer."""
    return lambda name, reply: Customer(shop_http, reply.body["token"], Owner(shop, name))


SignedIn = Callable[[str, Reply], Customer]


def test_token_opens_the_customers_cart(manager: Manager, name: str, signed_in: SignedIn, lamp: Product) -> None:
    reply = manager.sign_in(name)
    customer = signed_in(name, reply)

    assert (reply.status, reply.body.keys()) == (201, {"token", "expires_at"})
    assert abs(moment(reply.body["expires_at"]).timestamp() - time.time() - 30 * 86_400) < 60
    shown = customer.add(lamp.id, quantity=2)
    assert manager.cart(name) == Reply(200, shown.body)
    assert signed_in(name, manager.sign_in(name)).read().body == shown.body, "another device"


def test_sign_out_revokes_every_device(manager: Manager, name: str, signed_in: SignedIn) -> None:
    devices = [signed_in(name, manager.sign_in(name)) for _ in range(3)]
    other = signed_in("other", manager.sign_in(f"{name}-2"))

    assert manager.sign_out(name) == Reply(200, {"revoked": 3})
    assert [device.read().status for device in devices] == [401] * 3
    assert other.read().status == 200
    assert manager.sign_out(name) == Reply(200, {"revoked": 0})


@pytest.mark.parametrize("name", ["Zoë & Anna", "a+b@example.com", "100%25", "..anna", "🎁" * 64])
def test_customer_is_decoded_once(manager: Manager, signed_in: SignedIn, database: Database, name: str) -> None:
    reply = manager.sign_in(name)

    assert database.token(reply.body["token"]).customer == name.replace("%25", "%"), "the local cloud decodes it too"
    assert signed_in(name, reply).read().status == 200
    assert manager.sign_out(name).body["revoked"] >= 1


@every_route
@pytest.mark.parametrize("name", [" ", "anna ", "a\x01b", "x" * 257])
def test_bad_customer_is_400(manager: Manager, method: str, path: str, name: str) -> None:
    reply = manager.send(method, path, name)

    details = reply.body["error"].pop("details")
    assert reply == Reply(400, {"error": {"code": "bad_params", "message": "Bad parameters error"}})
    assert details.keys() == {"customer"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((f'{{"expires_in": {wrong}}}', "expires_in") for wrong in ("59", "31536001", "60.5", '"60"', "true", "null")),
        *((body, "body") for body in ("[]", "{", "null", "\xff")),
    ],
)
def test_bad_body_is_400_and_issues_nothing(manager: Manager, name: str, body: str, field: str) -> None:
    reply = manager.send("POST", TOKENS, name, data=body.encode("latin-1"))

    assert (reply.status, reply.body["error"]["code"]) == (400, "bad_params")
    assert reply.body["error"]["details"].keys() == {field}
    assert manager.sign_out(name).body == {"revoked": 0}


@every_route
def test_only_a_management_key_is_accepted(
    *, manager: Manager, stack: Stack, database: Database, shop: str, name: str, method: str, path: str
) -> None:
    for slash in SLASHES:
        for key in (stack.api_key, stack.customer_tokens[0]):
            assert replace(manager, token=key).send(method, path + slash, name) == ACCESS_DENIED
        revoked, expired = (
            database.issue(Token("management", shop, **ended)) for ended in ({"revoked": True}, {"expires_at": 1})
        )
        for key in (revoked, expired, database.issue_nothing()):
            assert replace(manager, token=key).send(method, path + slash, name) == NOT_AUTHENTICATED
        assert manager.http.send(method, (path + slash).format(customer=name)) == NOT_AUTHENTICATED
        assert manager.send(method, path + slash, name).status in {200, 201}
    assert Http(stack.shop_url, innards="-").send("GET", CART, token=manager.token).status == 401


def test_malformed_header_runs_no_function(manager: Manager, name: str, lambdas: Lambdas) -> None:
    before = lambdas.runs()
    for form in MALFORMED:
        header = form.format(key=manager.token, KEY=manager.token.upper())
        assert manager.send("GET", TOKENS.replace("tokens", "cart"), name, headers={"Authorization": header}) == (
            NOT_AUTHENTICATED
        )
    assert lambdas.runs() == before


def test_blocked_network_is_denied_and_origin_ignored(
    manager: Manager, guarded: Guarded, database: Database, name: str
) -> None:
    server = replace(manager, token=database.issue(Token("management", guarded.shop.name)))
    for method, path in MANAGEMENT_ROUTES:
        assert server.send(method, path, name, headers={"X-Forwarded-For": "198.51.100.7"}) == ACCESS_DENIED
        assert server.send(method, path, name, headers={"Origin": "https://x.example"}).status in {200, 201}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/", "/api/v2", "/api/v2/customers", "/api/v2/order", "/api/shop/cart", TOKENS)),
        *((method, TOKENS) for method in ("PUT", "PATCH")),
        *((method, "/api/v2/customers/{customer}/cart") for method in ("POST", "DELETE")),
        *(("OPTIONS", path) for path in (TOKENS, "/nothing")),
    ],
)
def test_unknown_route_or_method_is_404(manager: Manager, name: str, method: str, path: str) -> None:
    assert manager.send(method, path, name) == MANAGED_NOT_FOUND
    assert manager.http.send(method, path.format(customer=name)) == MANAGED_NOT_FOUND


def test_large_request_is_413(manager: Manager, name: str) -> None:
    body = b'{"expires_in": 60, "more": "%s"}'
    assert manager.send("POST", TOKENS, name, data=padded(body, MEBIBYTE)).status == 201
    for method, path in MANAGEMENT_ROUTES:
        assert manager.send(method, path, name, data=padded(body, MEBIBYTE + 1)) == TOO_LARGE


def test_throttled_request_is_429(*, stack: Stack, manager: Manager, customer: Customer, name: str) -> None:
    with throttled(stack, stack.management_url):
        refused = [reply for reply in (manager.cart(name) for _ in range(5)) if reply.status != 200]
        assert {customer.read().status for _ in range(5)} == {200}, "the other APIs have their own throttles"
    assert refused == [THROTTLED] * len(refused)
    assert refused
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)


def test_parallel_sign_ins_keep_the_limit(manager: Manager, database: Database, shop: str, name: str) -> None:
    for _ in range(CUSTOMER_TOKENS - 3):
        database.issue(Token("customer", shop, name))
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: manager.sign_in(name), range(12)))

    assert [reply.status for reply in replies] == [201] * 12
    tokens = [database.token(reply.body["token"]) for reply in replies]
    assert not any(token.revoked for token in tokens), "the oldest are revoked"
    listed = database.client.query(
        TableName=database.name,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues={":pk": {"S": keys.tokens(shop)}, ":sk": {"S": keys.customer_tokens(name)}},
    )["Items"]
    assert len([item for item in listed if "kind" in item and "revoked" not in item]) == CUSTOMER_TOKENS
