"""The statistics over HTTP; tests/integration/test_statistics.py has their rules, tests/clients PyDoof's calls."""

from dataclasses import replace

import pytest
from pydoof.management_api import stats  # type: ignore[import-untyped]

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.session import Session
from serverless_cart.domain.shop import Shop
from serverless_cart.domain.statistics import Counts, Event
from serverless_cart.domain.statistics_reports import COLUMNS
from tests.support.shopper import ACCESS_DENIED, NOT_AUTHENTICATED, SLASHES
from tools.support.clients import Manager, unique
from tools.support.database import Database
from tools.support.events import HASHID, NOW

NOT_FOUND = (404, "not_found")


@pytest.fixture(scope="module")
def counted(database: Database) -> str:
    """Return the management key of a shop with one counted session."""
    shop = database.open_shop(Shop(unique("counted"), frozenset({HASHID[::-1]})))
    counts = Counts()
    counts.init(Event(Session(HASHID[::-1], "s"), NOW, "desktop"))
    database.count(counts)
    return database.issue(Token("management", shop.name))


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("slash", SLASHES)
def test_every_report_has_its_route(counted: str, manager: Manager, name: str, slash: str) -> None:
    reply = replace(manager, token=counted).report(f"{name}{slash}?dfid={HASHID}@a@{HASHID}")

    assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-store")
    assert manager.http.send("GET", f"/api/v2/stats/{name}{slash}") == NOT_AUTHENTICATED


@pytest.mark.parametrize("name", ["searches", "inits/nothing", "inits/users/more", "inits%2Fusers/x", ""])
def test_unknown_report_is_404(manager: Manager, name: str) -> None:
    reply = manager.report(name)

    assert (reply.status, reply.body["error"]["code"]) == NOT_FOUND


def test_only_a_management_key_opens_reports(manager: Manager, stack: Stack) -> None:
    for key in (stack.api_key, stack.customer_tokens[0]):
        assert replace(manager, token=key).report("inits") == ACCESS_DENIED


def test_pydoof_reads_the_statistics(counted: str, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    options = {"management_url": stack.management_url, "token": counted}

    body = stats.inits("20251121", "20251121", hashids=[HASHID[::-1]], tz="Asia/Kolkata", **options)

    assert (body["results"], body["total_count"]) == ([{"timestamp": 1763663400000, "count": 1}], 1)
