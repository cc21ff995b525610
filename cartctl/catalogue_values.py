"""The values of a catalogue's rows: texts of cells and values of JSON objects become values of a product."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from cartctl.row_values import DIGITS, Readers, filled, integer_cell, integer_value, quoted, text_value, trimmed
from serverless_cart.domain.product import Product
from serverless_cart.domain.spreadsheet import exact

COLUMNS: Final = Product._fields
_AMOUNT: Final = re.compile(r"[+-]?([0-9]+)(?:([.,])([0-9]+))?")
_MINOR: Final = ": amounts are in minor units, 1250 means 12.50; pass --prices major for decimal amounts"


def cell_readers(digits: int | None, *, spreadsheet: bool) -> Readers:
    """Return the functions for the texts of cells.

    With ``digits``, amounts are decimal numbers with at most so many decimals; otherwise they are minor units.
    ``spreadsheet`` removes the apostrophes that ``export --spreadsheet`` adds.
    """
    amount = _minor_cell if digits is None else _decimal_cell(digits)
    text = exact if spreadsheet else str
    return {
        "id": integer_cell,
        "ref": lambda cell: trimmed(text(cell)),
        "name": text,
        "image": lambda cell: text(cell) or None,
        "price": amount,
        "discount": lambda cell: amount(filled(cell, "0")) if cell else 0,
        "stock": _stock_cell,
        "active": _active_cell,
    }


def json_readers(digits: int | None) -> Readers:
    """Return the functions for the values of JSON objects; ``digits`` as in `cell_readers`."""
    amount = _minor if digits is None else _decimal(digits)
    return {
        "id": integer_value,
        "ref": lambda value: trimmed(text_value(value)),
        "name": text_value,
        # An empty image is none, as in CSV.
        "image": lambda value: None if value is None else text_value(value) or None,
        "price": amount,
        "discount": amount,
        "stock": lambda value: None if value is None else integer_value(value),
        "active": _active,
    }


# ----------------------------------------------------------------------------------------------------------------------
# Cells
# ----------------------------------------------------------------------------------------------------------------------


def _minor_cell(text: str) -> int:
    return integer_cell(text, _MINOR)


def _decimal_cell(digits: int) -> Callable[[str], int]:
    example = f"{Decimal(1290).scaleb(-digits)}"

    def read(text: str) -> int:
        number = text.strip(" ")
        match = _AMOUNT.fullmatch(number)
        if not match or len(number) > DIGITS:
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


def _stock_cell(text: str) -> int | None:
    return integer_cell(filled(text, "no limit"), "; leave it empty for no limit") if text else None


def _active_cell(text: str) -> bool:
    match text.strip(" ").lower():  # spreadsheets write TRUE
        case "true":
            return True
        case "false":
            return False
    raise ValueError("must be true or false")


# ----------------------------------------------------------------------------------------------------------------------
# JSON
# ----------------------------------------------------------------------------------------------------------------------


def _minor(value: object) -> int:
    return integer_value(value, _MINOR)


def _decimal(digits: int) -> Callable[[object], int]:
    read_text = _decimal_cell(digits)

    def read(value: object) -> int:
        if isinstance(value, str):  # many shops write amounts as texts, to keep them exact
            return read_text(value)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise ValueError("must be a decimal amount")  # noqa: TRY004 - the same
        amount = Decimal(value)
        if amount.adjusted() >= DIGITS or amount != round(amount, digits):
            raise ValueError(_too_many_decimals(value, digits))
        return int(amount.scaleb(digits))

    return read


def _active(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - the same
    return value
