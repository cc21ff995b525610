"""The table's stream, whose records are read as Lambda passes them to the roll-up."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

EMPTY_PAGES: Final = 20
"""Pages without records after which an open shard counts as read: it has no end."""
_TRIMMED: Final = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})


class Stream:
    """A stream. It has each record for 24 hours."""

    def __init__(self, client: Any, arn: str) -> None:  # noqa: ANN401 - boto3's client of DynamoDB Streams
        """``client`` reads the stream with this ARN."""
        self._client = client
        self._arn = arn

    def shards(self) -> Iterator[str]:
        """List the ids of the shards."""
        start: dict[str, str] = {}
        while True:
            answer = self._client.describe_stream(StreamArn=self._arn, **start)["StreamDescription"]
            yield from (shard["ShardId"] for shard in answer["Shards"])
            if "LastEvaluatedShardId" not in answer:
                return
            start = {"ExclusiveStartShardId": answer["LastEvaluatedShardId"]}

    def records(self, shard: str, first: str | None = None, last: str | None = None) -> Iterator[dict[str, Any]]:
        """Read the records of a shard from the sequence number ``first`` to ``last``, both included.

        Without numbers, all records are read. Records that the stream no longer has are left out.
        """
        iterator = self._iterator(shard, first)
        empty = 0
        while iterator and empty < EMPTY_PAGES:
            answer = self._client.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if last is not None and number > int(last):
                    return
                if first is None or number >= int(first):
                    yield as_lambda_passes(record)
                if last is not None and number == int(last):
                    return
            empty = 0 if answer["Records"] else empty + 1
            iterator = answer.get("NextShardIterator")

    def _iterator(self, shard: str, first: str | None) -> str | None:
        """Return an iterator at a record, or at the oldest one that is left; ``None`` if there is no such shard."""
        places: list[dict[str, str]] = [{"ShardIteratorType": "TRIM_HORIZON"}]
        if first is not None:
            places.insert(0, {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": first})
        for place in places:
            try:
                answer = self._client.get_shard_iterator(StreamArn=self._arn, ShardId=shard, **place)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _TRIMMED:
                    raise
            else:
                iterator: str = answer["ShardIterator"]
                return iterator
        return None


def as_lambda_passes(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of GetRecords in the form of Lambda's event: its time is a number, and other names are small."""
    change = {**record["dynamodb"]}
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    identity = record.get("userIdentity")
    small = {"type": identity.get("Type"), "principalId": identity.get("PrincipalId")} if identity else None
    return {**record, "dynamodb": change, "userIdentity": small}
