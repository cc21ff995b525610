"""Logs and metrics of a function. They never contain a key, a body, notes or a customer's id.

Each request writes one line in CloudWatch's embedded metric format: Powertools' `Metrics`, with details of the request
as metadata. `Logger` writes faults and debug messages.
"""

import os
import threading
import traceback
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

NAMESPACE: Final = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ServerlessCart")
"""The namespace of every metric in CloudWatch: one for each stack, because its name is no dimension."""
FAULT: Final = {"outcome": "fault"}
"""The dimension of `Faults` that all functions share."""


class Telemetry:
    """The logs and metrics of one function.

    Metrics, by service: ``Requests``, ``RegisteredEvents``, ``AddedItems``, ``Checkouts``, ``EndedHolds``, ``Faults``,
    ``Refusals`` and ``Conflicts`` (count), ``DatabaseLatency`` (milliseconds per call with retries) and ``HoldDelay``
    (seconds); the authorizer has ``Authorizations`` and ``Denials``, and the roll-up ``StreamRecords``,
    ``UnprocessedRecords`` and ``RecordsSetAside``.
    The metrics of a refused request are also published by its reason, and those with a fault by ``outcome``, ``fault``,
    without the service: the sum of all functions, for one alarm.
    """

    def __init__(self, service: str) -> None:
        """``service`` is the value of the dimension of that name."""
        self.service = service
        self.logger = Logger(service=service)
        self.metrics = Metrics(service=service, namespace=NAMESPACE)
        self._calls = 0
        self._calling = threading.Lock()
        self._has_fault = False
        self._ids: dict[str, str] = {}

    def begin(self, function_request_id: str, correlation_id: str | None = None) -> None:
        """Begin a request. ``correlation_id`` is its id at API Gateway, which the authorizer does not receive."""
        # `inject_lambda_context` would do this and add five more keys, but takes longer (docs/decisions.md).
        self._calls = 0
        self._has_fault = False
        self._ids = {"function_request_id": function_request_id}
        if correlation_id is not None:
            self._ids["correlation_id"] = correlation_id
        self.logger.append_keys(**self._ids)

    def observe_call(self, _operation: str, milliseconds: float) -> None:
        """Record the duration of one database call. Several threads may do so."""
        with self._calling:
            self._calls += 1
            self.metrics.add_metric("DatabaseLatency", MetricUnit.Milliseconds, milliseconds)

    def report_conflict(self) -> None:
        """Count a write that was refused because of another request. Several threads may do so."""
        with self._calling:
            self.count("Conflicts")

    def hold_delay(self, seconds: float) -> None:
        """Record by how much the oldest hold of a run was overdue."""
        self.metrics.add_metric("HoldDelay", MetricUnit.Seconds, seconds)

    def count(self, name: str, value: int = 1) -> None:
        """Add to the metric of this name."""
        self.metrics.add_metric(name, MetricUnit.Count, value)

    def refused(self, reason: str) -> None:
        """Count a refusal by its reason, one of the contract's error texts."""
        self.count("Refusals")
        self.metrics.add_dimensions(service=self.service, reason=reason)

    def faulted(self, error: BaseException, reason: str) -> None:
        """Log a fault by its type and stack frames, without its message, which may quote the request."""
        self.count("Faults")
        if not self._has_fault:
            self.metrics.add_dimensions(**FAULT)
        self._has_fault = True
        self.metrics.add_metadata("reason", reason)
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        fields: dict[str, object] = {"fault": type(error).__qualname__, "frames": frames}
        if isinstance(error, ClientError):
            fields["code"] = error.response["Error"]["Code"]
        self.logger.error("fault", extra=fields)

    def set_aside(self, number: str, reason: str) -> None:
        """Count a record of the stream that cannot be counted, and log its sequence number and the kind of error."""
        self.count("RecordsSetAside")
        self.logger.error("record set aside", extra={"sequence_number": number, "reason": reason})

    def finish(self, message: str, **fields: object) -> None:
        """Add the description of the request to its line."""
        self.metrics.metadata_set.update(message=message, database_calls=self._calls, **fields, **self._ids)
