"""Logs and metrics of a function. Neither ever holds a key, a body, a note or a customer's name."""

import traceback

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric
from botocore.exceptions import ClientError

from storefront import METRICS_NAMESPACE


class Telemetry:
    """What a function reports of its requests: one log line, and metrics in the embedded metric format.

    Metrics, by service: ``Requests``, ``RegisteredEvents`` and ``AddedItems`` (count), ``Refusals`` (count, by reason),
    ``DatabaseLatency`` (milliseconds a call, retries included) and ``Faults`` (count).
    """

    def __init__(self, service: str) -> None:
        """Report in the name of this service."""
        self._service = service
        self._logger = Logger(service=service, use_rfc3339=True)
        self._metrics = Metrics(namespace=METRICS_NAMESPACE, service=service)
        self._calls = 0

    def begin(self, correlation_id: str, function_request_id: str) -> None:
        """Begin a request: API Gateway's id of it correlates the logs of all that it passes."""
        self._calls = 0
        self._logger.set_correlation_id(correlation_id)
        self._logger.append_keys(function_request_id=function_request_id)

    def observe_call(self, _operation: str, milliseconds: float) -> None:
        """Record one call of the database."""
        self._calls += 1
        self._metrics.add_metric("DatabaseLatency", MetricUnit.Milliseconds, milliseconds)

    def count(self, name: str) -> None:
        """Count one of what the shop cares about."""
        self._metrics.add_metric(name, MetricUnit.Count, 1)

    def refused(self, reason: str) -> None:
        """Count a refusal by its reason: the contract's error, of which there are few."""
        with single_metric(
            name="Refusals",
            unit=MetricUnit.Count,
            value=1,
            namespace=METRICS_NAMESPACE,
            default_dimensions={"service": self._service},
        ) as metric:
            metric.add_dimension("reason", reason)

    def faulted(self, error: BaseException) -> None:
        """Report a fault of ours by its kind and place; its text is left out, because it may quote the request."""
        self.count("Faults")
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else None
        self._logger.error("fault", fault=type(error).__qualname__, code=code, frames=frames)

    def answered(self, method: str, route: str, status: int, reason: str | None) -> None:
        """End a request."""
        self._logger.info(
            "answered", method=method, route=route, status=status, reason=reason, database_calls=self._calls
        )
        self.count("Requests")
        self._metrics.flush_metrics()
