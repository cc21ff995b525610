"""Opening, changing and closing shops: what operators do, and no function."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from storefront.store import keys
from storefront.store.keys import Key
from storefront.store.table import Expression, Item, Table, TransactionRefused, key_attributes
from storefront.store.tokens import LEAVING_SINCE, shop_from_item, shop_to_item
from storefront.tokens import Shop


class ShopExists(Exception):
    """There is a shop of that name."""


class ShopChanged(Exception):
    """Somebody else changed or closed the shop in the meantime."""


class EngineTaken(Exception):
    """A search engine belongs to another shop."""

    def __init__(self, hashid: str) -> None:
        """Say which."""
        super().__init__(hashid)
        self.hashid = hashid


@dataclass(frozen=True, slots=True)
class Registration:
    """A shop as it is registered. Times are milliseconds since 1970.

    ``former_engines`` are hashids that it gave up, which stay its own, for sessions of theirs may still be there;
    ``leaving_since`` is when it was closed: nothing opens it from then on.
    """

    shop: Shop
    version: int
    created_at: int
    updated_at: int
    former_engines: frozenset[str] = field(default_factory=frozenset)
    leaving_since: int | None = None

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
        return (item["name"]["S"] for item in self._table.items_of(keys.SHOPS))

    def find(self, name: str) -> Registration | None:
        """Read a shop's registration."""
        item = self._table.get(keys.shop(name))
        return _registration(item) if item else None

    def create(self, shop: Shop) -> Registration:
        """Open a shop. Raises `ShopExists` and `EngineTaken`."""
        now = self._clock()
        registration = Registration(shop, version=1, created_at=now, updated_at=now)
        engines = sorted(shop.search_engines)
        entry = keys.shop_entry(shop.name)
        try:
            self._table.transact([
                ("Put", {"Item": _item(registration), **_absent()}),
                ("Put", {"Item": {**key_attributes(entry), "name": {"S": shop.name}}}),
                *(_claim(shop.name, hashid) for hashid in engines),
            ])  # fmt: skip
        except TransactionRefused as refused:
            if 0 in refused.failed:
                raise ShopExists from None
            raise EngineTaken(engines[refused.failed[0] - 2]) from None
        return registration

    def change(self, registration: Registration, shop: Shop) -> Registration:
        """Give a shop, as it was read, other settings. Raises `ShopChanged` and `EngineTaken`.

        A search engine that it gives up stays claimed until the shop leaves.
        """
        changed = Registration(
            shop=shop,
            version=registration.version + 1,
            created_at=registration.created_at,
            updated_at=self._clock(),
            former_engines=registration.engines - shop.search_engines,
        )
        added = sorted(shop.search_engines - registration.engines)
        try:
            self._table.transact([
                ("Put", {"Item": _item(changed), **_same(registration)}),
                *(_claim(shop.name, hashid) for hashid in added),
            ])  # fmt: skip
        except TransactionRefused as refused:
            if 0 in refused.failed:
                raise ShopChanged from None
            raise EngineTaken(added[refused.failed[0] - 1]) from None
        return changed

    def close(self, registration: Registration) -> Registration:
        """Close a shop: its tokens open nothing any more, and it takes no new ones. Raises `ShopChanged`."""
        if registration.leaving_since is not None:
            return registration
        now = self._clock()
        closed = Registration(
            shop=registration.shop,
            version=registration.version + 1,
            created_at=registration.created_at,
            updated_at=now,
            former_engines=registration.former_engines,
            leaving_since=now,
        )
        try:
            self._table.transact([("Put", {"Item": _item(closed), **_same(registration)})])
        except TransactionRefused:
            raise ShopChanged from None
        return closed

    def remove(self, registration: Registration) -> None:
        """Remove a closed shop of which nothing else is left. It may be repeated; the settings go last."""
        name = registration.shop.name
        self.remove_items(keys.search_engine(hashid) for hashid in registration.engines)
        self._table.transact([
            ("Delete", {"Key": key_attributes(keys.shop_entry(name))}),
            ("Delete", {"Key": key_attributes(keys.shop(name))}),
        ])  # fmt: skip

    def tokens_of(self, registration: Registration) -> Iterator[list[Key]]:
        """List the keys of everything that is written for a shop's tokens, a page at a time."""
        for page in self._table.keys_of(keys.tokens(registration.shop.name)):
            # The entry goes last: while it is there, an interrupted removal finds the token again.
            yield [key for entry in page for key in (keys.token(entry.sk.rpartition("#")[2]), entry)]

    def products_of(self, registration: Registration) -> Iterator[list[Key]]:
        """List the keys of a shop's products, a page at a time."""
        for partition in keys.catalogue(registration.shop.name):
            yield from self._table.keys_of(partition)

    def carts_and_sessions_of(self, registration: Registration) -> Iterator[tuple[int, list[Key]]]:
        """List the keys of a shop's carts and of its search sessions' items, a page at a time, by reading the table.

        Each page comes with the number of items of the table that were looked at for it.
        """
        sessions = [keys.sessions(hashid) for hashid in sorted(registration.engines)]
        return self._table.keys_beginning_with([keys.carts(registration.shop.name), *sessions])

    def remove_items(self, items: Collection[Key] | Iterator[Key]) -> None:
        """Remove items by their keys, in this order, 25 a call. It may be repeated."""
        self._table.write_many({"DeleteRequest": {"Key": key_attributes(key)}} for key in items)


def still_open(name: str) -> tuple[str, dict[str, Any]]:
    """Return the part of a transaction that holds while a shop is there and has not been closed."""
    check = Expression()
    check.require(f"attribute_exists({check.name('pk')}) AND attribute_not_exists({check.name(LEAVING_SINCE)})")
    return "ConditionCheck", {"Key": key_attributes(keys.shop(name)), **check.condition()}


def _claim(name: str, hashid: str) -> tuple[str, dict[str, Any]]:
    """Return the part of a transaction that makes a search engine the shop's own."""
    claim = Expression()
    owner = claim.value({"S": name})
    claim.require(f"(attribute_not_exists({claim.name('pk')}) OR {claim.name('shop')} = {owner})")
    return "Put", {"Item": {**key_attributes(keys.search_engine(hashid)), "shop": {"S": name}}, **claim.condition()}


def _absent() -> dict[str, Any]:
    """Require that nothing is there."""
    absent = Expression()
    absent.require(f"attribute_not_exists({absent.name('pk')})")
    return absent.condition()


def _same(registration: Registration) -> dict[str, Any]:
    """Require that a shop is as it was read, and open."""
    same = Expression()
    same.require(f"{same.name('version')} = {same.value({'N': str(registration.version)})}")
    same.require(f"attribute_not_exists({same.name(LEAVING_SINCE)})")
    return same.condition()


def _item(registration: Registration) -> Item:
    """Write a registration as an item of the table."""
    item = shop_to_item(registration.shop)
    item["version"] = {"N": str(registration.version)}
    item["created_at"] = {"N": str(registration.created_at)}
    item["updated_at"] = {"N": str(registration.updated_at)}
    if registration.former_engines:
        item["former_engines"] = {"SS": sorted(registration.former_engines)}
    if registration.leaving_since is not None:
        item[LEAVING_SINCE] = {"N": str(registration.leaving_since)}
    return item


def _registration(item: Item) -> Registration:
    """Read what `_item` wrote."""
    return Registration(
        shop=shop_from_item(item),
        version=int(item["version"]["N"]),
        created_at=int(item["created_at"]["N"]),
        updated_at=int(item["updated_at"]["N"]),
        former_engines=frozenset(item["former_engines"]["SS"]) if "former_engines" in item else frozenset(),
        leaving_since=int(item[LEAVING_SINCE]["N"]) if LEAVING_SINCE in item else None,
    )
