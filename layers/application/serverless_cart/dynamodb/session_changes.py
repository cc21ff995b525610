"""What a change of an item in a search session's partition means for the statistics (docs/table.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from serverless_cart.domain.session import Device, ItemKey, Session
from serverless_cart.domain.statistics import Click, Counts, Event, hour_of
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, read_int, read_optional_int, read_optional_text, read_text
from serverless_cart.dynamodb.expiry import is_expired

TTL: Final = "dynamodb.amazonaws.com"
"""The principal of deletions by DynamoDB's time to live."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one item: the images before and after it, and when it happened, in milliseconds since 1970."""

    session: Session
    old: Item | None
    new: Item | None
    at: int


def counts_of(record: Mapping[str, Any]) -> Counts:
    """Return what a stream record counts; nothing if the item is not of a session, or if it expired.

    Raises `KeyError`, `ValueError` or `TypeError` for a record that is not as this version writes it.
    """
    counts = Counts()
    key = keys.Key(record["dynamodb"]["Keys"]["pk"]["S"], record["dynamodb"]["Keys"]["sk"]["S"])
    session = keys.session_of(key)
    if session is None or (record.get("userIdentity") or {}).get("principalId") == TTL:
        return counts
    images = record["dynamodb"]
    change = Change(
        session, images.get("OldImage"), images.get("NewImage"), int(images["ApproximateCreationDateTime"] * 1000)
    )
    count = _COUNTERS.get(key.sk.partition("#")[0])
    if count:
        count(counts, change)
    return counts


def _count_init(counts: Counts, change: Change) -> None:
    new = change.new
    if new and (change.old is None or change.old["at"] != new["at"]):
        counts.init(_event(change.session, new), read_optional_text(new, "user"))


def _count_click(counts: Counts, change: Change) -> None:
    new = change.new
    if new and change.old is None:
        event = _event(change.session, new)
        click = Click(
            hour_of(event.at),
            event.device,
            read_text(new, "index"),
            read_text(new, "md5"),
            read_optional_text(new, "query"),
            read_optional_int(new, "position"),
            read_optional_text(new, "custom_result"),
        )
        counts.click(event, click, read_optional_text(new, "user"))


def _count_image(counts: Counts, change: Change) -> None:
    if change.new and change.old is None:
        counts.image(_event(change.session, change.new), read_text(change.new, "id"))


def _count_redirect(counts: Counts, change: Change) -> None:
    if change.new and change.old is None:
        counts.redirect(_event(change.session, change.new), read_text(change.new, "id"))


def _count_checkout(counts: Counts, change: Change) -> None:
    if change.new:
        event = _event(change.session, change.new)
        before = read_int(change.old, "count") if change.old and not is_expired(change.old, event.at) else 0
        times = read_int(change.new, "count") - before
        if times > 0:
            counts.checkout(event, times)


def _event(session: Session, item: Item) -> Event:
    return Event(session, read_int(item, "at"), _device(item))


@dataclass(frozen=True, slots=True)
class _Image:
    """A session's cart item, before or after a change."""

    item: ItemKey
    title: str
    device: Device
    amount: int
    price: Decimal | None
    updated_at: int
    expires_at: int
    sold_at: int | None

    @classmethod
    def of(cls, image: Item) -> "_Image":
        return cls(
            item=ItemKey(read_text(image, "index"), read_text(image, "id")),
            title=read_text(image, "title"),
            device=_device(image),
            amount=read_int(image, "amount"),
            price=Decimal(image["price"]["N"]) if "price" in image else None,
            updated_at=read_int(image, "updated_at"),
            expires_at=read_int(image, "expires_at") * 1000,
            sold_at=read_optional_int(image, "sold_at"),
        )

    def is_in_cart(self, at: int) -> bool:
        """Return whether the item is in the session's cart at a time: neither expired nor sold."""
        return self.sold_at is None and at < self.expires_at

    @property
    def value(self) -> Decimal:
        """The money that the item is worth; 0 if its price is unknown."""
        return self.amount * (self.price or Decimal(0))


def _count_cart_item(counts: Counts, change: Change) -> None:
    old = _Image.of(change.old) if change.old else None
    new = _Image.of(change.new) if change.new else None
    at = change.at if new is None else (new.sold_at or new.updated_at)
    before = old if old and old.is_in_cart(at) else None
    after = new if new and new.sold_at is None else None
    if before:
        event = Event(change.session, at, before.device)
        counts.expiring(event, before.expires_at, -1, -before.value)
        if new and new.sold_at is not None:
            counts.sold(event, before.item, before.amount, before.price)
        elif after is None or after.amount < before.amount:
            counts.removed(event, before.item, before.amount - (after.amount if after else 0))
    if after:
        event = Event(change.session, at, after.device)
        counts.expiring(event, after.expires_at, 1, after.value)
        counts.title(event, after.item, after.title)
        pieces = after.amount - (before.amount if before else 0)
        if pieces > 0:
            counts.added(event, after.item, pieces)


def _device(item: Item) -> Device:
    """Return the device of an event; events from before it was stored count as those of desktops."""
    return "mobile" if read_optional_text(item, "device") == "mobile" else "desktop"


_COUNTERS: Final = {
    "INIT": _count_init,
    "CLICK": _count_click,
    "IMAGE": _count_image,
    "REDIRECT": _count_redirect,
    "CHECKOUT": _count_checkout,
    "CART": _count_cart_item,
}
