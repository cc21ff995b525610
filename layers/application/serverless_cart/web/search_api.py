"""The Search API: its parameters, its errors and its answer (contract: Search API)."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, Final, TypeVar

from aws_lambda_powertools.event_handler import Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from serverless_cart.domain import limits
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.web.api import PAGE_CHECKS, Api
from serverless_cart.web.refusals import COMMON, ErrorTable, OtherKind, Unauthenticated
from serverless_cart.web.request import NotJson, Request
from serverless_cart.web.response import json_response

_HASHID: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_PRICE_STEP: Final = Decimal(1).scaleb(-limits.SESSION_ITEM_PRICE_DECIMALS)

Body = TypeVar("Body", bound=BaseModel)


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


ERRORS: Final[ErrorTable] = {
    **COMMON,
    Unauthenticated: (403, "forbidden"),
    OtherKind: (403, "forbidden"),
    SessionIdTooLong: (400, "session_id should have 32 characters or less"),
    MissingSessionFields: (400, "Following fields are missing"),
    InvalidSessionItem: (400, "Invalid cart item data"),
}


def _id_text(value: object) -> object:
    """Write an id that is a JSON number as its decimal string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal) and abs(value.adjusted()) <= limits.SESSION_ITEM_NAME_LENGTH:
        return format(value, "f")
    return value


def _number(value: object) -> object:
    """Read a number, or the numeric string of a query string, as a `Decimal`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    return value


def _integer(value: object) -> object:
    value = _number(value)
    if isinstance(value, Decimal) and 1 <= value <= limits.SESSION_ITEM_AMOUNT and value == value.to_integral_value():
        return int(value)
    return None


def _rounded(price: Decimal) -> Decimal:
    return abs(price.quantize(_PRICE_STEP, ROUND_HALF_EVEN).normalize())  # abs: -0 is 0


# The parsers above accept more than their types show, so these schemas are written out. A test compares both.
_ID_SCHEMA: Final = {
    "type": ["string", "number"],
    "minLength": 1,
    "maxLength": limits.SESSION_ITEM_NAME_LENGTH,
    "exclusiveMinimum": -(10.0 ** (limits.SESSION_ITEM_NAME_LENGTH - 1)),
    "exclusiveMaximum": 10.0**limits.SESSION_ITEM_NAME_LENGTH,
}
_AMOUNTS: Final = "|".join(f"0{{0,{39 - more}}}[1-9][0-9]{{{more}}}" for more in range(6))
"""Amounts of one to six digits, and 40 with their leading zeros."""
_AMOUNT_SCHEMA: Final = {
    "type": ["integer", "string", "null"],
    "minimum": 1,
    "maximum": limits.SESSION_ITEM_AMOUNT,
    "pattern": rf"^(({_AMOUNTS}|0{{0,33}}{limits.SESSION_ITEM_AMOUNT})(\.0{{1,40}})?)?$",
}
_PRICE_SCHEMA: Final = {
    "type": ["number", "string", "null"],
    "minimum": 0,
    "maximum": limits.SESSION_ITEM_PRICE,
    "pattern": rf"^(([0-9]{{1,11}}|0{{0,28}}[0-9]{{12}})(\.[0-9]{{1,40}})?"
    rf"|0{{0,27}}{limits.SESSION_ITEM_PRICE}(\.0{{1,40}})?)?$",
}

Name = Annotated[str, Field(min_length=1, max_length=limits.SESSION_ITEM_NAME_LENGTH)]
Id = Annotated[Name, BeforeValidator(_id_text), WithJsonSchema(_ID_SCHEMA)]
Amount = Annotated[
    int, BeforeValidator(_integer), Field(ge=1, le=limits.SESSION_ITEM_AMOUNT), WithJsonSchema(_AMOUNT_SCHEMA)
]
Price = Annotated[
    Decimal, BeforeValidator(_number), Field(ge=0, le=limits.SESSION_ITEM_PRICE), AfterValidator(_rounded)
]


class RemoveSessionItem(BaseModel):
    """The parameters of PATCH /6/{hashid}/stats/cart/{session_id}."""

    model_config = ConfigDict(strict=True)

    id: Id = Field(description="The item's id in its index. A number is read as its decimal string.")
    index: Name = Field(description="The index that contains the item, for example `product`.")
    amount: Amount = Field(
        1,
        description="The number of pieces, 1 if absent. A numeric string is also accepted; null and an empty string "
        "count as absent.",
    )


class AddSessionItem(RemoveSessionItem):
    """The parameters of PUT /6/{hashid}/stats/cart/{session_id}."""

    title: Annotated[str, Field(min_length=1, max_length=limits.SESSION_ITEM_TITLE_LENGTH)] = Field(
        description="The item's title, usually the title of its page."
    )
    price: Annotated[Price | None, WithJsonSchema(_PRICE_SCHEMA)] = Field(
        None,
        description=f"The price of one piece in the shop's currency, rounded to {limits.SESSION_ITEM_PRICE_DECIMALS} "
        "decimals. A numeric string is also accepted; null and an empty string count as absent.",
    )


def _hashid(request: Request) -> str:
    """Return the hashid in lower case. js-doofinder also accepts ``<hashid>-<suffix>``; the suffix is ignored."""
    return request.path["hashid"].lower().partition("-")[0]


def _check_search_engine(request: Request) -> None:
    """Raise `Unauthenticated` if the hashid is malformed or is not one of the shop's search engines."""
    hashid = _hashid(request)
    if not _HASHID.fullmatch(hashid) or hashid not in request.principal.search_engines:
        raise Unauthenticated


def _describe(refusal: Refusal, error: str, _request: Request | None) -> tuple[str, Mapping[str, str]]:
    if isinstance(refusal, MissingSessionFields):
        error = f"{error}: {json.dumps(refusal.fields)}"
    return error, {}


API: Final = Api(kind="api_key", errors=ERRORS, checks=(_check_search_engine, *PAGE_CHECKS), describe=_describe)


def registered() -> Response[str]:
    """Return the answer of all routes (contract: Search API)."""
    return json_response(200, '{"status": "registered"}')


def session_of(request: Request) -> Session:
    """Return the session of a request. Raises `SessionIdTooLong`, and `InvalidSessionItem` for invalid Unicode."""
    session_id = request.path["session_id"]
    if len(session_id) > limits.SESSION_ID_LENGTH:
        raise SessionIdTooLong
    try:
        session_id.encode()
    except UnicodeEncodeError:
        raise InvalidSessionItem from None
    return Session(_hashid(request), session_id)


def addition_of(request: Request) -> SessionItemAddition:
    """Read the item that a request adds. Raises `MissingSessionFields` or `InvalidSessionItem`."""
    body = _parse(request, AddSessionItem, required=("id", "index", "title"))
    return SessionItemAddition(ItemKey(body.index, body.id), body.title, body.amount, body.price)


def removal_of(request: Request) -> SessionItemRemoval:
    """Read the item that a request subtracts from. Raises `MissingSessionFields` or `InvalidSessionItem`."""
    body = _parse(request, RemoveSessionItem, required=("id", "index"))
    return SessionItemRemoval(ItemKey(body.index, body.id), body.amount)


def _parse(request: Request, model: type[Body], required: tuple[str, ...]) -> Body:
    """Merge query string and body, which wins field by field. Missing fields come first (contract: Search errors)."""
    fields: dict[str, Any] = dict(request.query)
    if request.body:
        try:
            body = request.json()
        except NotJson:
            raise InvalidSessionItem from None
        if not isinstance(body, dict):
            raise InvalidSessionItem
        fields |= body
    # php-doofinder always sends price and amount, and js-doofinder writes null as an empty string.
    fields = {name: value for name, value in fields.items() if value not in (None, "")}
    missing = [name for name in required if name not in fields]
    if missing:
        raise MissingSessionFields(missing)
    try:
        return model.model_validate(fields)
    except ValidationError:
        raise InvalidSessionItem from None
