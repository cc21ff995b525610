"""The roll-up of the table's stream: counts the events of search sessions for the statistics (contract: Statistics)."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry

ONLY_SHARD = "all"
"""The local cloud passes no shard: its stream has one order."""

telemetry = Telemetry("statistics_roll_up")
roll_up = bootstrap.roll_up(Environment.load(), telemetry)


@telemetry.metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count the records of a batch. The last invocation of a window has none.

    If the time is too short, the answer names the first record that was not processed. If the database cannot be
    written, it raises, and the same batch comes again: records that were counted are skipped.
    """
    telemetry.begin(context.aws_request_id)
    records = event["Records"]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    telemetry.count("StreamRecords", len(records))
    shard = event.get("shardId", ONLY_SHARD)
    try:
        rest = roll_up.apply(shard, records, time_left=lambda: context.get_remaining_time_in_millis() / 1000)
    except Exception as error:
        telemetry.faulted(error, "stream records not counted")
        raise
    unprocessed = len(numbers) - numbers.index(rest) if rest else 0
    telemetry.count("UnprocessedRecords", unprocessed)
    telemetry.finish("rolled up", shard=shard, records=len(records), unprocessed=unprocessed)
    return {"state": {}, "batchItemFailures": [{"itemIdentifier": rest}] if rest else []}


cold_start.finish()
