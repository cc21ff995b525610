"""The carts of search sessions: one item of the table per item of a session's cart (contract: Search API)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.session import ItemKey, Session, SessionItem, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, key_attributes, number, read_int, read_text, text
from serverless_cart.dynamodb.expiry import expiry, is_expired, require_absent_or_alive, require_alive
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import ConditionFailed, Table
from serverless_cart.service.errors import Unavailable

MAX_CONFLICT_RETRIES: Final = 8
"""Maximum attempts when concurrent requests change the same item."""
RESERVED_SECONDS: Final = 3
"""Seconds of the function's time that must remain before the next page of a large session is deleted."""


class SessionStore:
    """The carts of all search sessions. Its methods raise `Unavailable`.

    An item counts as absent 24 hours after its last event, and from the checkout that sold it, even if DynamoDB has not
    deleted it yet.
    """

    def __init__(self, table: Table, clock: Callable[[], int], limits: Limits = CONTRACT_LIMITS) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock
        self._lifetime = limits.session_item_lifetime

    def add(self, session: Session, addition: SessionItemAddition) -> None:
        """Add to an item, or create it: one write, two if an expired or sold item is still stored.

        The newest title and price win; an absent price keeps the previous one. Raises `Ambiguous` if the write may have
        been applied.
        """
        key = keys.session_item(session, addition.key)
        for _ in range(MAX_CONFLICT_RETRIES):
            now = self._clock()
            try:
                self._table.update(key, self._addition(addition, now))
            except ConditionFailed:
                try:
                    self._table.update(key, self._replacement(addition, now))
                except ConditionFailed:
                    self._table.report_conflict()
                    continue
            return
        raise Unavailable

    def remove(self, session: Session, removal: SessionItemRemoval) -> None:
        """Subtract an amount from an item; at zero or below the item is deleted; an absent item stays absent."""
        key = keys.session_item(session, removal.key)
        for _ in range(MAX_CONFLICT_RETRIES):
            now = self._clock()
            try:
                self._table.update(key, self._subtraction(removal, now))
            except ConditionFailed as failed:
                if failed.item is None or not is_in_cart(failed.item, now):
                    return
                try:
                    self._table.delete(key, _deletion(removal, now))
                except ConditionFailed:
                    self._table.report_conflict()
                    continue
            return
        raise Unavailable

    def items(self, session: Session) -> list[SessionItem]:
        """Read a session's cart, in the order in which the items were first added."""
        now = self._clock()
        found = self._table.items_of(keys.session(session), keys.session_items())
        items = [_session_item(item) for item in found if is_in_cart(item, now)]
        return sorted(items, key=lambda item: (item.added_at, item.key.index, item.key.id))

    def empty(self, session: Session, *, time_left: Callable[[], float]) -> None:
        """Delete a session's items, a page at a time. May be repeated.

        ``time_left`` returns the function's remaining seconds; `Unavailable` is raised when they run out.
        """
        for page in self._table.keys_of(keys.session(session), keys.session_items()):
            if time_left() < RESERVED_SECONDS:
                raise Unavailable
            self._table.write_many({"DeleteRequest": {"Key": key_attributes(key)}} for key in page)

    def _addition(self, addition: SessionItemAddition, now: int) -> Expression:
        """Add to an item that is alive or absent."""
        write = Expression()
        write.add("amount", number(addition.amount))
        write.add("clicks", number(1))
        write.set_once("added_at", number(now))
        self._set_details(write, addition, now)
        write.require_absent("sold_at")
        require_absent_or_alive(write, now)
        return write

    def _replacement(self, addition: SessionItemAddition, now: int) -> Expression:
        """Replace an item that has expired or was sold."""
        write = Expression()
        write.set("amount", number(addition.amount))
        write.set("clicks", number(1))
        write.set("added_at", number(now))
        self._set_details(write, addition, now)
        if addition.price is None:
            write.remove("price")
        write.remove("sold_at")
        sold = f"attribute_exists({write.name('sold_at')})"
        write.require(f"({sold} OR {write.name('expires_at')} <= {write.value(number(now // 1000))})")
        return write

    def _set_details(self, write: Expression, addition: SessionItemAddition, now: int) -> None:
        write.set("index", text(addition.key.index))
        write.set("id", text(addition.key.id))
        write.set("title", text(addition.title))
        if addition.price is not None:
            write.set("price", {"N": format(addition.price, "f")})
        write.set("device", text(addition.device))
        self._set_times(write, now)

    def _subtraction(self, removal: SessionItemRemoval, now: int) -> Expression:
        """Subtract from an item that is alive and has more than that."""
        write = Expression()
        write.require(f"{write.name('amount')} > {write.value(number(removal.amount))}")
        require_in_cart(write, now)
        write.add("amount", number(-removal.amount))
        self._set_times(write, now)
        return write

    def _set_times(self, write: Expression, now: int) -> None:
        write.set("updated_at", number(now))
        write.set("expires_at", expiry(now, self._lifetime))


def is_in_cart(item: Item, now: int) -> bool:
    """Return whether an item is in its session's cart: it has not expired and was not sold."""
    return "sold_at" not in item and not is_expired(item, now)


def require_in_cart(write: Expression, now: int) -> None:
    """Write only if the item is in its session's cart. The clock of the function that sold it may be ahead."""
    write.require_absent("sold_at")
    require_alive(write, now)


def _deletion(removal: SessionItemRemoval, now: int) -> Expression:
    """Delete an item that is alive and has no more than is subtracted."""
    write = Expression()
    write.require(f"{write.name('amount')} <= {write.value(number(removal.amount))}")
    require_in_cart(write, now)
    return write


def _session_item(item: Item) -> SessionItem:
    return SessionItem(
        key=ItemKey(read_text(item, "index"), read_text(item, "id")),
        title=read_text(item, "title"),
        amount=read_int(item, "amount"),
        clicks=read_int(item, "clicks"),
        price=Decimal(item["price"]["N"]) if "price" in item else None,
        added_at=read_int(item, "added_at"),
        updated_at=read_int(item, "updated_at"),
        expires_at=read_int(item, "expires_at"),
    )
