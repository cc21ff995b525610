"""cartctl stats show: the same figures as tables, as JSON, as CSV and as a page."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cartctl.commands import stats_show
from cartctl.errors import ExitCode
from serverless_cart.domain.statistics import Counts
from serverless_cart.domain.statistics_reports import REPORTS
from tests.support import visits
from tests.support.bundle import Bundle
from tests.support.operator import Operator
from tools.support.events import DAY, HASHID, HOUR, NOW, SHOP

FORMULA = "=1+1"


@pytest.fixture
def operator(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator of a shop with two orders and four visits. The first visitor buys, the last has a mobile."""
    monkeypatch.setattr(stats_show, "clock", bundle.clock)
    operator.run("shop", "create", SHOP, "--engine", HASHID, "--currency", "EUR")
    counts = Counts()
    for number, age in enumerate((2 * DAY, 2 * DAY, DAY + HOUR)):
        visits.visit(counts, NOW - age, f"s{number}", buys=number == 0)
    visits.visit(counts, NOW, "s3", text=FORMULA, device="mobile")
    for age in (0, DAY):
        counts.order(SHOP, NOW - age, 123_450)
    visits.write(operator.deployment.table, counts)
    return operator


def test_json_has_all_reports(operator: Operator) -> None:
    shown = operator.run("stats", "show", SHOP, "--days", "3")
    reports = shown["reports"]

    assert (shown["from"], shown["to"], shown["tz"], shown["sold"]) == ("2025-11-19", "2025-11-21", "Etc/UTC", 25)
    assert set(reports) == set(REPORTS)
    assert [row["count"] for row in reports["inits"]] == [2, 1, 1]
    assert [row["sessions"] for row in reports["carts"]] == [2, 1, 1]
    assert [(row["carts"], row["amount"]) for row in reports["carts/abandoned"]] == [(0, 0), (1, 25), (1, 25)]
    assert reports["clicked_items/searches"] == [{"query": "mug", "count": 3}, {"query": FORMULA, "count": 1}]
    assert reports["top-sales"][0]["sum_amount"] == 2
    assert [(row["count"], row["total"]) for row in reports["orders"]] == [(0, 0), (1, 123_450), (1, 123_450)]


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (["--from", "2025-11-19", "--to", "20251120"], [2, 1]),
        (["--days", "1", "--device", "mobile"], [1]),
        (["--days", "1", "--device", "desktop"], [0]),
        (["--days", "2", "--tz", "Pacific/Kiritimati"], [1, 1]),
        (["--to", "2025-11-19", "--days", "2", "--engine", HASHID.upper()], [0, 2]),
    ],
)
def test_options_select(operator: Operator, options: list[str], days: list[int]) -> None:
    shown = operator.run("stats", "show", SHOP, *options)

    assert [row["count"] for row in shown["reports"]["inits"]] == days


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "2025-11-20", "--to", "2025-11-19"], "--to: the period ends before it begins"),
        (["--from", "2020-01-01"], "--to: the period has more than 400 days"),
        (["--tz", "Mars"], "'--tz': 'Mars' is not a time zone"),
        (["--engine", "0" * 32], f"{'0' * 32} is no search engine of {SHOP}"),
        (["--csv", "visits"], "'visits' is no report: use one of inits, "),
        (["--csv", "inits", "--html", "page.html"], "--csv prints CSV only"),
    ],
)
def test_wrong_option_is_refused(operator: Operator, options: list[str], message: str) -> None:
    code, line = operator.fails("stats", "show", SHOP, *options)

    assert code == ExitCode.USAGE
    assert message in line


def test_terminal_shows_series_and_rankings(operator: Operator) -> None:
    lines = operator.type("stats", "show", SHOP, "--days", "3").out.splitlines()

    assert lines[0] == f"Statistics of {SHOP}: 2025-11-19 to 2025-11-21 (Etc/UTC), all devices, 1 search engine"
    assert [line.split() for line in lines if line.startswith(("Sessions", "Checkouts"))] == [
        ["Sessions", "4", "1.3", "2", "█▅▅"],
        ["Checkouts", "1", "0.3", "1", "█▁▁"],
    ]
    assert "Checkout per session    25.0%" in lines
    assert "Abandoned value (EUR)   50.00" in lines
    assert {"Orders                  2", "Ordered (EUR)           2,469.00"} <= set(lines)
    assert len([line for line in lines if re.fullmatch(r"mug +\d+ +█{24}", line)]) == 4


def test_days_without_events_are_shown(operator: Operator) -> None:
    shown = operator.type("stats", "show", SHOP, "--to", "2024-01-31").out

    assert "Cart per session        -" in shown
    assert f"Sessions   0      0.0      0        {'▁' * 30}" in shown
    assert "Most frequent queries: none" in shown


def test_csv_is_safe_in_a_spreadsheet(operator: Operator) -> None:
    printed = operator.type("stats", "show", SHOP, "--csv", "carts/items").out

    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [(row["title"], row["added"], row["sold"]) for row in rows] == [("mug", "6", "2"), (f"'{FORMULA}", "2", "0")]


def test_page_has_the_figures(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "page.html"

    result = operator.run("stats", "show", SHOP, "--days", "3", "--html", str(file))

    page = file.read_text()
    assert result == {"shop": SHOP, "output": str(file)}
    assert "<title>Statistics of demo</title>" in page
    assert re.search(r'<th scope="row">2025-11-19</th><td>2</td><td>1</td><td>0</td>', page)
    figures = json.loads(page.partition('id="figures">')[2].partition("</script>")[0])
    assert [trace["y"] for trace in figures[0]["traces"]] == [[2, 1, 1], [2, 1, 1]]


def test_other_commands_load_no_charts() -> None:
    code = "import cartctl.app, sys; sys.exit(bool({'plotly', 'jinja2'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own code
