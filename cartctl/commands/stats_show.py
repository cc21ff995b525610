"""``cartctl stats show``: a shop's statistics as tables, JSON, CSV or a page."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cartctl.arguments import ShopName, checked
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode
from cartctl.files import replace_file, standard_output
from cartctl.shell import Invocation, invocation
from cartctl.statistics import Statistics
from cartctl.statistics_reading import read_statistics, statistics_service
from cartctl.statistics_text import print_statistics
from serverless_cart.clock import clock
from serverless_cart.domain import validation as rules
from serverless_cart.domain.limits import STATISTICS_DAYS, STATISTICS_ROWS
from serverless_cart.domain.session import Device
from serverless_cart.domain.shop import Shop
from serverless_cart.domain.statistics_period import DEFAULT_ZONE, InvalidPeriod, Period, parse_period, parse_zone
from serverless_cart.domain.statistics_reports import COLUMNS, Selection
from serverless_cart.web.report_csv import report_csv

DAYS: Final = 30

_DAY: Final = ["%Y-%m-%d", "%Y%m%d"]


def check_zone(name: str) -> str:
    """Return the name of a time zone. Raises `ValueError`."""
    parse_zone(name)
    return name


def parse_report(text: str) -> str:
    """Return the name of a report. Raises `ValueError`."""
    if text not in COLUMNS:
        raise ValueError(f"{text!r:.80} is no report: use one of {', '.join(COLUMNS)}")
    return text


def show(
    context: typer.Context,
    shop: ShopName,
    start: Annotated[
        datetime | None, typer.Option("--from", formats=_DAY, metavar="DATE", help="First day.", show_default=False)
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", formats=_DAY, metavar="DATE", help="Last day. Default: today.", show_default=False),
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=STATISTICS_DAYS, help="Number of days up to the last one, without --from.")
    ] = DAYS,
    engine: Annotated[
        list[str],
        typer.Option(
            parser=checked(rules.parse_search_engine),
            metavar="HASHID",
            help="Search engine; may repeat. Default: all of the shop's.",
        ),
    ] = [],
    device: Annotated[Device | None, typer.Option(help="Default: both.", show_default=False)] = None,
    zone: Annotated[
        str, typer.Option("--tz", metavar="ZONE", parser=checked(check_zone), help="Time zone of the days.")
    ] = DEFAULT_ZONE,
    report: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="REPORT",
            parser=checked(parse_report),
            help="Print one report as CSV.",
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with charts that works offline.", show_default=False),
    ] = None,
) -> None:
    """Show sessions, clicks, carts, checkouts and abandoned carts by day, conversion, top items and queries, orders.

    cartctl stats show my-shop --days 90 --tz Europe/Berlin

    cartctl stats show my-shop --from 2026-10-01 --to 2026-10-31 --html october.html

    --json prints all reports, and --csv one of them: inits, inits/users, clicks, clicks/users, clicked_items,
    clicked_items/searches, clicked_items/position, banners, custom-results, redirects, checkouts, sales, top-sales,
    carts, carts/items, carts/abandoned or orders. docs/contract.md describes them. They have up to 1,000 rows. In CSV,
    an apostrophe precedes a text that a spreadsheet could run as a formula.

        cartctl stats show my-shop --csv carts/items > items.csv
    """
    run = invocation(context)
    if report and (page or run.out.as_json):
        raise CartctlError("--csv prints CSV only: leave out --json and --html.", ExitCode.USAGE)
    of = shops.find(run, shop).shop
    selection = Selection(
        period=_period(start and start.date(), end and end.date(), days, zone),
        engines=_engines(of, engine),
        shop=shop,
        device=device,
        limit=STATISTICS_ROWS,
    )
    service = statistics_service(run.deployment, clock)
    if report:
        with standard_output("rows") as file:
            file.write(report_csv(COLUMNS[report], service.report(report, selection).rows).encode())
        return
    statistics = read_statistics(service, selection, of.currency, zone)
    if page:
        _write_page(run, statistics, page)
    else:
        run.out.show(_json(statistics), lambda _: print_statistics(run.out, statistics))


def _period(start: date | None, end: date | None, days: int, zone: str) -> Period:
    last = end or datetime.fromtimestamp(clock() / 1000, parse_zone(zone)).date()
    first = start or last - timedelta(days=days - 1)
    try:
        return parse_period(f"{first:%Y%m%d}", f"{last:%Y%m%d}", zone)
    except InvalidPeriod as error:
        raise typer.BadParameter(f"--{error}") from None


def _engines(shop: Shop, wanted: list[str]) -> tuple[str, ...]:
    if foreign := sorted(set(wanted) - shop.search_engines):
        raise CartctlError(
            f"{foreign[0]} is no search engine of {shop.name}: run cartctl shop show {shop.name} to see them.",
            ExitCode.USAGE,
        )
    return tuple(dict.fromkeys(wanted)) or tuple(sorted(shop.search_engines))


def _write_page(run: Invocation, statistics: Statistics, path: Path) -> None:
    from cartctl.statistics_page import page  # noqa: PLC0415 - only pages need its libraries

    with replace_file(path) as file:
        file.write(page(statistics).encode())
    result = {"shop": statistics.shop, "output": str(path)}
    run.out.fields(result, {"Shop": statistics.shop, "Period": statistics.period, "Written to": path})


def _json(statistics: Statistics) -> dict[str, Any]:
    return {
        "shop": statistics.shop,
        "currency": statistics.currency,
        "from": statistics.days[0],
        "to": statistics.days[-1],
        "tz": statistics.zone,
        "device": statistics.device,
        "search_engines": statistics.engines,
        "sold": _number(statistics.sold_value),
        "reports": {
            name: [{field: _number(value) for field, value in row.items()} for row in rows]
            for name, rows in statistics.reports.items()
        },
    }


def _number(value: object) -> object:
    """Return an amount as a number of JSON; other values as they are."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
