"""A shop with orders in a table, for the tests of orders."""

from typing import Any, Final

from serverless_cart.domain.orders import Order
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, key_attributes, number, read_int
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.orders import DynamoDBOrderStore, new_order_writes
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.holds import Ended, HoldService
from serverless_cart.service.orders import OrderService
from tests.support.builders import OWNER, order, product
from tests.support.engines import Rows
from tools.support.events import MINUTE, NOW, SHOP

LATER: Final = NOW + 31 * MINUTE
"""A moment at which the hold of a new order is overdue."""
CODE: Final = keys.discount(SHOP, "SPRING")
USES: Final = keys.uses(OWNER)


def stocked() -> list[Item]:
    """Return two products with five pieces each, and a discount code that was used once."""
    products = [product_to_item(SHOP, product(id_, stock=5)) for id_ in (123, 124)]
    return [*products, {**key_attributes(CODE), "uses": number(1)}]


def discounted(**changes: Any) -> dict[str, Any]:
    return {
        "discount": 100,
        "discount_code": "Spring",
        "discount_key": "SPRING",
        "reserved": {123: 2, 124: 1},
    } | changes


class OrderShop:
    """A shop with orders in the table, and its services."""

    shop = SHOP

    def __init__(self, table: Table, rows: Rows) -> None:
        self.table = table
        self.rows = rows
        self.now = NOW
        self.store = DynamoDBOrderStore(table)
        self.service = OrderService(self.store, lambda: self.now)

    def make(self, **changes: Any) -> Order:
        made = order(**changes)
        uses = None
        if made.discount_key:
            uses = Expression()
            uses.add(keys.use_of(made.discount_key), number(1))
        self.table.transact(new_order_writes(made, 10, uses))
        return made

    def stock(self, product_id: int = 123) -> int:
        return read_int(self.rows()[keys.product(SHOP, product_id)], "stock")

    def uses(self) -> dict[str, int]:
        row = self.rows().get(USES, {})
        return {name: int(value["N"]) for name, value in row.items() if "N" in value}

    def holds(self) -> list[keys.Key]:
        return [key for key in self.rows() if key.pk.startswith("HOLDS#")]

    def statuses(self, made: Order) -> set[str]:
        """Return the status in the order and in its entries of lists."""
        rows = {key: row for key, row in self.rows().items() if made.key in f"{key.pk}{key.sk}" and "status" in row}
        assert len(rows) == 3
        return {row["status"]["S"] for row in rows.values()}

    def release(self) -> Ended:
        return HoldService(self.store, lambda: self.now).release(lambda: 60.0)
