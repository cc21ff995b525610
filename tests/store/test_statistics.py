"""The rows of the statistics: what is written is read again."""

from decimal import Decimal

import pytest

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.domain.statistics import HOUR, Click, Counts, DayCounts, Details, Event, Totals
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.statistics import DAY, Chunk, StatisticsStore, count_writes, day_number
from serverless_cart.dynamodb.table import Table
from tests.support.engines import Rows
from tools.support.events import HASHID

pytestmark = pytest.mark.every_engine

TODAY = day_number("20251121")
ITEM = ItemKey("product", "Émaille ☕")
CHUNKS = [Chunk("shard-1", str(number).zfill(40), str(number + 4).zfill(40)) for number in (1, 6)]


def day_of_everything(day: int = TODAY) -> Counts:
    counts, session = Counts(), Session(HASHID, "s#1")
    event, late = (Event(session, (day * 24 + hour) * HOUR, "mobile") for hour in (0, 23))
    counts.init(event, "u1")
    counts.click(late, Click(day * 24 + 23, "mobile", "product", "a" * 32, "mug", 3, "9"), "u1")
    counts.image(event, "7")
    counts.redirect(event, "8")
    counts.added(event, ITEM, 3)
    counts.removed(event, ITEM, 1)
    counts.sold(event, ITEM, 2, Decimal("0.000001"))
    counts.checkout(event)
    counts.title(event, ITEM, "Mug")
    counts.expiring(event, (day + 1) * 24 * HOUR, -1, Decimal("-2.5"))
    return counts


def write(table: Table, chunk: Chunk, counts: Counts) -> None:
    table.transact(count_writes(counts, chunk, 400))


def day_counts(counts: Counts) -> DayCounts:
    ((_, counted),) = counts
    return counted


def read(table: Table, first: int, last: int) -> DayCounts:
    store, details = StatisticsStore(table), Details()
    for chunk in store.details(HASHID, first, last):
        details.merge(chunk)
    return DayCounts(store.totals(HASHID, first, last), details)


def test_counts_of_chunks_add_up(table: Table) -> None:
    for chunk in CHUNKS:
        write(table, chunk, day_of_everything())

    expected = day_of_everything()
    expected.merge(day_of_everything())
    assert read(table, TODAY, TODAY) == day_counts(expected)


def test_days_are_read_from_first_to_last(table: Table) -> None:
    for number, day in enumerate(range(TODAY - 1, TODAY + 2)):
        write(table, Chunk("s", str(number), str(number)), day_of_everything(day))

    expected = day_of_everything(TODAY)
    assert read(table, TODAY, TODAY) == day_counts(expected)
    assert len(read(table, TODAY - 1, TODAY + 1).totals.counts) == 3 * len(day_counts(expected).totals.counts)
    assert read(table, TODAY + 2, TODAY + 9) == DayCounts(Totals(), Details())


def test_rows_expire_after_the_retention(table: Table, rows: Rows) -> None:
    write(table, CHUNKS[0], day_of_everything())

    partition = keys.statistics(HASHID)
    last = CHUNKS[0].last
    found = rows()
    assert found.keys() == {Key(partition, "DAY#20251121"), Key(partition, f"DETAIL#20251121#shard-1#{last}")}
    assert {row["expires_at"]["N"] for row in found.values()} == {str((TODAY + 401) * DAY)}
