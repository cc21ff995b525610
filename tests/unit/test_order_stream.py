"""What readers of the table's stream get of orders, from the records of an order store."""

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from moto.events.models import EventPattern

from cartctl.replay import _is_delivered
from serverless_cart.domain.orders import Order, OrderChange
from serverless_cart.domain.statistics import ShopDay
from serverless_cart.dynamodb.erasure import ErasureStore
from serverless_cart.dynamodb.roll_up import read_record
from serverless_cart.dynamodb.table import Table
from tests.support.builders import OWNER, sold
from tests.support.engines import NAME, Rows
from tests.support.order_shop import OrderShop
from tests.support.stream_records import records_by_shard, turn_on_stream
from tools.support.events import HOUR, NOW
from tools.support.template import TEMPLATE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Record = Any
SHOP = "a #1 shop"


@pytest.fixture
def made(table: Table, rows: Rows, client: "DynamoDBClient") -> Order:
    """Make an order that is paid, then shipped a day later, and whose customer is erased."""
    turn_on_stream(client, NAME)
    shop = OrderShop(table, rows)
    order = shop.make(shop=SHOP, items=(sold(quantity=2),), shipping_cost=100, notes="Ring twice")
    shop.service.change(SHOP, order.key, OrderChange("processing", amount_paid=2_600), lambda: 9.0)
    shop.now += 24 * HOUR
    shop.service.change(SHOP, order.key, OrderChange("shipped"), lambda: 9.0)
    list(ErasureStore(table).erase_orders(OWNER._replace(shop=SHOP)))
    return order


@pytest.fixture
def records(made: Order) -> list[Record]:
    """Return all records of the stream, those of lists, holds and uses too."""
    assert made
    settings = Config(account_id_endpoint_mode="disabled")  # moto does not know these endpoints
    streams = boto3.client("dynamodbstreams", region_name="eu-west-1", config=settings)
    (found,) = records_by_shard(streams, NAME).values()
    return found


def passed(records: list[Record], filters: list[dict[str, str]]) -> list[Record]:
    patterns = [EventPattern.load(one["Pattern"]) for one in filters]
    return [record for record in records if any(pattern.matches_event(record) for pattern in patterns)]


def roll_up_filters() -> list[dict[str, str]]:
    (event,) = TEMPLATE["Resources"]["StatisticsRollUpFunction"]["Properties"]["Events"].values()
    filters: list[dict[str, str]] = event["Properties"]["FilterCriteria"]["Filters"]
    return filters


def test_roll_up_counts_an_order_as_it_was_made(records: list[Record]) -> None:
    delivered = passed(records, roll_up_filters())

    (counted,) = (record.counts for record in map(read_record, records) if record.is_relevant)
    ((of_day, figures),) = counted
    assert of_day == ShopDay(SHOP, NOW // HOUR // 24)
    hour = NOW // HOUR
    assert figures.totals.counts == {("orders", "desktop", hour): 1, ("order_total", "desktop", hour): 2_600}
    assert delivered == [record for record in records if _is_delivered(read_record(record))]
    assert len(delivered) == 1 < len(records) // 5


@pytest.mark.parametrize("name", ["created_at", "order"])
def test_order_of_another_form_is_set_aside(records: list[Record], name: str) -> None:
    (delivered,) = passed(records, roll_up_filters())
    del delivered["dynamodb"]["NewImage"][name]

    assert read_record(delivered).reason == "KeyError"
