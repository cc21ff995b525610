"""The shipping and payment methods of a shop (contract: Shipping and payment methods)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """The kind of a method."""

    SHIPPING = "shipping"
    PAYMENT = "payment"


class ShippingMethod(NamedTuple):
    """A way to deliver an order.

    ``cost`` is minor currency units. From the subtotal ``free_from`` on, also in minor units, it costs nothing.
    """

    id: int
    name: str
    description: str | None = None
    active: bool = True
    cost: int = 0
    free_from: int | None = None


class PaymentMethod(NamedTuple):
    """A way to pay an order.

    With ``pays_later``, the order needs no payment now. ``next_step`` is the address of the page that takes the
    payment, with the placeholders ``{order_key}``, ``{total}`` and ``{currency}``.
    """

    id: int
    name: str
    description: str | None = None
    active: bool = True
    pays_later: bool = False
    next_step: str | None = None


Method = ShippingMethod | PaymentMethod


class ShippingSnapshot(NamedTuple):
    """The selected shipping method as the shop had it at ``read_at`` (milliseconds since 1970).

    A method that is not ``offered`` any more costs nothing. In a shop that lists none, any is offered at no cost.
    """

    method_id: int
    offered: bool
    cost: int
    free_from: int | None
    read_at: int

    def cost_of(self, subtotal: int) -> int:
        """Return the cost of delivering items for this subtotal, both in minor currency units."""
        return 0 if self.free_from is not None and subtotal >= self.free_from else self.cost


def shipping_snapshot(methods: Sequence[Method], id_: int, read_at: int) -> ShippingSnapshot:
    """Return the snapshot of a selected shipping method, as these methods of the shop have it."""
    for method in methods:
        if isinstance(method, ShippingMethod) and method.id == id_ and method.active:
            return ShippingSnapshot(id_, offered=True, cost=method.cost, free_from=method.free_from, read_at=read_at)
    return ShippingSnapshot(id_, offered=not methods, cost=0, free_from=None, read_at=read_at)


SELECTIONS: Final = {Kind.SHIPPING: "shipping_method", Kind.PAYMENT: "payment_method"}
"""The selection of a cart that names a method of a kind."""


def not_offered(selections: Mapping[str, int | None], methods: Mapping[Kind, Sequence[Method]]) -> dict[str, list[str]]:
    """Return a message for each selection, by its name, that the shop does not offer; ``None`` selects nothing."""
    return {
        name: [f"the shop does not offer {kind} method {id_}"]
        for kind, name in SELECTIONS.items()
        if (id_ := selections.get(name)) is not None and not offers(methods[kind], id_)
    }


def offers(methods: Sequence[Method], id_: int) -> bool:
    """Return whether a customer may select a method: an active one, or any if the shop lists none.

    >>> offers([], 7), offers([PaymentMethod(7, "Card", active=False)], 7)
    (True, False)
    """
    return not methods or any(method.id == id_ and method.active for method in methods)
