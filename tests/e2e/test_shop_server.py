"""The demo shop's server over HTTP: what it does with the management key, and which requests it refuses."""

import http.client
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from rich.console import Console
from werkzeug.test import Client

from local import cloud, demo_orders, demonstration, shop_server, shop_site
from local.emulator import free_port
from local.stack import Stack
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.product import Product
from tools.support.clients import Customer, Http, Manager, Visitor, sensitive, sensitive_in, unique
from tools.support.paths import ROOT

README = ROOT / "README.md"
JSON = "application/json"


class Browser:
    """Sends requests to the demo shop's server as one of its pages does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Origin"] = url

    def get(self, path: str, **options: Any) -> requests.Response:
        return self._http.get(self.url + path, timeout=60, **options)

    def send(self, method: str, path: str, **body: object) -> requests.Response:
        return self._http.request(method, self.url + path, json=body, timeout=60)

    def change_product(self, product: Product, **changes: object) -> requests.Response:
        return self.send("PATCH", f"/staff/products/{product.id}", **changes)

    def change_order(self, key: str, **changes: object) -> requests.Response:
        return self.send("PATCH", f"/staff/orders/{key}", **changes)

    def raw(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> tuple[int, str]:
        """Send exactly these headers and this path; return the status and the body."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        headers = {"Host": address.netloc, **headers}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, content


@pytest.fixture(scope="module")
def folder(stack: Stack, state: Path) -> Path:
    return cloud.folder_of(stack, state)


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Browser]:
    yield Browser(shop_server.start(folder, free_port()))
    shop_server.stop(folder)


@pytest.fixture
def order(customer: Customer, lamp: Product) -> dict[str, Any]:
    """Order two lamps, and return the order, which waits for payment."""
    assert customer.add(lamp.id, quantity=2).status == 200
    placed: dict[str, Any] = customer.order(customer.check_out().body["order_key"]).body
    assert placed["status"] == "hold"
    return placed


def test_settings_have_only_public_keys(browser: Browser, stack: Stack) -> None:
    settings = browser.get("/settings.json")

    addresses = {name: getattr(stack, name) for name in ("shop_url", "search_url", "hashid", "api_key")}
    customers = [f"customer-{number}" for number in range(1, 9)]
    assert settings.json() == {**addresses, "currency": "EUR", "customers": customers}
    assert stack.management_key not in settings.text


def test_products_are_those_of_the_table(browser: Browser, lamp: Product, visitor: Visitor) -> None:
    (shown,) = [one for one in browser.get("/products.json").json()["results"] if one["id"] == lamp.id]

    assert shown == {**lamp._asdict(), "dfid": shown["dfid"]}
    assert visitor.event("click", json={"session_id": visitor.session, "dfid": shown["dfid"]}).status == 200


def test_sign_in_opens_the_customer_s_cart(
    browser: Browser, customer: Customer, manager: Manager, lamp: Product
) -> None:
    name = unique("signed.in@shop")[:64]

    answer = browser.send("POST", "/sign-in", customer=name)

    assert (answer.status_code, answer.json().keys()) == (201, {"customer", "token", "expires_at"})
    headers = {"Authorization": f"Token {sensitive(answer.json()['token'])}"}
    assert customer.add(lamp.id, headers=headers).status == 200
    assert manager.cart(name).body["quantity"] == 1


@pytest.mark.parametrize("name", ["", "a" * 65, "..", "guest:1", "a/b", 7, None])
def test_odd_names_cannot_sign_in(browser: Browser, name: object) -> None:
    assert browser.send("POST", "/sign-in", customer=name).status_code == 400


def test_payment_moves_the_order_to_processing(browser: Browser, order: dict[str, Any]) -> None:
    paid = browser.send("POST", "/payments", order=order["key"])

    assert paid.status_code == 200
    changed = {name: paid.json()["order"][name] for name in ("status", "amount_paid", "is_paid")}
    assert changed == {"status": "processing", "amount_paid": order["total"], "is_paid": True}
    again = browser.send("POST", "/payments", order=order["key"])
    assert (again.status_code, again.json()) == (409, {"error": "the order does not wait for a payment"})


def test_staff_sees_and_changes_orders(browser: Browser, order: dict[str, Any]) -> None:
    listed = browser.get("/staff/orders").json()["results"]
    assert order["key"] in [one["key"] for one in listed]
    assert [one["created_at"] for one in listed] == sorted((one["created_at"] for one in listed), reverse=True)

    for status in ("processing", "shipped"):
        assert browser.change_order(order["key"], status=status).json()["status"] == status

    shipped = browser.get("/staff/orders", params={"status": "shipped"}).json()["results"]
    assert order["key"] in [one["key"] for one in shipped]
    assert {one["status"] for one in shipped} == {"shipped"}


@pytest.mark.parametrize(
    ("key", "status", "refused"),
    [("own", "sold", (400, "bad_params")), ("own", "completed", (409, "invalid_transition")),
     ("ORD-" + "0" * 26, "shipped", (404, "not_found"))],
)  # fmt: skip
def test_refused_status_has_its_reason(
    browser: Browser, order: dict[str, Any], key: str, status: str, refused: tuple[int, str]
) -> None:
    answer = browser.change_order(order["key"] if key == "own" else key, status=status)

    assert (answer.status_code, answer.json()["code"]) == refused
    assert answer.json()["error"]


def test_changed_price_must_be_reviewed(browser: Browser, customer: Customer, lamp: Product) -> None:
    assert customer.add(lamp.id).status == 200

    changed = browser.change_product(lamp, price=1_100, discount=0, stock=7)

    assert (changed.status_code, changed.json()["price"], changed.json()["stock"]) == (200, 1_100, 7)
    review = customer.check_out()
    assert (review.status, [it["code"] for it in review.body["details"]["warnings"]]) == (409, ["price_changed"])
    assert customer.read().body["total"] == 1_100


def test_product_is_withdrawn_and_unlimited(browser: Browser, customer: Customer, lamp: Product) -> None:
    assert browser.change_product(lamp, stock=None, active=False).json()["stock"] is None
    assert customer.add(lamp.id).body["error"] == "invalid product"


@pytest.mark.parametrize(
    "changes",
    [{}, {"price": -1}, {"price": "1"}, {"price": True}, {"price": 2**53}, {"stock": 1.5}, {"active": None},
     {"price": 10, "discount": 11}, {"name": "x"}],
)  # fmt: skip
def test_impossible_products_are_refused(browser: Browser, lamp: Product, changes: dict[str, object]) -> None:
    answer = browser.change_product(lamp, **changes)

    assert (answer.status_code, answer.json().keys()) == (400, {"error"})


@pytest.mark.parametrize("product", ["9" * 16, "9" * 23, "9" * 5000, "lamp"])
def test_impossible_ids_of_products_are_refused(browser: Browser, product: str) -> None:
    answer = browser.send("PATCH", f"/staff/products/{product}", stock=1)

    assert (answer.status_code, answer.json()) == (404, {"error": "there is no such product"})


def test_unexpected_error_keeps_the_headers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "stack.json").write_text("{")
    site = shop_site.Site(tmp_path, 4600)

    answer = Client(site).get("/settings.json", base_url="http://127.0.0.1:4600")

    assert (answer.status_code, answer.json) == (500, {"error": "internal server error"})
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "JSONDecodeError" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        *(
            ("GET", "/settings.json", {"Host": host}, 403)
            for host in ("evil.example", "evil.example:4600", "127.0.0.1", "")
        ),
        ("GET", "/settings.json", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("GET", "/settings.json", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ("GET", "/settings.json", {"Origin": "https://evil.example"}, 403),
        *(
            ("POST", "/sign-in", {"Origin": origin}, 403)
            for origin in ("https://evil.example", "null", "http://127.0.0.1")
        ),
        *(("POST", "/sign-in", {"Sec-Fetch-Site": site}, 403) for site in ("cross-site", "same-site")),
        ("POST", "/sign-in", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ("POST", "/sign-in", {"Content-Type": "text/plain"}, 415),
        ("POST", "/sign-in", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/sign-in", {}, 201),
        ("POST", "/staff/orders", {}, 405),
        ("OPTIONS", "/sign-in", {"Origin": "https://evil.example"}, 403),
    ],
)
def test_foreign_requests_are_refused(
    browser: Browser, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    body = json.dumps({"customer": unique("visitor")}) if method == "POST" else ""

    answered, content = browser.raw(method, path, {"Content-Type": JSON, **headers}, body)

    assert answered == status, content
    assert status == 201 or "token" not in content


@pytest.mark.parametrize(("mode", "status"), [("navigate", 302), ("cors", 200)])
def test_pages_have_one_name(browser: Browser, mode: str, status: int) -> None:
    name = browser.url.replace("http://127.0.0.1", "localhost")
    headers = {"Host": name, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": mode}

    answer = browser.get("/settings.json?a=%2F", headers={**headers, "Origin": f"http://{name}"}, allow_redirects=False)

    assert answer.status_code == status
    assert answer.headers.get("Location") == (f"{browser.url}/settings.json?a=%2F" if status == 302 else None)


@pytest.mark.parametrize("body", ["", "{", "[" * 60_000, "[]"], ids=["none", "cut off", "deep", "a list"])
def test_body_that_is_no_object_is_refused(browser: Browser, body: str) -> None:
    assert browser.raw("POST", "/sign-in", {"Content-Type": JSON}, body)[0] == 400


def test_refused_preparation_of_the_api_page_is_named(stack: Stack, tmp_path: Path) -> None:
    replace(stack, management_key="0" * 40).save(tmp_path)

    answer = Client(shop_site.Site(tmp_path, 4600)).get("/docs/", base_url="http://127.0.0.1:4600")

    assert answer.status_code == 503
    assert re.search(r"POST \S*/api/v2/customers/\S+/tokens answered 401: ", answer.text)


def test_large_bodies_are_refused(browser: Browser) -> None:
    assert browser.send("POST", "/sign-in", customer="a" * 65_536).status_code == 413


@pytest.mark.parametrize(
    "path",
    ["/../local/settings.py", "/%2e%2e/local/settings.py", "/..%2flocal%2fsettings.py", "/..%5clocal%5csettings.py",
     "//etc/passwd", "/%2fetc%2fpasswd", "/pictures/../../local/settings.py", "/%00",
     "/api/v2/../../../../_ministack/health", "/api/v2/%2e%2e/%2e%2e/%2e%2e/%2e%2e/_ministack/health",
     "/api/v2/..%5c..", "/api/v2"],
)  # fmt: skip
def test_paths_stay_in_their_folder(browser: Browser, path: str) -> None:
    status, content = browser.raw("GET", path, {})

    assert (status, json.loads(content)) == (404, {"error": "not found"})


def test_requests_pass_to_the_management_api(browser: Browser, stack: Stack, manager: Manager) -> None:
    name = unique("visitor ä")
    path = f"/api/v2/customers/{quote(name, safe='')}"
    own = {"Authorization": f"Token {stack.management_key}", "Content-Type": JSON}

    status, issued = browser.raw("POST", f"{path}/tokens", own, '{"expires_in": 60}')
    sensitive(json.loads(issued)["token"])

    assert status == 201
    assert manager.sign_out(name).body == {"revoked": 1}
    assert browser.raw("GET", "/api/v2/orders?from=1&to=2&limit=0", own)[0] == 400
    assert browser.raw("GET", "/api/v2/nothing", own)[0] == 404
    assert browser.raw("GET", f"{path}/cart", {}) == (
        401, '{"error": {"code": "not_authenticated", "message": "Authentication required"}}'
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text"), [("/staff/statistics.html?days=7", "Statistics of demo"), ("/docs/", "serverless-cart")]
)
def test_self_contained_pages_keep_their_policy(browser: Browser, stack: Stack, path: str, text: str) -> None:
    page = browser.get(path)

    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert text in page.text
    assert page.headers["Content-Security-Policy"] == (
        f"connect-src 'self' {stack.endpoint_url}; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )


def test_files_run_no_foreign_script(browser: Browser, stack: Stack) -> None:
    file = browser.get("/serverless-cart.js")

    assert (file.status_code, file.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert (file.headers["Cache-Control"], file.headers["X-Content-Type-Options"]) == ("no-cache", "nosniff")
    policy = file.headers["Content-Security-Policy"].split("; ")
    assert policy[:3] == ["default-src 'self'", "object-src 'none'", f"connect-src 'self' {stack.endpoint_url}"]
    assert browser.get("/serverless-cart.js", headers={"If-None-Match": file.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("days", ["0", "401", "x", "-1", "²", "1000"])
def test_impossible_periods_are_refused(browser: Browser, days: str) -> None:
    assert browser.get("/staff/statistics.html", params={"days": days}).status_code == 400


def test_demonstration_s_orders_are_placed_once(browser: Browser, stack: Stack, manager: Manager) -> None:
    for _ in range(2):
        demo_orders.place(stack, cloud.SILENT)

    placed = [
        it for it in browser.get("/staff/orders").json()["results"] if it["customer"] == stack.demonstration_customer
    ]
    assert [(it["status"], it["payment_method"], it["quantity"]) for it in placed] == [("hold", 2, 1)] * 2
    assert manager.cart(stack.demonstration_customer).body["is_empty"]


def test_demonstration_fills_the_cart_once(stack: Stack, manager: Manager, shop_http: Http) -> None:
    customer = Customer(shop_http, stack.demonstration_token, Owner("demo", stack.demonstration_customer))
    shown = StringIO()
    try:
        for _ in range(2):
            demonstration.show(stack, Console(file=shown))
        assert [item["quantity"] for item in manager.cart(stack.demonstration_customer).body["items"]] == [2]
    finally:
        customer.clear()

    (variables,) = {line for line in shown.getvalue().splitlines() if line.startswith("export ")}
    names = {word.partition("=")[0] for word in shlex.split(variables)}
    first_requests = README.read_text().partition("## First requests")[2].partition("## A shop of your own")[0]
    assert {*re.findall(r"\$(\w+)", first_requests), "MANAGEMENT_URL", "MANAGEMENT_KEY"} == names - {"export"}


def test_log_has_no_secret(browser: Browser, folder: Path) -> None:
    assert browser.get("/nothing").status_code == 404

    assert sensitive_in((folder / shop_server.LOG).read_text()) == []
