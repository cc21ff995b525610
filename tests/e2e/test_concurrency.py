"""Both APIs: what many requests at once come to. Nothing is lost, nothing counts twice, no limit is passed."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from storefront.domain.product import Product
from tests.e2e.clients import REGISTERED, Customer, Reply, Visitor
from tests.e2e.database import Database

THREADS = 8
T = TypeVar("T")


@pytest.fixture
def customer(customer: Customer) -> Customer:
    """Make a customer whom the gateway knows already, so that a crowd of requests starts no crowd of authorizers."""
    assert customer.add(0).body["error"] == "invalid product"
    return customer


def at_once(call: Callable[[T], Reply], arguments: Iterable[T], threads: int = THREADS) -> list[Reply]:
    """Send requests from several threads."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, arguments))


def outcomes(replies: Iterable[Reply]) -> Counter[str]:
    """Count the answers of each kind."""
    return Counter(reply.body.get("error", "cart") for reply in replies)


def test_80_additions_of_one_product_are_80(customer: Customer, lamp: Product) -> None:
    replies = at_once(lambda _: customer.add(lamp.id), range(80))
    assert outcomes(replies) == {"cart": 80}
    assert sorted(reply.body["quantity"] for reply in replies) == list(range(1, 81))


def test_no_more_than_the_stock_is_had(customer: Customer, database: Database) -> None:
    scarce = database.sell(customer.owner.shop, stock=5)
    replies = at_once(lambda _: customer.add(scarce.id), range(12))
    assert outcomes(replies) == {"cart": 5, "insufficient stock": 7}


def test_no_line_of_a_new_cart_is_lost(customer: Customer, a_hundred_products: list[Product], lamp: Product) -> None:
    products = [product.id for product in a_hundred_products[:24]]
    assert outcomes(at_once(customer.add, products)) == {"cart": 24}
    cart = customer.add(lamp.id).body
    assert {item["product"]["id"] for item in cart["items"]} == {*products, lamp.id}
    assert (cart["count"], cart["quantity"]) == (25, 25)


def test_one_key_is_applied_once(customer: Customer, lamp: Product) -> None:
    replies = at_once(lambda _: customer.add(lamp.id, headers={"Idempotency-Key": "k"}), range(12))
    assert outcomes(replies) == {"cart": 12}
    assert [reply.body["quantity"] for reply in replies] == [1] * 12
    assert Counter(reply.headers.get("Idempotency-Replayed") for reply in replies) == {None: 1, "true": 11}


def test_a_hundred_products_are_never_passed(
    customer: Customer, full_cart: Customer, database: Database, a_hundred_products: list[Product]
) -> None:
    database.copy_cart(full_cart.owner, customer.owner)
    database.drop_from_cart(customer.owner, a_hundred_products[-2:])
    new = [database.sell(customer.owner.shop).id for _ in range(8)]
    replies = at_once(customer.add, new)
    assert outcomes(replies) == {"cart": 2, "cart is full": 6}
    assert customer.add(a_hundred_products[0].id).body["count"] == 100


def test_one_of_those_who_name_the_same_version_wins(customer: Customer, lamp: Product) -> None:
    tag = customer.add(lamp.id).headers["ETag"]
    replies = at_once(lambda _: customer.add(lamp.id, headers={"If-Match": tag}), range(8))
    assert outcomes(replies) == {"cart": 1, "cart has changed": 7}
    assert customer.add(lamp.id).body["quantity"] == 3


def test_an_expired_cart_is_replaced_once(customer: Customer, database: Database, lamp: Product) -> None:
    customer.add(lamp.id, quantity=50)
    database.let_cart_expire(customer.owner)
    assert outcomes(at_once(lambda _: customer.add(lamp.id), range(12))) == {"cart": 12}
    assert customer.add(lamp.id).body["quantity"] == 13


def test_40_events_of_a_sessions_item_are_40(visitor: Visitor, database: Database) -> None:
    assert at_once(lambda _: visitor.put("42", amount=2), range(40), threads=4) == [REGISTERED] * 40
    item = database.session(visitor.hashid, visitor.session)["product", "42"]
    assert (item.amount, item.clicks) == (80, 40)
    assert at_once(lambda _: visitor.patch("42", amount=3), range(26), threads=4) == [REGISTERED] * 26
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == 2
    assert at_once(lambda _: visitor.patch("42"), range(8), threads=4) == [REGISTERED] * 8
    assert database.session(visitor.hashid, visitor.session) == {}
