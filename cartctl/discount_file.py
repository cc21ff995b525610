"""Files of discount codes: a code in each row, and those of its terms that are not given by options."""

from collections.abc import Callable
from typing import Any, BinaryIO, Final

from cartctl.arguments import parse_moment
from cartctl.row_file import Reading, RowFile, Schema
from cartctl.row_values import Readers, filled, integer_cell, integer_value, quoted, text_value, trimmed
from serverless_cart.domain.validation import parse_discount_code, parse_label

_PERCENT: Final = ": 10 means 10 %"
_MINOR: Final = ": amounts are in minor units, 1250 means 12.50"


class DiscountFile(RowFile):
    """The rows of a file of discount codes, whose columns are the options of ``discount create``; see `RowFile`.

    An empty cell or null gives no value, which is None.
    """

    def __init__(self, file: BinaryIO, reading: Reading) -> None:
        schema = Schema(
            name="a file of discount codes",
            rows="codes",
            key="code",
            cells=_readers(integer_cell, trimmed, lambda cell: bool(cell and filled(cell, "none"))),
            values=_readers(integer_value, text_value, lambda value: value is not None),
            faults=lambda _: [],  # the options complete the terms
            needs_more=False,
        )
        super().__init__(file, reading, schema)


def _readers(integer: Callable[..., int], text: Callable[[Any], str], is_given: Callable[[Any], bool]) -> Readers:
    def optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda value: read(value) if is_given(value) else None

    amount = optional(lambda value: integer(value, _MINOR))
    moment = optional(lambda value: parse_moment(text(value)))
    return {
        "code": lambda value: _parsed(parse_discount_code, trimmed(text(value))),
        "percent": optional(lambda value: integer(value, _PERCENT)),
        "amount": amount,
        "minimum": amount,
        "starts": moment,
        "ends": moment,
        "max_uses": optional(integer),
        "max_uses_per_customer": optional(integer),
        "label": optional(lambda value: _parsed(parse_label, text(value))),
    }


def _parsed(rule: Callable[[str], str], text: str) -> str:
    try:
        return rule(text)
    except ValueError as error:
        raise ValueError(f"{quoted(text)} is refused: {error}") from None
