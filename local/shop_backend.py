"""The requests of the demo shop's server to the local cloud, with the management key and with cartctl."""

import tempfile
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from cartctl.app import run
from local import demo_shop
from local.demo_events import INDEX
from local.stack import Stack
from serverless_cart.clock import clock
from serverless_cart.domain.product import Product
from serverless_cart.domain.statistics import dfid_md5
from serverless_cart.dynamodb.catalogue import Catalogue

TIMEOUT_SECONDS: Final = 30
ORDER_DAYS: Final = 7
"""The days whose orders the staff sees."""
ORDERS: Final = 200
"""The most orders that the staff sees."""
PAGE: Final = 1000
"""Orders in an answer of the Management API."""
_DAY: Final = 24 * 3600 * 1000

_cartctl: Final = threading.Lock()
"""Held while a command of cartctl runs: it replaces the process's standard output."""


class ManagementError(Exception):
    """The Management API answered another status than 2xx."""

    def __init__(self, status: int, code: str, message: str, retry_after: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


class Backend:
    """The demo shop's own access to one stack. Threads may share it.

    Its methods raise `ManagementError`, `requests.RequestException`, and those that use the table `Unavailable` and
    `CartctlError`. Amounts are euro cents.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._connection = demo_shop.connection_to(stack)
        self._catalogue = Catalogue(self._connection.table, demo_shop.SHOP)
        retries = Retry(
            3, backoff_factor=0.5, status_forcelist=[429, 503], allowed_methods=None, raise_on_status=False
        )  # each request may be repeated
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy to this machine itself
        self._http.mount(stack.management_url, HTTPAdapter(max_retries=retries))
        self._http.headers["Authorization"] = f"Token {stack.management_key}"

    def sign_in(self, customer: str) -> dict[str, Any]:
        """Return a customer's token and its expiry, ``{"token", "expires_at"}``."""
        return self._call("POST", f"/api/v2/customers/{quote(customer, safe='')}/tokens", {"expires_in": 86_400})

    def order(self, key: str) -> dict[str, Any]:
        """Return an order."""
        return self._call("GET", f"/api/v2/orders/{quote(key, safe='')}")

    def change_order(self, key: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change an order's ``status``, ``amount_paid`` or, with a refund, stock (``restock``); return the order."""
        return self._call("PATCH", f"/api/v2/orders/{quote(key, safe='')}", dict(changes))

    def recent_orders(self, status: str | None = None) -> list[dict[str, Any]]:
        """Return the orders of the last `ORDER_DAYS`, newest first, without their items; at most `ORDERS`."""
        now = clock()
        query = {"from": now - ORDER_DAYS * _DAY, "to": now, "limit": PAGE, **({"status": status} if status else {})}
        newest: deque[dict[str, Any]] = deque(maxlen=ORDERS)
        while True:
            answer = self._call("GET", "/api/v2/orders", query=query)
            newest.extend(answer["results"])
            if not answer.get("cursor"):
                return list(reversed(newest))
            query["cursor"] = answer["cursor"]

    def products(self) -> list[dict[str, Any]]:
        """Return the products as the table has them now, by ascending id, which is the catalogue's order."""
        return [self._shown(product) for product in self._catalogue.products()]

    def change_product(self, product: int, options: Mapping[str, str]) -> dict[str, Any]:
        """Change a product by options of ``cartctl catalogue set``, such as ``{"--price": "990"}``, and return it."""
        words = [f"{option}={value}" if value else option for option, value in options.items()]
        with _cartctl:
            run(["catalogue", "set", demo_shop.SHOP, str(product), *words], self._connection)
        return self._shown(self._catalogue.find([product])[product])

    def statistics_page(self, days: int) -> bytes:
        """Return the page of ``cartctl stats show --html``."""
        with tempfile.TemporaryDirectory() as folder, _cartctl:
            page = Path(folder) / "statistics.html"
            words = ["stats", "show", demo_shop.SHOP, "--days", str(days), "--html", str(page)]
            run(words, self._connection)
            return page.read_bytes()

    def pass_on(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        """Send a request to the Management API without our key, and return the answer as it is. ``path`` is raw."""
        with requests.Session() as http:
            http.trust_env = False
            url = self.stack.management_url + path
            return http.request(method, url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)

    def _shown(self, product: Product) -> dict[str, Any]:
        dfid = f"{self.stack.hashid}@{INDEX}@{dfid_md5(str(product.id))}"
        return {**product._asdict(), "dfid": dfid}

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = self._http.request(
            method, self.stack.management_url + path, json=body, params=query, timeout=TIMEOUT_SECONDS
        )
        content: dict[str, Any] = answer.json()
        if not answer.ok:
            error = content["error"]
            raise ManagementError(
                answer.status_code, error["code"], error["message"], answer.headers.get("Retry-After")
            )
        return content
