"""POST /api/shop/cart/merge: a guest's items move into the customer's cart (contract: Guests)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.shop_api import API, cart_answer, guest_of, owner_of

ROUTE = "/api/shop/cart/merge"

telemetry = Telemetry("cart_merge")
carts = bootstrap.merge_service(Environment.load(), telemetry)
app = App(API, telemetry)


@app.post(ROUTE)
def merge() -> Response[str]:
    """Move the guest's items and answer with the whole cart."""
    request = app.parsed_request
    digest, preconditions = guest_of(request)
    return cart_answer(request, carts.merge(owner_of(request), digest, preconditions))


handler = app.handler()
cold_start.finish()
