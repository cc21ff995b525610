"""The Management API: its requests, its errors and its answers (contract: Management API)."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serverless_cart.domain.errors import InvalidTransition, OrderNotFound, Refusal
from serverless_cart.domain.limits import (
    CUSTOMER_TOKEN_LIFETIME,
    MAX_CUSTOMER_TOKEN_LIFETIME,
    MIN_CUSTOMER_TOKEN_LIFETIME,
)
from serverless_cart.domain.validation import parse_customer, parse_signed_in_customer
from serverless_cart.web.api import Api, Details, check_address
from serverless_cart.web.bodies import NOT_AN_OBJECT, faults_of, integral
from serverless_cart.web.refusals import (
    BannedAddress,
    ErrorTable,
    NotFound,
    OtherKind,
    RequestTooLarge,
    Unauthenticated,
)
from serverless_cart.web.request import NotJson, Request
from serverless_cart.web.response import JSON, json_response, to_json
from serverless_cart.web.times import iso

UNDECODABLE: Final = "\ufffd"
"""What the gateway and Python write for bytes that are not UTF-8: two such customers would be one."""


class BadParameters(Refusal):
    """A parameter is invalid; ``details`` has the messages by field."""


ERRORS: Final[ErrorTable] = {
    BadParameters: (400, "bad_params"),
    Unauthenticated: (401, "not_authenticated"),
    OtherKind: (403, "access_denied"),
    BannedAddress: (403, "access_denied"),
    NotFound: (404, "not_found"),
    OrderNotFound: (404, "not_found"),
    InvalidTransition: (409, "invalid_transition"),
    RequestTooLarge: (413, "request_too_large"),
}
MESSAGES: Final[Mapping[str, str]] = {
    "bad_params": "Bad parameters error",
    "not_authenticated": "Authentication required",
    "access_denied": "Access denied",
    "not_found": "Not found",
    "invalid_transition": "Invalid transition",
    "request_too_large": "Request too large",
    "internal_error": "Internal server error",
    "unavailable": "Temporarily unavailable",
}
"""The message of each error code. Both are exactly those of the contract."""


class IssueCustomerToken(BaseModel):
    """The body of POST /api/v2/customers/{customer}/tokens, which may be absent."""

    model_config = ConfigDict(strict=True)

    expires_in: Annotated[int, Field(ge=MIN_CUSTOMER_TOKEN_LIFETIME, le=MAX_CUSTOMER_TOKEN_LIFETIME)] = Field(
        CUSTOMER_TOKEN_LIFETIME, description="Seconds for which the token is valid; 30 days if absent."
    )


def _error_json(code: str, details: Details) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": MESSAGES[code]}
    return {"error": {**error, "details": details} if details else error}


API: Final = Api(
    kind="management",
    errors=ERRORS,
    checks=(check_address,),  # servers send no Origin, and no page may read an answer: there are no CORS headers
    error_json=_error_json,
    unavailable="unavailable",
    fault="internal_error",
    headers=JSON,
)


def customer_of(request: Request) -> str:
    """Return the customer in the path. Raises `BadParameters`."""
    customer, faults = _customer(request)
    if faults:
        raise BadParameters(faults)
    return customer


def customer_and_lifetime_of(request: Request) -> tuple[str, int]:
    """Return the customer in the path, and for how many seconds a token is to be valid.

    Raises `BadParameters`, with all faults of the request.
    """
    customer, faults = _customer(request, parse_signed_in_customer)
    lifetime = CUSTOMER_TOKEN_LIFETIME
    try:
        body = integral(request.json()) if request.body.strip() else {}
        lifetime = IssueCustomerToken.model_validate(body).expires_in
    except NotJson:
        faults["body"] = [NOT_AN_OBJECT]
    except ValidationError as invalid:
        faults |= faults_of(invalid)
    if faults:
        raise BadParameters(faults)
    return customer, lifetime


def token_answer(key: str, expires_at: int) -> Response[str]:
    """Return a new token and when it expires, in seconds since 1970."""
    return answer(201, {"token": key, "expires_at": iso(expires_at * 1000)})


def answer(status: int, body: Mapping[str, Any]) -> Response[str]:
    """Return an answer. It has tokens or personal data, so no cache may store it."""
    return json_response(status, to_json(body), {"Cache-Control": "no-store"}, API.headers)


def _customer(request: Request, parse: Callable[[str], str] = parse_customer) -> tuple[str, dict[str, list[str]]]:
    """Return the customer in the path, and what is wrong with it."""
    customer = request.path["customer"]
    if UNDECODABLE in customer:
        return customer, {"customer": ["a customer's id is percent-encoded UTF-8"]}
    try:
        return parse(customer), {}
    except ValueError as error:
        return customer, {"customer": [str(error)]}
