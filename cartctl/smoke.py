"""The steps of `cartctl smoke`: a customer fills a cart, checks out, and cancels the order.

The requests go over HTTP, as those of a storefront do. Only the token is written to the table, and the stock of the
product is read there.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cartctl import tokens
from cartctl.connection import Deployment
from cartctl.findings import CHECK_ERRORS, Finding, State, not_checked
from cartctl.http import SHOWN_LENGTH, TIMEOUT, session
from serverless_cart.auth import Token
from serverless_cart.clock import clock
from serverless_cart.dynamodb.catalogue import Catalogue
from serverless_cart.dynamodb.token_registry import TokenRegistry

CUSTOMER: Final = "cartctl-smoke"
"""The customer, whose cart is emptied. `cartctl customer erase` deletes what the runs leave behind."""
LIFETIME: Final = 600
"""Seconds for which the token is valid if a run is killed before it revokes the token."""
SELECTIONS: Final[Mapping[str, int]] = {"address": 1, "shipping_method": 1, "payment_method": 1}
"""A shop without methods accepts any ids."""


class SmokeError(Exception):
    """A step did not have the expected result; the message says what it had instead."""


class Visit:
    """One visit of the customer in a shop, to buy one piece of a product."""

    def __init__(self, deployment: Deployment, shop: str, product: int) -> None:
        self._deployment = deployment
        self._shop = shop
        self._product = product
        self._registry = TokenRegistry(deployment.table, clock)
        self._catalogue = Catalogue(deployment.table, shop)
        self._token = ""
        self._stock = 0
        self._total = 0
        self._order = ""

    def sign_in(self) -> str:
        """Issue a token, and revoke those of killed runs. Raises `NotFoundError` if the shop is not open."""
        self.sign_out()
        expires_at = int(time.time()) + LIFETIME
        token = Token("customer", self._shop, CUSTOMER, expires_at)
        self._token, _ = tokens.issue(self._registry.sign_in, token, "smoke test")
        return f"Issued a token for {CUSTOMER}"

    def begin(self) -> str:
        """Empty the cart, in which a killed run may have left the product."""
        self._check_empty(self._send("DELETE", "/api/shop/cart"))
        self._stock = self._read_stock()
        return f"The cart is empty, and {self._stock} pieces of product {self._product} are in stock"

    def add(self) -> str:
        """Add one piece to the cart."""
        cart = self._send("POST", "/api/shop/cart/items", {"product": self._product, "quantity": 1})
        _check("the cart's quantity", cart["quantity"], 1)
        self._total = cart["total"]
        return f"The cart has 1 piece for {self._total}"

    def check_out(self) -> str:
        """Make an order of the cart."""
        body = {**SELECTIONS, "total": self._total}
        self._order = self._send("POST", "/api/shop/checkout/cart", body)["order_key"]
        _check("the stock", self._read_stock(), self._stock - 1)
        return f"Order {self._order} took 1 piece from the stock"

    def read_order(self) -> str:
        """Read the order."""
        order = self._send("GET", f"/api/shop/customers/me/orders/{self._order}")
        _check("the order's status", order["status"], "hold")
        _check("the order's total", order["total"], self._total)
        return f"The order is in hold, with a total of {order['total']}"

    def cancel(self) -> str:
        """Cancel the order."""
        order = self._send("POST", f"/api/shop/customers/me/orders/{self._order}/cancel")
        _check("the order's status", order["status"], "cancelled")
        _check("the stock", self._read_stock(), self._stock)
        self._order = ""
        return "The order is cancelled, and its piece is in stock again"

    def end(self) -> str:
        """Read the cart, which checkout has emptied."""
        self._check_empty(self._send("GET", "/api/shop/cart"))
        return "The cart is empty again"

    def sign_out(self) -> str:
        """Revoke the token."""
        revoked = self._registry.sign_out(self._shop, CUSTOMER)
        return f"Revoked {len(revoked)} of {CUSTOMER}'s tokens"

    @property
    def remainder(self) -> str:
        """What a failed visit leaves behind, for the operator; empty if it leaves nothing."""
        if not self._order:
            return ""
        return f" The order ends by itself, or now: cartctl order set {self._shop} {self._order} cancelled --yes"

    def _send(self, method: str, path: str, body: Mapping[str, int] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Send a request of the customer. Raises `SmokeError` for another answer than 200."""
        headers = {"Authorization": f"Token {self._token}", "Idempotency-Key": secrets.token_hex(16)}
        with session(self._deployment) as http:
            answer = http.request(
                method, f"{self._deployment.shop_url}{path}", headers=headers, json=body, timeout=TIMEOUT
            )
        if answer.status_code != 200:
            shown = " ".join(answer.text.split())[:SHOWN_LENGTH]
            raise SmokeError(f"{method} {path} answers {answer.status_code} {shown}")
        return answer.json()

    def _read_stock(self) -> int:
        stock = self._catalogue.find([self._product])[self._product].stock
        if stock is None:
            raise SmokeError(f"product {self._product} has no limited stock any more")
        return stock

    def _check_empty(self, cart: Mapping[str, object]) -> None:
        _check("the cart's quantity", cart["quantity"], 0)


class Step(NamedTuple):
    """A step, and the end of the name of the log group that may have the reason of its failure."""

    log: str
    run: Callable[[Visit], str]


STEPS: Final[Mapping[str, Step]] = {
    "empty cart": Step("cart", Visit.begin),
    "item": Step("cart-items", Visit.add),
    "checkout": Step("checkout", Visit.check_out),
    "order": Step("orders", Visit.read_order),
    "cancel": Step("orders", Visit.cancel),
    "empty again": Step("cart", Visit.end),
}


def run_steps(deployment: Deployment, shop: str, product: int) -> list[Finding]:
    """Issue the token, run the steps up to the first that fails, revoke the token, and return a finding for each.

    Raises the errors of the SDK, `Unavailable` and `NotFoundError` if there can be no token.
    """
    visit = Visit(deployment, shop, product)
    findings = [Finding("token", State.OK, visit.sign_in())]
    try:
        for name, step in STEPS.items():
            findings.append(_finding(deployment, visit, name, step))
            if findings[-1].state is State.FAILURE:
                break
    finally:
        findings.append(_finding(deployment, visit, "clean-up", Step("authorizer", Visit.sign_out)))
    return findings


def _finding(deployment: Deployment, visit: Visit, name: str, step: Step) -> Finding:
    try:
        return Finding(name, State.OK, step.run(visit))
    except (SmokeError, LookupError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, SmokeError) else f"unexpected answer ({error!r})"
        log = f"aws logs tail /aws/lambda/{deployment.stack}-{step.log}"
        advice = f"The function's log may have the reason: {log}.{visit.remainder}"
        return Finding(name, State.FAILURE, f"{reason[0].upper()}{reason[1:]}", advice)
    except CHECK_ERRORS as error:
        return not_checked(name, error)


def _check(name: str, found: object, expected: object) -> None:
    if found != expected:
        raise SmokeError(f"{name} is {found} instead of {expected}")
