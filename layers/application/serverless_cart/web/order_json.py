"""An order as JSON (contract: Order)."""

from typing import Any

from serverless_cart.domain.orders import Order, OrderItem
from serverless_cart.domain.public_ids import order_id
from serverless_cart.web.times import iso


def order_json(order: Order) -> dict[str, Any]:
    """Return the JSON of an order with its items."""
    return {**order_summary(order), "items": [_item_json(item) for item in order.items]}


def order_summary(order: Order) -> dict[str, Any]:
    """Return the JSON of an order without its items, as lists have it."""
    return {
        "id": order_id(order.shop, order.key),
        "key": order.key,
        "status": order.status,
        "customer": order.customer or None,
        "created_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
        "reserved_until": None if order.reserved_until is None else iso(order.reserved_until),
        **order.selections._asdict(),
        "notes": order.notes,
        "currency": order.currency or None,
        "count": len(order.items),
        "quantity": order.quantity,
        "items_subtotal": order.items_subtotal,
        "items_discount": order.items_discount,
        "subtotal": order.subtotal,
        "discount": order.discount,
        "discount_code": order.discount_code,
        "shipping_cost": order.shipping_cost,
        "total": order.total,
        "amount_paid": order.amount_paid,
        "is_paid": order.is_paid,
    }


def _item_json(item: OrderItem) -> dict[str, Any]:
    return {
        "ref": item.ref,
        "product": {"id": item.product_id, "name": item.name, "image": item.image},
        "quantity": item.quantity,
        "notes": item.notes,
        "unit_price": item.unit_price,
        "unit_discount": item.unit_discount,
        "subtotal": item.subtotal,
        "discount": item.discount,
        "total": item.subtotal - item.discount,
    }
