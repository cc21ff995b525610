"""GET /api/shop/customers/me/orders, and one order: the customer's own orders (contract: Shop routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.customer_orders import order_query_of
from serverless_cart.web.order_json import order_json, order_summary
from serverless_cart.web.shop_api import API, owner_of, private_answer

ORDERS = "/api/shop/customers/me/orders"
ORDER = "/api/shop/customers/me/orders/{key}"

telemetry = Telemetry("orders")
orders = bootstrap.order_service(Environment.load(), telemetry)
app = App(API, telemetry)


@app.get(ORDERS)
def list_() -> Response[str]:
    """Return the customer's orders without their items, the newest first."""
    request = app.parsed_request
    query = order_query_of(request)
    count, found = orders.of_customer(owner_of(request), query.status, query.limit, query.offset)
    return private_answer({"count": count, "results": [order_summary(order) for order in found]})


@app.get(ORDER)
def read() -> Response[str]:
    """Return the order with its items."""
    request = app.parsed_request
    return private_answer(order_json(orders.read(owner_of(request), request.path["key"])))


@app.post(f"{ORDER}/cancel")
def cancel() -> Response[str]:
    """Cancel an order that waits for its payment, and return it; the body is not read."""
    request = app.parsed_request
    return private_answer(order_json(orders.cancel(owner_of(request), request.path["key"], request.time_left)))


handler = app.handler()
cold_start.finish()
