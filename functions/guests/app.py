"""POST /api/shop/guests: a cart for an anonymous visitor (contract: Guests)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import auth, bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.shop_api import GUESTS, guest_answer

ROUTE = "/api/shop/guests"

telemetry = Telemetry("guests")
guests = bootstrap.guest_store(Environment.load(), telemetry)
app = App(GUESTS, telemetry)


@app.post(ROUTE)
def create() -> Response[str]:
    """Create a guest and return the token, which is not stored."""
    key = auth.new_key()
    expires_at = guests.create(app.parsed_request.principal.shop, auth.digest(key))
    telemetry.count("IssuedGuestTokens")
    return guest_answer(key, expires_at)


handler = app.handler()
cold_start.finish()
