"""The output of commands: tables and lines for people, JSON for programs, and status messages on standard error."""

import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from cartctl.terminal import Screen, encoding_of, json_escaped, visible, writing

GAP: Final = "  "
SHORTEST: Final = 20
"""Characters to which a value is shortened at most."""


class Output:
    """The two channels of a command.

    With ``as_json``, standard output is one JSON document. ``quiet`` suppresses status messages.
    """

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self.as_json = as_json
        self.console = Screen()
        self.stderr = Screen(stderr=True, quiet=quiet)

    def show(self, data: Any, for_people: Callable[[Screen], None]) -> None:  # noqa: ANN401 - anything that is JSON
        """Print a result: ``data`` as JSON, or what ``for_people`` prints. Raises `CartctlError`."""
        with writing("the result"):
            if self.as_json:
                document = json.dumps(data, indent=2, ensure_ascii=False)
                sys.stdout.write(json_escaped(document, encoding_of(sys.stdout)) + "\n")
            else:
                for_people(self.console)

    def fields(self, data: Any, fields: Mapping[str, object]) -> None:  # noqa: ANN401 - anything that is JSON
        """Print one object, a line for each field."""
        width = max(map(len, fields)) + 2

        def lines(console: Screen) -> None:
            for name, value in fields.items():
                console.print_line((f"{name:<{width}}", "bold"), text(value))

        self.show(data, lines)

    def rows(
        self,
        data: Sequence[Any],
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        nothing: str,
        long: Collection[str] = (),
    ) -> None:
        """Print a table as `table` does."""
        self.show(data, lambda _: self.table(columns, rows, nothing, long))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str, long: Collection[str] = ()
    ) -> None:
        """Print a table for people, each row as one line, or the line ``nothing`` if it has no rows.

        A terminal that is too narrow gets the values of the ``long`` columns shortened.
        """
        encoding = self.console.encoding
        cells = [[visible(text(value), encoding) for value in row] for row in rows]
        if not cells:
            self.console.print_line(nothing)
            return
        natural = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
        limit = self._limit(natural, [name in long for name in columns]) if self.console.is_terminal else max(natural)
        widths = [min(width, limit) if name in long else width for name, width in zip(columns, natural, strict=True)]
        for row, style in ((columns, "bold"), *((row, "") for row in cells)):
            fitted = (self._fitted(cell, width) for cell, width in zip(row, widths, strict=True))
            self.console.print_line((GAP.join(fitted).rstrip(" "), style))
        if widths != natural:
            self.status("Some values are shortened to fit the terminal: pass --json to see all of them.")

    def _limit(self, widths: list[int], may_shrink: list[bool]) -> int:
        """Return the width of long columns at which a line fits the terminal, but at least `SHORTEST`."""
        others = sum(width for width, shrinks in zip(widths, may_shrink, strict=True) if not shrinks)
        left = self.console.width - others - len(GAP) * (len(widths) - 1)
        long = [width for width, shrinks in zip(widths, may_shrink, strict=True) if shrinks]
        limits = range(max(long, default=0), SHORTEST, -1)
        return next((limit for limit in limits if sum(min(width, limit) for width in long) <= left), SHORTEST)

    def _fitted(self, cell: str, width: int) -> str:
        if cell_len(cell) <= width:
            return set_cell_size(cell, width)
        more = "..." if self.console.options.ascii_only else "…"
        return set_cell_size(cell, width - len(more)) + more

    def status(self, line: str) -> None:
        """Print a message that is not part of the result."""
        self.stderr.print_line(line)


def text(value: object) -> str:
    """Format a value for people."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    return str(value)


def moment(milliseconds: int | None) -> datetime | None:
    """Convert milliseconds since 1970."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def iso(milliseconds: int | None) -> str | None:
    """Format milliseconds since 1970 for programs, as in 2026-01-31T12:00:00Z."""
    at = moment(milliseconds)
    return None if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")
