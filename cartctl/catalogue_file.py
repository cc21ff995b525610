"""Catalogue files: products as CSV with a header, as JSON Lines or in a workbook, read row by row, and written.

A bad row is reported and skipped; the rows after it are read. A file that cannot be a catalogue is refused as a whole.
"""

import codecs
import csv
import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO, Final, NoReturn

from cartctl import csv_records, workbook
from cartctl.catalogue_values import (
    COLUMNS,
    BadRow,
    GoodRow,
    Row,
    cell_readers,
    column_of,
    json_readers,
    quoted,
    row,
)
from cartctl.csv_records import Record
from cartctl.errors import CartctlError, ExitCode
from cartctl.file_content import as_ascii, is_archive, seekable_copy, unpacked
from cartctl.file_lines import Line, lines
from serverless_cart.domain.product import Product
from serverless_cart.domain.spreadsheet import harmless

__all__ = ["COLUMNS", "BadRow", "CatalogueFile", "Format", "GoodRow", "Reading", "Row", "format_of", "written"]

LISTED_COLUMNS: Final = 100
"""The most ignored columns that are listed; each object of JSON Lines could have others."""

_EXTENSIONS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_RULE: Final = f"The columns of a catalogue are {', '.join(COLUMNS)}."
_UNREADABLE: Final = "the line cannot be read as JSON"
_TEXTS: Final = frozenset({"ref", "name", "image"})
_MONEY: Final = frozenset({"price", "discount"})


class Format(StrEnum):
    """The format of a catalogue file; a workbook is recognised by its content."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a catalogue file.

    Without ``form``, a file that begins with a brace is JSON Lines. ``digits`` are the decimals of prices in major
    units; ``None`` if prices are minor units. ``spreadsheet`` undoes ``export --spreadsheet``.
    """

    form: Format | None = None
    ignore_unknown: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    digits: int | None = None
    spreadsheet: bool = False


def format_of(name: str) -> Format | None:
    """Return a file's format by its extension.

    >>> format_of("products.CSV.gz"), format_of("products.txt")
    (<Format.CSV: 'csv'>, None)
    """
    extension = PurePath(name.lower().removesuffix(".gz")).suffix
    return Format(_EXTENSIONS[extension]) if extension in _EXTENSIONS else None


class CatalogueFile:
    """The rows of a catalogue file, with ``id`` and at least one other column, in any order.

    Column names match in any case. Blank lines are skipped. While the rows are read, ``ignored_columns`` grows to the
    list of the unknown ones. Reading raises `CartctlError` for a file that cannot be a catalogue: of another kind,
    damaged, without a header, or with unknown columns, unless they are ignored.
    """

    def __init__(self, file: BinaryIO, reading: Reading) -> None:
        self.ignored_columns: list[str] = []
        self._file = file
        self._reading = reading

    def __iter__(self) -> Iterator[Row]:
        """Read the rows."""
        it = self._reading
        content, head = unpacked(self._file)
        if is_archive(head):
            with closing(seekable_copy(content)) as copy:
                yield from self._records(workbook.records(copy, it.sheet))
            return
        if it.sheet:
            raise CartctlError("--sheet is for workbooks (.xlsx), and the file is none: leave it out.", ExitCode.USAGE)
        text, encoding = as_ascii(content, head, it.encoding)
        found = lines(text, encoding)
        if (it.form or _detected(head, encoding)) is Format.JSONL:
            yield from self._objects(found)
        else:
            yield from self._records(csv_records.records(found, it.delimiter))

    def _records(self, records: Iterator[Record]) -> Iterator[Row]:
        """Read the rows after the header. Raises `CartctlError` for a bad header."""
        records = (record for record in records if record.fault or record.cells)
        header = next(records, None)
        if header is None:
            raise CartctlError(f"The file is empty: add the header {','.join(COLUMNS)} and products.")
        if header.fault:
            raise CartctlError(f"Cannot read the header: {header.fault}. Fix the header. Nothing was imported.")
        columns = [column_of(name) for name in header.cells]
        self._check_columns(header.cells, columns)
        readers = cell_readers(self._reading.digits, spreadsheet=self._reading.spreadsheet)
        for record in records:
            if record.fault:
                yield BadRow(record.first, [record.fault])
                continue
            cells = zip(columns, record.cells, strict=True)
            found = row(record.first, {name: cell for name, cell in cells if name in COLUMNS}, readers)
            if isinstance(found, BadRow) and record.last > record.first:
                found.reasons.append(f"a quoted field spans lines {record.first} to {record.last}")
            yield found

    def _check_columns(self, header: list[str], columns: list[str]) -> None:
        unknown = [
            name.strip() or f"column {number}"
            for number, (name, column) in enumerate(zip(header, columns, strict=True), 1)
            if column not in COLUMNS
        ]
        if "id" not in columns or len(unknown) == len(columns) - 1:
            missing = "a column besides id" if "id" in columns else "the column id"
            raise CartctlError(
                f"The header needs {missing}, and has {_listed(header)}. {_RULE} Fix the header, or pass --delimiter "
                "if another one was detected. Nothing was imported."
            )
        if unknown and not self._reading.ignore_unknown:
            raise CartctlError(
                f"Unknown columns: {_listed(unknown)}. {_RULE} Fix the header, or pass --ignore-unknown to skip them."
            )
        if repeated := [name for name in COLUMNS if columns.count(name) > 1]:
            same = [name.strip() for name, column in zip(header, columns, strict=True) if column in repeated]
            raise CartctlError(f"Repeated columns: {_listed(same)}. Remove all but one of each. Nothing was imported.")
        self._ignore(unknown)

    def _objects(self, found: Iterable[Line]) -> Iterator[Row]:
        readers = json_readers(self._reading.digits)
        for line in found:
            if line.fault:
                yield BadRow(line.number, [line.fault])
            elif line.text.strip():
                try:
                    yield row(line.number, self._columns_of(_parsed(line.text)), readers)
                except ValueError as error:
                    yield BadRow(line.number, [str(error)])

    def _columns_of(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the known columns. Raises `ValueError` if the object cannot be a row."""
        known = {field: column_of(field) for field in fields if column_of(field) in COLUMNS}
        unknown = [field for field in fields if field not in known]
        if unknown and not self._reading.ignore_unknown:
            raise ValueError("; ".join(f"unknown field {quoted(field)}" for field in unknown))
        values = {column: fields[field] for field, column in known.items()}
        if len(values) < len(known):
            same = (field for field in known if [*known.values()].count(known[field]) > 1)
            raise ValueError(f"two fields are the same column: {_listed(same)}")
        if "id" not in values:
            raise ValueError("id is missing")
        if len(values) == 1:
            raise ValueError(f"nothing is given besides the id. {_RULE}")
        self._ignore(unknown)
        return values

    def _ignore(self, names: Iterable[str]) -> None:
        for name in (name[:255].encode(errors="replace").decode() for name in names):
            if name not in self.ignored_columns and len(self.ignored_columns) < LISTED_COLUMNS:
                self.ignored_columns.append(name)


def _detected(head: bytes, encoding: str) -> Format:
    text = head.decode(encoding, errors="ignore").lstrip("\ufeff \t\r\n")
    return Format.JSONL if text.startswith(("{", "[")) else Format.CSV


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, itertools.islice(names, 5)))


# ----------------------------------------------------------------------------------------------------------------------
# JSON
# ----------------------------------------------------------------------------------------------------------------------


def _parsed(text: str) -> dict[str, Any]:
    """Parse one object. Raises `ValueError`."""
    try:
        fields = json.loads(
            text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique_fields
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{_UNREADABLE}: {error.msg} at character {error.pos + 1}") from None
    except ValueError as error:
        raise ValueError(f"{_UNREADABLE}: {error}") from None
    except (ArithmeticError, RecursionError):
        raise ValueError(f"{_UNREADABLE}: a number is too large or a value too deep") from None
    if not isinstance(fields, dict):
        raise ValueError("the line is not a JSON object")  # noqa: TRY004 - the file is wrong, not the program
    return fields


def _refuse_constant(constant: str) -> NoReturn:
    # NaN and the infinities are Python's own.
    raise ValueError(f"{constant} is not JSON")


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{quoted(next(name for name in names if names.count(name) > 1))} is repeated")
    return values


# ----------------------------------------------------------------------------------------------------------------------
# Writing
# ----------------------------------------------------------------------------------------------------------------------


def written(
    products: Iterable[Product], form: Format, *, digits: int | None = None, spreadsheet: bool = False
) -> Iterator[bytes]:
    """Yield the file that `CatalogueFile` reads, one product at a time.

    With ``digits``, prices are decimal numbers with so many decimals. For a spreadsheet, an apostrophe precedes texts
    that it could take for a formula, and a byte order mark shows it that the file is UTF-8.
    """
    if form is Format.JSONL:
        for product in products:
            amounts = {name: _json_amount(getattr(product, name), digits) for name in _MONEY}
            yield json.dumps(product._asdict() | amounts, ensure_ascii=False).encode() + b"\n"
        return
    writer = csv.writer(_Encoder(), lineterminator="\n")
    yield (codecs.BOM_UTF8 if spreadsheet else b"") + writer.writerow(COLUMNS)
    for product in products:
        cells = product._asdict() | {name: _amount(getattr(product, name), digits) for name in _MONEY}
        cells["active"] = "true" if product.active else "false"
        if spreadsheet:
            cells |= {name: harmless(cells[name] or "") for name in _TEXTS}
        yield writer.writerow(cells.values())


def _amount(minor: int, digits: int | None) -> str:
    return f"{Decimal(minor).scaleb(-(digits or 0)):f}"


def _json_amount(minor: int, digits: int | None) -> int | float:
    # The shortest form of a float has the exact decimals: amounts have at most 10 digits, and floats 15.
    return float(_amount(minor, digits)) if digits else minor


class _Encoder:
    """A file for the CSV writer, whose ``writerow`` returns what ``write`` returns."""

    @staticmethod
    def write(text: str) -> bytes:
        return text.encode()
