"""/api/shop/cart and /api/shop/cart/discount: the customer's cart and its discount code (contract: Shop routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.service.cart import Outcome
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.shop_api import (
    API,
    cart_answer,
    discount_code_of,
    owner_of,
    preconditions_of,
    selections_of,
    unless_known,
)

ROUTE = "/api/shop/cart"
DISCOUNT = "/api/shop/cart/discount"

telemetry = Telemetry("cart")
carts = bootstrap.cart_service(Environment.load(), telemetry)
app = App(API, telemetry)


@app.get(ROUTE)
def read() -> Response[str]:
    """Return the cart, or 304 if the client already has it."""
    request = app.parsed_request
    return unless_known(request, cart_answer(request, Outcome(carts.read(owner_of(request)))))


@app.patch(ROUTE)
def select() -> Response[str]:
    """Set address, shipping method or payment method."""
    request = app.parsed_request
    selections, preconditions = selections_of(request)
    return cart_answer(request, carts.select(owner_of(request), selections, preconditions))


@app.delete(ROUTE)
def clear() -> Response[str]:
    """Empty the cart."""
    request = app.parsed_request
    return cart_answer(request, carts.clear(owner_of(request), preconditions_of(request)))


@app.put(DISCOUNT)
def apply_discount() -> Response[str]:
    """Set the discount code."""
    request = app.parsed_request
    code, preconditions = discount_code_of(request)
    return cart_answer(request, carts.apply_discount(owner_of(request), code, preconditions))


@app.delete(DISCOUNT)
def remove_discount() -> Response[str]:
    """Remove the discount code."""
    request = app.parsed_request
    return cart_answer(request, carts.remove_discount(owner_of(request), preconditions_of(request)))


handler = app.handler()
cold_start.finish()
