"""Catalogue files: what a row may say, what a bad one is told, and that what is written is read again."""

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
from cartctl.errors import CartctlError
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from tests.support.builders import product, without

HEADER = "id,ref,name,image,price,discount,stock,active"
GOOD = "7,MUG-7,Mug,https://img.example/7.jpg,1250,250,3,true"
MUG = Product(7, "MUG-7", "Mug", "https://img.example/7.jpg", 1250, 250, 3, active=True)
OBJECT: dict[str, Any] = {"id": 7, "ref": "MUG-7", "name": "Mug", "price": 1250, "stock": 3}


def read(content: str | bytes, form: Format | None = None, *, ignore_unknown: bool = False) -> list[Row]:
    data = content if isinstance(content, bytes) else content.encode()
    return list(catalogue_file.read(io.BytesIO(data), form, ignore_unknown=ignore_unknown))


def file(*rows: str, header: str = HEADER) -> str:
    """Return a file of CSV."""
    return "".join(f"{row}\n" for row in (header, *rows))


def products(rows: Iterable[Row]) -> list[Product]:
    """Return the products of rows that are all good."""
    found = list(rows)
    assert [row for row in found if isinstance(row, BadRow)] == []
    return [row.product for row in found if isinstance(row, GoodRow)]


def outcome(rows: Iterable[Row]) -> list[tuple[int, str]]:
    """Say of each row where it begins, and what is wrong with it or that it is good."""
    return [(row.line, "good" if isinstance(row, GoodRow) else "; ".join(row.reasons)) for row in rows]


def cells(**changes: str) -> str:
    """Return a row of CSV, some of whose fields are others."""
    return ",".join((dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | changes).values())


def line(**changes: Any) -> str:
    """Return a row of JSON Lines, some of whose fields are others."""
    return json.dumps(OBJECT | changes)


# ----------------------------------------------------------------------------------------------------------------------
# CSV
# ----------------------------------------------------------------------------------------------------------------------


def test_a_row_of_csv_is_a_product() -> None:
    assert products(read(file(GOOD))) == [MUG]


def test_columns_come_in_any_order_and_image_discount_and_active_may_be_left_out() -> None:
    assert products(read("stock, price ,name,ref,id\n3,1250,Mug,MUG-7,7")) == [
        Product(7, "MUG-7", "Mug", None, 1250, 0, 3, active=True)
    ]


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"image": ""}, "image", None),
        ({"stock": ""}, "stock", None),
        ({"stock": " "}, "stock", None),
        ({"stock": "0"}, "stock", 0),
        ({"discount": ""}, "discount", 0),
        ({"price": " +1250 "}, "price", 1250),
        ({"price": "0001250"}, "price", 1250),
        ({"price": str(limits.PRODUCT_PRICE)}, "price", limits.PRODUCT_PRICE),
        ({"id": str(2**53 - 1)}, "id", 2**53 - 1),
        ({"active": "FALSE"}, "active", False),
        ({"active": " True"}, "active", True),
        ({"name": '"Mug, ""white"""'}, "name", 'Mug, "white"'),
        ({"name": 'TV 27"'}, "name", 'TV 27"'),
        ({"name": " Käse\u2028🎁 "}, "name", " Käse\u2028🎁 "),
    ],
)
def test_a_field_is_read_as_it_is_meant(changes: dict[str, str], field: str, value: object) -> None:
    (found,) = products(read(file(cells(**changes))))

    assert getattr(found, field) == value


MONEY = "money is in minor units, 1250 being 12.50"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        # Wrong types
        (cells(id=""), "id must be an integer"),
        (cells(id="seven"), "id must be an integer"),
        (cells(id="7.0"), "id must be an integer"),
        (cells(id="\u0667"), "id must be an integer"),
        (cells(id="1_000"), "id must be an integer"),
        (cells(id="7\t"), "id must be an integer"),
        (cells(id="- 7"), "id must be an integer"),
        (cells(id="+"), "id must be an integer"),
        (cells(id="7" * 5_000), "id must be an integer"),
        (cells(stock="many"), "stock must be an integer"),
        (cells(stock="1.5"), "stock must be an integer"),
        (cells(price=""), f"price must be an integer: {MONEY}"),
        (cells(price="12.50"), f"price must be an integer: {MONEY}"),
        (cells(price="1e3"), f"price must be an integer: {MONEY}"),
        (cells(price="€ 12"), f"price must be an integer: {MONEY}"),
        (cells(discount="2.50"), f"discount must be an integer: {MONEY}"),
        (cells(active=""), "active must be true or false"),
        (cells(active="yes"), "active must be true or false"),
        # Past the bounds
        (cells(id="-1"), "id must be an integer from 0 to 2^53-1"),
        (cells(id=str(2**53)), "id must be an integer from 0 to 2^53-1"),
        (cells(ref=""), "ref must have 1 to 64 bytes"),
        (cells(ref="ä" * 33), "ref must have 1 to 64 bytes"),
        (cells(name=""), "name must have 1 to 255 characters"),
        (cells(name="🎁" * 129), "name must have at most 512 bytes"),
        (cells(image="x" * 513), "image must have at most 512 bytes"),
        (cells(image="a b"), "image must be an address, without spaces, quotes or backslashes"),
        (cells(price="-1", discount="0"), f"price must be an integer from 0 to {limits.PRODUCT_PRICE}"),
        (cells(price=str(limits.PRODUCT_PRICE + 1)), f"price must be an integer from 0 to {limits.PRODUCT_PRICE}"),
        (cells(discount="-1"), "discount must be an integer from 0 to the price"),
        (cells(discount="1251"), "discount must be an integer from 0 to the price"),
        (cells(stock="-1"), "stock must be an integer from 0 to 2^53-1, or nothing"),
        (cells(name="a\0b"), "ref and name must have no control characters"),
        # More than one thing
        (cells(id="x", price="12.50"), f"id must be an integer; price must be an integer: {MONEY}"),
        (cells(ref="", name=""), "ref must have 1 to 64 bytes; name must have 1 to 255 characters"),
        # Not the header's fields
        ("7,MUG-7,Mug", "the row has 3 fields and the header 8"),
        (f"{GOOD},", "the row has 9 fields and the header 8"),
        (cells(name="Mug, white"), "the row has 9 fields and the header 8"),
        # No CSV
        (cells(name='"Mug" white'), "',' expected after '\"'"),
        (cells(name="a\rb"), "a carriage return ends no line here: end lines as Windows or Unix do"),
        (cells(name="x" * 140_000), "field larger than field limit (131072)"),
        (cells(name="x" * ROW_BYTES), "the line is longer than 1,048,576 bytes"),
        (cells(name="x" * 3 * ROW_BYTES), "the line is longer than 1,048,576 bytes"),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_line_and_the_rows_around_it_are_read(row: str, reason: str) -> None:
    assert outcome(read(file(GOOD, row, GOOD))) == [(2, "good"), (3, reason), (4, "good")]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_row_in_another_encoding_is_bad_and_those_in_ascii_are_read(encoding: str) -> None:
    rows = read(file(GOOD, cells(name="Käse"), GOOD).encode(encoding))

    assert outcome(rows) == [(2, "good"), (3, "the line is not UTF-8"), (4, "good")]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert products(read(file(GOOD).encode("utf-8-sig"))) == [MUG]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["Unix", "Windows"])
def test_lines_end_as_unix_or_windows_end_them_and_the_last_need_not(end: str) -> None:
    assert products(read(end.join([HEADER, GOOD, GOOD]))) == [MUG, MUG]
    assert products(read(end.join([HEADER, GOOD, GOOD, ""]))) == [MUG, MUG]


def test_blank_lines_are_left_out_and_counted_as_lines() -> None:
    assert outcome(read(f"\n{HEADER}\n\n  \n{GOOD}\r\n\r\n,,,,,,,\nx\n")) == [
        (5, "good"),
        (8, "the row has 1 fields and the header 8"),
    ]


def test_a_quoted_field_may_hold_line_ends_and_the_row_is_told_by_its_first_line() -> None:
    rows = read(file(cells(name='"a\nb\r\nc"'), GOOD))

    assert outcome(rows) == [
        (2, "ref and name must have no control characters; a quoted field reaches from line 2 to line 4"),
        (5, "good"),
    ]


def test_an_ignored_field_may_reach_over_lines() -> None:
    rows = read(f'{HEADER},description\n{GOOD},"one\n\n{GOOD},two"\n{GOOD},\n', ignore_unknown=True)

    assert outcome(rows) == [(2, "good"), (5, "good")]


@pytest.mark.parametrize(
    "bad",
    [cells(name='"Mug'), cells(image='"'), cells(active='"true')],
    ids=["name", "image", "active"],
)
def test_a_quote_that_is_never_closed_swallows_no_other_row(bad: str) -> None:
    rows = outcome(read(file(GOOD, bad, GOOD, GOOD)))

    assert [(number, told == "good") for number, told in rows] == [(2, True), (3, False), (4, True), (5, True)]
    assert rows[1][1].startswith("a quote is not closed as it should be (lines 3 to 5 were tried together): ")


def test_a_quote_that_only_a_later_row_closes_swallows_no_other_row() -> None:
    rows = outcome(read(file(cells(name='"Mug'), GOOD, cells(name='"Mug, white"'), GOOD)))

    assert [(number, told == "good") for number, told in rows] == [(2, False), (3, True), (4, True), (5, True)]
    assert "(lines 2 to 4 were tried together)" in rows[0][1]


def test_a_bad_line_within_a_quoted_field_is_told_once_as_its_own() -> None:
    rows = outcome(read(file(cells(name='"a'), "ÿ", GOOD).encode("latin-1")))

    assert [number for number, _ in rows] == [2, 3, 4]
    assert "(lines 2 to 3 were tried together): the line is not UTF-8" in rows[0][1]
    assert [told for _, told in rows[1:]] == ["the line is not UTF-8", "good"]


def test_a_quote_that_is_not_closed_swallows_no_row_over_several_lines_either() -> None:
    bad, whole, good = cells(active='"true') + ",", f'{GOOD},"one\ntwo"', f"{GOOD},"
    content = file(bad, good, whole, good, header=f"{HEADER},description")

    assert [(number, told == "good") for number, told in outcome(read(content, ignore_unknown=True))] == [
        (2, False),
        (3, True),
        (4, True),
        (6, True),
    ]


def test_a_row_of_too_many_lines_is_given_up() -> None:
    endless = f'{"x" * 60_000}","{"x" * 60_000}'
    rows = outcome(read(file('"', *[endless] * 30, GOOD)))

    assert rows[0][1].endswith(": the row is longer than 1,048,576 bytes")
    assert rows[1] == (3, "a quote is not closed on its line")
    assert rows[-1] == (33, "good")


@pytest.mark.parametrize(
    "rows",
    [
        [cells(name='"Mug'), *[GOOD] * 20_000],
        ['x","'] * 20_000,
        ['"'] * 20_000,
        ['","'] * 20_000,
        [cells(name='"Mug')] * 20_000,
    ],
    ids=["one", "literal", "alone", "closing", "each"],
)
def test_no_quotes_take_time_that_grows_with_the_square_of_the_rows(
    rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = 0

    def counted(texts: Iterable[str], **how: Any) -> Iterator[list[str]]:
        def counting() -> Iterator[str]:
            nonlocal handed
            for text in texts:
                handed += 1
                yield text

        return reader(counting(), **how)

    reader = csv.reader
    monkeypatch.setattr(csv, "reader", counted)
    found = read(file(*rows, GOOD))

    assert handed <= 3 * len(rows)
    assert isinstance(found[-1], GoodRow)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The file is empty"),
        (b"\n\n", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (f"{HEADER}\n{GOOD}".encode("utf-16"), "The file is in UTF-16: save it as UTF-8."),
        (f"{HEADER}\n{GOOD}".encode("utf-16-le"), "The file is in UTF-16: save it as UTF-8."),
        (f"{HEADER}\n{GOOD}".encode("utf-16-be"), "The file is in UTF-16: save it as UTF-8."),
        (f"{HEADER}\n{GOOD}".encode("utf-32"), "The file is in UTF-16: save it as UTF-8."),
        (b"\xe9tat\n", "The header cannot be read: the line is not UTF-8"),
        (f"{HEADER}\r{GOOD}\r".encode(), "The header cannot be read: a carriage return ends no line here"),
        (b'"id,ref\n', "The header cannot be read"),
        (f"{GOOD}\n".encode(), "Unknown in the header: '7', 'MUG-7', 'Mug', 'https://img.example/7.jpg', '1250'."),
        (HEADER.replace(",", ";").encode(), "with commas between them"),
        (HEADER.replace("stock", "stok").encode(), "Unknown in the header: 'stok'."),
        (f"{HEADER},".encode(), "Unknown in the header: ''."),
        (f"{HEADER},\x1b[2J{'x' * 99}".encode(), f"Unknown in the header: '\\x1b[2J{'x' * 36}'."),
        (b"id,ref,name,price\n", "The header lacks stock."),
        (b"id,ref,name,price\n", "An empty stock means no limit."),
        (b"id,ref,stock\n", "The header lacks name, price."),
        (f"{HEADER},id,price".encode(), "The header has id, price more than once."),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_what_to_do(content: bytes, told: str) -> None:
    with pytest.raises(CartctlError) as refused:
        read(content)

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_header_alone_is_a_catalogue_without_products() -> None:
    assert read(f"{HEADER}\n") == []


def test_columns_of_other_names_are_left_out_where_that_is_asked_for() -> None:
    header, row = "id,ref,brand,name,,price,brand,stock", "7,MUG-7,Acme,Mug,?,1250,Acme,3"

    assert products(read(f"{header}\n{row}\n", ignore_unknown=True)) == [product(
        7, ref="MUG-7", name="Mug", image=None, price=1250, discount=0, stock=3
    )]  # fmt: skip


def test_a_misspelt_required_column_is_missed_even_where_others_are_left_out() -> None:
    with pytest.raises(CartctlError, match=r"^The header lacks stock\."):
        read(HEADER.replace("stock", "stok"), ignore_unknown=True)


# ----------------------------------------------------------------------------------------------------------------------
# JSON Lines
# ----------------------------------------------------------------------------------------------------------------------


def test_a_row_of_json_lines_is_a_product() -> None:
    whole = line(image="https://img.example/7.jpg", discount=250, active=True)

    assert products(read(f"{whole}\n")) == [MUG]


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({}, "image", None),
        ({}, "discount", 0),
        ({}, "active", True),
        ({"image": None}, "image", None),
        ({"image": ""}, "image", None),
        ({"stock": None}, "stock", None),
        ({"active": False}, "active", False),
        ({"price": 1250.0}, "price", 1250),
        ({"name": "a\u2028ä🎁"}, "name", "a\u2028ä🎁"),
    ],
)
def test_a_json_field_is_read_as_it_is_meant(changes: dict[str, Any], field: str, value: object) -> None:
    (found,) = products(read(f"{line(**changes)}\n"))

    assert getattr(found, field) == value
    assert type(getattr(found, field)) is type(value)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        # Wrong types
        (line(id="7"), "id must be an integer"),
        (line(id=True), "id must be an integer"),
        (line(id=None), "id must be an integer"),
        (line(id=7.5), "id must be an integer"),
        (line(id=[7]), "id must be an integer"),
        (line().replace("7,", "1e99999999,", 1), "id must be an integer"),
        (line(ref=7), "ref must be a text"),
        (line(name=None), "name must be a text"),
        (line(image=7), "image must be a text"),
        (line(price=12.5), f"price must be an integer: {MONEY}"),
        (line().replace("1250", "0.99999999999999999999999"), f"price must be an integer: {MONEY}"),
        (line(price="1250"), f"price must be an integer: {MONEY}"),
        (line(discount=None), f"discount must be an integer: {MONEY}"),
        (line(stock=False), "stock must be an integer"),
        (line(active=1), "active must be true or false"),
        (line(active="true"), "active must be true or false"),
        (line(active=None), "active must be true or false"),
        # Past the bounds
        (line(id=-1), "id must be an integer from 0 to 2^53-1"),
        (line(id=2**53), "id must be an integer from 0 to 2^53-1"),
        (line(name="\ud800"), "name must have at most 512 bytes"),
        (line(name="a\nb"), "ref and name must have no control characters"),
        (line(name="a\0b"), "ref and name must have no control characters"),
        (line(price=-1), f"price must be an integer from 0 to {limits.PRODUCT_PRICE}"),
        (line(discount=1251), "discount must be an integer from 0 to the price"),
        # Not the product's fields
        (json.dumps(without(OBJECT, "stock")), "stock is missing"),
        ("{}", "id is missing; ref is missing; name is missing; price is missing; stock is missing"),
        (line(stok=3), "'stok' is not a field of a product"),
        (line(**{"\ud800\n" + "x" * 99: 3}), f"'\\ud800\\n{'x' * 38}' is not a field of a product"),
        (line()[:-1] + ', "price": 1}', "the line is not JSON that can be taken: 'price' stands there twice"),
        # No JSON
        ("[]", "the line is not a JSON object"),
        ("7", "the line is not a JSON object"),
        (GOOD, "the line is not JSON: Extra data at character 2"),
        (line()[:-1], "the line is not JSON: Expecting ',' delimiter at character 68"),
        (line() + ",", "the line is not JSON: Extra data at character 68"),
        (line(price=float("nan")), "the line is not JSON that can be taken: NaN is not JSON"),
        (line(price=float("inf")), "the line is not JSON that can be taken: Infinity is not JSON"),
        (line(name="x" * ROW_BYTES), "the line is longer than 1,048,576 bytes"),
    ],
    ids=lambda text: text[:60],
)
def test_a_bad_row_of_json_is_told_with_its_line_and_those_around_it_are_read(row: str, reason: str) -> None:
    assert outcome(read(f"{line()}\n{row}\n{line()}\n", Format.JSONL)) == [(1, "good"), (2, reason), (3, "good")]


@pytest.mark.parametrize(
    "row",
    [f'{{"id": {"7" * 5_000}}}', f'{{"id": {"[" * 200_000}', f'{{"id": {"7" * 5_000}.5e{"9" * 30}}}'],
    ids=["digits", "brackets", "exponent"],
)
def test_json_that_would_be_too_much_to_read_is_a_bad_row(row: str) -> None:
    ((number, told), good) = outcome(read(f"{row}\n{line()}\n", Format.JSONL))

    assert (number, good) == (1, (2, "good"))
    assert told.startswith("the line is not JSON that can be taken: ")


def test_json_in_another_encoding_is_a_bad_row() -> None:
    content = line().encode() + b"\n" + line(name="K_se").encode().replace(b"_", b"\xe4") + b"\n"

    assert outcome(read(content)) == [(1, "good"), (2, "the line is not UTF-8")]


def test_fields_of_other_names_are_left_out_of_json_where_that_is_asked_for() -> None:
    assert outcome(read(line(brand={"a": [1.5]}), ignore_unknown=True)) == [(1, "good")]


def test_json_lines_without_lines_is_a_catalogue_without_products() -> None:
    assert read("", Format.JSONL) == []


# ----------------------------------------------------------------------------------------------------------------------
# Formats
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [line(), f"\ufeff{line()}", f"  {line()}\r\n\r\n", f"{HEADER}\n{GOOD}", f"\ufeff{HEADER}\n{GOOD}"]
)
def test_the_first_character_tells_the_format_where_nothing_else_does(content: str) -> None:
    assert [it.id for it in products(read(content))] == [7]


def test_a_json_array_is_told_to_be_none_of_both() -> None:
    assert outcome(read(f"[{line()}]")) == [(1, "the line is not a JSON object")]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", Format.CSV),
        ("/b/a.b.CSV", Format.CSV),
        ("a.jsonl", Format.JSONL),
        ("a.ndjson", Format.JSONL),
        ("a.json", None),
        ("csv", None),
        ("-", None),
    ],
)
def test_a_file_is_named_for_its_format(name: str, form: Format | None) -> None:
    assert catalogue_file.format_of(name) is form


# ----------------------------------------------------------------------------------------------------------------------
# What is written is read again
# ----------------------------------------------------------------------------------------------------------------------

plain = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in [*range(32), 127]])
texts = st.text(plain | st.sampled_from([*',"; \\', "\u2028", "\x85", "\ufeff"]), min_size=1, max_size=16)
addresses = st.text(st.sampled_from("abc:/?&=,;'#ä\u2028"), min_size=1, max_size=16)
counts = st.integers(0, limits.MAX_SAFE_INTEGER)


@st.composite
def any_products(draw: st.DrawFn) -> Product:
    price = draw(st.integers(0, limits.PRODUCT_PRICE))
    return Product(
        id=draw(counts),
        ref=draw(texts),
        name=draw(texts),
        image=draw(st.none() | addresses),
        price=price,
        discount=draw(st.integers(0, price)),
        stock=draw(st.none() | counts),
        active=draw(st.booleans()),
    )


@given(st.lists(any_products(), max_size=5), st.sampled_from(Format))
def test_what_is_written_is_read_again_without_loss(them: list[Product], form: Format) -> None:
    content = b"".join(catalogue_file.written(them, form))

    assert products(read(content, form)) == them


@given(
    st.lists(any_products(), max_size=5),
    st.sampled_from(Format),
    st.text(st.characters(exclude_characters='"\n'), max_size=40),
    st.data(),
)
def test_no_line_that_is_put_between_others_harms_them(
    them: list[Product], form: Format, line: str, data: st.DataObject
) -> None:
    pieces = list(catalogue_file.written(them, form))
    place = data.draw(st.integers(1 if form is Format.CSV else 0, len(pieces)))
    pieces.insert(place, line.encode(errors="surrogatepass") + b"\n")
    good = [row.product for row in read(b"".join(pieces), form) if isinstance(row, GoodRow)]

    assert good == them


@given(content=st.binary(max_size=200), form=st.sampled_from([None, *Format]), header=st.booleans())
def test_any_bytes_are_rows_or_a_file_that_is_refused(*, content: bytes, form: Format | None, header: bool) -> None:
    try:
        rows = read(f"{HEADER}\n".encode() + content if header else content, form)
    except CartctlError:
        return
    assert [row.line for row in rows] == sorted({row.line for row in rows})


def test_reading_and_writing_hold_one_row_at_a_time() -> None:
    class Endless(io.RawIOBase):
        """A file of as many rows as are asked for."""

        def __init__(self, rows: int) -> None:
            self.lines: Iterator[bytes] = iter([f"{HEADER}\n".encode(), *[f"{GOOD}\n".encode()] * rows])

        def readline(self, _size: int | None = -1, /) -> bytes:
            return next(self.lines, b"")

    def peak(rows: int) -> int:
        file = Endless(rows)
        tracemalloc.start()
        found = catalogue_file.read(file, None)  # type: ignore[arg-type] # it reads lines, and nothing else is asked
        pieces = catalogue_file.written((row.product for row in found if isinstance(row, GoodRow)), Format.JSONL)
        assert sum(1 for _ in pieces) == rows
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(5_000) < peak(500) + 50_000
