"""Creates, changes and deletes shops, for cartctl. No function uses it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from serverless_cart.domain.methods import Kind
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    number,
    read_int,
    read_optional_int,
    read_text,
    read_text_set,
    text,
    text_set,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import Table, TransactionRefused
from serverless_cart.dynamodb.tokens import DELETION_REQUESTED_AT, shop_from_item, shop_to_item


class ShopExists(Exception):
    """A shop of that name exists."""


class ShopChanged(Exception):
    """Another operator changed or closed the shop in the meantime."""


class EngineTaken(Exception):
    """A search engine belongs to another shop."""

    def __init__(self, hashid: str) -> None:
        super().__init__(hashid)
        self.hashid = hashid


@dataclass(frozen=True, slots=True)
class ShopRecord:
    """A shop, as stored. Times are milliseconds since 1970.

    ``former_engines`` are hashids that the shop no longer uses. They stay assigned to it, because their sessions may
    still be stored. ``deletion_requested_at`` is when the shop was closed: from then on its tokens open nothing.
    """

    shop: Shop
    version: int
    created_at: int
    updated_at: int
    former_engines: frozenset[str] = field(default_factory=frozenset)
    deletion_requested_at: int | None = None

    @property
    def engines(self) -> frozenset[str]:
        """All hashids that are or were the shop's."""
        return self.shop.search_engines | self.former_engines


class ShopStore:
    """The shops of this deployment. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self._table = table
        self._clock = clock

    def names(self) -> Iterator[str]:
        """List the names of all shops, in order."""
        return (read_text(item, "name") for item in self._table.items_of(keys.SHOPS))

    def find(self, name: str) -> ShopRecord | None:
        """Read a shop."""
        item = self._table.get(keys.shop(name))
        return _shop_record(item) if item else None

    def create(self, shop: Shop) -> ShopRecord:
        """Create a shop. Raises `ShopExists` and `EngineTaken`.

        Statistics of a shop that had its name or one of its search engines before are deleted.
        """
        now = self._clock()
        shop_record = ShopRecord(shop, version=1, created_at=now, updated_at=now)
        engines = sorted(shop.search_engines)
        self._remove_leftovers({keys.shop_statistics(shop.name): keys.shop(shop.name), **_statistics(engines)})
        entry = keys.shop_entry(shop.name)
        try:
            self._table.transact([
                ("Put", {"Item": _item(shop_record), **_absent()}),
                ("Put", {"Item": {**key_attributes(entry), "name": text(shop.name)}}),
                *(_claim(shop.name, hashid) for hashid in engines),
            ])  # fmt: skip
        except TransactionRefused as refused:
            if 0 in refused.failed:
                raise ShopExists from None
            raise EngineTaken(engines[refused.failed[0] - 2]) from None
        return shop_record

    def change(self, shop_record: ShopRecord, shop: Shop) -> ShopRecord:
        """Replace the settings of a shop as it was read. Raises `ShopChanged` and `EngineTaken`.

        A search engine that is removed stays assigned to the shop until the shop is deleted. Statistics of a shop that
        had an added one before are deleted.
        """
        changed = ShopRecord(
            shop=shop,
            version=shop_record.version + 1,
            created_at=shop_record.created_at,
            updated_at=self._clock(),
            former_engines=shop_record.engines - shop.search_engines,
        )
        added = sorted(shop.search_engines - shop_record.engines)
        self._remove_leftovers(_statistics(added))
        try:
            self._table.transact([
                ("Put", {"Item": _item(changed), **_unchanged(shop_record)}),
                *(_claim(shop.name, hashid) for hashid in added),
            ])  # fmt: skip
        except TransactionRefused as refused:
            if 0 in refused.failed:
                raise ShopChanged from None
            raise EngineTaken(added[refused.failed[0] - 1]) from None
        return changed

    def close(self, shop_record: ShopRecord) -> ShopRecord:
        """Close a shop: its tokens open nothing, and no more can be issued. Raises `ShopChanged`."""
        if shop_record.deletion_requested_at is not None:
            return shop_record
        now = self._clock()
        closed = ShopRecord(
            shop=shop_record.shop,
            version=shop_record.version + 1,
            created_at=shop_record.created_at,
            updated_at=now,
            former_engines=shop_record.former_engines,
            deletion_requested_at=now,
        )
        try:
            self._table.transact([("Put", {"Item": _item(closed), **_unchanged(shop_record)})])
        except TransactionRefused:
            raise ShopChanged from None
        return closed

    def remove(self, shop_record: ShopRecord) -> None:
        """Delete a closed shop after all its items. May be repeated: the settings are deleted last."""
        name = shop_record.shop.name
        engines = [keys.search_engine(hashid) for hashid in shop_record.engines]
        methods = [keys.methods(name, kind) for kind in Kind]
        self.remove_items([keys.catalogue_lease(name), *methods, *engines])
        self._table.transact([
            ("Delete", {"Key": key_attributes(keys.shop_entry(name))}),
            ("Delete", {"Key": key_attributes(keys.shop(name))}),
        ])  # fmt: skip

    def tokens_of(self, shop_record: ShopRecord) -> Iterator[list[Key]]:
        """List the keys of a shop's tokens and of its list of them, a page at a time."""
        for page in self._table.keys_of(keys.tokens(shop_record.shop.name)):
            # The entry is deleted last, so that an interrupted deletion finds the token again.
            tokens = [[keys.token(digest)] if (digest := keys.listed_digest(entry)) else [] for entry in page]
            yield [key for token, entry in zip(tokens, page, strict=True) for key in (*token, entry)]

    def products_of(self, shop_record: ShopRecord) -> Iterator[tuple[int, list[Key]]]:
        """List the keys of a shop's products, a page at a time.

        Each page comes with the number of the catalogue's partitions that end before it; the last is empty.
        """
        for partition in keys.catalogue(shop_record.shop.name):
            yield from ((0, page) for page in self._table.keys_of(partition))
            yield 1, []

    def discounts_of(self, shop_record: ShopRecord) -> Iterator[list[Key]]:
        """List the keys of a shop's discount codes and of its list of them, a page at a time."""
        name = shop_record.shop.name
        for page in self._table.keys_of(keys.discounts(name)):
            # The entry is deleted last, so that an interrupted deletion finds the code again.
            codes = [keys.discount(name, keys.listed_discount_key(entry)) for entry in page]
            yield [key for pair in zip(codes, page, strict=True) for key in pair]

    def holds_of(self, shop_record: ShopRecord) -> Iterator[tuple[int, list[Key]]]:
        """List the keys of a shop's holds, a page at a time, by reading the holds of all shops.

        Each page comes with the number of the holds' partitions that end before it; the last is empty.
        """
        for partition in keys.holds():
            for page in self._table.keys_of(partition):
                yield 0, [key for key in page if keys.held_order(key)[0] == shop_record.shop.name]
            yield 1, []

    def carts_orders_and_sessions_of(self, shop_record: ShopRecord) -> Iterator[tuple[int, list[Key]]]:
        """List the keys of a shop's carts, customers, orders and search sessions' items, a page at a time, by a Scan.

        Each page comes with the number of items that were scanned for it.
        """
        sessions = [keys.sessions(hashid) for hashid in sorted(shop_record.engines)]
        name = shop_record.shop.name
        orders = [keys.orders(name), keys.orders_of_customers(name), keys.orders_of_months(name)]
        return self._table.keys_beginning_with([keys.carts(name), keys.customers(name), *orders, *sessions])

    def statistics_of(self, shop_record: ShopRecord) -> Iterator[tuple[int, list[Key]]]:
        """List the keys of a shop's statistics and of those of its search engines, a page at a time.

        Each page comes with the number of partitions that end before it, one for each engine and one for the shop.
        """
        engines = [keys.statistics(hashid) for hashid in sorted(shop_record.engines)]
        for partition in (*engines, keys.shop_statistics(shop_record.shop.name)):
            yield from ((0, page) for page in self._table.keys_of(partition))
            yield 1, []

    def remove_items(self, items: Collection[Key] | Iterator[Key]) -> None:
        """Delete items by their keys, in this order, 25 per call. May be repeated."""
        self._table.write_many({"DeleteRequest": {"Key": key_attributes(key)}} for key in items)

    def _remove_leftovers(self, owners: Mapping[str, Key]) -> None:
        """Delete statistics whose owner is absent: the roll-up may write some after a shop's deletion.

        ``owners`` has the key of the search engine's or the shop's item by partition.
        """
        for partition, owner in owners.items():
            for page in self._table.keys_of(partition):
                if page and self._table.get(owner):
                    return  # the transaction that follows is refused
                self.remove_items(page)


def _statistics(hashids: Collection[str]) -> dict[str, Key]:
    return {keys.statistics(hashid): keys.search_engine(hashid) for hashid in hashids}


def _claim(name: str, hashid: str) -> tuple[str, dict[str, Any]]:
    """Return the part of a transaction that assigns a search engine to a shop, unless another shop has it."""
    claim = Expression()
    claim.require_absent_or("shop", "=", text(name))
    return "Put", {"Item": {**key_attributes(keys.search_engine(hashid)), "shop": text(name)}, **claim.condition()}


def _absent() -> dict[str, Any]:
    absent = Expression()
    absent.require_absent("pk")
    return absent.condition()


def _unchanged(shop_record: ShopRecord) -> dict[str, Any]:
    """Require that a shop is as it was read, and not being deleted."""
    unchanged = Expression()
    unchanged.require_equal("version", number(shop_record.version))
    unchanged.require_absent(DELETION_REQUESTED_AT)
    return unchanged.condition()


def _item(shop_record: ShopRecord) -> Item:
    item = shop_to_item(shop_record.shop)
    item["version"] = number(shop_record.version)
    item["created_at"] = number(shop_record.created_at)
    item["updated_at"] = number(shop_record.updated_at)
    if shop_record.former_engines:
        item["former_engines"] = text_set(shop_record.former_engines)
    if shop_record.deletion_requested_at is not None:
        item[DELETION_REQUESTED_AT] = number(shop_record.deletion_requested_at)
    return item


def _shop_record(item: Item) -> ShopRecord:
    return ShopRecord(
        shop=shop_from_item(item),
        version=read_int(item, "version"),
        created_at=read_int(item, "created_at"),
        updated_at=read_int(item, "updated_at"),
        former_engines=read_text_set(item, "former_engines"),
        deletion_requested_at=read_optional_int(item, DELETION_REQUESTED_AT),
    )
