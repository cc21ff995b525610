"""The age of prices, the warnings of what has changed in the catalogue, and what a change of the cart keeps."""

from typing import Any

import pytest

from serverless_cart.domain.public_ids import item_id
from tests.support.builders import OWNER, product, without
from tests.support.bundle import Bundle
from tests.support.cart_requests import (
    CHANGES,
    add,
    is_refusal,
    is_replay,
    once,
    quantities,
    read,
    remove,
    select,
    update_item,
    warnings,
)
from tools.support.events import DAY, HOUR, NOW, SECOND

ITEM, OTHER = item_id(OWNER, 123), item_id(OWNER, 7)
keeping = pytest.mark.parametrize("kind", ["add", "update quantity", "update notes", "remove", "select"])
"""The changes that keep the other items of the cart."""


def add_three(shop: Bundle) -> None:
    """Add products 7, 8 and 123; the price of 7 then changes, and all prices age."""
    shop.sell(product(7), product(8))
    for number in (7, 8, 123):
        add(shop, number)
    shop.sell(product(7, price=1300))
    shop.clock.forward(HOUR)


# ----------------------------------------------------------------------------------------------------------------------
# When the catalogue is read
# ----------------------------------------------------------------------------------------------------------------------


def test_read_of_aged_prices_costs_one_more_call(shop: Bundle) -> None:
    add(shop)
    before = shop.cart_row()

    for age, reads in ((60 * SECOND - 1, []), (1, ["BatchGetItem"]), (DAY, ["BatchGetItem"])):
        shop.clock.forward(age)
        read(shop)
        assert shop.database.calls == ["GetItem", *reads]
    assert shop.cart_row() == before


def test_hundred_aged_prices_are_read_in_one_call(shop: Bundle) -> None:
    add(shop)
    shop.fill_cart(100)
    shop.sell(*(product(number, price=5, discount=0) for number in range(1000, 1099)))
    shop.clock.forward(HOUR)

    answer = read(shop)

    assert shop.database.calls == ["GetItem", "BatchGetItem", "UpdateItem"]
    assert (answer.body["count"], answer.body["items_subtotal"]) == (100, 1250 + 99 * 5)
    assert len(answer.body["warnings"]) == 99


@keeping
def test_change_reads_aged_prices_once_and_keeps_them(shop: Bundle, kind: str) -> None:
    add_three(shop)

    answer = CHANGES[kind](shop)

    reads = {"add": ["BatchGetItem"] * 2}.get(kind, ["GetItem", "BatchGetItem"])
    assert shop.database.calls == [*reads, "UpdateItem"]
    row = shop.cart_row()
    assert row["snap#7"].startswith(f"{NOW + HOUR} ")
    assert "1300,250," in row["snap#7"]
    assert warnings(answer) == [("price_changed", OTHER)]
    assert answer.body["items"][0]["unit_price"] == 1300
    assert warnings(read(shop)) == [("price_changed", OTHER)]
    assert shop.database.calls == ["GetItem"]
    assert select(shop).body["warnings"] == read(shop).body["warnings"] == []


# ----------------------------------------------------------------------------------------------------------------------
# Changed prices
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "unit", "message"),
    [({"price": 1300}, (1300, 250), "from 1250 to 1300"), ({"discount": 300}, (1250, 300), "from 250 to 300")],
    ids=["price", "discount"],
)
def test_changed_price_is_reported_until_a_change(
    shop: Bundle, change: dict[str, int], unit: tuple[int, int], message: str
) -> None:
    add(shop, quantity=2)
    shop.sell(product(**change))
    shop.clock.forward(60 * SECOND)
    row = shop.cart_row()

    for calls in (["GetItem", "BatchGetItem", "UpdateItem"], ["GetItem"], ["GetItem"]):
        answer = read(shop)
        assert shop.database.calls == calls
        (item,) = answer.body["items"]
        assert (item["unit_price"], item["unit_discount"]) == unit
        assert (answer.body["items_subtotal"], answer.body["total"]) == (2 * unit[0], 2 * (unit[0] - unit[1]))
        (warning,) = answer.body["warnings"]
        assert warning == {"code": "price_changed", "item": ITEM, "message": warning["message"]}
        assert message in warning["message"]
    assert without(shop.cart_row(), "snap#123") == without(row, "snap#123"), "the same version and expiry"
    assert select(shop, address=4).body["warnings"] == read(shop).body["warnings"] == []
    assert "snap#123" in shop.cart_row()
    assert shop.database.calls == ["GetItem"], "the first read kept the fresh price"


def test_updated_quantity_gets_and_keeps_the_newest_price(shop: Bundle) -> None:
    add(shop)
    shop.sell(product(price=1300))
    shop.clock.forward(SECOND)

    answer = update_item(shop, quantity=2)
    assert (answer.body["items"][0]["unit_price"], warnings(answer)) == (1300, [("price_changed", ITEM)])
    assert read(shop).body == answer.body
    assert shop.database.calls == ["GetItem"]


@pytest.mark.parametrize("kind", ["add", "update quantity", "update notes"])
def test_lost_answer_hides_no_changed_price(shop: Bundle, kind: str) -> None:
    """Case 5: the answer that reported the price first never arrived."""
    add(shop)
    shop.sell(product(price=1900))
    shop.clock.forward(62 * SECOND)
    CHANGES[kind](shop, once())

    for _ in range(2):
        replay = CHANGES[kind](shop, once())
        assert (is_replay(replay), warnings(replay)) == (True, [("price_changed", ITEM)])
        assert shop.database.calls in (["GetItem"], ["BatchGetItem"])
    assert warnings(read(shop)) == [("price_changed", ITEM)]
    assert warnings(select(shop, address=4)) == []
    assert warnings(CHANGES[kind](shop, once())) == [], "the replay of an older request"


@keeping
def test_replay_reports_a_changed_price_and_records_it(shop: Bundle, kind: str) -> None:
    shop.sell(product(7))
    add(shop, 7)
    add(shop)
    CHANGES[kind](shop, once())
    shop.sell(product(7, price=1300))
    shop.clock.forward(HOUR)
    row = shop.cart_row()

    replay = CHANGES[kind](shop, once())

    assert is_replay(replay)
    assert warnings(replay) == [("price_changed", OTHER)]
    assert shop.database.calls[1:] == ["BatchGetItem", "UpdateItem"]
    assert without(shop.cart_row(), "snap#7") == without(row, "snap#7")
    assert warnings(CHANGES[kind](shop, once())) == [("price_changed", OTHER)]
    assert len(shop.database.calls) <= 2


# ----------------------------------------------------------------------------------------------------------------------
# Unavailable products
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [False, True], ids=["not for sale", "not in the catalogue"])
def test_unavailable_item_is_visible_but_not_counted(shop: Bundle, *, gone: bool) -> None:
    shop.sell(product(7))
    add(shop, 7, quantity=3)
    add(shop, quantity=2)
    shop.sell(product(7, active=False, price=1300))
    if gone:
        shop.withdraw(product(7))
    shop.clock.forward(60 * SECOND)

    for answer in (read(shop), select(shop, address=4), read(shop), add(shop), read(shop)):
        lamps = quantities(answer)[123]
        assert answer.body["items"][0]["product"]["name"] == "Product 7"
        assert quantities(answer)[7] == 3
        totals = [answer.body[name] for name in ("count", "items_subtotal", "items_discount", "subtotal", "total")]
        assert totals == [2, 1250 * lamps, 250 * lamps, 1000 * lamps, 1000 * lamps]
        assert warnings(answer) == [("unavailable", OTHER)]
    shop.sell(product(7, price=1300))
    shop.clock.forward(60 * SECOND)
    assert read(shop).body["total"] == 3 * 1050 + 3 * 1000, "for sale again, it counts again"


# ----------------------------------------------------------------------------------------------------------------------
# Products that cannot be added
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [404, 0, -1, 2**53 - 1, 2**53, 10**30, 7, 8])
def test_product_not_for_sale_cannot_be_added(shop: Bundle, number: int) -> None:
    shop.sell(product(7, active=False))
    shop.sell(product(8), shop="other")

    assert is_refusal(add(shop, number), 400, "invalid product", "product")
    assert shop.rows("CART#") == []


@pytest.mark.parametrize("held", [0, 2])
def test_stock_limits_the_quantity(shop: Bundle, held: int) -> None:
    shop.sell(product(7, stock=3))
    if held:
        add(shop, 7, quantity=held)
    before = shop.rows("CART#")

    for quantity in (4 - held, 9_999 - held):
        answer = add(shop, 7, quantity=quantity)
        assert is_refusal(answer, 400, "insufficient stock", "quantity")
        assert "only 3 available" in answer.body["details"]["quantity"][0]

    assert shop.rows("CART#") == before
    assert quantities(add(shop, 7, quantity=3 - held)) == {7: 3}, "what is available can still be added"


def test_full_cart_takes_only_more_of_its_items(shop: Bundle) -> None:
    shop.sell(product(7), product(8))
    add(shop)
    shop.fill_cart(99)

    assert add(shop, 7).body["count"] == 100
    before = shop.cart_row()
    assert is_refusal(add(shop, 8), 400, "cart is full", "product")
    assert shop.cart_row() == before
    assert add(shop, 7).body["quantity"] == 101


def test_update_is_checked_against_the_current_stock(shop: Bundle) -> None:
    add(shop, quantity=9)
    shop.sell(product(stock=5))
    before = shop.cart_row()

    for body in ({"quantity": 6}, {"quantity": 9_999, "notes": "blue"}):
        answer = update_item(shop, **body)
        assert is_refusal(answer, 400, "insufficient stock", "quantity")
        assert "only 5 available" in answer.body["details"]["quantity"][0]

    assert shop.cart_row() == before
    assert update_item(shop, quantity=5).body["quantity"] == 5, "it replaces the quantity"
    assert read(shop).body["warnings"] == []
    assert update_item(shop, notes="red").status == 200


@pytest.mark.parametrize("gone", [False, True], ids=["not for sale", "not in the catalogue"])
def test_unavailable_item_takes_notes_but_no_quantity(shop: Bundle, *, gone: bool) -> None:
    add(shop)
    shop.sell(product(active=False, stock=0))
    if gone:
        shop.withdraw(product())
    row = shop.cart_row()

    bodies: list[dict[str, Any]] = [{"quantity": 2}, {"quantity": 1, "notes": "blue"}]
    for body in bodies:
        assert is_refusal(update_item(shop, **body), 400, "invalid product", "product")
    assert shop.cart_row() == row
    assert update_item(shop, notes="red").status == 200
    assert remove(shop).status == 200
