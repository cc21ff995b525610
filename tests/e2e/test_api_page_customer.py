"""The customer of the API page: cart and orders are there again each time that the page is loaded."""

from collections.abc import Iterator

import pytest

from cartctl.app import run
from local.demo_shop import SHOP, connection_to
from local.stack import Stack
from serverless_cart.domain.cart import Owner
from tools.api_page_customer import CUSTOMER, PRODUCTS, prepare
from tools.support.clients import Customer, Http


@pytest.fixture
def off_sale(stack: Stack) -> Iterator[int]:
    """Take the page's first product off sale."""
    product, *_ = PRODUCTS
    change = ["catalogue", "set", SHOP, str(product)]
    run([*change, "--inactive"], connection_to(stack))
    yield product
    run([*change, "--active"], connection_to(stack))


@pytest.fixture
def customer(stack: Stack, shop_http: Http) -> Customer:
    return Customer(shop_http, prepare(stack).token, Owner(SHOP, CUSTOMER))


def test_unused_cart_and_orders_are_kept(stack: Stack) -> None:
    first, second = prepare(stack), prepare(stack)
    assert (first.item, {*first.orders}) == (second.item, {*second.orders})
    assert first.guest_token != second.guest_token


def test_used_cart_and_orders_are_restored(stack: Stack, customer: Customer) -> None:
    used = prepare(stack).orders[0]
    assert (customer.clear().status, customer.cancel(used).status) == (200, 200)

    restored = prepare(stack)

    assert customer.read_item(restored.item).status == 200
    assert [customer.order(key).body["status"] for key in restored.orders] == ["hold", "hold"]
    assert used not in restored.orders


def test_product_that_is_off_sale_is_replaced(stack: Stack, customer: Customer, off_sale: int) -> None:
    assert customer.clear().status == 200

    restored = prepare(stack)

    assert restored.product != off_sale
    assert customer.read_item(restored.item).body["product"]["id"] == restored.product
