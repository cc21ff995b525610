"""``cartctl stats replay``: what the roll-up could not count is counted once."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import boto3
import pytest

from cartctl.connection import Deployment
from tests.integration.test_statistics_roll_up import ALL, batch, checkpoint, poisoned, roll_up, totals
from tests.support.bundle import Bundle
from tests.support.discarded_batches import NUMBERS, Queue, Streams
from tests.support.operator import Operator

ALONE = {"inits#m#12": "1", "identified_inits#m#12": "1"}


class Replayer:
    """An operator who replays."""

    def __init__(self, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.streams, self.queue, self.operator = Streams(), Queue(), operator
        clients = {"dynamodbstreams": self.streams, "sqs": self.queue}
        operator.deployment = replace(
            operator.deployment,
            session=cast("boto3.Session", boto3.DEFAULT_SESSION),  # whose calls the bundle observes
            stream_arn="arn",
            failure_queue_url="https://queue.invalid",
        )
        monkeypatch.setattr(Deployment, "client", lambda _, service: clients[service])

    def run(self, *options: str) -> tuple[int, list[dict[str, int]]]:
        """Replay; return the exit code, and the numbers of each batch that are not 0."""
        self.queue.received.clear()
        result = self.operator.type("stats", "replay", "--json", *options)
        found = json.loads(result.out)
        return result.code, [{name: it for name, it in one.items() if isinstance(it, int) and it} for one in found]


@pytest.fixture
def replayer(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Replayer:
    return Replayer(operator, monkeypatch)


@pytest.mark.parametrize("counted", [(0, 0), (0, 1), (0, 3), (0, 6)])
def test_discarded_batch_is_counted_once(bundle: Bundle, replayer: Replayer, counted: tuple[int, int]) -> None:
    before = counted[1]
    roll_up(bundle, batch(*counted))
    for _ in range(2):
        replayer.queue.send(0, 5)
        assert replayer.run()[0] == 0
        assert replayer.queue.bodies == {}

    assert totals(bundle) == ALL
    replayer.queue.send(0, 5)
    assert replayer.run() == (0, [{"counted_before": 6}])
    assert 0 <= before <= 6


def test_late_invocation_counts_nothing_twice(bundle: Bundle, replayer: Replayer) -> None:
    replayer.queue.send(0, 5)
    assert replayer.run() == (0, [{"counted": 6}])

    roll_up(bundle, batch())

    assert totals(bundle) == ALL
    assert checkpoint(bundle) == NUMBERS[-1].zfill(40)


def test_invocation_between_reads_counts_once(bundle: Bundle, replayer: Replayer) -> None:
    """The roll-up counts a part after the replay has read the checkpoint."""
    intervene(bundle, "TransactWriteItems", lambda: roll_up(bundle, batch(0, 3)))
    replayer.queue.send(0, 5)

    assert replayer.run() == (0, [{"counted": 3, "counted_before": 3}])
    assert totals(bundle) == ALL


@pytest.mark.parametrize("call", [1, 2])
def test_parallel_replays_count_once(bundle: Bundle, replayer: Replayer, call: int) -> None:
    """The other replay comes before one of the two transactions: the checkpoint's, and that of the counts."""

    def other() -> None:
        replayer.queue.received.clear()
        replayer.operator.run("stats", "replay")

    intervene(bundle, "TransactWriteItems", other, call)
    replayer.queue.send(0, 5)
    replayer.queue.delete_message = lambda **_: None  # type: ignore[method-assign]  # both receive it

    replayer.run()

    assert totals(bundle) == ALL


def intervene(bundle: Bundle, operation: str, action: Callable[[], object], call: int = 1) -> None:
    """Run an action once, just before a call to the database."""
    calls = iter(range(1, call))

    def before(called: str) -> None:
        if called == operation and next(calls, None) is None:
            bundle.database.before = None
            action()

    bundle.database.before = before


def test_other_batches_in_between_are_not_taken_as_counted(bundle: Bundle, replayer: Replayer) -> None:
    roll_up(bundle, batch(0, 1))
    roll_up(bundle, batch(4))
    for first, last in ((2, 3), (1, 1)):
        replayer.queue.send(first, last)

    assert replayer.run()[0] == 0
    assert totals(bundle) == ALL


@pytest.mark.parametrize("place", [0, 2, 4, 5])
def test_record_set_aside_is_counted_once(bundle: Bundle, replayer: Replayer, place: int) -> None:
    event = poisoned(place)
    roll_up(bundle, event)
    good, replayer.streams.records = replayer.streams.records, event["Records"]
    assert replayer.run() == (4, [{"set_aside": 1}])
    replayer.queue.send(0, 5)
    assert replayer.run() == (4, [{"counted_before": 6}, {"set_aside": 1}])

    replayer.streams.records = good
    replayer.queue.send(0, 5)
    assert replayer.run() == (0, [{"counted_before": 6}, {"counted": 1}])
    replayer.queue.send(0, 5)
    assert replayer.run() == (0, [{"counted_before": 6}])
    assert totals(bundle) == ALL


def test_replay_sets_records_aside(bundle: Bundle, replayer: Replayer) -> None:
    good, replayer.streams.records = replayer.streams.records, poisoned(0)["Records"]
    replayer.queue.send(0, 5)

    assert replayer.run() == (4, [{"counted": 5, "set_aside": 1}, {"set_aside": 1}])
    replayer.streams.records = good
    assert replayer.run() == (0, [{"counted": 1}])
    assert totals(bundle) == ALL


def test_lost_records_keep_the_message(bundle: Bundle, replayer: Replayer) -> None:
    del replayer.streams.records[1:]
    replayer.queue.send(0, 0)
    replayer.queue.send(1, 5)

    code, results = replayer.run()

    assert (code, sorted(results, key=str)) == (4, [{"counted": 1}, {"lost": 5}])
    assert list(replayer.queue.bodies) == ["1 5"]
    assert totals(bundle) == ALONE
    assert replayer.run("--discard") == (4, [{"lost": 5}])
    assert replayer.queue.bodies == {}


def test_nothing_to_replay_is_said(replayer: Replayer) -> None:
    assert replayer.operator.type("stats", "replay").out.startswith("Nothing to replay")


def test_old_stack_has_nothing_to_replay(operator: Operator) -> None:
    code, message = operator.fails("stats", "replay")

    assert (code, "sam deploy" in message) == (1, True)


def test_foreign_message_is_reported(replayer: Replayer) -> None:
    replayer.queue.bodies["x"] = "{}"

    assert "not of Lambda" in replayer.operator.fails("stats", "replay")[1]
