"""Pages in a real browser: each answer of the gateway and of the functions can be read from another origin."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page

from local.stack import Stack
from tests.support import guide
from tests.support.guide import section
from tools.support.clients import CART, ITEMS
from tools.support.paths import ROOT

README = (ROOT / "README.md").read_text()
FETCH = """
async ([url, options]) => {
  const answer = await fetch(url, options);
  const names = ["ETag", "Idempotency-Replayed", "Retry-After"].filter((name) => answer.headers.get(name));
  return [answer.status, await answer.json(), names];
}
"""
CONTEXT = {"traceparent": "00-1-1-01", "tracestate": "a=b", "sentry-trace": "1-1-1", "baggage": "a=b"}
CONDITIONS = {"If-None-Match": '"0-a"', "Cache-Control": "no-cache", "If-Modified-Since": "0", "Idempotency-Key": "k"}
NOT_FOUND = [404, {"error": "not found"}, []]


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


def test_readme_s_sign_in_opens_the_customers_cart(page: Page, stack: Stack) -> None:
    (python,) = re.findall(r"^ {4}(token = .*?)\n\n", section("## Sign-in", README), flags=re.MULTILINE | re.DOTALL)
    signed_in: dict[str, Any] = {
        "requests": requests, "MANAGEMENT_URL": stack.management_url, "MANAGEMENT_KEY": stack.management_key,
    }  # fmt: skip

    exec(python, signed_in)  # noqa: S102 - the README's own lines

    headers = {"Authorization": f"Token {signed_in['token']}"}
    item = {"method": "POST", "headers": headers, "body": f'{{"product": {stack.products[0].id}, "quantity": 3}}'}
    status, cart, _ = fetch(page, stack.shop_url + ITEMS, **item)
    assert (status, cart["items"][0]["quantity"]) == (200, 3)
