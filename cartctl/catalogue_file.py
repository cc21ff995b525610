"""Catalogue files: products as CSV with a header or as JSON Lines, read row by row in bounded memory, and written.

A row that is bad costs that row alone: reading goes on behind it. Only a file that cannot be meant is refused whole.
"""

import codecs
import csv
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO, Final, NoReturn

from cartctl.errors import CartctlError
from serverless_cart.domain.product import Product

COLUMNS: Final = Product._fields
OPTIONAL: Final[Mapping[str, Any]] = {"image": None, "discount": 0, "active": True}
"""Columns that a file may lack, and what is meant then. Not so the stock: without it everything would sell for ever."""
REQUIRED: Final = tuple(name for name in COLUMNS if name not in OPTIONAL)
MONEY: Final = frozenset({"price", "discount"})
ROW_BYTES: Final = 2**20
"""Bytes of one row. A product has some 1,500; the rest is room for columns that are ignored."""

_EXTENSIONS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_DIGITS: Final = 19
"""Digits of a number that is read; what has more is past all bounds anyway."""


class Format(StrEnum):
    """How a catalogue is written."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class GoodRow:
    """A product, and the line of the file on which its row begins, the first being 1."""

    line: int
    product: Product


@dataclass(frozen=True, slots=True)
class BadRow:
    """What keeps a row out of the catalogue, and the line on which it begins."""

    line: int
    reasons: list[str]


Row = GoodRow | BadRow


def format_of(name: str) -> Format | None:
    """Tell a file's format by its name.

    >>> format_of("products.CSV"), format_of("products.txt")
    (<Format.CSV: 'csv'>, None)
    """
    extension = PurePath(name).suffix.lower()
    return Format(_EXTENSIONS[extension]) if extension in _EXTENSIONS else None


def read(file: BinaryIO, form: Format | None, *, ignore_unknown: bool = False) -> Iterator[Row]:
    """Read the rows of a catalogue; where no format is given, a brace at its beginning makes it JSON Lines.

    Columns are those of `COLUMNS`, in any order; blank lines are left out. Raises `CartctlError` for a file that cannot
    be meant: in UTF-16, without a header, or, unless ``ignore_unknown``, with columns that a catalogue does not have.
    """
    lines = _lines(file)
    first = next(lines, None)
    if first:
        lines = itertools.chain([first], lines)
    if (form or _sniffed(first)) is Format.JSONL:
        return _json_rows(lines, ignore_unknown=ignore_unknown)
    return _csv_rows(lines, ignore_unknown=ignore_unknown)


def written(products: Iterable[Product], form: Format) -> Iterator[bytes]:
    """Write products as `read` reads them, a piece of the file at a time."""
    if form is Format.JSONL:
        for product in products:
            yield json.dumps({name: getattr(product, name) for name in COLUMNS}, ensure_ascii=False).encode() + b"\n"
        return
    writer = csv.writer(_Piece(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for product in products:
        active = "true" if product.active else "false"
        yield writer.writerow([active if name == "active" else getattr(product, name) for name in COLUMNS])


class _Piece:
    """Where the CSV writer writes to: it returns what is written to it."""

    @staticmethod
    def write(text: str) -> bytes:
        """Return what is written, as bytes."""
        return text.encode()


# ----------------------------------------------------------------------------------------------------------------------
# Lines
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its end, or what keeps it from being read."""

    number: int
    text: str
    fault: str = ""


class _LineError(Exception):
    """A line of a row cannot be read, or the row has too many."""


def _lines(file: BinaryIO) -> Iterator[_Line]:
    """Read a file's lines, none longer than `ROW_BYTES`. Raises `CartctlError` for UTF-16."""
    for number in itertools.count(1):
        data = rest = file.readline(ROW_BYTES)
        if not data:
            return
        too_long = False
        while len(rest) == ROW_BYTES and not rest.endswith(b"\n"):
            too_long, rest = True, file.readline(ROW_BYTES)
        if number == 1:
            if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]:
                raise CartctlError("The file is in UTF-16: save it as UTF-8. Nothing was imported.")
            data = data.removeprefix(codecs.BOM_UTF8)
        if too_long:
            yield _Line(number, "", f"the line is longer than {ROW_BYTES:,} bytes")
            continue
        try:
            line = _Line(number, data.decode())
        except UnicodeDecodeError:
            line = _Line(number, "", "the line is not UTF-8")
        yield line


def _sniffed(line: _Line | None) -> Format:
    """Tell a file's format by its first line."""
    return Format.JSONL if line and line.text.lstrip().startswith(("{", "[")) else Format.CSV


# ----------------------------------------------------------------------------------------------------------------------
# CSV
# ----------------------------------------------------------------------------------------------------------------------


def _csv_rows(lines: Iterator[_Line], *, ignore_unknown: bool) -> Iterator[Row]:
    """Read the rows behind a header. Raises `CartctlError` for the header."""
    records = _records(lines)
    header = next(records, None)
    if header is None:
        raise CartctlError(f"The file is empty: it begins with a header, {','.join(COLUMNS)}.")
    if header.fault:
        raise CartctlError(f"The header cannot be read: {header.fault}. Nothing was imported.")
    columns = [name.strip() for name in header.cells]
    _check_columns(columns, ignore_unknown=ignore_unknown)
    places = [(place, name) for place, name in enumerate(columns) if name in _FROM_CELL]
    for record in records:
        if record.fault:
            yield BadRow(record.line, [record.fault])
            continue
        row = _row(record.line, {name: record.cells[place] for place, name in places}, _FROM_CELL)
        if isinstance(row, BadRow) and record.last_line > record.line:
            row.reasons.append(f"a quoted field reaches from line {record.line} to line {record.last_line}")
        yield row


def _check_columns(columns: list[str], *, ignore_unknown: bool) -> None:
    """Refuse a header that cannot be meant. Raises `CartctlError`."""
    told = f"A catalogue has the columns {', '.join(COLUMNS)}, with commas between them."
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown and not ignore_unknown:
        names = ", ".join(map(_quoted, unknown[:5]))
        raise CartctlError(f"Unknown in the header: {names}. {told} Mend it, or leave them out with --ignore-unknown.")
    if missing := [name for name in REQUIRED if name not in columns]:
        hint = " An empty stock means no limit." if "stock" in missing else ""
        raise CartctlError(f"The header lacks {', '.join(missing)}. {told}{hint}")
    if twice := [name for name in COLUMNS if columns.count(name) > 1]:
        raise CartctlError(f"The header has {', '.join(twice)} more than once. Nothing was imported.")


@dataclass(frozen=True, slots=True)
class _Record:
    """What stands on one line, or on several where a quoted field reaches over them, or what is wrong with it."""

    line: int
    last_line: int
    cells: list[str]
    fault: str = ""


def _records(lines: Iterator[_Line]) -> Iterator[_Record]:
    """Read records, of which the first says how many fields each has.

    A bad one ends with its first line: the next may be a row that an unclosed quote would swallow. Lines that were
    tried in vain are tried once more, each alone, so that no file takes time that grows with the square of its size.
    """
    waiting: deque[_Line] = deque()
    width = tried = 0
    while True:
        taken: list[_Line] = []
        fault = ""
        cells: list[str] = []
        try:
            # A reader of its own for each: an error leaves no quote open.
            cells = next(csv.reader(_taking(waiting, lines, taken, tried), strict=True), cells)
        except (csv.Error, _LineError) as error:
            alone = "\r" in taken[-1].text.rstrip("\r\n")
            fault = "a carriage return ends no line here: end lines as Windows or Unix do" if alone else str(error)
        if not taken:
            return
        width = width or len(cells)
        if not fault and not any(cell.strip() for cell in cells):
            continue
        if not fault and len(cells) != width:
            fault = f"the row has {len(cells)} fields and the header {width}"
        first, last = taken[0].number, taken[-1].number
        if fault and last > first:
            fault = f"a quote is not closed as it should be (lines {first} to {last} were tried together): {fault}"
            waiting.extendleft(reversed(taken[1:]))
            tried = last
        yield _Record(first, last, cells, fault)


def _taking(waiting: deque[_Line], lines: Iterator[_Line], taken: list[_Line], tried: int) -> Iterator[str]:
    """Hand out the lines that wait and then new ones, and keep what was handed out; alone what stands before ``tried``.

    Raises `_LineError`.
    """
    size = 0
    while line := waiting.popleft() if waiting else next(lines, None):
        if taken and taken[0].number < tried:
            waiting.appendleft(line)
            raise _LineError("a quote is not closed on its line")
        taken.append(line)
        size += len(line.text)
        if line.fault or size > ROW_BYTES:
            raise _LineError(line.fault or f"the row is longer than {ROW_BYTES:,} bytes")
        yield line.text


# ----------------------------------------------------------------------------------------------------------------------
# JSON Lines
# ----------------------------------------------------------------------------------------------------------------------


def _json_rows(lines: Iterator[_Line], *, ignore_unknown: bool) -> Iterator[Row]:
    """Read an object a line."""
    for line in lines:
        if line.fault:
            yield BadRow(line.number, [line.fault])
        elif line.text.strip():
            yield _json_row(line, ignore_unknown=ignore_unknown)


def _json_row(line: _Line, *, ignore_unknown: bool) -> Row:
    """Read an object."""
    try:
        values = json.loads(
            line.text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_without_doubles
        )
    except json.JSONDecodeError as error:
        return BadRow(line.number, [f"the line is not JSON: {error.msg} at character {error.pos + 1}"])
    except (ValueError, ArithmeticError, RecursionError) as error:
        return BadRow(line.number, [f"the line is not JSON that can be taken: {error}"])
    if not isinstance(values, dict):
        return BadRow(line.number, ["the line is not a JSON object"])
    reasons = [f"{name} is missing" for name in REQUIRED if name not in values]
    if not ignore_unknown:
        reasons += [f"{_quoted(name)} is not a field of a product" for name in values if name not in COLUMNS]
    if reasons:
        return BadRow(line.number, reasons)
    return _row(line.number, {name: values[name] for name in COLUMNS if name in values}, _FROM_JSON)


def _refuse_constant(constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{constant} is not JSON")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, and refuse one in which it would be a matter of taste what a field says."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{_quoted(next(name for name in names if names.count(name) > 1))} stands there twice")
    return values


# ----------------------------------------------------------------------------------------------------------------------
# Values
# ----------------------------------------------------------------------------------------------------------------------


def _row(line: int, values: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> Row:
    """Make a product of what a row says."""
    read, reasons = dict(OPTIONAL), []
    for name, value in values.items():
        try:
            read[name] = readers[name](value)
        except ValueError as error:
            hint = ": money is in minor units, 1250 being 12.50" if name in MONEY else ""
            reasons.append(f"{name} {error}{hint}")
    if not reasons:
        product = Product(**read)
        reasons = product.faults()
        if not reasons:
            return GoodRow(line, product)
    return BadRow(line, reasons)


def _integer_cell(text: str) -> int:
    """Read an integer."""
    digits = text.strip(" ")
    bare = digits[1:] if digits[:1] in {"+", "-"} else digits
    if not (bare.isascii() and bare.isdigit() and len(bare) <= _DIGITS):
        raise ValueError("must be an integer")
    return int(digits)


def _active_cell(text: str) -> bool:
    """Read whether a product is for sale, also as spreadsheets write it."""
    match text.strip(" ").lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError("must be true or false")


def _integer(value: object) -> int:
    """Take an integer; 2.0 is one, as in the Shop API (docs/decisions.md)."""
    if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < _DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("must be an integer")


def _text(value: object) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - the file is wrong, not the program
    return value


def _active(value: object) -> bool:
    """Take whether a product is for sale."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - the same
    return value


_FROM_CELL: Final[Mapping[str, Callable[[str], Any]]] = {
    "id": _integer_cell,
    "ref": str,
    "name": str,
    "image": lambda text: text or None,
    "price": _integer_cell,
    "discount": lambda text: _integer_cell(text) if text.strip(" ") else 0,
    "stock": lambda text: _integer_cell(text) if text.strip(" ") else None,
    "active": _active_cell,
}
_FROM_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    "id": _integer,
    "ref": _text,
    "name": _text,
    # No image is written in one way, so that what CSV gives back is what it was given.
    "image": lambda value: None if value is None else _text(value) or None,
    "price": _integer,
    "discount": _integer,
    "stock": lambda value: None if value is None else _integer(value),
    "active": _active,
}


def _quoted(name: str) -> str:
    """Quote a name that may be anything."""
    return ascii(name[:40])
