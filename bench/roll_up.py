"""What counting events costs: dollars per million events with the roll-up and without it, by the rate of events.

The roll-up runs on DynamoDB Local with believable events. Its units are computed from the sizes of what it writes, with
a day's row at its full size.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.table import Table as RichTable

from bench.cost import MILLION, PRICES, lambda_charge, memory_of, share_of
from bench.engine import new_table
from bench.event_mix import SHARES, full_day_row, records
from local import dynamodb_local
from serverless_cart.dynamodb.attributes import Item, key_of
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.roll_up import RollUp
from serverless_cart.dynamodb.table import Table
from tools.support.events import NOW
from tools.support.item_size import size_of, write_units
from tools.support.template import TEMPLATE

FUNCTION: Final = "statistics_roll_up"
AT_MOST: Final = 1.15
"""The largest accepted ratio of an event's cost with the roll-up to that without, in a full batch."""
BATCHES: Final = (1, 10, 100, 1_000)
"""Events of a batch."""
RETENTION_DAYS: Final = 400
ROUNDS: Final = 9


@dataclass(frozen=True)
class Batch:
    """The cost of a batch of events: processor time in milliseconds, calls, read and write units, written bytes."""

    events: int
    processor_ms: float
    calls: int
    read: int
    write: int
    bytes: int

    @property
    def dollars(self) -> float:
        """The price of counting this batch."""
        megabytes = memory_of(FUNCTION)
        milliseconds = self.processor_ms / share_of(megabytes) + self.calls * PRICES["supposed"]["call_milliseconds"]
        units = self.read * PRICES["dynamodb"]["read_unit"] + self.write * PRICES["dynamodb"]["write_unit"]
        return lambda_charge(megabytes, milliseconds) + float(units)


def measure(dollars: Mapping[str, float]) -> dict[str, Any]:
    """Return the dollars per million events by batch size. ``dollars`` are those of each operation without roll-up."""
    event = sum(share * dollars[name] for name, share in SHARES.items())
    window = _window()
    with dynamodb_local.running() as engine:
        batches = [_batch(engine, size) for size in BATCHES]
    rows = {
        batch.events: {
            "events_per_second": batch.events / window,
            "write_units": batch.write,
            "bytes_per_event": batch.bytes / batch.events,
            "roll_up": batch.dollars / batch.events * MILLION,
            "ratio": 1 + batch.dollars / batch.events * MILLION / event,
            "month": batch.dollars * 30 * 24 * 3600 / window,
        }
        for batch in batches
    }
    return {"event": event, "batches": rows, "at_most": AT_MOST, "met": rows[BATCHES[-1]]["ratio"] <= AT_MOST}


def table(measured: dict[str, Any]) -> RichTable:
    """Format the result of `measure`."""
    shown = RichTable(
        title=f"Counting events: dollars per million, beside {measured['event']:.2f} for the events themselves",
        caption=f"a full batch at most {measured['at_most']} times the cost without the roll-up",
    )
    for name in ("events in a batch", "events/s", "write units", "bytes/event", "roll-up", "ratio", "$ a month"):
        shown.add_column(name, justify="right")
    for events, row in measured["batches"].items():
        shown.add_row(
            f"{events:,}",
            f"{row['events_per_second']:.2f}",
            str(row["write_units"]),
            f"{row['bytes_per_event']:.0f}",
            f"{row['roll_up']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['month']:.2f}",
        )
    return shown


def _batch(engine: str, size: int) -> Batch:
    """Count batches of this size in a table whose row of the day is full, and return the cost of the median one."""
    stored = new_table(engine, f"events-{size}")
    stored.write_many([{"PutRequest": {"Item": full_day_row()}}])
    watched = _Watched(stored)
    roll_up = RollUp(watched, lambda: NOW, RETENTION_DAYS)
    times = []
    for turn in range(ROUNDS):
        batch = records(size, seed=turn)
        for record in batch:
            record["dynamodb"]["SequenceNumber"] = str(int(record["dynamodb"]["SequenceNumber"]) + turn * 10_000)
        watched.forget()
        start = time.process_time()
        roll_up.apply("shard", batch, time_left=lambda: 60.0)
        times.append((time.process_time() - start) * 1000)
    write, stored_bytes = watched.written()
    return Batch(size, sorted(times)[ROUNDS // 2], watched.calls, watched.reads, write, stored_bytes)


class _Watched(Table):
    """The table, with a record of the calls since the last `forget`."""

    def __init__(self, stored: Table) -> None:
        vars(self).update(vars(stored))
        self.forget()

    def forget(self) -> None:
        """Forget the calls so far."""
        self.calls = self.reads = 0
        self._writes: list[tuple[str, Mapping[str, Any]]] = []

    def get(self, key: Key) -> Item | None:
        self.calls += 1
        self.reads += 1
        return super().get(key)

    def transact(self, writes: Sequence[tuple[str, Mapping[str, Any]]], attempts: int | None = None) -> None:
        self.calls += 1
        self._writes += writes
        super().transact(writes, attempts)

    def written(self) -> tuple[int, int]:
        """Return the write units, and the bytes of the new items."""
        units = size = 0
        for kind, write in self._writes:
            item = write["Item"] if kind == "Put" else super().get(key_of(write["Key"]))
            bytes_ = size_of(item or {})
            units += 2 * write_units(bytes_, bytes_)  # a transaction costs twice
            size += bytes_ if kind == "Put" else 0
        return units, size


def _window() -> int:
    """Return the seconds for which Lambda collects a batch."""
    events = TEMPLATE["Resources"]["StatisticsRollUpFunction"]["Properties"]["Events"]
    seconds: int = next(iter(events.values()))["Properties"]["MaximumBatchingWindowInSeconds"]
    return seconds
