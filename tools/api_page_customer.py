"""The customer of the API page, whose cart and orders make its requests work (`make docs`)."""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from local.demo_terms import CARD, PICK_UP
from local.errors import LocalCloudError
from local.stack import Stack

CUSTOMER: Final = "api-page"
PRODUCTS: Final = (123, 456)
"""The products that the page tries first, as the document does."""
TIMEOUT_SECONDS: Final = 30
TOKEN_SECONDS: Final = 86_400
RESERVED: Final = timedelta(minutes=15)
"""An order that waits for its payment for less time is replaced by another one."""
RETRIES: Final = Retry(total=5, backoff_factor=0.1, status_forcelist=(429, 503), allowed_methods=None)

_preparing: Final = threading.Lock()
"""Held while the cart is used: another page would find it half filled."""


@dataclass(frozen=True, kw_only=True)
class PageCustomer:
    """The customer's token, and what it gives access to."""

    token: str
    item: int
    """The id of an item in the customer's cart."""
    product: int
    """The item's product."""
    orders: tuple[str, str]
    """The keys of two orders that wait for their payment: one to cancel, one to pay."""
    guest_token: str
    """The token of a guest whose cart has an item to move."""


def prepare(stack: Stack) -> PageCustomer:
    """Sign the customer in, and make sure that there are a cart, two unpaid orders and a guest's cart.

    Raises `LocalCloudError` if a request is refused or the demo shop sells nothing, `requests.RequestException` without
    an answer.
    """
    with _preparing:
        return _prepared(stack)


def _prepared(stack: Stack) -> PageCustomer:
    with _client(stack.management_key) as management:
        issued = _sent(
            management, "POST", f"{stack.management_url}/api/v2/customers/{CUSTOMER}/tokens", expires_in=TOKEN_SECONDS
        )
    with _client(issued["token"]) as shop:
        orders = _orders(shop, stack)
        item = _item(shop, stack)
    with _client(stack.api_key) as visitor:
        guest = _sent(visitor, "POST", f"{stack.shop_url}/api/shop/guests")
    with _client(guest["token"]) as shop:
        _add(shop, stack)
    return PageCustomer(
        token=issued["token"],
        item=item["id"],
        product=item["product"]["id"],
        orders=orders,
        guest_token=guest["token"],
    )


def _orders(shop: requests.Session, stack: Stack) -> tuple[str, str]:
    url = f"{stack.shop_url}/api/shop/customers/me/orders"
    listed = _sent(shop, "GET", f"{url}?status=hold&limit=2")["results"]
    latest = datetime.now(UTC) + RESERVED
    unpaid = [order["key"] for order in listed if datetime.fromisoformat(order["reserved_until"]) > latest]
    while len(unpaid) < 2:
        _clear(shop, stack)
        _add(shop, stack)
        order = _sent(
            shop,
            "POST",
            f"{stack.shop_url}/api/shop/checkout/cart",
            shipping_method=PICK_UP,
            payment_method=CARD,
        )
        unpaid.append(order["order_key"])
    return unpaid[0], unpaid[1]


def _item(shop: requests.Session, stack: Stack) -> Any:  # noqa: ANN401 - the API's JSON
    """Return an item of the cart, of a cart with a single item if there was none or it had warnings."""
    cart = _sent(shop, "GET", f"{stack.shop_url}/api/shop/cart")
    if cart["warnings"] or not cart["items"]:
        _clear(shop, stack)
        cart = _add(shop, stack)
    return cart["items"][0]


def _clear(shop: requests.Session, stack: Stack) -> None:
    cart = f"{stack.shop_url}/api/shop/cart"
    _sent(shop, "DELETE", cart)
    _sent(shop, "DELETE", f"{cart}/discount")
    _sent(shop, "PATCH", cart, address=None, shipping_method=None, payment_method=None)


def _add(shop: requests.Session, stack: Stack) -> Any:  # noqa: ANN401 - the API's JSON
    """Add the first product that is for sale, and return the cart."""
    for product in (*PRODUCTS, *(product.id for product in stack.products)):
        answer = _answer(shop, "POST", f"{stack.shop_url}/api/shop/cart/items", {"product": product, "quantity": 2})
        if answer.status_code != requests.codes.bad_request:
            return _content(answer)
    raise LocalCloudError("the demo shop has no product for sale: run make down, then make up")


@contextmanager
def _client(key: str) -> Iterator[requests.Session]:
    with requests.Session() as http:
        http.trust_env = False  # no proxy to this machine itself
        http.mount("http://", HTTPAdapter(max_retries=RETRIES))
        http.headers["Authorization"] = f"Token {key}"
        yield http


def _sent(http: requests.Session, method: str, url: str, **body: object) -> Any:  # noqa: ANN401 - the API's JSON
    return _content(_answer(http, method, url, body or None))


def _content(answer: requests.Response) -> Any:  # noqa: ANN401 - the API's JSON
    """Return an answer's JSON. Raises `LocalCloudError` if the request was refused."""
    if not answer.ok:
        asked = f"{answer.request.method} {answer.request.path_url}"
        raise LocalCloudError(f"the API page cannot be prepared: {asked} answered {answer.status_code}: {answer.text}")
    return answer.json()


def _answer(
    http: requests.Session, method: str, url: str, body: Mapping[str, object] | None = None
) -> requests.Response:
    headers = {"Idempotency-Key": secrets.token_hex()}  # a change that is repeated is applied once
    return http.request(method, url, json=body, headers=headers, timeout=TIMEOUT_SECONDS)
