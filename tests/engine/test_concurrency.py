"""Thousands of parallel changes of shared carts on the engine: each is there exactly once, and no bound is passed."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from serverless_cart.clock import clock
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.table import Table
from tests.support import history
from tests.support.builders import product
from tests.support.history_clients import ServiceClient, owner_of
from tools.support.events import HASHID, SHOP
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNT = 4_096
NAME = "concurrency"


@pytest.fixture
def client(dynamodb_local_url: str) -> "DynamoDBClient":
    """Connect to the engine; nothing is repeated, and what is slow is waited for."""
    settings = Config(
        proxies={}, max_pool_connections=history.CLIENTS, read_timeout=60, retries={"total_max_attempts": 1}
    )  # fmt: skip
    return boto3.Session("testing", "testing", region_name="eu-west-1").client(
        "dynamodb", endpoint_url=dynamodb_local_url, config=settings
    )


@pytest.fixture
def table(client: "DynamoDBClient") -> Iterator[Table]:
    """Make a table in which the products are for sale."""
    create_table(client, NAME)
    table = Table(NAME, client)
    items = [product_to_item(SHOP, product(number, stock=stock)) for number, stock in history.STOCK.items()]
    table.write_many({"PutRequest": {"Item": item}} for item in items)
    yield table
    client.delete_table(TableName=NAME)


def test_every_acknowledged_change_of_shared_carts_is_there_exactly_once(
    table: Table, client: "DynamoDBClient", seed: int, command: str
) -> None:
    ask = ServiceClient(table)

    events = history.play(history.operations(seed, COUNT), lambda: ask)

    left = {cart: ask(history.Operation(cart, "read"), None) for cart in range(history.CARTS)}
    outcomes = history.check(events, left)
    assert len(events) == COUNT
    assert outcomes.keys() >= {
        "done", "replay", "item not found", "cart has changed", "idempotency key reused", "insufficient stock",
        "cart is full",
    }, "every kind of answer was put to the test"  # fmt: skip
    for cart in range(history.CARTS):
        key = keys.cart(owner_of(history.Operation(cart, "read")))
        row = client.get_item(TableName=NAME, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})["Item"]
        history.assert_whole(row)
    history.record_outcomes(command, f"DynamoDB Local, by {history.CLIENTS} clients", events, outcomes, seed)


def test_every_event_of_a_session_s_item_counts_once(table: Table, client: "DynamoDBClient") -> None:
    sessions, session = SessionStore(table, clock), Session(HASHID, "shared")
    items = [ItemKey("product", str(number)) for number in range(4)]

    def send(number: int) -> None:
        if number % 3:
            sessions.add(session, SessionItemAddition(items[number % 4], "Mug", 5, None))
        else:
            sessions.remove(session, SessionItemRemoval(items[number % 4], 1))

    for item in items:
        sessions.add(session, SessionItemAddition(item, "Mug", 1_000, None))  # so that no removal finds too little
    with ThreadPoolExecutor(history.CLIENTS) as pool:
        list(pool.map(send, range(960)))

    found = client.query(
        TableName=NAME,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.session(session)}},
        ConsistentRead=True,
    )["Items"]
    expected = Counter({item.id: 1_000 for item in items})
    for number in range(960):
        expected[items[number % 4].id] += 5 if number % 3 else -1
    assert {row["id"]["S"]: int(row["amount"]["N"]) for row in found} == expected
