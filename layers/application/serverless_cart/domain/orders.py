"""Orders: what was sold, for which price, and what may become of it (contract: Order)."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, get_args

from serverless_cart.domain.cart import Selections
from serverless_cart.domain.errors import InvalidTransition

Status = Literal["hold", "processing", "shipped", "completed", "cancelled", "failed", "refunded"]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    "hold": frozenset({"processing", "cancelled", "failed"}),
    "processing": frozenset({"shipped", "cancelled", "refunded"}),
    "shipped": frozenset({"completed", "refunded"}),
    "completed": frozenset({"refunded"}),
    "cancelled": frozenset(),
    "failed": frozenset(),
    "refunded": frozenset(),
}
"""The statuses that may follow a status."""

_RELEASING: Final = frozenset({"cancelled", "failed"})
"""The statuses in which an order has no claim on its stock."""
_ENDED: Final = _RELEASING | {"refunded"}
"""The statuses in which an order counts as no use of its discount code."""
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_KEY_LENGTH: Final = 26
_KEY: Final = re.compile(rf"ORD-[0-7][{_ALPHABET}]{{{_KEY_LENGTH - 1}}}")


def new_key() -> str:
    """Create an order's key: 128 random bits in the base 32 of Crockford, which has no I, L, O and U."""
    number = secrets.randbits(128)
    return "ORD-" + "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_KEY_LENGTH)))


def is_key(text: str) -> bool:
    """Return whether a text has the form of an order's key.

    >>> is_key("ORD-7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), is_key("ORD-1")
    (True, False)
    """
    return bool(_KEY.fullmatch(text))


class OrderItem(NamedTuple):
    """A product as it was sold: ``unit_price`` and ``unit_discount`` are minor currency units for one piece."""

    product_id: int
    ref: str
    name: str
    image: str | None
    quantity: int
    notes: str
    unit_price: int
    unit_discount: int

    @property
    def subtotal(self) -> int:
        """The price of all pieces before the discount, in minor currency units."""
        return self.unit_price * self.quantity

    @property
    def discount(self) -> int:
        """The discount on all pieces, in minor currency units."""
        return self.unit_discount * self.quantity


class OrderChange(NamedTuple):
    """A change that is asked for.

    ``amount_paid`` is minor currency units; ``None`` keeps the amount, but an order that changes from `hold` to
    `processing` then counts as paid in full. ``restock`` returns the stock of an order that is refunded.
    """

    status: Status
    amount_paid: int | None = None
    restock: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """An order. Times are milliseconds since 1970, money is minor currency units.

    ``customer`` is empty after the customer was erased. ``discount_key`` is the normalised discount code, by which the
    code is stored, ``None`` without a code. ``next_step`` is the address of the page that takes the payment, as the
    checkout answered it. ``reserved`` has the quantity by product id that the order has taken from
    limited stock; it is empty once the stock is returned.
    """

    shop: str
    key: str
    customer: str
    created_at: int
    updated_at: int
    items: tuple[OrderItem, ...]
    status: Status = "hold"
    version: int = 1
    reserved_until: int | None = None
    selections: Selections = field(default_factory=Selections)
    notes: str = ""
    currency: str = ""
    discount: int = 0
    discount_code: str | None = None
    discount_key: str | None = None
    next_step: str | None = None
    shipping_cost: int = 0
    amount_paid: int = 0
    reserved: Mapping[int, int] = field(default_factory=dict)

    @property
    def quantity(self) -> int:
        """The number of pieces."""
        return sum(item.quantity for item in self.items)

    @property
    def items_subtotal(self) -> int:
        """The price of the items before all discounts."""
        return sum(item.subtotal for item in self.items)

    @property
    def items_discount(self) -> int:
        """The discounts on the items."""
        return sum(item.discount for item in self.items)

    @property
    def subtotal(self) -> int:
        """The price of the items after their discounts."""
        return self.items_subtotal - self.items_discount

    @property
    def total(self) -> int:
        """The price of the order after all discounts, with shipping."""
        return self.subtotal - self.discount + self.shipping_cost

    @property
    def is_paid(self) -> bool:
        """Whether the whole price has been paid."""
        return self.amount_paid >= self.total

    def changed(self, change: OrderChange, at: int) -> "Order":
        """Return the order after a change at a time, or the order itself if it already is as asked.

        Raises `InvalidTransition`.
        """
        status, amount_paid, restock = change
        if status != self.status and status not in TRANSITIONS[self.status]:
            raise InvalidTransition({"status": [f"an order cannot change from {self.status} to {status}"]})
        if restock and status == self.status and self.reserved:
            raise InvalidTransition({"restock": [f"the order is {status} already, without its stock"]})
        if amount_paid is None:
            is_payment = (self.status, status) == ("hold", "processing")
            amount_paid = max(self.total, self.amount_paid) if is_payment else self.amount_paid
        if (status, amount_paid) == (self.status, self.amount_paid):
            return self
        return replace(
            self,
            status=status,
            version=self.version + 1,
            updated_at=at,
            reserved_until=self.reserved_until if status == "hold" else None,
            amount_paid=amount_paid,
            reserved={} if status in _RELEASING or restock else self.reserved,
        )

    def erased(self) -> "Order":
        """Return the order without its customer: without the address and all notes, with the same figures."""
        return replace(
            self,
            customer="",
            version=self.version + 1,
            selections=self.selections._replace(address=None),
            notes="",
            items=tuple(item._replace(notes="") for item in self.items),
        )

    def returned_by(self, after: "Order") -> Mapping[int, int]:
        """Return the quantities by product id that this order gives back when it changes to ``after``."""
        return {} if after.reserved else self.reserved

    def gives_up_code(self, after: "Order") -> bool:
        """Return whether the use of the discount code is returned when this order changes to ``after``."""
        return self.discount_key is not None and after.status in _ENDED and self.status not in _ENDED
