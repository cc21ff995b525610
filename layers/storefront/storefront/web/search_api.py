"""The Search API: its parameters in, its one answer out (contract: Search API)."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from storefront.domain import limits
from storefront.domain.errors import InvalidSessionItem, MissingSessionFields, SessionIdTooLong, Unauthenticated
from storefront.domain.session import Addition, ItemKey, Removal, Session
from storefront.web import errors
from storefront.web.edge import Api
from storefront.web.request import NotJson, Request
from storefront.web.response import Response

REGISTERED: Final = Response(200, '{"status": "registered"}')

_HASHID: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_PRICE_STEP: Final = Decimal(1).scaleb(-limits.SESSION_ITEM_PRICE_DECIMALS)


def _admits(request: Request) -> None:
    """Refuse a hashid that is malformed or names none of the shop's search engines."""
    hashid = request.path["hashid"].lower()
    if not _HASHID.fullmatch(hashid) or hashid not in request.principal.search_engines:
        raise Unauthenticated


API: Final = Api(kind="api_key", errors=errors.SEARCH, admits=_admits)


def session_of(request: Request) -> Session:
    """Read whose cart a request is about. Raises `SessionIdTooLong`, and `InvalidSessionItem` for what is no text."""
    session_id = request.path["session_id"]
    if len(session_id) > limits.SESSION_ID_LENGTH:
        raise SessionIdTooLong
    _check_text(session_id)
    return Session(request.path["hashid"].lower(), session_id)


def addition_of(request: Request) -> Addition:
    """Read an event that puts an item in the cart. Raises `MissingSessionFields` or `InvalidSessionItem`."""
    fields = _fields(request, required=("id", "index", "title"))
    return Addition(
        key=_item_key(fields),
        title=_text(fields["title"], limits.SESSION_ITEM_TITLE_LENGTH),
        amount=_amount(fields),
        price=_price(fields),
    )


def removal_of(request: Request) -> Removal:
    """Read an event that takes an item out of the cart. Raises `MissingSessionFields` or `InvalidSessionItem`."""
    fields = _fields(request, required=("id", "index"))
    return Removal(key=_item_key(fields), amount=_amount(fields))


def _fields(request: Request, required: tuple[str, ...]) -> Mapping[str, Any]:
    """Join the query string and the body, which wins field by field."""
    fields: dict[str, Any] = dict(request.query)
    if request.body:
        try:
            body = request.json()
        except NotJson:
            raise InvalidSessionItem from None
        if not isinstance(body, dict):
            raise InvalidSessionItem
        fields |= body
    missing = [name for name in required if fields.get(name) in (None, "")]
    if missing:
        raise MissingSessionFields(missing)
    return fields


def _item_key(fields: Mapping[str, Any]) -> ItemKey:
    """Read which item an event is about; an id that is a number counts as its decimal string."""
    id_ = fields["id"]
    if isinstance(id_, int) and not isinstance(id_, bool):
        id_ = str(id_)
    elif isinstance(id_, Decimal):
        id_ = _decimal_text(id_)
    return ItemKey(
        index=_text(fields["index"], limits.SESSION_ITEM_NAME_LENGTH),
        id=_text(id_, limits.SESSION_ITEM_NAME_LENGTH),
    )


def _decimal_text(number: Decimal) -> str:
    """Write a number without an exponent, unless that would be too long for an id anyway."""
    if abs(number.adjusted()) > limits.SESSION_ITEM_NAME_LENGTH:
        raise InvalidSessionItem
    return format(number, "f")


def _text(value: object, length: int) -> str:
    """Read a text of at most so many characters."""
    if not isinstance(value, str) or len(value) > length:
        raise InvalidSessionItem
    _check_text(value)
    return value


def _check_text(value: str) -> None:
    """Refuse text that UTF-8 cannot hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidSessionItem from None


def _amount(fields: Mapping[str, Any]) -> int:
    """Read how many pieces an event is about: one where it does not say."""
    if "amount" not in fields:
        return 1
    amount = _number(fields["amount"])
    if amount != amount.to_integral_value() or not 1 <= amount <= limits.SESSION_ITEM_AMOUNT:
        raise InvalidSessionItem
    return int(amount)


def _price(fields: Mapping[str, Any]) -> Decimal | None:
    """Read a price, to six decimals; none where the event does not say."""
    if "price" not in fields:
        return None
    price = _number(fields["price"])
    if not 0 <= price <= limits.SESSION_ITEM_PRICE:
        raise InvalidSessionItem
    return abs(price.quantize(_PRICE_STEP, ROUND_HALF_EVEN).normalize())  # abs: -0 is 0


def _number(value: object) -> Decimal:
    """Read a number, or the numeric string that a query string makes of it."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise InvalidSessionItem
