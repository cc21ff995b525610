"""The stream and the queue of `cartctl stats replay`, with the records of the roll-up's event fixture."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tools.support.events import load

BATCH: Final = load("statistics_roll_up/batch")
NUMBERS: Final = [record["dynamodb"]["SequenceNumber"] for record in BATCH["Records"]]
SHARD: Final[str] = BATCH["shardId"]


@dataclass
class Streams:
    """DynamoDB Streams with the records of the fixture."""

    records: list[dict[str, Any]] = field(default_factory=lambda: load("statistics_roll_up/batch")["Records"])

    def describe_stream(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": [{"ShardId": SHARD}]}}

    def get_shard_iterator(self, SequenceNumber: str = "", **_: Any) -> dict[str, str]:  # noqa: N803 - AWS's own names
        return {"ShardIterator": f"from {SequenceNumber}"}

    def get_records(self, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        first = ShardIterator.removeprefix("from ")
        found = [one for one in self.records if one["dynamodb"]["SequenceNumber"] >= first]
        at = datetime.fromtimestamp(1763728496, UTC)
        return {
            "Records": [{**one, "dynamodb": {**one["dynamodb"], "ApproximateCreationDateTime": at}} for one in found]
        }


@dataclass
class Queue:
    """SQS with the messages of discarded batches."""

    bodies: dict[str, str] = field(default_factory=dict)
    received: set[str] = field(default_factory=set)

    def send(self, first: int, last: int, shard: str = SHARD) -> None:
        info = {
            "shardId": shard,
            "startSequenceNumber": NUMBERS[first],
            "endSequenceNumber": NUMBERS[last],
            "batchSize": last - first + 1,
            "streamArn": "arn",
        }
        self.bodies[f"{first} {last}"] = json.dumps({"DDBStreamBatchInfo": info})

    def receive_message(self, **_: Any) -> dict[str, Any]:
        handles = list(self.bodies.keys() - self.received)
        self.received.update(handles)
        return {"Messages": [{"Body": self.bodies[handle], "ReceiptHandle": handle} for handle in handles]}

    def delete_message(self, ReceiptHandle: str, **_: Any) -> None:  # noqa: N803
        del self.bodies[ReceiptHandle]
