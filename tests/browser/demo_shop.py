"""A visitor of the demo shop: one tab, and what a person does in it."""

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Route, expect

from local.stack import Stack

IMAGES_OF_OTHER_TESTS = "https://img.example/"
"""Pictures of the products that other tests sell, which the page's policy blocks."""

expect.set_options(timeout=20_000)  # milliseconds: a function's first call starts it
TAB_COMES_BACK = "document.dispatchEvent(new Event('visibilitychange'))"
STORAGE = """
([name, value]) => {
  const full = Object.keys(localStorage).find((it) => it.startsWith("serverless-cart/") && it.endsWith(`/${name}`));
  if (value !== null) localStorage.setItem(full, value);
  return localStorage.getItem(full);
}
"""


class DemoShop:
    """A tab of the demo shop. It keeps complaints of the browser, requests to other hosts, and search events."""

    def __init__(self, page: Page, url: str, stack: Stack) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.refused: list[str] = []
        self.events: list[tuple[str, Any]] = []
        self._changed: set[int] = set()
        self._stack = stack
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"} or IMAGES_OF_OTHER_TESTS in message.text:
            return
        # The browser writes a line for each answer of 400 and above, and for each lost connection.
        answers = message.text.startswith("Failed to load resource")
        (self.refused if answers else self.complaints).append(message.text)

    def _see(self, request: Request) -> None:
        known = (self.url, self._stack.shop_url, self._stack.search_url, IMAGES_OF_OTHER_TESTS)
        if not request.url.startswith(known):
            self.complaints.append(f"request to {request.url}")
        if request.url.startswith(self._stack.search_url) and request.method != "OPTIONS":
            self.events.append((request.url.split("/stats/")[1].split("/")[0], request.post_data_json))

    def open(self, place: str = "") -> "DemoShop":
        """Open the shop, or a place in it: "#orders", "staff.html"."""
        self.page.goto(f"{self.url}/{place}")
        if ".html" not in place:
            expect(self.page.locator("#products > li").first).to_be_attached()
        return self

    def add(self, name: str) -> "DemoShop":
        """Add a product, and wait until the cart has it."""
        before = int(self.count.text_content() or 0)
        self.add_button(name).click()
        expect(self.count).to_have_text(str(before + 1))
        return self

    def add_button(self, name: str) -> Locator:
        return self.page.locator("#products > li").filter(has_text=name).locator("[data-part=add]")

    @property
    def said(self) -> Locator:
        """The announcement of the last change."""
        return self.page.locator("#announcement")

    def open_cart(self) -> "DemoShop":
        self.page.locator("#open-cart").click()
        expect(self.page.locator("#cart-foot")).to_be_visible()
        return self

    def item(self, name: str) -> Locator:
        return self.page.locator("#cart-items > li").filter(has_text=name)

    def part(self, item: str, part: str) -> Locator:
        return self.item(item).locator(f"[data-part={part}]")

    def sign_in(self, customer: str) -> "DemoShop":
        """Answer the dialog, which is open."""
        self.page.locator("#sign-in-customer").fill(customer)
        self.page.locator("#sign-in-submit").click()
        expect(self.page.locator("#sign-in-dialog")).not_to_be_visible()
        return self

    def signed_in(self, customer: str) -> "DemoShop":
        self.page.locator("#sign-in").click()
        return self.sign_in(customer)

    def choose(self, *methods: str) -> "DemoShop":
        """Select methods, and wait until the page has announced the new total of each."""
        for method in methods:
            self.said.evaluate("(said) => { said.textContent = ''; }")
            self.page.locator(".method").filter(has_text=method).click()
            expect(self.said).not_to_be_empty()
        return self

    def set_quantity(self, item: str, quantity: int) -> "DemoShop":
        self.part(item, "quantity").fill(str(quantity))
        self.page.keyboard.press("Tab")
        return self

    def place_order(self) -> "DemoShop":
        self.page.locator("#place-order").click()
        return self

    def write_notes(self, item: str, notes: str) -> "DemoShop":
        """Type notes on an item; they are saved when the field loses the focus."""
        if not self.part(item, "notes-field").is_visible():
            self.part(item, "summary").click()
        self.part(item, "notes-field").fill(notes)
        return self

    @property
    def count(self) -> Locator:
        """The number of pieces on the cart's button."""
        return self.page.locator("#cart-count")

    @property
    def order_status(self) -> Locator:
        return self.page.locator("#order-status")

    @property
    def order_key(self) -> str:
        self.page.wait_for_url(re.compile("ORD-"))
        return self.page.url.rpartition("/")[2]

    def storage(self, name: str, value: str | None = None) -> str:
        """Return a value of the client library's storage by the end of its name; with a value, replace it first."""
        kept: str = self.page.evaluate(STORAGE, [name, value])
        return kept

    def send(self, method: str, url: str, body: object, token: str = "") -> Any:
        """Send a request beside the page, to the shop's server or, with a token, to the Shop API."""
        headers = {"Content-Type": "application/json", "Authorization": f"Token {token}"}
        answer = self.page.request.fetch(url, method=method, headers=headers, data=json.dumps(body))
        assert answer.ok, answer.text()
        return answer.json()

    def change_product(self, product: int, **changes: object) -> None:
        """Change the catalogue as the shop's staff does, until `restore_products`."""
        self.send("PATCH", f"{self.url}/staff/products/{product}", changes)
        self._changed.add(product)

    def restore_products(self) -> None:
        """Take back the changes of the catalogue."""
        for product in self._stack.products:
            if product.id in self._changed:
                kept = {name: getattr(product, name) for name in ("price", "discount", "stock", "active")}
                self.change_product(product.id, **kept)


Visit = Callable[..., DemoShop]
"""Opens a place in the shop as a new visitor, or ``beside`` a tab of one."""


class Held:
    """Requests of a tab, all or the next ``times``, that wait until the test continues them."""

    def __init__(self, shop: DemoShop, url: str, times: int | None = None) -> None:
        self._page = shop.page
        self._requests: list[Route] = []
        self._page.route(url, self._keep, times=times)

    def _keep(self, request: Route) -> None:
        self._requests.append(request)

    def first(self) -> Route:
        """Wait for the first request."""
        for _ in range(1_000):
            if self._requests:
                return self._requests[0]
            self._page.wait_for_timeout(20)  # milliseconds, in which Playwright hears of requests
        message = "no request"
        raise AssertionError(message)
