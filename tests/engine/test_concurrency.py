"""Thousands of parallel changes of shared carts, and parallel sign-ins, on DynamoDB Local.

Each is applied once, and no limit is exceeded.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from serverless_cart.auth import Token
from serverless_cart.clock import clock
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys, token_registry
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.table import Table
from serverless_cart.dynamodb.token_registry import TokenRegistry
from serverless_cart.dynamodb.tokens import TokenStore, shop_to_item, token_to_item
from serverless_cart.service.checkout import CheckoutService
from serverless_cart.service.merge import MergeService
from tests.support import history
from tests.support.builders import product
from tests.support.history_clients import CheckoutProbe, MergeProbe, ServiceClient, guest_digest, owner_of
from tests.support.reference_cart import REFUSALS
from tools.support.events import HASHID, SHOP
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine

COUNT = 4_096
NAME = "concurrency"


@pytest.fixture
def client(dynamodb_local_url: str) -> "DynamoDBClient":
    """Connect to the engine, without retries and with a long timeout."""
    settings = Config(
        proxies={}, max_pool_connections=history.CLIENTS, read_timeout=60, retries={"total_max_attempts": 1}
    )  # fmt: skip
    return boto3.Session("testing", "testing", region_name="eu-west-1").client(
        "dynamodb", endpoint_url=dynamodb_local_url, config=settings
    )


@pytest.fixture
def table(client: "DynamoDBClient") -> Iterator[Table]:
    """Create a table with the products."""
    create_table(client, NAME)
    table = Table(NAME, client)
    items = [product_to_item(SHOP, product(number, stock=stock)) for number, stock in history.STOCK.items()]
    table.write_many({"PutRequest": {"Item": item}} for item in items)
    yield table
    client.delete_table(TableName=NAME)


UNASKED = {"invalid product", "invalid discount code", "validation error"}
"""The refusals of what the clients never send."""


def test_parallel_changes_merges_and_checkouts_apply_once(table: Table, seed: int, command: str) -> None:
    limits = history.RULES.limits
    probe = MergeProbe(table, clock, limits)
    checkouts = CheckoutProbe(table, clock, limits)
    send = ServiceClient(
        MergeService(probe, clock, limits), probe, (CheckoutService(checkouts, clock, limits), checkouts)
    )
    carts = range(history.CARTS + history.GUESTS)
    for guest in carts[history.CARTS :]:
        token = Token("customer", *owner_of(guest), clock() // 1000 + 3_600)
        table.write_many([{"PutRequest": {"Item": token_to_item(guest_digest(guest), token)}}])

    planned = history.operations(seed, COUNT, guests=history.GUESTS, checkouts=history.CHECKOUTS)
    events = history.play(planned, lambda: send)

    remaining = {cart: send(history.Operation(cart, "read"), None) for cart in carts}
    outcomes = history.check(events, remaining)
    assert len(events) == COUNT
    assert outcomes.keys() == {"done", "replay", *REFUSALS.values()} - UNASKED
    assert sum(event.answer.guest_version is not None for event in events) > COUNT // 256
    for cart in carts:
        row = table.get(keys.cart(owner_of(cart)))
        assert row
        history.assert_whole(row)
    history.record_outcomes(command, f"DynamoDB Local, by {history.CLIENTS} clients", events, outcomes, seed)


def test_parallel_session_events_count_once(table: Table) -> None:
    sessions, session = SessionStore(table, clock), Session(HASHID, "shared")
    items = [ItemKey("product", str(number)) for number in range(4)]

    def send(number: int) -> None:
        if number % 3:
            sessions.add(session, SessionItemAddition(items[number % 4], "Mug", 5, None))
        else:
            sessions.remove(session, SessionItemRemoval(items[number % 4], 1))

    for item in items:
        sessions.add(session, SessionItemAddition(item, "Mug", 1_000, None))  # enough for all removals
    with ThreadPoolExecutor(history.CLIENTS) as pool:
        list(pool.map(send, range(960)))

    expected = Counter({item.id: 1_000 for item in items})
    for number in range(960):
        expected[items[number % 4].id] += 5 if number % 3 else -1
    assert {item.key.id: item.amount for item in sessions.items(session)} == expected


def test_parallel_sign_ins_and_sign_outs_keep_the_limit(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_registry, "CUSTOMER_TOKENS", 10)
    table.write_many([{"PutRequest": {"Item": shop_to_item(Shop(SHOP))}}])
    registry, tokens = TokenRegistry(table, clock), TokenStore(table)
    token = Token("customer", SHOP, "c", int(time.time()) + 3600)

    def active() -> set[str]:
        return {it.digest for it in registry.customer_tokens(SHOP, "c") if tokens.principal(it.digest, time.time())}

    def send(number: int) -> tuple[float, float, str | None]:
        """Sign in, or out with every sixteenth request; return the times of both ends and the token."""
        begin, digest = time.monotonic(), None
        if number % 16 != 8:
            digest = registry.sign_in(token)[1].digest
        else:
            registry.sign_out(SHOP, "c")
        return begin, time.monotonic(), digest

    with ThreadPoolExecutor(history.CLIENTS) as pool:
        signed = list(pool.map(send, range(64)))

    remaining = active()
    begun = max(begin for begin, _, digest in signed if digest is None)
    ended = max(end for _, end, digest in signed if digest is None)
    later = [digest for begin, _, digest in signed if begin > ended]
    assert min(len(later), 10) <= len(remaining) <= 10
    assert not remaining & {digest for _, end, digest in signed if end < begun}, "issued before the last sign-out"
    with ThreadPoolExecutor(history.CLIENTS) as pool:
        issued = list(pool.map(lambda _: registry.sign_in(token)[1].digest, range(32)))
    assert len(active()) == 10
    assert active() <= set(issued)
