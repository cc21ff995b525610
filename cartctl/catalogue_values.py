"""The values of a catalogue's rows: texts of cells and values of JSON objects become values of a product."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from serverless_cart.domain.product import Product, value_faults
from serverless_cart.domain.spreadsheet import exact

COLUMNS: Final = Product._fields
_AMOUNT: Final = re.compile(r"[+-]?([0-9]+)(?:([.,])([0-9]+))?")
_DIGITS: Final = 19
"""The most digits of a number that is parsed; a longer one exceeds all limits anyway."""
_MINOR: Final = ": amounts are in minor units, 1250 means 12.50; pass --prices major for decimal amounts"
_INVISIBLE_ENDS: Final = " \u200b\ufeff"

Readers = Mapping[str, Callable[[Any], Any]]
"""For each column, the function that converts its value, and raises `ValueError` with the reason if it cannot."""


@dataclass(frozen=True, slots=True)
class GoodRow:
    """The values that a row gives, its id and at least one other, and the line where it begins; the first line is 1."""

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """The reasons why a row is refused, and the number of the line where it begins."""

    line: int
    reasons: list[str]


Row = GoodRow | BadRow


class BadCell(str):
    """A cell whose value cannot be used in any column; the text is the reason."""

    __slots__ = ()


def column_of(header: str) -> str:
    """Return the column that a header or a JSON field names, in any case and with spaces around it.

    >>> column_of(" Price "), column_of("Colour")
    ('price', 'colour')
    """
    return _trimmed(header).lower()


def quoted(text: str) -> str:
    """Return a text from a file as one short, harmless line for a message."""
    return repr(text[:40])


def row(line: int, values: Mapping[str, Any], readers: Readers) -> Row:
    """Convert a row's values. The row is bad if one cannot be converted, or breaks a rule of products by itself."""
    read, reasons = {}, []
    for name, value in values.items():
        try:
            if isinstance(value, BadCell):
                raise ValueError(value)  # noqa: TRY004 - the file is wrong, not the program
            read[name] = readers[name](value)
        except ValueError as error:
            reasons.append(f"{name} {error}")
    reasons += value_faults(read)
    return BadRow(line, reasons) if reasons else GoodRow(line, read)


def cell_readers(digits: int | None, *, spreadsheet: bool) -> Readers:
    """Return the functions for the texts of cells.

    With ``digits``, amounts are decimal numbers with at most so many decimals; otherwise they are minor units.
    ``spreadsheet`` removes the apostrophes that ``export --spreadsheet`` adds.
    """
    amount = _minor_cell if digits is None else _decimal_cell(digits)
    text = exact if spreadsheet else str
    return {
        "id": _integer_cell,
        "ref": lambda cell: _trimmed(text(cell)),
        "name": text,
        "image": lambda cell: text(cell) or None,
        "price": amount,
        "discount": lambda cell: amount(_filled(cell, "0")) if cell else 0,
        "stock": _stock_cell,
        "active": _active_cell,
    }


def json_readers(digits: int | None) -> Readers:
    """Return the functions for the values of JSON objects; ``digits`` as in `cell_readers`."""
    amount = _minor if digits is None else _decimal(digits)
    return {
        "id": _integer,
        "ref": lambda value: _trimmed(_text(value)),
        "name": _text,
        # An empty image is none, as in CSV.
        "image": lambda value: None if value is None else _text(value) or None,
        "price": amount,
        "discount": amount,
        "stock": lambda value: None if value is None else _integer(value),
        "active": _active,
    }


# ----------------------------------------------------------------------------------------------------------------------
# Cells
# ----------------------------------------------------------------------------------------------------------------------


def _integer_cell(text: str, hint: str = "") -> int:
    digits = text.strip(" ")
    bare = digits[1:] if digits[:1] in {"+", "-"} else digits
    if not (bare.isascii() and bare.isdigit() and len(bare) <= _DIGITS):
        raise ValueError(f"must be an integer{hint}")
    return int(digits)


def _minor_cell(text: str) -> int:
    return _integer_cell(text, _MINOR)


def _decimal_cell(digits: int) -> Callable[[str], int]:
    example = f"{Decimal(1290).scaleb(-digits)}"

    def read(text: str) -> int:
        number = text.strip(" ")
        match = _AMOUNT.fullmatch(number)
        if not match or len(number) > _DIGITS:
            raise ValueError(
                f"{quoted(text)} is not a decimal amount: write it as {example}, "
                "without a currency and without separators of thousands"
            )
        whole, separator, decimals = match[1], match[2], match[3] or ""
        if separator == "," and len(decimals) == 3 and len(whole) <= 3 and whole != "0":
            raise ValueError(
                f"{quoted(text)} may mean {whole}{decimals} or {whole}.{decimals}: "
                "write the decimals after a point, and no separators of thousands"
            )
        if len(decimals) > digits:
            raise ValueError(_too_many_decimals(text, digits))
        return int(Decimal(number.replace(",", ".")).scaleb(digits))

    return read


def _too_many_decimals(value: object, digits: int) -> str:
    most = f"at most {digits} decimals" if digits else "no decimals"
    return f"{quoted(str(value))} has too many decimals: the shop's currency has {most}"


def _filled(cell: str, meaning: str) -> str:
    if not _trimmed(cell):
        raise ValueError(f"has only spaces: leave it empty for {meaning}")
    return cell


def _stock_cell(text: str) -> int | None:
    return _integer_cell(_filled(text, "no limit"), "; leave it empty for no limit") if text else None


def _active_cell(text: str) -> bool:
    match text.strip(" ").lower():  # spreadsheets write TRUE
        case "true":
            return True
        case "false":
            return False
    raise ValueError("must be true or false")


def _trimmed(text: str) -> str:
    # A copied text often ends in a no-break space, and a column of a joined file begins with a byte order mark.
    while (shorter := text.strip().strip(_INVISIBLE_ENDS)) != text:
        text = shorter
    return text


# ----------------------------------------------------------------------------------------------------------------------
# JSON
# ----------------------------------------------------------------------------------------------------------------------


def _integer(value: object, hint: str = "") -> int:
    # 2.0 is an integer, as in the Shop API (docs/decisions.md).
    if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < _DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"must be an integer{hint}")


def _minor(value: object) -> int:
    return _integer(value, _MINOR)


def _decimal(digits: int) -> Callable[[object], int]:
    read_text = _decimal_cell(digits)

    def read(value: object) -> int:
        if isinstance(value, str):  # many shops write amounts as texts, to keep them exact
            return read_text(value)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise ValueError("must be a decimal amount")  # noqa: TRY004 - the same
        amount = Decimal(value)
        if amount.adjusted() >= _DIGITS or amount != round(amount, digits):
            raise ValueError(_too_many_decimals(value, digits))
        return int(amount.scaleb(digits))

    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - the file is wrong, not the program
    return value


def _active(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - the same
    return value
