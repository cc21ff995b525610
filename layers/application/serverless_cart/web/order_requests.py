"""The requests for orders, of customers and of shops' servers (contract: Order)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from serverless_cart.domain.limits import (
    DEFAULT_ORDERS,
    DEFAULT_ORDERS_OF_A_SHOP,
    MAX_SAFE_INTEGER,
    ORDERS_OF_A_CUSTOMER,
    ORDERS_OF_A_SHOP,
    ORDERS_OFFSET,
)
from serverless_cart.domain.orders import STATUSES, OrderChange, Status, is_key
from serverless_cart.service.order_ports import OrderPage, OrderQuery
from serverless_cart.web.bodies import NOT_AN_OBJECT, faults_of, integral
from serverless_cart.web.request import NotJson, Request

_DAY: Final = 86_400_000
_INTEGER: Final = re.compile(r"[0-9]{1,6}")
_CURSOR: Final = re.compile(r"([0-9]{13})\.(.*)", re.DOTALL)

Faults = dict[str, list[str]]


class CustomerQuery(NamedTuple):
    """The orders that a customer asks for: those of one ``status`` if given, without the newest ``offset``."""

    status: Status | None
    limit: int
    offset: int


class ChangeOrder(BaseModel):
    """The body of PATCH /api/v2/orders/{key}."""

    model_config = ConfigDict(strict=True)

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


def customer_query(query: Mapping[str, str]) -> tuple[CustomerQuery, Faults]:
    """Read the parameters of GET /api/shop/customers/me/orders, and what is wrong with them."""
    faults: Faults = {}
    return CustomerQuery(
        _status(query, faults),
        _integer(query, "limit", (1, ORDERS_OF_A_CUSTOMER), DEFAULT_ORDERS, faults),
        _integer(query, "offset", (0, ORDERS_OFFSET), 0, faults),
    ), faults


def shop_query(query: Mapping[str, str]) -> tuple[OrderQuery, Faults]:
    """Read the parameters of GET /api/v2/orders, and what is wrong with them."""
    faults: Faults = {}
    first, last = (_moment(query, name, faults) for name in ("from", "to"))
    if not faults and first[0] > last[1]:
        faults["to"] = ["must not be before from"]
    return OrderQuery(
        first[0],
        last[1],
        _status(query, faults),
        _integer(query, "limit", (1, ORDERS_OF_A_SHOP), DEFAULT_ORDERS_OF_A_SHOP, faults),
        _position(query, faults),
    ), faults


def cursor_of(page: OrderPage) -> str | None:
    """Return the cursor of an answer: the table's, without the character that a URL cannot have."""
    return page.cursor and page.cursor.replace("#", ".")


def order_change(request: Request) -> tuple[OrderChange | None, Faults]:
    """Read the body of PATCH /api/v2/orders/{key}, or what is wrong with it."""
    try:
        body = ChangeOrder.model_validate(integral(request.json()))
    except NotJson:
        return None, {"body": [NOT_AN_OBJECT]}
    except ValidationError as invalid:
        return None, faults_of(invalid)
    amount_paid = body.amount_paid if "amount_paid" in body.model_fields_set else None
    return OrderChange(body.status, amount_paid, body.restock), {}


def _status(query: Mapping[str, str], faults: Faults) -> Status | None:
    text = query.get("status", "")
    status = next((it for it in STATUSES if it == text), None)
    if text and status is None:
        faults["status"] = [f"must be one of {', '.join(STATUSES)}"]
    return status


def _integer(query: Mapping[str, str], name: str, bounds: tuple[int, int], default: int, faults: Faults) -> int:
    text = query.get(name) or str(default)
    lowest, highest = bounds
    if not _INTEGER.fullmatch(text) or not lowest <= int(text) <= highest:
        faults[name] = [f"must be an integer from {lowest} to {highest}"]
        return default
    return int(text)


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
    if text and not (match and (not match[2] or is_key(match[2]))):
        faults["cursor"] = ["must be the cursor of the answer before"]
    return text.replace(".", "#")
