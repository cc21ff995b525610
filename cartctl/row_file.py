"""Files that are imported: CSV with a header, JSON Lines or a workbook, read row by row.

A bad row is reported and skipped; the rows after it are read. A file of another kind is refused as a whole.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO, Final, NoReturn

from cartctl import csv_records, workbook
from cartctl.csv_records import Record
from cartctl.errors import CartctlError, ExitCode
from cartctl.file_content import DamagedFileError, as_ascii, is_archive, seekable_copy, unpacked
from cartctl.file_lines import Line, lines
from cartctl.row_values import BadRow, Readers, Row, column_of, quoted, row

LISTED_COLUMNS: Final = 100
"""The most ignored columns that are listed; each object of JSON Lines could have others."""

_EXTENSIONS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_UNREADABLE: Final = "the line cannot be read as JSON"


class Format(StrEnum):
    """The format of a file; a workbook is recognised by its content."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file. Without ``form``, a file that begins with a brace is JSON Lines."""

    form: Format | None = None
    ignore_unknown: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a kind of file, which contains ``rows``, such as products.

    ``cells`` and ``values`` read the values of each column: texts of cells, and values of JSON objects. ``faults``
    lists the rules that a row's values break by themselves. Every row has the column ``key``, and at least one more if
    it ``needs_more``.
    """

    name: str
    rows: str
    key: str
    cells: Readers
    values: Readers
    faults: Callable[[Mapping[str, Any]], list[str]]
    needs_more: bool

    @property
    def rule(self) -> str:
        """The sentence that names the columns."""
        return f"The columns of {self.name} are {', '.join(self.cells)}."


def format_of(name: str) -> Format | None:
    """Return a file's format by its extension.

    >>> format_of("products.CSV.gz"), format_of("products.txt")
    (<Format.CSV: 'csv'>, None)
    """
    extension = PurePath(name.lower().removesuffix(".gz")).suffix
    return Format(_EXTENSIONS[extension]) if extension in _EXTENSIONS else None


class RowFile:
    """The rows of a file, with the columns of its schema in any order.

    Column names match in any case. Blank lines are skipped. While the rows are read, ``ignored_columns`` grows to the
    list of the unknown ones. Reading raises `CartctlError` for a file that cannot have such rows: of another kind,
    damaged, without a header, or with unknown columns, unless they are ignored.
    """

    def __init__(self, file: BinaryIO, reading: Reading, schema: Schema) -> None:
        self.ignored_columns: list[str] = []
        self._file = file
        self._reading = reading
        self._schema = schema

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
            yield from self._records(csv_records.records(found, it.delimiter, self._schema.cells))

    def _records(self, records: Iterator[Record]) -> Iterator[Row]:
        """Read the rows after the header. Raises `CartctlError` for a bad header."""
        schema = self._schema
        records = (record for record in records if record.fault or record.cells)
        header = next(records, None)
        if header is None:
            raise CartctlError(f"The file is empty: add the header {','.join(schema.cells)} and {schema.rows}.")
        if header.fault:
            raise CartctlError(f"Cannot read the header: {header.fault}. Fix the header. Nothing was imported.")
        columns = [column_of(name) for name in header.cells]
        self._check_columns(header.cells, columns)
        for record in records:
            if record.fault:
                yield BadRow(record.first, [record.fault])
                continue
            cells = zip(columns, record.cells, strict=True)
            found = row(
                record.first, {name: cell for name, cell in cells if name in schema.cells}, schema.cells, schema.faults
            )
            if isinstance(found, BadRow) and record.last > record.first:
                found.reasons.append(f"a quoted field spans lines {record.first} to {record.last}")
            yield found

    def _check_columns(self, header: list[str], columns: list[str]) -> None:
        schema = self._schema
        unknown = [
            name.strip() or f"column {number}"
            for number, (name, column) in enumerate(zip(header, columns, strict=True), 1)
            if column not in schema.cells
        ]
        if schema.key not in columns or (schema.needs_more and len(unknown) == len(columns) - 1):
            missing = f"a column besides {schema.key}" if schema.key in columns else f"the column {schema.key}"
            raise CartctlError(
                f"The header needs {missing}, and has {_listed(header)}. {schema.rule} Fix the header, or pass "
                "--delimiter if another one was detected. Nothing was imported."
            )
        if unknown and not self._reading.ignore_unknown:
            raise CartctlError(
                f"Unknown columns: {_listed(unknown)}. {schema.rule} Fix the header, or pass "
                "--ignore-unknown to skip them."
            )
        if repeated := [name for name in schema.cells if columns.count(name) > 1]:
            same = [name.strip() for name, column in zip(header, columns, strict=True) if column in repeated]
            raise CartctlError(f"Repeated columns: {_listed(same)}. Remove all but one of each. Nothing was imported.")
        self._ignore(unknown)

    def _objects(self, found: Iterable[Line]) -> Iterator[Row]:
        schema = self._schema
        for line in found:
            if line.fault:
                yield BadRow(line.number, [line.fault])
            elif line.text.strip():
                try:
                    yield row(line.number, self._columns_of(_parsed(line.text)), schema.values, schema.faults)
                except ValueError as error:
                    yield BadRow(line.number, [str(error)])

    def _columns_of(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the known columns. Raises `ValueError` if the object cannot be a row."""
        schema = self._schema
        known = {field: column_of(field) for field in fields if column_of(field) in schema.values}
        unknown = [field for field in fields if field not in known]
        if unknown and not self._reading.ignore_unknown:
            raise ValueError("; ".join(f"unknown field {quoted(field)}" for field in unknown))
        values = {column: fields[field] for field, column in known.items()}
        if len(values) < len(known):
            same = (field for field in known if [*known.values()].count(known[field]) > 1)
            raise ValueError(f"two fields are the same column: {_listed(same)}")
        if schema.key not in values:
            raise ValueError(f"{schema.key} is missing")
        if schema.needs_more and len(values) == 1:
            raise ValueError(f"nothing is given besides the {schema.key}. {schema.rule}")
        self._ignore(unknown)
        return values

    def _ignore(self, names: Iterable[str]) -> None:
        for name in (name[:255].encode(errors="replace").decode() for name in names):
            if name not in self.ignored_columns and len(self.ignored_columns) < LISTED_COLUMNS:
                self.ignored_columns.append(name)


def rows(file: RowFile, name: str, imported: str) -> Iterator[Row]:
    """Read the rows of a file. Raises `CartctlError`, which ends with ``imported``, for one that is damaged or lost.

    ``imported`` is a sentence that says how much of the file may be imported by then.
    """
    try:
        yield from file
    except DamagedFileError as error:
        advice = error.advice
        raise CartctlError(f"{error.reason}: {advice}. {imported}") from error
    except OSError as error:
        raise CartctlError(f"Cannot read {name}: {error.strerror}. Check it, and run the command again.") from error


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
