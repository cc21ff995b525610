"""Catalogue files: the products of a shop, read row by row, and written."""

import codecs
import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import BinaryIO, Final

from cartctl.catalogue_values import COLUMNS, cell_readers, json_readers
from cartctl.row_file import Format, Reading, RowFile, Schema
from serverless_cart.domain.product import Product, value_faults
from serverless_cart.domain.spreadsheet import harmless

_TEXTS: Final = frozenset({"ref", "name", "image"})
_MONEY: Final = frozenset({"price", "discount"})


@dataclass(frozen=True, slots=True)
class CatalogueReading(Reading):
    """How to read a catalogue file.

    ``digits`` are the decimals of prices in major units; ``None`` if prices are minor units. ``spreadsheet`` undoes
    ``export --spreadsheet``.
    """

    digits: int | None = None
    spreadsheet: bool = False


class CatalogueFile(RowFile):
    """The rows of a catalogue file, with ``id`` and at least one other column; see `RowFile`."""

    def __init__(self, file: BinaryIO, reading: CatalogueReading) -> None:
        schema = Schema(
            name="a catalogue",
            rows="products",
            key="id",
            cells=cell_readers(reading.digits, spreadsheet=reading.spreadsheet),
            values=json_readers(reading.digits),
            faults=value_faults,
            needs_more=True,
        )
        super().__init__(file, reading, schema)


def written(
    products: Iterable[Product], form: Format, *, digits: int | None = None, spreadsheet: bool = False
) -> Iterator[bytes]:
    """Yield the file that `CatalogueFile` reads, one product at a time.

    With ``digits``, prices are decimal numbers with so many decimals. For a spreadsheet, an apostrophe precedes texts
    that it could take for a formula, and a byte order mark shows it that the file is UTF-8.
    """
    if form is Format.JSONL:
        for product in products:
            amounts = {name: _json_amount(getattr(product, name), digits) for name in _MONEY}
            yield json.dumps(product._asdict() | amounts, ensure_ascii=False).encode() + b"\n"
        return
    writer = csv.writer(_Encoder(), lineterminator="\n")
    yield (codecs.BOM_UTF8 if spreadsheet else b"") + writer.writerow(COLUMNS)
    for product in products:
        cells = product._asdict() | {name: _amount(getattr(product, name), digits) for name in _MONEY}
        cells["active"] = "true" if product.active else "false"
        if spreadsheet:
            cells |= {name: harmless(cells[name] or "") for name in _TEXTS}
        yield writer.writerow(cells.values())


def _amount(minor: int, digits: int | None) -> str:
    return f"{Decimal(minor).scaleb(-(digits or 0)):f}"


def _json_amount(minor: int, digits: int | None) -> int | float:
    # The shortest form of a float has the exact decimals: amounts have at most 10 digits, and floats 15.
    return float(_amount(minor, digits)) if digits else minor


class _Encoder:
    """A file for the CSV writer, whose ``writerow`` returns what ``write`` returns."""

    @staticmethod
    def write(text: str) -> bytes:
        return text.encode()
