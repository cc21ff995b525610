"""GET, PATCH and DELETE of /api/shop/cart: the customer's cart, its selections, and emptying it."""

from storefront.service.cart import CartService, Outcome
from storefront.store.carts import CartStore
from storefront.store.table import connect
from storefront.web.edge import clock, endpoint
from storefront.web.request import Request
from storefront.web.response import Response
from storefront.web.shop_api import API, cart_answer, owner_of, selections_of, terms_of, unless_known
from storefront.web.telemetry import Telemetry

telemetry = Telemetry("cart")
carts = CartService(CartStore(connect(telemetry.observe_call), clock), clock)


def read(request: Request) -> Response:
    """Answer with the cart, or with 304 where the client has it already."""
    return unless_known(request, cart_answer(Outcome(carts.read(owner_of(request)))))


def select(request: Request) -> Response:
    """Set address, shipping method or payment method."""
    selections, terms = selections_of(request)
    return cart_answer(carts.select(owner_of(request), selections, terms))


def clear(request: Request) -> Response:
    """Empty the cart."""
    return cart_answer(carts.clear(owner_of(request), terms_of(request)))


handler = endpoint(API, telemetry, {"GET": read, "PATCH": select, "DELETE": clear})
