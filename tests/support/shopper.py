"""The routes of the Shop API, the answers that the contract gives, and a customer who can send each good request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from serverless_cart.domain.product import Product
from tools.support.clients import CART, ITEMS, Customer, Reply

ROUTES: Final = {
    "read": ("GET", CART),
    "select": ("PATCH", CART),
    "clear": ("DELETE", CART),
    "add": ("POST", ITEMS),
    "revise": ("PATCH", f"{ITEMS}/{{item}}"),
    "remove": ("DELETE", f"{ITEMS}/{{item}}"),
}
"""The routes of the Shop API, each by the name of what it does: method and path."""
CHANGES: Final = [name for name in ROUTES if name != "read"]
"""The routes that change the cart."""
SLASHES: Final = ["", "/"]
"""How a route's path may end."""

REGISTERED: Final = Reply(200, {"status": "registered"})
NOT_FOUND: Final = Reply(404, {"error": "not found"})
TOO_LARGE: Final = Reply(413, {"error": "request too large"})
FAULT: Final = Reply(500, {"error": "internal server error"})
UNAVAILABLE: Final = Reply(503, {"error": "temporarily unavailable"})
BANNED: Final = Reply(403, {"error": "banned ip"})
FOREIGN_ORIGIN: Final = Reply(403, {"error": "origin not allowed"})
FORBIDDEN: Final = Reply(403, {"error": "forbidden"})
UNAUTHENTICATED: Final = Reply(401, {"error": "authentication required"})
ITEM_NOT_FOUND: Final = Reply(404, {"error": "item not found"})
CHANGED: Final = Reply(412, {"error": "cart has changed"})
REUSED: Final = Reply(422, {"error": "idempotency key reused"})


@dataclass(frozen=True)
class Shopper:
    """A customer with two lamps in the cart, and for each route of the Shop API a good request about them."""

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
        """Send the good request of a route, or one that differs by item, trailing slash, body or headers."""
        method, path = ROUTES[route]
        path = path.format(item=self.item if item is None else item)
        body = (self.body(route) or None) if json is None else json
        return self.customer.send(method, path + slash, json=body, **options)

    def body(self, route: str) -> dict[str, object]:
        """Return the body of a route's good request, where it takes one."""
        bodies: dict[str, dict[str, object]] = {
            "add": {"product": self.lamp.id},
            "select": {"address": 7},
            "revise": {"quantity": 5},
        }
        return bodies.get(route, {})


def assert_invalid(reply: Reply, error: str, *fields: str) -> None:
    """See that a refusal names just these fields, and says something about each."""
    assert reply == Reply(400, {"error": error, "details": reply.body.get("details")})
    assert reply.body["details"].keys() == set(fields)
    assert all(
        messages and all(isinstance(m, str) and m for m in messages) for messages in reply.body["details"].values()
    )


def moment(text: str) -> datetime:
    """Read a time of an answer, which is ISO 8601 in UTC."""
    time = datetime.fromisoformat(text)
    assert time.utcoffset() == timedelta(0)
    return time
