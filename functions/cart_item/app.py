"""PATCH and DELETE of /api/shop/cart/items/{id}: one item of the customer's cart."""

from storefront.service.cart import CartService
from storefront.store.carts import CartStore
from storefront.store.table import connect
from storefront.web.edge import clock, endpoint
from storefront.web.request import Request
from storefront.web.response import Response
from storefront.web.shop_api import API, cart_answer, item_answer, item_of, owner_of, revision_of, terms_of
from storefront.web.telemetry import Telemetry

telemetry = Telemetry("cart_item")
carts = CartService(CartStore(connect(telemetry.observe_call), clock), clock)


def revise(request: Request) -> Response:
    """Set the item's quantity or notes and answer with the item."""
    revision, terms = revision_of(request)
    item = item_of(request)
    return item_answer(carts.revise(owner_of(request), item, revision, terms), item)


def remove(request: Request) -> Response:
    """Remove the item and answer with the cart."""
    terms = terms_of(request)
    return cart_answer(carts.remove(owner_of(request), item_of(request), terms))


handler = endpoint(API, telemetry, {"PATCH": revise, "DELETE": remove})
