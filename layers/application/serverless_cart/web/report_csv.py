"""A report of the statistics as CSV, for the Management API and for cartctl (contract: Statistics)."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

from serverless_cart.domain.spreadsheet import harmless
from serverless_cart.domain.statistics_reports import Row


def report_csv(columns: Iterable[str], rows: Iterable[Row]) -> str:
    """Return a header and one line for each row. No spreadsheet runs one of the texts as a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns))
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def decimal_text(value: Decimal) -> str:
    """Write a number with all of its decimals, without zeros at the end.

    >>> decimal_text(Decimal("12.50")), decimal_text(Decimal("1E+2"))
    ('12.5', '100')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _cell(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    return harmless(value) if isinstance(value, str) else value
