"""The rows of an Excel workbook (.xlsx), as records of texts, read in bounded memory."""

import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from typing import IO, Any, BinaryIO, Final
from xml.etree.ElementTree import Element, iterparse

from cartctl.csv_records import Record, without_blank_ends
from cartctl.errors import CartctlError
from cartctl.file_content import UNPACKED_BYTES, DamagedFileError
from cartctl.file_lines import ROW_BYTES
from cartctl.row_values import BadCell, quoted

_PART_BYTES: Final = 2**24
"""The most bytes of a part that is read as a whole, such as the styles."""
_SAVE: Final = "save it in Excel as .xlsx, or as CSV UTF-8"
_ZIPS: Final = {
    "xl/workbook.bin": ("a binary Excel workbook (.xlsb)", _SAVE),
    "mimetype": ("an OpenDocument file, such as .ods", _SAVE),
    "word/document.xml": ("a Word document", "copy its table into a spreadsheet, and save that as .xlsx"),
    "Index/Document.iwa": ("a document of Apple Numbers or Pages", "export it as .xlsx or CSV"),
}


def records(file: BinaryIO, sheet: str | None) -> Iterator[Record]:
    """Read the rows of a sheet, by default the first one that is not hidden, with the cells' texts as in a CSV file.

    The first row with cells is the header; all others get as many cells, or more if there are more. ``file`` must be
    seekable. Raises `CartctlError` for a file that is no workbook, for one that is damaged, and for an unknown sheet.
    """
    try:
        with closing(_Strings()) as strings:
            yield from _records(file, sheet, strings)
    except Exception as error:  # a damaged file lets openpyxl fail anywhere
        if isinstance(error, CartctlError) or (isinstance(error, OSError) and error.errno):
            raise
        reason = f"{type(error).__name__}: {quoted(str(error))}"
        raise DamagedFileError(f"The workbook is damaged ({reason})", "open it in Excel and save it again") from error


class _Strings:
    """The texts of a workbook, which its cells share, in a temporary file instead of in memory."""

    def __init__(self) -> None:
        # A database without a name is a temporary file behind a bounded cache, deleted with its connection.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    def close(self) -> None:
        self._database.close()

    def fill(self, texts: Iterator[str]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO texts VALUES (?, ?)", enumerate(texts))
        self._database.execute("COMMIT")

    def __getitem__(self, number: int) -> str:
        text: str = self._database.execute("SELECT text FROM texts WHERE number = ?", (number,)).fetchone()[0]
        return text


class _Archive(zipfile.ZipFile):
    """A ZIP archive that expands to no more than its limits. Only sheets and shared texts are opened as a stream."""

    def open(self, name: Any, mode: Any = "r", *args: Any, **options: Any) -> IO[bytes]:  # noqa: ANN401 - ZipFile's own
        self._check(name, UNPACKED_BYTES)
        return super().open(name, mode, *args, **options)

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:  # noqa: ANN401 - ZipFile's own
        self._check(name, _PART_BYTES)
        return super().read(name, pwd)

    def _check(self, name: str | zipfile.ZipInfo, most: int) -> None:
        # ZipFile reads no more than the size that the archive declares.
        part = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if part.file_size > most:
            raise CartctlError(
                f"The workbook is too large: {part.filename} has {part.file_size:,} bytes when unpacked, and at most "
                f"{most:,} are read. Split it, or save it as CSV UTF-8. Nothing was imported."
            )


class _Part:
    """A part of the archive in which every element must be short; `begin_element` starts the next one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._size += len(data)
        if self._size > 2 * ROW_BYTES:
            raise CartctlError(f"The workbook has a row or a text of more than {ROW_BYTES:,} bytes: shorten it.")
        return data

    def begin_element(self) -> None:
        self._size = 0


def _records(file: BinaryIO, sheet: str | None, strings: _Strings) -> Iterator[Record]:
    with _Archive(file) as archive:
        _check_kind(archive)
        path, text_of, parse_row = _open(archive, sheet, strings)
        width = 0
        for element in _elements(archive, path, "row", within="sheetData"):
            number, parsed = parse_row(element)
            texts: dict[int, str] = {}
            for cell, child in zip(parsed, element, strict=True):
                texts[cell["column"]] = text_of(cell, child)
            row = [texts.get(column, "") for column in range(1, max(texts, default=0) + 1)]
            used = without_blank_ends(row)
            width = width or len(used)
            cells = [*row, *[""] * width][:width] if used else []
            fault = f"expected {width} fields, found {len(used)}" if len(used) > width else ""
            yield Record(number, number, cells, fault)


def _check_kind(archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())
    for name, (kind, advice) in _ZIPS.items():
        if name in names:
            raise CartctlError(f"The file is {kind}: {advice}. Nothing was imported.")
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise CartctlError("The file is a ZIP archive: unpack it, and import the file inside. Nothing was imported.")


def _open(
    archive: _Archive, sheet: str | None, strings: _Strings
) -> tuple[str, Callable[..., str], Callable[..., Any]]:
    """Return the path of the sheet, and the functions that parse its rows and write a cell as text."""
    from openpyxl.cell.text import Text
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet
    from openpyxl.worksheet._reader import WorkSheetParser
    from openpyxl.xml.constants import SHARED_STRINGS

    reader = ExcelReader(archive.fp, read_only=True, data_only=True, keep_links=False)
    reader.archive = archive
    reader.read_manifest()
    reader.read_workbook()
    apply_stylesheet(archive, reader.wb)
    sheets = [
        (found.name, found.state == "visible", relation.target)
        for found, relation in reader.parser.find_sheets()
        if "worksheet" in relation.Type
    ]
    shown = [path for name, visible, path in sheets if (visible if sheet is None else name == sheet)]
    if not shown:
        names = ", ".join(quoted(name) for name, _, _ in sheets[:20]) or "none"
        wanted = "no visible sheet" if sheet is None else f"no sheet {quoted(sheet)}"
        raise CartctlError(f"The workbook has {wanted}. Its sheets are: {names}. Pass --sheet with one of them.")
    if shared := reader.package.find(SHARED_STRINGS):
        elements = _elements(archive, shared.PartName.removeprefix("/"), "si", within="sst")
        strings.fill(str(Text.from_tree(element).content) for element in elements)
    workbook = reader.wb
    parser = WorkSheetParser(
        None, strings, data_only=True, epoch=workbook.epoch, date_formats=workbook._date_formats,
        timedelta_formats=workbook._timedelta_formats,
    )  # fmt: skip
    return shown[0], _cell_texts(workbook), parser.parse_row


def _elements(archive: _Archive, path: str, name: str, *, within: str) -> Iterator[Element]:
    """Yield the elements of a part with a name, one at a time, up to the end of the element that contains them."""
    with archive.open(path) as file:
        part = _Part(file)
        container = None
        for event, element in iterparse(part, ("start", "end")):  # noqa: S314 - Expat limits what entities expand to
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                container = element if tag == within else container
            elif tag == name and container is not None:
                yield element
                container.clear()
                part.begin_element()
            elif tag == within:
                break
        while file.read(ROW_BYTES):  # the end of the part has a checksum
            pass


def _cell_texts(workbook: Any) -> Callable[[dict[str, Any], Element], str]:  # noqa: ANN401 - private parts of openpyxl
    """Return a function that writes a cell as the text that a CSV file would contain."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
    from openpyxl.utils.escape import unescape

    @cache
    def least_digits(style: int) -> int:
        """Return the digits of a format such as 00000, which shows 42 as 00042; 0 for others."""
        number = workbook._cell_styles[style].numFmtId
        custom = number - BUILTIN_FORMATS_MAX_SIZE
        shown = BUILTIN_FORMATS.get(number, "") if custom < 0 else workbook._number_formats[custom]
        return len(shown) if shown.strip("0") == "" else 0

    def text(cell: dict[str, Any], element: Element) -> str:  # noqa: PLR0911 - one for each type
        value = cell["value"]
        if value is None and any(child.tag.endswith("}f") for child in element):
            return BadCell("is a formula without a stored value: open the workbook in Excel and save it")
        if cell["data_type"] == "e":
            return BadCell(f"is the error {value}: correct the cell")
        match value:
            case None:
                return ""
            case str():
                return str(unescape(value))
            case bool():
                return "true" if value else "false"
            case int() | float():
                # As Excel shows it: with the zeros of its format, or with 15 significant digits.
                whole = isinstance(value, int) or (value.is_integer() and abs(value) < 10**15)
                return str(int(value)).zfill(least_digits(cell["style_id"])) if whole else f"{value:.15g}"
        return BadCell("is a date or a time: format the cell as text or as a number, and correct it")

    return text
