"""Every kind of credential at every route of all APIs opens only the data of its owner.

There are two shops with a management key each, two customers of the first and one of the second; each has unique texts
and ids. A management key opens the data of its shop's customers and the statistics of its shop's search engines.
"""

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product as combinations
from typing import Any, Final

import pytest

from serverless_cart.auth import Token, digest
from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.discounts import UNKNOWN, DiscountCode
from serverless_cart.domain.guests import guest_customer
from serverless_cart.domain.orders import Order
from serverless_cart.domain.product import Product
from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.domain.shop import Shop
from serverless_cart.domain.statistics import Counts, Event
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.discounts import DiscountRecord, discount_to_item
from serverless_cart.dynamodb.order_item import order_to_item
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.table import Table
from tests.support.builders import order
from tests.support.shopper import (
    ACCESS_DENIED,
    FORBIDDEN,
    ITEM_NOT_FOUND,
    MANAGED_NOT_FOUND,
    MANAGEMENT_ORDER_ROUTES,
    MANAGEMENT_ROUTES,
    NOT_AUTHENTICATED,
    ORDER_NOT_FOUND,
    ORDER_ROUTES,
    REGISTERED,
    ROUTES,
    SLASHES,
    UNAUTHENTICATED,
)
from tools.support import figures
from tools.support.clients import (
    DISCOUNT,
    GUESTS,
    MERGE,
    METHODS,
    SHOP_ORDERS,
    Customer,
    Http,
    Manager,
    Reply,
    Visitor,
    sensitive,
    unique,
)
from tools.support.database import Database
from tools.support.events import DAY

PAST: Final = 1_700_000_000
"""Seconds since 1970, long ago."""
COUNTED_AT: Final = 1_763_728_496_789
"""Milliseconds: when the visitors' statistics were counted, on 2025-11-21."""
VISITORS: Final = ["the first shop's API key", "the second shop's API key"]
CUSTOMERS: Final = [
    "a customer of the first shop", "another customer of the first shop", "a guest of the first shop",
    "a customer of the second shop", "a guest of the second shop",
]  # fmt: skip
GUESTS_OF: Final = {name: ("second" if "first" in name else "first") for name in CUSTOMERS}
"""For each customer, the other shop, whose guest's token it uses in a merge."""
MANAGERS: Final = {
    "the first shop's management key": frozenset([*CUSTOMERS[:3], VISITORS[0]]),
    "the second shop's management key": frozenset([*CUSTOMERS[3:], VISITORS[1]]),
}
"""The customers and the visitor of each management key's shop."""
REPORTS: Final = ("inits", "sales", "carts/items")
STRANGERS: Final = [
    "an expired API key", "a revoked API key", "an expired token", "a revoked token", "an API key of no shop",
    "a revoked management key", "an expired management key", "a token of no shop", "an unknown key",
    "an API key of another scheme", "a token of another scheme", "a token in upper case", "a token with a suffix",
    "two tokens", "a customer's id", "a hashid", "only the scheme", "an empty header", "no header",
]  # fmt: skip


@dataclass(frozen=True)
class Place:
    """The data of one tenant: a search session, or a customer's cart with one item of this product, and an order."""

    of: Visitor | Customer | Manager
    marks: frozenset[str]
    """Texts of only this tenant, which no answer to another may have."""
    product: int = 0
    item: int = 0
    order: Order | None = None


@dataclass(frozen=True)
class World:
    """The data of every tenant, and the Authorization header of every stranger; None for no header."""

    places: dict[str, Place]
    strangers: dict[str, str | None]
    http: dict[str, Http]
    database: Database

    def stored(self, but: str | None) -> dict[str, Any]:
        """Return the stored data of all tenants but one."""
        return {name: self._row(place) for name, place in self.places.items() if name != but}

    def _row(self, place: Place) -> Any:
        if isinstance(place.of, Manager):
            return None
        if isinstance(place.of, Customer):
            assert place.order
            return self.database.cart(place.of.owner), self.database.order(place.order)
        of = place.of
        return self.database.session(of.hashid, of.session), self.database.events(of.hashid, of.session)

    def restore(self, name: str | None) -> None:
        """Issue a customer's token again, which signing out has revoked, and let the order wait for its payment."""
        place = self.places[name or ""]
        assert isinstance(place.of, Customer)
        assert place.order
        self.database.reissue(place.of.token, Token("customer", place.of.owner.shop, place.of.owner.customer))
        self.database.put([order_to_item(place.order)])

    def holds_others_data(self, text: str, caller: str | None) -> bool:
        """Return whether a text has data of another tenant than the caller."""
        own = {caller, *MANAGERS.get(caller or "", ())}
        return any(mark in text for name, place in self.places.items() if name not in own for mark in place.marks)


def session_of(database: Database, http: Http, shop: Shop) -> Place:
    """Make a visitor with a unique item in the search session's cart."""
    (hashid,) = shop.search_engines
    title = sensitive(unique("Marzipan"))
    visitor = Visitor(http, database.issue(Token("api_key", shop.name)), hashid, unique("session")[:32])
    assert visitor.put("42", title=title, amount=9) == REGISTERED
    counts, event = Counts(), Event(Session(hashid, visitor.session), COUNTED_AT, "desktop")
    counts.init(event)
    counts.sold(event, ItemKey("product", "42"), 9, None)
    counts.title(event, ItemKey("product", "42"), title)
    database.count(counts)
    return Place(visitor, frozenset({visitor.token, hashid, visitor.session, title}))


def cart_of(database: Database, http: Http, shop: Shop, product: int, *, guest: bool) -> Place:
    """Make a customer, or a guest, with a unique product in the cart."""
    owner, token = database.new_owner(shop.name)
    if guest:
        token = database.issue_nothing()
        owner = Owner(shop.name, guest_customer(digest(token)))
        database.reissue(token, Token("customer", *owner, expires_at=2**31))
    customer = Customer(http, token, owner)
    ref, name, image, note = (unique(text) for text in ("ref", "Lamp", "image", "please gift-wrap"))
    lamp = Product(product, ref, name, f"https://img.example/{image}", 1_000, 7, None, active=True)
    database.put([product_to_item(shop.name, lamp)])
    (item,) = customer.add(product, quantity=2, notes=sensitive(note)).body["items"]
    texts = {"customer": owner.customer, "notes": sensitive(unique("ring twice"))}
    made = order(shop=shop.name, created_at=clock(), reserved_until=clock() + DAY, **texts)
    Table(database.name, database.client).transact(new_order_writes(made, open_holds=1))
    marks = frozenset({owner.customer, token, note, ref, name, image, str(item["id"]), made.key, made.notes})
    return Place(customer, marks, product, item["id"], made)


@pytest.fixture(scope="module")
def world(database: Database, search_http: Http, shop_http: Http, management_http: Http) -> World:
    """Create two shops, fill their carts, and issue every kind of credential that opens nothing."""
    shops = [
        database.open_shop(Shop(unique(name), search_engines=frozenset({secrets.token_hex(16)})))
        for name in ("first", "second")
    ]
    for shop, code in zip(shops, CODES.values(), strict=True):
        database.put([discount_to_item(shop.name, DiscountRecord(DiscountCode(code, 10), "", 0))])
    places = {name: session_of(database, search_http, shop) for name, shop in zip(VISITORS, shops, strict=True)}
    for number, name in enumerate(CUSTOMERS):
        shop = shops["second" in name]
        places[name] = cart_of(database, shop_http, shop, 101 + number, guest="guest" in name)
    for name, shop in zip(MANAGERS, shops, strict=True):
        key = database.issue(Token("management", shop.name))
        places[name] = Place(Manager(management_http, key), frozenset({key}))
    visitor, customer = places[VISITORS[0]].of, places[CUSTOMERS[0]].of
    assert isinstance(visitor, Visitor)
    assert isinstance(customer, Customer)
    mine, first = customer.owner.customer, customer.owner.shop
    headers = [
        *(
            f"Token {database.issue(token)}"
            for token in (
                Token("api_key", first, expires_at=PAST),
                Token("api_key", first, revoked=True),
                Token("customer", first, mine, expires_at=PAST),
                Token("customer", first, mine, revoked=True),
                Token("api_key", unique("no-shop")),
                Token("management", first, revoked=True),
                Token("management", first, expires_at=PAST),
                Token("customer", unique("no-shop"), mine),
            )
        ),
        f"Token {database.issue_nothing()}",
        f"Bearer {visitor.token}",
        f"Bearer {customer.token}",
        f"Token {customer.token.upper()}",
        f"Token {customer.token}0",
        f"Token {customer.token}, Token {visitor.token}",
        f"Token {mine}",
        f"Token {visitor.hashid}",
        "Token",
        "",
        None,
    ]
    strangers = dict(zip(STRANGERS, headers, strict=True))
    return World(places, strangers, {"search": search_http, "shop": shop_http, "management": management_http}, database)


NO_GUEST: Final = Reply(
    400,
    {"error": "validation error", "details": {"token": ["must be a token of another customer, a guest of this shop"]}},
)


NO_CODE: Final = Reply(400, {"error": "invalid discount code", "details": {"code": [UNKNOWN]}})
CODES: Final = {"first": "OF-FIRST", "second": "OF-SECOND"}
"""A discount code of each shop."""


OTHER_ROUTES: Final = [
    *(("POST", GUESTS), ("POST", MERGE), ("PUT", DISCOUNT), ("DELETE", DISCOUNT)),
    *(("GET", path) for path in METHODS),
]
"""The routes of the Shop API that `ROUTES` does not have."""


@dataclass(frozen=True)
class Cell:
    """One request. ``owner`` is the tenant in the path; None if only the token names the tenant."""

    api: str
    method: str
    path: str
    owner: str | None

    def refusal(self, caller: str | None) -> Reply | None:
        """Return the refusal of a tenant or a stranger; None if the request is permitted."""
        if self.api == "management":
            return self._refusal_of_management(caller)
        if self.api == "search":
            return None if caller == self.owner else FORBIDDEN
        if self.path.startswith(GUESTS):
            return None if caller in VISITORS else UNAUTHENTICATED
        if caller not in CUSTOMERS:
            return UNAUTHENTICATED
        if self.path.startswith((MERGE, DISCOUNT)) and self.method in {"POST", "PUT"}:
            return NO_GUEST if self.method == "POST" else NO_CODE
        others = ORDER_NOT_FOUND if "/orders/" in self.path else ITEM_NOT_FOUND
        return None if self.owner in (None, caller) else others

    def _refusal_of_management(self, caller: str | None) -> Reply | None:
        if caller not in MANAGERS:
            return ACCESS_DENIED if caller else NOT_AUTHENTICATED
        if self.owner is None or self.owner in MANAGERS[caller]:
            return None
        return ACCESS_DENIED if self.owner in VISITORS else MANAGED_NOT_FOUND if "/orders/" in self.path else None


def order_cells(world: World) -> Iterator[Cell]:
    """Return checkout, and every route of orders for the order of every customer."""
    for api, routes in (("shop", ORDER_ROUTES.values()), ("management", MANAGEMENT_ORDER_ROUTES)):
        for (method, path), slash in combinations(routes, SLASHES):
            query = f"?from={datetime.now(UTC):%Y%m%d}&to=20991231&limit=1000" if path == SHOP_ORDERS else ""
            for owner in CUSTOMERS if "{order}" in path else [None]:
                made = world.places[owner].order if owner else None
                yield Cell(api, method, path.format(order=made and made.key) + slash + query, owner)


def report_cells(world: World) -> Iterator[Cell]:
    """Return a report of each kind about the search engine of each visitor."""
    for name, report, slash in combinations(VISITORS, REPORTS, SLASHES):
        visitor = world.places[name].of
        assert isinstance(visitor, Visitor)
        query = f"from=20251121&to=20251121&hashid[]={visitor.hashid}"
        yield Cell("management", "GET", f"/api/v2/stats/{report}{slash}?{query}", name)


def cells(world: World) -> Iterator[Cell]:
    """Return every route of all APIs, in every spelling, for every tenant that it can name."""
    for name, place in world.places.items():
        if isinstance(place.of, Visitor):
            for method, hashid in combinations(("PUT", "PATCH", "DELETE"), (place.of.hashid, place.of.hashid.upper())):
                yield Cell("search", method, replace(place.of, hashid=hashid).path, name)
            for method, event in combinations(("PUT", "GET"), ("init", "click", "image", "redirect", "checkout")):
                yield Cell("search", method, f"/6/{place.of.hashid}/stats/{event}", name)
    for (method, path), slash in combinations(ROUTES.values(), SLASHES):
        for owner in CUSTOMERS if "{item}" in path else [None]:
            item = world.places[owner].item if owner else 0
            yield Cell("shop", method, path.format(item=item) + slash, owner)
    for (method, path), slash in combinations(OTHER_ROUTES, SLASHES):
        yield Cell("shop", method, path + slash, None)
    for (method, path), slash, owner in combinations(MANAGEMENT_ROUTES, SLASHES, CUSTOMERS):
        if method == "POST" and "guest" in owner:
            continue  # a shop issues no token of a guest
        customer = world.places[owner].of
        assert isinstance(customer, Customer)
        yield Cell("management", method, path.format(customer=customer.owner.customer) + slash, owner)
    yield from order_cells(world)
    yield from report_cells(world)


counts: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _cells_are_counted() -> Iterator[None]:
    """Record the number of cells."""
    yield
    figures.record("isolation", "pytest tests/e2e/test_isolation.py", **counts)


def faults(world: World, caller: str | None, header: str | None) -> list[str]:
    """Send every cell with one credential; return the wrong answers."""
    found = []
    own = world.places[caller] if caller else None
    cart = world.database.cart(own.of.owner) if own and isinstance(own.of, Customer) else None
    others = world.stored(but=caller)
    for cell in cells(world):
        if cart:
            world.database.put([cart])  # which the previous cell may have changed
        body = {"id": "42", "index": "product", "title": "x", "product": own.product if own else 101, "quantity": 1}
        body["status"] = "cancelled"
        body["code"] = CODES[GUESTS_OF.get(caller or "", "first")]
        body["token"] = world.places[f"a guest of the {GUESTS_OF.get(caller or '', 'first')} shop"].of.token
        victim = world.places[cell.owner].of if cell.owner else None
        if isinstance(victim, Visitor):
            body |= {"session_id": victim.session, "dfid": f"{victim.hashid}@product@{'0' * 32}"}
        headers = {} if header is None else {"Authorization": header}
        reply = world.http[cell.api].send(cell.method, cell.path, headers=headers, json=body)
        refusal = cell.refusal(caller)
        if cell.owner in CUSTOMERS and not refusal:
            world.restore(cell.owner)
        leaks = world.holds_others_data(f"{dict(reply.headers)} {reply.body!r}", caller)
        as_expected = reply == refusal if refusal else reply.status in {200, 201}
        counts.update({
            "cells": 1,
            "permitted": refusal is None,
            "refused": refusal is not None,
            "answers_that_differ": not as_expected,
            "answers_with_others_data": leaks,
        })  # fmt: skip
        if leaks or not as_expected:
            found.append(f"{cell}: {reply}")
    if world.stored(but=caller) != others:
        found.append("data of another tenant was changed")
    return found


@pytest.mark.parametrize("stranger", STRANGERS)
def test_invalid_credential_opens_nothing(world: World, stranger: str) -> None:
    assert faults(world, None, world.strangers[stranger]) == []


@pytest.mark.parametrize("tenant", [*VISITORS, *CUSTOMERS, *MANAGERS])
def test_credential_opens_only_its_own_data(world: World, tenant: str) -> None:
    assert faults(world, tenant, f"Token {world.places[tenant].of.token}") == []
