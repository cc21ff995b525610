"""The size of a chunk: its writes fit one transaction."""

from typing import Any

import pytest

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.domain.statistics import HOUR, Counts, Event
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.roll_up import COUNTERS, DETAIL_BYTES, StreamRecord, chunk_writes, first_that_fit
from serverless_cart.dynamodb.statistics import Chunk, day_number, day_text
from tools.support.events import HASHID

DAY = day_number("20251121")
AT = DAY * 24 * HOUR
ITEM = ItemKey("product", "1")
CHUNK = Chunk("shard-1", "1".zfill(40), "2".zfill(40))


def event(hour: int = 0, hashid: str = HASHID) -> Event:
    return Event(Session(hashid, "s"), AT + hour * HOUR, "mobile")


def test_day_has_eight_digits() -> None:
    assert (day_text(0), day_number("19700102")) == ("19700101", 1)


def clicks_of_engines(number: int) -> Counts:
    counts = Counts()
    counts.image(event(hashid=f"{number:032x}"), "7")
    return counts


def every_figure_of_an_hour(number: int) -> Counts:
    counts = Counts()
    for device in ("desktop", "mobile"):
        at = event(number % 24)._replace(device=device)
        counts.checkout(at)
        counts.added(at, ITEM, 1)
        counts.removed(at, ITEM, 1)
        counts.image(at, "7")
        counts.redirect(at, "7")
        counts.init(at, "u1")
    return counts


def long_texts(number: int) -> Counts:
    """Return a title that zlib cannot compress."""
    counts = Counts()
    random = "".join(chr(0x10000 + hash((number, place)) % 0x40000) for place in range(1_000))
    counts.title(event(), ItemKey("product", str(number)), random)
    return counts


@pytest.mark.parametrize(
    ("count", "counts_of"),
    [(100, clicks_of_engines), (24, every_figure_of_an_hour), (300, long_texts), (1_100, lambda _: Counts())],
)
def test_chunk_is_cut_until_it_fits(count: int, counts_of: Any) -> None:
    key = Key("SESSION#s", "INIT")
    records = [StreamRecord(str(number), key, "INSERT", counts_of(number)) for number in range(count)]

    taken, writes = first_that_fit(records, lambda taken: chunk_writes(CHUNK, taken, 400, AT))

    assert taken == records[: len(taken)]
    assert count // 5 < len(taken) < count
    assert len(writes) < 100
    updates = [write["UpdateExpression"] for kind, write in writes if kind == "Update"]
    assert max(map(len, updates), default=0) < 4_096
    assert all(expression.count(",") <= COUNTERS for expression in updates)
    assert sum(len(write["Item"]["data"]["B"]) for kind, write in writes if kind == "Put") <= DETAIL_BYTES
