"""The interface of the service to the orders in the database (contract: Order)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.orders import Order, Status


class OrderConflict(Exception):
    """The order, or stock that it returns, was not as it was read. Nothing was written."""


class OrderQuery(NamedTuple):
    """The orders of a shop that are asked for, those of one ``status`` if given.

    ``first`` and ``last`` are the moments between which they were created (milliseconds since 1970), both included.
    ``after`` is the cursor of the page before, empty for the first page.
    """

    first: int
    last: int
    status: Status | None
    limit: int
    after: str = ""


class OrderPage(NamedTuple):
    """Some orders of a shop; ``cursor`` is the place where the list continues, ``None`` at its end."""

    orders: list[Order]
    cursor: str | None


class Change(NamedTuple):
    """A change of an order: the order as it was read, and as it is to be."""

    before: Order
    after: Order


class OrderStore(Protocol):
    """The orders of all shops. Its methods raise `Unavailable`."""

    def find(self, shop: str, key: str) -> Order | None:
        """Read an order in one call."""
        ...

    def of_customer(self, owner: Owner, status: Status | None, limit: int, offset: int) -> tuple[int, list[Order]]:
        """Return the number of a customer's orders, of one status if given, and some of them, the newest first."""
        ...

    def of_shop(self, shop: str, query: OrderQuery) -> OrderPage:
        """Return a shop's orders, the oldest first. A page may have less than ``limit`` orders and a cursor."""
        ...

    def overdue(self, now: int) -> list[Iterator[list[Order]]]:
        """List the orders whose holds have ended at ``now`` (milliseconds): several lists, each in pages of 100.

        A list has the oldest first. Orders that have left `hold` are left out.
        """
        ...

    def can_return(self, changes: Sequence[Change]) -> frozenset[object]:
        """Read, for `change`, which products with limited stock and which codes these changes can give back to."""
        ...

    def change(self, change: Change, can_return: frozenset[object], attempt: int = 0) -> None:
        """Change an order, its entries in lists, its hold, and what it gives back, in one transaction.

        Raises `OrderConflict` after a random wait, which is longer after each ``attempt``.
        """
        ...
