"""What the readers of the table's stream get of orders: the roll-up, and the example of order events."""

import json
from types import ModuleType
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
from tests.support.builders import OWNER, Context, sold
from tests.support.bundle import import_app
from tests.support.engines import NAME, Rows
from tests.support.order_shop import OrderShop
from tests.support.policies import listed
from tests.support.stream_records import records_by_shard, turn_on_stream
from tools.support.events import HOUR, NOW
from tools.support.paths import ROOT
from tools.support.template import TEMPLATE, read_template

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


def filters_of(function: Any) -> list[dict[str, str]]:
    (event,) = function["Properties"]["Events"].values()
    filters: list[dict[str, str]] = event["Properties"]["FilterCriteria"]["Filters"]
    return filters


ROLL_UP = filters_of(TEMPLATE["Resources"]["StatisticsRollUpFunction"])


def test_roll_up_counts_an_order_as_it_was_made(records: list[Record]) -> None:
    delivered = passed(records, ROLL_UP)

    (counted,) = (record.counts for record in map(read_record, records) if record.is_relevant)
    ((of_day, figures),) = counted
    assert of_day == ShopDay(SHOP, NOW // HOUR // 24)
    hour = NOW // HOUR
    assert figures.totals.counts == {("orders", "desktop", hour): 1, ("order_total", "desktop", hour): 2_600}
    assert delivered == [record for record in records if _is_delivered(read_record(record))]
    assert len(delivered) == 1 < len(records) // 5


@pytest.mark.parametrize("name", ["created_at", "order"])
def test_order_of_another_form_is_set_aside(records: list[Record], name: str) -> None:
    (delivered,) = passed(records, ROLL_UP)
    del delivered["dynamodb"]["NewImage"][name]

    assert read_record(delivered).reason == "KeyError"


EXAMPLE = ROOT / "examples" / "order-events"
RESOURCES = read_template(EXAMPLE / "template.yaml")["Resources"]


@pytest.fixture
def example(client: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the example's function; what it sends to EventBridge is in ``sent``."""
    assert client
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("EVENT_BUS_NAME", "default")
    app = import_app(EXAMPLE / "function")
    app.sent = []  # type: ignore[attr-defined]
    app.events.meta.events.register("before-call.events.PutEvents", lambda params, **_: app.sent.append(params["body"]))
    return app


def test_example_publishes_statuses_without_the_customer(
    example: ModuleType, records: list[Record], made: Order
) -> None:
    delivered = passed(records, filters_of(RESOURCES["Function"]))

    assert example.handler({"Records": delivered}, Context()) == {"batchItemFailures": []}

    entries = [entry for body in example.sent for entry in json.loads(body)["Entries"]]
    order = {"shop": SHOP, "order": made.key}
    assert [(entry["DetailType"], json.loads(entry["Detail"])) for entry in entries] == [
        ("Order Created", {**order, "status": "hold", "is_paid": False, "version": 1}),
        ("Order Changed", {**order, "status": "processing", "is_paid": True, "version": 2}),
        ("Order Changed", {**order, "status": "shipped", "is_paid": True, "version": 3}),
    ]
    assert {(entry["EventBusName"], entry["Source"]) for entry in entries} == {("default", "serverless-cart")}
    assert [entry["Time"] for entry in entries] == [NOW / 1000, NOW / 1000, (NOW + 24 * HOUR) / 1000]
    assert len(delivered) == len(entries) + 1, "the erasure of the customer is delivered too"


def test_example_names_a_record_that_failed(
    example: ModuleType, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered = passed(records, filters_of(RESOURCES["Function"]))
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
    answers = iter([{"FailedEntryCount": 0}, refused, {"FailedEntryCount": 0}])
    monkeypatch.setattr(example.events, "put_events", lambda **_: next(answers))

    failed = example.handler({"Records": delivered}, Context())["batchItemFailures"]

    assert failed == [{"itemIdentifier": delivered[1]["dynamodb"]["SequenceNumber"]}]


def test_example_may_only_read_the_stream_and_publish() -> None:
    (policy,) = RESOURCES["Role"]["Properties"]["Policies"]
    allowed = {
        action: statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    }

    reading = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    assert allowed == {
        **{f"dynamodb:{name}": {"Ref": "StreamArn"} for name in reading},
        **{f"logs:{name}": {"Fn::GetAtt": "Log.Arn"} for name in ("CreateLogStream", "PutLogEvents")},
        "events:PutEvents": {"Fn::GetAtt": "Bus.Arn"},
        "sqs:SendMessage": {"Fn::GetAtt": "FailureQueue.Arn"},
    }
