"""The statistics of a shop for people: series by day, the most frequent items and queries, sums, and the conversion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from cartctl.money import decimal

TOP: Final = 10
"""Items and queries that are shown."""

Rows = Sequence[Mapping[str, Any]]


class Series(NamedTuple):
    """A name, and one number for each day."""

    name: str
    values: list[int]


class Ranking(NamedTuple):
    """The most frequent things, with the title of their list and the unit of the numbers."""

    title: str
    unit: str
    rows: list[tuple[str, int]]


@dataclass(frozen=True)
class Statistics:
    """All reports of a shop, by the names of the contract's routes (contract: Statistics).

    ``days`` are texts such as 2026-01-31. Amounts are in ``currency``.
    """

    shop: str
    currency: str
    zone: str
    device: str | None
    engines: Sequence[str]
    """The hashids of the reported search engines."""
    days: Sequence[str]
    reports: Mapping[str, Rows]
    sold_value: Decimal
    """The money of all items sold."""

    @property
    def series(self) -> list[Series]:
        """What happened on each day."""
        return [Series(name, [int(row[field]) for row in self.reports[report]]) for name, report, field in _SERIES]

    @property
    def conversion(self) -> list[tuple[str, int]]:
        """The sessions, those with a cart, and the checkouts."""
        sums = {series.name: sum(series.values) for series in self.series}
        return [(name, sums[name]) for name in ("Sessions", "Carts", "Checkouts")]

    @property
    def abandoned_value(self) -> list[Decimal]:
        """The value of the abandoned carts of each day."""
        return [Decimal(row["amount"]) for row in self.reports["carts/abandoned"]]

    @property
    def rankings(self) -> list[Ranking]:
        """The most frequent items and queries."""
        return [Ranking(title, unit, list(self._ranked(report, field))) for title, unit, report, field in _RANKINGS]

    @property
    def period(self) -> str:
        """The days, the time zone and the selection, as one line."""
        devices = f"{self.device} only" if self.device else "all devices"
        engines = f"{len(self.engines)} search engine{'' if len(self.engines) == 1 else 's'}"
        return f"{self.days[0]} to {self.days[-1]} ({self.zone}), {devices}, {engines}"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The sums of the period."""
        sums = {series.name: sum(series.values) for series in self.series}
        return [
            *((name, f"{count:,}") for name, count in sums.items()),
            ("Cart per session", _percent(sums["Carts"], sums["Sessions"])),
            ("Checkout per cart", _percent(sums["Checkouts"], sums["Carts"])),
            ("Checkout per session", _percent(sums["Checkouts"], sums["Sessions"])),
            (self.in_currency("Sold"), money(self.sold_value)),
            (self.in_currency("Abandoned value"), money(sum(self.abandoned_value, Decimal(0)))),
            ("Orders", f"{self._sum_of_orders('count'):,}"),
            (self.in_currency("Ordered"), self._ordered_value()),
        ]

    def in_currency(self, name: str) -> str:
        """Return the name of an amount, with the shop's currency if it has one."""
        return f"{name} ({self.currency})" if self.currency else name

    def _sum_of_orders(self, field: str) -> int:
        return sum(row[field] for row in self.reports["orders"])

    def _ordered_value(self) -> str:
        total = self._sum_of_orders("total")
        return f"{Decimal(decimal(total, self.currency) or total):,f}"

    def _ranked(self, report: str, field: str) -> Iterator[tuple[str, int]]:
        rows = sorted(self.reports[report], key=lambda row: row[field], reverse=True)
        for row in rows[:TOP]:
            if row[field]:
                yield str(row.get("query") or row.get("title") or row.get("dfid") or row.get("id")), int(row[field])


_SERIES: Final = (
    ("Sessions", "inits", "count"),
    ("Clicks", "clicks", "count"),
    ("Carts", "carts", "sessions"),
    ("Checkouts", "checkouts", "count"),
    ("Abandoned", "carts/abandoned", "carts"),
)
_RANKINGS: Final = (
    ("Most clicked items", "clicks", "clicked_items", "count"),
    ("Most added to carts", "pieces", "carts/items", "added"),
    ("Most sold items", "pieces", "top-sales", "sum_amount"),
    ("Most frequent queries", "clicks", "clicked_items/searches", "count"),
)


def money(amount: Decimal) -> str:
    """Write an amount for people.

    >>> money(Decimal("1234.5"))
    '1,234.50'
    """
    return f"{amount:,.2f}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
