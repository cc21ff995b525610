"""Shop API: the cart as a whole: reading it, selecting for it, emptying it."""

from collections.abc import Callable
from unittest.mock import ANY

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.product import Product
from tests.support.shopper import CHANGES, ITEM_NOT_FOUND, ROUTES, SLASHES, Shopper, moment
from tools.support.clients import CART, NOTE, Customer, Reply
from tools.support.database import Database

MONTH = 30 * 24 * 3600
LARGEST = 2**53 - 1
SELECTIONS = ["address", "shipping_method", "payment_method"]
NOTHING: dict[str, object] = {
    "count": 0,
    "quantity": 0,
    "is_empty": True,
    "items_subtotal": 0,
    "items_discount": 0,
    "subtotal": 0,
    "discount": 0,
    "total": 0,
    "items": [],
    "warnings": [],
}
"""What a cart without items says of them."""


def selected(reply: Reply) -> list[int | None]:
    """Return the selections in an answer."""
    return [reply.body[name] for name in SELECTIONS]


# ----------------------------------------------------------------------------------------------------------------------
# GET
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", SLASHES)
def test_a_customer_without_a_cart_has_an_empty_one_and_nothing_is_written(
    customer: Customer, database: Database, lamp: Product, slash: str
) -> None:
    reply = customer.send("GET", CART + slash)
    times = {"created_at": None, "updated_at": None}
    assert reply == Reply(200, {"id": reply.body["id"], **dict.fromkeys(SELECTIONS), **times, **NOTHING})
    assert not database.has_cart(customer.owner)
    assert customer.add(lamp.id).body["id"] == reply.body["id"]


@pytest.mark.parametrize("slash", SLASHES)
def test_reading_shows_what_the_last_change_answered_and_writes_nothing(
    shopper: Shopper, database: Database, other: Product, slash: str
) -> None:
    customer = shopper.customer
    customer.select(address=7, payment_method=0)
    answered = customer.add(other.id, quantity=3, notes="ü")
    row = database.cart(customer.owner)
    reply = shopper.ask("read", slash=slash)
    assert reply == answered
    assert (selected(reply), reply.body["count"], reply.body["total"]) == ([7, None, 0], 2, 2 * 850 + 3 * 500)
    assert reply.headers["ETag"] == answered.headers["ETag"]
    assert database.cart(customer.owner) == row


@pytest.mark.parametrize("route", ROUTES)
def test_no_answer_about_a_cart_is_kept_by_a_cache_unasked(shopper: Shopper, route: str) -> None:
    reply = shopper.ask(route)
    assert (reply.status, reply.headers["Cache-Control"]) == (200, "private, no-cache")


# ----------------------------------------------------------------------------------------------------------------------
# PATCH
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", SLASHES)
def test_selecting_makes_the_cart_where_there_is_none(customer: Customer, slash: str) -> None:
    body = {"address": 1, "shipping_method": 2, "payment_method": 3}
    reply = customer.send("PATCH", CART + slash, json=body)
    times = {"created_at": reply.body["created_at"], "updated_at": reply.body["created_at"]}
    assert reply == Reply(200, {"id": reply.body["id"], **body, **times, **NOTHING})
    assert customer.read() == reply


def test_selecting_nothing_makes_the_cart_too(customer: Customer, database: Database) -> None:
    reply = customer.select()
    assert (reply.status, selected(reply)) == (200, [None] * 3)
    assert reply.body["created_at"] is not None
    assert database.has_cart(customer.owner)


@pytest.mark.parametrize("name", SELECTIONS)
def test_null_clears_a_selection_and_an_absent_one_stays(customer: Customer, name: str) -> None:
    before = customer.select(address=1, shipping_method=2, payment_method=3).body
    assert customer.send("PATCH", CART, json={name: 9}).body[name] == 9
    reply = customer.send("PATCH", CART, json={name: None})
    assert {key: reply.body[key] for key in SELECTIONS} == {**{key: before[key] for key in SELECTIONS}, name: None}
    assert customer.send("PATCH", CART, json={name: None}) == Reply(200, {**reply.body, "updated_at": ANY})
    assert selected(customer.read()) == selected(reply)


@pytest.mark.parametrize("number", [0, LARGEST])
def test_selections_go_from_0_to_what_a_browser_reads(customer: Customer, number: int) -> None:
    reply = customer.select(address=number, shipping_method=number, payment_method=number)
    assert (reply.status, selected(reply)) == (200, [number] * 3)
    assert all(type(value) is int for value in selected(customer.read()))


def test_selecting_leaves_the_items_alone(shopper: Shopper) -> None:
    before = shopper.ask("read").body
    after = shopper.ask("select").body
    assert after == {**before, "address": 7, "updated_at": after["updated_at"]}
    assert moment(after["updated_at"]) > moment(before["updated_at"])


def test_unknown_fields_are_ignored(shopper: Shopper) -> None:
    before = shopper.ask("read").body
    after = shopper.ask("select", json={"shipping_method": 4, "id": 1, "total": 0, "items": [], "x": None}).body
    assert after == {**before, "shipping_method": 4, "updated_at": after["updated_at"]}


# ----------------------------------------------------------------------------------------------------------------------
# DELETE
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", SLASHES)
def test_an_emptied_cart_keeps_its_id_its_creation_and_its_selections(
    shopper: Shopper, other: Product, slash: str
) -> None:
    customer = shopper.customer
    customer.add(other.id)
    before = customer.select(address=1, shipping_method=2, payment_method=3).body
    reply = shopper.ask("clear", slash=slash)
    assert reply == Reply(200, {**before, **NOTHING, "updated_at": reply.body["updated_at"]})
    assert moment(reply.body["updated_at"]) > moment(before["updated_at"])
    assert customer.read() == reply


def test_nothing_of_an_item_outlives_the_clear(shopper: Shopper) -> None:
    shopper.ask("clear")
    (item,) = shopper.ask("add").body["items"]
    assert (item["id"], item["quantity"], item["notes"]) == (shopper.item, 1, "")


def test_an_empty_cart_can_be_emptied(shopper: Shopper) -> None:
    first = shopper.ask("clear").body
    assert shopper.ask("clear") == Reply(200, {**first, "updated_at": shopper.ask("read").body["updated_at"]})


@pytest.mark.parametrize("slash", SLASHES)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "keyed"])
def test_emptying_no_cart_writes_nothing(
    customer: Customer, database: Database, slash: str, headers: dict[str, str]
) -> None:
    reply = customer.send("DELETE", CART + slash, headers=headers)
    assert (reply.status, reply.body["created_at"]) == (200, None)
    assert reply == customer.read()
    assert not database.has_cart(customer.owner)


# ----------------------------------------------------------------------------------------------------------------------
# How long a cart lives, and whose it is
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", CHANGES)
def test_every_change_lets_the_cart_live_30_more_days(shopper: Shopper, database: Database, route: str) -> None:
    owner = shopper.customer.owner
    database.let_cart_age(owner)
    assert shopper.ask("read").body["count"] == 1
    assert database.cart_lifetime(owner) < 61
    assert shopper.ask(route).status == 200
    assert database.cart_lifetime(owner) == pytest.approx(MONTH, abs=30)


@pytest.mark.parametrize("route", ["read", "clear", "revise", "remove"])
def test_an_expired_cart_is_absent_and_stays_as_it_lies(shopper: Shopper, database: Database, route: str) -> None:
    customer = shopper.customer
    database.let_cart_expire(customer.owner)
    row = database.cart(customer.owner)
    reply = shopper.ask(route)
    if route in ("revise", "remove"):
        assert reply == ITEM_NOT_FOUND
    else:
        assert (reply.status, reply.body["created_at"], reply.body["items"]) == (200, None, [])
    assert database.cart(customer.owner) == row


def test_selecting_on_an_expired_cart_makes_a_new_one(shopper: Shopper, database: Database) -> None:
    customer = shopper.customer
    old = customer.select(shipping_method=2)
    database.let_cart_expire(customer.owner)
    reply = shopper.ask("select", headers={"Idempotency-Key": "k"})
    times = dict.fromkeys(("created_at", "updated_at"), reply.body["created_at"])
    assert reply.body == {**old.body, **NOTHING, **times, "address": 7, "shipping_method": None}
    assert moment(reply.body["created_at"]) > moment(old.body["created_at"])
    assert customer.read() == reply
    assert database.cart_lifetime(customer.owner) == pytest.approx(MONTH, abs=30)
    assert shopper.ask("select", headers={"Idempotency-Key": "k"}).headers["Idempotency-Replayed"] == "true"


def test_no_route_shows_or_changes_another_customers_cart(
    new_customer: Callable[[], Customer], shopper: Shopper, stack: Stack, database: Database
) -> None:
    owner = shopper.customer.owner
    row, seen = database.cart(owner), shopper.ask("read")
    namesake = Owner(database.token(stack.second_shop.customer_token).shop, owner.customer)
    token = database.issue(Token("customer", namesake.shop, namesake.customer))
    for customer in (new_customer(), Customer(shopper.customer.http, token, namesake)):
        stranger = Shopper(customer, shopper.lamp, shopper.item)
        replies = {route: stranger.ask(route) for route in ("read", "select", "revise", "remove", "clear", "read")}
        assert {route: reply.status for route, reply in replies.items()} == {
            "read": 200, "select": 200, "revise": 404, "remove": 404, "clear": 200,
        }  # fmt: skip
        carts = [reply.body for reply in replies.values() if reply.status == 200]
        assert {(cart["id"] != seen.body["id"], cart["count"]) for cart in carts} == {(True, 0)}
        said = str([reply.body for reply in replies.values()])
        assert [text for text in (NOTE, str(shopper.lamp.id), str(shopper.item)) if text in said] == []
    assert database.cart(owner) == row
    assert shopper.ask("read") == seen
