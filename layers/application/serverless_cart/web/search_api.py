"""The Search API: its errors, its answer, and how its parameters are read (contract: Search API)."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from serverless_cart.domain import limits
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.session import Device
from serverless_cart.web.api import PAGE_CHECKS, Api, Details
from serverless_cart.web.refusals import COMMON, ErrorTable, OtherKind, Unauthenticated
from serverless_cart.web.request import NotJson, Request
from serverless_cart.web.response import json_response

_HASHID: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")

_INTEGERS: Final = "|".join(f"0{{0,{39 - more}}}[1-9][0-9]{{{more}}}" for more in range(6))
"""Integers of one to six digits, and 40 with their leading zeros."""
INTEGER_SCHEMA: Final = {
    "type": ["integer", "string", "null"],
    "minimum": 1,
    "maximum": limits.SESSION_ITEM_AMOUNT,
    "pattern": rf"^(({_INTEGERS}|0{{0,33}}{limits.SESSION_ITEM_AMOUNT})(\.0{{1,40}})?)?$",
}
"""The JSON Schema of what `integer` reads, and of an absent value."""


class SessionIdTooLong(Refusal):
    """A search session's id has more than 32 characters."""


class InvalidSessionItem(Refusal):
    """A search session's item is malformed."""


class MissingSessionFields(Refusal):
    """A search session's item lacks required fields."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Keep the missing fields, in the order of the contract."""
        super().__init__()
        self.fields = list(fields)


class MissingEventFields(Refusal):
    """An event lacks required fields."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Keep the missing fields, in the order of the contract."""
        super().__init__()
        self.fields = list(fields)


class InvalidUserId(Refusal):
    """The id of an event's visitor is malformed."""


class InvalidDfid(Refusal):
    """The id of a clicked item is malformed."""


class OtherHashid(Refusal):
    """A clicked item is of another search engine than the one in the path."""


class InvalidRedirectId(Refusal):
    """The id of a banner or of a redirection is not digits."""


class BadRequest(Refusal):
    """An event's body is not an object, or one of its fields is malformed."""


ERRORS: Final[ErrorTable] = {
    **COMMON,
    Unauthenticated: (403, "forbidden"),
    OtherKind: (403, "forbidden"),
    SessionIdTooLong: (400, "session_id should have 32 characters or less"),
    MissingSessionFields: (400, "Following fields are missing"),
    InvalidSessionItem: (400, "Invalid cart item data"),
    MissingEventFields: (400, "fields are missing"),
    InvalidUserId: (400, "invalid_user_id"),
    InvalidDfid: (400, "Bad request, dfid is invalid"),
    OtherHashid: (400, "Item hashid must be the same as search engine hashid"),
    InvalidRedirectId: (400, "Invalid redirect id"),
    BadRequest: (400, "Bad request"),
}


def hashid_of(request: Request) -> str:
    """Return the hashid in lower case. js-doofinder also accepts ``<hashid>-<suffix>``; the suffix is ignored."""
    return request.path["hashid"].lower().partition("-")[0]


def _check_search_engine(request: Request) -> None:
    """Raise `Unauthenticated` if the hashid is malformed or is not one of the shop's search engines."""
    hashid = hashid_of(request)
    if not _HASHID.fullmatch(hashid) or hashid not in request.principal.search_engines:
        raise Unauthenticated


def _describe(refusal: Refusal, error: str, _request: Request | None) -> tuple[str, Mapping[str, str], Details]:
    if isinstance(refusal, MissingSessionFields):
        error = f"{error}: {json.dumps(refusal.fields)}"
    if isinstance(refusal, MissingEventFields):
        error = f"[{', '.join(refusal.fields)}] {error}"
    return error, {}, refusal.details


API: Final = Api(kind="api_key", errors=ERRORS, checks=(_check_search_engine, *PAGE_CHECKS), describe=_describe)


def registered() -> Response[str]:
    """Return the answer of all routes (contract: Search API)."""
    return json_response(200, '{"status": "registered"}')


def device_of(request: Request) -> Device:
    """Return the visitor's kind of device: the client hint decides, then MDN's rule for ``User-Agent``."""
    hint = request.headers.get("sec-ch-ua-mobile")
    is_mobile = hint == "?1" if hint in {"?0", "?1"} else "Mobi" in request.headers.get("user-agent", "")
    return "mobile" if is_mobile else "desktop"


def id_text(value: object) -> object:
    """Write an id that is a JSON number as its decimal string; another value stays as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal) and abs(value.adjusted()) <= limits.SESSION_ITEM_NAME_LENGTH:
        return format(value, "f")
    return value


def number(value: object) -> object:
    """Read a number, or the numeric string of a query string, as a `Decimal`; another value stays as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    return value


def integer(value: object) -> object:
    """Read an integer from 1 to 10^6 like `number`; ``None`` for another value."""
    value = number(value)
    if isinstance(value, Decimal) and 1 <= value <= limits.SESSION_ITEM_AMOUNT and value == value.to_integral_value():
        return int(value)
    return None


def parameters_of(request: Request, lists: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any] | None:
    """Merge query string and body, which wins field by field; ``None`` if a body is present and not an object.

    ``null`` and an empty string count as absent: php-doofinder always sends price and amount, and js-doofinder writes
    null as an empty string. ``lists`` are the arrays of the query string.
    """
    fields: dict[str, Any] = {**request.query, **lists}
    if request.body:
        try:
            body = request.json()
        except NotJson:
            return None
        if not isinstance(body, dict):
            return None
        fields |= body
    return {name: value for name, value in fields.items() if value not in (None, "")}
