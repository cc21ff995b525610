"""An order as an item of the table (docs/table.md)."""

from typing import Any, Final

from pydantic_core import from_json, to_json

from serverless_cart.domain.cart import Selections
from serverless_cart.domain.orders import Order, OrderItem
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    key_of,
    number,
    read_int,
    read_optional_int,
    read_optional_text,
    read_text,
    read_text_list,
    text,
    text_list,
)

_FIGURES: Final = ("quantity", "items_subtotal", "items_discount", "subtotal", "discount", "shipping_cost", "total")


def order_to_item(order: Order) -> Item:
    """Write an order. What never changes is one text, ``order``, in JSON; ``is_paid`` is for readers of the stream.

    The notes of the items are texts of their own, because JSON may escape each character of them with six bytes.
    """
    item: Item = {
        **key_attributes(keys.order(order.shop, order.key)),
        "status": text(order.status),
        "version": number(order.version),
        "created_at": number(order.created_at),
        "updated_at": number(order.updated_at),
        "amount_paid": number(order.amount_paid),
        "is_paid": {"BOOL": order.is_paid},
        "order": fixed_part(order),
    }
    if order.customer:
        item["customer"] = text(order.customer)
    if order.reserved_until is not None:
        item["reserved_until"] = number(order.reserved_until)
    if order.discount_key is not None:
        item["discount_key"] = text(order.discount_key)
    if any(sold.notes for sold in order.items):
        item["item_notes"] = text_list(sold.notes for sold in order.items)
    if order.reserved:
        item["reserved"] = text(to_json(order.reserved).decode())
    return item


def fixed_part(order: Order) -> dict[str, str]:
    """Return the attribute with what never changes, except that an erasure removes address and notes."""
    content: dict[str, Any] = {
        **order.selections._asdict(),
        "notes": order.notes,
        "currency": order.currency,
        "discount_code": order.discount_code,
        "next_step": order.next_step,
        "count": len(order.items),
        **{name: getattr(order, name) for name in _FIGURES},
        "items": [_without_notes(item) for item in order.items],
    }
    return text(to_json(content).decode())


def read_total(item: Item) -> int:
    """Read only what the customer pays for an order, in minor units."""
    return int(from_json(read_text(item, "order"))["total"])


def order_from_item(shop: str, item: Item) -> Order:
    """Read what `order_to_item` wrote."""
    content = from_json(read_text(item, "order"))
    reserved = from_json(read_optional_text(item, "reserved") or "{}")
    notes = read_text_list(item, "item_notes") or [""] * len(content["items"])
    status: Any = read_text(item, "status")
    return Order(
        shop=shop,
        key=keys.listed_order(key_of(item).pk),
        customer=read_optional_text(item, "customer") or "",
        created_at=read_int(item, "created_at"),
        updated_at=read_int(item, "updated_at"),
        items=tuple(OrderItem(**sold, notes=it) for sold, it in zip(content["items"], notes, strict=True)),
        status=status,
        version=read_int(item, "version"),
        reserved_until=read_optional_int(item, "reserved_until"),
        selections=Selections(*(content[name] for name in Selections._fields)),
        notes=content["notes"],
        currency=content["currency"],
        discount=content["discount"],
        discount_code=content["discount_code"],
        next_step=content["next_step"],
        discount_key=read_optional_text(item, "discount_key"),
        shipping_cost=content["shipping_cost"],
        amount_paid=read_int(item, "amount_paid"),
        reserved={int(product_id): quantity for product_id, quantity in reserved.items()},
    )


def _without_notes(item: OrderItem) -> dict[str, Any]:
    fields = item._asdict()
    del fields["notes"]
    return fields
