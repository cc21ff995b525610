"""A change of a cart in the table: what it writes, under which conditions, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from serverless_cart.domain.cart import (
    Cart,
    IdempotencyRecord,
    ItemAddition,
    ItemUpdate,
    Price,
    Selections,
    Snapshots,
    Wanted,
)
from serverless_cart.domain.limits import CONTRACT_LIMITS, MAX_SAFE_INTEGER, Limits
from serverless_cart.domain.methods import ShippingSnapshot
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_from_item, cart_to_item
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.ports import Change, Conflict, IdempotencyKey
from tests.support.builders import (
    OWNER,
    cart,
    free_shipping,
    item,
    largest_cart,
    largest_product,
    product,
    snapshot,
    without,
)
from tests.support.engines import Put, Rows
from tests.support.history import assert_whole
from tools.support.events import DAY, NOW, SHOP

pytestmark = pytest.mark.every_engine

LATER = NOW + 60_000
EXPIRED_AT = NOW + CONTRACT_LIMITS.cart_lifetime * 1000
HELD = cart(
    item(product(7), 2, notes="old"),
    item(product(8), added_at=NOW + 1),
    idempotency_records={"used": IdempotencyRecord("r", NOW)},
    selections=Selections(1, None, 3),
)
NEW = item(product(9), 3, added_at=LATER, updated_at=LATER, snapshot=snapshot(product(9), LATER))
DEARER = HELD.items[7].showing(snapshot(product(7, price=1300), LATER))
KEY = IdempotencyKey("k", "r")
USED = {"k": IdempotencyRecord("r", LATER)}
Refused = Callable[[Callable[[], object]], Cart]


@pytest.fixture
def store(table: Table, put: Put) -> DynamoDBCartStore:
    """Return a store that has one cart."""
    put(cart_to_item(OWNER, HELD, NOW))
    return DynamoDBCartStore(table, lambda: LATER)


@pytest.fixture
def refused(rows: Rows) -> Refused:
    """Return a function that makes a change, checks that it conflicts and writes nothing, and returns the cart."""

    def refused(change: Callable[[], object]) -> Cart:
        before = rows()
        with pytest.raises(Conflict) as conflict:
            change()
        assert rows() == before
        return conflict.value.current

    return refused


def add(store: DynamoDBCartStore, to: Cart, it: Product, quantity: int = 1, **change: Any) -> Cart:
    """Add a product that was read at the time of the change."""
    made = Change(**{"at": LATER, **change})
    return store.add(OWNER, to, snapshot(it, made.at), ItemAddition(it.id, quantity, None), made)


CHANGES: dict[str, Callable[[DynamoDBCartStore, Change], Cart]] = {
    "add": lambda store, change: store.add(OWNER, HELD, NEW.snapshot, ItemAddition(9, 3, None), change),
    "update quantity": lambda store, change: store.update_item(OWNER, HELD, 8, ItemUpdate(5, None), change),
    "update notes": lambda store, change: store.update_item(OWNER, HELD, 8, ItemUpdate(None, "new"), change),
    "remove": lambda store, change: store.remove(OWNER, HELD, 8, change),
    "select": lambda store, change: store.select(OWNER, HELD, {"address": 4, "payment_method": None}, change),
    "clear": lambda store, change: store.clear(OWNER, HELD, change),
}
AFTER: dict[str, dict[str, Any]] = {
    "add": {"items": {**HELD.items, 9: NEW}},
    "update quantity": {"items": {**HELD.items, 8: HELD.items[8]._replace(quantity=5, updated_at=LATER)}},
    "update notes": {"items": {**HELD.items, 8: HELD.items[8]._replace(notes="new", updated_at=LATER)}},
    "remove": {"items": {7: HELD.items[7]}},
    "select": {"selections": Selections(4, None, None)},
    "clear": {"items": {}},
}
every_change = pytest.mark.parametrize("kind", CHANGES)


@every_change
def test_change_is_one_write(store: DynamoDBCartStore, rows: Rows, calls: list[str], kind: str) -> None:
    now = CHANGES[kind](store, Change(LATER, KEY))

    records = {**HELD.idempotency_records, **USED}
    assert now == replace(HELD, version=HELD.version + 1, updated_at=LATER, idempotency_records=records, **AFTER[kind])
    assert store.read(OWNER) == now
    assert calls == ["UpdateItem", "GetItem"]
    (row,) = rows().values()
    assert_whole(row)
    assert row["expires_at"] == {"N": str(LATER // 1000 + CONTRACT_LIMITS.cart_lifetime)}


@every_change
def test_change_stores_refreshed_snapshots(store: DynamoDBCartStore, kind: str) -> None:
    now = CHANGES[kind](store, Change(LATER, refreshed={7: DEARER}))

    assert kind == "clear" or now.items[7] == DEARER


@every_change
def test_change_stores_the_shipping_method_read_again(store: DynamoDBCartStore, refused: Refused, kind: str) -> None:
    newer = ShippingSnapshot(3, offered=True, cost=490, free_from=None, read_at=LATER)

    now = CHANGES[kind](store, Change(LATER, shipping=newer))

    assert now.shipping == store.read(OWNER).shipping == newer
    assert refused(lambda: CHANGES[kind](store, Change(LATER, shipping=newer._replace(read_at=LATER + 1)))) == now


@pytest.mark.parametrize("selected", [3, None])
def test_selection_replaces_the_shipping_method(store: DynamoDBCartStore, selected: int | None) -> None:
    first = store.select(OWNER, HELD, {"shipping_method": 7}, Change(LATER, shipping=free_shipping(7)))
    snapshot_ = None if selected is None else ShippingSnapshot(3, offered=False, cost=0, free_from=9, read_at=LATER)

    now = store.select(OWNER, first, {"shipping_method": selected}, Change(LATER, shipping=snapshot_))

    assert (now.selections.shipping_method, now.shipping) == (selected, snapshot_)
    assert store.read(OWNER) == now
    assert cart_from_item(cart_to_item(OWNER, now, NOW), NOW) == now


@every_change
def test_snapshot_stored_since_is_kept(store: DynamoDBCartStore, refused: Refused, kind: str) -> None:
    now = store.record_shown(OWNER, HELD, Change(LATER, refreshed={7: DEARER}))
    change = Change(LATER, refreshed={7: HELD.items[7]._replace(snapshot=snapshot(product(7), LATER + 1))})

    if kind == "clear":
        assert CHANGES[kind](store, change).items == {}
    else:
        assert refused(lambda: CHANGES[kind](store, change)) == now


@pytest.mark.parametrize(
    ("shown", "changed_from"), [(None, None), (None, Price(1, 0)), (Price(2, 1), None), (Price(2, 1), Price(1, 0))]
)
def test_shown_price_is_stored_without_a_new_version(
    store: DynamoDBCartStore, rows: Rows, calls: list[str], shown: Price | None, changed_from: Price | None
) -> None:
    (before,) = rows().values()
    it = HELD.items[7]._replace(snapshot=snapshot(product(7), LATER), shown=shown, changed_from=changed_from)

    now = store.record_shown(OWNER, HELD, Change(LATER, refreshed={7: it}))

    assert now == replace(HELD, items={**HELD.items, 7: it})
    assert store.read(OWNER) == now
    assert calls == ["UpdateItem", "GetItem"]
    (row,) = rows().values()
    assert without(row, "snap#7") == without(before, "snap#7")


def test_price_of_a_removed_item_or_cart_is_not_stored(store: DynamoDBCartStore, refused: Refused) -> None:
    shown = Change(LATER, refreshed={7: DEARER})
    assert refused(lambda: store.record_shown(OWNER, HELD, replace(shown, at=EXPIRED_AT))) == Cart(
        replaces_expired=True
    )
    other = OWNER._replace(customer="another")
    assert refused(lambda: store.record_shown(other, HELD, shown)) == Cart()
    now = store.remove(OWNER, HELD, 7, Change(LATER))
    assert refused(lambda: store.record_shown(OWNER, HELD, shown)) == now


@every_change
def test_expired_cart_is_not_changed(store: DynamoDBCartStore, refused: Refused, kind: str) -> None:
    assert refused(lambda: CHANGES[kind](store, Change(EXPIRED_AT))) == Cart(replaces_expired=True)


@every_change
def test_other_version_and_used_key_conflict(store: DynamoDBCartStore, refused: Refused, kind: str) -> None:
    now = CHANGES[kind](store, Change(LATER, KEY, same_version=True))

    assert refused(lambda: CHANGES[kind](store, Change(LATER, same_version=True))) == now
    assert refused(lambda: CHANGES[kind](store, Change(LATER, KEY))) == now


@pytest.mark.parametrize("absent", [Cart(), Cart(replaces_expired=True)], ids=["absent", "expired"])
def test_version_of_an_absent_cart_conflicts(store: DynamoDBCartStore, refused: Refused, absent: Cart) -> None:
    assert refused(lambda: add(store, absent, product(9), same_version=True)) == HELD
    assert refused(lambda: store.select(OWNER, absent, {}, Change(LATER, same_version=True))) == HELD


@pytest.mark.parametrize("kind", ["update quantity", "update notes", "remove", "clear"])
def test_change_of_a_removed_item_conflicts(store: DynamoDBCartStore, refused: Refused, kind: str) -> None:
    store.remove(OWNER, HELD, 8, Change(LATER))

    assert list(refused(lambda: CHANGES[kind](store, Change(LATER))).items) == [7]


def test_addition_to_a_removed_item_conflicts(store: DynamoDBCartStore, refused: Refused) -> None:
    """Its snapshot is not written again within 20 seconds."""
    now = store.remove(OWNER, HELD, 8, Change(NOW + 1))

    assert refused(lambda: add(store, HELD, product(8), at=NOW + 2)) == now


def test_clear_requires_the_same_products_only(store: DynamoDBCartStore, refused: Refused) -> None:
    store.update_item(OWNER, HELD, 8, ItemUpdate(5, None), Change(LATER))
    reordered = replace(HELD, items=dict(reversed(list(HELD.items.items()))))

    assert store.clear(OWNER, reordered, Change(LATER)).items == {}
    assert store.clear(OWNER, cart(), Change(LATER)).items == {}, "an empty cart can be cleared again"
    now = add(store, Cart(), product(9))
    assert refused(lambda: store.clear(OWNER, cart(), Change(LATER))) == now


def test_emptied_cart_takes_items_again(store: DynamoDBCartStore) -> None:
    for id_ in HELD.items:
        emptied = store.remove(OWNER, HELD, id_, Change(LATER))
    assert emptied.items == {}

    assert add(store, emptied, product(9), 3).items == {9: NEW}


@pytest.mark.parametrize("key", [None, KEY])
def test_select_replaces_an_expired_cart(
    store: DynamoDBCartStore, table: Table, calls: list[str], refused: Refused, key: IdempotencyKey | None
) -> None:
    expired, change = Cart(replaces_expired=True), Change(EXPIRED_AT, key)

    now = store.select(OWNER, expired, {"address": 4}, change)

    records = {"k": IdempotencyRecord("r", EXPIRED_AT)} if key else {}
    assert now == Cart(EXPIRED_AT + 1, Selections(address=4), EXPIRED_AT, EXPIRED_AT, {}, records)
    assert DynamoDBCartStore(table, lambda: EXPIRED_AT).read(OWNER) == now
    assert calls == ["PutItem", "GetItem"]
    assert refused(lambda: store.select(OWNER, expired, {"address": 5}, change)) == now


@pytest.mark.parametrize("notes", [None, "", "Zoë 🎁"])
@pytest.mark.parametrize("key", [None, KEY])
def test_addition_creates_a_cart_or_replaces_an_expired_one(
    table: Table, calls: list[str], refused: Refused, notes: str | None, key: IdempotencyKey | None
) -> None:
    at, it = NOW, product(name='Käse "🎁" \\ \x00', image="", stock=3)
    for absent, write in ((Cart(), "UpdateItem"), (Cart(replaces_expired=True), "PutItem")):
        store = DynamoDBCartStore(table, lambda at=at: at)  # type: ignore[misc]
        assert store.read(OWNER) == absent

        now = store.add(OWNER, absent, snapshot(it, at), ItemAddition(123, 2, notes), Change(at, key))

        line = item(it, 2, notes=notes or "", added_at=at, updated_at=at, snapshot=snapshot(it, at))
        records = {"k": IdempotencyRecord("r", at)} if key else {}
        assert now == Cart(at + 1, Selections(), at, at, {123: line}, records)
        assert store.read(OWNER) == now
        assert calls[-2:] == [write, "GetItem"]
        assert refused(lambda store=store, absent=absent, at=at: add(store, absent, it, 2, at=at)) == now  # type: ignore[misc]
        at = EXPIRED_AT


@pytest.mark.parametrize("stock", [3, 10_000, None])
def test_addition_keeps_the_quantity_in_bounds(store: DynamoDBCartStore, refused: Refused, stock: int | None) -> None:
    it = product(7, stock=stock)
    room = (3 if stock == 3 else CONTRACT_LIMITS.item_quantity) - HELD.items[7].quantity

    assert refused(lambda: add(store, HELD, it, room + 1)) == HELD
    now = add(store, HELD, it, room)
    assert refused(lambda: add(store, HELD, it)) == now


def test_addition_keeps_the_number_of_items_in_bounds(table: Table, refused: Refused, store: DynamoDBCartStore) -> None:
    store = DynamoDBCartStore(table, lambda: LATER, Limits(cart_items=3))
    now = add(store, HELD, product(9))

    assert refused(lambda: add(store, HELD, product(10))) == now
    assert add(store, HELD, product(9)).items[9].quantity == 2


@pytest.mark.parametrize("newer", [True, False])
def test_addition_keeps_a_newer_snapshot(store: DynamoDBCartStore, refused: Refused, *, newer: bool) -> None:
    it, unaware = product(7, price=1300), replace(HELD, items={})
    now = add(store, HELD, it, at=LATER + newer)

    if newer:
        assert refused(lambda: add(store, unaware, it)) == now
    else:
        add(store, unaware, it)
    assert store.read(OWNER).items[7].snapshot == snapshot(it, LATER + newer)


@pytest.mark.parametrize(
    ("age", "name", "stored_at"),
    [(19_999, "Product 7", NOW), (20_000, "Product 7", NOW + 20_000), (1, "Other", NOW + 1)],
)
def test_unchanged_snapshot_is_kept_for_20_seconds(
    store: DynamoDBCartStore, age: int, name: str, stored_at: int
) -> None:
    it = product(7, name=name)

    line = add(store, HELD, it, at=NOW + age).items[7]

    assert line == item(it, 3, notes="old", updated_at=NOW + age, snapshot=snapshot(it, stored_at))


@pytest.mark.parametrize("at", [LATER, LATER + DAY])
def test_surplus_and_old_records_are_removed(
    store: DynamoDBCartStore, rows: Rows, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr("serverless_cart.domain.cart.IDEMPOTENCY_RECORDS", 3)
    monkeypatch.setattr("serverless_cart.dynamodb.carts.IDEMPOTENCY_RECORDS", 3)
    now = HELD
    for number in range(5):
        now = store.select(OWNER, now, {"address": number}, Change(at + number, IdempotencyKey(f"k{number}", "r")))

    assert set(now.idempotency_records) == {"k2", "k3", "k4"}
    (row,) = rows().values()
    assert {name for name in row if name.startswith("key#")} == {"key#k2", "key#k3", "key#k4"}
    again = store.select(OWNER, now, {}, Change(at + DAY + 4, IdempotencyKey("k4", "another")))
    assert again.idempotency_records == {"k4": IdempotencyRecord("another", at + DAY + 4)}


def test_old_key_is_used_again_once(store: DynamoDBCartStore, refused: Refused) -> None:
    change = Change(NOW + DAY, IdempotencyKey("used", "another"))
    now = store.select(OWNER, HELD, {}, change)

    assert now.idempotency_records == {"used": IdempotencyRecord("another", NOW + DAY)}
    assert refused(lambda: store.select(OWNER, HELD, {}, change)) == now


LAST = MAX_SAFE_INTEGER
LARGEST: dict[str, Callable[[DynamoDBCartStore, Cart, Change], Cart]] = {
    "add": lambda store, it, change: store.add(
        OWNER, it, snapshot(largest_product(LAST), LATER), ItemAddition(LAST, 1, "🎁" * 500), change
    ),
    "update": lambda store, it, change: store.update_item(OWNER, it, LAST, ItemUpdate(1, "🎁" * 500), change),
    "remove": lambda store, it, change: store.remove(OWNER, it, LAST, change),
    "select": lambda store, it, change: store.select(OWNER, it, dict.fromkeys(Selections._fields), change),
    "clear": lambda store, it, change: store.clear(OWNER, it, change),
}


@pytest.mark.parametrize("kind", LARGEST)
def test_largest_cart_can_be_changed(table: Table, put: Put, engine: str, kind: str) -> None:
    """A hundred items at every limit, all of whose prices are refreshed, and 32 records that are all removed."""
    count = 20 if engine == "moto" else 100  # moto takes long to read an expression of 500 clauses
    largest, at = largest_cart(count), NOW + DAY
    largest = replace(largest, items={**largest.items, LAST: largest.items[LAST]._replace(quantity=1)})
    put(cart_to_item(OWNER, largest, NOW))
    store = DynamoDBCartStore(table, lambda: at)
    held = store.read(OWNER)
    assert held == largest
    refreshed = {id_: line._replace(snapshot=snapshot(line.snapshot.product, at)) for id_, line in held.items.items()}

    now = LARGEST[kind](store, held, Change(at, KEY, same_version=True, refreshed=refreshed))

    assert len(now.items) == {"remove": count - 1, "clear": 0}.get(kind, count)
    assert now.idempotency_records == {"k": IdempotencyRecord("r", at)}
    assert {line.snapshot.read_at for id_, line in now.items.items() if id_ != LAST} <= {at}
    assert store.read(OWNER) == now


@pytest.mark.parametrize(
    "it",
    [
        product(),
        product(0, image=None, stock=None, price=0, discount=0),
        product(2**53 - 1, name='Käse "🎁" \\ \x00', ref="a b", image="", active=False, stock=2**53 - 1),
        largest_product(MAX_SAFE_INTEGER),
    ],
)
def test_product_is_read_as_written(table: Table, put: Put, it: Product) -> None:
    put(product_to_item(SHOP, it))
    store = DynamoDBCartStore(table, lambda: NOW)

    assert store.read_with_product(OWNER, it.id) == (Cart(), snapshot(it))
    assert store.read_with_product(OWNER._replace(shop="another"), it.id) == (Cart(), None)
    assert store.read_again(OWNER, Wanted({it.id: it, 8: product(8)})) == Snapshots(
        {it.id: snapshot(it), 8: snapshot(product(8, active=False))}
    )


def test_products_are_read_100_a_call(store: DynamoDBCartStore, put: Put, calls: list[str]) -> None:
    many = [product(id_, price=id_) for id_ in range(1000, 1150)]
    put(*(product_to_item(SHOP, it) for it in many))

    assert store.read_with_product(OWNER, 1007) == (HELD, snapshot(many[7], LATER))
    assert store.read_again(OWNER, Wanted({it.id: it for it in many})) == Snapshots(
        {it.id: snapshot(it, LATER) for it in many}
    )
    assert calls == ["BatchGetItem"] * 3
    assert store.read(OWNER._replace(customer="another")) == Cart()
