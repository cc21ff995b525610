"""The records of a table's stream, as Lambda passes them to a function."""

from typing import TYPE_CHECKING, Any

from cartctl.stream import Stream

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def turn_on_stream(client: "DynamoDBClient", name: str) -> None:
    """Turn on a table's stream, with both images."""
    settings: Any = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    client.update_table(TableName=name, StreamSpecification=settings)


def records_by_shard(streams: Any, name: str) -> dict[str, list[dict[str, Any]]]:
    """Read all records; ``streams`` is a client of DynamoDB Streams."""
    (described,) = streams.list_streams(TableName=name)["Streams"]
    stream = Stream(streams, described["StreamArn"])
    return {shard: list(stream.records(shard)) for shard in stream.shards()}
