"""GET /api/v2/stats/…: parameters, refusals, answers in JSON and CSV, and the calls of long periods."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.domain.statistics import Click, Counts, Event, dfid_md5, hour_of
from serverless_cart.domain.statistics_reports import COLUMNS, Dfid
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.table import Table
from serverless_cart.web import statistics as web
from tests.support.bundle import TABLE, Answer, Bundle
from tools.support.database import write_counts
from tools.support.events import DAY, HASHID, NOW, altered, load

pytestmark = pytest.mark.every_engine

GET = load("statistics/get")
SECOND_ENGINE, FOREIGN = "b" * 32, "c" * 32
ENGINES = {"authorizer": {"search_engines": f"{HASHID} {SECOND_ENGINE}"}}
FORMULA = ItemKey("product", "=1+1")
DFID = str(Dfid(HASHID, "product", dfid_md5("=1+1")))
DENIED = {"error": {"code": "access_denied", "message": "Access denied"}}


def invoke(bundle: Bundle, name: str, query: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Ask for a report on two days; return the raw answer."""
    report, _, part = name.partition("/")
    bundle.database.calls.clear()
    asked = altered(GET, query={"from": "20251120", "to": "20251121", **query}, **{**ENGINES, **changes})
    asked["pathParameters"] = {"report": report, **({"part": part} if part else {})}
    asked["resource"] += "/{part}" if part else ""
    return bundle.invoke("statistics", asked)


def ask(bundle: Bundle, name: str = "inits", query: dict[str, Any] | None = None, **changes: Any) -> Answer:
    raw = invoke(bundle, name, query or {}, **changes)
    headers = {name: values[0] for name, values in raw["multiValueHeaders"].items()}
    return Answer(raw["statusCode"], json.loads(raw["body"]), headers, raw["body"])


def ask_csv(bundle: Bundle, name: str, query: dict[str, Any]) -> list[list[str]]:
    """Return the records of a report in CSV."""
    raw = invoke(bundle, name, {**query, "format": "csv"})
    assert raw["multiValueHeaders"]["Content-Type"] == ["text/csv; charset=utf-8"]
    return list(csv.reader(io.StringIO(raw["body"])))


def event(hashid: str, at: int = NOW) -> Event:
    return Event(Session(hashid, "=s"), at, "desktop")


@pytest.fixture
def counted(bundle: Bundle) -> Bundle:
    """Count events of three search engines, the last of which is another shop's."""
    counts = Counts()
    for hashid in (HASHID, SECOND_ENGINE, FOREIGN):
        for at in (NOW - DAY, NOW, NOW + DAY):
            counts.init(event(hashid, at), "anna")
        counts.click(event(hashid), Click(hour_of(NOW), "desktop", "product", dfid_md5("=1+1"), "+mug", 1))
        counts.title(event(hashid), FORMULA, "-Mug, blue")
        counts.sold(event(hashid), FORMULA, 3, Decimal("0.1"))
    write_counts(Table(TABLE, bundle.client), counts)
    return bundle


def test_answer_adds_up_the_shops_engines(counted: Bundle) -> None:
    answer = ask(counted)

    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.text == (
        '{"results":[{"timestamp":1763596800000,"count":2},{"timestamp":1763683200000,"count":2}],'
        '"total":2,"total_count":4}'
    )


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ({"hashid": HASHID}, [1, 1]),
        ({"hashid[]": [HASHID.upper(), SECOND_ENGINE]}, [2, 2]),
        ({"hashids[]": HASHID, "hashids": [HASHID], "hashid[]": "", "source": "voice"}, [1, 1]),
        ({"aggregate": "false", "device": "desktop"}, [1, 1, 1, 1]),
        ({"device": "mobile", "tz": "", "format": "json"}, [0, 0]),
        ({"from": str(NOW // 1000), "to": str(NOW)}, [2]),
        ({"tz": "+14:00"}, [0, 2]),
        ({"tz": "Europe/Berlin", "to": "20251122"}, [2, 2, 2]),
    ],
)
def test_parameters_select(counted: Bundle, query: dict[str, Any], counts: list[int]) -> None:
    body = ask(counted, query=query).body

    assert [row["count"] for row in body["results"]] == counts
    assert (body["total"], body["total_count"]) == (len(counts), sum(counts))


@pytest.mark.parametrize("name", COLUMNS)
def test_every_report_answers_in_both_formats(counted: Bundle, name: str) -> None:
    query = {"dfid": DFID.upper().replace("PRODUCT", "product")} if name == "clicked_items/searches" else {}
    answer, written = ask(counted, name, query), ask_csv(counted, name, query)

    assert (answer.status, answer.body["total"]) == (200, len(answer.body["results"]))
    assert written[0] == list(COLUMNS[name])
    assert len(written) == 1 + answer.body["total"]


def test_amounts_are_exact_numbers(counted: Bundle) -> None:
    answer = ask(counted, "sales", {"aggregate": "false", "limit": "1", "hashid": HASHID})

    assert answer.text == (
        f'{{"results":[{{"hashid":"{HASHID}","session":"=s","amount":0.3}}],'
        '"total":1,"total_count":1,"total_amount":0.3}'
    )


def test_csv_has_no_formula(counted: Bundle) -> None:
    assert ask_csv(counted, "top-sales", {"hashid": HASHID})[1] == [DFID, "'-Mug, blue", "3", "0.1"]
    assert ask_csv(counted, "sales", {"hashid": HASHID})[1] == ["'=s", "0.3"]
    assert ask_csv(counted, "banners", {}) == [["id", "displays", "clicks"]]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"from": ""}, {"from"}),
        ({"from": "1", "to": "x", "device": "tv", "aggregate": "no", "limit": "0", "dfid": "x", "format": "xml"},
         {"from", "to", "device", "aggregate", "limit", "dfid", "format"}),
        ({"tz": "Mars"}, {"tz"}),
        *(({"limit": wrong}, {"limit"}) for wrong in ("1001", "-1", "1.0", "9" * 5000, "\N{SUPERSCRIPT ONE}")),
        ({"dfid": f"{HASHID}@a b@{HASHID}"}, {"dfid"}),
        ({"to": "20251119"}, {"to"}),
        ({"to": "20271119"}, {"to"}),
    ],
)  # fmt: skip
def test_bad_parameters_are_listed(counted: Bundle, query: dict[str, Any], fields: set[str]) -> None:
    answer = ask(counted, query=query)

    assert (answer.status, answer.body["error"]["code"]) == (400, "bad_params")
    assert answer.body["error"]["details"].keys() == fields
    assert counted.database.calls == []


def test_log_has_the_report_and_no_parameter(counted: Bundle) -> None:
    ask(counted, "clicked_items", {"query": "wilhelmina"})

    (line,) = counted.log_lines()
    assert (line["report"], line["route"]) == ("clicked_items", "/api/v2/stats/{report}")
    assert "wilhelmina" not in counted.logged()


def test_searches_need_a_dfid(counted: Bundle) -> None:
    assert ask(counted, "clicked_items/searches").body["error"]["details"] == {"dfid": ["this parameter is required"]}


@pytest.mark.parametrize(
    "changes",
    [
        *({"query": {name: hashid}} for name in web._ENGINES for hashid in (FOREIGN, "x", [HASHID, FOREIGN])),
        {"authorizer": {"kind": "api_key"}},
        {"authorizer": {"search_engines": HASHID}, "query": {"hashid[]": SECOND_ENGINE}},
        {"address": "203.0.113.9"},
    ],
)
def test_other_engine_or_key_is_denied(counted: Bundle, changes: Any) -> None:
    answer = ask(counted, **changes)

    assert (answer.status, answer.body) == (403, DENIED)
    assert counted.database.calls == []


@pytest.mark.parametrize("name", ["searches", "usage", "inits/locations", "INITS", "clicks/users/x", "%2e"])
def test_unknown_report_is_404(counted: Bundle, name: str) -> None:
    assert (ask(counted, name).status, counted.database.calls) == (404, [])


def test_orders_are_the_shops(counted: Bundle) -> None:
    row = keys.day_row(keys.shop_statistics("demo"), "20251121")
    figures = {"orders#d#12": {"N": "2"}, "order_total#m#13": {"N": "1250"}}
    counted.put({"pk": {"S": row.pk}, "sk": {"S": row.sk}, **figures})

    assert ask(counted, "orders").body["results"][1] == {"timestamp": 1763683200000, "count": 2, "total": 1250}


@pytest.mark.parametrize(("seconds", "status"), [(20.0, 200), (1.9, 400)])
def test_report_without_time_is_refused(counted: Bundle, seconds: float, status: int) -> None:
    counted.seconds_left = seconds
    answer = ask(counted, "banners")

    assert answer.status == status
    if status == 400:
        assert answer.body["error"]["details"].keys() == {"to"}


def test_large_answer_is_refused(counted: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_ANSWER_BYTES", 100)

    assert ask(counted).body["error"]["details"].keys() == {"limit"}


@pytest.mark.parametrize(("name", "calls"), [("inits", 1), ("checkouts", 1), ("carts", 2), ("sales", 1)])
def test_year_of_one_engine_takes_few_queries(bundle: Bundle, name: str, calls: int) -> None:
    counts = Counts()
    for day in range(365):
        counts.init(event(HASHID, NOW - day * DAY))
    write_counts(Table(TABLE, bundle.client), counts)

    answer = ask(bundle, name, {"from": "20241122", "hashid": HASHID})

    assert answer.body["total"] in {365, 0}
    assert bundle.database.calls == ["Query"] * calls
