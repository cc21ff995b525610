"""Shipping and payment methods, on every engine."""

import pytest

from serverless_cart.domain.methods import Kind, Method, PaymentMethod, ShippingMethod
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.methods import MethodsChanged, MethodStore
from serverless_cart.dynamodb.shops import ShopStore
from serverless_cart.dynamodb.table import Table
from tests.support.engines import Rows
from tools.support.events import HASHID, NOW, SHOP

pytestmark = pytest.mark.every_engine

PARCEL, PICKUP = ShippingMethod(3, "Parcel", "2 to 3 days", cost=490, free_from=5000), ShippingMethod(0, "Pickup")
METHODS: dict[Kind, list[Method]] = {
    Kind.SHIPPING: [PARCEL, PICKUP],
    Kind.PAYMENT: [
        PaymentMethod(8, "Invoice", active=False, pays_later=True),
        PaymentMethod(2**53 - 1, "Card", "Visa ☕", next_step="https://pay.example/{order_key}"),
    ],
}


@pytest.fixture
def store(table: Table) -> MethodStore:
    ShopStore(table, lambda: NOW).create(Shop(SHOP, frozenset({HASHID})))
    return MethodStore(table)


def test_methods_are_read_as_written(store: MethodStore) -> None:
    for kind, methods in METHODS.items():
        assert store.read(SHOP, kind) == ([], 0)
        store.replace(SHOP, kind, methods, 0)
        store.replace(SHOP, kind, methods[::-1], 1)

    assert [store.read(SHOP, kind) for kind in METHODS] == [(methods[::-1], 2) for methods in METHODS.values()]
    assert store.read(f"{SHOP}-2", Kind.SHIPPING) == ([], 0)


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_not_replaced(store: MethodStore, rows: Rows, version: int) -> None:
    store.replace(SHOP, Kind.SHIPPING, [PARCEL], 0)
    stored = rows()

    with pytest.raises(MethodsChanged):
        store.replace(SHOP, Kind.SHIPPING, [PICKUP], version)
    assert rows() == stored


def test_shop_that_is_being_deleted_gets_no_methods(store: MethodStore, table: Table, rows: Rows) -> None:
    shops = ShopStore(table, lambda: NOW)
    shop_record = shops.find(SHOP)
    assert shop_record
    shops.close(shop_record)

    with pytest.raises(MethodsChanged):
        store.replace(SHOP, Kind.SHIPPING, [PARCEL], 0)
    assert keys.methods(SHOP, Kind.SHIPPING) not in rows()
