"""GET /api/shop/shipping/methods and /api/shop/payment/methods (contract: Shipping and payment methods)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.domain.methods import Kind
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.shop_api import API, methods_answer

telemetry = Telemetry("methods")
store = bootstrap.method_store(Environment.load(), telemetry)
app = App(API, telemetry)


@app.get("/api/shop/shipping/methods")
def list_shipping() -> Response[str]:
    """Return the shop's active shipping methods."""
    return methods_answer(store.read(app.parsed_request.principal.shop, Kind.SHIPPING)[0])


@app.get("/api/shop/payment/methods")
def list_payment() -> Response[str]:
    """Return the shop's active payment methods."""
    return methods_answer(store.read(app.parsed_request.principal.shop, Kind.PAYMENT)[0])


handler = app.handler()
cold_start.finish()
