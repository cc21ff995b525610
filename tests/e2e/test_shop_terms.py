"""Shop API: on what terms a product is added: once for each Idempotency-Key, on the version that If-Match names."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from storefront.domain.product import Product
from tests.e2e.clients import NOTE, Customer, Reply
from tests.e2e.database import Database

DAY = 24 * 3600
REUSED = Reply(422, {"error": "idempotency key reused"})
CHANGED = Reply(412, {"error": "cart has changed"})
REPLAYED = "Idempotency-Replayed"


def keyed(key: str) -> dict[str, str]:
    """Return the headers of a request with an idempotency key."""
    return {"Idempotency-Key": key}


# ----------------------------------------------------------------------------------------------------------------------
# Idempotency-Key
# ----------------------------------------------------------------------------------------------------------------------


def test_a_repeated_key_is_not_applied_again(customer: Customer, lamp: Product) -> None:
    first = customer.add(lamp.id, quantity=2, notes=NOTE, headers=keyed("k"))
    second = customer.add(lamp.id, quantity=2, notes=NOTE, headers=keyed("k"))
    assert second == first
    assert second.headers[REPLAYED] == "true"
    assert REPLAYED not in first.headers
    assert second.headers["ETag"] == first.headers["ETag"]


def test_a_replay_shows_the_cart_as_it_now_stands(customer: Customer, lamp: Product) -> None:
    customer.add(lamp.id, headers=keyed("k"))
    now = customer.add(lamp.id, quantity=4)
    replay = customer.add(lamp.id, headers=keyed("k"))
    assert replay == now
    assert replay.headers[REPLAYED] == "true"


def test_a_replay_is_answered_even_where_the_request_would_now_be_refused(
    customer: Customer, database: Database, lamp: Product
) -> None:
    customer.add(lamp.id, headers=keyed("k"))
    database.sell(customer.owner.shop, product_id=lamp.id, active=False)
    replay = customer.add(lamp.id, headers={**keyed("k"), "If-Match": '"1-0"'})
    assert (replay.status, replay.headers[REPLAYED]) == (200, "true")


def test_the_same_request_in_other_words_is_a_replay(customer: Customer, lamp: Product) -> None:
    customer.add(lamp.id, headers=keyed("k"))
    body = f'{{ "unknown": 1, "product" : {lamp.id} }}'.encode()
    replay = customer.post(path="/api/shop/cart/items/", data=body, headers=keyed("k"))
    assert (replay.status, replay.headers[REPLAYED], replay.body["quantity"]) == (200, "true", 1)


@pytest.mark.parametrize("another", [{"product": 0}, {"quantity": 2}, {"notes": NOTE}, {"notes": ""}], ids=str)
def test_a_key_of_another_request_is_refused(customer: Customer, lamp: Product, another: dict[str, Any]) -> None:
    before = customer.add(lamp.id, headers=keyed("k"))
    assert customer.post(json={"product": lamp.id, **another}, headers=keyed("k")) == REUSED
    assert customer.add(lamp.id, headers=keyed("k")) == before


def test_a_refused_request_leaves_its_key_unused(customer: Customer, lamp: Product) -> None:
    assert customer.add(0, headers=keyed("k")).status == 400
    assert customer.add(lamp.id, headers={**keyed("k"), "If-Match": '"1-0"'}) == CHANGED
    reply = customer.add(lamp.id, headers=keyed("k"))
    assert (reply.status, reply.body["quantity"]) == (200, 1)
    assert REPLAYED not in reply.headers


def test_keys_are_the_customers_own(new_customer: Callable[[], Customer], lamp: Product) -> None:
    one, other = new_customer(), new_customer()
    one.add(lamp.id, headers=keyed("k"))
    reply = other.add(lamp.id, quantity=2, headers=keyed("k"))
    assert (reply.status, reply.body["quantity"]) == (200, 2)
    assert REPLAYED not in reply.headers


@pytest.mark.parametrize("key", ["x", "x" * 255, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"], ids=["short", "long", "signs"])
def test_a_key_is_any_visible_ascii(customer: Customer, lamp: Product, key: str) -> None:
    customer.add(lamp.id, headers=keyed(key))
    replay = customer.add(lamp.id, headers=keyed(key))
    assert (replay.body["quantity"], replay.headers[REPLAYED]) == (1, "true")


def test_keys_differ_by_case(customer: Customer, lamp: Product) -> None:
    customer.add(lamp.id, headers=keyed("key"))
    assert customer.add(lamp.id, headers=keyed("KEY")).body["quantity"] == 2


def test_an_empty_key_counts_as_absent(customer: Customer, lamp: Product) -> None:
    customer.add(lamp.id, headers=keyed(""))
    assert customer.add(lamp.id, headers=keyed("")).body["quantity"] == 2


def test_a_cart_remembers_its_last_32_keys(customer: Customer, lamp: Product) -> None:
    for n in range(33):
        customer.add(lamp.id, headers=keyed(f"k{n}"))
    remembered = customer.add(lamp.id, headers=keyed("k1"))
    assert (remembered.headers[REPLAYED], remembered.body["quantity"]) == ("true", 33)
    forgotten = customer.add(lamp.id, headers=keyed("k0"))
    assert forgotten.body["quantity"] == 34
    assert REPLAYED not in forgotten.headers


def test_a_cart_remembers_a_key_for_24_hours(customer: Customer, database: Database, lamp: Product) -> None:
    customer.add(lamp.id, headers=keyed("k"))
    database.age_keys(customer.owner, DAY - 60)
    assert customer.add(lamp.id, headers=keyed("k")).body["quantity"] == 1
    database.age_keys(customer.owner, 60)
    assert customer.add(lamp.id, headers=keyed("k")).body["quantity"] == 2
    replay = customer.add(lamp.id, headers=keyed("k"))
    assert (replay.headers[REPLAYED], replay.body["quantity"]) == ("true", 2)


# ----------------------------------------------------------------------------------------------------------------------
# ETag and If-Match
# ----------------------------------------------------------------------------------------------------------------------


def test_every_cart_carries_an_etag_of_version_and_digest(customer: Customer, lamp: Product) -> None:
    tags = [customer.add(lamp.id).headers["ETag"] for _ in range(2)]
    versions = [int(match[1]) for match in (re.fullmatch(r'"([0-9]+)-[0-9a-f]+"', tag) for tag in tags) if match]
    assert len(versions) == 2
    assert versions[0] < versions[1]


def test_the_named_version_is_changed(customer: Customer, lamp: Product) -> None:
    tag = customer.add(lamp.id).headers["ETag"]
    reply = customer.add(lamp.id, headers={"If-Match": tag})
    assert (reply.status, reply.body["quantity"]) == (200, 2)


def test_any_version_is_changed_where_any_will_do(customer: Customer, lamp: Product) -> None:
    customer.add(lamp.id)
    assert customer.add(lamp.id, headers={"If-Match": "*"}).body["quantity"] == 2


@pytest.mark.parametrize("named", ['"1-0"', '"nonsense"', "nonsense", 'W/"1-0"', '"1-0", "2-0"', '""'])
def test_another_version_is_refused_with_the_current_etag(customer: Customer, lamp: Product, named: str) -> None:
    current = customer.add(lamp.id)
    refused = customer.add(lamp.id, headers={"If-Match": named})
    assert refused == CHANGED
    assert refused.headers["ETag"] == current.headers["ETag"]
    assert customer.add(lamp.id, headers={"If-Match": current.headers["ETag"]}).body["quantity"] == 2


def test_an_older_version_is_refused(customer: Customer, lamp: Product) -> None:
    old = customer.add(lamp.id).headers["ETag"]
    current = customer.add(lamp.id).headers["ETag"]
    refused = customer.add(lamp.id, headers={"If-Match": old})
    assert refused == CHANGED
    assert refused.headers["ETag"] == current


def test_a_version_of_a_cart_that_is_not_there_is_refused(
    customer: Customer, database: Database, lamp: Product
) -> None:
    refused = customer.add(lamp.id, headers={"If-Match": '"1795301750919-7ab6448bc8e6a763"'})
    assert refused == CHANGED
    assert "ETag" in refused.headers
    assert not database.has_cart(customer.owner)
    assert customer.add(lamp.id, headers={"If-Match": refused.headers["ETag"]}).status == 200


def test_a_changed_price_changes_the_etag_but_not_the_version(
    customer: Customer, database: Database, lamp: Product
) -> None:
    added = customer.add(lamp.id, headers=keyed("k"))
    database.sell(customer.owner.shop, product_id=lamp.id, price=1)
    database.age_prices(customer.owner, 61)
    repriced = customer.add(lamp.id, headers=keyed("k"))
    assert repriced.headers["ETag"] != added.headers["ETag"]
    assert customer.add(lamp.id, headers={"If-Match": added.headers["ETag"]}).body["quantity"] == 2
