"""GET /api/v2/customers/{customer}/cart: a customer's cart, for the shop's servers (contract: Management routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.domain.cart import Owner
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.cart_json import cart_json
from serverless_cart.web.management_api import API, answer, customer_of

ROUTE = "/api/v2/customers/{customer}/cart"

telemetry = Telemetry("customer_cart")
carts = bootstrap.cart_service(Environment.load(), telemetry)
app = App(API, telemetry)


@app.get(ROUTE)
def read() -> Response[str]:
    """Return the cart; a changed price is not recorded as reported, because the customer has not seen this answer."""
    principal = app.parsed_request.principal
    cart = carts.peek(Owner(principal.shop, customer_of(app.parsed_request)))
    return answer(200, cart_json(cart, principal.currency))


handler = app.handler()
cold_start.finish()
