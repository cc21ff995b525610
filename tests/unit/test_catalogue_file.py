"""Catalogue files: good and bad rows of both formats, and writing."""

import codecs
import csv
import io
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartctl.catalogue_file import CatalogueFile, CatalogueReading, written
from cartctl.csv_records import DELIMITERS, parse_delimiter
from cartctl.errors import CartctlError
from cartctl.file_content import parse_encoding
from cartctl.file_lines import ROW_BYTES
from cartctl.row_file import Format, format_of
from cartctl.row_values import BadRow, GoodRow, Row
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from tests.support.builders import product, without

HEADER = "id,ref,name,image,price,discount,stock,active"
GOOD = "7,MUG-7,Mug,https://img.example/7.jpg,1250,250,3,true"
MUG = Product(7, "MUG-7", "Mug", "https://img.example/7.jpg", 1250, 250, 3, active=True)
OBJECT: dict[str, Any] = {"id": 7, "ref": "MUG-7", "name": "Mug", "price": 1250, "stock": 3}
MONEY = "amounts are in minor units, 1250 means 12.50; pass --prices major for decimal amounts"
TOO_LONG = "the line is longer than 1,048,576 bytes"
NOT_UTF_8 = (
    "the line is not UTF-8: save the file as UTF-8, or name its encoding, as in --encoding cp1252 for Excel in Western "
    "Europe"
)
NO_LIMIT = "leave it empty for no limit"
COLUMNS = f"The columns of a catalogue are {HEADER.replace(',', ', ')}."
CUT = "the last line has no line ending: the file may be cut off; get it again, or end the line if it is complete"
NO_JSON = "the line cannot be read as JSON: "


def read(content: str | bytes, form: Format | None = None, **options: Any) -> list[Row]:
    """Read a file; a text gets a line ending at its end."""
    data = content if isinstance(content, bytes) else content.encode() + b"\n"
    return list(CatalogueFile(io.BytesIO(data), CatalogueReading(form, **options)))


def file(*rows: str, header: str = HEADER) -> str:
    """Return a CSV file."""
    return "".join(f"{row}\n" for row in (header, *rows))


def products(rows: Iterable[Row]) -> list[Product]:
    """Return the products of rows, which must be good."""
    rows = list(rows)
    assert [row for row in rows if isinstance(row, BadRow)] == []
    return [whole(row.values) for row in rows if isinstance(row, GoodRow)]


def whole(values: dict[str, Any]) -> Product:
    return Product(**({"image": None, "discount": 0, "active": True} | values))


def outcome(rows: Iterable[Row]) -> list[tuple[int, str]]:
    """Return the line of each row, and its faults."""
    return [(row.line, "good" if isinstance(row, GoodRow) else "; ".join(row.reasons)) for row in rows]


def cells(**changes: str) -> str:
    """Return a CSV row with some other fields."""
    return ",".join((dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | changes).values())


def line(**changes: Any) -> str:
    """Return a JSON row with some other fields."""
    return json.dumps(OBJECT | changes)


# ----------------------------------------------------------------------------------------------------------------------
# Fields
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (cells(), {}),
        (cells(image=""), {"image": None}),
        *((cells(stock=text), {"stock": stock}) for text, stock in (("", None), ("0", 0))),
        (cells(discount=""), {"discount": 0}),
        *((cells(price=text), {"price": 1250}) for text in (" +1250 ", "0001250")),
        (cells(price=str(limits.PRODUCT_PRICE)), {"price": limits.PRODUCT_PRICE}),
        (cells(id=str(2**53 - 1)), {"id": 2**53 - 1}),
        (cells(active="FALSE"), {"active": False}),
        (cells(active=" True"), {"active": True}),
        (cells(name='TV 27"'), {"name": 'TV 27"'}),
        (cells(ref=" MUG-7\u200b "), {}),
        (cells(name=" Käse\u2028🎁 "), {"name": " Käse\u2028🎁 "}),
        (cells(name='"Mug, ""white"""'), {"name": 'Mug, "white"'}),
    ],
)
def test_csv_field_is_parsed(row: str, expected: dict[str, Any]) -> None:
    assert products(read(file(row))) == [MUG._replace(**expected)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"image": None}, {"image": None}),
        ({"image": ""}, {"image": None}),
        ({"price": 1250.0}, {"price": 1250}),
        ({"ref": " MUG-7\u00a0"}, {}),
        *((same, same) for same in ({"stock": None}, {"active": False}, {"image": "x", "discount": 250})),
        ({"name": "a\u2028ä🎁"}, {"name": "a\u2028ä🎁"}),
    ],
)
def test_json_field_is_parsed(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    mug = MUG._replace(image=None, discount=0, active=True)
    (found,) = products(read(f"{line(**changes)}\n"))

    assert found == mug._replace(**expected)
    assert type(found.price) is int


def test_columns_are_optional_and_in_any_order() -> None:
    assert products(read("stock, price ,name,ref,id\n3,1250,Mug,MUG-7,7")) == [
        Product(7, "MUG-7", "Mug", None, 1250, 0, 3, active=True)
    ]


@pytest.mark.parametrize(
    "content",
    [
        "id,ref,brand,name,,price,brand,stock\n7,MUG-7,Acme,Mug,?,1250,Acme,3\n",
        f'id,ref,name,price,stock,description\n7,MUG-7,Mug,1250,3,"one\n\n{GOOD},two"\n',
        line(brand={"a": [1.5]}),
    ],
    ids=["csv", "csv over lines", "jsonl"],
)
def test_unknown_columns_may_be_ignored(content: str) -> None:
    assert products(read(content, ignore_unknown=True)) == [product(
        7, ref="MUG-7", name="Mug", image=None, price=1250, discount=0, stock=3
    )]  # fmt: skip


# ----------------------------------------------------------------------------------------------------------------------
# Bad rows
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        *((cells(id=id_), "id must be an integer") for id_ in ("", "seven", "7.0", "\u0667", "1_000", "7\t", "- 7")),
        *((cells(id=id_), "id must be an integer") for id_ in ("+", "7" * 5_000)),
        *((cells(stock=stock), f"stock must be an integer; {NO_LIMIT}") for stock in ("many", "1.5", "-", "n/a")),
        *((cells(price=text), f"price must be an integer: {MONEY}") for text in ("", "12.50", "1e3", "€ 12")),
        *((cells(stock=stock), f"stock has only spaces: {NO_LIMIT}") for stock in (" ", "\u00a0", "\u200b \ufeff")),
        (cells(discount="  "), "discount has only spaces: leave it empty for 0"),
        (cells(discount="2.50"), f"discount must be an integer: {MONEY}"),
        *((cells(active=active), "active must be true or false") for active in ("", "yes")),
        # Two bounds; tests/unit/test_catalogue.py has all of them.
        (cells(id="-1"), "id must be an integer from 0 to 2^53-1"),
        (cells(name="a\0b"), "name must have no control characters"),
        # Two faults
        (cells(id="x", price="12.50"), f"id must be an integer; price must be an integer: {MONEY}"),
        (cells(ref="", name=""), "ref must have 1 to 64 bytes; name must have 1 to 255 characters"),
        # Other numbers of fields
        ("7,MUG-7,Mug", "expected 8 fields, found 3"),
        (f"{GOOD},,x", "expected 8 fields, found 10"),
        (cells(name="Mug, white"), "expected 8 fields, found 9"),
        # Invalid CSV
        (cells(name='"Mug" white'), "',' expected after '\"'"),
        (cells(name="a\rb"), "a carriage return is not a line ending: use LF or CRLF"),
        (cells(name="x" * 140_000), "field larger than field limit (131072)"),
        (cells(name="x" * ROW_BYTES), TOO_LONG),
        (cells(name="x" * 3 * ROW_BYTES), TOO_LONG),
    ],
    ids=lambda text: text[:40],
)
def test_bad_csv_row_is_reported_and_others_read(row: str, reason: str) -> None:
    assert outcome(read(file(GOOD, row, GOOD))) == [(2, "good"), (3, reason), (4, "good")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        *((line(id=id_), "id must be an integer") for id_ in ("7", True, None, 7.5, [7])),
        (line().replace("7,", "1e99999999,", 1), "id must be an integer"),
        *((line(**{field: 7}), f"{field} must be text") for field in ("ref", "name", "image")),
        *((line(price=price), f"price must be an integer: {MONEY}") for price in (12.5, "1250")),
        (line().replace("1250", "0.99999999999999999999999"), f"price must be an integer: {MONEY}"),
        (line(discount=None), f"discount must be an integer: {MONEY}"),
        (line(stock=False), "stock must be an integer"),
        *((line(active=active), "active must be true or false") for active in (1, "true", None)),
        # Bounds that CSV cannot exceed
        *(
            (line(**{field: "a\ud83d"}), f"{field} must be valid Unicode text: it has half of a character, \\ud83d")
            for field in ("ref", "name", "image")
        ),
        *((line(**{field: "a\0b"}), f"{field} must have no control characters") for field in ("ref", "name")),
        # Other fields
        (json.dumps(without(OBJECT, "id")), "id is missing"),
        ('{"id": 7}', f"nothing is given besides the id. {COLUMNS}"),
        (line(Price=3), "two fields are the same column: 'price', 'Price'"),
        (line(stok=3), "unknown field 'stok'"),
        (line(**{"\ud800\n" + "x" * 99: 3}), f"unknown field '\\ud800\\n{'x' * 38}'"),
        (line()[:-1] + ', "price": 1}', f"{NO_JSON}'price' is repeated"),
        # Invalid JSON
        *((row, "the line is not a JSON object") for row in ("[]", "7")),
        (GOOD, f"{NO_JSON}Extra data at character 2"),
        (line()[:-1], f"{NO_JSON}Expecting ',' delimiter at character 68"),
        (line() + ",", f"{NO_JSON}Extra data at character 68"),
        (line(price=float("nan")), f"{NO_JSON}NaN is not JSON"),
        (line(price=float("inf")), f"{NO_JSON}Infinity is not JSON"),
        (line(name="x" * ROW_BYTES), TOO_LONG),
        (f'{{"id": {"[" * 200_000}', f"{NO_JSON}a number is too large or a value too deep"),
        (f'{{"id": {"7" * 5_000}.5e{"9" * 30}}}', f"{NO_JSON}a number is too large or a value too deep"),
    ],
    ids=lambda text: text[:60],
)
def test_bad_json_row_is_reported_and_others_read(row: str, reason: str) -> None:
    assert outcome(read(f"{line()}\n{row}\n{line()}\n", Format.JSONL)) == [(1, "good"), (2, reason), (3, "good")]


def test_json_number_with_too_many_digits_is_bad() -> None:
    ((number, reason),) = outcome(read(f'{{"id": {"7" * 5_000}}}\n'))

    assert (number, reason.startswith(f"{NO_JSON}Exceeds the limit")) == (1, True)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_row_in_another_encoding_is_bad(encoding: str) -> None:
    csv_file = file(GOOD, cells(name="Käse"), GOOD).encode(encoding)
    json_file = f"{line()}\n{line(name='K_se')}\n".encode().replace(b"_", b"\xe4")

    assert outcome(read(csv_file)) == [(2, "good"), (3, NOT_UTF_8), (4, "good")]
    assert outcome(read(json_file)) == [(1, "good"), (2, NOT_UTF_8)]


def test_quoted_field_may_span_lines() -> None:
    assert outcome(read(file(cells(name='"a\nb\r\nc"'), GOOD))) == [
        (2, "name must have no control characters; a quoted field spans lines 2 to 4"),
        (5, "good"),
    ]


JOINED = "a quote is not closed (lines {} to {} were read as one row): {}"
EXPECTED_COMMA = "',' expected after '\"'"
NOT_CLOSED = "a quote is not closed"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # The name of line 3 is never closed: the last line of the file ends the attempt.
        ([GOOD, cells(name='"Mug'), GOOD, GOOD], {3: JOINED.format(3, 5, NOT_CLOSED)}),
        ([GOOD, cells(image='"'), GOOD, GOOD], {3: JOINED.format(3, 5, NOT_CLOSED)}),
        ([GOOD, cells(active='"true'), GOOD, GOOD], {3: JOINED.format(3, 5, NOT_CLOSED)}),
        # The name of line 2 is closed by the name of line 4, which is a row of its own.
        ([cells(name='"Mug'), GOOD, cells(name='"Mug, white"'), GOOD], {2: JOINED.format(2, 4, EXPECTED_COMMA)}),
        # Line 3 cannot be read at all.
        ([cells(name='"a'), "\udcff", GOOD], {2: JOINED.format(2, 3, NOT_UTF_8), 3: NOT_UTF_8}),
        # A single line.
        ([GOOD, cells(name='"Mug')], {3: NOT_CLOSED}),
    ],
    ids=["name", "image", "active", "closed by a later row", "encoding", "last line"],
)
def test_unclosed_quote_costs_one_row(rows: list[str], expected: dict[int, str]) -> None:
    content = file(*rows).encode(errors="surrogateescape")

    assert outcome(read(content)) == [(number, expected.get(number, "good")) for number in range(2, len(rows) + 2)]


def test_unclosed_quote_before_a_row_over_two_lines() -> None:
    bad, two_lines, good = cells(active='"true') + ",", f'{GOOD},"one\ntwo"', f"{GOOD},"
    rows = outcome(read(file(bad, good, two_lines, good, header=f"{HEADER},description"), ignore_unknown=True))

    assert [(number, reason == "good") for number, reason in rows] == [(2, False), (3, True), (4, True), (6, True)]


def test_row_over_too_many_lines_is_bad() -> None:
    endless = f'{"x" * 60_000}","{"x" * 60_000}'
    rows = outcome(read(file('"', *[endless] * 30, GOOD)))

    assert rows[0][1].endswith(": the row is longer than 1,048,576 bytes")
    assert rows[1] == (3, NOT_CLOSED)
    assert rows[-1] == (33, "good")


@pytest.mark.parametrize(
    "rows",
    [[cells(name='"Mug'), *[GOOD] * 20_000], *([row] * 20_000 for row in ('x","', '"', '","', cells(name='"Mug')))],
    ids=["one", "literal", "alone", "closing", "each"],
)
def test_no_line_is_read_more_than_twice(rows: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines_read = 0
    reader = csv.reader

    def counting_reader(texts: Iterable[str], **options: Any) -> Iterator[list[str]]:
        def counted() -> Iterator[str]:
            nonlocal lines_read
            for text in texts:
                lines_read += 1
                yield text

        return reader(counted(), **options)

    monkeypatch.setattr(csv, "reader", counting_reader)
    found = read(file(*rows, GOOD))

    assert lines_read <= 2 * (len(rows) + 2) + len(DELIMITERS)
    assert isinstance(found[-1], GoodRow)


# ----------------------------------------------------------------------------------------------------------------------
# Lines and headers
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        *(end.join([HEADER, GOOD, *last]) for end in ("\n", "\r\n") for last in ([""], ["", ""])),
        f"\ufeff{HEADER}\n{GOOD}",
        line(),
        f"\ufeff{line()}",
        f"  {line()}\r\n\r\n",
    ],
)
def test_format_is_detected_and_line_endings_accepted(content: str) -> None:
    assert [found.id for found in products(read(content))] == [7]


def test_json_array_is_not_a_catalogue() -> None:
    assert outcome(read(f"[{line()}]")) == [(1, "the line is not a JSON object")]


@pytest.mark.parametrize("blank", ["", "  ", ",,"])
def test_blank_lines_are_skipped_and_counted(blank: str) -> None:
    assert outcome(read(f"{blank}\n{HEADER}\n\n  \n{GOOD}\r\n\r\n,,,,,,,\nx\n")) == [
        (5, "good"),
        (8, "expected 8 fields, found 1"),
    ]


def test_file_without_rows_has_no_products() -> None:
    assert read(f"{HEADER}\n", Format.CSV) == read("", Format.JSONL) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *((content, "The file is empty") for content in (b"", b"\n\n", b"\xef\xbb\xbf")),
        *(
            (f"{HEADER}\n{GOOD}\n".encode(encoding), "pass --encoding utf-16-le")
            for encoding in ("utf-16-le", "utf-16-be", "utf-32-le")
        ),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16")[:-1], "The file is not valid UTF-16"),
        (HEADER.encode(), f"Cannot read the header: {CUT}"),
        (b"\xe9tat\n", f"Cannot read the header: {NOT_UTF_8}"),
        (f"{HEADER}\r{GOOD}\r".encode(), "Cannot read the header: a carriage return is not a line ending"),
        (b'"id,ref\n', "Cannot read the header: a quote is not closed"),
        (f"{GOOD}\n".encode(), "The header needs the column id, and has '7', 'MUG-7', 'Mug', 'https"),
        (HEADER.replace(",", "~").encode() + b"\n", "or pass --delimiter if another one was detected."),
        (HEADER.replace("stock", "stok").encode() + b"\n", "Unknown columns: 'stok'."),
        (f"id,,{HEADER[3:]}\n".encode(), "Unknown columns: 'column 2'."),
        (f"{HEADER},\x1b[2J{'x' * 99}\n".encode(), f"Unknown columns: '\\x1b[2J{'x' * 36}'."),
        (b"ref,name,price\n", "The header needs the column id"),
        (b"id\n7\n", "The header needs a column besides id"),
        *(
            (f"{HEADER},{name}\n".encode(), f"Repeated columns: 'price', {name.strip()!r}.")
            for name in ("price", "Price", " PRICE\u00a0")
        ),
    ],
)
def test_file_that_is_no_catalogue_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(CartctlError) as refused:
        read(content)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_extension_selects_the_format() -> None:
    assert {format_of(name) for name in ("a.csv", "/b/a.b.CSV", "a.csv.GZ")} == {Format.CSV}
    assert {format_of(name) for name in ("a.jsonl", "a.ndjson")} == {Format.JSONL}
    assert {format_of(name) for name in ("a.json", "csv", "-")} == {None}


# ----------------------------------------------------------------------------------------------------------------------
# Spreadsheets and other programs
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "ID,Ref,NAME,Price,Stock",
        ' id , Ref,\u00a0name\u00a0,"\ufeffPRICE ",stock\t',
        "\ufeffId,REF,Name,price,STOCK\u200b",
    ],
)
def test_column_names_match_in_any_case(header: str) -> None:
    assert products(read(f"{header}\n7,MUG-7,Mug,1250,3")) == [whole(OBJECT)]
    names = [name.strip('"') for name in header.removeprefix("\ufeff").split(",")]
    assert products(read(json.dumps(dict(zip(names, OBJECT.values(), strict=True))))) == [whole(OBJECT)]


@pytest.mark.parametrize(
    ("content", "ignored"),
    [
        ("id,Brand,price,,Colour \n7,Acme,1250,?,red", ["Brand", "column 4", "Colour"]),
        ('{"id": 7, "price": 1250, "Brand": 1}\n{"id": 8, "price": 1, "Brand": 2, " Colour": 3}', ["Brand", " Colour"]),
        ("\n".join(f'{{"id": 7, "price": 1, "field {number}": 1}}' for number in range(500)), None),
        ('{"id": 7, "price": 1, "\\ud800": 1}', ["?"]),
        ("Id,Price\n7,1250", []),
    ],
    ids=["csv", "jsonl", "many", "not Unicode", "none"],
)
def test_ignored_columns_are_listed(content: str, ignored: list[str] | None) -> None:
    file = CatalogueFile(io.BytesIO(f"{content}\n".encode()), CatalogueReading(ignore_unknown=True))

    assert [row for row in file if isinstance(row, BadRow)] == []
    assert file.ignored_columns == (ignored if ignored is not None else [f"field {number}" for number in range(100)])


def test_row_has_only_the_columns_of_the_file() -> None:
    assert read("stock,id\n,7") == [GoodRow(2, {"stock": None, "id": 7})]
    assert read('{"id": 7, "active": false}') == [GoodRow(1, {"id": 7, "active": False})]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("first", ["", "sep={}\r\n", '"SEP={}"\n', "\ufeffsep={}{}{}\n"])
def test_delimiter_is_detected(delimiter: str, first: str) -> None:
    name = "a,b;c|d"
    content = first.replace("{}", delimiter) + file(cells(name="NAME")).replace(",", delimiter)

    assert products(read(content.replace("NAME", f'"{name}"'))) == [MUG._replace(name=name)]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ('id,"ref;name;price;stock",price\n7,"a;b",1250', None),
        ("sep=;\nid,price\n7,1250", ","),
        ("id:price\n7:1250", ":"),
        ("sep=^\nid^price\n7^1250", None),
    ],
    ids=["in quotes", "forced", "other", "sep"],
)
def test_delimiter_may_be_named(content: str, delimiter: str | None) -> None:
    (found,) = read(content, delimiter=delimiter, ignore_unknown=True)

    assert isinstance(found, GoodRow)
    assert found.values == {"id": 7, "price": 1250}


@pytest.mark.parametrize("text", ["", ";;", "a", "7", '"', "\n", " "])
def test_no_delimiter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a delimiter: pass one character"):
        parse_delimiter(text)


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("id,price,,", "7,1250,,", "good"),
        ("id,price", "7,1250,, ,", "good"),
        ("id;price;;", "7;1250", "good"),
        ("id,price,,", "7,1250,,x", "expected 2 fields, found 4"),
        ("id,price", "7,,,5", "expected 2 fields, found 4"),
        ("id,price,stock", "7,1250", "expected 3 fields, found 2"),
    ],
)
def test_empty_cells_at_the_end_are_ignored(header: str, row: str, expected: str) -> None:
    assert outcome(read(f"{header}\n{row}\n\n{header[2] * 3}\n")) == [(2, expected)]


@pytest.mark.parametrize("last", [GOOD, cells(price="12"), "x", " ", ",,", cells(name='"Mug'), "7,MUG-7,Mug"])
def test_last_line_without_ending_is_bad(last: str) -> None:
    assert outcome(read(file(GOOD).encode() + last.encode())) == [(2, "good"), (3, CUT)]
    assert outcome(read(f"{line()}\n{last}".encode())) == [(1, "good"), (2, CUT)]


def test_last_json_line_without_ending_is_bad() -> None:
    assert outcome(read(line().encode())) == [(1, CUT)]
    assert outcome(read(f"{file(GOOD)}{GOOD}\r".encode())) == [(2, "good"), (3, CUT)]


@pytest.mark.parametrize(
    ("encoding", "option"),
    [("cp1252", "cp1252"), ("utf-16", None), ("utf-32", None), ("utf-16-be", "utf-16-be"), ("utf-8-sig", "cp1252"),
     ("shift_jis", "shift_jis"), ("cp037", "cp037")],
)  # fmt: skip
def test_encoding_may_be_named(encoding: str, option: str | None) -> None:
    name = "カップ" if encoding == "shift_jis" else "Käse"

    assert products(read(file(cells(name=name)).encode(encoding), encoding=option)) == [MUG._replace(name=name)]


def test_unknown_encoding_is_refused() -> None:
    for name in ("klingon", "rot13", "a\0b"):
        with pytest.raises(ValueError, match="is not an encoding: pass utf-8, cp1252"):
            parse_encoding(name)


AMBIGUOUS = "price '{}' may mean {} or {}: write the decimals after a point, and no separators of thousands"
TOO_MANY = "price '{}' has too many decimals: the shop's currency has {}"
NO_AMOUNT = "price {} is not a decimal amount: write it as {}, without a currency and without separators of thousands"


@pytest.mark.parametrize(
    ("digits", "text", "expected"),
    [
        *((2, text, 1290) for text in ("12.90", "12,90", "12.9", " 12,9 ", "+12.90", "0012.90")),
        *((2, text, 1200) for text in ("12", "12.0")),
        *((2, text, 5) for text in ("0.05", "0,05")),
        *((0, text, 1290) for text in ("1290", "01290")),
        *((3, text, amount) for text, amount in (("1.234", 1234), ("0,234", 234), ("1.2", 1200), ("1,23", 1230))),
        *((digits, "1,234", AMBIGUOUS.format("1,234", "1234", "1.234")) for digits in (0, 2, 3)),
        (2, "12.900", TOO_MANY.format("12.900", "at most 2 decimals")),
        *((0, text, TOO_MANY.format(text, "no decimals")) for text in ("12.9", "1.290", "12,0")),
        *(
            (2, text, NO_AMOUNT.format(repr(text), "12.90"))
            for text in (
                "",
                "x",
                "1.290,00",
                "1,290.00",
                "1 290",
                "1'290",
                "€12.90",
                "12.90 EUR",
                "12.",
                ".5",
                "1e3",
                "٣",
            )
        ),
        (0, "¥1290", NO_AMOUNT.format(repr("¥1290"), "1290")),
        (2, "-1", f"price must be an integer from 0 to {limits.PRODUCT_PRICE} minor units"),
        (2, "9" * 18, f"price must be an integer from 0 to {limits.PRODUCT_PRICE} minor units"),
    ],
)
def test_major_price_is_read(digits: int, text: str, expected: int | str) -> None:
    (found,) = read(f"id;price\n7;{text}", digits=digits)
    (in_json,) = read(json.dumps({"id": 7, "price": text}), digits=digits)

    reasons = found.values["price"] if isinstance(found, GoodRow) else found.reasons[0]
    assert reasons == expected
    assert in_json == type(found)(1, *([found.values] if isinstance(found, GoodRow) else [found.reasons]))


@pytest.mark.parametrize(
    ("digits", "number", "expected"),
    [(2, "12.9", 1290), (2, "12.900", 1290), (2, "12", 1200), (0, "1290.0", 1290), (3, "1.234", 1234),
     (2, "12.899999999999999", None), (0, "12.9", None), (2, "1e99999", None), (2, "true", None), (2, "null", None)],
)  # fmt: skip
def test_major_price_is_a_json_number(digits: int, number: str, expected: int | None) -> None:
    (found,) = read(f'{{"id": 7, "discount": {number}}}', digits=digits)

    assert (found.values["discount"] if isinstance(found, GoodRow) else None) == expected


FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "'=1", "''", "'", "＝1"]  # noqa: RUF001 - a formula in Japan


def test_spreadsheet_has_no_formulas() -> None:
    originals = [MUG._replace(ref=text, name=text, image=None) for text in [*FORMULAS, "a;=1", "a,'|=1"]]
    content = b"".join(written([*originals, MUG], Format.CSV, spreadsheet=True))

    assert content.startswith(codecs.BOM_UTF8)
    shown = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["name"] for row in shown] == [*(f"'{text}" for text in FORMULAS), "a;'=1", "a,''|'=1", "Mug"]
    assert products(read(content, spreadsheet=True)) == [*originals, MUG]
    assert products(read(content))[0].name == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    ("digits", "form", "text"),
    [
        (2, Format.CSV, b",12.50,2.50,"),
        (0, Format.CSV, b",1250,250,"),
        (3, Format.CSV, b",1.250,0.250,"),
        (2, Format.JSONL, b'"price": 12.5, "discount": 2.5'),
        (0, Format.JSONL, b'"price": 1250, "discount": 250'),
    ],
)
def test_major_prices_are_written(digits: int, form: Format, text: bytes) -> None:
    content = b"".join(written([MUG], form, digits=digits))

    assert text in content
    assert products(read(content, digits=digits)) == [MUG]


# ----------------------------------------------------------------------------------------------------------------------
# Any products and any bytes
# ----------------------------------------------------------------------------------------------------------------------

plain = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in [*range(32), 127]])
texts = st.text(plain | st.sampled_from([*",\"; \\'=+-@", "\u2028", "\x85", "\ufeff"]), max_size=16).map("x{}x".format)
addresses = st.text(st.sampled_from("abc:/?&=,;'#ä"), max_size=16).map("/img".__add__)
counts = st.integers(0, limits.MAX_SAFE_INTEGER)
prices = st.tuples(st.integers(0, limits.PRODUCT_PRICE), st.integers(0, limits.PRODUCT_PRICE)).map(sorted)
any_products = st.builds(
    lambda amounts, **values: Product(discount=amounts[0], price=amounts[1], **values),
    amounts=prices, id=counts, ref=texts, name=texts, image=st.none() | addresses, stock=st.none() | counts,
    active=st.booleans(),
)  # fmt: skip


@given(
    original=st.lists(any_products, max_size=5),
    form=st.sampled_from(Format),
    digits=st.sampled_from([None, 0, 2, 3]),
    spreadsheet=st.booleans(),
)
def test_written_products_are_read_without_loss(
    *, original: list[Product], form: Format, digits: int | None, spreadsheet: bool
) -> None:
    content = b"".join(written(original, form, digits=digits, spreadsheet=spreadsheet))

    assert products(read(content, form, digits=digits, spreadsheet=spreadsheet)) == original


unquoted = st.text(st.characters(exclude_characters='"\n'), max_size=40)


@given(st.lists(any_products, max_size=5), st.sampled_from(Format), unquoted, st.data())
def test_inserted_line_harms_no_other(original: list[Product], form: Format, line: str, data: st.DataObject) -> None:
    lines = list(written(original, form))
    position = data.draw(st.integers(1 if form is Format.CSV else 0, len(lines)))
    lines.insert(position, line.encode(errors="surrogatepass") + b"\n")

    assert [whole(row.values) for row in read(b"".join(lines), form) if isinstance(row, GoodRow)] == original


@given(content=st.binary(max_size=200), form=st.sampled_from([None, *Format]), header=st.booleans())
def test_any_bytes_are_read_or_refused(*, content: bytes, form: Format | None, header: bool) -> None:
    try:
        rows = read(f"{HEADER}\n".encode() + content if header else content, form)
    except CartctlError:
        return
    assert [row.line for row in rows] == sorted({row.line for row in rows})


def test_memory_does_not_grow_with_the_rows() -> None:
    class LongFile(io.RawIOBase):
        def __init__(self, rows: int) -> None:
            self.lines: Iterator[bytes] = iter([f"{HEADER}\n".encode(), *[f"{GOOD}\n".encode()] * rows])

        def read1(self, _size: int) -> bytes:
            return next(self.lines, b"")

    def peak(rows: int) -> int:
        file = LongFile(rows)
        tracemalloc.start()
        found = CatalogueFile(file, CatalogueReading())  # type: ignore[arg-type] # only read1 is called
        lines = written((whole(row.values) for row in found if isinstance(row, GoodRow)), Format.JSONL)
        assert sum(1 for _ in lines) == rows
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(5_000) < peak(500) + 50_000
