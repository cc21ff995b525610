"""Shop API: every error of the contract over HTTP; a refused request changes nothing.

tests/integration/test_shop_refusals.py has every value and the order of the checks; test_isolation.py every credential.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.stack import Stack
from serverless_cart.domain.product import Product
from tests.support.shopper import (
    BANNED,
    CHANGED,
    FOREIGN_ORIGIN,
    ITEM_NOT_FOUND,
    REUSED,
    ROUTES,
    SLASHES,
    UNAUTHENTICATED,
    Guarded,
    Shopper,
    assert_invalid,
)
from tools.support.clients import ITEMS, Customer, Http
from tools.support.database import Database

every_route = pytest.mark.parametrize("route", ROUTES)
every_slash = pytest.mark.parametrize("slash", SLASHES)


@pytest.fixture
def cartless(customer: Customer, database: Database) -> Iterator[Customer]:
    """Make a customer, and check that the test writes no cart."""
    yield customer
    assert not database.has_cart(customer.owner)


@pytest.mark.parametrize("route", ["add", "select", "update"])
def test_body_that_is_no_object_is_invalid(unchanged: Shopper, route: str) -> None:
    method, path = ROUTES[route]
    for body in (None, b"", b"[]", b"null", b"{", b"product=7", b'{"product": NaN}', b"\xff"):
        reply = unchanged.customer.send(method, path.format(item=unchanged.item), data=body)
        assert_invalid(reply, "validation error", "body")


def test_every_invalid_field_is_named(unchanged: Shopper) -> None:
    key = {"Idempotency-Key": "a b"}
    reply = unchanged.ask("add", json={"product": "7", "quantity": 0, "notes": 5}, headers=key)
    assert_invalid(reply, "validation error", "product", "quantity", "notes", "Idempotency-Key")
    reply = unchanged.ask("select", json={"address": "1", "shipping_method": -1, "payment_method": 2**53}, headers=key)
    fields = ("address", "shipping_method", "payment_method", "Idempotency-Key")
    assert_invalid(reply, "validation error", *fields)
    reply = unchanged.ask("update", json={"quantity": 10_000, "notes": "x" * 501}, headers=key)
    assert_invalid(reply, "validation error", "quantity", "notes", "Idempotency-Key")
    assert_invalid(unchanged.ask("update", json={"unknown": 1}), "validation error", "body")


def test_product_not_for_sale_is_invalid(cartless: Customer, stack: Stack, database: Database) -> None:
    withdrawn = database.sell(cartless.owner.shop, active=False)
    theirs = database.sell(database.token(stack.second_shop.customer_token).shop)
    inactive = [product.id for product in stack.products if not product.active]
    for product in (0, -1, 10**30, withdrawn.id, theirs.id, *inactive):
        assert_invalid(cartless.add(product), "invalid product", "product")


def test_stock_is_the_limit(customer: Customer, database: Database) -> None:
    scarce = database.sell(customer.owner.shop, stock=3)
    (item,) = customer.add(scarce.id, quantity=2).body["items"]
    for reply in (customer.add(scarce.id, quantity=2), customer.update_item(item["id"], quantity=4)):
        assert_invalid(reply, "insufficient stock", "quantity")
        assert "3" in reply.body["details"]["quantity"][0]
    assert customer.add(scarce.id).body["quantity"] == 3


def test_cart_takes_100_products_and_9999_of_each(
    customer: Customer, full_cart: Customer, database: Database, a_hundred_products: list[Product], lamp: Product
) -> None:
    database.copy_cart(full_cart.owner, customer.owner)
    assert_invalid(customer.add(lamp.id), "cart is full", "product")
    reply = customer.add(a_hundred_products[0].id, quantity=9_998)
    assert (reply.status, reply.body["count"], reply.body["quantity"]) == (200, 100, 9_999 + 99)
    assert_invalid(customer.add(a_hundred_products[0].id), "cart is full", "quantity")


@every_slash
@every_route
def test_no_route_opens_without_a_customer_token(unchanged: Shopper, stack: Stack, route: str, slash: str) -> None:
    tokens = [stack.expired_token, stack.revoked_token, stack.api_key]
    for header in (*(f"Token {token}" for token in tokens), "Token x", f"Bearer {unchanged.customer.token}", ""):
        assert unchanged.ask(route, slash=slash, headers={"Authorization": header}) == UNAUTHENTICATED
    method, path = ROUTES[route]
    http = unchanged.customer.http
    assert http.send(method, path.format(item=unchanged.item) + slash, json={"address": 7}) == UNAUTHENTICATED


MALFORMED = [
    "", "Token", "Token ", "{token}", "Token  {token}", "Token\t{token}", "Bearer {token}", "Token {token}0",
    "Token {TOKEN}", "Token EU1-{token}", "Token eu2-{token}", "Token eu1-eu1-{token}", "Basic {token}",
    "Token {token}\u00a0", "Token\u3000{token}", "\uff34oken {token}",
]  # fmt: skip


def test_malformed_token_is_unauthenticated(unchanged: Shopper) -> None:
    token = unchanged.customer.token
    for form in MALFORMED:
        header = form.format(token=token, TOKEN=token.upper()).encode()
        assert (form, unchanged.ask("add", headers={"Authorization": header})) == (form, UNAUTHENTICATED)


def test_scheme_case_and_zone_are_ignored(shopper: Shopper) -> None:
    for form in ("Token {}", "token {}", "TOKEN eu1-{}", "Token us1-{}", "Token ap1-{}"):
        header = form.format(shopper.customer.token)
        assert shopper.ask("add", headers={"Authorization": header}).status == 200


@every_slash
@every_route
def test_blocked_address_is_banned(unchanged: Shopper, stack: Stack, route: str, slash: str) -> None:
    assert unchanged.ask(route, slash=slash, headers={"X-Forwarded-For": stack.blocked_address}) == BANNED


@pytest.mark.parametrize(
    ("address", "blocked"),
    [
        ("198.51.100.0", True),
        ("198.51.100.15", True),
        ("198.51.100.16", False),
        ("198.51.99.255", False),
        ("2001:db8:bad::1", True),
        ("2001:db8:bad:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db8:bae::1", False),
        ("::ffff:198.51.100.3", True),
    ],
)
def test_network_is_blocked_to_its_last_address(guarded: Guarded, address: str, *, blocked: bool) -> None:
    reply = guarded.customer.add(1, headers={"X-Forwarded-For": address})
    assert reply.body["error"] == ("banned ip" if blocked else "invalid product")


@pytest.mark.parametrize("header", ["Forwarded", "X-Real-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP"])
def test_forwarding_headers_are_ignored(guarded: Guarded, header: str) -> None:
    prefix = "for=" if header == "Forwarded" else ""
    assert guarded.customer.add(1, headers={header: f"{prefix}198.51.100.3"}).body["error"] == "invalid product"
    assert guarded.customer.add(1, headers={header: f"{prefix}192.0.2.1", "X-Forwarded-For": "198.51.100.3"}) == BANNED


@every_route
def test_every_route_checks_the_origin(guarded: Guarded, database: Database, route: str) -> None:
    lamp = database.sell(guarded.shop.name)
    (item,) = (item for item in guarded.customer.add(lamp.id).body["items"] if item["product"]["id"] == lamp.id)
    before = database.cart(guarded.customer.owner)
    shopper = Shopper(guarded.customer, lamp, item["id"])
    assert shopper.ask(route, headers={"Origin": "https://elsewhere.example"}) == FOREIGN_ORIGIN
    assert database.cart(guarded.customer.owner) == before
    assert shopper.ask(route, headers={"Origin": "https://guarded.example"}).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example", "{allowed}/", "{allowed}:443", "{allowed}.elsewhere.example", "null", "*",
        "http{allowed}", "https://x.{host}", "{ALLOWED}",
    ],
)  # fmt: skip
def test_unlisted_origin_is_not_allowed(stack: Stack, shop_http: Http, origin: str) -> None:
    second = stack.second_shop
    host = second.allowed_origin.partition("://")[2]
    headers = {"Origin": origin.format(allowed=second.allowed_origin, ALLOWED=second.allowed_origin.upper(), host=host)}
    reply = shop_http.send("POST", ITEMS, token=second.customer_token, headers=headers, json={"product": 1})
    assert reply == FOREIGN_ORIGIN


def test_listed_origin_or_none_is_allowed(guarded: Guarded, customer: Customer) -> None:
    for origin in guarded.shop.allowed_origins:
        assert guarded.customer.read(headers={"Origin": origin}).status == 200
    assert guarded.customer.read().status == 200
    assert customer.read(headers={"Origin": "https://anywhere.example"}).status == 200, "a shop without a list"


def test_errors_come_in_the_contract_order(guarded: Guarded, database: Database) -> None:
    lamp = database.sell(guarded.shop.name)
    (item,) = guarded.customer.add(lamp.id, headers={"Idempotency-Key": "used"}).body["items"][-1:]
    shopper = Shopper(guarded.customer, lamp, item["id"])
    database.sell(guarded.shop.name, product_id=lamp.id, stock=0)
    row = database.cart(guarded.customer.owner)
    stale = {"If-Match": '"1-0"'}
    origin = {"Origin": "https://elsewhere.example", "Idempotency-Key": "used", **stale}
    blocked = {"X-Forwarded-For": "198.51.100.3", **origin}
    stranger = replace(shopper, customer=replace(guarded.customer, token="0" * 40))
    assert stranger.ask("update", item=1, json={}, headers=blocked) == UNAUTHENTICATED
    assert shopper.ask("update", item=1, json={}, headers=blocked) == BANNED
    assert shopper.ask("update", item=1, json={}, headers=origin) == FOREIGN_ORIGIN
    used = {"Idempotency-Key": "used", **stale}
    assert_invalid(shopper.ask("update", item=1, json={}, headers=used), "validation error", "body")
    assert shopper.ask("update", item=1, headers=used) == REUSED
    assert shopper.ask("update", item=1, headers=stale) == ITEM_NOT_FOUND
    assert shopper.ask("update", headers=stale) == CHANGED
    assert_invalid(shopper.ask("update"), "insufficient stock", "quantity")
    assert database.cart(guarded.customer.owner) == row
