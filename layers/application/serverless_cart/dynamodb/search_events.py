"""The events of search sessions: one item of the table per event, in the partition of the session's cart.

A repeated write of an event has the same key, so the figures that are counted from these items are exact.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, Literal

from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.search_events import BannerClick, Checkout, Click, Redirect, SessionStart
from serverless_cart.domain.session import Session
from serverless_cart.dynamodb import keys, retries
from serverless_cart.dynamodb.attributes import Item, key_attributes, key_of, number, read_int, text, text_list
from serverless_cart.dynamodb.expiry import (
    expiry,
    require_absent_or_alive,
    require_absent_or_expired,
    require_expired,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.sessions import MAX_CONFLICT_RETRIES, RESERVED_SECONDS, is_in_cart, require_in_cart
from serverless_cart.dynamodb.table import TRANSACTION, ConditionFailed, Table, TransactionRefused
from serverless_cart.service.errors import Ambiguous, Unavailable

PUT_ATTEMPTS: Final = 3
"""Attempts to write an event if no answer arrives, the first included."""
_KINDS: Final[dict[type, Literal["CLICK", "IMAGE", "REDIRECT"]]] = {
    Click: "CLICK",
    BannerClick: "IMAGE",
    Redirect: "REDIRECT",
}


class SearchEventStore:
    """The events of all search sessions. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, clock: Callable[[], int], limits: Limits = CONTRACT_LIMITS) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock
        self._lifetime = limits.session_item_lifetime

    def start(self, event: SessionStart) -> None:
        """Record the start of a session with one write; only the first one counts."""
        now = self._clock()
        first = Expression()
        require_absent_or_expired(first, now)
        self._put(keys.session_start(event.session), self._attributes(event, now), first)

    def record(self, event: Click | BannerClick | Redirect, event_id: str) -> None:
        """Record an event with one write; ``event_id`` is unique for each request."""
        absent = Expression()
        absent.require_absent("pk")
        key = keys.session_event(event.session, _KINDS[type(event)], event_id)
        self._put(key, self._attributes(event, self._clock()), absent)

    def check_out(self, checkout: Checkout, *, time_left: Callable[[], float]) -> None:
        """Record a checkout, and mark the items in the session's cart as sold: they leave the cart.

        It counts if it sells an item, or if it is the session's first. All is one transaction; a cart of more than 99
        items takes several, each whole, and only the first counts the checkout. ``time_left`` returns the function's
        remaining seconds.
        """
        counted = replaces = False
        for attempt in range(MAX_CONFLICT_RETRIES):
            retries.wait_at_random(attempt)
            now = self._clock()
            sales = (_sale(item, now) for item in self._cart(checkout.session, now))
            try:
                while writes := list(islice(sales, TRANSACTION - (not counted))):
                    if time_left() < RESERVED_SECONDS:
                        raise Unavailable
                    if not counted:
                        writes.insert(0, self._count(checkout, now, replaces=replaces))
                    self._table.transact(writes)
                    counted = True
            except TransactionRefused as refused:
                if not counted and 0 in refused.failed:
                    replaces = not replaces
                continue
            if not counted:
                first = Expression()
                require_absent_or_expired(first, now)
                item = {**self._attributes(checkout, now), "count": number(1)}
                self._put(keys.session_checkout(checkout.session), item, first)
            return
        raise Unavailable

    def _cart(self, session: Session, now: int) -> Iterator[Item]:
        found = list(self._table.items_of(keys.session(session), keys.session_items()))
        return (item for item in found if is_in_cart(item, now))

    def _count(self, checkout: Checkout, now: int, *, replaces: bool) -> tuple[str, dict[str, Any]]:
        """Count one checkout more, or replace the item if it has expired."""
        write = Expression()
        attributes = self._attributes(checkout, now)
        for name, value in attributes.items():
            write.set(name, value)
        for name in {"user", "sources"} - attributes.keys():
            write.remove(name)
        if replaces:
            require_expired(write, now)
            write.set("count", number(1))
        else:
            require_absent_or_alive(write, now)
            write.add("count", number(1))
        return "Update", {"Key": key_attributes(keys.session_checkout(checkout.session)), **write.update()}

    def _attributes(self, event: SessionStart | Click | BannerClick | Redirect | Checkout, now: int) -> Item:
        """Return the attributes of an event; what it does not know is absent."""
        item: Item = {"at": number(now), "device": text(event.device), "expires_at": expiry(now, self._lifetime)}
        for name in ("index", "md5", "id", "user", "query", "custom_result", "resource"):
            if (value := getattr(event, name, None)) is not None:
                item[name] = text(value)
        if isinstance(event, Click) and event.position is not None:
            item["position"] = number(event.position)
        if isinstance(event, Checkout) and event.sources:
            item["sources"] = text_list(event.sources)
        return item

    def _put(self, key: Key, item: Item, condition: Expression) -> None:
        """Write an item unless it is there. It may be written again if no answer arrives: the key is the same."""
        for attempt in range(PUT_ATTEMPTS):
            retries.wait_at_random(attempt)
            try:
                self._table.put({**key_attributes(key), **item}, condition)
            except ConditionFailed:
                return
            except Ambiguous:
                continue
            return
        raise Ambiguous


def _sale(item: Item, now: int) -> tuple[str, dict[str, Any]]:
    """Mark an item as sold if it is as it was read."""
    write = Expression()
    for name in ("updated_at", "amount"):
        write.require_equal(name, number(read_int(item, name)))
    require_in_cart(write, now)
    write.set("sold_at", number(now))
    write.set("expires_at", number(now // 1000))
    return "Update", {"Key": key_attributes(key_of(item)), **write.update()}
