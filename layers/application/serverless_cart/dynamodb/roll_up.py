"""The roll-up: adds what the table's stream records count to the statistics, exactly once (docs/decisions.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from serverless_cart.domain.statistics import Counts
from serverless_cart.dynamodb import keys, order_changes, session_changes
from serverless_cart.dynamodb.attributes import Item, key_attributes, key_of, read_text, text
from serverless_cart.dynamodb.expiry import expiry
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.statistics import Chunk, count_writes
from serverless_cart.dynamodb.table import TRANSACTION, Table, TransactionRefused

Write = tuple[str, dict[str, Any]]

DIGITS: Final = 40
"""Digits of a stored sequence number. The longest of DynamoDB has fewer, so texts have the order of the numbers."""
CHUNK: Final = 1_000
"""Most records that one transaction counts."""
COUNTERS: Final = 250
"""Most numbers of a row that one statement adds to: an expression has 4 KB and 300 operators (DynamoDB's limits)."""
DETAIL_BYTES: Final = 300_000
"""Most bytes of a transaction's details; an item has at most 400 KB (DynamoDB's limit)."""
ATTEMPTS: Final = 12
"""Attempts of a transaction that meets those of other shards."""
RESERVED_SECONDS: Final = 5.0
"""Seconds of the function's time that must remain before another transaction begins."""
CHECKPOINT_LIFETIME: Final = 48 * 3600
"""Seconds. A stream has records of the last 24 hours, so an older checkpoint has nothing to skip."""
ASIDE_LIFETIME: Final = 24 * 3600
"""Seconds for which the stream still has a record that was set aside."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record of the stream, and what it counts; ``reason`` is the kind of error if that is unknown."""

    number: str
    """The sequence number as the stream writes it."""
    key: Key
    change: str
    """``INSERT``, ``MODIFY`` or ``REMOVE``."""
    counts: Counts
    reason: str = ""

    @property
    def sequence(self) -> str:
        """The sequence number as it is stored and compared."""
        return self.number.zfill(DIGITS)

    @property
    def is_relevant(self) -> bool:
        """Whether the record must be written: it counts something, or it must be set aside."""
        return bool(self.reason) or len(self.counts) > 0


def read_record(record: Mapping[str, Any]) -> StreamRecord:
    """Read a record of Lambda's stream event; one that cannot be counted gets a ``reason``."""
    number, key, change = record["dynamodb"]["SequenceNumber"], key_of(record["dynamodb"]["Keys"]), record["eventName"]
    counts_of = order_changes.counts_of if keys.is_order(key) else session_changes.counts_of
    try:
        return StreamRecord(number, key, change, counts_of(record))
    except Exception as error:  # noqa: BLE001 - set aside: a record must never block those that follow it
        return StreamRecord(number, key, change, Counts(), type(error).__name__)


class RollUp:
    """Counts the records of a stream. Each shard has a checkpoint: the sequence number up to which it was counted."""

    def __init__(
        self,
        table: Table,
        clock: Callable[[], int],
        retention_days: int,
        report_aside: Callable[[str, str], None] = lambda _number, _reason: None,
    ) -> None:
        """``clock`` returns milliseconds since 1970.

        ``report_aside`` is called with the sequence number of each record that was set aside, and the reason.
        """
        self._table = table
        self._clock = clock
        self._retention_days = retention_days
        self._report_aside = report_aside

    def apply(self, shard: str, records: Sequence[Mapping[str, Any]], *, time_left: Callable[[], float]) -> str | None:
        """Count the records of a shard, in their order; those at or below the shard's checkpoint were counted before.

        ``time_left`` returns the function's remaining seconds. Returns the sequence number of the first record that was
        not processed before they ran out, ``None`` if all were. Raises `Unavailable`; what was counted stays counted.
        """
        pending = [record for record in map(read_record, records) if record.is_relevant]
        checkpoint = read_checkpoint(self._table, shard) if pending else None
        while pending := [record for record in pending if checkpoint is None or record.sequence > checkpoint]:
            if time_left() < RESERVED_SECONDS:
                return pending[0].number
            taken, writes = self._chunk(shard, pending)
            last = taken[-1].sequence
            try:
                self._table.transact([checkpoint_write(shard, checkpoint, last, self._clock()), *writes], ATTEMPTS)
            except TransactionRefused:  # another invocation counted these records, or some of them
                checkpoint = read_checkpoint(self._table, shard)
                continue
            checkpoint = last
            for record in taken:
                if record.reason:
                    self._report_aside(record.number, record.reason)
        return None

    def _chunk(self, shard: str, pending: Sequence[StreamRecord]) -> tuple[Sequence[StreamRecord], list[Write]]:
        now = self._clock()

        def writes(taken: Sequence[StreamRecord]) -> list[Write]:
            chunk = Chunk(shard, taken[0].sequence, taken[-1].sequence)
            return chunk_writes(chunk, taken, self._retention_days, now)

        return first_that_fit(pending, writes)


def first_that_fit(
    pending: Sequence[StreamRecord], writes_of: Callable[[Sequence[StreamRecord]], list[Write]]
) -> tuple[Sequence[StreamRecord], list[Write]]:
    """Return the first records whose writes fit one transaction beside a checkpoint, and these writes."""
    taken = pending[:CHUNK]
    while not _fit(writes := writes_of(taken)) and len(taken) > 1:
        taken = taken[: len(taken) // 2]
    return taken, writes


def chunk_writes(chunk: Chunk, records: Sequence[StreamRecord], retention_days: int, now: int) -> list[Write]:
    """Return the writes that count a chunk's records and set aside those that cannot be counted."""
    counts = Counts()
    for record in records:
        counts.merge(record.counts)
    asides = [aside_item(chunk.shard, record, now) for record in records if record.reason]
    return [*count_writes(counts, chunk, retention_days), *(("Put", {"Item": item}) for item in asides)]


def read_checkpoint(table: Table, shard: str) -> str | None:
    """Return the sequence number up to which a shard was counted; ``None`` before the first."""
    item = table.get(keys.checkpoint(shard))
    return read_text(item, "sequence") if item else None


def checkpoint_write(shard: str, known: str | None, sequence: str, now: int) -> Write:
    """Return the write that moves a shard's checkpoint if it is still the ``known`` one."""
    write = Expression()
    if known is None:
        write.require_absent("pk")
    else:
        write.require_equal("sequence", text(known))
    item = {"sequence": text(sequence), "expires_at": expiry(now, CHECKPOINT_LIFETIME)}
    return "Put", {"Item": {**key_attributes(keys.checkpoint(shard)), **item}, **write.condition()}


def aside_item(shard: str, record: StreamRecord, now: int) -> Item:
    """Return the item that keeps where a record that cannot be counted is, and why, without its content."""
    return {
        **key_attributes(keys.set_aside(shard, record.sequence)),
        "number": text(record.number),
        "item_pk": text(record.key.pk),
        "item_sk": text(record.key.sk),
        "change": text(record.change),
        "reason": text(record.reason),
        "expires_at": expiry(now, ASIDE_LIFETIME),
    }


def _fit(writes: Sequence[Write]) -> bool:
    data = sum(len(write["Item"]["data"]["B"]) for kind, write in writes if kind == "Put" and "data" in write["Item"])
    numbers = max((len(write["ExpressionAttributeNames"]) for kind, write in writes if kind == "Update"), default=0)
    return len(writes) < TRANSACTION and data <= DETAIL_BYTES and numbers <= COUNTERS
