"""Shop API: Idempotency-Key, If-Match and If-None-Match over HTTP.

tests/integration has every form and every route: test_idempotency.py and test_versions.py.
"""

from collections.abc import Callable

import pytest

from tests.support.shopper import CHANGED, CHANGES, REUSED, Shopper
from tools.support.clients import Customer, Reply
from tools.support.database import Database

REPLAYED = "Idempotency-Replayed"
NO_VERSION = '"1-0"'
"""The entity tag of a version that no cart has."""
KEY = {"Idempotency-Key": "k"}
every_change = pytest.mark.parametrize("route", CHANGES)


def is_replay(reply: Reply) -> bool:
    """Return whether an answer says that its request had been applied before."""
    assert reply.headers.get(REPLAYED) in (None, "true")
    return reply.status == 200 and REPLAYED in reply.headers


@every_change
def test_repeated_key_is_applied_once(shopper: Shopper, database: Database, route: str) -> None:
    first = shopper.ask(route, headers=KEY)
    row = database.cart(shopper.customer.owner)
    again = shopper.ask(route, slash="/", json={"unknown": [1], **(shopper.body(route) or {})}, headers=KEY)
    assert (is_replay(first), is_replay(again)) == (False, True)
    assert (again, again.headers["ETag"]) == (first, first.headers["ETag"])
    others = [other for other in CHANGES if other != route]
    assert [shopper.ask(other, headers=KEY) for other in others] == [REUSED] * 4
    assert database.cart(shopper.customer.owner) == row


@every_change
def test_if_match_changes_only_the_named_version(shopper: Shopper, database: Database, route: str) -> None:
    old = shopper.ask("read").headers["ETag"]
    current = shopper.ask("add").headers["ETag"]
    row = database.cart(shopper.customer.owner)
    for named in (old, f"{NO_VERSION}, {old}", f"W/{old}", "nonsense", '"*"', NO_VERSION):
        refused = shopper.ask(route, headers={"If-Match": named})
        assert (named, refused, refused.headers["ETag"]) == (named, CHANGED, current)
    assert database.cart(shopper.customer.owner) == row
    changed = shopper.ask(route, headers={"If-Match": f"{NO_VERSION}, W/{current}"})
    assert (changed.status, changed.version) == (200, shopper.ask("read").version)
    if route not in ("remove", "clear"):
        assert shopper.ask(route, headers={"If-Match": "*"}).status == 200


@pytest.mark.parametrize("written", [True, False], ids=["cart", "no cart"])
@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"1-0", {tag}', "*"])
def test_known_cart_is_304(shopper: Shopper, new_customer: Callable[[], Customer], form: str, *, written: bool) -> None:
    customer = shopper.customer if written else new_customer()
    full = customer.read()
    headers = {"If-None-Match": form.format(tag=full.headers["ETag"]), "Origin": "https://shop.example"}
    reply = customer.read(headers=headers)  # `Http.send` checks that it has no body and the CORS headers
    assert reply == Reply(304, None)
    assert {reply.headers[name] for name in ("ETag", "Cache-Control")} == {full.headers["ETag"], "private, no-cache"}


def test_changed_price_changes_the_tag_not_the_version(shopper: Shopper, database: Database) -> None:
    owner, before = shopper.customer.owner, shopper.ask("read")
    known = {"If-None-Match": before.headers["ETag"]}
    database.age_prices(owner, 61)
    assert shopper.ask("read", headers=known).status == 304
    database.sell(owner.shop, product_id=shopper.lamp.id, price=1_001, discount=150)
    database.age_prices(owner, 61)
    repriced = shopper.ask("read", headers=known)
    assert (repriced.status, repriced.body["items_subtotal"], repriced.version) == (200, 2_002, before.version)
    assert shopper.ask("select", headers={"If-Match": before.headers["ETag"]}).status == 200
