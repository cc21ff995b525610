"""Logs and metrics of a function. Neither ever holds a key, a body, a note or a customer's name."""

import traceback

from botocore.exceptions import ClientError

from storefront import log
from storefront.log import Metric
from storefront.web.errors import FAULT


class Telemetry:
    """What a function reports of its requests: one log line each, which carries its metrics too.

    Metrics, by service: ``Requests``, ``RegisteredEvents`` and ``AddedItems`` (count), ``Refusals`` (count, by reason),
    ``DatabaseLatency`` (milliseconds a call, retries included) and ``Faults`` (count).
    """

    def __init__(self, service: str) -> None:
        """Report in the name of this service."""
        self._service = service
        self.begin("", "")

    def begin(self, correlation_id: str, function_request_id: str) -> None:
        """Begin a request: API Gateway's id of it correlates the logs of all that it passes."""
        self._ids = {"correlation_id": correlation_id, "function_request_id": function_request_id}
        self._calls = 0
        self._latencies: list[float] = []
        self._counted: list[Metric] = []
        self._reason: str | None = None

    def observe_call(self, _operation: str, milliseconds: float) -> None:
        """Record one call of the database."""
        self._calls += 1
        self._latencies.append(milliseconds)
        if len(self._latencies) == log.VALUES:
            log.write(self._service, "DEBUG", [self._latency()], **self._ids)
            self._latencies = []

    def count(self, name: str) -> None:
        """Count one of what the shop cares about."""
        self._counted.append(Metric(name, "Count", [1.0]))

    def refused(self, reason: str) -> None:
        """Count a refusal by its reason: the contract's error, of which there are few."""
        self._reason = reason
        self._counted.append(Metric("Refusals", "Count", [1.0], by="reason"))

    def faulted(self, error: BaseException) -> None:
        """Report a fault of ours by its kind and place; its text is left out, because it may quote the request."""
        self.count("Faults")
        self._reason = FAULT
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        fields: dict[str, object] = {"message": "fault", "fault": type(error).__qualname__, "frames": frames}
        if isinstance(error, ClientError):
            fields["code"] = error.response["Error"]["Code"]
        log.write(self._service, "ERROR", [], **fields, **self._ids)

    def answered(self, method: str, route: str, status: int) -> None:
        """End a request, and say why where it was refused or failed."""
        self.count("Requests")
        if self._latencies:
            self._counted.append(self._latency())
        fields: dict[str, object] = {"message": "answered", "method": method, "route": route, "status": status}
        if self._reason is not None:
            fields["reason"] = self._reason
        log.write(self._service, "INFO", self._counted, **fields, database_calls=self._calls, **self._ids)

    def _latency(self) -> Metric:
        """Return how long the calls took."""
        return Metric("DatabaseLatency", "Milliseconds", self._latencies)
