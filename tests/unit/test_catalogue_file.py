"""Catalogue files: good and bad rows of both formats, and writing."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartctl import catalogue_file
from cartctl.catalogue_file import ROW_BYTES, BadRow, Format, GoodRow, Row
from cartctl.catalogue_import import merged
from cartctl.errors import CartctlError
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from tests.support.builders import product, without

HEADER = "id,ref,name,image,price,discount,stock,active"
GOOD = "7,MUG-7,Mug,https://img.example/7.jpg,1250,250,3,true"
MUG = Product(7, "MUG-7", "Mug", "https://img.example/7.jpg", 1250, 250, 3, active=True)
OBJECT: dict[str, Any] = {"id": 7, "ref": "MUG-7", "name": "Mug", "price": 1250, "stock": 3}
MONEY = "amounts are in minor units, 1250 means 12.50"
TOO_LONG = "the line is longer than 1,048,576 bytes"
NOT_UTF_8 = "the line is not UTF-8"
NO_JSON = "the line cannot be read as JSON: "


def read(content: str | bytes, form: Format | None = None, *, ignore_unknown: bool = False) -> list[Row]:
    data = content if isinstance(content, bytes) else content.encode()
    return list(catalogue_file.read(io.BytesIO(data), form, ignore_unknown=ignore_unknown))


def file(*rows: str, header: str = HEADER) -> str:
    """Return a CSV file."""
    return "".join(f"{row}\n" for row in (header, *rows))


def products(rows: Iterable[Row]) -> list[Product]:
    """Return the products of rows, which must be good."""
    rows = list(rows)
    assert [row for row in rows if isinstance(row, BadRow)] == []
    return [new(row) for row in rows if isinstance(row, GoodRow)]


def new(row: GoodRow) -> Product:
    product, faults = merged(None, row.values)
    assert product, faults
    return product


def outcome(rows: Iterable[Row]) -> list[tuple[int, str]]:
    """Return the line of each row, and its faults as a new product."""
    reasons = ((row, merged(None, row.values)[1] if isinstance(row, GoodRow) else row.reasons) for row in rows)
    return [(row.line, "; ".join(faults) or "good") for row, faults in reasons]


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
        *((cells(stock=text), {"stock": stock}) for text, stock in (("", None), (" ", None), ("0", 0))),
        (cells(discount=""), {"discount": 0}),
        *((cells(price=text), {"price": 1250}) for text in (" +1250 ", "0001250")),
        (cells(price=str(limits.PRODUCT_PRICE)), {"price": limits.PRODUCT_PRICE}),
        (cells(id=str(2**53 - 1)), {"id": 2**53 - 1}),
        (cells(active="FALSE"), {"active": False}),
        (cells(active=" True"), {"active": True}),
        (cells(name='TV 27"'), {"name": 'TV 27"'}),
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
        *((cells(stock=stock), "stock must be an integer") for stock in ("many", "1.5")),
        *((cells(price=text), f"price must be an integer: {MONEY}") for text in ("", "12.50", "1e3", "€ 12")),
        (cells(discount="2.50"), f"discount must be an integer: {MONEY}"),
        *((cells(active=active), "active must be true or false") for active in ("", "yes")),
        # Two bounds; tests/unit/test_catalogue.py has all of them.
        (cells(id="-1"), "id must be an integer from 0 to 2^53-1"),
        (cells(name="a\0b"), "ref and name must have no control characters"),
        # Two faults
        (cells(id="x", price="12.50"), f"id must be an integer; price must be an integer: {MONEY}"),
        (cells(ref="", name=""), "ref must have 1 to 64 bytes; name must have 1 to 255 characters"),
        # Other numbers of fields
        ("7,MUG-7,Mug", "expected 8 fields, found 3"),
        (f"{GOOD},", "expected 8 fields, found 9"),
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
        (line(name="\ud800"), "name must have at most 512 bytes"),
        (line(name="a\nb"), "ref and name must have no control characters"),
        # Other fields
        (json.dumps(without(OBJECT, "stock")), "product 7 is new, and a new product needs stock"),
        ("{}", "id is missing"),
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
    json_file = f"{line()}\n".encode() + line(name="K_se").encode().replace(b"_", b"\xe4")

    assert outcome(read(csv_file)) == [(2, "good"), (3, NOT_UTF_8), (4, "good")]
    assert outcome(read(json_file)) == [(1, "good"), (2, NOT_UTF_8)]


def test_quoted_field_may_span_lines() -> None:
    assert outcome(read(file(cells(name='"a\nb\r\nc"'), GOOD))) == [
        (2, "ref and name must have no control characters"),
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

    assert lines_read <= 2 * (len(rows) + 2)
    assert isinstance(found[-1], GoodRow)


# ----------------------------------------------------------------------------------------------------------------------
# Lines and headers
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        *(end.join([HEADER, GOOD, *last]) for end in ("\n", "\r\n") for last in ([], [""])),
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
            (f"{HEADER}\n{GOOD}".encode(encoding), "The file is in UTF-16: save it as UTF-8.")
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
        ),
        (b"\xe9tat\n", f"Cannot read the header: {NOT_UTF_8}"),
        (f"{HEADER}\r{GOOD}\r".encode(), "Cannot read the header: a carriage return is not a line ending"),
        (b'"id,ref\n', "Cannot read the header: a quote is not closed"),
        (f"{GOOD}\n".encode(), "Unknown columns: '7', 'MUG-7', 'Mug', 'https://img.example/7.jpg', '1250'."),
        (HEADER.replace(",", ";").encode(), "separated by commas"),
        (HEADER.replace("stock", "stok").encode(), "Unknown columns: 'stok'."),
        (f"{HEADER},".encode(), "Unknown columns: ''."),
        (f"{HEADER},\x1b[2J{'x' * 99}".encode(), f"Unknown columns: '\\x1b[2J{'x' * 36}'."),
        (b"ref,name,price,stock\n", "Missing column: id."),
        (b"id\n", "There is no column besides id."),
        (f"{HEADER},id,price".encode(), "Repeated columns: id, price."),
    ],
)
def test_file_that_is_no_catalogue_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(CartctlError) as refused:
        read(content)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_extension_selects_the_format() -> None:
    assert {catalogue_file.format_of(name) for name in ("a.csv", "/b/a.b.CSV")} == {Format.CSV}
    assert {catalogue_file.format_of(name) for name in ("a.jsonl", "a.ndjson")} == {Format.JSONL}
    assert {catalogue_file.format_of(name) for name in ("a.json", "csv", "-")} == {None}


# ----------------------------------------------------------------------------------------------------------------------
# Any products and any bytes
# ----------------------------------------------------------------------------------------------------------------------

plain = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in [*range(32), 127]])
texts = st.text(plain | st.sampled_from([*',"; \\', "\u2028", "\x85", "\ufeff"]), min_size=1, max_size=16)
addresses = st.text(st.sampled_from("abc:/?&=,;'#ä\u2028"), min_size=1, max_size=16)
counts = st.integers(0, limits.MAX_SAFE_INTEGER)
prices = st.tuples(st.integers(0, limits.PRODUCT_PRICE), st.integers(0, limits.PRODUCT_PRICE)).map(sorted)
any_products = st.builds(
    lambda amounts, **values: Product(discount=amounts[0], price=amounts[1], **values),
    amounts=prices, id=counts, ref=texts, name=texts, image=st.none() | addresses, stock=st.none() | counts,
    active=st.booleans(),
)  # fmt: skip


@given(st.lists(any_products, max_size=5), st.sampled_from(Format))
def test_written_products_are_read_without_loss(written: list[Product], form: Format) -> None:
    assert products(read(b"".join(catalogue_file.written(written, form)), form)) == written


unquoted = st.text(st.characters(exclude_characters='"\n'), max_size=40)


@given(st.lists(any_products, max_size=5), st.sampled_from(Format), unquoted, st.data())
def test_inserted_line_harms_no_other(written: list[Product], form: Format, line: str, data: st.DataObject) -> None:
    lines = list(catalogue_file.written(written, form))
    position = data.draw(st.integers(1 if form is Format.CSV else 0, len(lines)))
    lines.insert(position, line.encode(errors="surrogatepass") + b"\n")

    assert [new(row) for row in read(b"".join(lines), form) if isinstance(row, GoodRow)] == written


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

        def readline(self, _size: int | None = -1, /) -> bytes:
            return next(self.lines, b"")

    def peak(rows: int) -> int:
        file = LongFile(rows)
        tracemalloc.start()
        found = catalogue_file.read(file, None)  # type: ignore[arg-type] # only readline is called
        lines = catalogue_file.written((new(row) for row in found if isinstance(row, GoodRow)), Format.JSONL)
        assert sum(1 for _ in lines) == rows
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(5_000) < peak(500) + 50_000
