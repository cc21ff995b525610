"""What commands show: for people tables and lines, for programs JSON; what is passing goes to standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDE: Final = 240
"""Columns that a table may take where no terminal bounds it."""


class Output:
    """The two channels of a command. With ``as_json`` standard output holds one JSON document and nothing else.

    ``quiet`` leaves out what is passing.
    """

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        """Look where the output goes."""
        self.as_json = as_json
        width = None if sys.stdout.isatty() else WIDE
        self.console = Console(width=width, highlight=False, emoji=False, soft_wrap=False)
        self.stderr = Console(stderr=True, highlight=False, emoji=False, quiet=quiet)

    def show(self, data: Any, for_people: Callable[[Console], None]) -> None:  # noqa: ANN401 - anything that is JSON
        """Show a command's result."""
        if self.as_json:
            sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        else:
            for_people(self.console)

    def fields(self, data: Any, fields: Mapping[str, object]) -> None:  # noqa: ANN401 - anything that is JSON
        """Show one thing: a line for each field."""
        width = max(map(len, fields)) + 2

        def lines(console: Console) -> None:
            for name, value in fields.items():
                console.print(f"[bold]{name:<{width}}[/]{escape(text(value))}", soft_wrap=True)

        self.show(data, lines)

    def rows(self, data: Sequence[Any], columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
        """Show many things: a table, or a line where there are none."""

        def table(console: Console) -> None:
            shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
            for row in rows:
                shown.add_row(*(escape(text(value)) for value in row))
            console.print(shown if shown.row_count else nothing)

        self.show(data, table)

    def status(self, line: str) -> None:
        """Tell a person something that is no part of the result."""
        self.stderr.print(escape(line), soft_wrap=True)


def text(value: object) -> str:
    """Write a value for a person."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    return str(value)


def moment(milliseconds: int | None) -> datetime | None:
    """Return the point in time that so many milliseconds since 1970 are."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def iso(milliseconds: int | None) -> str | None:
    """Write a point in time, in milliseconds since 1970, for a program."""
    at = moment(milliseconds)
    return None if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")
