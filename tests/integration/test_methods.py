"""GET /api/shop/shipping/methods and /api/shop/payment/methods (contract: Shipping and payment methods)."""

from typing import Any

import pytest

from serverless_cart.domain.methods import Kind, Method, PaymentMethod, ShippingMethod
from serverless_cart.dynamodb.methods import methods_to_item
from tests.support.bundle import Bundle
from tests.support.cart_requests import is_refusal
from tools.support.events import SHOP, altered, load

pytestmark = pytest.mark.every_engine

SHIPPING = ShippingMethod(3, "Parcel", "2 to 3 days", cost=490, free_from=5000)
CARD = PaymentMethod(9, "Card", next_step="https://pay.example/{order_key}")


@pytest.mark.parametrize(
    ("kind", "methods", "results"),
    [
        (Kind.SHIPPING, [], []),
        (
            Kind.SHIPPING,
            [SHIPPING, SHIPPING._replace(id=4, active=False), ShippingMethod(1, "Pickup")],
            [
                {"id": 3, "name": "Parcel", "description": "2 to 3 days", "cost": 490, "free_from": 5000},
                {"id": 1, "name": "Pickup", "description": None, "cost": 0, "free_from": None},
            ],
        ),
        (
            Kind.PAYMENT,
            [CARD, PaymentMethod(8, "Invoice", pays_later=True)],
            [
                {"id": 9, "name": "Card", "description": None, "redirects": True},
                {"id": 8, "name": "Invoice", "description": None, "redirects": False},
            ],
        ),
    ],
)
def test_active_methods_are_listed_in_order(shop: Bundle, kind: Kind, methods: list[Method], results: Any) -> None:
    shop.put(methods_to_item(SHOP, kind, methods, 1), methods_to_item("other", kind, [*METHODS_OF_ANOTHER[kind]], 1))

    answer = shop.send("methods", load(f"methods/{kind}"))

    assert (answer.status, answer.body, shop.database.calls) == (200, {"results": results}, ["GetItem"])


METHODS_OF_ANOTHER: dict[Kind, list[Method]] = {
    Kind.SHIPPING: [ShippingMethod(5, "Bike")],
    Kind.PAYMENT: [PaymentMethod(5, "Cash")],
}


@pytest.mark.parametrize("kind", Kind)
def test_methods_are_for_customers(shop: Bundle, kind: Kind) -> None:
    answer = shop.send("methods", altered(load(f"methods/{kind}"), authorizer={"kind": "api_key", "customer": ""}))

    assert is_refusal(answer, 401, "authentication required")
