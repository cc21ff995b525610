"""A shop's statistics in the terminal: a sparkline for each series of days, and bars for items and queries."""

from collections.abc import Sequence
from typing import Final

from cartctl.output import Output
from cartctl.statistics import Ranking, Statistics

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_ASCII: Final = "_.-:=+*#"
_BAR: Final = 24
"""Characters of the longest bar."""
_OTHER_COLUMNS: Final = 36
"""Characters beside a sparkline."""


def print_statistics(out: Output, statistics: Statistics) -> None:
    """Print the sums, the days and the rankings for people."""
    screen, marks = out.console, _ASCII if out.console.options.ascii_only else _BLOCKS
    screen.print_line((f"Statistics of {statistics.shop}", "bold"), f": {statistics.period}")
    for name, value in statistics.facts[len(statistics.series) :]:
        screen.print_line((f"{name:<24}", "bold"), value)
    width = max(screen.width - _OTHER_COLUMNS, 10) if screen.is_terminal else len(statistics.days)
    screen.print_line()
    out.table(
        ("By day", "Total", "Average", "Highest", "First to last day"),
        [
            (
                series.name,
                f"{sum(series.values):,}",
                f"{sum(series.values) / len(series.values):,.1f}",
                f"{max(series.values):,}",
                sparkline(series.values, width, marks),
            )
            for series in statistics.series
        ],
        nothing="",
    )
    for ranking in statistics.rankings:
        screen.print_line()
        _print_ranking(out, ranking, marks[-1])


def sparkline(values: Sequence[int], width: int, marks: str = _BLOCKS) -> str:
    """Return a character for each value, or for the average of several if there are more values than ``width``.

    >>> sparkline([0, 1, 7], 10), sparkline([1, 1, 5, 7], 2)
    ('▁▂█', '▂█')
    """
    size = -(-len(values) // width)
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    averages = [sum(group) / len(group) for group in groups]
    highest = max(averages, default=0) or 1
    return "".join(marks[round(average / highest * (len(marks) - 1))] for average in averages)


def _print_ranking(out: Output, ranking: Ranking, mark: str) -> None:
    highest = max((count for _, count in ranking.rows), default=0)
    out.table(
        (ranking.title, ranking.unit.capitalize(), ""),
        [(name, f"{count:,}", mark * max(round(count / highest * _BAR), 1)) for name, count in ranking.rows],
        nothing=f"{ranking.title}: none",
        long=(ranking.title,),
    )
