"""The operations on orders (contract: Order)."""

from collections.abc import Callable

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.errors import OrderNotCancellable, OrderNotFound
from serverless_cart.domain.orders import Order, OrderChange, Status, is_key
from serverless_cart.service.deadline import check_time
from serverless_cart.service.order_ports import Change, OrderConflict, OrderPage, OrderQuery, OrderStore


class OrderService:
    """The orders of customers and shops. Its methods raise `Unavailable`; ``time_left`` returns seconds."""

    def __init__(self, store: OrderStore, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._store = store
        self._clock = clock

    def find(self, shop: str, key: str) -> Order:
        """Read an order of a shop. Raises `OrderNotFound`."""
        order = self._store.find(shop, key) if is_key(key) else None
        if order is None:
            raise OrderNotFound
        return order

    def read(self, owner: Owner, key: str) -> Order:
        """Read an order of a customer. Raises `OrderNotFound`."""
        return _of_customer(self.find(owner.shop, key), owner)

    def of_customer(self, owner: Owner, status: Status | None, limit: int, offset: int) -> tuple[int, list[Order]]:
        """Return the number of a customer's orders, of one status if given, and some of them, the newest first."""
        return self._store.of_customer(owner, status, limit, offset)

    def of_shop(self, shop: str, query: OrderQuery) -> OrderPage:
        """Return a shop's orders, the oldest first, as `OrderStore.of_shop` does."""
        return self._store.of_shop(shop, query)

    def cancel(self, owner: Owner, key: str, time_left: Callable[[], float]) -> Order:
        """Cancel an order of a customer, which returns its stock. Raises `OrderNotFound` or `OrderNotCancellable`."""

        def cancelled(order: Order) -> Order:
            if _of_customer(order, owner).status != "hold":
                raise OrderNotCancellable
            return order.changed(OrderChange("cancelled"), self._clock())

        return self._change(owner.shop, key, cancelled, time_left)

    def change(self, shop: str, key: str, change: OrderChange, time_left: Callable[[], float]) -> Order:
        """Change an order; nothing is written if it already is as asked.

        Raises `OrderNotFound` or `InvalidTransition`.
        """
        return self._change(shop, key, lambda order: order.changed(change, self._clock()), time_left)

    def fail(self, shop: str, key: str, time_left: Callable[[], float]) -> None:
        """End the hold of an order that was not paid in time, if it still is one. Raises `OrderNotFound`."""
        failed = OrderChange("failed")
        self._change(shop, key, lambda it: it.changed(failed, self._clock()) if it.status == "hold" else it, time_left)

    def _change(self, shop: str, key: str, changed: Callable[[Order], Order], time_left: Callable[[], float]) -> Order:
        """Change an order; again after a conflict with another request, while there is time."""
        attempt = 0
        while True:
            check_time(time_left)
            before = self.find(shop, key)
            change = Change(before, changed(before))
            if change.after is before:
                return before
            check_time(time_left)
            can_return = self._store.can_return([change])
            check_time(time_left)
            try:
                self._store.change(change, can_return, attempt)
            except OrderConflict:
                attempt += 1
            else:
                return change.after


def _of_customer(order: Order, owner: Owner) -> Order:
    if order.customer != owner.customer:
        raise OrderNotFound
    return order
