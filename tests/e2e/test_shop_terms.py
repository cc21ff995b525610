"""Shop API: the terms of an answer: Idempotency-Key makes a change once, If-Match on one version; If-None-Match."""

from collections.abc import Callable
from typing import Any

import pytest

from serverless_cart.domain.product import Product
from tests.support.shopper import CHANGED, CHANGES, ITEM_NOT_FOUND, REUSED, ROUTES, Shopper, assert_invalid
from tools.support.clients import NOTE, Customer, Reply
from tools.support.database import Database

DAY = 24 * 3600
REPLAYED = "Idempotency-Replayed"
VERSIONLESS = '"1-0"'
"""An entity tag of a version that no cart has."""


def keyed(key: str) -> dict[str, str]:
    """Return the headers of a request with an idempotency key."""
    return {"Idempotency-Key": key}


def is_replay(reply: Reply) -> bool:
    """Tell whether an answer is good and says that its request had been applied before."""
    assert reply.headers.get(REPLAYED) in (None, "true")
    return reply.status == 200 and REPLAYED in reply.headers


# ----------------------------------------------------------------------------------------------------------------------
# Idempotency-Key: what is a repetition
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", CHANGES)
def test_a_repeated_key_is_not_applied_again(shopper: Shopper, database: Database, route: str) -> None:
    first = shopper.ask(route, headers=keyed("k"))
    assert first.status == 200
    assert REPLAYED not in first.headers
    row = database.cart(shopper.customer.owner)
    second = shopper.ask(route, headers=keyed("k"))
    assert is_replay(second)
    assert second == first
    assert second.headers["ETag"] == first.headers["ETag"]
    assert database.cart(shopper.customer.owner) == row


@pytest.mark.parametrize("route", CHANGES)
def test_the_same_request_in_other_words_is_a_repetition(shopper: Shopper, route: str) -> None:
    shopper.ask(route, headers=keyed("k"))
    assert is_replay(shopper.ask(route, slash="/", json={"unknown": [1], **shopper.body(route)}, headers=keyed("k")))


@pytest.mark.parametrize("route", CHANGES)
def test_a_replay_shows_what_now_stands(shopper: Shopper, database: Database, route: str) -> None:
    shopper.ask(route, headers=keyed("k"))
    now = shopper.ask("add", json={"product": shopper.lamp.id, "quantity": 4})
    row = database.cart(shopper.customer.owner)
    replay = shopper.ask(route, headers=keyed("k"))
    assert is_replay(replay)
    assert replay.body == (now.body["items"][0] if route == "revise" else now.body)
    assert replay.version == now.version
    assert database.cart(shopper.customer.owner) == row


@pytest.mark.parametrize("route", CHANGES)
def test_a_replay_is_answered_even_where_the_request_would_now_be_refused(
    shopper: Shopper, database: Database, route: str
) -> None:
    shopper.ask(route, headers=keyed("k"))
    database.sell(shopper.customer.owner.shop, product_id=shopper.lamp.id, active=False)
    assert is_replay(shopper.ask(route, headers={**keyed("k"), "If-Match": VERSIONLESS}))


def test_a_replay_about_an_item_that_is_gone_is_not_found(shopper: Shopper) -> None:
    shopper.ask("revise", headers=keyed("k"))
    shopper.ask("remove")
    assert shopper.ask("revise", headers=keyed("k")) == ITEM_NOT_FOUND
    shopper.ask("add")
    assert is_replay(shopper.ask("revise", headers=keyed("k")))


@pytest.mark.parametrize("route", CHANGES)
def test_a_key_of_another_route_is_refused(shopper: Shopper, database: Database, route: str) -> None:
    shopper.ask(route, headers=keyed("k"))
    row = database.cart(shopper.customer.owner)
    others = [other for other in CHANGES if other != route]
    assert [shopper.ask(other, headers=keyed("k")) for other in others] == [REUSED] * 4
    assert database.cart(shopper.customer.owner) == row
    assert is_replay(shopper.ask(route, headers=keyed("k")))


def test_a_key_is_refused_where_the_route_is_all_that_differs(shopper: Shopper, database: Database) -> None:
    shopper.ask("select", json={}, headers=keyed("k"))
    row = database.cart(shopper.customer.owner)
    assert shopper.ask("clear", json={}, headers=keyed("k")) == REUSED
    assert database.cart(shopper.customer.owner) == row


@pytest.mark.parametrize(
    ("route", "another"),
    [
        ("add", {"product": 0}),
        ("add", {"quantity": 2}),
        ("add", {"notes": NOTE}),
        ("add", {"notes": ""}),
        ("select", {"address": 8}),
        ("select", {"address": None}),
        ("select", {"payment_method": 7}),
        ("select", {"payment_method": None}),
        ("revise", {"quantity": 6}),
        ("revise", {"notes": NOTE}),
        ("revise", {"notes": ""}),
    ],
)
def test_a_key_of_another_body_is_refused(
    shopper: Shopper, database: Database, route: str, another: dict[str, Any]
) -> None:
    shopper.ask(route, headers=keyed("k"))
    row = database.cart(shopper.customer.owner)
    assert shopper.ask(route, json={**shopper.body(route), **another}, headers=keyed("k")) == REUSED
    assert database.cart(shopper.customer.owner) == row


@pytest.mark.parametrize("route", ["revise", "remove"])
def test_a_key_of_another_item_is_refused(shopper: Shopper, other: Product, route: str) -> None:
    another = shopper.customer.add(other.id).body["items"][1]["id"]
    shopper.ask(route, headers=keyed("k"))
    assert shopper.ask(route, item=another, headers=keyed("k")) == REUSED
    assert shopper.ask(route, item=1, headers=keyed("k")) == REUSED
    assert [item["id"] for item in shopper.ask("read").body["items"]][-1] == another


@pytest.mark.parametrize("route", CHANGES)
def test_a_refused_request_leaves_its_key_unused(shopper: Shopper, route: str) -> None:
    assert shopper.ask(route, headers={**keyed("k"), "If-Match": VERSIONLESS}) == CHANGED
    refused = {"add": {"product": 0}, "revise": {"quantity": 0}, "select": {"address": -1}}
    if route in refused:
        assert shopper.ask(route, json=refused[route], headers=keyed("k")).status == 400
    if "{item}" in ROUTES[route][1]:
        assert shopper.ask(route, item=1, headers=keyed("k")) == ITEM_NOT_FOUND
    reply = shopper.ask(route, headers=keyed("k"))
    assert reply.status == 200
    assert REPLAYED not in reply.headers


# ----------------------------------------------------------------------------------------------------------------------
# Idempotency-Key: which are remembered
# ----------------------------------------------------------------------------------------------------------------------


def test_keys_are_the_customers_own(new_customer: Callable[[], Customer], lamp: Product) -> None:
    one, other = new_customer(), new_customer()
    assert one.add(lamp.id, headers=keyed("k")).status == 200
    for reply in (other.select(address=7, headers=keyed("k")), one.add(lamp.id, headers=keyed("k"))):
        assert reply.status == 200
        assert is_replay(reply) is (reply.body["count"] == 1)


@pytest.mark.parametrize("key", ["x", "x" * 255, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"], ids=["short", "long", "signs"])
def test_a_key_is_any_visible_ascii(shopper: Shopper, key: str) -> None:
    assert shopper.ask("add", headers=keyed(key)).body["quantity"] == 3
    replay = shopper.ask("add", headers=keyed(key))
    assert is_replay(replay)
    assert replay.body["quantity"] == 3


def test_keys_differ_by_case(shopper: Shopper) -> None:
    assert [shopper.ask("add", headers=keyed(key)).body["quantity"] for key in ("key", "KEY")] == [3, 4]


def test_an_empty_key_counts_as_absent(shopper: Shopper) -> None:
    assert [shopper.ask("add", headers=keyed("")).body["quantity"] for _ in range(2)] == [3, 4]


@pytest.mark.parametrize("key", ["a b", "x" * 256, "é".encode(), "\x7f"], ids=["space", "long", "accent", "control"])
def test_a_key_is_1_to_255_visible_ascii_characters_on_every_route_that_changes_the_cart(
    shopper: Shopper, database: Database, key: str | bytes
) -> None:
    row = database.cart(shopper.customer.owner)
    for route in CHANGES:
        reply = shopper.ask(route, headers={"Idempotency-Key": key})
        assert_invalid(reply, "validation error", "Idempotency-Key")
    assert database.cart(shopper.customer.owner) == row
    assert shopper.ask("read", headers={"Idempotency-Key": key}).status == 200


@pytest.mark.parametrize("headers", [{}, keyed("of-the-clear")], ids=["plain", "keyed"])
def test_keys_are_remembered_through_a_clear(shopper: Shopper, headers: dict[str, str]) -> None:
    shopper.ask("add", headers=keyed("k"))
    assert shopper.ask("clear", headers=headers).status == 200
    replay = shopper.ask("add", headers=keyed("k"))
    assert is_replay(replay)
    assert replay.body["is_empty"]
    assert shopper.ask("select", headers=keyed("k")) == REUSED


def test_a_cart_remembers_its_last_32_keys(shopper: Shopper) -> None:
    routes = ["select", "add", "revise"] * 11
    for n, route in enumerate(routes):
        assert shopper.ask(route, headers=keyed(f"k{n}")).status == 200
    before = shopper.ask("read")
    assert is_replay(shopper.ask("add", headers=keyed("k1")))
    assert is_replay(shopper.ask("revise", headers=keyed("k32")))
    forgotten = shopper.ask("select", headers=keyed("k0"))
    assert forgotten.version == before.version + 1
    assert REPLAYED not in forgotten.headers


@pytest.mark.parametrize("route", CHANGES)
def test_a_cart_remembers_a_key_for_24_hours(shopper: Shopper, database: Database, route: str) -> None:
    first = shopper.ask(route, headers=keyed("k"))
    database.age_keys(shopper.customer.owner, DAY - 60)
    assert is_replay(shopper.ask(route, headers=keyed("k")))
    database.age_keys(shopper.customer.owner, 60)
    again = shopper.ask(route, headers=keyed("k"))
    if route == "remove":
        assert again == ITEM_NOT_FOUND
    else:
        assert REPLAYED not in again.headers
        assert again.version > first.version
        assert is_replay(shopper.ask(route, headers=keyed("k")))


# ----------------------------------------------------------------------------------------------------------------------
# ETag and If-Match
# ----------------------------------------------------------------------------------------------------------------------


def test_every_answer_carries_the_etag_of_its_cart(shopper: Shopper) -> None:
    versions = [shopper.ask("read").version]
    for route in ("select", "add", "revise", "remove", "clear", "add"):
        changed, read = shopper.ask(route), shopper.ask("read")
        versions.append(changed.version)
        assert read.version == changed.version
        assert (read.headers["ETag"] == changed.headers["ETag"]) is (route != "revise")
    assert versions == sorted(set(versions))
    assert shopper.ask("read").headers["ETag"] == read.headers["ETag"]


@pytest.mark.parametrize("route", CHANGES)
@pytest.mark.parametrize("form", ["{tag}", "*", "{others}, {tag}", "W/{tag}", "", "of the item"])
def test_the_named_version_is_changed(shopper: Shopper, route: str, form: str) -> None:
    tag = shopper.ask("revise", json={"notes": "blue"}).headers["ETag"]
    if form != "of the item":
        tag = form.format(tag=shopper.ask("read").headers["ETag"], others=f'{VERSIONLESS}, "2-ab"')
    assert shopper.ask(route, headers={"If-Match": tag}).status == 200


@pytest.mark.parametrize("route", CHANGES)
def test_another_version_is_refused_with_the_current_etag_and_nothing_is_written(
    shopper: Shopper, database: Database, route: str
) -> None:
    old = shopper.ask("read").headers["ETag"]
    current = shopper.ask("add").headers["ETag"]
    row = database.cart(shopper.customer.owner)
    bare = current.strip('"').partition("-")[0]
    others = [old, f"{VERSIONLESS}, {old}", f"W/{old}", '"nonsense"', "nonsense", '""', '"*"', bare, f'"{bare}"']
    for named in [*others, VERSIONLESS, f'"{bare}0-0"']:
        refused = shopper.ask(route, headers={"If-Match": named})
        assert (named, refused) == (named, CHANGED)
        assert refused.headers["ETag"] == current
    assert database.cart(shopper.customer.owner) == row
    assert shopper.ask(route, headers={"If-Match": current}).status == 200


@pytest.mark.parametrize("route", ["add", "select", "clear"])
def test_a_version_of_a_cart_that_is_not_there_is_refused(
    customer: Customer, database: Database, lamp: Product, route: str
) -> None:
    shopper = Shopper(customer, lamp, 1)
    refused = shopper.ask(route, headers={"If-Match": '"1795301750919-7ab6448bc8e6a763"'})
    assert refused == CHANGED
    assert refused.headers["ETag"] == shopper.ask("read").headers["ETag"]
    assert not database.has_cart(customer.owner)
    assert shopper.ask(route, headers={"If-Match": refused.headers["ETag"]}).status == 200
    assert database.has_cart(customer.owner) is (route != "clear")


def test_a_changed_price_changes_the_etag_but_not_the_version(shopper: Shopper, database: Database) -> None:
    before = shopper.ask("read")
    database.sell(shopper.customer.owner.shop, product_id=shopper.lamp.id, price=1)
    database.age_prices(shopper.customer.owner, 61)
    after = shopper.ask("read")
    assert after.headers["ETag"] != before.headers["ETag"]
    assert after.version == before.version
    refused = shopper.ask("select", headers={"If-Match": VERSIONLESS})
    assert refused.headers["ETag"] == after.headers["ETag"]
    assert shopper.ask("select", headers={"If-Match": before.headers["ETag"]}).status == 200


# ----------------------------------------------------------------------------------------------------------------------
# If-None-Match
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"1-0", {tag}', '{tag},W/"x"', "*", " {tag} "])
@pytest.mark.parametrize("written", [True, False], ids=["cart", "no cart"])
def test_a_known_answer_is_not_sent_again(
    shopper: Shopper, new_customer: Callable[[], Customer], form: str, *, written: bool
) -> None:
    customer = shopper.customer if written else new_customer()
    full = customer.read()
    headers = {"If-None-Match": form.format(tag=full.headers["ETag"]).strip(), "Origin": "https://shop.example"}
    reply = customer.read(headers=headers)  # that a 304 has no body and carries the CORS headers, `Http.send` sees
    assert reply == Reply(304, None)
    assert {reply.headers[name] for name in ("ETag", "Cache-Control")} == {full.headers["ETag"], "private, no-cache"}


def test_an_unknown_answer_is_sent(shopper: Shopper) -> None:
    full = shopper.ask("read")
    tag = full.headers["ETag"]
    same_version = f'"{full.version}-{"0" * 16}"'
    bare = tag.strip('"')
    for known in (same_version, VERSIONLESS, f"W/{same_version}", bare, f'"{bare.partition("-")[2]}"', '"*"', '""', ""):
        assert (known, shopper.ask("read", headers={"If-None-Match": known})) == (known, full)


def test_a_known_answer_that_has_changed_is_sent(shopper: Shopper, database: Database) -> None:
    owner = shopper.customer.owner
    known = {"If-None-Match": shopper.ask("read").headers["ETag"]}
    database.age_prices(owner, 61)
    assert shopper.ask("read", headers=known).status == 304
    database.sell(owner.shop, product_id=shopper.lamp.id, price=1_001, discount=150)
    database.age_prices(owner, 61)
    repriced = shopper.ask("read", headers=known)
    assert (repriced.status, repriced.body["items_subtotal"]) == (200, 2_002)
    known = {"If-None-Match": repriced.headers["ETag"]}
    assert shopper.ask("read", headers=known).status == 304
    shopper.ask("select")
    assert shopper.ask("read", headers=known).status == 200


@pytest.mark.parametrize("route", CHANGES)
def test_a_change_is_answered_whatever_is_known(shopper: Shopper, route: str) -> None:
    assert shopper.ask(route, headers={"If-None-Match": "*"}).status == 200
