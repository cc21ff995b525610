"""The output of commands: tables and lines for people, JSON for programs, and status messages on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDTH: Final = 240
"""Width of a table if standard output is not a terminal."""


class Output:
    """The two channels of a command.

    With ``as_json``, standard output is one JSON document. ``quiet`` suppresses status messages.
    """

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self.as_json = as_json
        width = None if sys.stdout.isatty() else WIDTH
        self.console = Console(width=width, highlight=False, emoji=False, soft_wrap=False)
        self.stderr = Console(stderr=True, highlight=False, emoji=False, quiet=quiet)

    def show(self, data: Any, for_people: Callable[[Console], None]) -> None:  # noqa: ANN401 - anything that is JSON
        """Print a result: ``data`` as JSON, or what ``for_people`` prints."""
        if self.as_json:
            sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        else:
            for_people(self.console)

    def fields(self, data: Any, fields: Mapping[str, object]) -> None:  # noqa: ANN401 - anything that is JSON
        """Print one object, a line for each field."""
        width = max(map(len, fields)) + 2

        def lines(console: Console) -> None:
            for name, value in fields.items():
                console.print(f"[bold]{name:<{width}}[/]{escape(text(value))}", soft_wrap=True)

        self.show(data, lines)

    def rows(self, data: Sequence[Any], columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
        """Print a table, or the line ``nothing`` if it has no rows."""

        def table(console: Console) -> None:
            shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
            for row in rows:
                shown.add_row(*(escape(text(value)) for value in row))
            console.print(shown if shown.row_count else nothing)

        self.show(data, table)

    def status(self, line: str) -> None:
        """Print a message that is not part of the result."""
        self.stderr.print(escape(line), soft_wrap=True)


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
