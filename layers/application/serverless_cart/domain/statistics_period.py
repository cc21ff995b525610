"""The period of a report: whole hours, and the days of a time zone to which they belong (contract: Statistics)."""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from serverless_cart.domain.limits import STATISTICS_DAYS
from serverless_cart.domain.statistics import HOUR, day_of, hour_of

DEFAULT_ZONE: Final = "Etc/UTC"
ZoneInfo(DEFAULT_ZONE)  # loads what zones of the package tzdata need, if the system has none: at init, not in a request
_ZONE: Final = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_OFFSET: Final = re.compile(r"([+-])([01]\d|2[0-3]):([0-5]\d)")
_LAST_YEAR: Final = 2200
_DAY: Final = timedelta(days=1)


class InvalidPeriod(ValueError):
    """A period is not valid; ``faults`` has the messages by parameter: ``from``, ``to`` and ``tz``."""

    def __init__(self, faults: dict[str, list[str]]) -> None:
        """Keep the messages."""
        super().__init__("; ".join(f"{name}: {message}" for name, them in faults.items() for message in them))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Period:
    """The hours from ``first`` to ``end``, which is not included, and the beginnings of their days.

    An hour is a number of whole hours since 1970 in UTC. ``timestamps`` are milliseconds since 1970: where each day of
    the time zone begins, earliest first. They include the days of which the period has only a part.
    """

    first: int
    end: int
    timestamps: tuple[int, ...]

    @classmethod
    def of(cls, first: int, end: int, zone: tzinfo) -> "Period":
        """Return the period of these hours. Raises `InvalidPeriod`."""
        if first >= end:
            raise InvalidPeriod({"to": ["the period ends before it begins: give a time that is not before from"]})
        day, last = _date(first, zone), _date(end - 1, zone)
        if (last - day).days >= STATISTICS_DAYS:
            raise InvalidPeriod({"to": [f"the period has more than {STATISTICS_DAYS} days: ask for a shorter period"]})
        starts = {_beginning(day + n * _DAY, zone) for n in range((last - day).days + 1)}  # a zone can skip a day
        return cls(first, end, tuple(sorted(starts)))

    def __contains__(self, hour: int) -> bool:
        """Return whether an hour is in the period."""
        return self.first <= hour < self.end

    def timestamp(self, hour: int) -> int:
        """Return where the day of an hour begins, in milliseconds since 1970."""
        return self.timestamps[bisect_right(self.timestamps, hour * HOUR) - 1]

    def days(self, hours_before: int = 0) -> tuple[int, int]:
        """Return the first and the last day in UTC to read: whole days since 1970, from some hours before on."""
        return day_of(self.first - hours_before), day_of(self.end - 1)


def parse_period(start: str, end: str, zone: str = DEFAULT_ZONE) -> Period:
    """Read a period as a request names it.

    ``start`` and ``end`` are days (``yyyymmdd``, both included) or Unix times of 10 digits (seconds) or 13
    (milliseconds), of which the whole hours are included. Raises `InvalidPeriod` with all faults.

    >>> period = parse_period("20260329", "20260329", "Europe/Berlin")
    >>> period.end - period.first  # clocks go forward
    23
    """
    faults: dict[str, list[str]] = {}
    try:
        at = parse_zone(zone)
    except ValueError as error:
        raise InvalidPeriod({"tz": [str(error)]}) from None

    def read(name: str, text: str, hour_of_date: Callable[[date], int], after_hour: int) -> int:
        try:
            return _read_hour(text, hour_of_date, after_hour)
        except ValueError as error:
            faults[name] = [str(error)]
            return 0

    first = read("from", start, lambda day: _first_hour(day, at), 0)
    after = read("to", end, lambda day: _first_hour(day + _DAY, at), 1)
    if faults:
        raise InvalidPeriod(faults)
    return Period.of(first, after, at)


def parse_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name, or an offset such as ``+01:00``. Raises `ValueError`."""
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        distance = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-distance if sign == "-" else distance)
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not of a zone, a folder of zones
        pass
    raise ValueError(
        f"{name!r:.80} is not a time zone: use an IANA name such as Europe/Berlin, or an offset such as +01:00 "
        "(in a URL %2B01:00)"
    )


def _read_hour(text: str, hour_of_date: Callable[[date], int], after_hour: int) -> int:
    if text.isascii() and text.isdigit():
        if len(text) == 10:
            return hour_of(int(text) * 1000) + after_hour
        if len(text) == 13:
            return hour_of(int(text)) + after_hour
        if len(text) == 8 and (day := _parse_date(text)) and 1970 <= day.year <= _LAST_YEAR:
            return hour_of_date(day)
    raise ValueError(f"{text!r:.80} is not a time: use a date as YYYYMMDD, or a Unix time of 10 or 13 digits")


def _parse_date(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _beginning(day: date, zone: tzinfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def _first_hour(day: date, zone: tzinfo) -> int:
    """Return the first hour that begins on a day."""
    return -(-_beginning(day, zone) // HOUR)


def _date(hour: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(hour * HOUR // 1000, zone).date()
