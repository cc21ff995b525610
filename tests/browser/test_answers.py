"""Pages in a real browser: each answer of the gateway and of the functions can be read from another origin."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page

from local.stack import Stack
from tests.support import guide
from tests.support.guide import section
from tests.support.lambdas import Lambdas
from tests.support.throttle import throttled
from tools.support.clients import CART, CHECKOUT, ITEMS
from tools.support.paths import ROOT

README = (ROOT / "README.md").read_text()
FETCH = """
async ([url, options]) => {
  const answer = await fetch(url, options);
  const names = ["ETag", "Idempotency-Replayed", "Retry-After"].filter((name) => answer.headers.get(name));
  const body = await answer.text();
  return [answer.status, body && JSON.parse(body), names];
}
"""
CONTEXT = {"traceparent": "00-1-1-01", "tracestate": "a=b", "sentry-trace": "1-1-1", "baggage": "a=b"}
CONDITIONS = {"If-None-Match": '"0-a"', "Cache-Control": "no-cache", "If-Modified-Since": "0", "Idempotency-Key": "k"}
NOT_FOUND = [404, {"error": "not found"}, []]


@pytest.fixture(scope="module")
def lambdas(stack: Stack) -> Lambdas:
    """Return the stack's functions."""
    return Lambdas.of(stack)


@pytest.fixture(scope="module")
def page(browser: Browser, empty_page: str) -> Iterator[Page]:
    """Open a page, whose origin is that of no API."""
    opened = browser.new_page()
    opened.goto(empty_page)
    yield opened
    opened.close()


def fetch(page: Page, url: str, **options: Any) -> Any:
    """Send a request from the page and return status, body and the names of the readable headers."""
    return page.evaluate(FETCH, [url, options])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/shop/nothing"),
        ("GET", "/"),
        ("DELETE", ITEMS),
        ("PUT", CART),
        ("PATCH", "/api/shop/cart/items/7/more"),
    ],
)
def test_unknown_route_is_readable(page: Page, stack: Stack, token: str, method: str, path: str) -> None:
    headers = {"Authorization": f"Token {token}", **CONTEXT, **CONDITIONS}
    assert fetch(page, stack.shop_url + path, method=method, headers=headers) == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/6/nothing"), ("POST", "/6/{hashid}/stats/cart/s"), ("PUT", "/")]
)
def test_unknown_search_route_is_readable(page: Page, stack: Stack, method: str, path: str) -> None:
    headers = {"Authorization": f"Token {stack.api_key}", "Content-Type": "application/json", **CONTEXT}
    url = stack.search_url + path.format(hashid=stack.hashid)
    assert fetch(page, url, method=method, headers=headers) == NOT_FOUND


def test_page_reads_cart_replay_and_refusals(page: Page, stack: Stack, token: str) -> None:
    headers = {"Authorization": f"Token {token}", "Idempotency-Key": "key", "Content-Type": "application/json"}
    add = {"method": "POST", "headers": headers, "body": f'{{"product": {stack.products[0].id}}}'}
    answers = [fetch(page, stack.shop_url + ITEMS, **add) for _ in range(2)]
    assert [(status, cart["quantity"], names) for status, cart, names in answers] == [
        (200, 1, ["ETag"]),
        (200, 1, ["ETag", "Idempotency-Replayed"]),
    ]
    stale = {**headers, "Idempotency-Key": "other", "If-Match": '"9"'}
    assert fetch(page, stack.shop_url + CART, method="DELETE", headers=stale) == [
        412, {"error": "cart has changed"}, ["ETag"]
    ]  # fmt: skip
    stranger = {"Authorization": "Token unknown"}
    assert fetch(page, stack.shop_url + CART, headers=stranger) == [401, {"error": "authentication required"}, []]


def test_documented_sign_in_keeps_the_guests_cart(tab: Page, stack: Stack, token: str) -> None:
    (snippet,) = guide.blocks("js")
    snippet = snippet.replace('import { Shop } from "./serverless-cart.js";', "const { Shop } = library;")
    tab.add_script_tag(content=snippet.replace("SHOP_URL", stack.shop_url).replace("API_KEY", stack.api_key))
    product = stack.products[0].id

    added = [tab.evaluate(f"addFromProductPage({product})") for _ in range(2)]
    merged = [tab.evaluate(f"cartAfterSignIn('{token}')") for _ in range(2)]

    assert [cart["quantity"] for cart in (*added, *merged)] == [1, 2, 2, 2]
    assert added[0]["id"] != merged[0]["id"] == merged[1]["id"]


def test_documented_sign_in_opens_the_cart(page: Page, stack: Stack) -> None:
    (python,) = re.findall(r"^ {4}(token = .*?)\n\n", section("## Sign-in", README), flags=re.MULTILINE | re.DOTALL)
    signed_in: dict[str, Any] = {
        "requests": requests, "MANAGEMENT_URL": stack.management_url, "MANAGEMENT_KEY": stack.management_key,
    }  # fmt: skip

    exec(python, signed_in)  # noqa: S102 - the README's own lines

    headers = {"Authorization": f"Token {signed_in['token']}"}
    item = {"method": "POST", "headers": headers, "body": f'{{"product": {stack.products[0].id}, "quantity": 3}}'}
    status, cart, _ = fetch(page, stack.shop_url + ITEMS, **item)
    assert (status, cart["items"][0]["quantity"]) == (200, 3)


TOO_LARGE = "x" * (2**20 + 1)
SESSION = "/6/{hashid}/stats/cart/page"
ORDERS = "/api/shop/customers/me/orders"


@pytest.mark.parametrize(
    ("key", "method", "body", "status", "answer"),
    [
        ("api_key", "PUT", '{"id": "1", "index": "product", "title": "Mug"}', 200, {"status": "registered"}),
        ("api_key", "PATCH", '{"id": "1"}', 400, {"error": 'Following fields are missing: ["index"]'}),
        ("revoked_token", "DELETE", "[]", 403, {"error": "forbidden"}),
        ("api_key", "POST", "{}", 404, {"error": "not found"}),
        ("api_key", "PUT", TOO_LARGE, 413, {"error": "request too large"}),
    ],
    ids=["200", "400", "403", "404", "413"],
)
def test_search_status_is_readable(
    *, page: Page, stack: Stack, key: str, method: str, body: str, status: int, answer: object
) -> None:
    headers = {"Authorization": f"Token {getattr(stack, key)}"}
    url = stack.search_url + SESSION.format(hashid=stack.hashid)
    assert fetch(page, url, method=method, headers=headers, body=body) == [status, answer, []]


def test_other_origin_is_readable(page: Page, stack: Stack) -> None:
    shop = stack.second_shop
    for url, key in (
        (stack.search_url + SESSION.format(hashid=shop.hashid), shop.api_key),
        (stack.shop_url + CART, shop.customer_token),
    ):
        refused = fetch(page, url, method="DELETE", headers={"Authorization": f"Token {key}"})
        assert refused == [403, {"error": "origin not allowed"}, []]


class ShopPage:
    """Sends requests to the Shop API from a page."""

    def __init__(self, page: Page, url: str, token: str) -> None:
        self._page = page
        self._url = url
        self._token = token

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Return status, body and the names of the readable headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        options: dict[str, Any] = {"method": method, "headers": {"Authorization": f"Token {self._token}", **named}}
        if body is not None:
            options["body"] = body if isinstance(body, str) else json.dumps(body)
        return fetch(self._page, self._url + path, **options)


@pytest.fixture
def shop(page: Page, stack: Stack, token: str) -> ShopPage:
    return ShopPage(page, stack.shop_url, token)


@pytest.fixture
def mug(stack: Stack) -> dict[str, Any]:
    return {"product": stack.products[0].id}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", ITEMS, "{", [400, "validation error"]),
        ("POST", ITEMS, {"product": 1}, [400, "invalid product"]),
        ("GET", f"{ITEMS}/7", None, [404, "item not found"]),
        ("POST", f"{ORDERS}/ORD-7/cancel", None, [404, "order not found"]),
        ("POST", CHECKOUT, {"shipping_method": 1, "payment_method": 2}, [400, "cart is empty"]),
        ("PATCH", CART, TOO_LARGE, [413, "request too large"]),
    ],
    ids=["validation", "product", "item", "order", "empty", "413"],
)
def test_refusal_is_readable(shop: ShopPage, method: str, path: str, body: object, expected: object) -> None:
    status, answer, _ = shop.send(method, path, body)
    assert [status, answer["error"]] == expected


def test_unchanged_cart_is_readable(shop: ShopPage, page: Page, stack: Stack, token: str) -> None:
    script = "async ([url, headers]) => (await fetch(url, {headers})).headers.get('ETag')"
    tag = page.evaluate(script, [stack.shop_url + CART, {"Authorization": f"Token {token}"}])
    assert shop.send("GET", CART, If_None_Match=tag) == [304, "", ["ETag"]]


def test_new_guest_is_readable(page: Page, stack: Stack) -> None:
    status, guest, _ = ShopPage(page, stack.shop_url, stack.api_key).send("POST", "/api/shop/guests")
    assert (status, guest.keys()) == (201, {"token", "expires_at"})


def test_reused_key_is_readable(shop: ShopPage, mug: dict[str, Any]) -> None:
    assert shop.send("POST", ITEMS, mug, Idempotency_Key="key")[0] == 200
    reused = shop.send("POST", ITEMS, {**mug, "quantity": 2}, Idempotency_Key="key")
    assert reused == [422, {"error": "idempotency key reused"}, []]


def test_conflicts_are_readable(shop: ShopPage, mug: dict[str, Any]) -> None:
    assert shop.send("POST", ITEMS, mug)[0] == 200
    methods = {"shipping_method": 1, "payment_method": 2}
    status, review, _ = shop.send("POST", CHECKOUT, {**methods, "total": 1})
    assert (status, review["error"], review["details"].keys()) == (409, "cart needs review", {"warnings", "total"})
    _, placed, _ = shop.send("POST", CHECKOUT, methods)
    cancel = f"{ORDERS}/{placed['order_key']}/cancel"
    assert [shop.send("POST", cancel)[0] for _ in range(2)] == [200, 409]
    assert shop.send("POST", cancel) == [409, {"error": "order cannot be cancelled"}, []]


@pytest.mark.parametrize(("api", "error"), [("search", "Too many requests"), ("shop", "too many requests")])
def test_real_429_is_readable(*, page: Page, stack: Stack, shop: ShopPage, api: str, error: str) -> None:
    url = stack.search_url if api == "search" else stack.shop_url
    with throttled(stack, url):
        answers = [send(page, stack, shop, api) for _ in range(5)]
    refused = [answer for answer in answers if answer[0] != 200]
    assert refused == [[429, {"error": error}, ["Retry-After"]]] * len(refused) != []


@pytest.mark.parametrize(("api", "function"), [("search", "StatsCart"), ("shop", "Cart")])
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"},
            [503, {"error": "temporarily unavailable"}, ["Retry-After"]],
        ),
        ({"TABLE_NAME": "absent"}, [500, {"error": "internal server error"}, []]),
    ],
    ids=["503", "500"],
)
def test_real_fault_is_readable(
    *,
    page: Page,
    stack: Stack,
    lambdas: Lambdas,
    shop: ShopPage,
    api: str,
    function: str,
    variables: dict[str, str],
    expected: object,
) -> None:
    with lambdas.with_variables(function, **variables):
        assert send(page, stack, shop, api) == expected


def send(page: Page, stack: Stack, shop: ShopPage, api: str) -> Any:
    """Send a request to one of the APIs."""
    if api == "shop":
        return shop.send("GET", CART)
    url = stack.search_url + SESSION.format(hashid=stack.hashid)
    return fetch(page, url, method="DELETE", headers={"Authorization": f"Token {stack.api_key}"})
