"""The discount codes of shops: an item of the table for each, and an entry in its shop's list."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    key_of,
    number,
    read_int,
    read_optional_int,
    read_text,
    text,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import READ_BATCH, TRANSACTION, ConditionFailed, Table, TransactionRefused
from serverless_cart.dynamodb.tokens import still_open

CREATED_AT_ONCE: Final = (TRANSACTION - 1) // 2
"""Codes that one transaction creates: each takes two items, and one more checks the shop."""
_NUMBERS: Final = ("percent", "amount", "starts_at", "ends_at", "max_uses", "max_uses_per_customer")


class DiscountExists(Exception):
    """Some of the codes exist already."""


class ShopClosed(Exception):
    """The shop does not exist, or it is being deleted."""


@dataclass(frozen=True, slots=True)
class DiscountRecord:
    """A discount code, as stored, with a note for operators; ``created_at`` is milliseconds since 1970."""

    discount: DiscountCode
    label: str
    created_at: int


class DiscountStore:
    """The discount codes of one shop. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, shop: str, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._shop = shop
        self._clock = clock

    def create(self, discounts: Sequence[DiscountCode], labels: Sequence[str] = ()) -> list[DiscountRecord]:
        """Create at most `CREATED_AT_ONCE` codes, all or none, in one transaction.

        ``labels`` are notes for operators, one for each code, or none at all.

        Raises `DiscountExists`, and `ShopClosed`.
        """
        records = [
            DiscountRecord(discount, label, self._clock())
            for discount, label in zip(discounts, labels or [""] * len(discounts), strict=True)
        ]
        absent = Expression()
        absent.require_absent("pk")
        writes: list[tuple[str, dict[str, Any]]] = [still_open(self._shop)]
        for record in records:
            entry = key_attributes(keys.discount_entry(self._shop, record.discount.key))
            writes.append(("Put", {"Item": discount_to_item(self._shop, record), **absent.condition()}))
            writes.append(("Put", {"Item": entry}))
        try:
            self._table.transact(writes)
        except TransactionRefused as refused:
            raise (ShopClosed if 0 in refused.failed else DiscountExists) from None
        return records

    def find(self, discount_keys: Collection[str]) -> dict[str, DiscountRecord]:
        """Read codes by their keys: 100 per call. Absent ones are left out."""
        found = self._table.get_many([keys.discount(self._shop, key) for key in discount_keys])
        return {record.discount.key: record for record in map(_record, found.values())}

    def all(self) -> Iterator[DiscountRecord]:
        """List all codes in their order, with bounded memory."""
        page: list[str] = []
        for entry in self._table.items_of(keys.discounts(self._shop)):
            page.append(keys.listed_discount_key(key_of(entry)))
            if len(page) == READ_BATCH:
                yield from self._in_order(page)
                page = []
        yield from self._in_order(page)

    def disable(self, record: DiscountRecord) -> DiscountRecord | None:
        """Disable a code in one call, and return it as it is then; ``None`` if it does not exist. May be repeated."""
        change = Expression()
        change.require_present("pk")
        change.set("active", {"BOOL": False})
        try:
            return _record(self._table.update(keys.discount(self._shop, record.discount.key), change))
        except ConditionFailed:
            return None

    def _in_order(self, page: Sequence[str]) -> Iterator[DiscountRecord]:
        found = self.find(page)
        return (found[key] for key in page if key in found)


def discount_to_item(shop: str, record: DiscountRecord) -> Item:
    """Write a discount code as an item of the table."""
    it = record.discount
    item: Item = {
        **key_attributes(keys.discount(shop, it.key)),
        "code": text(it.code),
        "minimum": number(it.minimum),
        "active": {"BOOL": it.active},
        "uses": number(it.uses),
        "label": text(record.label),
        "created_at": number(record.created_at),
    }
    return item | {name: number(value) for name in _NUMBERS if (value := getattr(it, name)) is not None}


def discount_from_item(item: Item) -> DiscountCode:
    """Read the code that `discount_to_item` wrote."""
    return DiscountCode(
        code=read_text(item, "code"),
        minimum=read_int(item, "minimum"),
        active=item["active"]["BOOL"],
        uses=read_int(item, "uses"),
        **{name: read_optional_int(item, name) for name in _NUMBERS},
    )


def uses_from_item(item: Item | None, discount_key: str) -> int:
    """Read a customer's uses of a code."""
    return read_optional_int(item or {}, keys.use_of(discount_key)) or 0


def _record(item: Item) -> DiscountRecord:
    return DiscountRecord(discount_from_item(item), read_text(item, "label"), read_int(item, "created_at"))
