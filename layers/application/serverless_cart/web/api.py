"""The checks that every request passes in each API, and the answers to refusals and faults.

Routes are registered with Powertools' event handler as API Gateway's resources (``/api/shop/cart/items/{id}``), as in
template.yaml, and matched by the event's ``resource``: the handler's path patterns do not match every id that the
contract allows (docs/decisions.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from serverless_cart.auth import Kind, Principal
from serverless_cart.domain.errors import Refusal
from serverless_cart.service.errors import Unavailable
from serverless_cart.telemetry import Telemetry
from serverless_cart.web import access, refusals
from serverless_cart.web.refusals import ErrorTable, NotFound, OtherKind, Unauthenticated
from serverless_cart.web.request import Request
from serverless_cart.web.response import HEADERS, json_response, to_json

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]
Details = Mapping[str, Sequence[Any]]
"""The details of an error, by field: messages, or warnings."""


def check_address(request: Request) -> None:
    """Check the client's address. Raises `BannedAddress`."""
    access.check_address(request.principal, request.address)


def check_origin(request: Request) -> None:
    """Check the origin of the page. Raises `OriginNotAllowed`."""
    access.check_origin(request.principal, request.headers.get("origin"))


PAGE_CHECKS: Final = (check_address, check_origin)
"""The checks of a request that a storefront page sends."""


def _error_text(error: str, details: Details) -> dict[str, Any]:
    return {"error": error, "details": details} if details else {"error": error}


@dataclass(frozen=True, slots=True)
class Api:
    """One of the APIs: the kind of principal that it serves, its checks, and its answers to refusals and faults.

    ``checks`` raise refusals, in this order. ``describe`` returns the error of a refusal, given the error of the table,
    with its headers and its details. ``error_json`` returns the body for an error and its details. ``headers`` are
    those of all answers.
    """

    kind: Kind
    errors: ErrorTable
    checks: tuple[Callable[[Request], None], ...] = PAGE_CHECKS
    describe: Callable[[Refusal, str, Request | None], tuple[str, Mapping[str, str], Details]] = (
        lambda refusal, error, _request: (error, {}, refusal.details)
    )
    error_json: Callable[[str, Details], dict[str, Any]] = _error_text
    unavailable: str = refusals.UNAVAILABLE
    fault: str = refusals.FAULT
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)


class App(APIGatewayRestResolver):
    """The event handler of one function. A route reads its request from `parsed_request`."""

    def __init__(self, api: Api, telemetry: Telemetry) -> None:
        """Register the checks, and the answers to refusals and faults."""
        super().__init__()
        self.api = api
        self._telemetry = telemetry
        self.use([_check_access])
        self.not_found(lambda _error: self._refuse(NotFound()))
        self.exception_handler(Refusal)(self._refuse)
        self.exception_handler(Unavailable)(self._report_unavailable)
        self.exception_handler(Exception)(self._report_fault)

    @property
    def parsed_request(self) -> Request:
        """The request that is being served."""
        request: Request = self.context["parsed_request"]
        return request

    def handler(self) -> Handler:
        """Return the function's Lambda handler. Call it after all routes are registered."""
        telemetry = self._telemetry

        @telemetry.metrics.log_metrics
        def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            telemetry.begin(context.aws_request_id, event["requestContext"]["requestId"])
            answer = self.resolve({**event, "path": event["resource"]}, context)
            telemetry.count("Requests")  # last, so that the request's line always has a metric
            telemetry.finish(
                "answered",
                method=event["httpMethod"],
                route=event["resource"],
                status=answer["statusCode"],
            )
            return answer

        return handler

    def _refuse(self, refusal: Refusal) -> Response[str]:
        status, reason = self.api.errors[type(refusal)]
        error, headers, details = self.api.describe(refusal, reason, self.context.get("parsed_request"))
        self._telemetry.refused(reason)
        return self._error(status, error, headers, details)

    def _report_unavailable(self, _error: Unavailable) -> Response[str]:
        self._telemetry.refused(self.api.unavailable)
        return self._error(503, self.api.unavailable, {"Retry-After": "1"})

    def _report_fault(self, error: Exception) -> Response[str]:
        self._telemetry.faulted(error, self.api.fault)
        return self._error(500, self.api.fault)

    def _error(
        self, status: int, error: str, headers: Mapping[str, str] | None = None, details: Details | None = None
    ) -> Response[str]:
        return json_response(status, to_json(self.api.error_json(error, details or {})), headers, self.api.headers)


# A function and not a method: Powertools caches a middleware's signature in an attribute of the middleware. A bound
# method cannot have attributes, so its signature would be inspected for every request.
def _check_access(app: App, next_middleware: NextMiddleware) -> Response[str]:
    """Check principal, address, origin and size, as the API requires (contract: Blocked networks and origins)."""
    event, context = app.current_event, app.lambda_context
    principal = Principal.from_context(event.request_context.authorizer.get_context())
    if principal is None:
        raise Unauthenticated
    if principal.kind != app.api.kind:
        raise OtherKind
    request = Request.from_event(event, principal, lambda: context.get_remaining_time_in_millis() / 1000)
    for check in app.api.checks:
        check(request)
    request.check_size()
    app.context["parsed_request"] = request
    response: Response[str] = next_middleware(app)
    return response
