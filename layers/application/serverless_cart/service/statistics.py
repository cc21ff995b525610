"""The reports of a shop's statistics (contract: Statistics)."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf
from typing import Final, Protocol, cast

from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.statistics import HOUR, Details, Kind, Totals
from serverless_cart.domain.statistics_reports import DAILY, REPORTS, Row, Selection

TIME_TO_ANSWER: Final = 2.0
"""Seconds that must be left after the last read, to add up and to answer."""


class PeriodTooLong(Refusal):
    """The details of the period cannot be read in the time of one request."""

    def __init__(self) -> None:
        """Name the parameter and what to do."""
        super().__init__({"to": ["the period has more events than one request can read: ask for a shorter period"]})


class StatisticsReader(Protocol):
    """The statistics as stored. Days are whole days since 1970 in UTC, both included. Methods raise `Unavailable`."""

    def totals(self, hashid: str, first: int, last: int) -> Totals:
        """Read the totals of a search engine."""
        ...

    def shop_totals(self, shop: str, first: int, last: int) -> Totals:
        """Read the totals of a shop itself."""
        ...

    def details(self, hashid: str, first: int, last: int, kinds: Collection[Kind]) -> Iterator[Details]:
        """Read details of these kinds of a search engine, in the order of days."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """The rows of a report; ``total_amount`` is the money of all sales, also of those beyond the limit."""

    rows: list[Row]
    total_amount: Decimal | None = None


class StatisticsService:
    """The reports of all shops."""

    def __init__(self, store: StatisticsReader, clock: Callable[[], int], session_item_lifetime: int) -> None:
        """``clock`` returns milliseconds since 1970; ``session_item_lifetime`` is in seconds (`Limits`)."""
        self._store = store
        self._clock = clock
        self._lifetime = session_item_lifetime

    def report(self, name: str, selection: Selection, time_left: Callable[[], float] = lambda: inf) -> Report:
        """Return a report by the name of its route.

        ``time_left`` returns the remaining seconds of the request. Raises `PeriodTooLong` if they do not suffice, and
        `Unavailable`.
        """
        if selection.aggregate or name == "orders":
            return self._limited(name, selection, time_left)
        rows: list[Row] = []
        amounts: list[Decimal] = []
        for hashid in selection.engines:
            report = self._limited(name, replace(selection, engines=(hashid,)), time_left)
            rows += [{"hashid": hashid, **row} for row in report.rows]
            amounts.append(report.total_amount or Decimal(0))
        return Report(rows, sum(amounts, Decimal(0)) if name == "sales" else None)

    def _limited(self, name: str, selection: Selection, time_left: Callable[[], float]) -> Report:
        figures = _Figures(self._store, selection, self._clock(), self._lifetime, time_left)
        rows = REPORTS[name](figures, selection)
        total = sum((cast("Decimal", row["amount"]) for row in rows), Decimal(0)) if name == "sales" else None
        return Report(rows if name in DAILY else rows[: selection.limit], total)


class _Figures:
    """The figures of a selection, read from the store (`domain.statistics_reports.Figures`)."""

    def __init__(
        self,
        store: StatisticsReader,
        selection: Selection,
        now: int,
        lifetime: int,
        time_left: Callable[[], float],
    ) -> None:
        self._store = store
        self._selection = selection
        self._now = now
        self._lifetime = lifetime
        self._time_left = time_left

    def now(self) -> int:
        return self._now

    def totals(self) -> Totals:
        totals = Totals()
        for hashid in self._selection.engines:
            totals.merge(self._store.totals(hashid, *self._selection.period.days()))
            self._check_time()
        return totals

    def shop_totals(self) -> Totals:
        return self._store.shop_totals(self._selection.shop, *self._selection.period.days())

    def details(self, *kinds: Kind) -> Iterable[tuple[str, Details]]:
        return self._details(kinds, 0)

    def expiring(self) -> Iterable[tuple[str, Details]]:
        return self._details(("expiring",), -(-self._lifetime * 1000 // HOUR))

    def _details(self, kinds: tuple[Kind, ...], hours_before: int) -> Iterator[tuple[str, Details]]:
        first, last = self._selection.period.days(hours_before)
        for hashid in self._selection.engines:
            for details in self._store.details(hashid, first, last, kinds):
                yield hashid, details
                self._check_time()

    def _check_time(self) -> None:
        if self._time_left() < TIME_TO_ANSWER:
            raise PeriodTooLong
