"""Orders in the table: their lists, their changes, and the writes of a new one (contract: Order).

An order has an item, an entry in the list of its customer and one in its shop's list of the month, and a hold while it
waits for its payment. One transaction writes all of them. An erased order has no customer and is in no customer's list.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.orders import Order, Status
from serverless_cart.dynamodb import keys, retries
from serverless_cart.dynamodb.attributes import Item, key_attributes, key_of, number, read_text, text
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.order_item import order_from_item, order_to_item
from serverless_cart.dynamodb.table import READ_BATCH, Table, TransactionContended, TransactionRefused, Write
from serverless_cart.service.order_ports import Change, OrderConflict, OrderPage, OrderQuery, OrderStore

MAX_ENTRIES: Final = 20_000
"""Most entries of a shop's list that one request reads; the answer then has a cursor."""
MAX_MONTHS: Final = 24
"""Most months that one request reads."""
MAX_BYTES: Final = 16 * 2**20
"""Bytes of stored orders from which on an answer has no further ones."""
ITEM_BYTES: Final = 4_000
"""Bytes of the largest item of an order."""


class DynamoDBOrderStore(OrderStore):
    """The orders of all shops."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, shop: str, key: str) -> Order | None:
        """Read with one GetItem."""
        item = self._table.get(keys.order(shop, key))
        return order_from_item(shop, item) if item else None

    def of_customer(self, owner: Owner, status: Status | None, limit: int, offset: int) -> tuple[int, list[Order]]:
        """Read with one Query per 1,000 orders of the customer, and one BatchGetItem."""
        entries = [it for it in self._table.items_of(keys.orders_of_customer(owner)) if _has(it, status)]
        entries.reverse()
        wanted = [keys.order(owner.shop, _listed(it)) for it in entries[offset : offset + limit]]
        return len(entries), self._read(wanted)

    def of_shop(self, shop: str, query: OrderQuery) -> OrderPage:
        """Read with one Query per month or 1 MB of the list, and one BatchGetItem per 100 orders."""
        start, end = max(query.after, keys.order_entry(query.first)), keys.last_order_entry(query.last)
        if start > end:  # a cursor from another request
            return OrderPage([], None)
        wanted: list[Item] = []
        read = 0
        for place, month in enumerate(_months(start, end)):
            if place == MAX_MONTHS:
                return self._page(shop, wanted, keys.order_entry(_start_of(month)))
            for entry in self._table.items_between(keys.orders_of_month(shop, month), start, end):
                position = key_of(entry).sk
                if position == query.after:
                    continue
                read += 1
                if _has(entry, query.status):
                    if len(wanted) == query.limit:
                        return self._page(shop, wanted, key_of(wanted[-1]).sk)
                    wanted.append(entry)
                if read == MAX_ENTRIES:
                    return self._page(shop, wanted, position)
        return self._page(shop, wanted, None)

    def overdue(self, now: int) -> list[Iterator[list[Order]]]:
        """Read with one Query and one BatchGetItem per 100 holds."""
        return [self._overdue(partition, now) for partition in keys.holds()]

    def can_return(self, changes: Sequence[Change]) -> frozenset[object]:
        """Read with one BatchGetItem per 100 products and codes; with none if there is nothing to return."""
        wanted = {key: None for change in changes for key in _given_back(change)}
        found = self._table.get_many(list(wanted)) if wanted else {}
        return frozenset(key for key, item in found.items() if "stock" in item or key.sk == "CODE")

    def change(self, change: Change, can_return: frozenset[object], attempt: int = 0) -> None:
        """Write with one TransactWriteItems."""
        try:
            self._table.transact(_writes(change, can_return), attempts=1)
        except (TransactionRefused, TransactionContended):
            retries.wait_at_random(attempt + 1)
            raise OrderConflict from None

    def _overdue(self, partition: str, now: int) -> Iterator[list[Order]]:
        held = self._table.items_between(partition, keys.holds_before(0), keys.holds_before(now + 1), READ_BATCH)
        while some := list(islice(held, READ_BATCH)):
            orders = self._read([keys.order(*keys.held_order(key_of(it))) for it in some])
            yield [it for it in orders if it.reserved_until is not None and it.reserved_until <= now]

    def _page(self, shop: str, entries: Sequence[Item], cursor: str | None) -> OrderPage:
        """Read the orders of these entries; if they are large, not all of them, and return another cursor."""
        orders: list[Order] = []
        size = 0
        for start in range(0, len(entries), READ_BATCH):
            if size >= MAX_BYTES:
                return OrderPage(orders, key_of(entries[start - 1]).sk)
            some = self._read([keys.order(shop, _listed(it)) for it in entries[start : start + READ_BATCH]])
            size += sum(ITEM_BYTES * len(order.items) for order in some)
            orders += some
        return OrderPage(orders, cursor)

    def _read(self, wanted: Sequence[Key]) -> list[Order]:
        """Read orders, in this order; absent ones are left out."""
        found = self._table.get_many(wanted) if wanted else {}
        return [order_from_item(keys.shop_of_order(key), found[key]) for key in wanted if key in found]


def new_order_writes(order: Order, open_holds: int, uses: Expression | None = None) -> list[Write]:
    """Return the order's part of the checkout's transaction: three writes, and one for the customer, which is the last.

    ``uses`` is what the checkout changes in the customer's item of uses, if anything. An order that waits for its
    payment adds its hold, a fourth write before the last, and to ``uses`` the condition that the customer has less
    than ``open_holds`` open holds.
    """
    owner, new = Owner(order.shop, order.customer), Expression()
    new.require_absent("pk")
    state = {"status": text(order.status)}
    writes: list[Write] = [
        ("Put", {"Item": order_to_item(order), **new.condition()}),
        *(("Put", {"Item": {**key_attributes(key), **state}}) for key in _entries(order)),
    ]
    if order.reserved_until is not None:
        hold = keys.hold(order.shop, order.key, order.reserved_until)
        writes.append(("Put", {"Item": key_attributes(hold)}))
        uses = uses or Expression()
        uses.add("holds", number(1))
        uses.require_absent_or("holds", "<", number(open_holds))
    if uses:
        writes.append(("Update", {"Key": key_attributes(keys.uses(owner)), **uses.update()}))
    return writes


def erasure_writes(order: Order) -> list[Write]:
    """Return the transaction that removes the customer from an order, on the condition that it is as it was read."""
    update = _order_update(Change(order, order.erased()))
    owner = Owner(order.shop, order.customer)
    entry = Key(keys.orders_of_customer(owner), keys.order_entry(order.created_at, order.key))
    return [
        ("Update", {"Key": key_attributes(keys.order(order.shop, order.key)), **update.update()}),
        ("Delete", {"Key": key_attributes(entry)}),
    ]


def _writes(change: Change, can_return: frozenset[object]) -> list[Write]:
    """Return the transaction of a change: at most 6 writes and one for each product whose stock is returned."""
    before, after = change
    writes: list[Write] = [
        ("Update", {"Key": key_attributes(keys.order(before.shop, before.key)), **_order_update(change).update()})
    ]
    if after.status != before.status:
        writes += [_update_present(key, "status", text(after.status)) for key in _entries(before)]
    uses = Expression()
    changes_uses = False
    if before.reserved_until is not None and after.reserved_until is None:
        hold = keys.hold(before.shop, before.key, before.reserved_until)
        writes.append(("Delete", {"Key": key_attributes(hold)}))
        uses.add("holds", number(-1))
        changes_uses = True
    if before.discount_key is not None and before.gives_up_code(after):
        uses.add(keys.use_of(before.discount_key), number(-1))
        changes_uses = True
    if changes_uses and before.customer:
        owner = Owner(before.shop, before.customer)
        writes.append(("Update", {"Key": key_attributes(keys.uses(owner)), **uses.update()}))
    writes += [_addition(key, *addition) for key, addition in _given_back(change).items() if key in can_return]
    return writes


def _order_update(change: Change) -> Expression:
    """Write the attributes that differ, on the condition that the order is as it was read."""
    before, after = (order_to_item(order) for order in change)
    update = Expression()
    for name in ("status", "version"):
        update.require_equal(name, before[name])
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            update.remove(name)
        elif after[name] != before.get(name):
            update.set(name, after[name])
    return update


def _given_back(change: Change) -> dict[Key, tuple[str, int]]:
    """Return the stock and the use of a code that a change gives back: the attribute and the number to add to it."""
    before, after = change
    given: dict[Key, tuple[str, int]] = {
        keys.product(before.shop, product_id): ("stock", quantity)
        for product_id, quantity in before.returned_by(after).items()
    }
    if before.discount_key is not None and before.gives_up_code(after):
        given[keys.discount(before.shop, before.discount_key)] = ("uses", -1)
    return given


def _addition(key: Key, attribute: str, value: int) -> Write:
    """Add to a number that still exists: a product may have been deleted, or made unlimited."""
    update = Expression()
    update.require_present(attribute)
    update.add(attribute, number(value))
    return "Update", {"Key": key_attributes(key), **update.update()}


def _update_present(key: Key, attribute: str, value: dict[str, str]) -> Write:
    update = Expression()
    update.require_present("pk")
    update.set(attribute, value)
    return "Update", {"Key": key_attributes(key), **update.update()}


def _entries(order: Order) -> list[Key]:
    """Return the keys of an order in the lists of its shop and of its customer."""
    entry = keys.order_entry(order.created_at, order.key)
    lists = [keys.orders_of_month(order.shop, _month_of(order.created_at))]
    if order.customer:
        lists.append(keys.orders_of_customer(Owner(order.shop, order.customer)))
    return [Key(partition, entry) for partition in lists]


def _has(entry: Item, status: Status | None) -> bool:
    return status is None or read_text(entry, "status") == status


def _listed(entry: Item) -> str:
    return keys.listed_order(key_of(entry).sk)


def _month_of(moment: int) -> str:
    """Return the month of a moment (milliseconds since 1970), in UTC."""
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y%m}"


def _start_of(month: str) -> int:
    return int(datetime(int(month[:4]), int(month[4:]), 1, tzinfo=UTC).timestamp() * 1000)


def _months(start: str, end: str) -> Iterator[str]:
    """List the months from one entry of a list to another."""
    first, last = (_month_of(keys.moment_of_entry(entry)) for entry in (start, end))
    year, month = int(first[:4]), int(first[4:])
    while (current := f"{year:04d}{month:02d}") <= last:
        yield current
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
