"""Every minute: orders that were not paid in time fail and return their stock (contract: Order)."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry

telemetry = Telemetry("release_holds")
holds = bootstrap.hold_service(Environment.load(), telemetry)


@telemetry.metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """End the holds that are overdue, and return their number; `cartctl doctor` only sees that the function starts."""
    telemetry.begin(context.aws_request_id)
    is_probe = event["source"] == "cartctl.doctor"
    ended = holds.release(lambda: 0.0 if is_probe else context.get_remaining_time_in_millis() / 1000)
    telemetry.count("EndedHolds", ended.holds)
    if not is_probe:  # without a run there is no data, which raises the alarm
        telemetry.hold_delay(ended.delay / 1000)
    for error in ended.errors:
        telemetry.faulted(error, "hold not ended")
    telemetry.finish("ended", holds=ended.holds, errors=len(ended.errors), complete=ended.is_complete)
    return {"ended": ended.holds, "errors": len(ended.errors)}


cold_start.finish()
