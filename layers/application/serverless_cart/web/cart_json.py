"""A cart and an item as JSON (contract: Shop API)."""

from typing import Any

from serverless_cart.domain.cart import Owner, PricedCart, PricedItem
from serverless_cart.domain.public_ids import cart_id, item_id
from serverless_cart.web.times import iso


def cart_json(priced: PricedCart, currency: str) -> dict[str, Any]:
    """Return the JSON of a cart (contract: Cart)."""
    cart = priced.cart
    return {
        "id": cart_id(priced.owner),
        **cart.selections._asdict(),
        "created_at": _iso(cart.created_at),
        "updated_at": _iso(cart.updated_at),
        "count": len(priced.items),
        "quantity": priced.quantity,
        "is_empty": not priced.items,
        "items_subtotal": priced.items_subtotal,
        "items_discount": priced.items_discount,
        "subtotal": priced.subtotal,
        "discount": priced.discount,
        "shipping_cost": priced.shipping_cost,
        "total": priced.total,
        "currency": currency or None,
        "discount_code": priced.discount_code,
        "items": [item_json(priced.owner, item) for item in priced.items],
        "warnings": warnings_json(priced),
    }


def warnings_json(priced: PricedCart) -> list[dict[str, Any]]:
    """Return the JSON of a cart's warnings (contract: Warnings)."""
    return [
        {
            "code": warning.code,
            "item": None if warning.product_id is None else item_id(priced.owner, warning.product_id),
            "message": warning.message,
        }
        for warning in priced.warnings
    ]


def item_json(owner: Owner, priced: PricedItem) -> dict[str, Any]:
    """Return the JSON of an item (contract: Item)."""
    item, product = priced.item, priced.product
    return {
        "id": item_id(owner, product.id),
        "ref": product.ref,
        "product": {"id": product.id, "name": product.name, "image": product.image},
        "quantity": item.quantity,
        "notes": item.notes,
        "created_at": iso(item.added_at),
        "updated_at": iso(item.updated_at),
        "unit_price": product.price,
        "unit_discount": product.discount,
        "subtotal": priced.subtotal,
        "discount": priced.discount,
        "total": priced.total,
    }


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else iso(milliseconds)
