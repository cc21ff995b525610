"""A request of API Gateway's proxy integration, parsed once."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from serverless_cart.auth import Principal
from serverless_cart.web.refusals import RequestTooLarge

MAX_BODY_BYTES: Final = 2**20
"""Maximum bytes of a body. The longest valid body has about 20,000; the rest is room for ignored fields."""


class NotJson(Exception):
    """A body is not JSON, or not accepted as JSON: too deeply nested, a number too large, NaN."""


class Request(NamedTuple):
    """A parsed request.

    Header names are in lower case; a repeated header or query-string parameter has its last value. Path parameters are
    percent-decoded. ``id`` is the gateway's and unique, ``query_lists`` has all values of the query string, and
    ``time_left`` returns the remaining seconds of the function's time.
    """

    method: str
    route: str
    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    address: str
    id: str
    query_lists: Mapping[str, Sequence[str]]
    time_left: Callable[[], float]

    @classmethod
    def from_event(cls, event: APIGatewayProxyEvent, principal: Principal, time_left: Callable[[], float]) -> "Request":
        """Parse an event of a REST API's proxy integration."""
        context, query_lists = event.request_context, event.multi_value_query_string_parameters
        return cls(
            method=event.http_method,
            route=event.resource,
            principal=principal,
            path={name: unquote(value) for name, value in event.path_parameters.items()},
            query={name: values[-1] for name, values in query_lists.items()},
            headers=event.headers,
            body=_body(event),
            address=context.identity.source_ip,
            id=context.request_id or "",
            query_lists=query_lists,
            time_left=time_left,
        )

    def check_size(self) -> None:
        """Raise `RequestTooLarge` if the body exceeds the limit."""
        if len(self.body) > MAX_BODY_BYTES:
            raise RequestTooLarge

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Parse the body; a fraction is a `Decimal`, exactly as written. Raises `NotJson`."""
        try:
            return json.loads(self.body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, ArithmeticError, RecursionError):
            raise NotJson from None


def _body(event: APIGatewayProxyEvent) -> bytes:
    body = event.body or ""
    if event.is_base64_encoded:
        try:
            return base64.b64decode(body)
        except ValueError:
            return b"\xff"  # not text, and so not JSON either
    return body.encode(errors="surrogatepass")


def _refuse_constant(constant: str) -> None:
    """Refuse NaN and the infinities, which Python accepts and JSON does not have."""
    raise NotJson(constant)
