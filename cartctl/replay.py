"""Counts records of the stream that the roll-up did not: batches that Lambda discarded, and records set aside.

Each record counts once, whatever is repeated or interrupted (docs/decisions.md).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_attributes, number, read_int, read_text
from serverless_cart.dynamodb.expiry import expiry
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.roll_up import (
    ATTEMPTS,
    CHECKPOINT_LIFETIME,
    DIGITS,
    StreamRecord,
    Write,
    checkpoint_write,
    chunk_writes,
    first_that_fit,
    read_checkpoint,
    read_record,
)
from serverless_cart.dynamodb.statistics import Chunk, StatisticsStore
from serverless_cart.dynamodb.table import Table, TransactionRefused


class Records(Protocol):
    """The stream, which is read by shard and sequence numbers, both included."""

    def records(self, shard: str, first: str | None = None, last: str | None = None) -> Iterator[dict[str, Any]]:
        """Read records in their order, without those that the stream no longer has."""


class Batch(NamedTuple):
    """A batch that Lambda discarded: its shard, its first and last sequence numbers, and its number of records."""

    shard: str
    first: str
    last: str
    size: int


@dataclass
class Replayed:
    """How many records were counted now, had been counted before, or are no longer in the stream.

    ``set_aside`` ones cannot be counted by this version.
    """

    shard: str
    first: str
    last: str
    counted: int = 0
    counted_before: int = 0
    set_aside: int = 0
    lost: int = 0


class Replay:
    """Counts records of a stream again. Its methods raise `Unavailable`, and may be repeated."""

    def __init__(
        self,
        table: Table,
        stream: Records,
        clock: Callable[[], int],
        retention_days: int,
        name_of: Callable[[str], str] = lambda shard: shard,
    ) -> None:
        """``clock`` returns milliseconds since 1970, ``name_of`` the name under which the roll-up knows a shard."""
        self._table = table
        self._stream = stream
        self._clock = clock
        self._retention_days = retention_days
        self._name_of = name_of

    def batch(self, batch: Batch) -> Replayed:
        """Count the records of a discarded batch that were not counted."""
        shard = self._name_of(batch.shard)
        self._close(shard, batch.last.zfill(DIGITS))
        found = [it for it in map(read_record, self._stream.records(*batch[:3])) if _is_delivered(it)]
        result = Replayed(batch.shard, batch.first, batch.last)
        if not found or int(found[0].number) != int(batch.first):
            result.lost = max(1, batch.size - len(found))
        relevant = [record for record in found if record.is_relevant]
        while True:
            # The version is read before the chunks: if another replay counts in between, the transaction is refused.
            version = self._version(shard)
            pending = self._not_counted(shard, relevant)
            if not pending:
                result.counted_before = len(relevant) - result.counted - result.set_aside
                return result
            taken, writes = first_that_fit(pending, lambda taken: self._writes(shard, taken))
            try:
                self._table.transact([self._next_version(shard, version), *writes], ATTEMPTS)
            except TransactionRefused:
                continue
            result.set_aside += sum(bool(record.reason) for record in taken)
            result.counted += sum(not record.reason for record in taken)

    def asides(self, shard: str) -> Iterator[Replayed]:
        """Count the records of a shard that were set aside and that this version can count."""
        name = self._name_of(shard)
        for item in list(self._table.items_of(keys.stream(name), keys.set_aside(name).sk)):
            if "replayed_at" not in item:
                yield self._aside(shard, read_text(item, "number"))

    def _aside(self, shard: str, raw: str) -> Replayed:
        result = Replayed(shard, raw, raw)
        record = next(map(read_record, self._stream.records(shard, raw, raw)), None)
        if record is None:
            result.lost = 1
        elif record.reason:
            result.set_aside = 1
        else:
            name = self._name_of(shard)
            mark = Expression()
            mark.require_present("pk")
            mark.require_absent("replayed_at")
            mark.set("replayed_at", number(self._clock()))
            key = key_attributes(keys.set_aside(name, record.sequence))
            try:
                self._table.transact(
                    [("Update", {"Key": key, **mark.update()}), *self._writes(name, [record])], ATTEMPTS
                )
            except TransactionRefused:
                result.counted_before = 1
            else:
                result.counted = 1
        return result

    def _close(self, shard: str, last: str) -> None:
        """Move the checkpoint to the end of a discarded batch, so that no late invocation can still count a part."""
        while (known := read_checkpoint(self._table, shard)) is None or known < last:
            try:
                self._table.transact([checkpoint_write(shard, known, last, self._clock())])
            except TransactionRefused:
                continue

    def _not_counted(self, shard: str, records: Sequence[StreamRecord]) -> list[StreamRecord]:
        """Return the records that no chunk of their engine or shop, and day, contains, and that were not set aside."""
        asides = {
            read_text(item, "number") for item in self._table.items_of(keys.stream(shard), keys.set_aside(shard).sk)
        }
        days = {of_day for record in records for of_day, _ in record.counts}
        store = StatisticsStore(self._table)
        chunks = {of_day: list(store.chunks(of_day, shard)) for of_day in days}
        return [
            record
            for record in records
            if record.number not in asides
            and not any(
                chunk.first <= record.sequence <= chunk.last for of_day, _ in record.counts for chunk in chunks[of_day]
            )
        ]

    def _writes(self, shard: str, taken: Sequence[StreamRecord]) -> list[Write]:
        chunk = Chunk(shard, taken[0].sequence, taken[-1].sequence, replayed=True)
        return chunk_writes(chunk, taken, self._retention_days, self._clock())

    def _version(self, shard: str) -> int:
        item = self._table.get(keys.replay(shard))
        return read_int(item, "version") if item else 0

    def _next_version(self, shard: str, known: int) -> Write:
        write = Expression()
        if known:
            write.require_equal("version", number(known))
        else:
            write.require_absent("version")
        item = {"version": number(known + 1), "expires_at": expiry(self._clock(), CHECKPOINT_LIFETIME)}
        return "Put", {"Item": {**key_attributes(keys.replay(shard)), **item}, **write.condition()}


def _is_delivered(record: StreamRecord) -> bool:
    """Return whether the event source's filter passes a record (template.yaml)."""
    if keys.is_order(record.key):
        return record.change == "INSERT"
    return keys.session_of(record.key) is not None and (record.change != "REMOVE" or record.key.sk.startswith("CART#"))
