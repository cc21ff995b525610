"""Shop API: what it refuses, with which words and in which order; a refusal changes nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.product import Product
from tests.e2e.conftest import Guarded
from tests.support.shopper import BANNED, FOREIGN_ORIGIN, ROUTES, SLASHES, UNAUTHENTICATED, Shopper, assert_invalid
from tools.support.clients import ITEMS, Customer, Http
from tools.support.database import Database


@pytest.fixture
def untouched(customer: Customer, database: Database) -> Iterator[Customer]:
    """Make a customer for whom the test writes nothing."""
    yield customer
    assert not database.has_cart(customer.owner)


@pytest.fixture
def unchanged(shopper: Shopper, database: Database) -> Iterator[Shopper]:
    """Make a customer with two lamps in the cart, which the test leaves as it is."""
    before = database.cart(shopper.customer.owner)
    yield shopper
    assert database.cart(shopper.customer.owner) == before


# ----------------------------------------------------------------------------------------------------------------------
# 400 validation error
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [None, b"", b"[]", b'"text"', b"null", b"7", b"{", b"product=7", b'{"product": NaN}', b"\xff", b"[" * 100_000],
)
def test_a_body_that_is_no_json_object_is_invalid(untouched: Customer, body: bytes | None) -> None:
    assert_invalid(untouched.post(data=body), "validation error", "body")


NO_INTEGERS: list[object] = ["2", 2.5, True, False, None, [], [2], {}, ""]
FAULTS: dict[str, list[object]] = {
    "product": NO_INTEGERS,
    "quantity": [*NO_INTEGERS, 0, -1, 10_000, 10**30],
    "notes": [None, 5, True, ["a"], {}, "x" * 501, "🛒" * 501, "\ud800"],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in FAULTS.items() for value in values],
    ids=lambda value: json.dumps(value)[:16],
)
def test_a_field_of_the_wrong_type_or_range_is_named(
    untouched: Customer, lamp: Product, field: str, value: object
) -> None:
    reply = untouched.post(json={"product": lamp.id, field: value})
    assert_invalid(reply, "validation error", field)


def test_a_missing_product_is_named(untouched: Customer) -> None:
    assert_invalid(untouched.post(json={"quantity": 1}), "validation error", "product")


def test_every_fault_is_named_at_once(untouched: Customer) -> None:
    reply = untouched.post(json={"product": "7", "quantity": 0, "notes": 5}, headers={"Idempotency-Key": "a b"})
    assert_invalid(reply, "validation error", "product", "quantity", "notes", "Idempotency-Key")


@pytest.mark.parametrize("route", ["select", "revise"])
@pytest.mark.parametrize(
    "body", [None, b"[]", b'"text"', b"null", b"7", b"{", b"address=7", b'{"address": NaN}', b"\xff"]
)
def test_a_change_that_is_no_json_object_is_invalid(unchanged: Shopper, route: str, body: bytes | None) -> None:
    method, path = ROUTES[route]
    reply = unchanged.customer.send(method, path.format(item=unchanged.item), data=body)
    assert_invalid(reply, "validation error", "body")


CHANGE_FAULTS: list[tuple[str, str, list[object]]] = [
    ("select", "address", ["2", 2.5, True, False, [], [2], {}, "", -1, 2**53, 10**30]),
    ("select", "shipping_method", ["2", 2.5, True, -1, 2**53]),
    ("select", "payment_method", ["2", 2.5, True, -1, 2**53]),
    ("revise", "quantity", FAULTS["quantity"]),
    ("revise", "notes", FAULTS["notes"]),
]


@pytest.mark.parametrize(("route", "field", "values"), CHANGE_FAULTS, ids=lambda value: str(value)[:16])
def test_a_changes_field_of_the_wrong_type_or_range_is_named(
    unchanged: Shopper, route: str, field: str, values: list[object]
) -> None:
    good = {"select": "address", "revise": "quantity"}[route]
    for value in values:
        assert_invalid(unchanged.ask(route, json={good: 5, field: value}), "validation error", field)


@pytest.mark.parametrize("body", [{}, {"unknown": 1}, {"product": 7}], ids=str)
def test_a_revision_needs_quantity_or_notes(unchanged: Shopper, body: dict[str, object]) -> None:
    assert_invalid(unchanged.ask("revise", json=body), "validation error", "body")


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("select", {"address": "1", "shipping_method": -1, "payment_method": True}),
        ("revise", {"quantity": 0, "notes": None}),
    ],
)
def test_every_fault_of_a_change_is_named_at_once(unchanged: Shopper, route: str, body: dict[str, object]) -> None:
    reply = unchanged.ask(route, json=body, headers={"Idempotency-Key": "a b"})
    assert_invalid(reply, "validation error", *body, "Idempotency-Key")


# ----------------------------------------------------------------------------------------------------------------------
# 400 for what the shop cannot sell
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", [0, -1, 2**53 - 1, 2**53, 10**30])
def test_an_unknown_product_is_invalid(untouched: Customer, product: int) -> None:
    assert_invalid(untouched.add(product), "invalid product", "product")


def test_a_product_that_is_not_for_sale_is_invalid(untouched: Customer, stack: Stack, database: Database) -> None:
    withdrawn = database.sell(untouched.owner.shop, active=False)
    assert_invalid(untouched.add(withdrawn.id), "invalid product", "product")
    for product in stack.products:
        if not product.active:
            assert_invalid(untouched.add(product.id), "invalid product", "product")


def test_another_shops_product_is_invalid(untouched: Customer, stack: Stack, database: Database) -> None:
    other_shop = database.token(stack.second_shop.customer_token).shop
    theirs = database.sell(other_shop)
    assert_invalid(untouched.add(theirs.id), "invalid product", "product")


@pytest.mark.parametrize(("stock", "quantity"), [(0, 1), (3, 4), (3, 9_999)])
def test_more_than_the_stock_is_refused_with_what_is_available(
    untouched: Customer, database: Database, stock: int, quantity: int
) -> None:
    scarce = database.sell(untouched.owner.shop, stock=stock)
    reply = untouched.add(scarce.id, quantity=quantity)
    assert_invalid(reply, "insufficient stock", "quantity")
    assert str(stock) in reply.body["details"]["quantity"][0]


def test_what_is_in_the_cart_counts_against_the_stock(customer: Customer, database: Database) -> None:
    scarce = database.sell(customer.owner.shop, stock=3)
    customer.add(scarce.id, quantity=2)
    reply = customer.add(scarce.id, quantity=2)
    assert_invalid(reply, "insufficient stock", "quantity")
    assert "3" in reply.body["details"]["quantity"][0]
    assert customer.add(scarce.id).body["quantity"] == 3


def test_a_cart_takes_a_hundred_products(
    customer: Customer, full_cart: Customer, database: Database, a_hundred_products: list[Product], lamp: Product
) -> None:
    database.copy_cart(full_cart.owner, customer.owner)
    assert_invalid(customer.add(lamp.id), "cart is full", "product")
    reply = customer.add(a_hundred_products[0].id)
    assert (reply.status, reply.body["count"], reply.body["quantity"]) == (200, 100, 101)


def test_a_cart_takes_9999_of_a_product(customer: Customer, lamp: Product) -> None:
    customer.add(lamp.id, quantity=9_000)
    assert_invalid(customer.add(lamp.id, quantity=1_000), "cart is full", "quantity")
    assert customer.add(lamp.id, quantity=999).body["quantity"] == 9_999
    assert_invalid(customer.add(lamp.id), "cart is full", "quantity")


# ----------------------------------------------------------------------------------------------------------------------
# 401 and 403
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(
    params=[
        "unknown",
        "expired",
        "revoked",
        "API key",
        "expired API key",
        "revoked API key",
        "expired here",
        "of no shop",
    ]
)
def wrong_token(request: pytest.FixtureRequest, stack: Stack, database: Database, shop: str) -> str:
    """Return a well-formed token that does not open the Shop API."""
    tokens: dict[str, Callable[[], str]] = {
        "unknown": database.issue_nothing,
        "expired": lambda: stack.expired_token,
        "revoked": lambda: stack.revoked_token,
        "API key": lambda: stack.api_key,
        "expired API key": lambda: database.issue(Token("api_key", shop, expires_at=1_700_000_000)),
        "revoked API key": lambda: database.issue(Token("api_key", shop, revoked=True)),
        "expired here": lambda: database.issue(Token("customer", shop, "someone", expires_at=1_700_000_000)),
        "of no shop": lambda: database.issue(Token("customer", "no-such-shop", "someone")),
    }
    return tokens[request.param]()


def test_a_token_that_does_not_open_the_api_is_unauthenticated(
    untouched: Customer, lamp: Product, wrong_token: str
) -> None:
    assert replace(untouched, token=wrong_token).add(lamp.id) == UNAUTHENTICATED


@pytest.mark.parametrize("slash", SLASHES)
@pytest.mark.parametrize("route", ROUTES)
def test_no_route_opens_without_a_customers_token(
    unchanged: Shopper, stack: Stack, database: Database, route: str, slash: str
) -> None:
    tokens = [database.issue_nothing(), stack.expired_token, stack.revoked_token, stack.api_key]
    headers = [f"Token {token}" for token in tokens] + ["Token x", f"Bearer {unchanged.customer.token}", ""]
    replies = [unchanged.ask(route, slash=slash, headers={"Authorization": header}) for header in headers]
    assert replies == [UNAUTHENTICATED] * 7
    method, path = ROUTES[route]
    http = unchanged.customer.http
    assert http.send(method, path.format(item=unchanged.item) + slash, json={"address": 7}) == UNAUTHENTICATED


@pytest.mark.parametrize(
    "form",
    [
        "", "Token", "Token ", "{token}", "Token  {token}", "Token\t{token}", "Bearer {token}", "Token {token}0",
        "Token {TOKEN}", "Token EU1-{token}", "Token eu2-{token}", "Token eu1-eu1-{token}", "Basic {token}",
    ],
)  # fmt: skip
def test_a_malformed_token_is_unauthenticated(untouched: Customer, lamp: Product, form: str) -> None:
    header = form.format(token=untouched.token, TOKEN=untouched.token.upper())
    assert untouched.post(json={"product": lamp.id}, headers={"Authorization": header}) == UNAUTHENTICATED


@pytest.mark.parametrize(
    "form", ["Token {token}", "token {token}", "TOKEN eu1-{token}", "Token us1-{token}", "Token ap1-{token}"]
)
def test_the_token_opens_with_any_zone_and_any_case_of_the_scheme_word(
    customer: Customer, lamp: Product, form: str
) -> None:
    header = form.format(token=customer.token)
    assert customer.post(json={"product": lamp.id}, headers={"Authorization": header}).status == 200


@pytest.mark.parametrize("slash", SLASHES)
@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_closed_to_a_blocked_address(unchanged: Shopper, stack: Stack, route: str, slash: str) -> None:
    assert unchanged.ask(route, slash=slash, headers={"X-Forwarded-For": stack.blocked_address}) == BANNED


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_closed_to_a_foreign_origin(guarded: Guarded, database: Database, route: str) -> None:
    lamp = database.sell(guarded.shop.name)
    (item,) = (item for item in guarded.customer.add(lamp.id).body["items"] if item["product"]["id"] == lamp.id)
    before = database.cart(guarded.customer.owner)
    shopper = Shopper(guarded.customer, lamp, item["id"])
    assert shopper.ask(route, headers={"Origin": "https://elsewhere.example"}) == FOREIGN_ORIGIN
    assert database.cart(guarded.customer.owner) == before
    assert shopper.ask(route, headers={"Origin": "https://guarded.example"}).status == 200


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("198.51.100.0", "banned ip"),
        ("198.51.100.15", "banned ip"),
        ("198.51.100.16", "invalid product"),
        ("198.51.99.255", "invalid product"),
        ("2001:db8:bad::1", "banned ip"),
        ("2001:db8:bad:ffff:ffff:ffff:ffff:ffff", "banned ip"),
        ("2001:db8:bae::1", "invalid product"),
        ("::ffff:198.51.100.3", "banned ip"),
    ],
)
def test_networks_are_blocked_to_their_last_address(guarded: Guarded, address: str, error: str) -> None:
    reply = guarded.customer.add(1, headers={"X-Forwarded-For": address})
    assert reply.body["error"] == error


@pytest.mark.parametrize("header", ["Forwarded", "X-Real-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP"])
def test_forwarding_headers_are_not_believed(guarded: Guarded, header: str) -> None:
    blocked = {"Forwarded": "for=198.51.100.3"}.get(header, "198.51.100.3")
    assert guarded.customer.add(1, headers={header: blocked}).body["error"] == "invalid product"
    open_address = {"Forwarded": "for=192.0.2.1"}.get(header, "192.0.2.1")
    assert guarded.customer.add(1, headers={header: open_address, "X-Forwarded-For": "198.51.100.3"}) == BANNED


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example", "{allowed}/", "{allowed}:443", "{allowed}.elsewhere.example", "null", "*",
        "http{allowed}", "https://x.{host}", "{ALLOWED}",
    ],
)  # fmt: skip
def test_an_origin_that_the_shop_does_not_list_is_not_allowed(stack: Stack, shop_http: Http, origin: str) -> None:
    second = stack.second_shop
    host = second.allowed_origin.partition("://")[2]
    headers = {"Origin": origin.format(allowed=second.allowed_origin, ALLOWED=second.allowed_origin.upper(), host=host)}
    reply = shop_http.send("POST", ITEMS, token=second.customer_token, headers=headers, json={"product": 1})
    assert reply == FOREIGN_ORIGIN


def test_a_listed_origin_is_allowed_and_so_is_none(guarded: Guarded, database: Database) -> None:
    product = database.sell(guarded.shop.name)
    statuses = {
        origin: guarded.customer.add(product.id, headers={"Origin": origin} if origin else None).status
        for origin in (*guarded.shop.allowed_origins, "")
    }
    assert statuses == dict.fromkeys(statuses, 200)
    assert len(statuses) == 3


def test_a_shop_that_lists_no_origins_allows_all(customer: Customer, lamp: Product) -> None:
    assert customer.add(lamp.id, headers={"Origin": "https://anywhere.example"}).status == 200


# ----------------------------------------------------------------------------------------------------------------------
# The order of the checks
# ----------------------------------------------------------------------------------------------------------------------

NO_INTEGER = "404 item not found (no integer)"
ORDER = [
    "401 authentication required",
    "403 banned ip",
    "403 origin not allowed",
    "400 validation error",
    "422 idempotency key reused",
    "404 item not found",
    NO_INTEGER,
    "412 cart has changed",
    "400 invalid product",
    "400 insufficient stock",
    "400 cart is full",
]
ALL = set(ORDER[:3])
CHANGING = {*ALL, "400 validation error", "422 idempotency key reused", "412 cart has changed"}
ABOUT_AN_ITEM = {*CHANGING, "404 item not found", NO_INTEGER}
REFUSALS = {
    "read": ALL,
    "select": CHANGING,
    "clear": CHANGING,
    "add": {*CHANGING, "400 invalid product", "400 insufficient stock", "400 cart is full"},
    "revise": {*ABOUT_AN_ITEM, "400 invalid product", "400 insufficient stock"},
    "remove": ABOUT_AN_ITEM,
}
"""What each route can refuse a request for."""
PAIRS = [
    (route, first, second)
    for route, refusals in REFUSALS.items()
    for first, second in combinations([refusal for refusal in ORDER if refusal in refusals], 2)
    if (first, second) != ("404 item not found", NO_INTEGER)
    # Without a body, the key is all that can be invalid, and an invalid key is no used one.
    and not (route in {"clear", "remove"} and (first[:3], second[:3]) == ("400", "422"))
]
Wrongs = dict[str, dict[str, Any]]
"""By refusal, what makes a good request one that is refused so."""


@pytest.fixture(scope="module")
def wrongs(
    guarded: Guarded, full_cart: Customer, database: Database, a_hundred_products: list[Product]
) -> Iterator[dict[str, tuple[Shopper, Wrongs]]]:
    """Make customers with used keys, one with a full cart, and a request for each refusal; none changes a cart."""
    shop = guarded.shop.name
    used = {"Idempotency-Key": "used"}
    everywhere: Wrongs = {
        "401 authentication required": {"headers": {"Authorization": f"Token {'0' * 40}"}},
        "403 banned ip": {"headers": {"X-Forwarded-For": "198.51.100.3"}},
        "403 origin not allowed": {"headers": {"Origin": "https://elsewhere.example"}},
        "400 validation error": {"headers": {"Idempotency-Key": "a b"}},
        "422 idempotency key reused": {"headers": used},
        "412 cart has changed": {"headers": {"If-Match": '"1-0"'}},
    }

    def new_shopper(product: Product) -> Shopper:
        owner, token = database.new_owner(shop)
        customer = replace(guarded.customer, owner=owner, token=token)
        return Shopper(customer, product, customer.add(product.id).body["items"][0]["id"])

    full = new_shopper(database.sell(shop, product_id=a_hundred_products[0].id))
    database.copy_cart(full_cart.owner, full.customer.owner)
    assert full.ask("add", headers=used).status == 200
    adding: Wrongs = {
        **everywhere,
        "400 validation error": {"json": {"notes": 5}},
        "422 idempotency key reused": {"headers": used, "json": {"quantity": 2}},
        "400 invalid product": {"json": {"product": database.sell(shop, active=False, stock=0).id}},
        "400 insufficient stock": {"json": {"product": database.sell(shop, stock=0).id}},
        "400 cart is full": {"json": {"product": database.sell(shop).id}},
    }

    small = new_shopper(database.sell(shop))
    items = {}
    for name in ("withdrawn", "scarce", "gone"):
        product = database.sell(shop)
        items[name] = small.customer.add(product.id).body["items"][-1]["id"]
        database.sell(shop, product_id=product.id, stock=1, active=name == "scarce")
    assert small.customer.remove(items["gone"]).status == 200
    assert small.ask("add", headers=used).status == 200
    about_an_item: Wrongs = {
        **everywhere,
        "404 item not found": {"item": items["gone"]},
        NO_INTEGER: {"item": "abc"},
    }
    revising: Wrongs = {
        **about_an_item,
        "400 validation error": {"json": {"notes": 5}},
        "400 invalid product": {"item": items["withdrawn"]},
        "400 insufficient stock": {"item": items["scarce"]},
    }
    selecting: Wrongs = {**everywhere, "400 validation error": {"json": {"address": "7"}}}

    rows = {shopper.customer.owner: database.cart(shopper.customer.owner) for shopper in (full, small)}
    yield {
        "read": (small, everywhere),
        "select": (small, selecting),
        "clear": (small, everywhere),
        "add": (full, adding),
        "revise": (small, revising),
        "remove": (small, about_an_item),
    }
    assert {owner: database.cart(owner) for owner in rows} == rows


@pytest.mark.parametrize(("route", "first", "second"), PAIRS)
def test_of_two_faults_the_first_in_the_contracts_order_is_told(
    wrongs: dict[str, tuple[Shopper, Wrongs]], route: str, first: str, second: str
) -> None:
    shopper, parts = wrongs[route]
    request: dict[str, Any] = {"json": shopper.body(route), "headers": {}}
    for wrong in (second, first):
        for part, value in parts[wrong].items():
            request[part] = {**request[part], **value} if isinstance(value, dict) else value
    reply = shopper.ask(route, **request)
    assert f"{reply.status} {reply.body['error']}" == first.partition(" (")[0]
