"""The throttle of an API's stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local import environment
from local.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef


@contextmanager
def throttled(stack: Stack, api_url: str) -> Iterator[None]:
    """Let a stage accept one request per second."""
    gateway = environment.session().client("apigateway", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    api = _api_id(gateway, api_url)
    before = gateway.get_stage(restApiId=api, stageName="live")["methodSettings"]["*/*"]

    def limit(rate: float, burst: int) -> None:
        for name, value in (("rateLimit", rate), ("burstLimit", burst)):
            path = f"/*/*/throttling/{name}"
            change: PatchOperationTypeDef = {"op": "replace", "path": path, "value": str(value)}
            gateway.update_stage(restApiId=api, stageName="live", patchOperations=[change])

    limit(1, 1)
    try:
        yield
    finally:
        limit(before["throttlingRateLimit"], before["throttlingBurstLimit"])


def _api_id(gateway: "APIGatewayClient", api_url: str) -> str:
    (found,) = (api["id"] for api in gateway.get_rest_apis()["items"] if f"/{api['id']}/" in api_url)
    return found
