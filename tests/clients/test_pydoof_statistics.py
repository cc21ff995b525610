"""PyDoof 4.2.0 and 4.3.0, as released, against the statistics of the Management API."""

import csv
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.session import Device, ItemKey, Session
from serverless_cart.domain.shop import Shop
from serverless_cart.domain.statistics import Click, Counts, Event, dfid_md5, hour_of
from tests.clients.library import Library, Outcome, running
from tests.clients.storefronts import COMMANDS
from tools.support.clients import unique
from tools.support.database import Database
from tools.support.events import DAY, HOUR, NOW

MUG = ItemKey("product", "MUG-7")
ENGINES = [secrets.token_hex(16) for _ in range(2)]
DFID = f"{ENGINES[0]}@product@{dfid_md5(MUG.id)}"
TODAY, YESTERDAY = NOW // DAY * DAY, NOW // DAY * DAY - DAY


@dataclass(frozen=True)
class Reports:
    """The statistics of a shop through a version of PyDoof."""

    library: Library
    options: dict[str, str]

    def read(self, name: str, **arguments: Any) -> Outcome:
        """Call a function of PyDoof's statistics for the day of the events and the day before."""
        arguments = {"from_": "20251120", "to": "20251121", **arguments}
        return self.library.call(name, options=self.options, arguments=arguments)


def events() -> Counts:
    """Count an event of each kind in two search engines, and one late on the day before."""
    counts = Counts()
    devices: list[tuple[str, Device]] = [(ENGINES[0], "desktop"), (ENGINES[1], "mobile")]
    for hashid, device in devices:
        event = Event(Session(hashid, "session"), NOW, device)
        counts.init(event, "user")
        counts.click(event, Click(hour_of(NOW), device, MUG.index, dfid_md5(MUG.id), "mug", 1, "promo"), "user")
        counts.image(event, "7")
        counts.redirect(event, "8")
        counts.checkout(event)
        counts.title(event, MUG, "Mug, blue")
        counts.sold(event, MUG, 3, Decimal("12.5"))
    counts.init(Event(Session(ENGINES[0], "late"), TODAY - HOUR, "desktop"))
    return counts


@pytest.fixture(scope="module")
def management_key(database: Database) -> str:
    """Return the key of a new shop in which the events have been counted."""
    shop = database.open_shop(Shop(unique("counted"), frozenset(ENGINES)))
    database.count(events())
    return database.issue(Token("management", shop.name))


@pytest.fixture(scope="module", params=[name for name in COMMANDS if name.startswith("4.")])
def reports(request: pytest.FixtureRequest, stack: Stack, management_key: str) -> Iterator[Reports]:
    """Return the statistics of the shop through a version of PyDoof."""
    with running(request.param, COMMANDS[request.param]) as library:
        yield Reports(library, {"management_url": stack.management_url, "token": f"eu1-{management_key}"})


def days(*counts: int) -> list[dict[str, int]]:
    return [{"timestamp": at, "count": count} for at, count in zip((YESTERDAY, TODAY), counts, strict=True)]


CALLS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "banners": ({"banner_id": "7"}, [{"id": "7", "displays": 0, "clicks": 2}]),
    "checkouts": ({}, days(0, 2)),
    "clicks": ({"device": "mobile"}, days(0, 1)),
    "clicked_items": (
        {"hashids": ENGINES[:1], "limit": 1, "query": "mug"},
        [{"dfid": DFID, "title": "Mug, blue", "link": None, "count": 1}],
    ),
    "clicked_items_searches": ({"dfid": DFID}, [{"query": "mug", "count": 1}]),
    "custom_results": ({"custom_result_id": "promo"}, [{"id": "promo", "displays": 0, "clicks": 2}]),
    "inits": ({"hashids": ENGINES}, days(1, 2)),
    "redirects": ({"redirect_id": "8"}, [{"id": "8", "link": None, "count": 2}]),
    "sales": ({"hashids": ENGINES[1]}, [{"session": "session", "amount": 37.5}]),
}


@pytest.mark.parametrize("name", CALLS)
def test_report_is_returned_as_json(reports: Reports, name: str) -> None:
    arguments, rows = CALLS[name]

    body = reports.read(name, **arguments).returned

    assert (body["results"], body["total"]) == (rows, len(rows))
    assert body["total_count"] == sum(row.get("count", 1) for row in rows)
    assert body.get("total_amount") == (37.5 if name == "sales" else None)


@pytest.mark.parametrize("name", CALLS)
def test_report_is_returned_as_csv(reports: Reports, name: str) -> None:
    arguments, rows = CALLS[name]

    text = reports.read(name, **arguments, format_="csv").returned

    expected = [{of: "" if value is None else str(value) for of, value in row.items()} for row in rows]
    assert list(csv.DictReader(text.splitlines())) == expected


@pytest.mark.parametrize(("zone", "counts"), [("Etc/UTC", (1, 2)), ("Europe/Berlin", (0, 3)), ("+01:00", (0, 3))])
def test_zone_sets_the_days(reports: Reports, zone: str, counts: tuple[int, int]) -> None:
    body = reports.read("inits", tz=zone).returned

    assert tuple(row["count"] for row in body["results"]) == counts


def test_other_engine_or_parameter_raises(reports: Reports, stack: Stack) -> None:
    assert reports.read("inits", hashids=[stack.hashid]).raised == ("AccessDeniedError", 403, "Access denied")
    assert reports.read("inits", tz="Mars").raised == ("BadParametersError", 400, "Bad parameters error")
    assert reports.read("searches").raised == ("NotFoundError", 404, "Not found")
