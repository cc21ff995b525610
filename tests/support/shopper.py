"""The routes of the Shop API, the answers of the contract, and the visitors and customers of the tests over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from serverless_cart.domain.product import Product
from serverless_cart.domain.shop import Shop
from tools.support.clients import (
    CANCEL,
    CART,
    CHECKOUT,
    CUSTOMER_CART,
    ITEMS,
    ORDER,
    ORDERS,
    SHOP_ORDER,
    SHOP_ORDERS,
    TOKENS,
    Customer,
    Reply,
    Visitor,
)

ROUTES: Final = {
    "read": ("GET", CART),
    "select": ("PATCH", CART),
    "clear": ("DELETE", CART),
    "add": ("POST", ITEMS),
    "read item": ("GET", f"{ITEMS}/{{item}}"),
    "update": ("PATCH", f"{ITEMS}/{{item}}"),
    "remove": ("DELETE", f"{ITEMS}/{{item}}"),
}
"""The routes of the cart by name: method and path."""
ORDER_ROUTES: Final = {
    "check out": ("POST", CHECKOUT),
    "list orders": ("GET", ORDERS),
    "read order": ("GET", ORDER),
    "cancel order": ("POST", CANCEL),
}
"""The routes of checkout and orders by name: method and path."""
MANAGEMENT_ROUTES: Final = [("POST", TOKENS), ("DELETE", TOKENS), ("GET", CUSTOMER_CART)]
"""The routes of the Management API about customers: method and path."""
MANAGEMENT_ORDER_ROUTES: Final = [("GET", SHOP_ORDERS), ("GET", SHOP_ORDER), ("PATCH", SHOP_ORDER)]
"""The routes of the Management API about orders: method and path."""
NO_ORDER: Final = "ORD-0123456789ABCDEFGHJKMNPQRS"
"""A key that no order has."""
CHANGES: Final = [name for name in ROUTES if not name.startswith("read")]
SLASHES: Final = ["", "/"]
"""The ends of a route's path."""

REGISTERED: Final = Reply(200, {"status": "registered"})
INVALID_ITEM: Final = Reply(400, {"error": "Invalid cart item data"})
NOT_FOUND: Final = Reply(404, {"error": "not found"})
TOO_LARGE: Final = Reply(413, {"error": "request too large"})
FAULT: Final = Reply(500, {"error": "internal server error"})
UNAVAILABLE: Final = Reply(503, {"error": "temporarily unavailable"})
BANNED: Final = Reply(403, {"error": "banned ip"})
FOREIGN_ORIGIN: Final = Reply(403, {"error": "origin not allowed"})
FORBIDDEN: Final = Reply(403, {"error": "forbidden"})
UNAUTHENTICATED: Final = Reply(401, {"error": "authentication required"})
ITEM_NOT_FOUND: Final = Reply(404, {"error": "item not found"})
ORDER_NOT_FOUND: Final = Reply(404, {"error": "order not found"})
CART_EMPTY: Final = Reply(400, {"error": "cart is empty"})
NOT_CANCELLABLE: Final = Reply(409, {"error": "order cannot be cancelled"})
CHANGED: Final = Reply(412, {"error": "cart has changed"})
NOT_AUTHENTICATED: Final = Reply(401, {"error": {"code": "not_authenticated", "message": "Authentication required"}})
ACCESS_DENIED: Final = Reply(403, {"error": {"code": "access_denied", "message": "Access denied"}})
MANAGED_NOT_FOUND: Final = Reply(404, {"error": {"code": "not_found", "message": "Not found"}})
REUSED: Final = Reply(422, {"error": "idempotency key reused"})


@dataclass(frozen=True)
class Shopper:
    """A customer with two lamps in the cart, and for each route of the Shop API a good request about them.

    The customer has no order: requests about one have a key that no order has.
    """

    customer: Customer
    lamp: Product
    item: int

    def ask(
        self,
        route: str,
        *,
        item: object = None,
        slash: str = "",
        json: Mapping[str, object] | None = None,
        **options: Any,
    ) -> Reply:
        """Send the good request of a route, or one that differs in item, trailing slash, body or headers."""
        method, path = (ROUTES | ORDER_ROUTES)[route]
        path = path.format(item=self.item if item is None else item, order=NO_ORDER)
        body = self.body(route) if json is None else json
        return self.customer.send(method, path + slash, json=body, **options)

    def body(self, route: str) -> dict[str, object] | None:
        """Return the body of a route's good request, if it takes one."""
        bodies: dict[str, dict[str, object]] = {
            "add": {"product": self.lamp.id},
            "select": {"address": 7},
            "update": {"quantity": 5},
            "check out": {"address": 7},
        }
        return bodies.get(route)


@dataclass(frozen=True)
class Guarded:
    """A shop that blocks networks and lists origins, with one of its visitors and one of its customers."""

    shop: Shop
    visitor: Visitor
    customer: Customer


@dataclass(frozen=True)
class Changed:
    """A shop and its tokens that changed after the gateway had cached them, at ``cached_at``."""

    cached_at: float
    revoked_visitor: Visitor
    revoked_customer: Customer
    expired_customer: Customer
    new_customer: Customer
    other_customer: Customer


def assert_invalid(reply: Reply, error: str, *fields: str) -> None:
    """Check that a refusal has a message for each of these fields, and for no other."""
    assert reply == Reply(400, {"error": error, "details": reply.body.get("details")})
    assert reply.body["details"].keys() == set(fields)
    assert all(
        messages and all(isinstance(m, str) and m for m in messages) for messages in reply.body["details"].values()
    )


def moment(text: str) -> datetime:
    """Parse a time of an answer, which is ISO 8601 in UTC."""
    time = datetime.fromisoformat(text)
    assert time.utcoffset() == timedelta(0)
    return time
