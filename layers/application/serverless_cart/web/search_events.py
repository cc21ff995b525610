"""The parameters of the events besides those of the cart (contract: Search parameters)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from serverless_cart.domain import limits
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.search_events import BannerClick, Checkout, Click, Redirect, SessionStart
from serverless_cart.domain.session import Session
from serverless_cart.web.request import Request
from serverless_cart.web.search_api import (
    INTEGER_SCHEMA,
    BadRequest,
    InvalidDfid,
    InvalidRedirectId,
    InvalidUserId,
    MissingEventFields,
    OtherHashid,
    SessionIdTooLong,
    device_of,
    hashid_of,
    id_text,
    integer,
    parameters_of,
)

Parameters = TypeVar("Parameters", bound=BaseModel)

_SOURCES: Final = re.compile(r"sources(\[[0-9]*\])?")
"""The names of the array in a query string: ``sources``, PHP's ``sources[]``, js-doofinder's ``sources[0]``."""
_OTHER_HASHID: Final = "other_hashid"


def _digits(value: object) -> object:
    """Write an integer as its decimal string."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = value.quantize(Decimal(1)) if value.adjusted() < 20 else value.normalize()  # 2.0 is 2
    return id_text(value)


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _check_hashid(dfid: str, info: ValidationInfo) -> str:
    if dfid.partition("@")[0].lower() != info.context:
        raise PydanticCustomError(_OTHER_HASHID, "the dfid is of another search engine")
    return dfid


# Some parsers above accept more than their types show, so their schemas are written out. A test compares both.
SessionId = Annotated[str, Field(min_length=1, max_length=limits.SESSION_ID_LENGTH)]
UserId = Annotated[str, Field(max_length=limits.SEARCH_USER_LENGTH)]
Query = Annotated[str, Field(max_length=limits.SEARCH_QUERY_LENGTH)]
Dfid = Annotated[
    str,
    StringConstraints(
        pattern=rf"^[0-9a-fA-F]{{32}}@[0-9A-Za-z_-]{{1,{limits.SESSION_ITEM_NAME_LENGTH}}}@[0-9a-fA-F]{{32}}$"
    ),
    AfterValidator(_check_hashid),
]
Digits = Annotated[
    str,
    BeforeValidator(_digits),
    StringConstraints(pattern="^[0-9]+$", max_length=limits.SESSION_ITEM_NAME_LENGTH),
    WithJsonSchema({
        "type": ["string", "integer"],
        "pattern": "^[0-9]+$",
        "maxLength": limits.SESSION_ITEM_NAME_LENGTH,
        "minimum": 0,
        "exclusiveMaximum": 10.0**limits.SESSION_ITEM_NAME_LENGTH,
    }),
]  # fmt: skip
_REFERENCE_SCHEMA: Final = {
    "type": ["string", "number", "null"],
    "maxLength": limits.SEARCH_REFERENCE_LENGTH,
    "exclusiveMinimum": -(10.0 ** (limits.SEARCH_REFERENCE_LENGTH - 1)),
    "exclusiveMaximum": 10.0**limits.SEARCH_REFERENCE_LENGTH,
}
_SOURCES_SCHEMA: Final = {
    "type": ["array", "string", "null"],
    "items": {"type": "string", "minLength": 1, "maxLength": limits.SEARCH_REFERENCE_LENGTH},
    "maxItems": limits.CHECKOUT_SOURCES,
    "maxLength": limits.SEARCH_REFERENCE_LENGTH,
}
Reference = Annotated[str, BeforeValidator(id_text), Field(max_length=limits.SEARCH_REFERENCE_LENGTH)]
Position = Annotated[int, BeforeValidator(integer)]
Sources = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=limits.SEARCH_REFERENCE_LENGTH)]],
    BeforeValidator(_one_or_many),
    Field(max_length=limits.CHECKOUT_SOURCES),
]


class InitSession(BaseModel):
    """The parameters of /6/{hashid}/stats/init."""

    model_config = ConfigDict(strict=True)

    session_id: SessionId = Field(description="The id of the visitor's search session, which the page chose.")
    user_id: UserId | None = Field(None, description="The shop's id of the visitor; null and empty count as absent.")


class LogClick(InitSession):
    """The parameters of /6/{hashid}/stats/click."""

    dfid: Dfid = Field(
        description="The clicked item: `<hashid>@<index>@<md5>`, as each result has it. Letters may be in any case."
    )
    query: Query | None = Field(None, description="The visitor's search terms.")
    position: Annotated[Position | None, WithJsonSchema(INTEGER_SCHEMA)] = Field(
        None, description="The item's place in the results, from 1. A numeric string is also accepted."
    )
    custom_results_id: Annotated[Reference | None, WithJsonSchema(_REFERENCE_SCHEMA)] = Field(
        None, description="The id of the custom results that had the item."
    )
    resource_id: Annotated[Reference | None, WithJsonSchema(_REFERENCE_SCHEMA)] = Field(
        None, description="The id of the resource that showed the item."
    )


class LogImage(BaseModel):
    """The parameters of /6/{hashid}/stats/image."""

    model_config = ConfigDict(strict=True)

    id: Digits = Field(description="The id of the banner's image: digits, also as a number.")
    session_id: SessionId = Field(description="The id of the visitor's search session, which the page chose.")
    query: Query | None = Field(None, description="The visitor's search terms.")


class LogRedirect(LogImage):
    """The parameters of /6/{hashid}/stats/redirect."""

    id: Digits = Field(description="The id of the redirection: digits, also as a number.")


class LogCheckout(InitSession):
    """The parameters of /6/{hashid}/stats/checkout."""

    sources: Annotated[Sources | None, WithJsonSchema(_SOURCES_SCHEMA)] = Field(
        None, description="Where the visitor came from: up to ten texts, or one text."
    )


_SESSION: Final = ("session_id", "string_too_long", SessionIdTooLong)
_USER: Final = ("user_id", "", InvalidUserId)
_ID: Final = ("id", "", InvalidRedirectId)
_REFUSALS: Final[Mapping[type[BaseModel], tuple[tuple[str, str, type[Refusal]], ...]]] = {
    InitSession: (_SESSION, _USER),
    LogClick: (_SESSION, ("dfid", _OTHER_HASHID, OtherHashid), ("dfid", "", InvalidDfid)),
    LogImage: (_ID,),
    LogRedirect: (_ID,),
    LogCheckout: (_SESSION, _USER),
}
"""The refusals of each route in order, by field and by type of the fault, which is empty for any."""


def start_of(request: Request) -> SessionStart:
    """Read the start of a session. Raises the refusals of init (contract: Search errors)."""
    it = _parse(request, InitSession, required=("session_id",))
    return SessionStart(_session(request, it.session_id), device_of(request), it.user_id)


def click_of(request: Request) -> Click:
    """Read a click. Raises the refusals of click (contract: Search errors)."""
    it = _parse(request, LogClick, required=("dfid", "session_id"))
    _, index, md5 = it.dfid.split("@")
    return Click(
        _session(request, it.session_id),
        device_of(request),
        index,
        md5.lower(),
        user=it.user_id,
        query=it.query,
        position=it.position,
        custom_result=it.custom_results_id,
        resource=it.resource_id,
    )


def banner_click_of(request: Request) -> BannerClick:
    """Read a click on a banner. Raises the refusals of image (contract: Search errors)."""
    it = _parse(request, LogImage, required=("id", "session_id"))
    return BannerClick(_session(request, it.session_id), device_of(request), it.id, it.query)


def redirect_of(request: Request) -> Redirect:
    """Read a redirection. Raises the refusals of redirect (contract: Search errors)."""
    it = _parse(request, LogRedirect, required=("session_id", "id"))
    return Redirect(_session(request, it.session_id), device_of(request), it.id, it.query)


def checkout_of(request: Request) -> Checkout:
    """Read a checkout. Raises the refusals of checkout (contract: Search errors)."""
    it = _parse(request, LogCheckout, required=("session_id",))
    return Checkout(_session(request, it.session_id), device_of(request), it.user_id, tuple(it.sources or ()))


def _session(request: Request, session_id: str) -> Session:
    return Session(hashid_of(request), session_id)


def _parse(request: Request, model: type[Parameters], required: tuple[str, ...]) -> Parameters:
    """Read the parameters. Missing fields come first, in the vendor's order."""
    fields = parameters_of(request, _lists(request))
    if fields is None:
        raise BadRequest
    missing = [name for name in required if name not in fields]
    if missing:
        raise MissingEventFields(missing)
    try:
        return model.model_validate(fields, context=hashid_of(request))
    except ValidationError as invalid:
        faults = {
            fault["loc"][0]: fault["type"]
            for fault in invalid.errors(include_url=False, include_context=False, include_input=False)
        }
    for field, kind, refusal in _REFUSALS[model]:
        if field in faults and kind in ("", faults[field]):
            raise refusal
    raise BadRequest


def _lists(request: Request) -> dict[str, Any]:
    """Return the array of the query string, without empty values."""
    values = [
        value for name, them in request.query_lists.items() if _SOURCES.fullmatch(name) for value in them if value
    ]
    return {"sources": values} if values else {}
