"""Discount codes, on every engine."""

import pytest

from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.discounts import (
    CREATED_AT_ONCE,
    DiscountExists,
    DiscountRecord,
    DiscountStore,
    ShopClosed,
)
from serverless_cart.dynamodb.shops import ShopStore
from serverless_cart.dynamodb.table import Table
from tests.support.engines import Rows
from tools.support.events import HASHID, NOW, SHOP

pytestmark = pytest.mark.every_engine

TEN = DiscountCode("Ten", 10)
FULL = DiscountCode("#Ü-1", None, 500, 2000, NOW, NOW + 1, 9, 1)


@pytest.fixture
def store(table: Table) -> DiscountStore:
    ShopStore(table, lambda: NOW).create(Shop(SHOP, frozenset({HASHID})))
    return DiscountStore(table, SHOP, lambda: NOW)


def test_codes_are_read_as_written(store: DiscountStore) -> None:
    created = store.create([TEN, FULL], ["for all", "for one"])

    assert created == [DiscountRecord(TEN, "for all", NOW), DiscountRecord(FULL, "for one", NOW)]
    assert store.find(["TEN", "#Ü-1", "NONE"]) == {"TEN": created[0], "#Ü-1": created[1]}


def test_existing_code_refuses_all(store: DiscountStore, rows: Rows) -> None:
    store.create([TEN])
    before = rows()

    with pytest.raises(DiscountExists):
        store.create([FULL, TEN._replace(code="TEN", percent=20)])
    assert rows() == before


def test_codes_are_listed_in_order_100_a_call(store: DiscountStore, calls: list[str]) -> None:
    codes = [DiscountCode(f"C{number:03}", 10) for number in range(3 * CREATED_AT_ONCE)]
    for start in range(0, len(codes), CREATED_AT_ONCE):
        store.create(codes[start : start + CREATED_AT_ONCE][::-1])
    calls.clear()

    assert [record.discount for record in store.all()] == codes
    assert calls == ["Query", "BatchGetItem", "BatchGetItem"]


def test_disabled_code_keeps_its_other_values(store: DiscountStore) -> None:
    (created,) = store.create([FULL])

    for _ in range(2):
        disabled = store.disable(created)
        assert disabled == DiscountRecord(FULL._replace(active=False), "", NOW)
    assert store.disable(DiscountRecord(TEN, "", NOW)) is None


def test_closed_shop_gets_no_codes(store: DiscountStore, table: Table, rows: Rows) -> None:
    shops = ShopStore(table, lambda: NOW)
    shop_record = shops.find(SHOP)
    assert shop_record
    shops.close(shop_record)
    before = rows()

    with pytest.raises(ShopClosed):
        store.create([TEN])
    assert rows() == before
