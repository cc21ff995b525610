"""The Idempotency-Key header: a repeated request is applied once (keys of other requests: test_shop_refusals.py)."""

import pytest

from tests.support.bundle import Bundle
from tests.support.cart_requests import CHANGES, add, is_refusal, is_replay, once, read, remove, select, update_item
from tools.support.events import DAY

every_change = pytest.mark.parametrize("kind", CHANGES)


@every_change
def test_repeated_key_is_applied_once(shop: Bundle, kind: str) -> None:
    add(shop, quantity=2)
    first = CHANGES[kind](shop, once())
    now = add(shop, quantity=4, notes="since")
    row = shop.cart_row()

    replay = CHANGES[kind](shop, once())

    assert (is_replay(first), is_replay(replay)) == (False, True)
    assert (replay.body, replay.headers["ETag"]) == (now.body, now.headers["ETag"]), "the current state"
    assert len(shop.database.calls) == 1
    assert shop.cart_row() == row


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


@pytest.mark.parametrize("key", ["a b", "x" * 256, "é", "\x7f"], ids=["space", "long", "accent", "control"])
def test_bad_key_is_a_validation_error(shop: Bundle, key: str) -> None:
    add(shop)
    row = shop.cart_row()

    for change in CHANGES.values():
        assert is_refusal(change(shop, once(key)), 400, "validation error", "Idempotency-Key")

    assert shop.cart_row() == row
    assert read(shop, Idempotency_Key=key).status == 200, "GET does not read it"


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
