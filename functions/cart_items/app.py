"""POST /api/shop/cart/items: adds a product to the customer's cart."""

from storefront.service.cart import CartService
from storefront.store.carts import CartStore
from storefront.store.table import connect
from storefront.web.edge import clock, endpoint
from storefront.web.request import Request
from storefront.web.response import Response
from storefront.web.shop_api import API, addition_of, cart_answer, owner_of
from storefront.web.telemetry import Telemetry

telemetry = Telemetry("cart_items")
carts = CartService(CartStore(connect(telemetry.observe_call), clock), clock)


def add(request: Request) -> Response:
    """Add so much of a product and answer with the whole cart."""
    addition, terms = addition_of(request)
    outcome = carts.add(owner_of(request), addition, terms)
    if not outcome.replayed:
        telemetry.count("AddedItems")
    return cart_answer(outcome)


handler = endpoint(API, telemetry, {"POST": add})
