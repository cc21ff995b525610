"""GET /api/v2/orders, GET and PATCH of one: orders for the shop's servers (contract: Management routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.management_api import API, answer
from serverless_cart.web.order_json import order_json, order_summary
from serverless_cart.web.shop_orders import cursor_of, order_change_of, order_query_of

ORDERS = "/api/v2/orders"
ORDER = "/api/v2/orders/{key}"

telemetry = Telemetry("shop_orders")
orders = bootstrap.order_service(Environment.load(), telemetry)
app = App(API, telemetry)


@app.get(ORDERS)
def list_() -> Response[str]:
    """Return orders without their items, the oldest first."""
    request = app.parsed_request
    page = orders.of_shop(request.principal.shop, order_query_of(request))
    results = [order_summary(order) for order in page.orders]
    more = {"cursor": cursor_of(page)} if page.cursor else {}
    return answer(200, {"results": results, "total": len(results), "total_count": len(results), **more})


@app.get(ORDER)
def read() -> Response[str]:
    """Return the order with its items."""
    request = app.parsed_request
    return answer(200, order_json(orders.find(request.principal.shop, request.path["key"])))


@app.patch(ORDER)
def change() -> Response[str]:
    """Change the order's status, and return it."""
    request = app.parsed_request
    wanted = order_change_of(request)
    changed = orders.change(request.principal.shop, request.path["key"], wanted, request.time_left)
    return answer(200, order_json(changed))


handler = app.handler()
cold_start.finish()
