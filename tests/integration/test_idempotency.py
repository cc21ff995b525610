"""The Idempotency-Key header: a repeated request is applied once."""

from typing import Any

import pytest

from tests.support.builders import product
from tests.support.bundle import Bundle
from tests.support.cart_requests import (
    CHANGES,
    add,
    clear,
    is_refusal,
    is_replay,
    once,
    quantities,
    read,
    remove,
    select,
    update_item,
    version,
)
from tools.support.events import DAY, altered, load

REUSED = "idempotency key reused"
every_change = pytest.mark.parametrize("kind", CHANGES)


@every_change
def test_repeated_key_is_applied_once(shop: Bundle, kind: str) -> None:
    add(shop, quantity=2)
    first = CHANGES[kind](shop, once())
    row = shop.cart_row()

    again = CHANGES[kind](shop, once())

    assert not is_replay(first)
    assert is_replay(again)
    assert (again.body, again.headers["ETag"]) == (first.body, first.headers["ETag"])
    assert len(shop.database.calls) == 1
    assert shop.cart_row() == row


@every_change
def test_replay_answers_the_current_state(shop: Bundle, kind: str) -> None:
    add(shop)
    CHANGES[kind](shop, once())
    now = add(shop, quantity=4, notes="since")
    row = shop.cart_row()

    replay = CHANGES[kind](shop, once())

    assert is_replay(replay)
    assert replay.body == now.body
    assert version(replay) == version(now)
    assert shop.cart_row() == row


@every_change
def test_replay_precedes_404_412_and_400(shop: Bundle, kind: str) -> None:
    add(shop)
    CHANGES[kind](shop, once())
    shop.sell(product(active=False))

    assert is_replay(CHANGES[kind](shop, {**once(), "If-Match": '"1-0"'}))


def test_update_is_replayed_although_the_item_is_gone(shop: Bundle) -> None:
    add(shop)
    update_item(shop, quantity=5, headers=once())
    for change in (remove, clear):
        now = change(shop)
        replay = update_item(shop, quantity=5, headers=once())
        assert (is_replay(replay), replay.body) == (True, now.body)
        assert shop.database.calls == ["GetItem"]


@pytest.mark.parametrize("slash", [True, False])
@pytest.mark.parametrize(
    "name", ["cart/patch", "cart/delete", "cart_items/post", "cart_items/patch", "cart_items/delete"]
)
def test_other_spelling_of_a_request_is_a_replay(shop: Bundle, name: str, *, slash: bool) -> None:
    add(shop)
    function, event = name.partition("/")[0], altered(load(name), headers=once())
    assert shop.send(function, event).status == 200

    spelled = altered(event, slash=slash, header_names=str.upper)
    if event["body"]:
        spelled["body"] = '{"unknown": [1], ' + event["body"][1:]

    assert is_replay(shop.send(function, spelled))


# ----------------------------------------------------------------------------------------------------------------------
# Another request with the same key
# ----------------------------------------------------------------------------------------------------------------------


@every_change
def test_key_of_another_route_is_refused(shop: Bundle, kind: str) -> None:
    shop.sell(product(7))
    add(shop, quantity=2)
    CHANGES[kind](shop, once())
    row = shop.cart_row()

    for other in CHANGES.keys() - {kind}:
        assert is_refusal(CHANGES[other](shop, {**once(), "If-Match": '"1-0"'}), 422, REUSED), other

    assert shop.cart_row() == row
    assert is_replay(CHANGES[kind](shop, once()))


BODIES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "add": (
        {"product": 123, "quantity": 2},
        [
            {"product": 7, "quantity": 2},
            {"product": 0, "quantity": 2},
            {"product": 123},
            {"product": 123, "quantity": 2, "notes": "other"},
            {"product": 123, "quantity": 2, "notes": ""},
        ],
    ),
    "select": (
        {"address": 7},
        [
            {"address": 8},
            {"address": None},
            {},
            {"address": 7, "payment_method": 7},
            {"address": 7, "payment_method": None},
        ],
    ),
    "update_item": (
        {"quantity": 2},
        [
            {"quantity": 3},
            {"quantity": 2, "notes": "other"},
            {"quantity": 2, "notes": ""},
            {"product": 7, "quantity": 2},
        ],
    ),
    "remove": ({}, [{"product": 7}, {"product": 404}]),
}
SEND: dict[str, Any] = {"add": add, "select": select, "update_item": update_item, "remove": remove}


@pytest.mark.parametrize("route", BODIES)
def test_key_of_another_body_or_item_is_refused(shop: Bundle, route: str) -> None:
    shop.sell(product(7))
    add(shop, 7)
    add(shop)
    first, others = BODIES[route]
    assert SEND[route](shop, **first, headers=once()).status == 200
    row = shop.cart_row()

    for other in others:
        assert is_refusal(SEND[route](shop, **other, headers=once()), 422, REUSED), other

    assert shop.cart_row() == row


def test_key_of_select_nothing_is_refused_by_clear(shop: Bundle) -> None:
    select(shop, once())

    assert is_refusal(clear(shop, once()), 422, REUSED)


@every_change
def test_refused_request_leaves_its_key_unused(shop: Bundle, kind: str) -> None:
    add(shop)
    assert is_refusal(CHANGES[kind](shop, {**once(), "If-Match": '"1-0"'}), 412, "cart has changed")
    for refused in (
        add(shop, 404, headers=once()),
        add(shop, quantity=0, headers=once()),
        update_item(shop, quantity=51, headers=once()),
        remove(shop, 404, headers=once()),
    ):
        assert refused.status in {400, 404}

    answer = CHANGES[kind](shop, once())
    assert (answer.status, is_replay(answer)) == (200, False)


# ----------------------------------------------------------------------------------------------------------------------
# Keys
# ----------------------------------------------------------------------------------------------------------------------

SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


@pytest.mark.parametrize("key", ["x", "x" * 255, SIGNS], ids=["short", "long", "signs"])
def test_key_is_visible_ascii(shop: Bundle, key: str) -> None:
    add(shop, headers=once(key))

    assert is_replay(add(shop, headers=once(key)))
    assert not is_replay(add(shop, headers=once("X" + key[1:]))), "another key"


def test_empty_key_counts_as_absent(shop: Bundle) -> None:
    assert [quantities(add(shop, headers=once(""))) for _ in range(2)] == [{123: 1}, {123: 2}]


@pytest.mark.parametrize("key", ["a b", "x" * 256, "é", "\x7f"], ids=["space", "long", "accent", "control"])
def test_bad_key_is_a_validation_error(shop: Bundle, key: str) -> None:
    add(shop)
    row = shop.cart_row()

    for change in CHANGES.values():
        assert is_refusal(change(shop, once(key)), 400, "validation error", "Idempotency-Key")

    assert shop.cart_row() == row
    assert read(shop, Idempotency_Key=key).status == 200, "GET does not read it"


def test_keys_belong_to_the_customer(shop: Bundle) -> None:
    event = altered(load("cart_items/post"), headers=once())
    shop.send("cart_items", event)

    answer = shop.send("cart_items", altered(event, authorizer={"customer": "customer-2"}))

    assert not is_replay(answer)
    assert quantities(answer) == {123: 2}


def test_cart_remembers_its_last_32_keys(shop: Bundle) -> None:
    kinds = list(CHANGES)
    for number in range(33):
        shop.clock.forward(1)
        assert CHANGES[kinds[number % 6]](shop, once(f"key-{number}")).status == 200

    assert sum(name.startswith("key#") for name in shop.cart_row()) == 32
    for number in (32, 4, 5):
        assert is_replay(CHANGES[kinds[number % 6]](shop, once(f"key-{number}")))
    assert not is_replay(CHANGES["add"](shop, once("key-0"))), "forgotten, so it is applied again"


@every_change
def test_key_is_remembered_for_24_hours(shop: Bundle, kind: str) -> None:
    add(shop)
    CHANGES[kind](shop, once())
    shop.clock.forward(DAY - 1)
    assert is_replay(CHANGES[kind](shop, once()))
    shop.clock.forward(1)

    assert is_refusal(add(shop, 404, headers=once()), 400, "invalid product", "product"), "the key is free again"
    assert not is_replay(select(shop, once(), address=1))
    assert is_replay(select(shop, once(), address=1))
    assert sum(name.startswith("key#") for name in shop.cart_row()) == 1


@pytest.mark.parametrize("headers", [{}, once("of-the-clear")], ids=["plain", "keyed"])
def test_key_is_remembered_through_a_clear(shop: Bundle, headers: dict[str, str]) -> None:
    add(shop, headers=once())
    clear(shop, headers)

    again = add(shop, headers=once())

    assert (quantities(again), is_replay(again)) == ({}, True)
    assert is_refusal(select(shop, once(), address=1), 422, REUSED)
    assert is_replay(clear(shop, headers)) is bool(headers)
