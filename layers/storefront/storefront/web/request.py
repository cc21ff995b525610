"""A request, as API Gateway hands it over, read once."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from storefront.domain import limits
from storefront.domain.errors import RequestTooLarge
from storefront.tokens import Principal

Event = Mapping[str, Any]


class NotJson(Exception):
    """A body is no JSON, or none that is worth reading: too deep, a number past all bounds, NaN."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a route needs to know of a request.

    Header names are in lower case; of a header or a query-string parameter that comes more than once the last counts.
    Path parameters are percent-decoded. ``time_left`` returns the seconds that are left of the function's time.
    """

    method: str
    route: str
    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    address: str
    time_left: Callable[[], float]

    @classmethod
    def from_event(cls, event: Event, principal: Principal, time_left: Callable[[], float]) -> "Request":
        """Read an event of a REST API's proxy integration."""
        return cls(
            method=event["httpMethod"],
            route=event["resource"],
            principal=principal,
            path={name: unquote(value) for name, value in (event.get("pathParameters") or {}).items()},
            query={name: values[-1] for name, values in (event.get("multiValueQueryStringParameters") or {}).items()},
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            body=_body(event),
            address=event["requestContext"]["identity"]["sourceIp"],
            time_left=time_left,
        )

    def check_size(self) -> None:
        """Raise `RequestTooLarge` for a body past the limit."""
        if len(self.body) > limits.REQUEST_BYTES:
            raise RequestTooLarge

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Read the body; a fraction is a `Decimal`, exactly as written. Raises `NotJson`."""
        try:
            return json.loads(self.body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, ArithmeticError, RecursionError):
            raise NotJson from None


def _body(event: Event) -> bytes:
    """Return the body's bytes; none where there is no body."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body)
        except ValueError:
            return b"\xff"  # which is no text, and so no JSON either
    return str(body).encode(errors="surrogatepass")


def _refuse_constant(constant: str) -> None:
    """Refuse NaN and the infinities, which Python reads and JSON does not have."""
    raise NotJson(constant)
