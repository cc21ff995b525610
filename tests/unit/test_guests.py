"""The merge of a guest's cart into a customer's, without a store (contract: Guests)."""

from typing import Any

import pytest

from serverless_cart.domain.cart import Price
from serverless_cart.domain.guests import merge, movable, not_merged
from serverless_cart.domain.limits import Limits
from tests.support.builders import cart, item, product, snapshot
from tools.support.events import NOW

LIMITS = Limits(cart_items=2, item_quantity=10)
AT = NOW + 1


def held(quantities: dict[int, int], **changes: Any) -> Any:
    return cart(*(item(product(id_), quantity, **changes) for id_, quantity in quantities.items()))


@pytest.mark.parametrize(
    ("customer", "guest", "stock", "after", "left"),
    [
        ({}, {}, None, {}, {}),
        ({1: 1}, {}, None, {1: 1}, {}),
        ({}, {1: 2, 2: 3}, None, {1: 2, 2: 3}, {}),
        ({1: 2}, {1: 3}, None, {1: 5}, {}),
        ({1: 2}, {1: 3}, 5, {1: 5}, {}),
        ({1: 2}, {1: 3}, 4, {1: 4}, {1: 1}),
        ({1: 2}, {1: 3}, 1, {1: 2}, {1: 3}),
        ({}, {1: 3}, 0, {}, {1: 3}),
        ({1: 8}, {1: 3}, None, {1: 10}, {1: 1}),
        ({1: 10}, {1: 3}, None, {1: 10}, {1: 3}),
        ({1: 1, 2: 1}, {3: 1}, None, {1: 1, 2: 1}, {3: 1}),
        ({1: 1}, {2: 1, 3: 1}, None, {1: 1, 2: 1}, {3: 1}),
        ({1: 1, 2: 1}, {3: 1, 2: 4}, None, {1: 1, 2: 5}, {3: 1}),
    ],
)
def test_pieces_move_up_to_stock_and_limits(
    customer: dict[int, int], guest: dict[int, int], stock: int | None, after: dict[int, int], left: dict[int, int]
) -> None:
    snapshots = {id_: snapshot(product(id_, stock=stock), AT) for id_ in guest}

    merged = merge(held(customer), held(guest), snapshots, LIMITS, AT)

    assert {id_: it.quantity for id_, it in merged.customer.items()} == after
    assert {id_: it.quantity for id_, it in merged.guest.items()} == left
    assert merged.moved is (left != guest)
    assert [(it.code, it.product_id) for it in not_merged(merged.guest)] == [("not_merged", id_) for id_ in left]


@pytest.mark.parametrize("sold", [None, product(1, active=False)], ids=["not read", "withdrawn"])
def test_item_that_is_not_for_sale_stays(sold: Any) -> None:
    merged = merge(held({1: 1}), held({1: 2}), {1: snapshot(sold)} if sold else {}, LIMITS, AT)

    assert (merged.customer[1].quantity, merged.guest[1].quantity, merged.moved) == (1, 2, False)


@pytest.mark.parametrize(("own", "guests", "after"), [("mine", "theirs", "mine"), ("", "theirs", "theirs")])
def test_notes_of_the_customers_item_win(own: str, guests: str, after: str) -> None:
    merged = merge(held({1: 1}, notes=own), held({1: 1}, notes=guests), {1: snapshot(product(1))}, LIMITS, AT)

    assert merged.customer[1].notes == after


def test_moved_item_keeps_its_time_and_last_shown_price() -> None:
    guest = held({1: 2}, added_at=NOW - 5, shown=Price(900, 0))

    merged = merge(cart(), guest, {1: snapshot(product(1, price=1000, discount=0), AT)}, LIMITS, AT)

    moved = merged.customer[1]
    assert (moved.added_at, moved.updated_at, moved.snapshot.read_at) == (NOW - 5, AT, AT)
    assert moved.changed_from == Price(900, 0), "so the answer reports the change"


def test_products_to_read_fit_the_customers_cart() -> None:
    customer = held({1: 1})
    guest = cart(item(product(2, active=False)), item(product(3)), item(product(4)), item(product(1)))

    assert [it.id for it in movable(customer, guest, LIMITS)] == [1, 3]
    assert [it.id for it in movable(held({1: 1, 5: 1, 6: 1}), guest, LIMITS)] == [1]
