"""``cartctl stats replay``: counting what the roll-up could not."""

from dataclasses import asdict
from typing import Annotated, Final

import typer

from cartctl.errors import CartctlError, ExitCode
from cartctl.failure_queue import FailureQueue
from cartctl.replay import Replay, Replayed
from cartctl.shell import Invocation, invocation
from cartctl.stream import Stream
from serverless_cart.clock import clock

LOCAL_SHARD: Final = "all"
"""The name of the local cloud's only shard (functions/statistics_roll_up)."""


def replay(
    context: typer.Context,
    discard: Annotated[
        bool, typer.Option("--discard", help="Also delete messages whose records the stream no longer has.")
    ] = False,
) -> None:
    """Count the events that the roll-up could not count: discarded batches, and records that were set aside.

    Each event counts once, however often this is called. The stream has a record for 24 hours. If one is lost, the
    message stays in the queue, unless --discard is given. The exit code is 4 if something remains.

        cartctl stats replay
    """
    run = invocation(context)
    results = _replay(run, discard=discard)
    run.out.rows(
        [asdict(result) for result in results],
        ("Shard", "First", "Last", "Counted", "Before", "Set aside", "Lost"),
        (tuple(asdict(result).values()) for result in results),
        nothing="Nothing to replay: no batch was discarded, and no record is set aside.",
        long=("Shard", "First", "Last"),
    )
    if any(result.set_aside or result.lost for result in results):
        raise typer.Exit(ExitCode.INCOMPLETE)


def _replay(run: Invocation, *, discard: bool) -> list[Replayed]:
    deployment = run.deployment
    if not deployment.stream_arn or not deployment.failure_queue_url:
        raise CartctlError("The stack is older than this cartctl: run make build && sam deploy.")
    stream = Stream(deployment.client("dynamodbstreams"), deployment.stream_arn)
    queue = FailureQueue(deployment.client("sqs"), deployment.failure_queue_url)
    name_of = (lambda _shard: LOCAL_SHARD) if deployment.endpoint_url else (lambda shard: shard)
    again = Replay(deployment.table, stream, clock, deployment.setting("StatisticsRetentionDays", 400), name_of)
    results = []
    for message in queue.messages():
        results.append(again.batch(message.batch))
        if not results[-1].lost or discard:
            queue.delete(message)
    for shard in stream.shards():
        results += again.asides(shard)
    return results
