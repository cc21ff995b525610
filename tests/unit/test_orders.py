"""The rules of orders: keys, figures, and what may become of an order."""

import pytest

from serverless_cart.domain.errors import InvalidTransition
from serverless_cart.domain.orders import STATUSES, OrderChange, Status, is_key, new_key
from serverless_cart.domain.public_ids import order_id
from tests.support.builders import order, sold
from tools.support.events import NOW

ALLOWED = {
    ("hold", "processing"),
    ("hold", "cancelled"),
    ("hold", "failed"),
    ("processing", "shipped"),
    ("processing", "cancelled"),
    ("processing", "refunded"),
    ("shipped", "completed"),
    ("shipped", "refunded"),
    ("completed", "refunded"),
}
GIVES_UP_CODE = {(before, after) for before, after in ALLOWED if after in {"cancelled", "failed", "refunded"}}
RETURNS_STOCK = {(before, after) for before, after in GIVES_UP_CODE if after != "refunded"}


def test_key_has_128_random_bits() -> None:
    keys = {new_key() for _ in range(1_000)}

    assert len(keys) == 1_000
    assert all(is_key(key) for key in keys)
    assert all(len({key[place] for key in keys}) == 32 for place in range(5, 30))


@pytest.mark.parametrize(
    "text", ["", "ORD-", "ord-" + "0" * 26, "ORD-8" + "0" * 25, "ORD-" + "U" * 26, " ORD-" + "0" * 26]
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_key(text)


def test_ids_differ_by_shop_and_key() -> None:
    key = new_key()

    ids = {order_id(shop, name) for shop in ("a", "b") for name in (key, new_key())}
    assert len(ids) == 4
    assert max(ids) < 2**53
    assert order_id("a", key) == order_id("a", key)


def test_figures_add_up() -> None:
    made = order(
        items=(sold(1, quantity=3, unit_price=1_000, unit_discount=100), sold(2, quantity=1, unit_price=50)),
        discount=750,
        shipping_cost=490,
        amount_paid=2_489,
    )

    assert (made.quantity, made.items_subtotal, made.items_discount) == (4, 3_050, 300)
    assert (made.subtotal, made.total, made.is_paid) == (2_750, 2_490, False)
    assert made.changed(OrderChange("processing", 2_490), NOW).is_paid


@pytest.mark.parametrize("after", STATUSES)
@pytest.mark.parametrize("before", STATUSES)
def test_statuses_follow_the_table(before: Status, after: Status) -> None:
    made = order(status=before, reserved={7: 2}, discount_key="SPRING")
    pair = (before, after)
    if before == after:
        assert made.changed(OrderChange(after), NOW + 1) is made
    elif pair in ALLOWED:
        changed = made.changed(OrderChange(after), NOW + 1)
        assert (changed.status, changed.version, changed.updated_at) == (after, made.version + 1, NOW + 1)
        assert changed.reserved_until is None
        assert made.returned_by(changed) == ({7: 2} if pair in RETURNS_STOCK else {})
        assert made.gives_up_code(changed) == (pair in GIVES_UP_CODE)
    else:
        with pytest.raises(InvalidTransition):
            made.changed(OrderChange(after), NOW + 1)


@pytest.mark.parametrize(("restock", "returned"), [(False, {}), (True, {7: 2})])
def test_refund_returns_stock_on_request(restock: bool, returned: dict[int, int]) -> None:  # noqa: FBT001
    made = order(status="shipped", reserved={7: 2})
    change = OrderChange("refunded", restock=restock)

    refunded = made.changed(change, NOW)

    assert made.returned_by(refunded) == returned
    assert refunded.changed(change, NOW + 1) is refunded


def test_refund_without_stock_takes_none_later() -> None:
    refunded = order(status="refunded", reserved={7: 2})

    with pytest.raises(InvalidTransition):
        refunded.changed(OrderChange("refunded", restock=True), NOW)


@pytest.mark.parametrize(
    ("before", "paid", "change", "amount"),
    [
        ("hold", 0, OrderChange("processing"), 1_000),
        ("hold", 0, OrderChange("processing", 400), 400),
        ("hold", 400, OrderChange("failed"), 400),
        ("processing", 0, OrderChange("shipped"), 0),
        ("shipped", 0, OrderChange("shipped", 1_000), 1_000),
    ],
)
def test_amount_paid_is_kept_or_set(before: str, paid: int, change: OrderChange, amount: int) -> None:
    made = order(status=before, items=(sold(7, unit_price=1_000),), amount_paid=paid)

    assert made.changed(change, NOW).amount_paid == amount
