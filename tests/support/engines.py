"""The engine of a store's test, with a table for each test: moto in tests/unit, which opens no socket.

In tests/store it is the local cloud, or DynamoDB Local with ``--dynamodb-local``.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from serverless_cart.dynamodb.attributes import Item, key_of
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import Table
from tests.support.moto_engine import moto
from tools.support.figures import record
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAME = "store-tests"
STATEMENTS: Counter[str] = Counter()
"""The number of statements on each engine."""
Rows = Callable[[], dict[Key, Item]]
Put = Callable[..., None]


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """Return the engine's name, by the folder of the test and the option of the run."""
    if request.path.parent.name == "unit":
        return "moto"
    return "DynamoDB Local" if request.config.getoption("--dynamodb-local") else "the local cloud"


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, engine: str) -> Iterator["DynamoDBClient"]:
    """Connect to the engine."""
    session = boto3.Session("testing", "testing", region_name="eu-west-1")
    # A slow engine is no fault here, and a second attempt would hide one.
    settings = Config(proxies={}, read_timeout=60, retries={"total_max_attempts": 1})
    match engine:
        case "moto":
            with moto():
                yield session.client("dynamodb", config=settings)
        case "the local cloud":
            url = request.getfixturevalue("stack").endpoint_url
            yield boto3.Session("test", "test", region_name="eu-west-1").client(
                "dynamodb", endpoint_url=url, config=settings
            )
        case _:
            url = request.getfixturevalue("dynamodb_local_url")
            yield session.client("dynamodb", endpoint_url=url, config=settings)


@pytest.fixture
def calls(engine: str, command: str) -> Iterator[list[str]]:
    """Return the operations that the table has sent, in order."""
    calls: list[str] = []
    yield calls
    STATEMENTS[engine] += len(calls)
    if engine != "moto":
        record("engine", command, **{f"statements of the stores, {engine}": STATEMENTS[engine]})


@pytest.fixture
def table(client: "DynamoDBClient", calls: list[str]) -> Iterator[Table]:
    """Create a table."""
    create_table(client, NAME)
    yield Table(NAME, client, lambda operation, _milliseconds: calls.append(operation))
    client.delete_table(TableName=NAME)


@pytest.fixture
def put(client: "DynamoDBClient", table: Table) -> Put:
    """Return a function that writes items without a store."""
    assert table

    def put(*items: Item) -> None:
        for item in items:
            client.put_item(TableName=NAME, Item=item)

    return put


@pytest.fixture
def rows(client: "DynamoDBClient", table: Table) -> Rows:
    """Return a function that reads the whole table without a store."""
    assert table

    def rows() -> dict[Key, Item]:
        pages = client.get_paginator("scan").paginate(TableName=NAME, ConsistentRead=True)
        items: list[Any] = [item for page in pages for item in page["Items"]]
        return {key_of(item): in_order(item) for item in items}

    return rows


def in_order(item: Item) -> Item:
    """Return an item with its sets in order, which engines return in any."""
    return {
        name: {kind: sorted(it) if kind in {"NS", "SS"} else it for kind, it in value.items()}
        for name, value in item.items()
    }
