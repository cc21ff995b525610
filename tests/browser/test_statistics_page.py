"""The page of `cartctl stats show --html` in a real browser: offline, readable and harmless."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cartctl.statistics import Statistics
from cartctl.statistics_page import page as statistics_page
from serverless_cart.domain.statistics_reports import DAILY, REPORTS
from tests.browser.watched import WatchedPage

DAYS = 90
HOSTILE = '<b>b</b>&lt;</script><img src="https://evil.example/x" onerror="alert(1)"> ' + "long" * 40
PHONE = 390
CHARTS = 8
CLIPPED = """
() => Array.from(document.querySelectorAll(".chart"), (chart) => {
  const outer = chart.getBoundingClientRect();
  return Array.from(chart.querySelectorAll("text"), (text) => [text.textContent, text.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.left < outer.left - 1 || box.right > outer.right + 1))
    .map(([text]) => text);
}).flat()
"""
CONTRAST = """
(selector) => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((it) => it / 255);
  const light = (colour) => numbers(colour)
    .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4))
    .reduce((sum, it, place) => sum + it * [0.2126, 0.7152, 0.0722][place], 0);
  const card = light(getComputedStyle(document.querySelector("section")).backgroundColor);
  return Array.from(document.querySelectorAll(selector), (element) => {
    const style = getComputedStyle(element);
    const ink = light(element instanceof SVGElement ? style.fill : style.color);
    return (Math.max(ink, card) + 0.05) / (Math.min(ink, card) + 0.05);
  });
}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page of a shop with hostile items and queries."""
    days = [f"2026-0{1 + number // 28}-{1 + number % 28:02d}" for number in range(DAYS)]
    daily = [
        {"count": number, "sessions": number, "carts": number, "amount": Decimal(number), "total": number}
        for number in range(DAYS)
    ]
    top = [{"title": f"{HOSTILE} {n}", "count": 9 - n, "added": 9 - n, "sum_amount": 9 - n} for n in range(9)]
    reports = {name: daily if name in DAILY else top for name in REPORTS}
    statistics = Statistics(HOSTILE, "EUR", "Etc/UTC", None, ["a" * 32], days, reports, Decimal(12))
    written = tmp_path_factory.mktemp("statistics") / "page.html"
    written.write_text(statistics_page(statistics))
    return written


@pytest.fixture(scope="module", params=[("light", 1280), ("dark", 1280), ("light", PHONE)], ids=str)
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[WatchedPage]:
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    opened = WatchedPage(context.new_page())
    opened.page.goto(file.as_uri())
    expect(opened.page.locator(".chart .main-svg:first-child")).to_have_count(CHARTS)
    yield opened
    context.close()


def test_page_works_alone(opened: WatchedPage, file: Path) -> None:
    assert [request.url for request in opened.requests] == [file.as_uri()]
    assert opened.complaints == []


def test_page_fits_its_width(opened: WatchedPage) -> None:
    opened.page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")

    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.page.evaluate(CLIPPED) == []
    tables = opened.page.locator(".scrolls")
    assert tables.evaluate_all("(all) => all.every((one) => one.scrollWidth <= one.clientWidth)")


def test_charts_have_all_their_marks(opened: WatchedPage) -> None:
    charts = opened.page.locator(".chart")

    assert [charts.nth(number).locator(".scatterlayer .js-line").count() for number in range(2)] == [2, 3]
    assert [charts.nth(number).locator(".bars .point").count() for number in range(2, CHARTS)] == [3, DAYS, *[9] * 4]


def test_hostile_text_is_text(opened: WatchedPage) -> None:
    assert opened.page.locator("img, main b, main i, .chart a").count() == 0
    assert opened.page.title() == f"Statistics of {HOSTILE}"
    labels = opened.page.locator(".chart >> nth=4 >> .ytick text").all_text_contents()
    assert all(label.startswith(HOSTILE[:16]) for label in labels)
    assert len(labels) == 9
    assert opened.page.locator("tbody th").filter(has_text=f"{HOSTILE} 8").count() == 4


def test_each_chart_has_a_name_and_a_table(opened: WatchedPage) -> None:
    assert opened.page.locator("html").get_attribute("lang") == "en"
    assert opened.page.locator("h1").count() == 1
    assert opened.page.locator(".chart[role=img]").count() == CHARTS
    for section in opened.page.locator("section").all():
        title = section.locator("h2").inner_text()
        assert title in str(section.locator(".chart").get_attribute("aria-label"))
        assert section.locator("table th[scope=col]").count() > 1


@pytest.mark.parametrize("selector", ["h2, summary, th, dt", ".xtick text, .ytick text, .legendtext"])
def test_text_has_contrast(opened: WatchedPage, selector: str) -> None:
    assert min(opened.page.evaluate(CONTRAST, selector)) > 4.5


def test_charts_follow_the_setting(browser: Browser, file: Path) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto(file.as_uri())
    page.emulate_media(color_scheme="dark")

    expect(page.locator(".xtick text").first).to_have_css("fill", "rgb(232, 235, 239)")

    page.close()
