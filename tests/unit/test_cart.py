"""The rules of a cart: additions, prices, warnings, the age of prices and idempotency keys."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, IdempotencyRecord, Price, Snapshots, price
from serverless_cart.domain.cart import stale as find_stale
from serverless_cart.domain.errors import CartFull, IdempotencyKeyReused, InsufficientStock, InvalidProduct, Refusal
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.product import Product
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.ports import IdempotencyKey
from tests.support.builders import OWNER, cart, item, product, snapshot
from tests.support.cart_machine import assert_sums
from tests.support.reference_cart import REFUSALS, Request, Rules
from tools.support.events import NOW

FULL = [item(product(id_)) for id_ in range(1000, 1000 + CONTRACT_LIMITS.cart_items)]


def holding(quantity: int) -> Cart:
    return cart(*([item(product(), quantity)] if quantity else []))


# ----------------------------------------------------------------------------------------------------------------------
# Additions
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "stock", "quantity"), [(0, 3, 3), (2, 3, 1), (0, None, 9999), (9998, None, 1), (9998, 10**6, 1)]
)
def test_addition_within_the_bounds_is_allowed(held: int, stock: int | None, quantity: int) -> None:
    holding(held).check_can_add(product(stock=stock), quantity, CONTRACT_LIMITS)


@pytest.mark.parametrize(
    ("held", "stock", "quantity", "message"),
    [
        (0, 3, 4, "only 3 available"),
        (2, 3, 2, "only 3 available, 2 in the cart"),
        (3, 3, 1, "only 3 available, 3 in the cart"),
        (0, 0, 1, "only 0 available"),
        (10, 4, 1, "only 4 available, 10 in the cart"),
    ],
)
def test_addition_beyond_the_stock_is_refused(held: int, stock: int, quantity: int, message: str) -> None:
    with pytest.raises(InsufficientStock) as refusal:
        holding(held).check_can_add(product(stock=stock), quantity, CONTRACT_LIMITS)
    assert refusal.value.details == {"quantity": [message]}


def test_full_cart_takes_no_other_product() -> None:
    cart(*FULL).check_can_add(product(1000), 1, CONTRACT_LIMITS)
    cart(*FULL[1:]).check_can_add(product(), 1, CONTRACT_LIMITS)

    with pytest.raises(CartFull) as refusal:
        cart(*FULL).check_can_add(product(), 1, CONTRACT_LIMITS)
    assert refusal.value.details == {"product": ["at most 100 different products can be in a cart"]}


@pytest.mark.parametrize("held", [9_999, 10_003])  # more than the limit, if the deployment has lowered it since
def test_quantity_beyond_its_limit_is_refused(held: int) -> None:
    with pytest.raises(CartFull) as refusal:
        holding(held).check_can_add(product(stock=None), 1, CONTRACT_LIMITS)
    message = f"at most 9999 of one product can be in a cart, {held} in the cart"
    assert refusal.value.details == {"quantity": [message]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"active": False, "stock": 0}, InvalidProduct),
        ({"active": False}, InvalidProduct),
        ({"stock": 0}, InsufficientStock),
    ],
)
def test_refusals_are_in_the_contracts_order(changes: dict[str, Any], expected: type[Refusal]) -> None:
    with pytest.raises(expected):
        cart(*FULL).check_can_add(product(**changes), 1, CONTRACT_LIMITS)


products = st.builds(
    lambda id_, unit, share, stock, active: product(
        id_, price=unit, discount=unit * share // 100, stock=stock, active=active
    ),
    st.integers(0, 12) | st.integers(0, limits.MAX_SAFE_INTEGER),
    st.integers(0, limits.PRODUCT_PRICE),
    st.integers(0, 100),
    st.none() | st.integers(0, 20_000),
    st.booleans(),
)
numbers = st.integers(1, CONTRACT_LIMITS.item_quantity)
carts = st.lists(st.builds(item, products, numbers), max_size=12, unique_by=lambda it: it.product_id).map(
    lambda items: cart(*items)
)


@given(carts, products, numbers, st.sampled_from([1, 5, 100]))
def test_addition_is_refused_by_the_rules(it: Cart, added: Product, quantity: int, most: int) -> None:
    small = limits.Limits(cart_items=most)
    refusal = ""
    try:
        it.check_can_add(added, quantity, small)
    except Refusal as error:
        refusal = REFUSALS[type(error)]

    assert refusal == Rules(small).lacks_room(it, Request("add", added.id, quantity), added)


# ----------------------------------------------------------------------------------------------------------------------
# Prices
# ----------------------------------------------------------------------------------------------------------------------


@given(carts)
def test_totals_are_the_sums_of_their_parts(it: Cart) -> None:
    priced = price(OWNER, it)

    assert_sums(priced)
    assert [line.item.product_id for line in priced.items] == list(it.items)


def test_largest_total_is_exact() -> None:
    dearest = product(price=limits.PRODUCT_PRICE, discount=0)

    it = cart(*(item(dearest._replace(id=id_), CONTRACT_LIMITS.item_quantity) for id_ in range(100)))
    assert_sums(price(OWNER, it))


@pytest.mark.parametrize(("age", "total"), [(1, 120), (0, 120), (-1, 100)])
def test_newest_snapshot_counts(age: int, total: int) -> None:
    held, other = cart(item(product(price=100, discount=0))), product(price=120, discount=0)

    assert price(OWNER, held, Snapshots({123: snapshot(other, NOW + age)})).total == total


# ----------------------------------------------------------------------------------------------------------------------
# Warnings
# ----------------------------------------------------------------------------------------------------------------------


DEARER = "the unit price of Product 123 changed from 1250 to 1300"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"name": "Another name", "image": None}, []),
        ({"stock": 2}, []),
        ({"stock": None}, []),
        ({"price": 1300}, [("price_changed", DEARER)]),
        ({"discount": 0}, [("price_changed", "the unit discount of Product 123 changed from 250 to 0")]),
        (
            {"price": 1300, "discount": 300, "stock": 1},
            [
                ("price_changed", f"{DEARER}; the unit discount of Product 123 changed from 250 to 300"),
                ("insufficient_stock", "only 1 of Product 123 available, 2 in the cart"),
            ],
        ),
        ({"price": 1, "stock": 0, "active": False}, [("unavailable", "Product 123 is no longer for sale")]),
    ],
)
def test_changes_of_a_product_are_reported(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    now = product(**changes)
    priced = price(OWNER, cart(item(product(), 2), item(product(7))), Snapshots({123: snapshot(now, NOW + 1)}))

    assert [(warning.code, warning.message) for warning in priced.warnings] == expected
    assert {warning.product_id for warning in priced.warnings} <= {123}
    assert (len(priced.items), priced.quantity) == (2, 3)
    assert priced.total == 1000 + (2 * (now.price - now.discount) if now.active else 0)


# ----------------------------------------------------------------------------------------------------------------------
# The age of prices
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newer", "age", "stale"),
    [
        ({}, 0, False),
        ({}, 59_999, False),
        ({}, 60_000, True),
        ({}, 10**9, True),
        ({123: NOW + 60_000}, 60_000, False),
        ({123: NOW - 1}, 59_999, False),
        ({7: 0}, 1, False),
    ],
)
def test_product_is_stale_by_its_newest_snapshot(newer: dict[int, int], age: int, *, stale: bool) -> None:
    snapshots = Snapshots({id_: snapshot(product(id_), at) for id_, at in newer.items()})

    assert find_stale(holding(1), snapshots, NOW + age, 60).products == ({123: product()} if stale else {})


# ----------------------------------------------------------------------------------------------------------------------
# Idempotency keys
# ----------------------------------------------------------------------------------------------------------------------

DAY = limits.IDEMPOTENCY_RECORD_LIFETIME * 1000


def keyed(*used: int) -> Cart:
    return cart(idempotency_records={f"key-{number}": IdempotencyRecord("r", at) for number, at in enumerate(used)})


@pytest.mark.parametrize(
    ("digest", "fingerprint", "age", "replay"),
    [
        ("key-0", "r", 0, True),
        ("key-0", "r", DAY - 1, True),
        ("key-0", "r", DAY, False),
        ("key-0", "another", DAY, False),
        ("key-1", "r", 0, False),
    ],
)
def test_key_repeats_its_request_for_24_hours(digest: str, fingerprint: str, age: int, *, replay: bool) -> None:
    assert Preconditions(IdempotencyKey(digest, fingerprint)).is_replay(keyed(NOW), NOW + age) is replay


def test_price_that_returns_needs_no_other_shown_price() -> None:
    aged = item(product(price=1300), shown=Price(1250, 250))

    assert aged.showing(snapshot(product(price=1250), NOW + 1)).shown is None


def test_key_of_another_request_is_refused() -> None:
    with pytest.raises(IdempotencyKeyReused):
        Preconditions(IdempotencyKey("key-0", "another")).is_replay(keyed(NOW), NOW + DAY - 1)


@pytest.mark.parametrize("used", [range(NOW, NOW + 40), [NOW] * 40])
def test_last_32_keys_are_remembered(used: Any) -> None:
    it = keyed(*used)

    active = it.active_idempotency_records(NOW + 40)
    assert len(active) == 32
    assert active == Rules().remembered(it, NOW + 40)
