"""Checkout: what it charges, whether the customer must review the cart first, and the order (contract: Checkout)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from serverless_cart.domain.cart import NO_SNAPSHOTS, Cart, Owner, PricedCart, Selections, Snapshots, price
from serverless_cart.domain.methods import Method, PaymentMethod
from serverless_cart.domain.orders import Order, OrderItem

BLOCKING: Final = frozenset({"unavailable", "insufficient_stock", "shipping_unavailable"})
"""The warnings that the customer must resolve; the others can be accepted."""


class CheckoutRequest(NamedTuple):
    """What a customer asks for. A selection that is ``None`` is the cart's.

    ``total`` is what the customer expects to be charged, in minor currency units; ``None`` accepts any total.
    """

    selections: Selections = Selections()
    notes: str = ""
    total: int | None = None

    def chosen(self, cart: Cart) -> Cart:
        """Return the cart with the selections of this request."""
        pairs = zip(self.selections, cart.selections, strict=True)
        return replace(cart, selections=Selections(*(own if asked is None else asked for asked, own in pairs)))


class NewOrder(NamedTuple):
    """What an order gets besides its cart.

    ``at`` is its creation (milliseconds since 1970), ``hold_lifetime`` the time for its payment (seconds).
    ``payment_methods`` are those of the shop.
    """

    key: str
    notes: str
    currency: str
    at: int
    hold_lifetime: int
    payment_methods: Sequence[Method]


def charges_otherwise(owner: Owner, cart: Cart, snapshots: Snapshots) -> bool:
    """Return whether discount or shipping cost are other than by the snapshots that the cart has itself."""
    own = Snapshots(snapshots.products, {} if cart.newest_shipping(NO_SNAPSHOTS) else snapshots.shipping)
    shown, charged = price(owner, cart, own), price(owner, cart, snapshots)
    return (shown.discount, shown.shipping_cost) != (charged.discount, charged.shipping_cost)


def make_order(priced: PricedCart, snapshots: Snapshots, new: NewOrder) -> Order:
    """Return the order of a cart in which all items can be bought.

    It waits for its payment unless it costs nothing, or its payment method needs no payment now.
    """
    selections = priced.cart.selections
    payment = next((it for it in new.payment_methods if it.id == selections.payment_method), None)
    pays_later = not priced.total or (isinstance(payment, PaymentMethod) and payment.pays_later)
    code = priced.cart.newest_discount(snapshots)
    applied = code.discount if code and not code.refusal(priced.subtotal) else None
    return Order(
        shop=priced.owner.shop,
        key=new.key,
        customer=priced.owner.customer,
        created_at=new.at,
        updated_at=new.at,
        items=tuple(
            OrderItem(
                product_id=product.id,
                ref=product.ref,
                name=product.name,
                image=product.image,
                quantity=item.quantity,
                notes=item.notes,
                unit_price=product.price,
                unit_discount=product.discount,
            )
            for item, product, _, _ in priced.items
        ),
        status="processing" if pays_later else "hold",
        reserved_until=None if pays_later else new.at + new.hold_lifetime * 1000,
        selections=selections,
        notes=new.notes,
        currency=new.currency,
        discount=priced.discount,
        discount_code=applied.code if applied else None,
        discount_key=applied.key if applied else None,
        next_step=_next_step(payment, new, priced.total) if priced.total else None,
        shipping_cost=priced.shipping_cost,
        reserved={item.product_id: item.quantity for item, product, _, _ in priced.items if product.stock is not None},
    )


def _next_step(payment: Method | None, new: NewOrder, total: int) -> str | None:
    if not isinstance(payment, PaymentMethod) or payment.next_step is None:
        return None
    return payment.next_step.format(order_key=new.key, total=total, currency=new.currency)
