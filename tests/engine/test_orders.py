"""Orders that end from several sides at the same moment, and many holds that end at once, on DynamoDB Local."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from serverless_cart.domain.errors import InvalidTransition, OrderNotCancellable
from serverless_cart.domain.orders import OrderChange
from serverless_cart.dynamodb.attributes import key_of, read_int
from serverless_cart.dynamodb.table import Table
from tests.support.builders import OWNER
from tests.support.order_shop import CODE, LATER, OrderShop, discounted, stocked
from tools.support.figures import record
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine

NAME = "orders"
ROUNDS = 100
HOLDS = 2_000


@pytest.fixture
def client(dynamodb_local_url: str) -> "DynamoDBClient":
    """Connect to the engine, without retries and with a long timeout."""
    settings = Config(proxies={}, read_timeout=60, retries={"total_max_attempts": 1})
    return boto3.Session("testing", "testing", region_name="eu-west-1").client(
        "dynamodb", endpoint_url=dynamodb_local_url, config=settings
    )


@pytest.fixture
def shop(client: "DynamoDBClient") -> Iterator[OrderShop]:
    """Return a shop without orders, over a new table."""
    create_table(client, NAME)
    table = Table(NAME, client)
    table.write_many({"PutRequest": {"Item": item}} for item in stocked())

    def rows() -> dict[object, object]:
        pages = client.get_paginator("scan").paginate(TableName=NAME, ConsistentRead=True)
        return {key_of(item): item for page in pages for item in page["Items"]}

    yield OrderShop(table, rows)  # type: ignore[arg-type] # items as the client returns them
    client.delete_table(TableName=NAME)


def test_three_releases_at_once_return_stock_once(shop: OrderShop) -> None:
    shop.now = LATER
    firsts = set()
    took = 0.03  # seconds, of the timer's last run

    def timer() -> None:
        nonlocal took
        begin = time.monotonic()
        shop.release()
        took = time.monotonic() - begin

    for number in range(1, ROUNDS + 1):
        made = shop.make(**discounted())
        start = threading.Barrier(3)

        def run(release: Callable[[], object], start: threading.Barrier = start) -> bool:
            start.wait()
            if release is not timer:  # which reads more before it writes, and would never be first
                time.sleep(took * secrets.randbelow(2_000) / 1_000)
            try:
                release()
            except (OrderNotCancellable, InvalidTransition):
                return False
            return True

        def cancel(key: str = made.key) -> object:
            return shop.service.cancel(OWNER, key, lambda: 9.0)

        def refuse(key: str = made.key) -> object:
            return shop.service.change(shop.shop, key, OrderChange("cancelled", 1), lambda: 9.0)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(run, (timer, cancel, refuse)))

        (status,) = shop.statuses(made)
        ended = shop.service.find(shop.shop, made.key)
        firsts.add((status, ended.amount_paid))
        assert (shop.stock(123), shop.stock(124), shop.holds()) == (5 + 2 * number, 5 + number, [])
        assert read_int(shop.rows()[CODE], "uses") == 1 - number
        assert set(shop.uses().values()) == {0}
    assert len(firsts) > 1, "one side was always the first"


def test_many_holds_end_within_a_minute(shop: OrderShop, command: str) -> None:
    for place in range(HOLDS):
        shop.make(reserved={123 + place % 2: 1}, customer=f"customer-{place}")
    shop.now = LATER
    start = time.perf_counter()

    ended = shop.release()

    seconds = time.perf_counter() - start
    assert (ended.holds, ended.errors, ended.is_complete) == (HOLDS, [], True)
    assert (shop.stock(123) + shop.stock(124), shop.holds()) == (10 + HOLDS, [])
    record("engine", command, **{"holds that one run ends a minute, on DynamoDB Local": int(HOLDS / seconds * 60)})
