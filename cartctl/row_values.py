"""The values of a file's rows: texts of cells and values of JSON objects become values of columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

DIGITS: Final = 19
"""The most digits of a number that is parsed; a longer one exceeds all limits anyway."""
_INVISIBLE_ENDS: Final = " \u200b\ufeff"

Readers = Mapping[str, Callable[[Any], Any]]
"""For each column, the function that converts its value, and raises `ValueError` with the reason if it cannot."""


@dataclass(frozen=True, slots=True)
class GoodRow:
    """The values that a row gives, by their columns, and the line where it begins; the first line is 1."""

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
    """Return the column that a header or a JSON field names, in any case and with spaces around it, also as an option.

    >>> column_of(" Price "), column_of("max-uses")
    ('price', 'max_uses')
    """
    return trimmed(header).lower().replace("-", "_")


def quoted(text: str) -> str:
    """Return a text from a file as one short, harmless line for a message."""
    return repr(text[:40])


def row(
    line: int, values: Mapping[str, Any], readers: Readers, faults: Callable[[Mapping[str, Any]], list[str]]
) -> Row:
    """Convert a row's values. The row is bad if one cannot be converted, or if there are ``faults``."""
    read, reasons = {}, []
    for name, value in values.items():
        try:
            if isinstance(value, BadCell):
                raise ValueError(value)  # noqa: TRY004 - the file is wrong, not the program
            read[name] = readers[name](value)
        except ValueError as error:
            reasons.append(f"{name} {error}")
    reasons += faults(read)
    return BadRow(line, reasons) if reasons else GoodRow(line, read)


# ----------------------------------------------------------------------------------------------------------------------
# Cells
# ----------------------------------------------------------------------------------------------------------------------


def integer_cell(text: str, hint: str = "") -> int:
    """Read an integer, with a sign or without. The hint ends the message of the `ValueError`."""
    digits = text.strip(" ")
    bare = digits[1:] if digits[:1] in {"+", "-"} else digits
    if not (bare.isascii() and bare.isdigit() and len(bare) <= DIGITS):
        raise ValueError(f"must be an integer{hint}")
    return int(digits)


def filled(cell: str, meaning: str) -> str:
    """Return a cell that has not only spaces. Raises `ValueError`, with the ``meaning`` of an empty cell."""
    if not trimmed(cell):
        raise ValueError(f"has only spaces: leave it empty for {meaning}")
    return cell


def trimmed(text: str) -> str:
    """Return a text without spaces and invisible characters at its ends."""
    # A copied text often ends in a no-break space, and a column of a joined file begins with a byte order mark.
    while (shorter := text.strip().strip(_INVISIBLE_ENDS)) != text:
        text = shorter
    return text


# ----------------------------------------------------------------------------------------------------------------------
# JSON
# ----------------------------------------------------------------------------------------------------------------------


def integer_value(value: object, hint: str = "") -> int:
    """Return an integer of JSON; 2.0 is one. The hint ends the message of the `ValueError`."""
    # As in the Shop API (docs/decisions.md).
    if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"must be an integer{hint}")


def text_value(value: object) -> str:
    """Return a text of JSON. Raises `ValueError`."""
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - the file is wrong, not the program
    return value
