"""Files that are compressed, in a workbook or of another kind."""

import gzip
import io
import json
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest

from cartctl import file_content, workbook
from cartctl.catalogue_file import CatalogueFile, CatalogueReading
from cartctl.errors import CartctlError
from cartctl.row_values import BadRow, GoodRow, Row

CSV = b"id,price\n7,1250\n8,990\n"
ROWS = [GoodRow(2, {"id": 7, "price": 1250}), GoodRow(3, {"id": 8, "price": 990})]


def read(content: bytes, **options: Any) -> list[Row]:
    return list(CatalogueFile(io.BytesIO(content), CatalogueReading(**options)))


def refusal(content: bytes, **options: Any) -> str:
    with pytest.raises(CartctlError) as refused:
        read(content, **options)
    return str(refused.value)


def archive(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return file.getvalue()


def book(*rows: list[Any], change: Callable[[openpyxl.Workbook], object] = lambda _: None) -> bytes:
    """Return a workbook with a sheet Products, and an empty one."""
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Products"
    for row in rows:
        sheet.append(row)
    made.create_sheet("Other")
    change(made)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def replaced(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a workbook with a changed part."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    return archive(**parts | {part: change(parts[part])})


def sheet_of(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return packed.read(SHEET)


SHEET = "xl/worksheets/sheet1.xml"
BOOK = book(["id", "price"], [7, 1250], [8, 990])


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        gzip.compress(CSV),
        gzip.compress(CSV[:12]) + gzip.compress(CSV[12:]),
        gzip.compress(CSV.decode().encode("utf-16")),
        BOOK,
        gzip.compress(BOOK),
    ],
    ids=["csv", "gz", "two members", "utf-16", "xlsx", "xlsx.gz"],
)
def test_content_decides_how_a_file_is_read(content: bytes) -> None:
    assert read(content) == ROWS


def test_compressed_json_lines_are_detected() -> None:
    content = b"".join(json.dumps(row.values).encode() + b"\n" for row in ROWS)

    assert read(gzip.compress(content)) == [GoodRow(row.line - 1, row.values) for row in ROWS]


def test_slow_pipe_is_read_as_it_comes() -> None:
    class Pipe(io.BytesIO):
        def read1(self, _size: int | None = -1, /) -> bytes:
            return super().read1(1)

    for content in (CSV, gzip.compress(CSV), BOOK):
        assert list(CatalogueFile(Pipe(content), CatalogueReading())) == ROWS


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "an old Excel workbook (.xls), or one with a password:"),
        (gzip.compress(gzip.compress(CSV)), "compressed twice with gzip: unpack it once."),
        (b"BZh91AY&SY", "compressed with bzip2: unpack it, and import the file inside."),
        (b"\xfd7zXZ\x00\x00\x04", "compressed with xz: unpack it"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "compressed with zstd: unpack it"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive: unpack it"),
        (b"products.csv".ljust(257, b"\0") + b"ustar\x0000", "a tar archive: unpack it"),
        (b"%PDF-1.7\n", "a PDF document: export"),
        (b"PAR1\x15\x04", "a Parquet file: export"),
        (b"SQLite format 3\x00", "a SQLite database: export"),
        *((page, "a page in HTML or XML: ") for page in (b"<!DOCTYPE html>", b"\xef\xbb\xbf\r\n <p>", b"<?xml ?>")),
        (archive(**{"products.csv": CSV}), "a ZIP archive: unpack it, and import the file inside."),
        (archive(mimetype=b"application/vnd.oasis"), "an OpenDocument file, such as .ods"),
        (archive(**{"xl/workbook.bin": b""}), "a binary Excel workbook (.xlsb): save it in Excel as .xlsx"),
        (archive(**{"word/document.xml": b""}), "a Word document: copy"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_other_kind_is_named(content: bytes, kind: str) -> None:
    assert refusal(content).startswith(f"The file is {kind}")
    assert refusal(content).endswith(" Nothing was imported.")


@pytest.mark.parametrize("cut", [3, 12, -20, -8, -1])
def test_damaged_gzip_file_is_an_error(cut: int) -> None:
    content = gzip.compress(CSV * 100)

    assert refusal(content[:cut]).startswith("The gzip file is damaged (it ends too early): get it again.")
    assert "damaged" in refusal(content[:20] + bytes(20) + content[40:])
    assert "damaged" in refusal(content + b"garbage")


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.75])
def test_damaged_workbook_is_an_error(cut: float) -> None:
    assert refusal(BOOK[: int(len(BOOK) * cut)]).startswith("The workbook is damaged (BadZipFile")
    assert "damaged (ParseError" in refusal(replaced(BOOK, SHEET, lambda sheet: sheet[: int(len(sheet) * cut)]))
    assert "damaged (OSError" in refusal(replaced(BOOK, "[Content_Types].xml", lambda _: b"<Types/>"))
    long = replaced(BOOK, SHEET, lambda sheet: sheet + b" " * 200_000)  # its checksum is checked at the end of the part
    flipped = long.replace(zlib.crc32(sheet_of(long)).to_bytes(4, "little"), bytes(4))
    assert 'damaged (BadZipFile: "Bad CRC-32 for file' in refusal(flipped)


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_content, "UNPACKED_BYTES", 10**6)
    monkeypatch.setattr(workbook, "UNPACKED_BYTES", 10**6)
    monkeypatch.setattr(workbook, "_PART_BYTES", 10**5)
    zeros = bytes(1_100_000)
    entities = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">%s]>' % b"".join(
        b'<!ENTITY %c "%s">' % (number, b"&%c;" % (number - 1) * 10) for number in range(ord("b"), ord("k"))
    )

    assert "more than 1,000,000 bytes when unpacked" in refusal(gzip.compress(CSV + zeros))
    for part in (SHEET, "xl/styles.xml"):
        assert f"too large: {part} has" in refusal(replaced(BOOK, part, lambda content: content + zeros))
    expanding = replaced(BOOK, SHEET, lambda sheet: entities + sheet.replace(b"<v>7</v>", b"<v>&j;</v>"))
    assert "The workbook is damaged" in refusal(expanding)
    monkeypatch.setattr(workbook, "UNPACKED_BYTES", 10**8)
    wide = replaced(BOOK, SHEET, lambda sheet: sheet.replace(b"<v>7</v>", b"<v>%s</v>" % (b"7" * 3_000_000)))
    assert refusal(wide) == "The workbook has a row or a text of more than 1,048,576 bytes: shorten it."


# ----------------------------------------------------------------------------------------------------------------------
# Cells of workbooks
# ----------------------------------------------------------------------------------------------------------------------

STORED = "is a formula without a stored value: open the workbook in Excel and save it"
DATE = "is a date or a time: format the cell as text or as a number, and correct it"


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("ref", "00123", "00123"),
        ("ref", 4006381333931, "4006381333931"),
        ("ref", 12.5, "12.5"),
        ("name", "a_x0041__x005F_x0041_", "aA_x0041_"),
        ("name", "Käse\u2028🎁", "Käse\u2028🎁"),
        ("price", 1250.0, 1250),
        ("price", "1250", 1250),
        ("stock", None, None),
        ("active", False, False),
        ("active", "TRUE", True),
        ("image", "https://img.example/7.jpg", "https://img.example/7.jpg"),
        ("price", 12.5, "price must be an integer: amounts are in minor units"),
        ("stock", " ", "stock has only spaces"),
        ("ref", datetime(2026, 1, 2, tzinfo=UTC).replace(tzinfo=None), f"ref {DATE}"),
        ("price", "=1+1", f"price {STORED}"),
        ("stock", "#N/A", "stock is the error #N/A: correct the cell"),
        ("name", "two\nlines", "name must have no control characters"),
    ],
)
def test_cell_of_a_workbook_is_read(column: str, value: object, expected: object) -> None:
    (found,) = read(book(["id", column], [7.0, value]))

    if isinstance(found, BadRow):
        assert isinstance(expected, str)
        assert found.reasons[0].startswith(expected)
    else:
        assert found.values == {"id": 7, column: expected}


@pytest.mark.parametrize(
    ("value", "expected"), [(12.9, 1290), (0.1 + 0.2, 30), (19.99, 1999), ("12,90", 1290), (12.999, None)]
)
def test_major_price_of_a_workbook_is_read(value: object, expected: int | None) -> None:
    (found,) = read(book(["id", "price"], [7, value]), digits=2)

    assert (found.values["price"] if isinstance(found, GoodRow) else None) == expected


def test_number_is_read_with_the_zeros_of_its_format() -> None:
    def change(made: openpyxl.Workbook) -> None:
        made["Products"]["B2"].number_format = "00000"
        made["Products"]["B3"].number_format = "0.00"

    found = read(book(["id", "ref"], [7, 42], [8, 42], change=change))

    assert [row.values["ref"] for row in found if isinstance(row, GoodRow)] == ["00042", "42"]


def test_rows_of_a_workbook_have_the_width_of_the_header() -> None:
    content = book(
        [],
        [" ID ", "Price", "stock", None, " "],
        [],
        [7, 1250],
        [8, 990, 5, None, "x"],
        [None, None, " "],
        [9, 1, 2, ""],
    )

    assert read(content) == [
        GoodRow(4, {"id": 7, "price": 1250, "stock": None}),
        BadRow(5, ["expected 3 fields, found 5"]),
        GoodRow(7, {"id": 9, "price": 1, "stock": 2}),
    ]


def test_first_visible_or_named_sheet_is_read() -> None:
    def change(made: openpyxl.Workbook) -> None:
        made["Products"].sheet_state = "hidden"
        for row in (["id", "stock"], [9, 1]):
            made["Other"].append(row)

    content = book(["id", "price"], [7, 1250], change=change)

    assert read(content) == [GoodRow(2, {"id": 9, "stock": 1})]
    assert read(content, sheet="Products") == [GoodRow(2, {"id": 7, "price": 1250})]
    message = "The workbook has no sheet 'products'. Its sheets are: 'Products', 'Other'."
    assert refusal(content, sheet="products").startswith(message)
    assert refusal(CSV, sheet="Products").startswith("--sheet is for workbooks (.xlsx)")


def test_empty_workbook_is_refused() -> None:
    assert refusal(book()).startswith("The file is empty: add the header id,ref")


@pytest.mark.parametrize("pack", [gzip.compress, None], ids=["gz", "xlsx"])
def test_memory_does_not_grow_with_the_rows(pack: Callable[[bytes], bytes] | None) -> None:
    def content(rows: int) -> bytes:
        if pack:
            return pack(b"id,name\n" + b"".join(b"%d,Mug %d\n" % (number, number) for number in range(rows)))
        return book(["id", "name"], *([number, f"Mug {number}"] for number in range(rows)))

    def peak(rows: int) -> int:
        file = io.BytesIO(content(rows))
        tracemalloc.start()
        try:
            assert sum(isinstance(row, GoodRow) for row in CatalogueFile(file, CatalogueReading())) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(5_000) < peak(500) + 300_000
