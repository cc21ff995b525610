"""CSV records: the cells of one row each. The delimiter is detected from the header, whose column names are known."""

import csv
import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from cartctl.file_lines import CARRIAGE_RETURN, ROW_BYTES, Line
from cartctl.row_values import column_of

DELIMITERS: Final = (",", ";", "\t", "|")
"""The delimiters that are detected; the first one is the default."""

_BLANK: Final = " \r\n" + "".join(DELIMITERS)
_SEP: Final = re.compile(r'"?sep=([^\w"\r\n])"?[,;\t|]*', re.IGNORECASE)
"""The first line that names the delimiter for Excel, also with quotes and delimiters that another program added."""


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one row, and its first and last line; or the fault of its first line.

    A blank record has neither cells nor a fault.
    """

    first: int
    last: int
    cells: list[str]
    fault: str = ""


class _RecordError(Exception):
    """A CSV record cannot be read."""


def parse_delimiter(text: str) -> str:
    """Return the delimiter that an option names. Raises `ValueError`.

    >>> parse_delimiter("tab") == chr(9), parse_delimiter(";")
    (True, ';')
    """
    delimiter = "\t" if text.lower() in {"tab", r"\t"} else text
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n\0 ':
        raise ValueError(f"{text!r} is not a delimiter: pass one character, such as ';', or tab")
    return delimiter


def without_blank_ends(cells: list[str]) -> list[str]:
    """Return cells without the blank ones at the end.

    >>> without_blank_ends(["id", "", "ref", "", " "])
    ['id', '', 'ref']
    """
    used = len(cells)
    while used and not cells[used - 1].strip():
        used -= 1
    return cells[:used]


def records(lines: Iterator[Line], delimiter: str | None, columns: Collection[str]) -> Iterator[Record]:
    """Read CSV records. The first one with cells is the header; all others must have as many cells.

    Blank cells at the end of the header are not counted, nor are those that a row has beyond the header. Without a
    delimiter, a first line such as ``sep=;`` names it, or it is the one of `DELIMITERS` with which the header
    has the most of the known ``columns``.

    A quote that is never closed costs only its own line. Example:

        1  id,name
        2  7,"Mug
        3  8,Cup
        4  9,"Bowl, blue"

    The reader joins lines 2 to 4, because the quote of line 2 is closed in line 4, and fails. So line 2 is bad. Line 3
    is then read by itself, and line 4 begins the next record. No line is read more than twice, so the time does
    not grow with the square of the file's size.
    """
    first = next(lines, None)
    if first and (named := _SEP.fullmatch(first.text.strip("\r\n"))):
        delimiter = delimiter or named[1]
        first = next(lines, None)
    while first and not first.fault and not first.text.strip(_BLANK):
        first = next(lines, None)
    delimiter = delimiter or (_detected(first.text, columns) if first else DELIMITERS[0])
    width = 0
    while first:
        consumed, record = _record(itertools.chain([first], lines), delimiter, width)
        yield record
        width = width or len(record.cells)
        if record.fault and len(consumed) > 1:
            for line in consumed[1:-1]:
                yield _record(iter([line]), delimiter, width)[1]
            first = consumed[-1]
        else:
            first = next(lines, None)


def _detected(header: str, columns: Collection[str]) -> str:
    def known(delimiter: str) -> int:
        return len({column_of(name) for name in next(csv.reader([header], delimiter=delimiter), [])} & set(columns))

    try:
        return max(DELIMITERS, key=known)
    except csv.Error:  # reading the header with its delimiter reports the reason
        return DELIMITERS[0]


def _record(lines: Iterator[Line], delimiter: str, width: int) -> tuple[list[Line], Record]:
    """Read one record of ``width`` cells, or of any number if that is 0; return its lines too."""
    consumed: list[Line] = []
    try:
        cells, fault = _cells(lines, delimiter, consumed), ""
    except _RecordError as error:
        cells, fault = [], str(error)
    used = without_blank_ends(cells)
    if used and not width:
        cells = used
    elif used and len(used) <= width < len(cells):
        cells = cells[:width]
    elif used and len(cells) != width:
        fault = f"expected {width} fields, found {len(used if len(used) > width else cells)}"
    first, last = consumed[0].number, consumed[-1].number
    if fault and last > first:
        fault = f"a quote is not closed (lines {first} to {last} were read as one row): {fault}"
    return consumed, Record(first, last, cells if used else [], fault)


def _cells(lines: Iterator[Line], delimiter: str, consumed: list[Line]) -> list[str]:
    """Read the cells of one record, and append its lines to ``consumed``. Raises `_RecordError`."""

    def texts() -> Iterator[str]:
        size = 0
        for line in lines:
            consumed.append(line)
            size += len(line.text)
            if line.fault or size > ROW_BYTES:
                raise _RecordError(line.fault or f"the row is longer than {ROW_BYTES:,} bytes")
            yield line.text

    try:
        return next(csv.reader(texts(), strict=True, delimiter=delimiter), [])
    except csv.Error as error:
        if "\r" in consumed[-1].text.rstrip("\r\n"):
            raise _RecordError(CARRIAGE_RETURN) from None
        message = str(error)
        raise _RecordError("a quote is not closed" if message == "unexpected end of data" else message) from None
