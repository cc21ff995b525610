"""Catalogue files: products as CSV with a header or as JSON Lines, read row by row in bounded memory, and written.

A bad row is reported and skipped; the rows after it are read. A file that cannot be a catalogue is refused as a whole.
"""

import codecs
import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO, Final, NoReturn

from cartctl.errors import CartctlError
from serverless_cart.domain.product import Product

COLUMNS: Final = Product._fields
MONEY: Final = frozenset({"price", "discount"})
ROW_BYTES: Final = 2**20
"""The most bytes of one row. A product has about 1,500; the remainder is room for ignored columns."""

_EXTENSIONS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_DIGITS: Final = 19
"""The most digits of a number that is parsed; a longer one exceeds all limits anyway."""


class Format(StrEnum):
    """The format of a catalogue file."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class GoodRow:
    """The values that a row gives, by column, and the number of the line where it begins; the first line is 1."""

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """The reasons why a row is refused, and the number of the line where it begins."""

    line: int
    reasons: list[str]


Row = GoodRow | BadRow


def format_of(name: str) -> Format | None:
    """Return a file's format by its extension.

    >>> format_of("products.CSV"), format_of("products.txt")
    (<Format.CSV: 'csv'>, None)
    """
    extension = PurePath(name).suffix.lower()
    return Format(_EXTENSIONS[extension]) if extension in _EXTENSIONS else None


def read(file: BinaryIO, form: Format | None, *, ignore_unknown: bool = False) -> Iterator[Row]:
    """Read the rows of a catalogue. Without a format, a file that begins with a brace is JSON Lines, any other CSV.

    Columns are those of `COLUMNS`, in any order; blank lines are skipped. Raises `CartctlError` for a file that cannot
    be a catalogue: in UTF-16, without a header, or with unknown columns, unless ``ignore_unknown``.
    """
    lines = _lines(file)
    first = next(lines, None)
    if first:
        lines = itertools.chain([first], lines)
    if (form or _detected(first)) is Format.JSONL:
        return _json_rows(lines, ignore_unknown=ignore_unknown)
    return _csv_rows(lines, ignore_unknown=ignore_unknown)


def written(products: Iterable[Product], form: Format) -> Iterator[bytes]:
    """Yield the file that `read` reads, one product at a time."""
    if form is Format.JSONL:
        for product in products:
            yield json.dumps({name: getattr(product, name) for name in COLUMNS}, ensure_ascii=False).encode() + b"\n"
        return
    writer = csv.writer(_Encoder(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for product in products:
        active = "true" if product.active else "false"
        yield writer.writerow([active if name == "active" else getattr(product, name) for name in COLUMNS])


class _Encoder:
    """A file for the CSV writer, whose ``writerow`` returns what ``write`` returns."""

    @staticmethod
    def write(text: str) -> bytes:
        return text.encode()


# ----------------------------------------------------------------------------------------------------------------------
# Lines
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its line ending, or the reason why it cannot be read."""

    number: int
    text: str
    fault: str = ""


class _RecordError(Exception):
    """A CSV record cannot be read."""


def _lines(file: BinaryIO) -> Iterator[_Line]:
    """Read lines of at most `ROW_BYTES` each. Raises `CartctlError` for UTF-16."""
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


def _detected(line: _Line | None) -> Format:
    return Format.JSONL if line and line.text.lstrip().startswith(("{", "[")) else Format.CSV


# ----------------------------------------------------------------------------------------------------------------------
# CSV
# ----------------------------------------------------------------------------------------------------------------------


def _csv_rows(lines: Iterator[_Line], *, ignore_unknown: bool) -> Iterator[Row]:
    """Read the rows after the header. Raises `CartctlError` for a bad header."""
    records = (record for record in _records(lines) if record.fault or record.cells)
    header = next(records, None)
    if header is None:
        raise CartctlError(f"The file is empty: it must begin with the header {','.join(COLUMNS)}.")
    if header.fault:
        raise CartctlError(f"Cannot read the header: {header.fault}. Nothing was imported.")
    columns = [name.strip() for name in header.cells]
    _check_columns(columns, ignore_unknown=ignore_unknown)
    positions = [(position, name) for position, name in enumerate(columns) if name in _FROM_CELL]
    for record in records:
        first, last = record.lines[0].number, record.lines[-1].number
        if record.fault:
            yield BadRow(first, [record.fault])
            continue
        row = _row(first, {name: record.cells[position] for position, name in positions}, _FROM_CELL)
        if isinstance(row, BadRow) and last > first:
            row.reasons.append(f"a quoted field spans lines {first} to {last}")
        yield row


def _check_columns(columns: list[str], *, ignore_unknown: bool) -> None:
    rule = f"The columns of a catalogue are {', '.join(COLUMNS)}, separated by commas."
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown and not ignore_unknown:
        names = ", ".join(map(_quoted, unknown[:5]))
        raise CartctlError(f"Unknown columns: {names}. {rule} Fix the header, or pass --ignore-unknown to skip them.")
    if "id" not in columns:
        raise CartctlError(f"Missing column: id. {rule}")
    if not {*COLUMNS[1:]}.intersection(columns):
        raise CartctlError(f"There is no column besides id. {rule}")
    if repeated := [name for name in COLUMNS if columns.count(name) > 1]:
        raise CartctlError(f"Repeated columns: {', '.join(repeated)}. Nothing was imported.")


@dataclass(frozen=True, slots=True)
class _Record:
    """The cells of one line, or of several lines if a quoted field spans them; or the fault of its first line.

    A blank record has neither cells nor a fault.
    """

    lines: list[_Line]
    cells: list[str]
    fault: str = ""


def _records(lines: Iterator[_Line]) -> Iterator[_Record]:
    """Read CSV records. The first one with cells is the header; all others must have as many cells.

    A quote that is never closed costs only its own line. Example:

        1  id,name
        2  7,"Mug
        3  8,Cup
        4  9,"Bowl, blue"

    The reader joins lines 2 to 4, because the quote of line 2 is closed in line 4, and fails. So line 2 is bad. Line 3
    is then read by itself, and line 4 begins the next record. No line is read more than twice, so the time does
    not grow with the square of the file's size.
    """
    width = 0
    first = next(lines, None)
    while first:
        record = _record(itertools.chain([first], lines), width)
        yield record
        width = width or len(record.cells)
        if record.fault and len(record.lines) > 1:
            for line in record.lines[1:-1]:
                yield _record(iter([line]), width)
            first = record.lines[-1]
        else:
            first = next(lines, None)


def _record(lines: Iterator[_Line], width: int) -> _Record:
    """Read one record of ``width`` cells, or of any number if that is 0."""
    consumed: list[_Line] = []
    try:
        cells = _cells(lines, consumed)
    except _RecordError as error:
        cells, fault = [], str(error)
    else:
        if not any(cell.strip() for cell in cells):
            return _Record(consumed, [])
        fault = f"expected {width} fields, found {len(cells)}" if width not in {0, len(cells)} else ""
    if fault and len(consumed) > 1:
        joined = f"lines {consumed[0].number} to {consumed[-1].number} were read as one row"
        fault = f"a quote is not closed ({joined}): {fault}"
    return _Record(consumed, cells, fault)


def _cells(lines: Iterator[_Line], consumed: list[_Line]) -> list[str]:
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
        return next(csv.reader(texts(), strict=True), [])
    except csv.Error as error:
        if "\r" in consumed[-1].text.rstrip("\r\n"):
            raise _RecordError("a carriage return is not a line ending: use LF or CRLF") from None
        message = str(error)
        raise _RecordError("a quote is not closed" if message == "unexpected end of data" else message) from None


# ----------------------------------------------------------------------------------------------------------------------
# JSON Lines
# ----------------------------------------------------------------------------------------------------------------------


def _json_rows(lines: Iterator[_Line], *, ignore_unknown: bool) -> Iterator[Row]:
    for line in lines:
        if line.fault:
            yield BadRow(line.number, [line.fault])
        elif line.text.strip():
            yield _json_row(line, ignore_unknown=ignore_unknown)


def _json_row(line: _Line, *, ignore_unknown: bool) -> Row:
    try:
        values = json.loads(
            line.text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique_fields
        )
    except json.JSONDecodeError as error:
        return BadRow(line.number, [f"the line cannot be read as JSON: {error.msg} at character {error.pos + 1}"])
    except ValueError as error:
        return BadRow(line.number, [f"the line cannot be read as JSON: {error}"])
    except (ArithmeticError, RecursionError):
        return BadRow(line.number, ["the line cannot be read as JSON: a number is too large or a value too deep"])
    if not isinstance(values, dict):
        return BadRow(line.number, ["the line is not a JSON object"])
    reasons = [] if "id" in values else ["id is missing"]
    if not ignore_unknown:
        reasons += [f"unknown field {_quoted(name)}" for name in values if name not in COLUMNS]
    if reasons:
        return BadRow(line.number, reasons)
    return _row(line.number, {name: values[name] for name in COLUMNS if name in values}, _FROM_JSON)


def _refuse_constant(constant: str) -> NoReturn:
    # NaN and the infinities are Python's own.
    raise ValueError(f"{constant} is not JSON")


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{_quoted(next(name for name in names if names.count(name) > 1))} is repeated")
    return values


# ----------------------------------------------------------------------------------------------------------------------
# Values
# ----------------------------------------------------------------------------------------------------------------------


def _row(line: int, values: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> Row:
    read: dict[str, Any] = {}
    reasons = []
    for name, value in values.items():
        try:
            read[name] = readers[name](value)
        except ValueError as error:
            hint = ": amounts are in minor units, 1250 means 12.50" if name in MONEY else ""
            reasons.append(f"{name} {error}{hint}")
    return BadRow(line, reasons) if reasons else GoodRow(line, read)


def _integer_cell(text: str) -> int:
    digits = text.strip(" ")
    bare = digits[1:] if digits[:1] in {"+", "-"} else digits
    if not (bare.isascii() and bare.isdigit() and len(bare) <= _DIGITS):
        raise ValueError("must be an integer")
    return int(digits)


def _active_cell(text: str) -> bool:
    match text.strip(" ").lower():  # spreadsheets write TRUE
        case "true":
            return True
        case "false":
            return False
    raise ValueError("must be true or false")


def _integer(value: object) -> int:
    # 2.0 is an integer, as in the Shop API (docs/decisions.md).
    if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < _DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("must be an integer")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - the file is wrong, not the program
    return value


def _active(value: object) -> bool:
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
    # An empty image is none, as in CSV.
    "image": lambda value: None if value is None else _text(value) or None,
    "price": _integer,
    "discount": _integer,
    "stock": lambda value: None if value is None else _integer(value),
    "active": _active,
}


def _quoted(name: str) -> str:
    return ascii(name[:40])
