"""The shared edge: every request of every function passes here, once in and once out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from storefront.domain.errors import NotFound, Refusal, Unauthenticated, Unavailable
from storefront.tokens import Kind, Principal
from storefront.web import access, errors
from storefront.web.request import Event, Request
from storefront.web.response import Response, to_json
from storefront.web.telemetry import Telemetry

Route = Callable[[Request], Response]


class Context(Protocol):
    """What a function is told about its own run."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left of the function's time."""


@dataclass(frozen=True, slots=True)
class Api:
    """One of the two APIs: whom it admits, and how it words its refusals.

    ``admits`` judges what the authorizer cannot: it raises `Unauthenticated`. ``headers`` returns those that a refusal
    brings with it.
    """

    kind: Kind
    errors: errors.Table
    admits: Callable[[Request], None] = lambda _request: None
    headers: Callable[[Refusal], Mapping[str, str]] = lambda _refusal: {}


def clock() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def endpoint(api: Api, telemetry: Telemetry, routes: Mapping[str, Route]) -> Callable[[Event, Context], dict[str, Any]]:
    """Make the handler of a function that serves one resource, by method.

    The order of the checks is the contract's: who asks, from which address, from which origin, and then the request.
    """

    def handler(event: Event, context: Context) -> dict[str, Any]:
        telemetry.begin(event["requestContext"]["requestId"], context.aws_request_id)
        try:
            response = _serve(api, routes, event, context)
        except Refusal as refusal:
            response, reason = _refuse(api, refusal)
            telemetry.refused(reason)
        except Unavailable:
            response = Response(503, to_json({"error": errors.UNAVAILABLE}), {"Retry-After": "1"})
            telemetry.refused(errors.UNAVAILABLE)
        except Exception as error:  # noqa: BLE001 - a fault of ours is reported, and told to nobody outside
            response = Response(500, to_json({"error": errors.FAULT}))
            telemetry.faulted(error)
        telemetry.answered(event["httpMethod"], event["resource"], response.status)
        return response.to_proxy()

    return handler


def _serve(api: Api, routes: Mapping[str, Route], event: Event, context: Context) -> Response:
    """Check who asks and from where, then let the route answer."""
    principal = Principal.from_context(event["requestContext"].get("authorizer") or {})
    if principal is None or principal.kind != api.kind:
        raise Unauthenticated
    request = Request.from_event(event, principal, lambda: context.get_remaining_time_in_millis() / 1000)
    api.admits(request)
    access.check_address(principal, request.address)
    access.check_origin(principal, request.headers.get("origin"))
    request.check_size()
    route = routes.get(request.method)
    if route is None:
        raise NotFound
    return route(request)


def _refuse(api: Api, refusal: Refusal) -> tuple[Response, str]:
    """Word a refusal as the API does; return the reason too."""
    status, error, reason = errors.words(api.errors, refusal)
    body: dict[str, Any] = {"error": error}
    if refusal.details:
        body["details"] = refusal.details
    return Response(status, to_json(body), api.headers(refusal)), reason
