"""Logs and metrics of a function. None of them ever has a key, a body, a note or a customer's name.

Each request writes one line: Powertools' `Metrics` prints it in CloudWatch's embedded metric format, with what is worth
knowing of the request as metadata. `Logger` writes faults, and what a developer logs at DEBUG.
"""

import traceback
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

NAMESPACE: Final = "ServerlessCart"
"""The namespace of every metric in CloudWatch."""


class Telemetry:
    """What a function reports of its requests.

    Metrics, by service: ``Requests``, ``RegisteredEvents``, ``AddedItems``, ``Faults`` and ``Refusals`` (count) and
    ``DatabaseLatency`` (milliseconds a call, retries included); the authorizer has ``Authorizations`` and ``Denials``.
    The metrics of a refused request are also published by its reason.
    """

    def __init__(self, service: str) -> None:
        """Report under the name of this service."""
        self.service = service
        self.logger = Logger(service=service)
        self.metrics = Metrics(service=service, namespace=NAMESPACE)
        self._calls = 0
        self._ids: dict[str, str] = {}

    def begin(self, function_request_id: str, correlation_id: str | None = None) -> None:
        """Begin a request. Its id at API Gateway is the correlation id of all that it passes."""
        # `inject_lambda_context` would do this and add five more keys, for twice the time (docs/decisions.md).
        self._calls = 0
        self._ids = {"function_request_id": function_request_id}
        if correlation_id is not None:
            self._ids["correlation_id"] = correlation_id
        self.logger.append_keys(**self._ids)

    def observe_call(self, _operation: str, milliseconds: float) -> None:
        """Record one call of the database."""
        self._calls += 1
        self.metrics.add_metric("DatabaseLatency", MetricUnit.Milliseconds, milliseconds)

    def count(self, name: str, value: int = 1) -> None:
        """Count an event by the name of its metric."""
        self.metrics.add_metric(name, MetricUnit.Count, value)

    def refused(self, reason: str) -> None:
        """Count a refusal by its reason: the contract's error, of which there are few."""
        self.count("Refusals")
        self.metrics.add_dimensions(service=self.service, reason=reason)

    def faulted(self, error: BaseException, reason: str) -> None:
        """Report a fault of ours by its type and place. Its text is left out, because it may quote the request."""
        self.count("Faults")
        self.metrics.add_metadata("reason", reason)
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        fields: dict[str, object] = {"fault": type(error).__qualname__, "frames": frames}
        if isinstance(error, ClientError):
            fields["code"] = error.response["Error"]["Code"]
        self.logger.error("fault", extra=fields)

    def finish(self, message: str, **fields: object) -> None:
        """Describe the request on its line."""
        self.metrics.metadata_set.update(message=message, database_calls=self._calls, **fields, **self._ids)
