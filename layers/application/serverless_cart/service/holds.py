"""Ends the holds of orders that were not paid in time (contract: Order)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from serverless_cart.domain.orders import Order, OrderChange
from serverless_cart.service.order_ports import Change, OrderConflict, OrderStore
from serverless_cart.service.orders import OrderService

WORKERS: Final = 8
"""Threads, less than the connections that the SDK's client keeps open (10)."""
MIN_TIME: Final = 10.0
"""Seconds that must be left to end another hold: one that is begun also finishes."""


class Ended(NamedTuple):
    """What one run did: the number of holds that it ended, the errors, and whether overdue holds may be left.

    ``delay`` is how long ago the oldest hold that it read had ended, in milliseconds; 0 if it read none.
    """

    holds: int
    errors: list[Exception]
    is_complete: bool
    delay: int


class HoldService:
    """Ends holds, each in one transaction, so a run may stop at any moment and another may run at the same time."""

    def __init__(self, store: OrderStore, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._store = store
        self._clock = clock
        self._orders = OrderService(store, clock)

    def release(self, time_left: Callable[[], float]) -> Ended:
        """End the holds that are overdue, the oldest first, while there is time. An error does not stop the others.

        ``time_left`` returns the function's remaining seconds. Raises `Unavailable` if the holds cannot be read.
        """
        now = self._clock()
        lists = self._store.overdue(now)
        holds = delay = 0
        errors: list[Exception] = []

        def release_page(orders: Iterator[list[Order]]) -> Ended | None:
            return next((self._release_some(some, now, time_left) for some in orders), None)

        with ThreadPoolExecutor(WORKERS) as pool:
            while lists and time_left() > MIN_TIME:  # a page of each list in turn, so that no list waits for another
                pages = list(pool.map(release_page, lists))
                lists = [it for it, page in zip(lists, pages, strict=True) if page is not None]
                for page in filter(None, pages):
                    holds += page.holds
                    errors += page.errors
                    delay = max(delay, page.delay)
        return Ended(holds, errors, is_complete=not lists, delay=delay)

    def _release_some(self, orders: list[Order], now: int, time_left: Callable[[], float]) -> Ended:
        changes = [Change(order, order.changed(OrderChange("failed"), self._clock())) for order in orders]
        can_return = self._store.can_return(changes)
        ended = 0
        errors: list[Exception] = []
        for change in changes:
            if time_left() <= MIN_TIME:
                break
            try:
                self._end(change, can_return, time_left)
            except Exception as error:  # noqa: BLE001 - the function reports it; the other holds must end too
                errors.append(error)
            else:
                ended += 1
        delay = max((now - order.reserved_until for order in orders if order.reserved_until is not None), default=0)
        return Ended(ended, errors, ended == len(orders), delay)

    def _end(self, change: Change, can_return: frozenset[object], time_left: Callable[[], float]) -> None:
        try:
            self._store.change(change, can_return)
        except OrderConflict:
            self._orders.fail(change.before.shop, change.before.key, time_left)
