"""The rows of the statistics: totals of a day, and the details of chunks (docs/table.md)."""

import json
import zlib
from base64 import b64decode
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, get_args

from serverless_cart.domain.session import Device, ItemKey
from serverless_cart.domain.statistics import KEYS, Counts, Details, EngineDay, Figure, Kind, ShopDay, Totals
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, key_attributes, number, text
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import Table

DAY: Final = 24 * 3600
"""Seconds of a day."""
KINDS: Final[tuple[Kind, ...]] = tuple(KEYS)
"""All kinds of details."""
_EPOCH: Final = date(1970, 1, 1)
_DEVICES: Final[dict[str, Device]] = {"d": "desktop", "m": "mobile"}
_FIGURES: Final[dict[str, Figure]] = {figure: figure for figure in get_args(Figure)}
_LETTERS: Final = {device: letter for letter, device in _DEVICES.items()}


class Chunk(NamedTuple):
    """The part of a stream whose records were counted together: a shard, and its first and last sequence numbers.

    Sequence numbers are written with 40 digits, so that their text has the order of the numbers. All records in between
    were counted, except those that were set aside. ``replayed`` chunks were counted later, by ``cartctl stats replay``.
    """

    shard: str
    first: str
    last: str
    replayed: bool = False


class StatisticsStore:
    """The statistics of search engines. Its methods raise `Unavailable`. Days are whole days since 1970 in UTC."""

    def __init__(self, table: Table) -> None:
        """Read from this table."""
        self._table = table

    def totals(self, hashid: str, first: int, last: int) -> Totals:
        """Read the totals of the days from ``first`` to ``last``: one Query per 1 MB, about 170 days."""
        return self._totals(keys.statistics(hashid), first, last)

    def shop_totals(self, shop: str, first: int, last: int) -> Totals:
        """Read the totals of a shop itself, of the days from ``first`` to ``last``."""
        return self._totals(keys.shop_statistics(shop), first, last)

    def details(self, hashid: str, first: int, last: int, kinds: Collection[Kind] = KINDS) -> Iterator[Details]:
        """Read the details of the days from ``first`` to ``last``, one chunk at a time, in the order of days."""
        start, end = f"DETAIL#{day_text(first)}", f"DETAIL#{day_text(last)}~"
        for row in self._table.items_between(keys.statistics(hashid), start, end):
            yield read_details(row, kinds)

    def _totals(self, partition: str, first: int, last: int) -> Totals:
        totals = Totals()
        start, end = keys.day_row(partition, day_text(first)).sk, keys.day_row(partition, day_text(last)).sk
        for row in self._table.items_between(partition, start, end):
            read_totals(row, totals)
        return totals

    def chunks(self, of_day: EngineDay | ShopDay, shard: str) -> Iterator[Chunk]:
        """List the chunks of a shard that counted something on a day."""
        partition, prefix = keys.detail(_partition(of_day), day_text(of_day.day), shard, "")
        for row in self._table.items_of(partition, prefix):
            last, _, replayed = row["sk"]["S"].removeprefix(prefix).partition("#")
            yield Chunk(shard, row["first"]["S"], last, replayed=bool(replayed))


def day_text(day: int) -> str:
    """Write a day as ``yyyymmdd``."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y%m%d")


def day_number(day: str) -> int:
    """Read a day that `day_text` wrote."""
    return (date.fromisoformat(day) - _EPOCH).days


def count_writes(counts: Counts, chunk: Chunk, retention_days: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the writes of a transaction that adds counts: totals and details of each engine or shop, and day.

    The rows expire ``retention_days`` after their day.
    """
    writes: list[tuple[str, dict[str, Any]]] = []
    for of_day, counted in counts:
        expires_at = number((of_day.day + 1 + retention_days) * DAY)
        if counted.totals.counts:
            writes.append(("Update", {
                "Key": key_attributes(keys.day_row(_partition(of_day), day_text(of_day.day))),
                **_addition(counted.totals, expires_at).update(),
            }))  # fmt: skip
        writes.append(("Put", {
            "Item": details_item(of_day, counted.details, chunk) | {"expires_at": expires_at},
        }))  # fmt: skip
    return writes


def total_name(figure: Figure, device: Device, hour: int) -> str:
    """Return the attribute of a figure in a day's row."""
    return f"{figure}#{_LETTERS[device]}#{hour % 24:02d}"


def details_item(of_day: EngineDay | ShopDay, details: Details, chunk: Chunk) -> Item:
    """Write the details of a chunk as an item, without its expiry. It also says which records were counted."""
    last = f"{chunk.last}#REPLAY" if chunk.replayed else chunk.last
    key = keys.detail(_partition(of_day), day_text(of_day.day), chunk.shard, last)
    return {**key_attributes(key), "first": text(chunk.first), "data": {"B": _pack(details)}}


def read_totals(row: Item, totals: Totals) -> None:
    """Add a day's row to totals."""
    first_hour = day_number(row["sk"]["S"].partition("#")[2]) * 24
    for name, value in row.items():
        figure, _, where = name.partition("#")
        if where:
            letter, _, hour = where.partition("#")
            totals.add(_FIGURES[figure], _DEVICES[letter], first_hour + int(hour), int(value["N"]))


def read_details(row: Item, kinds: Collection[Kind] = KINDS) -> Details:
    """Read the details of a chunk, only those of the named kinds."""
    stored = json.loads(zlib.decompress(b64decode(row["data"]["B"])))  # answers are plain JSON (plain_json.py)
    details = Details(titles={ItemKey(index, id_): title for index, id_, title in stored.pop("titles")})
    for kind in kinds:
        key_type = KEYS[kind]
        width = len(key_type._fields)
        details.counts[kind] = {
            key_type(*row[:width]): tuple(Decimal(it) if isinstance(it, str) else it for it in row[width:])
            for row in stored.get(kind, ())
        }
    return details


def _partition(of_day: EngineDay | ShopDay) -> str:
    return keys.statistics(of_day.hashid) if isinstance(of_day, EngineDay) else keys.shop_statistics(of_day.shop)


def _addition(totals: Totals, expires_at: dict[str, str]) -> Expression:
    write = Expression()
    for (figure, device, hour), count in totals.counts.items():
        write.add(total_name(figure, device, hour), number(count))
    write.set("expires_at", expires_at)
    return write


def _pack(details: Details) -> bytes:
    rows: dict[str, Any] = {
        kind: [[*key, *(str(it) if isinstance(it, Decimal) else it for it in amounts)] for key, amounts in them.items()]
        for kind, them in details.counts.items()
        if them
    }
    rows["titles"] = [[item.index, item.id, title] for item, title in details.titles.items()]
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())
