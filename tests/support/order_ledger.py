"""All orders that may exist, so that a reader can compare them with the stock of one moment.

A reader needs the keys of the orders before it reads. So the ledger issues the keys of new orders, and knows the next
ones of each customer. An order whose status no longer changes is settled: it is kept, and not read again.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from serverless_cart.domain.orders import Order, new_key

AHEAD: Final = 2
"""Checkouts that a customer may begin during one read."""


@dataclass
class _Known:
    """The orders of a customer: those that are settled, the keys of the others, and the keys that come next."""

    settled: list[Order] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    following: list[str] = field(default_factory=lambda: [new_key() for _ in range(AHEAD)])
    issued: int = 0


@dataclass
class View:
    """What the ledger knew at one moment: settled orders, and the keys of all that may exist besides."""

    settled: list[Order]
    keys: list[str]
    issued: dict[str, int]


class Ledger:
    """The orders of some customers of one shop. Safe for threads."""

    def __init__(self, customers: Iterable[str]) -> None:
        self._of = {customer: _Known() for customer in customers}
        self._lock = threading.Lock()
        self.thread = threading.local()
        """``customer`` is the one for whom this thread sends requests."""

    def new_key(self) -> str:
        """Issue the key of an order, in the place of `serverless_cart.domain.orders.new_key`."""
        with self._lock:
            known = self._of[self.thread.customer]
            known.pending.append(known.following.pop(0))
            known.following.append(new_key())
            known.issued += 1
            return known.pending[-1]

    def settle(self, customer: str, find: Callable[[str], Order | None]) -> None:
        """Settle a customer's orders. No request may be on its way: only the timer changes them still."""
        known = self._of[customer]
        for key in list(known.pending):
            order = find(key)
            if order is None or order.status != "hold":
                with self._lock:
                    known.pending.remove(key)
                    known.settled += [order] if order else []

    def view(self, customers: Iterable[str]) -> View:
        """Return what may be read for these customers from now on."""
        with self._lock:
            known = {customer: self._of[customer] for customer in customers}
            return View(
                [order for it in known.values() for order in it.settled],
                [key for it in known.values() for key in (*it.pending, *it.following)],
                {customer: it.issued for customer, it in known.items()},
            )

    def has_all(self, view: View) -> bool:
        """Return whether a view still has the keys of all orders that may exist by now."""
        with self._lock:
            return all(self._of[customer].issued <= issued + AHEAD for customer, issued in view.issued.items())
