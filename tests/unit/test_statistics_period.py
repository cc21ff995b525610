"""The period of a report: hours, days of time zones, and what is not a period."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from serverless_cart.domain.limits import STATISTICS_DAYS
from serverless_cart.domain.statistics import HOUR
from serverless_cart.domain.statistics_period import InvalidPeriod, Period, parse_period


@pytest.mark.parametrize(
    ("zone", "start", "end", "hours", "beginnings"),
    [
        ("Etc/UTC", "20260101", "20260102", 48, ["2026-01-01T00:00Z", "2026-01-02T00:00Z"]),
        ("Europe/Berlin", "20260329", "20260330", 47, ["2026-03-28T23:00Z", "2026-03-29T22:00Z"]),
        ("Europe/Berlin", "20261025", "20261026", 49, ["2026-10-24T22:00Z", "2026-10-25T23:00Z"]),
        ("Asia/Kolkata", "20260101", "20260102", 48, ["2025-12-31T18:30Z", "2026-01-01T18:30Z"]),
        ("+01:00", "20260101", "20260101", 24, ["2025-12-31T23:00Z"]),
        ("-09:30", "20260101", "20260101", 24, ["2026-01-01T09:30Z"]),
        ("Pacific/Apia", "20111229", "20111231", 48, ["2011-12-29T10:00Z", "2011-12-30T10:00Z"]),
        ("Africa/Cairo", "20260424", "20260424", 23, ["2026-04-23T22:00Z"]),
    ],
)
def test_days_are_those_of_the_zone(zone: str, start: str, end: str, hours: int, beginnings: list[str]) -> None:
    period = parse_period(start, end, zone)

    assert period.end - period.first == hours
    assert list(period.timestamps) == [datetime.fromisoformat(it).timestamp() * 1000 for it in beginnings]
    assert all(period.timestamp(hour) in period.timestamps for hour in range(period.first, period.end))


@pytest.mark.parametrize("zone", ["Etc/UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Asia/Kathmandu"])
def test_hour_belongs_to_day_in_which_it_begins(zone: str) -> None:
    period = parse_period("20251001", "20260430", zone)

    for hour in range(period.first, period.end):
        begins = datetime.fromtimestamp(hour * HOUR / 1000, ZoneInfo(zone))
        day = datetime.fromtimestamp(period.timestamp(hour) / 1000, ZoneInfo(zone))
        assert (day.date(), day.hour, day.minute) == (begins.date(), 0, 0)


@pytest.mark.parametrize(
    ("start", "end"),
    [("1767229199", "1767232800"), ("1767229199999", "1767236399999"), ("1767225600", "1767232801000")],
)
def test_times_select_their_whole_hours(start: str, end: str) -> None:
    period = parse_period(start, end)

    assert (period.first, period.end, period.timestamps) == (490_896, 490_899, (1_767_225_600_000,))
    assert [hour in period for hour in (490_895, 490_896, 490_898, 490_899)] == [False, True, True, False]
    assert (period.days(), period.days(hours_before=1)) == ((20_454, 20_454), (20_453, 20_454))


@pytest.mark.parametrize(
    ("start", "end", "zone", "faulty"),
    [
        *((wrong, "20260101", "Etc/UTC", {"from"}) for wrong in ("2026-01-01", "20260230", "19691231", "22010101")),
        *(("20260101", wrong, "Etc/UTC", {"to"}) for wrong in ("", "x", "²0260101", "123456789", "20251231")),
        ("x", "x", "Etc/UTC", {"from", "to"}),
        *(("20260101", "20260101", zone, {"tz"}) for zone in ("Mars", "", "Europe", "+24:00", "+1:00", "../UTC", "é")),
        *(("20260101", "20260101", zone, {"tz"}) for zone in ("zone.tab", "tzdata.zi", "x" * 300, "a\0b", " 01:00")),
        ("20250101", "20260206", "Europe/Berlin", {"to"}),
    ],
)
def test_what_is_no_period_is_refused(start: str, end: str, zone: str, faulty: set[str]) -> None:
    with pytest.raises(InvalidPeriod) as refused:
        parse_period(start, end, zone)

    assert refused.value.faults.keys() == faulty


def test_longest_period_has_400_days() -> None:
    hours = STATISTICS_DAYS * 24
    assert len(Period.of(0, hours, ZoneInfo("Etc/UTC")).timestamps) == STATISTICS_DAYS
    with pytest.raises(InvalidPeriod):
        Period.of(0, hours + 1, ZoneInfo("Etc/UTC"))
