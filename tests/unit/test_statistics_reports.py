"""The reports of the statistics, from events of two search engines, against rows written by hand."""

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

import pytest

from serverless_cart.domain.session import Device, ItemKey, Session
from serverless_cart.domain.statistics import (
    HOUR,
    Click,
    Counts,
    Details,
    EngineDay,
    Event,
    Kind,
    Totals,
    dfid_md5,
    hour_of,
)
from serverless_cart.domain.statistics_period import parse_period
from serverless_cart.domain.statistics_reports import COLUMNS, DAILY, REPORTS, Dfid, Row, Selection
from serverless_cart.service.statistics import PeriodTooLong, StatisticsService
from tests.support.builders import SESSION
from tools.support.events import HASHID, SHOP

OTHER = "0" * 32
"""The hashid of the shop's second search engine."""
MIDNIGHT = 1_774_738_800_000
"""Milliseconds: 2026-03-29 in Berlin, a day of 23 hours."""
NEXT = MIDNIGHT + 23 * HOUR
LIFETIME = 24 * 3600
MUG, LAMP = ItemKey("product", "MUG-7"), ItemKey("product", "=LAMP")
MUG_DFID, LAMP_DFID = (Dfid(HASHID, "product", dfid_md5(it.id)) for it in (MUG, LAMP))


def event(at: int, session: str = SESSION, device: Device = "desktop", hashid: str = HASHID) -> Event:
    return Event(Session(hashid, session), at, device)


def counted() -> Counts:
    """Count a day and an hour of the next day, and something just before and after."""
    counts = Counts()
    for at in (MIDNIGHT - 1, MIDNIGHT, NEXT - 1, NEXT, NEXT + HOUR):
        counts.init(event(at), "anna")
    counts.init(event(MIDNIGHT + HOUR, "two", "mobile"), "bert")
    counts.init(event(MIDNIGHT + HOUR, "three", hashid=OTHER))
    for at, device, query, position, custom, item in (
        (MIDNIGHT, "desktop", "mug", 1, "promo", MUG),
        (NEXT, "desktop", "mug", 2, None, MUG),
        (NEXT, "mobile", "cup", 1, "promo", MUG),
        (NEXT, "mobile", "cup", 1, None, LAMP),
        (NEXT + HOUR, "mobile", "cup", 1, None, LAMP),
    ):
        of: Any = device
        click = Click(hour_of(at), of, item.index, dfid_md5(item.id), query, position, custom)
        counts.click(event(at, device=of), click, "anna")
    counts.image(event(NEXT), "7")
    counts.image(event(MIDNIGHT, device="mobile"), "7")
    counts.image(event(MIDNIGHT), "8")
    counts.redirect(event(NEXT), "9")
    counts.checkout(event(NEXT), 2)
    for at, session, hashid in ((MIDNIGHT, "one", HASHID), (MIDNIGHT + HOUR, "one", OTHER), (NEXT, "two", HASHID)):
        counts.added(event(at, session, hashid=hashid), MUG, 2)
    counts.title(event(MIDNIGHT), MUG, "Old mug")
    counts.title(event(NEXT), MUG, "Mug")
    counts.removed(event(NEXT, "two"), LAMP, 1)
    counts.sold(event(NEXT, "two"), MUG, 2, Decimal("12.5"))
    counts.sold(event(NEXT, "two"), MUG, 1, Decimal(10))
    counts.sold(event(MIDNIGHT, "one", "mobile"), LAMP, 1, None)
    return counts


class Stored:
    """The statistics as the store returns them."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts

    def totals(self, hashid: str, first: int, last: int) -> Totals:
        totals = Totals()
        for of, counts in self.counts:
            if isinstance(of, EngineDay) and of.hashid == hashid and first <= of.day <= last:
                totals.merge(counts.totals)
        return totals

    def shop_totals(self, shop: str, first: int, last: int) -> Totals:
        assert shop == SHOP
        inits = self.totals(HASHID, first, last).counts.items()
        return Totals({("orders", device, hour): 3 * count for (of, device, hour), count in inits if of == "inits"})

    def details(self, hashid: str, first: int, last: int, kinds: Collection[Kind]) -> Iterator[Details]:
        for of, counts in sorted(self.counts, key=lambda it: it[0].day):
            if isinstance(of, EngineDay) and of.hashid == hashid and first <= of.day <= last:
                yield Details({kind: counts.details.of(kind) for kind in kinds}, counts.details.titles)


def report(name: str, counts: Counts | None = None, *, now: int = NEXT + 48 * HOUR, **changes: Any) -> list[Row]:
    """Return the rows of a report on the day and the hour."""
    period = parse_period(str(MIDNIGHT), str(NEXT), "Europe/Berlin")
    selection = Selection(**{"period": period, "engines": (HASHID, OTHER), "shop": SHOP, **changes})
    return StatisticsService(Stored(counts or counted()), lambda: now, LIFETIME).report(name, selection).rows


def days(*rows: tuple[object, ...], names: str = "count") -> list[Row]:
    """Return a row for each of the two days."""
    return [
        {"timestamp": at, **dict(zip(names.split(), row, strict=True))}
        for at, row in zip((MIDNIGHT, NEXT), rows, strict=True)
    ]


def items(*rows: tuple[object, ...], names: str) -> list[Row]:
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


MUGS, LAMPS = str(MUG_DFID), str(LAMP_DFID)
ITEMS, POSITIONS, SALES = "dfid title link count", "product position clicks", "dfid title sum_amount avg_price"
CARTS, CART_ITEMS = "added removed sessions", "index id title added removed sold"


@pytest.mark.parametrize(
    ("name", "changes", "rows"),
    [
        ("inits", {}, days((4,), (1,))),
        ("inits", {"device": "mobile"}, days((1,), (0,))),
        ("inits", {"engines": (OTHER,)}, days((1,), (0,))),
        ("inits", {"engines": (), "limit": 1}, days((0,), (0,))),
        ("inits/users", {}, items((2, 4, 5), names="users sessions unique_sessions")),
        ("clicks", {}, days((1,), (3,))),
        ("clicks/users", {}, items((1, 7, 4), names="users clicks product_clicks")),
        ("clicked_items", {}, items((MUGS, "Mug", None, 3), (LAMPS, None, None, 1), names=ITEMS)),
        ("clicked_items", {"limit": 1}, items((MUGS, "Mug", None, 3), names=ITEMS)),
        ("clicked_items", {"query": "mug"}, items((MUGS, "Mug", None, 2), names=ITEMS)),
        ("clicked_items/searches", {"dfid": MUG_DFID}, items(("mug", 2), ("cup", 1), names="query count")),
        ("clicked_items/searches", {"dfid": Dfid(OTHER, *MUG_DFID[1:])}, []),
        (
            "clicked_items/position",
            {},
            items((MUGS, 1, 2), (LAMPS, 1, 1), (MUGS, 2, 1), names=POSITIONS),
        ),
        ("clicked_items/position", {"dfid": LAMP_DFID}, items((LAMPS, 1, 1), names=POSITIONS)),
        ("custom-results", {}, items(("promo", 0, 2), names="id displays clicks")),
        ("custom-results", {"id": "other"}, []),
        ("banners", {}, items(("7", 0, 2), ("8", 0, 1), names="id displays clicks")),
        ("banners", {"id": "8"}, items(("8", 0, 1), names="id displays clicks")),
        ("redirects", {}, items(("9", None, 1), names="id link count")),
        ("checkouts", {}, days((0,), (2,))),
        ("sales", {}, items(("two", Decimal(35)), ("one", Decimal(0)), names="session amount")),
        ("top-sales", {}, items((MUGS, "Mug", 3, Decimal("11.666667")), (LAMPS, None, 1, Decimal(0)), names=SALES)),
        ("carts", {}, days((4, 0, 1), (2, 1, 1), names=CARTS)),
        (
            "carts/items",
            {},
            items(("product", "MUG-7", "Mug", 6, 0, 3), ("product", "=LAMP", None, 0, 1, 1), names=CART_ITEMS),
        ),
        ("orders", {}, days((9, 0), (3, 0), names="count total")),
        ("orders", {"device": "mobile"}, days((9, 0), (3, 0), names="count total")),
    ],
)
def test_report_has_the_rows_of_the_contract(name: str, changes: Any, rows: list[Row]) -> None:
    assert report(name, **changes) == rows


@pytest.mark.parametrize("name", REPORTS)
def test_columns_are_those_of_the_rows(name: str) -> None:
    separate = report(name, aggregate=False, counts=abandoned() if name == "carts/abandoned" else None)

    assert {tuple(row) for row in separate} == {(*(() if name == "orders" else ("hashid",)), *COLUMNS[name])}
    assert ("timestamp" in COLUMNS[name]) == (name in DAILY)


def test_engines_are_reported_separately() -> None:
    rows = report("carts", aggregate=False)

    assert [(row["hashid"], row["added"], row["sessions"]) for row in rows] == [
        *((HASHID, 2, 1), (HASHID, 2, 1), (OTHER, 2, 1), (OTHER, 0, 0)),
    ]


@pytest.mark.parametrize(("aggregate", "limit"), [(True, 1), (False, 1), (True, 9)])
def test_total_amount_is_of_all_sales(*, aggregate: bool, limit: int) -> None:
    period = parse_period(str(MIDNIGHT), str(NEXT))
    selection = Selection(period, (HASHID, OTHER), aggregate=aggregate, limit=limit)

    assert StatisticsService(Stored(counted()), lambda: NEXT, LIFETIME).report("sales", selection).total_amount == 35


# ----------------------------------------------------------------------------------------------------------------------
# Abandoned carts
# ----------------------------------------------------------------------------------------------------------------------


def abandoned() -> Counts:
    """Count carts that expire a day after their last event."""
    counts = Counts()
    later = LIFETIME * 1000
    for session, at, item_count in (("one", MIDNIGHT, 2), ("two", NEXT - later, 1), ("early", MIDNIGHT - later - 1, 1)):
        counts.expiring(event(at, session), at + later, item_count, Decimal(10 * item_count))
    counts.expiring(event(MIDNIGHT + HOUR, "one"), MIDNIGHT + later, -1, Decimal(-10))  # one item is kept longer
    counts.expiring(event(MIDNIGHT + HOUR, "one"), MIDNIGHT + HOUR + later, 1, Decimal(15))
    counts.expiring(event(MIDNIGHT - HOUR, "sold"), MIDNIGHT - HOUR + later, 1, Decimal(99))
    counts.expiring(event(MIDNIGHT, "sold"), MIDNIGHT - HOUR + later, -1, Decimal(-99))
    counts.expiring(event(MIDNIGHT - later, "first", "mobile"), MIDNIGHT, 1, Decimal("0.5"))
    return counts


@pytest.mark.parametrize(
    ("end", "changes", "rows"),
    [
        (NEXT, {}, [(1, Decimal("0.5")), (1, Decimal(10))]),
        (NEXT + 2 * HOUR, {}, [(1, Decimal("0.5")), (2, Decimal(35))]),
        (NEXT + 2 * HOUR, {"now": NEXT + 3 * HOUR - 1}, [(1, Decimal("0.5")), (2, Decimal(20))]),
        (NEXT + 2 * HOUR, {"now": NEXT + 3 * HOUR}, [(1, Decimal("0.5")), (2, Decimal(35))]),
        (NEXT + 2 * HOUR, {"device": "mobile"}, [(1, Decimal("0.5")), (0, Decimal(0))]),
        (NEXT, {"now": MIDNIGHT}, [(0, Decimal(0)), (0, Decimal(0))]),
    ],
)
def test_cart_is_abandoned_when_its_hour_has_ended(end: int, changes: Any, rows: list[Any]) -> None:
    period = parse_period(str(MIDNIGHT), str(end), "Europe/Berlin")

    assert report("carts/abandoned", abandoned(), period=period, **changes) == days(*rows, names="carts amount")


# ----------------------------------------------------------------------------------------------------------------------
# Time
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "refused"), [(2.0, False), (1.9, True)])
@pytest.mark.parametrize("name", ["inits", "banners"])
def test_report_ends_before_its_time_is_over(name: str, left: float, *, refused: bool) -> None:
    service = StatisticsService(Stored(counted()), lambda: NEXT, LIFETIME)
    selection = Selection(parse_period("20260329", "20260329"), (HASHID,))
    if not refused:
        assert service.report(name, selection, lambda: left).rows
        return
    with pytest.raises(PeriodTooLong) as refusal:
        service.report(name, selection, lambda: left)
    assert refusal.value.details.keys() == {"to"}
