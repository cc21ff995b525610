"""Guests over HTTP: a cart before sign-in, and its merge into the customer's (contract: Guests)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from local.stack import Stack
from serverless_cart.auth import Token, digest
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.guests import guest_customer
from serverless_cart.domain.product import Product
from tests.support.shopper import (
    BANNED,
    FOREIGN_ORIGIN,
    ROUTES,
    SLASHES,
    UNAUTHENTICATED,
    Guarded,
    Shopper,
    assert_invalid,
    moment,
)
from tools.support.clients import GUESTS, MERGE, Customer, Http, Visitor, sensitive
from tools.support.database import Database

Guests = Callable[[], Customer]


@pytest.fixture
def new_guest(visitor: Visitor, customer: Customer) -> Guests:
    """Return a function that makes guests of the demo shop."""

    def make(slash: str = "") -> Customer:
        reply = customer.http.send("POST", GUESTS + slash, token=visitor.token)
        assert reply.status == 201
        token = sensitive(reply.body["token"])
        return Customer(customer.http, token, Owner(customer.owner.shop, guest_customer(digest(token))))

    return make


@pytest.fixture
def guest(new_guest: Guests) -> Customer:
    """Make a guest of the demo shop."""
    return new_guest()


def quantities(cart: dict[str, list[dict[str, int]]]) -> list[int]:
    return [line["quantity"] for line in cart["items"]]


@pytest.mark.parametrize("slash", SLASHES)
def test_guest_is_created_with_an_api_key(visitor: Visitor, shop_http: Http, slash: str) -> None:
    reply = shop_http.send("POST", GUESTS + slash, token=visitor.token)

    assert (reply.status, reply.body.keys()) == (201, {"token", "expires_at"})
    assert reply.headers["Cache-Control"] == "no-store"
    age = moment(reply.body["expires_at"]) - moment("1970-01-01T00:00:00+00:00")
    assert age > timedelta(days=365 * 56)


def test_only_an_api_key_creates_guests(shop_http: Http, customer: Customer, guest: Customer, stack: Stack) -> None:
    for token in (customer.token, guest.token, "f" * 40, stack.expired_token, stack.revoked_token, None):
        assert shop_http.send("POST", GUESTS, token=token) == UNAUTHENTICATED


def test_api_key_opens_no_cart(visitor: Visitor, unchanged: Shopper, guest: Customer) -> None:
    for method, path in [*ROUTES.values(), ("POST", MERGE), ("GET", GUESTS + "/7"), ("POST", "/api/shop/guests/7")]:
        reply = unchanged.customer.http.send(method, path.format(item=unchanged.item), token=visitor.token, json={})
        assert reply == UNAUTHENTICATED or reply.status == 404
        assert (reply.status == 404) is path.endswith("/7")
    assert guest.read().body["is_empty"]


def test_guest_shop_checks_address_and_origin(guarded: Guarded) -> None:
    http, token = guarded.customer.http, guarded.visitor.token
    assert http.send("POST", GUESTS, token=token, headers={"X-Forwarded-For": "198.51.100.3"}) == BANNED
    assert http.send("POST", GUESTS, token=token, headers={"Origin": "https://elsewhere.example"}) == FOREIGN_ORIGIN
    assert guarded.customer.merge("0" * 40, headers={"Origin": "https://elsewhere.example"}) == FOREIGN_ORIGIN


@pytest.mark.parametrize("slash", SLASHES)
def test_cart_of_a_guest_moves_at_sign_in(
    guest: Customer, customer: Customer, lamp: Product, database: Database, slash: str
) -> None:
    assert guest.add(lamp.id, quantity=2, notes="gift").status == 200
    assert customer.add(lamp.id).status == 200

    reply = customer.send("POST", MERGE + slash, json={"token": f"eu1-{guest.token}"})

    assert (reply.status, quantities(reply.body), reply.body["warnings"]) == (200, [3], [])
    assert customer.read().headers["ETag"] == reply.headers["ETag"]
    assert customer.merge(guest.token) == reply
    assert database.token(guest.token).revoked
    assert guest.read().body["is_empty"], "the authorizer's answer is cached"


def test_what_does_not_fit_stays_with_the_guest(guest: Customer, customer: Customer, database: Database) -> None:
    scarce = database.sell(customer.owner.shop, stock=3)
    guest.add(scarce.id, quantity=3)
    customer.add(scarce.id)

    reply = customer.merge(guest.token, headers={"Idempotency-Key": "sign-in"})

    assert quantities(reply.body) == [3]
    (warning,) = reply.body["warnings"]
    assert (warning["code"], warning["item"]) == ("not_merged", reply.body["items"][0]["id"])
    assert quantities(guest.read().body) == [1]
    assert not database.token(guest.token).revoked
    replay = customer.merge(guest.token, headers={"Idempotency-Key": "sign-in"})
    assert (replay.body, replay.headers["Idempotency-Replayed"]) == (reply.body, "true")


def test_parallel_merges_move_each_piece_once(new_guest: Guests, customer: Customer, lamp: Product) -> None:
    guests = [new_guest() for _ in range(3)]
    for guest in guests:
        guest.add(lamp.id, quantity=5)
    with ThreadPoolExecutor(8) as pool:
        merged = pool.map(lambda number: customer.merge(guests[number % 3].token), range(9))
        added = pool.map(lambda _: customer.add(lamp.id), range(4))
        assert [reply.status for reply in (*merged, *added)] == [200] * 13

    assert quantities(customer.read().body) == [19]
    assert all(guest.read().body["is_empty"] for guest in guests)


def test_token_of_no_other_guest_of_the_shop_is_invalid(
    guest: Customer, customer: Customer, guarded: Guarded, database: Database, lamp: Product
) -> None:
    guest.add(lamp.id)
    foreign = database.issue_nothing()
    shop = guarded.shop.name
    database.reissue(foreign, Token("customer", shop, guest_customer(digest(foreign)), expires_at=2**31))
    for token in (foreign, customer.token, "f" * 40, 7, None, ""):
        assert_invalid(customer.merge(token), "validation error", "token")
    for other in (guarded.customer, guest):
        assert_invalid(other.merge(guest.token), "validation error", "token")
    assert quantities(guest.read().body) == [1]


def test_merge_follows_preconditions(guest: Customer, customer: Customer, lamp: Product) -> None:
    guest.add(lamp.id)
    seen = customer.add(lamp.id).headers["ETag"]
    customer.add(lamp.id)

    assert customer.merge(guest.token, headers={"If-Match": seen}).status == 412
    assert_invalid(customer.merge(guest.token, headers={"Idempotency-Key": "ü"}), "validation error", "Idempotency-Key")
    assert customer.merge(guest.token, headers={"If-Match": "*"}).status == 200
