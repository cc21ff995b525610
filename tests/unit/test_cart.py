"""The rules of a cart: what may be added and in which order it is refused, what it costs, what the customer is told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, IdempotencyRecord, price, stale_products
from serverless_cart.domain.errors import (
    CartFull,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidProduct,
    Refusal,
)
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.product import Product
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.ports import IdempotencyKey
from tests.support.builders import OWNER, cart, item, product, snapshot
from tools.support.events import NOW


def full_cart(*more: Product) -> Cart:
    others = [item(product(number)) for number in range(1000, 1000 + CONTRACT_LIMITS.cart_items - len(more))]
    return cart(*others, *(item(it, 3) for it in more))


# ----------------------------------------------------------------------------------------------------------------------
# What may be added
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "stock", "quantity"), [(0, 3, 3), (2, 3, 1), (0, None, 9999), (9998, None, 1), (9998, 10**6, 1)]
)
def test_an_addition_within_every_bound_is_allowed(held: int, stock: int | None, quantity: int) -> None:
    it = product(stock=stock)

    cart(*([item(it, held)] if held else [])).check_can_add(it, quantity, CONTRACT_LIMITS)


@pytest.mark.parametrize(("held", "stock", "quantity"), [(0, 3, 4), (2, 3, 2), (3, 3, 1), (0, 0, 1), (5, 3, 1)])
def test_adding_past_the_stock_is_refused_and_says_what_is_available(held: int, stock: int, quantity: int) -> None:
    it = product(stock=stock)

    with pytest.raises(InsufficientStock) as refusal:
        cart(*([item(it, held)] if held else [])).check_can_add(it, quantity, CONTRACT_LIMITS)

    (message,) = refusal.value.details["quantity"]
    assert f"{stock} available" in message
    assert (f"{held} of them in the cart" in message) is (held > 0)


def test_a_full_cart_takes_no_other_product_and_more_of_those_in_it() -> None:
    it = product()
    full_cart(it).check_can_add(it, 1, CONTRACT_LIMITS)

    with pytest.raises(CartFull) as refusal:
        full_cart().check_can_add(it, 1, CONTRACT_LIMITS)
    assert list(refusal.value.details) == ["product"]


def test_one_product_s_quantity_cannot_pass_its_limit() -> None:
    it = product(stock=None)

    with pytest.raises(CartFull) as refusal:
        cart(item(it, CONTRACT_LIMITS.item_quantity)).check_can_add(it, 1, CONTRACT_LIMITS)
    assert list(refusal.value.details) == ["quantity"]


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ({"active": False}, {"stock": 0}, InvalidProduct),
        ({"active": False}, {}, InvalidProduct),
        ({"stock": 0}, {}, InsufficientStock),
    ],
)
def test_refusals_come_in_the_contract_s_order(
    first: dict[str, Any], then: dict[str, Any], expected: type[Refusal]
) -> None:
    """Invalid product, insufficient stock, cart is full: each with the later ones true as well."""
    with pytest.raises(expected):
        full_cart().check_can_add(product(**first, **then), 1, CONTRACT_LIMITS)


# ----------------------------------------------------------------------------------------------------------------------
# What it costs
# ----------------------------------------------------------------------------------------------------------------------

prices = st.integers(0, limits.PRODUCT_PRICE)
products = st.builds(
    lambda number, unit, share, stock, active: product(
        number, price=unit, discount=unit * share // 100, stock=stock, active=active
    ),
    st.integers(0, limits.MAX_SAFE_INTEGER),
    prices,
    st.integers(0, 100),
    st.none() | st.integers(0, 20_000),
    st.booleans(),
)
carts = st.lists(
    st.builds(item, products, st.integers(1, CONTRACT_LIMITS.item_quantity)),
    max_size=12,
    unique_by=lambda it: it.product_id,
).map(lambda items: cart(*items))


@given(carts)
def test_totals_are_the_sums_of_their_parts_integers_and_never_negative(it: Cart) -> None:
    priced = price(OWNER, it, {}, {})

    for_sale = [line for line in priced.items if line.product.active]
    assert priced.items_subtotal == sum(line.product.price * line.item.quantity for line in for_sale)
    assert priced.items_discount == sum(line.product.discount * line.item.quantity for line in for_sale)
    assert priced.subtotal == priced.items_subtotal - priced.items_discount == sum(line.total for line in for_sale)
    assert priced.total == priced.subtotal - priced.discount
    assert priced.quantity == sum(line.item.quantity for line in priced.items)
    money = [priced.items_subtotal, priced.items_discount, priced.subtotal, priced.discount, priced.total]
    money += [amount for line in priced.items for amount in (line.subtotal, line.discount, line.total)]
    for amount in money:
        assert type(amount) is int
        assert 0 <= amount <= limits.MAX_SAFE_INTEGER, "a browser reads it exactly"
    assert [line.item.product_id for line in priced.items] == list(it.items)


@given(carts, st.lists(st.tuples(products, st.integers(1, CONTRACT_LIMITS.item_quantity)), max_size=10))
def test_no_additions_in_any_order_lead_past_a_bound(it: Cart, additions: list[tuple[Product, int]]) -> None:
    held = dict(it.items)
    for wanted, quantity in additions:
        try:
            cart(*held.values()).check_can_add(wanted, quantity, CONTRACT_LIMITS)
        except Refusal:
            continue
        before = held.get(wanted.id)
        now = quantity + (before.quantity if before else 0)
        held[wanted.id] = item(wanted, now)
        assert wanted.active
        assert now <= CONTRACT_LIMITS.item_quantity
        assert wanted.stock is None or now <= wanted.stock
    assert len(held) <= CONTRACT_LIMITS.cart_items


def test_the_largest_cart_s_total_is_exact_in_a_browser() -> None:
    dearest = [
        item(product(number, price=limits.PRODUCT_PRICE, discount=0), CONTRACT_LIMITS.item_quantity)
        for number in range(CONTRACT_LIMITS.cart_items)
    ]

    assert price(OWNER, cart(*dearest), {}, {}).total < 2**53


def test_the_newest_reading_counts_and_an_older_one_does_not() -> None:
    held = cart(item(product(price=100, discount=0)))
    other = product(price=120, discount=0)

    assert price(OWNER, held, {123: snapshot(other, NOW + 1)}, {}).total == 120
    assert price(OWNER, held, {123: snapshot(other, NOW)}, {}).total == 120
    assert price(OWNER, held, {123: snapshot(other, NOW - 1)}, {}).total == 100


def test_an_empty_cart_costs_nothing() -> None:
    priced = price(OWNER, Cart(), {}, {})

    assert (priced.total, priced.quantity, priced.items, priced.warnings) == (0, 0, (), ())


# ----------------------------------------------------------------------------------------------------------------------
# What the customer is told
# ----------------------------------------------------------------------------------------------------------------------


def warnings(now: Product, shown: Product, quantity: int = 2) -> list[tuple[str, str]]:
    priced = price(OWNER, cart(item(now, quantity)), {}, {now.id: shown})
    return [(warning.code, warning.message) for warning in priced.warnings]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"price": 1300}, ["unit price", "1250", "1300"]),
        ({"discount": 0}, ["unit discount", "250", "0"]),
        ({"price": 1300, "discount": 300}, ["unit price", "1250", "1300", "unit discount", "250", "300"]),
    ],
)
def test_a_changed_price_is_told_with_the_old_and_the_new(changes: dict[str, int], named: list[str]) -> None:
    ((code, message),) = warnings(product(**changes), shown=product())

    assert code == "price_changed"
    assert all(word in message for word in named)


@pytest.mark.parametrize("changes", [{}, {"name": "Another name"}, {"stock": 2}, {"stock": None}, {"image": None}])
def test_nothing_is_told_of_what_costs_the_same_and_suffices(changes: dict[str, Any]) -> None:
    assert warnings(product(**changes), shown=product()) == []


def test_less_left_than_the_item_asks_for_is_told_beside_a_changed_price_and_the_item_still_counts() -> None:
    scarce = product(price=1, discount=0, stock=1)

    assert [code for code, _ in warnings(scarce, product())] == ["price_changed", "insufficient_stock"]
    assert price(OWNER, cart(item(scarce, 2)), {}, {}).total == 2


def test_what_is_not_for_sale_is_told_alone_stays_visible_and_counts_in_no_total() -> None:
    gone = product(7, price=1, stock=0, active=False)

    assert [code for code, _ in warnings(gone, product(7))] == ["unavailable"]
    priced = price(OWNER, cart(item(gone, 3), item(product())), {}, {})
    assert (len(priced.items), priced.quantity, priced.total) == (2, 4, 1000)


# ----------------------------------------------------------------------------------------------------------------------
# How old a price may be
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "stale"), [(0, False), (59_999, False), (60_000, True), (10**9, True)])
def test_a_reading_is_stale_at_its_age(age: int, *, stale: bool) -> None:
    held = cart(item(product()))

    assert stale_products(held, {}, NOW + age, 60) == ([product()] if stale else [])


def test_a_newer_reading_spares_the_stored_one_and_an_older_does_not_replace_it() -> None:
    held = cart(item(product()))
    late = NOW + 60_000

    assert stale_products(held, {123: snapshot(product(), late)}, late, 60) == []
    assert stale_products(held, {123: snapshot(product(), NOW - 1)}, NOW + 1, 60) == []
    assert stale_products(held, {7: snapshot(product(7), 0)}, NOW + 1, 60) == [], "what is not in the cart"


# ----------------------------------------------------------------------------------------------------------------------
# Idempotency keys
# ----------------------------------------------------------------------------------------------------------------------

DAY = limits.IDEMPOTENCY_RECORD_LIFETIME * 1000


def keyed(*used: int) -> Cart:
    return cart(
        idempotency_records={f"key-{number}": IdempotencyRecord("request", at) for number, at in enumerate(used)}
    )


def test_a_key_repeats_its_own_request_only() -> None:
    it = keyed(NOW)

    assert Preconditions(IdempotencyKey("key-0", "request")).is_replay(it, NOW)
    assert not Preconditions(IdempotencyKey("key-1", "request")).is_replay(it, NOW)
    with pytest.raises(IdempotencyKeyReused):
        Preconditions(IdempotencyKey("key-0", "another request")).is_replay(it, NOW)


@pytest.mark.parametrize(("age", "remembered"), [(DAY - 1, True), (DAY, False), (DAY + 1, False)])
def test_a_key_is_remembered_for_24_hours(age: int, *, remembered: bool) -> None:
    assert Preconditions(IdempotencyKey("key-0", "request")).is_replay(keyed(NOW), NOW + age) is remembered
    assert Preconditions(IdempotencyKey("key-0", "request")).is_replay(keyed(NOW), NOW) is True


def test_the_last_32_keys_are_remembered() -> None:
    it = keyed(*range(NOW, NOW + 40))

    assert set(it.active_idempotency_records(NOW + 40)) == {f"key-{number}" for number in range(8, 40)}


@pytest.mark.parametrize("change", [lambda it: replace(it, idempotency_records={}), lambda it: it])
def test_a_forgotten_key_belongs_to_nobody(change: Callable[[Cart], Cart]) -> None:
    it = change(keyed(NOW))

    assert Preconditions(IdempotencyKey("key-0", "another request")).is_replay(it, NOW + DAY) is False
