"""Random events and orders; the records of DynamoDB Local's streams delivered repeatedly, in parallel, with faults.

Every figure equals a count of the events and orders. The visitors are spread over several tables, because DynamoDB
splits a table into several shards and DynamoDB Local does not.
"""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest

from serverless_cart.clock import clock
from serverless_cart.dynamodb import roll_up
from serverless_cart.dynamodb.attributes import key_of
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.errors import Unavailable
from tests.support.faults import Faults, client_with_faults, one_attempt
from tests.support.search_traffic import EVENTS, Figures, Visitor, stored_figures
from tests.support.stream_records import records_by_shard, turn_on_stream
from tools.support.figures import record
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine

SOURCES: Final = [f"source-{number}" for number in range(4)]
STATISTICS: Final = "statistics"
CLIENTS: Final = 8


@pytest.fixture
def client(dynamodb_local_url: str) -> Iterator["DynamoDBClient"]:
    """Connect to the engine, with a table for the statistics and several with streams."""
    client = boto3.Session("testing", "testing", region_name="eu-west-1").client(
        "dynamodb", endpoint_url=dynamodb_local_url, config=one_attempt()
    )
    for name in (STATISTICS, *SOURCES):
        create_table(client, name)
    for name in SOURCES:
        turn_on_stream(client, name)
    yield client
    for name in (STATISTICS, *SOURCES):
        client.delete_table(TableName=name)


@dataclass
class Deliveries:
    """Delivers the records of one shard as Lambda may do: in order, at least once, and with old records again."""

    roll_up: roll_up.RollUp
    shard: str
    batch: int
    records: list[dict[str, Any]]
    seed: str
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311 - to be repeated
        place = 0
        with ThreadPoolExecutor(2) as others:
            while place < len(self.records):
                end = place + min(chance.randint(1, self.batch), chance.randint(1, self.batch))
                repeated = [
                    others.submit(self._deliver, max(0, place - chance.randrange(60)), chance.randint(place, end))
                    for _ in range(chance.randrange(3))
                ]
                start = max(0, place - chance.randrange(40))
                while (failed := self._deliver(start, end, chance.choice((60.0, 60.0, 60.0, 1.0)))) is not None:
                    start = failed
                for one in repeated:
                    one.result()
                place = end

    def _deliver(self, start: int, end: int, seconds: float = 60.0) -> int | None:
        """Deliver records; return the place of the first that was not processed."""
        records = self.records[start:end]
        calls = iter((60.0, seconds))
        self.counts["deliveries"] += 1
        try:
            rest = self.roll_up.apply(self.shard, records, time_left=lambda: next(calls, 60.0))
        except Unavailable:
            self.counts["interrupted by faults"] += 1
            return start
        if rest is None:
            return None
        self.counts["out of time"] += 1
        return start + [record["dynamodb"]["SequenceNumber"] for record in records].index(rest)


def test_every_figure_equals_a_count_of_the_events(
    client: "DynamoDBClient",
    dynamodb_local_url: str,
    seed: int,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    full: bool,
) -> None:
    sessions, events, batch, chunk = (1_000, 100, 1_000, 100) if full else (40, 25, 60, 7)
    monkeypatch.setattr(roll_up, "CHUNK", chunk)  # a batch takes several transactions
    tables = [Table(name, client) for name in SOURCES]  # each adds hooks to the client
    visitors = [Visitor(number, seed, tables[number % len(tables)]) for number in range(sessions)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda visitor: [visitor.send() for _ in range(events)], visitors))
    shards = read_streams(dynamodb_local_url, visitors)
    faults = Faults(seed)
    statistics = Table(STATISTICS, client_with_faults(dynamodb_local_url, faults))
    under_test = roll_up.RollUp(statistics, clock, 400)
    deliveries = [
        Deliveries(under_test, shard, batch, them, f"{seed} {place}")
        for place, (shard, them) in enumerate(shards.items())
    ]
    with ThreadPoolExecutor(len(shards)) as pool:
        list(pool.map(Deliveries.run, deliveries))

    expected = Figures()
    for visitor in visitors:
        expected.merge(visitor.figures)
    stored = stored_figures(Table(STATISTICS, client)).whole()
    assert stored == expected.whole()
    assert len(shards) == len(SOURCES)
    counts = sum((one.counts for one in deliveries), Counter[str]())
    sent = sum((visitor.sent for visitor in visitors), Counter[str]())
    assert sent.keys() == set(EVENTS)
    record(
        "statistics",
        command,
        events=sent.total(),
        sessions=sessions,
        stream_records=sum(map(len, shards.values())),
        shards=len(shards),
        **counts,
        faults=str(faults),
        figures_that_differ=0,
        figures=len(stored[0]) + len(stored[1]),
        seed=seed,
    )


def read_streams(url: str, visitors: list[Visitor]) -> dict[str, list[dict[str, Any]]]:
    """Read all records by shard. A deletion gets the time of the visitor's clock, because the stream has another."""
    streams: Any = boto3.Session("testing", "testing", region_name="eu-west-1").client(
        "dynamodbstreams", endpoint_url=url, config=one_attempt()
    )
    deletions = {key: iter(times) for visitor in visitors for key, times in visitor.deletions.items()}
    shards: dict[str, list[dict[str, Any]]] = {}
    for name in SOURCES:
        shards |= records_by_shard(streams, name)
    for change in (one["dynamodb"] for records in shards.values() for one in records if one["eventName"] == "REMOVE"):
        if times := deletions.get(key_of(change["Keys"])):  # not of a hold
            change["ApproximateCreationDateTime"] = next(times) / 1000
    return shards
