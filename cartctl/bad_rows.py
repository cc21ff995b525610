"""The report of a file's bad rows: the first ones to people and in the result, all of them in a file."""

import json
from dataclasses import asdict
from typing import Any, BinaryIO, Final

from cartctl.output import Output
from cartctl.row_values import BadRow

LISTED_ROWS: Final = 100
"""The most bad rows that are listed one by one."""


class BadRows:
    """Reports bad rows as they are found."""

    def __init__(self, out: Output, file: BinaryIO | None) -> None:
        """``file`` gets all rows as JSON Lines."""
        self.count = 0
        self._out = out
        self._file = file
        self._listed: list[BadRow] = []

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The first rows, for programs."""
        return [asdict(row) for row in self._listed]

    def add(self, row: BadRow) -> None:
        """Report a row."""
        self.count += 1
        if self._file:
            self._file.write(json.dumps(asdict(row), ensure_ascii=False).encode() + b"\n")
        if len(self._listed) < LISTED_ROWS:
            self._listed.append(row)
            if not self._out.as_json:
                self._out.status(f"line {row.line}: {'; '.join(row.reasons)}")

    def end(self) -> None:
        """Report the number of rows that were not listed."""
        unlisted = self.count - len(self._listed)
        if unlisted and not self._out.as_json:
            where = "see the file of --errors" if self._file else "pass --errors FILE to get all of them"
            self._out.status(f"and {unlisted} more bad rows: {where}.")
