"""The orders in the table: lists, changes that return stock once, and holds that end."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.errors import InvalidTransition, OrderNotCancellable, OrderNotFound
from serverless_cart.domain.orders import Order, OrderChange, Status, new_key
from serverless_cart.dynamodb import keys, orders
from serverless_cart.dynamodb.attributes import key_attributes, read_int
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.order_item import order_from_item, order_to_item
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.table import Table, TransactionRefused
from serverless_cart.service import holds
from serverless_cart.service.holds import HoldService
from serverless_cart.service.order_ports import OrderQuery
from tests.support.builders import OWNER, order, product, sold
from tests.support.engines import Put, Rows
from tests.support.order_shop import CODE, LATER, OrderShop, discounted, stocked
from tools.support.events import DAY, MINUTE, NOW, SHOP

pytestmark = pytest.mark.every_engine


@pytest.fixture
def shop(table: Table, rows: Rows, put: Put, monkeypatch: pytest.MonkeyPatch) -> OrderShop:
    monkeypatch.setattr(holds, "WORKERS", 1)  # moto's transactions are not atomic across threads
    put(*stocked())
    return OrderShop(table, rows)


@pytest.mark.parametrize("changes", [{}, discounted(customer="a # ü", amount_paid=7), {"status": "shipped"}])
def test_order_is_read_as_written(changes: dict[str, Any]) -> None:
    made = order(items=(sold(1, notes="🎁"), sold(2, quantity=3)), notes='"x"', **changes)

    assert order_from_item(SHOP, order_to_item(made)) == made


def test_new_order_is_listed_and_held(shop: OrderShop, calls: list[str]) -> None:
    made = shop.make()
    calls.clear()

    assert shop.service.find(SHOP, made.key) == shop.service.read(OWNER, made.key) == made
    assert calls == ["GetItem"] * 2
    assert shop.statuses(made) == {"hold"}
    assert shop.holds() == [keys.hold(SHOP, made.key, NOW + 30 * MINUTE)]
    assert shop.uses() == {"holds": 1}


def test_paid_order_has_no_hold(shop: OrderShop) -> None:
    shop.make(status="processing")

    assert shop.holds() == []
    assert shop.uses() == {}


def test_customer_has_few_open_holds(shop: OrderShop) -> None:
    writes = [new_order_writes(order(), 2) for _ in range(3)]
    shop.table.transact(writes[0])
    shop.table.transact(writes[1])

    with pytest.raises(TransactionRefused) as refused:
        shop.table.transact(writes[2])
    assert refused.value.failed == (len(writes[2]) - 1,)


@pytest.mark.parametrize(
    "owner", [OWNER._replace(customer="customer-2"), OWNER._replace(shop="other"), Owner(SHOP, f"{OWNER.customer}#")]
)
def test_order_is_not_found_by_others(shop: OrderShop, owner: Owner) -> None:
    made = shop.make()

    for ask in (shop.service.read, lambda owner, key: shop.service.cancel(owner, key, lambda: 9.0)):
        with pytest.raises(OrderNotFound):
            ask(owner, made.key)
    assert shop.service.of_customer(owner, None, 10, 0) == (0, [])
    assert shop.statuses(made) == {"hold"}


def test_malformed_key_is_not_read(shop: OrderShop, calls: list[str]) -> None:
    with pytest.raises(OrderNotFound):
        shop.service.find(SHOP, "ORD-1")
    assert calls == []


def test_customers_list_is_newest_first(shop: OrderShop, calls: list[str]) -> None:
    made = [shop.make(created_at=NOW + age, status="hold" if age % 2 else "shipped") for age in range(5)]
    shop.make(customer="customer-2")
    calls.clear()

    assert shop.service.of_customer(OWNER, None, 2, 1) == (5, [made[3], made[2]])
    assert calls == ["Query", "BatchGetItem"]
    assert shop.service.of_customer(OWNER, "hold", 10, 0) == (2, [made[3], made[1]])
    assert shop.service.of_customer(OWNER, None, 10, 5) == (5, [])


def read_all(shop: OrderShop, query: OrderQuery) -> tuple[list[Order], int]:
    """Read all pages, and return the orders and the number of pages."""
    found: list[Order] = []
    pages = 0
    while True:
        pages += 1
        page = shop.service.of_shop(SHOP, query)
        assert len(page.orders) <= query.limit
        found += page.orders
        if page.cursor is None:
            return found, pages
        query = query._replace(after=page.cursor)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("status", [None, "hold"])
def test_shops_list_is_oldest_first_in_pages(shop: OrderShop, limit: int, status: Status | None) -> None:
    times = [NOW, NOW, NOW + DAY, NOW + 40 * DAY, NOW + 100 * DAY]
    made = [shop.make(created_at=at, key=new_key()) for at in times]
    shop.make(created_at=NOW + DAY, status="shipped")
    for out in (NOW - 1, NOW + 100 * DAY + 1):
        shop.make(created_at=out)
    shop.make(shop="other")

    found, pages = read_all(shop, OrderQuery(NOW, NOW + 100 * DAY, status, limit))

    listed = sorted(made, key=lambda it: (it.created_at, it.key))
    assert [it for it in found if it.status == "hold"] == listed
    assert len(found) == (6 if status is None else 5)
    assert pages == -(-len(found) // limit)


@pytest.mark.parametrize(
    "limits", [("MAX_ENTRIES",), ("MAX_MONTHS",), ("MAX_BYTES", "READ_BATCH")], ids=lambda it: it[0]
)
def test_long_list_continues_with_a_cursor(
    shop: OrderShop, monkeypatch: pytest.MonkeyPatch, limits: tuple[str, ...]
) -> None:
    made = [shop.make(created_at=NOW + month * 31 * DAY, status="shipped") for month in range(4)]
    for name in limits:
        monkeypatch.setattr(orders, name, 1)

    found, pages = read_all(shop, OrderQuery(NOW, NOW + 200 * DAY, None, 100))

    assert found == made
    assert pages >= 4


def test_cancelled_order_returns_everything_once(shop: OrderShop, calls: list[str]) -> None:
    made = shop.make(**discounted())
    calls.clear()

    cancelled = shop.service.cancel(OWNER, made.key, lambda: 9.0)

    assert calls == ["GetItem", "BatchGetItem", "TransactWriteItems"]
    assert (
        shop.service.find(SHOP, made.key)
        == cancelled
        == replace(made, status="cancelled", version=2, reserved_until=None, reserved={})
    )
    assert shop.statuses(made) == {"cancelled"}
    with pytest.raises(OrderNotCancellable):
        shop.service.cancel(OWNER, made.key, lambda: 9.0)
    assert (shop.stock(123), shop.stock(124), shop.holds()) == (7, 6, [])
    assert read_int(shop.rows()[CODE], "uses") == 0
    assert set(shop.uses().values()) == {0}


def test_repeated_change_writes_nothing(shop: OrderShop, calls: list[str]) -> None:
    made = shop.make(reserved={123: 2})
    for change in (OrderChange("processing"), OrderChange("shipped"), OrderChange("refunded", restock=True)):
        shop.service.change(SHOP, made.key, change, lambda: 9.0)
        before = shop.rows()
        calls.clear()
        shop.service.change(SHOP, made.key, change, lambda: 9.0)
        assert calls == ["GetItem"]
        assert shop.rows() == before
    assert shop.stock() == 7


def test_refused_change_writes_nothing(shop: OrderShop) -> None:
    made = shop.make()
    before = shop.rows()

    with pytest.raises(InvalidTransition):
        shop.service.change(SHOP, made.key, OrderChange("completed"), lambda: 9.0)
    assert shop.rows() == before


@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "unlimited"])
@pytest.mark.parametrize("moment", ["before", "between"])
def test_product_without_stock_is_left_out(
    shop: OrderShop, monkeypatch: pytest.MonkeyPatch, moment: str, *, is_deleted: bool
) -> None:
    """Between the read and the transaction, its condition refuses it, and the product is read again."""
    made = shop.make(reserved={123: 2, 124: 1})
    put = {"PutRequest": {"Item": product_to_item(SHOP, product(123, stock=None))}}
    delete = {"DeleteRequest": {"Key": key_attributes(keys.product(SHOP, 123))}}

    def change_product() -> None:
        shop.table.write_many([delete if is_deleted else put])

    if moment == "before":
        change_product()
    else:
        once(monkeypatch, shop.table, "transact", change_product)
    shop.service.cancel(OWNER, made.key, lambda: 9.0)

    assert "stock" not in shop.rows().get(keys.product(SHOP, 123), {})
    assert shop.stock(124) == 6


def once(patch: pytest.MonkeyPatch, table: Table, method: str, between: Callable[[], object]) -> None:
    """Do something just before the next call of a method."""
    send = getattr(table, method)

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        patch.setattr(table, method, send)
        between()
        return send(*args, **kwargs)

    patch.setattr(table, method, interrupted)


def test_order_that_changes_meanwhile_is_read_again(shop: OrderShop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop.make(reserved={123: 2})
    once(
        monkeypatch,
        shop.table,
        "transact",
        lambda: shop.service.change(SHOP, made.key, OrderChange("processing"), lambda: 9.0),
    )

    with pytest.raises(OrderNotCancellable):
        shop.service.cancel(OWNER, made.key, lambda: 9.0)
    assert shop.stock() == 5
    assert shop.uses() == {"holds": 0}


def test_overdue_holds_end(shop: OrderShop) -> None:
    overdue = [shop.make(reserved={123: 1}, customer=f"c{place}") for place in range(3)]
    paid = shop.make(status="processing", reserved={123: 1})
    waiting = shop.make(reserved_until=LATER + 1, reserved={123: 1})
    shop.now = NOW + 30 * MINUTE - 1
    assert shop.release()[:3] == (0, [], True)
    shop.now = LATER

    assert shop.release()[:3] == (3, [], True)

    assert {shop.service.find(SHOP, it.key).status for it in overdue} == {"failed"}
    assert [shop.service.find(SHOP, it.key) for it in (paid, waiting)] == [paid, waiting]
    assert shop.stock() == 8
    assert len(shop.holds()) == 1
    assert shop.release()[:3] == (0, [], True)


def test_delay_is_that_of_the_oldest_hold(shop: OrderShop) -> None:
    for minutes in (1, 7, 3):
        shop.make(reserved_until=LATER - minutes * MINUTE, customer=f"c{minutes}")
    shop.now = LATER

    assert [shop.release().delay for _ in range(2)] == [7 * MINUTE, 0]


def test_several_pages_of_holds_end(shop: OrderShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "READ_BATCH", 2)
    monkeypatch.setattr(keys, "HOLD_PARTITIONS", 2)
    for place in range(11):
        shop.make(reserved={123: 1}, customer=f"c{place}")
    shop.now = LATER

    assert shop.release()[:3] == (11, [], True)
    assert (shop.stock(), shop.holds()) == (16, [])


def test_run_without_time_leaves_holds_to_the_next(shop: OrderShop) -> None:
    for place in range(4):
        shop.make(reserved={123: 1}, customer=f"c{place}")
    shop.now = LATER
    times = iter([60.0, 60.0, 60.0])

    ended = HoldService(shop.store, lambda: LATER).release(lambda: next(times, 0.0))

    assert (ended.holds < 4, ended.errors, ended.is_complete) == (True, [], False)
    assert shop.release()[:3] == (4 - ended.holds, [], True)
    assert shop.stock() == 9


def test_hold_that_cannot_end_stops_no_other(shop: OrderShop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [shop.make(reserved={123: 1}, customer=name) for name in ("a", "b")]
    shop.now = LATER

    def fail() -> None:
        raise ValueError

    once(monkeypatch, shop.table, "transact", fail)
    ended = shop.release()

    assert (ended.holds, [type(error) for error in ended.errors]) == (1, [ValueError])
    assert sorted(shop.service.find(SHOP, it.key).status for it in made) == ["failed", "hold"]
    assert shop.release()[:3] == (1, [], True)
