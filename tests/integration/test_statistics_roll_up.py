"""The function of the roll-up: a batch is counted once, however it is repeated and cut (contract: Statistics)."""

from collections.abc import Callable
from typing import Any

import pytest

from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.roll_up import DIGITS
from serverless_cart.service.errors import Unavailable
from tests.support.bundle import Bundle, Instead
from tests.support.discarded_batches import BATCH, NUMBERS, SHARD
from tools.support.events import HASHID, SHOP, load

Event = dict[str, Any]
ALL = {"inits#m#12": "1", "identified_inits#m#12": "1", "clicks#m#12": "1", "checkouts#m#12": "1", "added#m#12": "2",
       "orders#d#12": "1", "order_total#d#12": "2500"}  # fmt: skip


def batch(first: int = 0, last: int | None = None, **changes: Any) -> Event:
    return {**BATCH, "Records": BATCH["Records"][first:last], **changes}


def roll_up(bundle: Bundle, event: Event) -> dict[str, Any]:
    return bundle.invoke("statistics_roll_up", event)


def totals(bundle: Bundle) -> dict[str, str]:
    """Return the totals of the search engine and of the shop, which have no figure in common."""
    rows = [row for of in (keys.statistics(HASHID), keys.shop_statistics(SHOP)) for row in bundle.rows(of)]
    return {name: value for row in rows for name, value in row.items() if name.count("#") == 2}


def stream_rows(bundle: Bundle) -> dict[str, Any]:
    return {row["sk"]: row for row in bundle.rows("STREAM#")}


def checkpoint(bundle: Bundle) -> str:
    number: str = stream_rows(bundle)["CHECKPOINT"]["sequence"]
    return number


def poisoned(place: int) -> Event:
    event = load("statistics_roll_up/batch")
    name = {2: "amount", 5: "created_at"}.get(place, "at")
    del event["Records"][place]["dynamodb"]["NewImage"][name]
    return event


def test_batch_is_counted(bundle: Bundle) -> None:
    assert roll_up(bundle, BATCH) == {"state": {}, "batchItemFailures": []}

    assert totals(bundle) == ALL
    assert checkpoint(bundle) == NUMBERS[-1].zfill(DIGITS)
    assert bundle.database.calls == ["GetItem", "TransactWriteItems"]


@pytest.mark.parametrize(
    "deliveries",
    [
        [batch(), batch()],
        [batch(0, 3), batch()],
        [batch(0, 2), batch(1, 4), batch(0, 3), batch(3), batch()],
        [batch(0, 1), batch(0, 1), batch(1, 5), batch(2)],
    ],
)
def test_repeated_and_overlapping_batches_count_once(bundle: Bundle, deliveries: list[Event]) -> None:
    for event in deliveries:
        roll_up(bundle, event)

    assert totals(bundle) == ALL


def test_shards_count_separately(bundle: Bundle) -> None:
    roll_up(bundle, batch())
    roll_up(bundle, batch(shardId="another"))
    event = batch()
    del event["shardId"]
    roll_up(bundle, event)

    assert totals(bundle) == {name: str(3 * int(count)) for name, count in ALL.items()}
    assert {row["pk"] for row in bundle.rows("STREAM#")} == {f"STREAM#{SHARD}", "STREAM#another", "STREAM#all"}


@pytest.mark.parametrize("event", [batch(0, 0), batch(1, 1, isFinalInvokeForWindow=True)])
def test_batch_without_records_needs_no_call(bundle: Bundle, event: Event) -> None:
    assert roll_up(bundle, event) == {"state": {}, "batchItemFailures": []}
    assert bundle.database.calls == []


def test_batch_that_counts_nothing_needs_no_call(bundle: Bundle) -> None:
    event = load("statistics_roll_up/batch")
    for record in event["Records"]:
        record["dynamodb"]["Keys"]["pk"]["S"] = "CART#demo#customer"

    assert roll_up(bundle, event)["batchItemFailures"] == []
    assert bundle.database.calls == []


@pytest.mark.parametrize(("place", "error"), [(0, "KeyError"), (2, "KeyError"), (4, "KeyError"), (5, "KeyError")])
def test_poison_record_is_set_aside(bundle: Bundle, place: int, error: str) -> None:
    event = poisoned(place)
    for _ in range(2):
        assert roll_up(bundle, event)["batchItemFailures"] == []

    record = event["Records"][place]
    aside = stream_rows(bundle)[f"ASIDE#{NUMBERS[place].zfill(DIGITS)}"]
    assert (aside["item_sk"], aside["reason"]) == (record["dynamodb"]["Keys"]["sk"]["S"], error)
    assert len(stream_rows(bundle)) == 2
    assert 0 < len(totals(bundle)) < len(ALL)
    lines = bundle.log_lines()
    assert [line["RecordsSetAside"] for line in lines if "RecordsSetAside" in line] == [[1.0]]
    assert [line["sequence_number"] for line in lines if "sequence_number" in line] == [NUMBERS[place]]


def test_short_time_leaves_the_batch_for_later(bundle: Bundle) -> None:
    bundle.seconds_left = 4

    assert roll_up(bundle, BATCH)["batchItemFailures"] == [{"itemIdentifier": NUMBERS[0]}]
    assert totals(bundle) == {}
    assert bundle.log_lines()[-1]["unprocessed"] == len(NUMBERS)


THROTTLED = Instead(400, {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"})
BROKEN = Instead(500, {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"})
LOST = Instead(500, BROKEN.body, applied=True)


def at(operation: str, answer: Instead) -> Callable[[str, dict[str, Any]], Instead | None]:
    return lambda called, _body: answer if called == operation else None


@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
@pytest.mark.parametrize("answer", [THROTTLED, BROKEN, LOST])
def test_fault_repeats_the_batch_and_counts_once(bundle: Bundle, operation: str, answer: Instead) -> None:
    bundle.database.instead = at(operation, answer)
    with pytest.raises(Unavailable):
        roll_up(bundle, BATCH)
    assert any("Faults" in line for line in bundle.log_lines())
    bundle.database.instead = None

    roll_up(bundle, BATCH)

    assert totals(bundle) == ALL


@pytest.mark.parametrize(("counted", "others"), [(0, (0, 2)), (0, (0, 5)), (1, (1, 3)), (2, (1, 6))])
def test_records_counted_by_another_invocation_are_skipped(
    bundle: Bundle, counted: int, others: tuple[int, int]
) -> None:
    roll_up(bundle, batch(0, counted))

    def other(operation: str) -> None:
        if operation == "TransactWriteItems":
            bundle.database.before = None
            roll_up(bundle, batch(*others))

    bundle.database.before = other
    roll_up(bundle, BATCH)

    assert totals(bundle) == ALL
    assert checkpoint(bundle) == NUMBERS[-1].zfill(DIGITS)


def test_conflicts_with_other_shards_are_repeated(bundle: Bundle) -> None:
    conflicts = iter(range(5))

    def conflict(operation: str, _body: dict[str, Any]) -> Instead | None:
        if operation != "TransactWriteItems" or next(conflicts, None) is None:
            return None
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
        kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
        return Instead(400, {"__type": kind, "CancellationReasons": reasons})

    bundle.database.instead = conflict
    roll_up(bundle, BATCH)

    assert totals(bundle) == ALL
