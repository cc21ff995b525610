"""POST /api/shop/cart/items, PATCH and DELETE /api/shop/cart/items/{id}: the cart's items (contract: Shop routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.shop_api import (
    API,
    addition_of,
    cart_answer,
    item_answer,
    item_of,
    item_update_of,
    owner_of,
    preconditions_of,
)

ITEMS = "/api/shop/cart/items"
ITEM = "/api/shop/cart/items/{id}"

environment = Environment.load()
telemetry = Telemetry("cart_items")
carts = bootstrap.cart_service(environment, telemetry)
app = App(API, telemetry)


@app.post(ITEMS)
def add() -> Response[str]:
    """Add a quantity of a product and return the cart."""
    request = app.parsed_request
    addition, preconditions = addition_of(request, environment.limits)
    outcome = carts.add(owner_of(request), addition, preconditions)
    if not outcome.replayed:
        telemetry.count("AddedItems")
    return cart_answer(request, outcome)


@app.get(ITEM)
def read() -> Response[str]:
    """Answer with the item."""
    request = app.parsed_request
    return item_answer(request, carts.read_item(owner_of(request), item_of(request)))


@app.patch(ITEM)
def update() -> Response[str]:
    """Set the item's quantity or notes and answer with the whole cart."""
    request = app.parsed_request
    item_update, preconditions = item_update_of(request, environment.limits)
    return cart_answer(request, carts.update_item(owner_of(request), item_of(request), item_update, preconditions))


@app.delete(ITEM)
def remove() -> Response[str]:
    """Remove the item and return the cart."""
    request = app.parsed_request
    preconditions = preconditions_of(request)
    return cart_answer(request, carts.remove(owner_of(request), item_of(request), preconditions))


handler = app.handler()
cold_start.finish()
