"""Values that tests begin with: requests, products, snapshots of them, carts and principals."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from serverless_cart.auth import Principal
from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, CartItem, IdempotencyRecord, Owner, Price, Selections
from serverless_cart.domain.discounts import DiscountCode, DiscountSnapshot
from serverless_cart.domain.methods import ShippingSnapshot
from serverless_cart.domain.orders import Order, OrderItem, new_key
from serverless_cart.domain.product import Product, ProductSnapshot
from serverless_cart.web.request import Request
from tools.support.events import HASHID, MINUTE, NOW, SHOP, Event, altered

SESSION = "4affa6a1c5b94b3a"
OWNER = Owner(SHOP, "customer-1")


def principal(**changes: Any) -> Principal:
    """Return the principal that comes with the events of stats_cart, or one that differs."""
    settings: dict[str, Any] = {
        "kind": "api_key",
        "shop": SHOP,
        "customer": "",
        "search_engines": frozenset({HASHID}),
        "blocked_networks": frozenset(),
        "allowed_origins": frozenset(),
        "currency": "EUR",
    }
    return Principal(**settings | changes)


def request(event: Event, **changes: Any) -> Request:
    """Read an event, changed as `altered` does."""
    event = altered(event, **changes)
    known = Principal.from_context(event["requestContext"]["authorizer"])
    assert known
    return Request.from_event(APIGatewayProxyEvent(event), known, lambda: 20.0)


class Context(LambdaContext):
    """The context of an invocation with ten seconds left."""

    _function_name = "function"
    _memory_limit_in_mb = 512
    _invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    _aws_request_id = "c0ffee00-0000-4000-8000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the milliseconds that are left."""
        return 10_000


def product(id: int = 123, **changes: Any) -> Product:  # noqa: A002 - the field's own name
    """Return the product of the seed request, or one that differs."""
    settings: dict[str, Any] = {
        "ref": f"REF-{id}",
        "name": f"Product {id}",
        "image": f"https://img.example/{id}.jpg",
        "price": 1250,
        "discount": 250,
        "stock": 50,
        "active": True,
    }
    return Product(id=id, **settings | changes)


def snapshot(of: Product, at: int = NOW) -> ProductSnapshot:
    """Return a reading of the catalogue."""
    return ProductSnapshot(of, at)


def item(of: Product, quantity: int = 1, **changes: Any) -> CartItem:
    """Return a line of a cart."""
    settings: dict[str, Any] = {"notes": "", "added_at": NOW, "updated_at": NOW, "snapshot": snapshot(of)}
    return CartItem(product_id=of.id, quantity=quantity, **settings | changes)


def cart(*items: CartItem, **changes: Any) -> Cart:
    """Return a cart that holds these lines."""
    settings: dict[str, Any] = {"version": 7, "created_at": NOW, "updated_at": NOW}
    return Cart(items={line.product_id: line for line in items}, **settings | changes)


def free_shipping(id: int, at: int = NOW) -> ShippingSnapshot:  # noqa: A002 - the field's own name
    """Return the snapshot of a shipping method in a shop that lists none."""
    return ShippingSnapshot(id, offered=True, cost=0, free_from=None, read_at=at)


def sold(product_id: int = 123, **changes: Any) -> OrderItem:
    """Return a product of an order, without a discount."""
    of = product(product_id)
    settings: dict[str, Any] = {"ref": of.ref, "name": of.name, "image": of.image, "quantity": 1, "notes": ""}
    return OrderItem(product_id, **settings | {"unit_price": of.price, "unit_discount": 0} | changes)


def order(**changes: Any) -> Order:
    """Return an order of one product, which waits for its payment for 30 minutes unless the status is another."""
    settings: dict[str, Any] = {
        "shop": SHOP,
        "key": new_key(),
        "customer": OWNER.customer,
        "created_at": NOW,
        "updated_at": NOW,
        "items": (sold(),),
        "currency": "EUR",
        "selections": Selections(1, 2, 3),
        "reserved_until": NOW + 30 * MINUTE if changes.get("status", "hold") == "hold" else None,
    }
    return Order(**settings | changes)


def without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a copy that lacks some of its names."""
    return {name: value for name, value in mapping.items() if name not in names}


def largest_product(id: int) -> Product:  # noqa: A002 - the field's own name
    """Return a product whose item has the most bytes that a catalogue allows.

    JSON doubles quotes and backslashes: a name of 255 characters has as many of them as its 512 bytes leave room for.
    """
    return product(
        id,
        ref='"' * limits.PRODUCT_REF_BYTES,
        name='"' * 169 + "🎁" * 85 + "€",
        image="x" * limits.PRODUCT_IMAGE_BYTES,
        price=limits.PRODUCT_PRICE,
        discount=limits.PRODUCT_PRICE,
        stock=limits.MAX_SAFE_INTEGER,
        active=False,
    )


def largest_cart(items: int = 100) -> Cart:
    """Return a cart at every limit at once, or with fewer items."""
    return cart(
        *(
            item(
                largest_product(limits.MAX_SAFE_INTEGER - number),
                9_999,
                notes="🎁" * limits.NOTES_LENGTH,
                shown=Price(limits.PRODUCT_PRICE - 1, limits.PRODUCT_PRICE - 1),
                changed_from=Price(limits.PRODUCT_PRICE, limits.PRODUCT_PRICE),
            )
            for number in range(items)
        ),
        idempotency_records={
            f"{number:016}": IdempotencyRecord("f" * 11, NOW - number, new_key()) for number in range(32)
        },
        reviewed_by="r" * 16,
        version=NOW,
        selections=Selections(*[limits.MAX_SAFE_INTEGER] * 3),
        shipping=ShippingSnapshot(limits.MAX_SAFE_INTEGER, False, limits.SHIPPING_COST, limits.MAX_SAFE_INTEGER, NOW),  # noqa: FBT003 - its fields
        discount=DiscountSnapshot(
            DiscountCode(
                "🎁" * limits.DISCOUNT_CODE_LENGTH,
                **dict.fromkeys(
                    ("amount", "minimum", "starts_at", "ends_at", "max_uses", "max_uses_per_customer", "uses"),
                    limits.MAX_SAFE_INTEGER,
                ),
                active=False,
            ),
            customer_uses=limits.MAX_SAFE_INTEGER,
            read_at=NOW,
        ),
    )
