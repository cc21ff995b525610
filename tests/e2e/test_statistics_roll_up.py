"""Events over HTTP and new orders are counted by the function on the table's stream, also across a deployment."""

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local import deploy
from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.clock import clock
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.statistics import StatisticsStore
from serverless_cart.dynamodb.table import Table
from tests.support.builders import order, sold
from tests.support.shopper import REGISTERED
from tools.support.clients import Http, Manager, Visitor, unique
from tools.support.database import Database

pytestmark = pytest.mark.last(4)  # it deploys

MD5 = "e19347e1c3ca0c0b97de5fb3b690855a"
COUNTED = {"inits": 1, "clicks": 3, "images": 1, "redirects": 1, "added": 5, "removed": 1, "checkouts": 1}
SECONDS = 60


@pytest.fixture
def visitor(database: Database, search_http: Http) -> Visitor:
    """Make a visitor of a new shop, whose search engine no other test uses."""
    shop = database.open_shop(Shop(unique("counted"), frozenset({secrets.token_hex(16)})))
    key = database.issue(Token("api_key", shop.name))
    (hashid,) = shop.search_engines
    return Visitor(search_http, key, hashid, unique("session")[:32])


def send_events(visitor: Visitor) -> None:
    """Send events; together they are counted as in `COUNTED`."""
    parameters = {"session_id": visitor.session, "id": "27", "dfid": f"{visitor.hashid}@product@{MD5}"}
    for event in ("init", "init", "click", "click", "click", "image", "redirect"):
        assert visitor.event(event, params=parameters) == REGISTERED
    visitor.put("41", amount=3)
    visitor.put("42", amount=2)
    assert visitor.send("PATCH", json={"id": "42", "index": "product", "amount": 1}) == REGISTERED
    for _ in range(2):
        assert visitor.event("checkout", params=parameters) == REGISTERED


def counted(database: Database, hashid: str, wanted: dict[str, int]) -> dict[str, int]:
    """Return the totals of a search engine by figure, when they are as wanted or time is over."""
    end = time.monotonic() + SECONDS
    today = int(time.time()) // (24 * 3600)
    while True:
        totals = StatisticsStore(Table(database.name, database.client)).totals(hashid, today - 1, today)
        found: dict[str, int] = {}
        for (figure, _, _), count in totals.counts.items():
            found[figure] = found.get(figure, 0) + count
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.5)


def test_new_order_is_in_the_report(database: Database, manager: Manager) -> None:
    shop = database.open_shop(Shop(unique("ordered"), frozenset({secrets.token_hex(16)}))).name
    server = replace(manager, token=database.issue(Token("management", shop)))
    made = order(shop=shop, created_at=clock(), items=(sold(quantity=3),))
    Table(database.name, database.client).transact(new_order_writes(made, open_holds=1))

    day = f"{datetime.fromtimestamp(made.created_at / 1000, UTC):%Y%m%d}"
    end = time.monotonic() + SECONDS
    while True:
        reply = server.send("GET", f"/api/v2/stats/orders?from={day}&to={day}", "")
        ((count, total),) = ((row["count"], row["total"]) for row in reply.body["results"])
        if count or time.monotonic() > end:
            break
        time.sleep(0.5)
    assert (count, total) == (1, made.total)


def test_events_are_counted_once_across_a_deployment(
    visitor: Visitor, database: Database, stack: Stack, tmp_path: Path
) -> None:
    send_events(visitor)
    assert counted(database, visitor.hashid, COUNTED) == COUNTED

    deploy.deploy(stack.endpoint_url, tmp_path / "deploy.log", {"StatisticsRetentionDays": "30"})
    parameters: dict[str, Any] = {"session_id": visitor.session, "dfid": f"{visitor.hashid}@product@{MD5}"}
    assert visitor.event("click", params=parameters) == REGISTERED

    wanted = COUNTED | {"clicks": COUNTED["clicks"] + 1}
    assert counted(database, visitor.hashid, wanted) == wanted
    time.sleep(3)
    assert counted(database, visitor.hashid, wanted) == wanted
