"""The carts of search sessions: one item of the table for each item of a session's cart (contract: Search API)."""

from collections.abc import Callable
from decimal import Decimal

from storefront.domain import limits
from storefront.domain.errors import Unavailable
from storefront.domain.session import Addition, ItemKey, Removal, Session, SessionItem
from storefront.store import keys
from storefront.store.table import ConditionFailed, Expression, Item, Table, key_attributes

_RACES = 8
"""Times that a change is tried against others of the same item before it gives up."""


class SessionStore:
    """The carts of all search sessions. Its methods raise `Unavailable`.

    An item whose 24 hours are over counts as absent, whether or not DynamoDB has deleted it yet.
    """

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock

    def add(self, session: Session, addition: Addition) -> None:
        """Add to an item, or put it in the cart: one write, two where an expired item is still there.

        The newest title and price stand; an absent price leaves the one before. Raises `Ambiguous` where the write may
        have been applied.
        """
        key = keys.session_item(session, addition.key)
        for _ in range(_RACES):
            now = self._clock()
            try:
                self._table.update(key, _addition(addition, now))
            except ConditionFailed:
                try:
                    self._table.update(key, _fresh_start(addition, now))
                except ConditionFailed:
                    continue
            return
        raise Unavailable

    def remove(self, session: Session, removal: Removal) -> None:
        """Take an amount of an item away; at zero or below the item leaves the cart; an absent one stays absent."""
        key = keys.session_item(session, removal.key)
        for _ in range(_RACES):
            now = self._clock()
            try:
                self._table.update(key, _subtraction(removal, now))
            except ConditionFailed as failed:
                if failed.item is None or _expired(failed.item, now):
                    return
                try:
                    self._table.delete(key, _used_up(removal, now))
                except ConditionFailed:
                    continue
            return
        raise Unavailable

    def items(self, session: Session) -> list[SessionItem]:
        """Read a session's cart, the item first that was added first."""
        now = self._clock()
        found = self._table.items_of(keys.session(session))
        items = [_item(it) for it in found if not _expired(it, now)]
        return sorted(items, key=lambda item: (item.added_at, item.key.index, item.key.id))

    def empty(self, session: Session, *, time_left: Callable[[], float]) -> None:
        """Empty a session's cart, a page at a time, as long as ``time_left`` (seconds) allows; it may be repeated."""
        for page in self._table.keys_of(keys.session(session)):
            if time_left() < limits.EMPTYING_RESERVE:
                raise Unavailable
            self._table.write_many({"DeleteRequest": {"Key": key_attributes(key)}} for key in page)


def _addition(addition: Addition, now: int) -> Expression:
    """Add to an item that lives or is not there."""
    write = Expression()
    write.add("amount", {"N": str(addition.amount)})
    write.add("clicks", {"N": "1"})
    write.set_once("added_at", {"N": str(now)})
    _describe(write, addition, now)
    expires_at = write.name("expires_at")
    write.require(f"(attribute_not_exists({expires_at}) OR {expires_at} > {_now(write, now)})")
    return write


def _fresh_start(addition: Addition, now: int) -> Expression:
    """Begin anew on an item that has expired."""
    write = Expression()
    write.set("amount", {"N": str(addition.amount)})
    write.set("clicks", {"N": "1"})
    write.set("added_at", {"N": str(now)})
    _describe(write, addition, now)
    if addition.price is None:
        write.remove("price")
    write.require(f"{write.name('expires_at')} <= {_now(write, now)}")
    return write


def _describe(write: Expression, addition: Addition, now: int) -> None:
    """Set what every addition brings anew."""
    write.set("index", {"S": addition.key.index})
    write.set("id", {"S": addition.key.id})
    write.set("title", {"S": addition.title})
    if addition.price is not None:
        write.set("price", {"N": format(addition.price, "f")})
    _keep(write, now)


def _subtraction(removal: Removal, now: int) -> Expression:
    """Take away from an item that lives and holds more than that."""
    write = Expression()
    amount, expires_at = write.name("amount"), write.name("expires_at")
    taken = write.value({"N": str(removal.amount)})
    write.add("amount", {"N": str(-removal.amount)})
    _keep(write, now)
    write.require(f"{amount} > {taken} AND {expires_at} > {_now(write, now)}")
    return write


def _used_up(removal: Removal, now: int) -> Expression:
    """Remove an item that lives and holds no more than is taken away."""
    write = Expression()
    taken = write.value({"N": str(removal.amount)})
    write.require(f"{write.name('amount')} <= {taken} AND {write.name('expires_at')} > {_now(write, now)}")
    return write


def _keep(write: Expression, now: int) -> None:
    """Let the item live on from this event."""
    write.set("updated_at", {"N": str(now)})
    write.set("expires_at", {"N": str(now // 1000 + limits.SESSION_ITEM_LIFETIME)})


def _now(write: Expression, now: int) -> str:
    """Return a placeholder for the present second, to compare an expiry with."""
    return write.value({"N": str(now // 1000)})


def _item(item: Item) -> SessionItem:
    """Read an item of a session's cart."""
    return SessionItem(
        key=ItemKey(item["index"]["S"], item["id"]["S"]),
        title=item["title"]["S"],
        amount=int(item["amount"]["N"]),
        clicks=int(item["clicks"]["N"]),
        price=Decimal(item["price"]["N"]) if "price" in item else None,
        added_at=int(item["added_at"]["N"]),
        updated_at=int(item["updated_at"]["N"]),
        expires_at=int(item["expires_at"]["N"]),
    )


def _expired(item: Item, now: int) -> bool:
    """Tell whether an item's 24 hours are over."""
    return int(item["expires_at"]["N"]) <= now // 1000
