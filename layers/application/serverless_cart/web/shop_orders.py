"""The requests of a shop's server for orders (contract: Management routes)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from serverless_cart.domain.limits import DEFAULT_ORDERS_OF_A_SHOP, MAX_SAFE_INTEGER, ORDERS_OF_A_SHOP
from serverless_cart.domain.orders import OrderChange, Status, is_key
from serverless_cart.service.order_ports import OrderPage, OrderQuery
from serverless_cart.web.bodies import NOT_AN_OBJECT, faults_of, integral
from serverless_cart.web.management_api import BadParameters
from serverless_cart.web.query_string import Faults, read_integer, read_status
from serverless_cart.web.request import NotJson, Request

_DAY: Final = 86_400_000
_CURSOR: Final = re.compile(r"[0-9]{13}\.(.*)", re.DOTALL)


class ChangeOrder(BaseModel):
    """The body of PATCH /api/v2/orders/{key}."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "if": {"properties": {"restock": {"const": True}}, "required": ["restock"]},
            "then": {"properties": {"status": {"const": "refunded"}}},
        },
    )

    status: Status = Field(description="The new status, or the present one.")
    amount_paid: Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)] = Field(
        0, description="Minor currency units; an absent field keeps the amount."
    )
    restock: bool = Field(default=False, description="Whether a refunded order returns its stock.")

    @model_validator(mode="after")
    def _check_restock(self) -> Self:
        if self.restock and self.status != "refunded":
            raise PydanticCustomError("restock", "only an order that is refunded can be restocked")
        return self


def order_query_of(request: Request) -> OrderQuery:
    """Read which orders are asked for. Raises `BadParameters`, with all faults of the request."""
    faults: Faults = {}
    (first, _), (_, last) = (_moment(request.query, name, faults) for name in ("from", "to"))
    if not faults and first > last:
        faults["to"] = ["must not be before from"]
    query = OrderQuery(
        first,
        last,
        read_status(request.query, faults),
        read_integer(request.query, "limit", (1, ORDERS_OF_A_SHOP), DEFAULT_ORDERS_OF_A_SHOP, faults),
        _position(request.query, faults),
    )
    if faults:
        raise BadParameters(faults)
    return query


def cursor_of(page: OrderPage) -> str | None:
    """Return the cursor of an answer: the table's, without the character that a URL cannot have."""
    return page.cursor and page.cursor.replace("#", ".")


def order_change_of(request: Request) -> OrderChange:
    """Read how an order is to change. Raises `BadParameters`, with all faults of the request."""
    try:
        body = ChangeOrder.model_validate(integral(request.json()))
    except NotJson:
        raise BadParameters({"body": [NOT_AN_OBJECT]}) from None
    except ValidationError as invalid:
        raise BadParameters(faults_of(invalid)) from None
    amount_paid = body.amount_paid if "amount_paid" in body.model_fields_set else None
    return OrderChange(body.status, amount_paid, body.restock)


def _moment(query: Mapping[str, str], name: str, faults: Faults) -> tuple[int, int]:
    """Return the first and the last millisecond of a day, a second or a millisecond."""
    text = query.get(name, "")
    try:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(text)
        if len(text) == len("yyyymmdd"):
            start = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
            return max(start, 0), max(start + _DAY - 1, 0)
        start, length = {10: (int(text) * 1000, 1000), 13: (int(text), 1)}[len(text)]
    except (ValueError, KeyError):
        faults[name] = ["must be a day as YYYYMMDD, or Unix time of 10 or 13 digits"]
        return 0, 0
    return start, start + length - 1


def _position(query: Mapping[str, str], faults: Faults) -> str:
    text = query.get("cursor", "")
    match = _CURSOR.fullmatch(text)
    if text and not (match and (not match[1] or is_key(match[1]))):
        faults["cursor"] = ["must be the cursor of the answer before"]
    return text.replace(".", "#")
