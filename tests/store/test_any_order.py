"""Anything that may happen to a cart, in any order, over an engine's table."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.methods import Kind, Method
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_attributes, number
from serverless_cart.dynamodb.carts import DynamoDBCartStore
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.discounts import DiscountRecord, discount_to_item
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.methods import methods_to_item
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.ports import CartStore
from tests.support.builders import OWNER
from tests.support.cart_machine import LIMITS, RULES, CartMachine
from tests.support.engines import NAME, Put, Rows
from tests.support.history import assert_whole
from tests.support.reference_cart import Clock
from tools.support.events import SHOP

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.every_engine


def test_service_follows_the_rules(client: "DynamoDBClient", table: Table, put: Put, rows: Rows, *, full: bool) -> None:
    def delete(key: Key) -> None:
        client.delete_item(TableName=NAME, Key=key_attributes(key))

    class Carts(CartMachine):
        """The service over the engine."""

        def open_store(self, clock: Clock) -> CartStore:
            for key in rows():
                delete(key)
            return DynamoDBCartStore(table, clock, LIMITS)

        def put(self, it: Product) -> None:
            put(product_to_item(SHOP, it))

        def delete(self, it: Product) -> None:
            delete(keys.product(SHOP, it.id))

        def put_code(self, code: DiscountCode, uses: int) -> None:
            attributes = {keys.use_of(other): number(it[-1][1][1]) for other, it in self.codes.items()}
            attributes[keys.use_of(code.key)] = number(uses)
            put(discount_to_item(SHOP, DiscountRecord(code, "", 0)), key_attributes(keys.uses(OWNER)) | attributes)

        def put_methods(self, kind: Kind, methods: list[Method]) -> None:
            put(methods_to_item(SHOP, kind, methods, 1))

        def sweep(self) -> None:
            delete(keys.cart(OWNER))

        def teardown(self) -> None:
            super().teardown()
            row = rows().get(keys.cart(OWNER), {})
            assert_whole(row)
            assert sum(name.startswith("key#") for name in row) <= RULES.records + 1

    run_state_machine_as_test(
        Carts,
        settings=settings(
            max_examples=60 if full else 10, stateful_step_count=40, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
