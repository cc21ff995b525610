"""POST /api/shop/checkout/cart: the cart becomes an order (contract: Checkout)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.checkout import API, checkout_answer, checkout_of
from serverless_cart.web.shop_api import owner_of

ROUTE = "/api/shop/checkout/cart"

telemetry = Telemetry("checkout")
carts = bootstrap.checkout_service(Environment.load(), telemetry)
app = App(API, telemetry)


@app.post(ROUTE)
def check_out() -> Response[str]:
    """Make an order of the cart and answer with its key."""
    request = app.parsed_request
    wanted, preconditions = checkout_of(request)
    currency = request.principal.currency
    placed = carts.check_out(owner_of(request), currency, wanted, preconditions, request.time_left)
    if not placed.replayed:
        telemetry.count("Checkouts")
    return checkout_answer(placed)


handler = app.handler()
cold_start.finish()
