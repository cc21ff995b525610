"""The parameters of the cart of a search session (contract: Search parameters)."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from serverless_cart.domain import limits
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.web.request import Request
from serverless_cart.web.search_api import (
    INTEGER_SCHEMA,
    InvalidSessionItem,
    MissingSessionFields,
    SessionIdTooLong,
    device_of,
    hashid_of,
    id_text,
    integer,
    number,
    parameters_of,
)

_PRICE_STEP: Final = Decimal(1).scaleb(-limits.SESSION_ITEM_PRICE_DECIMALS)

Body = TypeVar("Body", bound=BaseModel)


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
_PRICE_SCHEMA: Final = {
    "type": ["number", "string", "null"],
    "minimum": 0,
    "maximum": limits.SESSION_ITEM_PRICE,
    "pattern": rf"^(([0-9]{{1,11}}|0{{0,28}}[0-9]{{12}})(\.[0-9]{{1,40}})?"
    rf"|0{{0,27}}{limits.SESSION_ITEM_PRICE}(\.0{{1,40}})?)?$",
}

Name = Annotated[str, Field(min_length=1, max_length=limits.SESSION_ITEM_NAME_LENGTH)]
Id = Annotated[Name, BeforeValidator(id_text), WithJsonSchema(_ID_SCHEMA)]
Amount = Annotated[
    int, BeforeValidator(integer), Field(ge=1, le=limits.SESSION_ITEM_AMOUNT), WithJsonSchema(INTEGER_SCHEMA)
]
Price = Annotated[Decimal, BeforeValidator(number), Field(ge=0, le=limits.SESSION_ITEM_PRICE), AfterValidator(_rounded)]


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


def session_of(request: Request) -> Session:
    """Return the session of a request. Raises `SessionIdTooLong`, and `InvalidSessionItem` for invalid Unicode."""
    session_id = request.path["session_id"]
    if len(session_id) > limits.SESSION_ID_LENGTH:
        raise SessionIdTooLong
    try:
        session_id.encode()
    except UnicodeEncodeError:
        raise InvalidSessionItem from None
    return Session(hashid_of(request), session_id)


def addition_of(request: Request) -> SessionItemAddition:
    """Read the item that a request adds. Raises `MissingSessionFields` or `InvalidSessionItem`."""
    body = _parse(request, AddSessionItem, required=("id", "index", "title"))
    return SessionItemAddition(ItemKey(body.index, body.id), body.title, body.amount, body.price, device_of(request))


def removal_of(request: Request) -> SessionItemRemoval:
    """Read the item that a request subtracts from. Raises `MissingSessionFields` or `InvalidSessionItem`."""
    body = _parse(request, RemoveSessionItem, required=("id", "index"))
    return SessionItemRemoval(ItemKey(body.index, body.id), body.amount)


def _parse(request: Request, model: type[Body], required: tuple[str, ...]) -> Body:
    """Read the parameters. Missing fields come first (contract: Search errors)."""
    fields = parameters_of(request)
    if fields is None:
        raise InvalidSessionItem
    missing = [name for name in required if name not in fields]
    if missing:
        raise MissingSessionFields(missing)
    try:
        return model.model_validate(fields)
    except ValidationError:
        raise InvalidSessionItem from None
