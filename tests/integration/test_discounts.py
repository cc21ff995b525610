"""PUT and DELETE /api/shop/cart/discount, and carts with a discount code (contract: Discount codes)."""

from typing import Any

import pytest

from serverless_cart.domain.discounts import UNKNOWN, DiscountCode
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_attributes, number
from serverless_cart.dynamodb.discounts import DiscountRecord, discount_to_item
from tests.integration.test_guests import merge, new_guest
from tests.integration.test_races import before
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle
from tests.support.cart_requests import (
    CHANGES,
    add,
    apply_discount,
    clear,
    is_refusal,
    is_replay,
    once,
    read,
    remove_discount,
    version,
    warnings,
)
from tools.support.events import NOW, SECOND, SHOP, altered, load

pytestmark = pytest.mark.every_engine

SUBTOTAL = 1000
"""Of one piece of the shop's product."""


def issue(shop: Bundle, code: str = "Summer-10", percent: int | None = 10, **terms: Any) -> None:
    shop.put(discount_to_item(SHOP, DiscountRecord(DiscountCode(code, percent, **terms), "", NOW)))


def off(answer: Answer) -> tuple[str | None, int, int]:
    assert answer.status == 200
    return answer.body["discount_code"], answer.body["discount"], answer.body["total"]


def test_code_takes_its_percentage_off_every_answer(shop: Bundle) -> None:
    issue(shop)
    add(shop)

    applied = apply_discount(shop, " summer-10")

    assert off(applied) == ("Summer-10", 100, 900)
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]
    assert off(read(shop)) == ("Summer-10", 100, 900)
    assert off(add(shop)) == ("Summer-10", 200, 1800)
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]
    assert off(clear(shop)) == ("Summer-10", 0, 0)
    assert off(add(shop)) == ("Summer-10", 100, 900)
    assert off(remove_discount(shop)) == (None, 0, SUBTOTAL)
    assert shop.database.calls == ["GetItem", "UpdateItem"]


def test_second_code_replaces_the_first(shop: Bundle) -> None:
    issue(shop)
    issue(shop, "OFF", None, amount=300)
    add(shop)
    apply_discount(shop, "SUMMER-10")

    assert off(apply_discount(shop, "off")) == ("OFF", 300, 700)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"active": False}, UNKNOWN),
        ({"starts_at": NOW + 1}, "not valid yet"),
        ({"ends_at": NOW - 1}, "no longer valid"),
        ({"max_uses": 1, "uses": 1}, "used up"),
        ({"max_uses_per_customer": 2}, "the customer has used up"),
        ({"minimum": 1001}, "at least 1001"),
    ],
)
def test_code_that_does_not_apply_is_refused_with_the_reason(shop: Bundle, terms: dict[str, Any], reason: str) -> None:
    issue(shop, **terms)
    shop.put(key_attributes(keys.uses(OWNER)) | {keys.use_of("SUMMER-10"): number(2)})
    before = version(add(shop))

    answer = apply_discount(shop, "SUMMER-10")

    assert is_refusal(answer, 400, "invalid discount code", "code")
    assert reason in answer.body["details"]["code"][0]
    assert version(read(shop)) == before


@pytest.mark.parametrize("code", ["NONE", "two words", "\x00", "ß" * 64, "#", "SUMMER-10#CODE"])
def test_unknown_code_is_answered_like_an_inactive_one(shop: Bundle, code: str) -> None:
    issue(shop)

    answer = apply_discount(shop, code)

    assert (answer.status, answer.body) == (400, {"error": "invalid discount code", "details": {"code": [UNKNOWN]}})
    assert shop.rows("CART#") == []


@pytest.mark.parametrize("body", [{}, {"code": None}, {"code": ""}, {"code": 7}, {"code": "x" * 65}])
def test_invalid_body_is_refused(shop: Bundle, body: dict[str, Any]) -> None:
    answer = shop.send("cart", altered(load("cart/discount_put"), body=body))

    assert is_refusal(answer, 400, "validation error", "code")


def test_code_of_another_shop_is_unknown(shop: Bundle) -> None:
    shop.put(discount_to_item("other", DiscountRecord(DiscountCode("SUMMER-10", 10), "", NOW)))

    assert is_refusal(apply_discount(shop, "SUMMER-10"), 400, "invalid discount code", "code")


def test_repeated_key_and_version_are_those_of_every_change(shop: Bundle) -> None:
    issue(shop)
    applied = apply_discount(shop, "SUMMER-10", once())

    assert is_replay(apply_discount(shop, "SUMMER-10", once()))
    assert apply_discount(shop, "OTHER", once()).status == 422
    assert apply_discount(shop, "NONE", {"If-Match": '"1-0"'}).status == 412
    assert remove_discount(shop, {"If-Match": applied.headers["ETag"]}).status == 200
    assert remove_discount(shop, {"If-Match": applied.headers["ETag"]}).status == 412


def test_removal_without_a_cart_writes_nothing(shop: Bundle) -> None:
    assert off(remove_discount(shop)) == (None, 0, 0)
    assert shop.database.calls == ["GetItem"]


def test_changed_code_is_seen_within_a_minute(shop: Bundle) -> None:
    issue(shop)
    add(shop)
    apply_discount(shop, "SUMMER-10")
    issue(shop, active=False)
    shop.clock.forward(59 * SECOND)
    assert off(read(shop)) == ("Summer-10", 100, 900)
    shop.clock.forward(SECOND)

    answer = read(shop)

    assert shop.database.calls == ["GetItem", "BatchGetItem"]
    assert (off(answer), warnings(answer)) == (("Summer-10", 0, SUBTOTAL), [("discount_unavailable", None)])


@pytest.mark.parametrize("kind", CHANGES)
def test_change_stores_the_code_that_it_shows(shop: Bundle, kind: str) -> None:
    issue(shop)
    add(shop)
    apply_discount(shop, "SUMMER-10")
    issue(shop, percent=20)
    shop.clock.forward(60 * SECOND)

    shown = off(CHANGES[kind](shop))

    assert off(read(shop)) == shown
    assert shown[1] * 5 == shown[1] + shown[2]


@pytest.mark.parametrize("other", ["OFF", None])
def test_code_that_is_changed_meanwhile_is_kept(shop: Bundle, other: str | None) -> None:
    issue(shop)
    issue(shop, "OFF")
    add(shop)
    apply_discount(shop, "SUMMER-10")
    shop.clock.forward(60 * SECOND)
    before(shop, "UpdateItem", lambda: apply_discount(shop, other) if other else remove_discount(shop))

    assert off(add(shop))[0] == off(read(shop))[0] == other


@pytest.mark.parametrize(("own", "expected"), [(False, "Summer-10"), (True, "OWN")])
def test_merge_moves_a_guests_code_to_a_customer_without_one(shop: Bundle, expected: str, *, own: bool) -> None:
    issue(shop, max_uses_per_customer=1)
    issue(shop, "OWN")
    shop.sell(product(7))
    guest = new_guest(shop)
    guest.add(7)
    event = altered(load("cart/discount_put"), body={"code": "SUMMER-10"})
    shop.send("cart", altered(event, authorizer={"customer": guest.owner.customer}))
    shop.put(key_attributes(keys.uses(OWNER)) | {keys.use_of("SUMMER-10"): number(1)})
    if own:
        apply_discount(shop, "OWN")

    answer = merge(shop, guest.token)

    assert answer.body["discount_code"] == expected
    assert warnings(answer) == [] if own else [("discount_unavailable", None)]
    assert guest.read().body["discount_code"] == ("Summer-10" if own else None)
