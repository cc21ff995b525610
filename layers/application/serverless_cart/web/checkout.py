"""The request of a checkout and its answers (contract: Checkout)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from serverless_cart.domain import errors
from serverless_cart.domain.cart import Selections
from serverless_cart.domain.checkout import CheckoutRequest
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.limits import MAX_SAFE_INTEGER, NOTES_LENGTH
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.checkout import NeedsReview, Placed
from serverless_cart.web import shop_api
from serverless_cart.web.api import Api, Details
from serverless_cart.web.cart_json import warnings_json
from serverless_cart.web.request import Request
from serverless_cart.web.response import json_response, to_json


class CheckOut(BaseModel):
    """The body of POST /api/shop/checkout/cart: the cart's own selection takes the place of an absent one, or null."""

    model_config = ConfigDict(strict=True)

    address: shop_api.Selection = Field(None, description="The shop's id of the delivery address.")
    shipping_method: shop_api.Selection = Field(None, description="The shop's id of the shipping method.")
    payment_method: shop_api.Selection = Field(None, description="The shop's id of the payment method.")
    notes: Annotated[str, Field(max_length=NOTES_LENGTH)] = Field("", description="The customer's notes on the order.")
    total: Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)] = Field(
        0, description="The total that the customer has seen; no order is made for another one."
    )


def checkout_of(request: Request) -> tuple[CheckoutRequest, Preconditions]:
    """Read a checkout. Raises `InvalidRequest`, with all faults of the request."""
    body, preconditions = shop_api.parse(request, CheckOut)
    selections = Selections(body.address, body.shipping_method, body.payment_method)
    total = body.total if "total" in body.model_fields_set else None
    return CheckoutRequest(selections, body.notes, total), preconditions


def checkout_answer(placed: Placed) -> Response[str]:
    """Answer with the order's key and, if there is one, the address of the page that takes the payment."""
    body = {"order_key": placed.order.key}
    if placed.order.next_step is not None:
        body["next_step"] = placed.order.next_step
    replayed = {"Idempotency-Replayed": "true"} if placed.replayed else {}
    return json_response(200, to_json(body), {"Cache-Control": "no-store", **replayed})


def _describe(refusal: Refusal, error: str, request: Request | None) -> tuple[str, Mapping[str, str], Details]:
    if isinstance(refusal, NeedsReview):
        warnings: list[dict[str, Any]] = warnings_json(refusal.current)
        return error, {}, {"warnings": warnings, **refusal.details}
    return shop_api.describe(refusal, error, request)


ERRORS: Final = {
    **shop_api.ERRORS,
    errors.CartEmpty: (400, "cart is empty"),
    NeedsReview: (409, "cart needs review"),
    errors.TooManyUnpaidOrders: (409, "too many unpaid orders"),
}
API: Final[Api] = replace(shop_api.API, errors=ERRORS, describe=_describe)
"""The route of the Shop API that makes orders."""
