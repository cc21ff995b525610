"""The cart's shipping and payment methods, through the functions (contract: Shipping and payment methods)."""

import pytest

from serverless_cart.domain.methods import Kind, Method, PaymentMethod, ShippingMethod
from serverless_cart.dynamodb.methods import methods_to_item
from tests.integration.test_races import before
from tests.support.builders import product
from tests.support.bundle import Answer, Bundle
from tests.support.cart_requests import CHANGES, add, clear, is_refusal, is_replay, once, read, select, warnings
from tools.support.events import SECOND, SHOP

pytestmark = pytest.mark.every_engine

PARCEL = ShippingMethod(3, "Parcel", cost=490, free_from=3000)
SUBTOTAL = 1000
"""Of one piece of the shop's product."""


def offer(shop: Bundle, *methods: Method) -> None:
    kind = Kind.PAYMENT if isinstance(methods[0], PaymentMethod) else Kind.SHIPPING
    shop.put(methods_to_item(SHOP, kind, methods, 1))


def costs(answer: Answer) -> tuple[int, int]:
    return answer.body["shipping_cost"], answer.body["total"]


def test_selected_method_is_charged_in_every_answer(shop: Bundle) -> None:
    offer(shop, PARCEL, ShippingMethod(4, "Express", cost=990))
    add(shop)

    selected = select(shop, shipping_method=3)

    assert costs(selected) == (490, SUBTOTAL + 490)
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]
    assert costs(select(shop, shipping_method=4)) == (990, SUBTOTAL + 990)
    assert costs(select(shop, shipping_method=3)) == (490, SUBTOTAL + 490)
    assert costs(add(shop)) == (490, 2 * SUBTOTAL + 490)
    assert costs(add(shop)) == (0, 3 * SUBTOTAL)
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]
    assert costs(read(shop)) == (0, 3 * SUBTOTAL)
    assert shop.database.calls == ["GetItem"]
    assert costs(clear(shop)) == (0, 0)
    assert read(shop).body["shipping_method"] == 3
    assert costs(select(shop, shipping_method=None)) == (0, 0)


@pytest.mark.parametrize(
    ("selections", "fields"),
    [
        ({"shipping_method": 4}, ["shipping_method"]),
        ({"payment_method": 3}, ["payment_method"]),
        ({"shipping_method": 5, "payment_method": 9, "address": 1}, ["shipping_method"]),
        ({"shipping_method": 8, "payment_method": 8}, ["shipping_method", "payment_method"]),
    ],
)
def test_method_that_is_not_offered_is_refused(shop: Bundle, selections: dict[str, int], fields: list[str]) -> None:
    offer(shop, PARCEL, PARCEL._replace(id=4, active=False))
    offer(shop, PaymentMethod(9, "Card"), PaymentMethod(8, "Cash", active=False))

    answer = select(shop, **selections, headers={"If-Match": '"1-0"'})

    assert (answer.status, answer.body["error"], list(answer.body["details"])) == (400, "validation error", fields)
    assert shop.rows("CART#") == []
    assert select(shop, shipping_method=3, payment_method=9).status == 200


def test_shop_without_methods_accepts_any(shop: Bundle) -> None:
    offer(shop, PaymentMethod(9, "Card"))
    add(shop)

    assert costs(select(shop, shipping_method=2**53 - 1)) == (0, SUBTOTAL)
    assert is_refusal(select(shop, payment_method=8), 400, "validation error", "payment_method")


def test_repeated_selection_of_a_withdrawn_method_is_a_replay(shop: Bundle) -> None:
    offer(shop, PARCEL)
    select(shop, shipping_method=3, headers=once())
    offer(shop, PARCEL._replace(active=False))

    assert is_replay(select(shop, shipping_method=3, headers=once()))
    assert is_refusal(select(shop, shipping_method=3), 400, "validation error", "shipping_method")


def test_cart_of_unavailable_items_costs_no_shipping(shop: Bundle) -> None:
    offer(shop, PARCEL)
    add(shop)
    select(shop, shipping_method=3)
    shop.sell(product(active=False))
    shop.clock.forward(60 * SECOND)

    assert costs(read(shop)) == (0, 0)


def test_changed_method_is_seen_within_a_minute(shop: Bundle) -> None:
    offer(shop, PARCEL)
    add(shop)
    select(shop, shipping_method=3)
    offer(shop, PARCEL._replace(cost=590))
    shop.clock.forward(59 * SECOND)
    assert costs(read(shop)) == (490, SUBTOTAL + 490)
    shop.clock.forward(SECOND)

    answer = read(shop)

    assert shop.database.calls == ["GetItem", "BatchGetItem"]
    assert (costs(answer), warnings(answer)) == ((590, SUBTOTAL + 590), [])
    offer(shop, PARCEL._replace(active=False))
    shop.clock.forward(60 * SECOND)
    answer = read(shop)
    assert (costs(answer), warnings(answer)) == ((0, SUBTOTAL), [("shipping_unavailable", None)])


@pytest.mark.parametrize(("other", "cost"), [(4, 990), (None, 0)])
def test_method_that_is_selected_meanwhile_is_kept(shop: Bundle, other: int | None, cost: int) -> None:
    offer(shop, PARCEL, ShippingMethod(4, "Express", cost=990))
    add(shop)
    select(shop, shipping_method=3)
    shop.clock.forward(60 * SECOND)
    before(shop, "UpdateItem", lambda: select(shop, shipping_method=other))

    assert costs(add(shop))[0] == costs(read(shop))[0] == cost


@pytest.mark.parametrize("kind", CHANGES)
def test_change_stores_the_method_that_it_shows(shop: Bundle, kind: str) -> None:
    offer(shop, PARCEL)
    add(shop)
    select(shop, shipping_method=3)
    offer(shop, PARCEL._replace(cost=590, free_from=None))
    shop.clock.forward(60 * SECOND)

    shown = costs(CHANGES[kind](shop))

    assert shown[0] == (0 if kind in {"clear", "remove"} else 590)
    assert costs(read(shop)) == shown
    assert len(shop.database.calls) == 1 + (kind == "clear")
