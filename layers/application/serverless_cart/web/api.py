"""The checks that every request passes in both APIs, and the answers to refusals and faults.

Routes are registered with Powertools' event handler as API Gateway's resources (``/api/shop/cart/items/{id}``), as in
template.yaml, and matched by the event's ``resource``: the handler's path patterns do not match every id that the
contract allows (docs/decisions.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from serverless_cart.auth import Kind, Principal
from serverless_cart.domain.errors import Refusal
from serverless_cart.service.errors import Unavailable
from serverless_cart.telemetry import Telemetry
from serverless_cart.web import access, refusals
from serverless_cart.web.refusals import ErrorTable, NotFound, Unauthenticated
from serverless_cart.web.request import Request
from serverless_cart.web.response import json_response, to_json

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Api:
    """One of the two APIs: the kind of principal that it serves, and its answers to refusals.

    ``check`` is an additional check of a request, before address and origin; it raises `Unauthenticated`.
    ``describe`` returns the error text and the headers of a refusal, given the text of the error table.
    """

    kind: Kind
    errors: ErrorTable
    check: Callable[[Request], None] = lambda _request: None
    describe: Callable[[Refusal, str, Request | None], tuple[str, Mapping[str, str]]] = (
        lambda _refusal, error, _request: (error, {})
    )


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
        error, headers = self.api.describe(refusal, reason, self.context.get("parsed_request"))
        self._telemetry.refused(reason)
        body: dict[str, Any] = {"error": error}
        if refusal.details:
            body["details"] = refusal.details
        return json_response(status, to_json(body), headers)

    def _report_unavailable(self, _error: Unavailable) -> Response[str]:
        self._telemetry.refused(refusals.UNAVAILABLE)
        return json_response(503, to_json({"error": refusals.UNAVAILABLE}), {"Retry-After": "1"})

    def _report_fault(self, error: Exception) -> Response[str]:
        self._telemetry.faulted(error, refusals.FAULT)
        return json_response(500, to_json({"error": refusals.FAULT}))


# A function and not a method: Powertools caches a middleware's signature in an attribute of the middleware. A bound
# method cannot have attributes, so its signature would be inspected for every request.
def _check_access(app: App, next_middleware: NextMiddleware) -> Response[str]:
    """Check principal, address, origin and size (contract: Blocked networks and origins)."""
    event, context = app.current_event, app.lambda_context
    principal = Principal.from_context(event.request_context.authorizer.get_context())
    if principal is None or principal.kind != app.api.kind:
        raise Unauthenticated
    request = Request.from_event(event, principal, lambda: context.get_remaining_time_in_millis() / 1000)
    app.api.check(request)
    access.check_address(principal, request.address)
    access.check_origin(principal, request.headers.get("origin"))
    request.check_size()
    app.context["parsed_request"] = request
    response: Response[str] = next_middleware(app)
    return response
