"""The APIs as their clients see them, and what the contract says of every answer, checked on every answer."""

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from schemathesis import Response as GeneratedResponse

from serverless_cart.domain.cart import Owner

SENSITIVE: Final[set[str]] = set()
"""Keys, customers, sessions and texts that the tests send, and that no log, metric or error may hold."""
ERRORS: Final[list[str]] = []
"""Every error that any test was answered with, headers and body."""
ANSWERS: Final[Counter[int]] = Counter()
"""How often any test was answered with each status."""
TELLING: Final = 12
"""Characters that a text must have to be searched for: a shorter one is found by chance."""
INNARDS: Final = re.compile(r"traceback|\.py\b|boto|pydantic|powertools|dynamodb|arn:aws|lambda", re.IGNORECASE)
"""What no client may ever read in an answer."""
_KEY: Final = re.compile(r"[0-9a-f]{40}")


def sensitive(text: str) -> str:
    """Return a text after noting that no log, metric or error may hold it."""
    SENSITIVE.add(text)
    return text


def sensitive_in(text: str) -> list[str]:
    """Return what a text holds of all that it may not."""
    return [secret for secret in SENSITIVE if secret in text]


def note_answer(response: requests.Response | GeneratedResponse) -> None:
    """Count an answer, and keep an error, to be searched in the end."""
    ANSWERS[response.status_code] += 1
    if response.status_code >= 400:
        ERRORS.append(f"{dict(response.headers)} {response.text}")


def _note_what_is_sent(options: Mapping[str, Any]) -> None:
    """Note the keys and texts of a request."""
    for value in (options.get("headers") or {}).values():
        SENSITIVE.update(_KEY.findall(value if isinstance(value, str) else value.decode("latin-1")))
    for part in (options.get("json"), options.get("params")):
        if isinstance(part, Mapping):
            texts = (part.get("notes"), part.get("title"))
            SENSITIVE.update(text for text in texts if isinstance(text, str) and len(text) >= TELLING)


NOTE: Final = sensitive("gift-wrapped for Wilhelmina")
"""An item's notes."""
TITLE: Final = sensitive("Marzipan mousetrap")
"""The title of a search session's item."""


@dataclass(frozen=True)
class Reply:
    """An answer; two are equal where status and body are."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def version(self) -> int:
        """The cart's version, which the answer's entity tag names."""
        match = re.fullmatch(r'"([0-9]+)-[0-9a-f]+"', self.headers["ETag"])
        assert match
        return int(match[1])


CART: Final = "/api/shop/cart"
ITEMS: Final = "/api/shop/cart/items"
MERGE: Final = "/api/shop/cart/merge"
GUESTS: Final = "/api/shop/guests"
DISCOUNT: Final = "/api/shop/cart/discount"
METHODS: Final = ("/api/shop/shipping/methods", "/api/shop/payment/methods")
CHECKOUT: Final = "/api/shop/checkout/cart"
ORDERS: Final = "/api/shop/customers/me/orders"
ORDER: Final = f"{ORDERS}/{{order}}"
CANCEL: Final = f"{ORDER}/cancel"


class Http:
    """One API over HTTP. Paths go out exactly as they are given: requests would tidy up what the tests are about."""

    def __init__(self, url: str, *, innards: str, of_pages: bool = True) -> None:
        """``url`` is what a route's path is appended to; ``innards`` is a name that no answer may hold.

        Every answer of an API ``of_pages`` has CORS headers and a text as its error; no answer of the other has.
        """
        self._of_pages = of_pages
        self._url = url
        self._innards = innards
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(pool_maxsize=16))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def raw(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request and return the answer, whatever it is."""
        _note_what_is_sent(options)
        request = self._session.prepare_request(requests.Request(method, self._url, **options))
        _, question_mark, query = (request.url or "").partition("?")
        request.url = f"{self._url}{path}{question_mark}{query}"
        response = self._session.send(request, timeout=60)
        note_answer(response)
        return response

    def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        **options: Any,
    ) -> Reply:
        """Send a request and return the answer, after checking what the contract says of every answer."""
        credentials = {} if token is None else {"Authorization": f"Token {token}"}
        response = self.raw(method, path, headers={**credentials, **(headers or {})}, **options)
        if response.status_code == 304:
            assert response.content == b""
        else:
            assert response.headers["Content-Type"].partition(";")[0] == "application/json"
        body: Any = response.json() if response.content else None
        if self._of_pages:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            exposed = {name.strip().lower() for name in response.headers["Access-Control-Expose-Headers"].split(",")}
            assert exposed >= {"etag", "idempotency-replayed"}
        else:
            assert not any(name.lower().startswith("access-control-") for name in response.headers)
        if response.status_code >= 400:
            error = body["error"]
            assert isinstance(error, str) if self._of_pages else {"code", "message"} <= error.keys()
            assert not INNARDS.search(response.text)
            assert self._innards not in response.text
        return Reply(response.status_code, body, CaseInsensitiveDict(response.headers))


@dataclass(frozen=True)
class Visitor:
    """A shop's visitor in a search session, with the shop's API key."""

    http: Http
    token: str
    hashid: str
    session: str

    @property
    def path(self) -> str:
        """The route of the session's cart; ``session`` is used as it is, percent-encoded already."""
        return f"/6/{self.hashid}/stats/cart/{self.session}"

    def send(self, method: str, **options: Any) -> Reply:
        """Send any request about the session's cart; ``headers`` may bring another key."""
        headers = {"Authorization": f"Token {self.token}", **options.pop("headers", {})}
        if len(self.session) >= TELLING:
            sensitive(self.session)
        return self.http.send(method, self.path, headers=headers, **options)

    def event(self, name: str, method: str = "PUT", **options: Any) -> Reply:
        """Send an event of the session: ``init``, ``click``, ``image``, ``redirect`` or ``checkout``."""
        headers = {"Authorization": f"Token {self.token}", **options.pop("headers", {})}
        return self.http.send(method, f"/6/{self.hashid}/stats/{name}", headers=headers, **options)

    def put(self, id: object, index: str = "product", **more: object) -> Reply:  # noqa: A002 - the contract's word
        """Put an item in the cart."""
        return self.send("PUT", json={"id": id, "index": index, "title": TITLE, **more})

    def patch(self, id: object, index: str = "product", **more: object) -> Reply:  # noqa: A002 - the contract's word
        """Take an item out of the cart."""
        return self.send("PATCH", json={"id": id, "index": index, **more})

    def delete(self) -> Reply:
        """Empty the cart."""
        return self.send("DELETE")


@dataclass(frozen=True)
class Customer:
    """A shop's signed-in customer."""

    http: Http
    token: str
    owner: Owner

    def send(self, method: str, path: str, **options: Any) -> Reply:
        """Send any request; ``headers`` may bring another token."""
        headers = {"Authorization": f"Token {self.token}", **(options.pop("headers", None) or {})}
        return self.http.send(method, path, headers=headers, **options)

    def post(self, *, path: str = ITEMS, **options: Any) -> Reply:
        """Send any request to add an item."""
        return self.send("POST", path, **options)

    def add(self, product: object, *, headers: Mapping[str, str] | None = None, **more: object) -> Reply:
        """Add a product to the cart."""
        return self.post(json={"product": product, **more}, headers=headers)

    def read(self, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Read the cart."""
        return self.send("GET", CART, headers=headers)

    def select(self, *, headers: Mapping[str, str] | None = None, **selections: object) -> Reply:
        """Select for the cart."""
        return self.send("PATCH", CART, json=selections, headers=headers)

    def clear(self, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Empty the cart."""
        return self.send("DELETE", CART, headers=headers)

    def read_item(self, item: object) -> Reply:
        """Read an item, by its id."""
        return self.send("GET", f"{ITEMS}/{item}")

    def update_item(self, item: object, *, headers: Mapping[str, str] | None = None, **changes: object) -> Reply:
        """Change an item, by its id."""
        return self.send("PATCH", f"{ITEMS}/{item}", json=changes, headers=headers)

    def remove(self, item: object, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Remove an item, by its id."""
        return self.send("DELETE", f"{ITEMS}/{item}", headers=headers)

    def merge(self, guest: object, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Move a guest's items into the cart, by the guest's token."""
        return self.send("POST", MERGE, json={"token": guest}, headers=headers)

    def apply_discount(self, code: object) -> Reply:
        """Apply a discount code to the cart."""
        return self.send("PUT", DISCOUNT, json={"code": code})

    def check_out(self, *, headers: Mapping[str, str] | None = None, **body: object) -> Reply:
        """Order the cart."""
        return self.send("POST", CHECKOUT, json=body, headers=headers)

    def orders(self, **query: object) -> Reply:
        """List the orders."""
        return self.send("GET", ORDERS, params=query)

    def order(self, key: object) -> Reply:
        """Read an order, by its key."""
        return self.send("GET", ORDER.format(order=key))

    def cancel(self, key: object) -> Reply:
        """Cancel an order, by its key."""
        return self.send("POST", CANCEL.format(order=key))


TOKENS: Final = "/api/v2/customers/{customer}/tokens"
CUSTOMER_CART: Final = "/api/v2/customers/{customer}/cart"
SHOP_ORDERS: Final = "/api/v2/orders"
SHOP_ORDER: Final = f"{SHOP_ORDERS}/{{order}}"


@dataclass(frozen=True)
class Manager:
    """A shop's server, with a management key."""

    http: Http
    token: str

    def send(self, method: str, path: str, customer: str, **options: Any) -> Reply:
        """Send any request about a customer; ``headers`` may bring another key."""
        headers = {"Authorization": f"Token {self.token}", **(options.pop("headers", None) or {})}
        path = path.format(customer=quote(customer, safe=""))
        reply = self.http.send(method, path, headers=headers, **options)
        if reply.status == 201:
            sensitive(reply.body["token"])
        return reply

    def sign_in(self, customer: str, **body: object) -> Reply:
        """Issue a token of a customer."""
        return self.send("POST", TOKENS, customer, **({"json": body} if body else {}))

    def sign_out(self, customer: str) -> Reply:
        """Revoke a customer's tokens."""
        return self.send("DELETE", TOKENS, customer)

    def cart(self, customer: str) -> Reply:
        """Read a customer's cart."""
        return self.send("GET", CUSTOMER_CART, customer)

    def orders(self, **query: object) -> Reply:
        """List the shop's orders."""
        return self.send("GET", SHOP_ORDERS, "", params=query)

    def order(self, key: str) -> Reply:
        """Read an order, by its key."""
        return self.send("GET", SHOP_ORDER.format(order=key), "")

    def change_order(self, key: str, **body: object) -> Reply:
        """Change the status or the amount paid of an order."""
        return self.send("PATCH", SHOP_ORDER.format(order=key), "", json=body)

    def report(self, name: str, **options: Any) -> Reply:
        """Read the statistics of 2025-11-21; the name may bring a slash and more parameters."""
        name, _, query = name.partition("?")
        return self.send("GET", f"/api/v2/stats/{name}?from=20251121&to=20251121&{query}", "", **options)


def unique(prefix: str) -> str:
    """Make a name that no other test uses."""
    return f"{prefix}-{secrets.token_hex(8)}"
