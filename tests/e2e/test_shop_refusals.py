"""Shop API: the refusals of gateway, authorizer and functions over HTTP; a refused request changes nothing.

tests/integration/test_shop_refusals.py has every error and the order of the checks; test_isolation.py every credential.
"""

from dataclasses import replace

import pytest

from local.stack import Stack
from tests.support.shopper import (
    BANNED,
    CHANGED,
    FOREIGN_ORIGIN,
    ITEM_NOT_FOUND,
    NO_ORDER,
    ORDER_ROUTES,
    REUSED,
    ROUTES,
    SLASHES,
    UNAUTHENTICATED,
    Guarded,
    Shopper,
    assert_invalid,
)
from tools.support.clients import Customer
from tools.support.database import Database

every_route = pytest.mark.parametrize("route", [*ROUTES, *ORDER_ROUTES])
every_slash = pytest.mark.parametrize("slash", SLASHES)


@every_slash
@every_route
def test_no_route_opens_without_a_customer_token(unchanged: Shopper, stack: Stack, route: str, slash: str) -> None:
    tokens = [stack.expired_token, stack.revoked_token, stack.api_key]
    for header in (*(f"Token {token}" for token in tokens), "Token x", f"Bearer {unchanged.customer.token}", ""):
        assert unchanged.ask(route, slash=slash, headers={"Authorization": header}) == UNAUTHENTICATED
    method, path = (ROUTES | ORDER_ROUTES)[route]
    path = path.format(item=unchanged.item, order=NO_ORDER) + slash
    assert unchanged.customer.http.send(method, path, json={"address": 7}) == UNAUTHENTICATED


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


@every_slash
@every_route
def test_blocked_address_is_banned(unchanged: Shopper, stack: Stack, route: str, slash: str) -> None:
    assert unchanged.ask(route, slash=slash, headers={"X-Forwarded-For": stack.blocked_address}) == BANNED


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
    expected = 404 if route in {"read order", "cancel order"} else 200
    assert shopper.ask(route, headers={"Origin": "https://guarded.example"}).status == expected


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
