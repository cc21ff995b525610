"""What a change of a cart does to the table: itself, under its conditions, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, IdempotencyRecord, ItemAddition, ItemUpdate, Selections
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_to_item
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.ports import Change, Conflict, IdempotencyKey
from tests.support.builders import OWNER, cart, item, product, snapshot
from tests.support.engines import Put, Rows
from tests.unit.test_largest_cart import largest_cart, largest_product
from tools.support.events import DAY, NOW, SHOP

LATER = NOW + 60_000
HELD = cart(
    item(product(7), 2, notes="old"),
    item(product(8), added_at=NOW + 1),
    idempotency_records={"used": IdempotencyRecord("r", NOW)},
    selections=Selections(1, None, 3),
)


@pytest.fixture
def store(table: Table, put: Put) -> DynamoDBCartStore:
    """Return a store that holds one cart."""
    put(cart_to_item(OWNER, HELD, NOW))
    return DynamoDBCartStore(table, lambda: LATER)


MAKE: dict[str, Callable[[DynamoDBCartStore, Change], Cart]] = {
    "add": lambda store, change: store.add(OWNER, HELD, snapshot(product(9), LATER), ItemAddition(9, 3, None), change),
    "revise quantity": lambda store, change: store.update_item(OWNER, HELD, 8, ItemUpdate(5, None), change),
    "revise notes": lambda store, change: store.update_item(OWNER, HELD, 8, ItemUpdate(None, "new"), change),
    "remove": lambda store, change: store.remove(OWNER, HELD, 8, change),
    "select": lambda store, change: store.select(OWNER, HELD, {"address": 4, "payment_method": None}, change),
    "clear": lambda store, change: store.clear(OWNER, HELD, change),
}
MADE: dict[str, dict[str, Any]] = {
    "add": {"items": {**HELD.items, 9: item(product(9), 3, added_at=LATER, updated_at=LATER,
                                            snapshot=snapshot(product(9), LATER))}},
    "revise quantity": {"items": {**HELD.items, 8: HELD.items[8]._replace(quantity=5, updated_at=LATER)}},
    "revise notes": {"items": {**HELD.items, 8: HELD.items[8]._replace(notes="new", updated_at=LATER)}},
    "remove": {"items": {7: HELD.items[7]}},
    "select": {"selections": Selections(4, None, None)},
    "clear": {"items": {}},
}  # fmt: skip
made_by_each = pytest.mark.parametrize("kind", MAKE)


@made_by_each
def test_a_change_makes_itself_and_nothing_else(
    store: DynamoDBCartStore, rows: Rows, calls: list[str], kind: str
) -> None:
    now = MAKE[kind](store, Change(LATER, IdempotencyKey("k", "r")))

    keys = {**HELD.idempotency_records, "k": IdempotencyRecord("r", LATER)}
    assert now == replace(HELD, version=HELD.version + 1, updated_at=LATER, idempotency_records=keys, **MADE[kind])
    assert store.read(OWNER) == now
    assert calls == ["UpdateItem", "GetItem"]
    (row,) = rows().values()
    left = {
        name.partition("#")[2] for name in row if name.partition("#")[0] in ("qty", "line", "added", "changed", "notes")
    }
    assert left == {str(number) for number in now.items}, "nothing is left of what is removed"
    assert row.get("products") == ({"NS": sorted(left)} if left else None)
    assert row["expires_at"] == {"N": str(LATER // 1000 + CONTRACT_LIMITS.cart_lifetime)}


@made_by_each
def test_the_next_change_of_any_kind_keeps_a_refreshed_reading(store: DynamoDBCartStore, kind: str) -> None:
    dearer = snapshot(product(7, price=1300), LATER)

    now = MAKE[kind](store, Change(LATER, refreshed={7: dearer}))

    assert kind == "clear" or now.items[7].snapshot == dearer


@made_by_each
@pytest.mark.parametrize("at", [NOW, NOW - 1])
def test_no_change_of_any_kind_overwrites_a_newer_reading(store: DynamoDBCartStore, kind: str, at: int) -> None:
    """One that was read at the same moment is none that is newer."""
    change = Change(LATER, refreshed={7: snapshot(product(7), at)})

    if kind == "clear":
        assert MAKE[kind](store, change).items == {}
        return
    with pytest.raises(Conflict) as conflict:
        MAKE[kind](store, change)
    assert conflict.value.current == HELD


@made_by_each
def test_a_change_of_an_expired_cart_writes_nothing_and_tells_that_it_is_gone(
    store: DynamoDBCartStore, rows: Rows, kind: str
) -> None:
    before = rows()
    with pytest.raises(Conflict) as conflict:
        MAKE[kind](store, Change(NOW + CONTRACT_LIMITS.cart_lifetime * 1000))
    assert conflict.value.current == Cart(replaces_expired=True)
    assert rows() == before


@made_by_each
def test_a_change_on_another_version_or_with_a_key_that_is_remembered_writes_nothing(
    store: DynamoDBCartStore, rows: Rows, kind: str
) -> None:
    MAKE[kind](store, Change(LATER, IdempotencyKey("k", "r"), same_version=True))
    before = rows()

    for change in (Change(LATER, same_version=True), Change(LATER, IdempotencyKey("k", "r"))):
        with pytest.raises(Conflict) as conflict:
            MAKE[kind](store, change)
        assert conflict.value.current.version == HELD.version + 1
    assert rows() == before


@pytest.mark.parametrize("kind", ["revise quantity", "revise notes", "remove", "clear"])
def test_a_change_of_items_that_are_gone_makes_none(store: DynamoDBCartStore, rows: Rows, kind: str) -> None:
    store.remove(OWNER, HELD, 8, Change(LATER))
    before = rows()

    with pytest.raises(Conflict) as conflict:
        MAKE[kind](store, Change(LATER))
    assert list(conflict.value.current.items) == [7]
    assert rows() == before


def test_clearing_goes_by_the_products_and_not_by_their_order_or_quantity(store: DynamoDBCartStore) -> None:
    store.update_item(OWNER, HELD, 8, ItemUpdate(5, None), Change(LATER))
    other = replace(HELD, items=dict(reversed(list(HELD.items.items()))))

    assert store.clear(OWNER, other, Change(LATER)).items == {}
    assert store.clear(OWNER, cart(), Change(LATER)).items == {}, "an empty one can be cleared again"
    store.add(OWNER, Cart(), snapshot(product(9), LATER), ItemAddition(9, 1, None), Change(LATER))
    with pytest.raises(Conflict):
        store.clear(OWNER, cart(), Change(LATER))


def test_a_cart_of_which_every_item_was_removed_takes_items_again(store: DynamoDBCartStore) -> None:
    for number in HELD.items:
        emptied = store.remove(OWNER, HELD, number, Change(LATER))
    assert emptied.items == {}

    now = store.add(OWNER, emptied, snapshot(product(7), LATER), ItemAddition(7, 1, None), Change(LATER))

    assert now.items == {7: item(product(7), added_at=LATER, updated_at=LATER, snapshot=snapshot(product(7), LATER))}


@pytest.mark.parametrize("key", [None, IdempotencyKey("k", "r")])
def test_selecting_replaces_an_expired_cart_whole(
    store: DynamoDBCartStore, table: Table, calls: list[str], key: IdempotencyKey | None
) -> None:
    at = NOW + CONTRACT_LIMITS.cart_lifetime * 1000

    now = store.select(OWNER, Cart(replaces_expired=True), {"address": 4}, Change(at, key))

    keys = {"k": IdempotencyRecord("r", at)} if key else {}
    assert now == Cart(at + 1, Selections(address=4), at, at, {}, keys)
    assert DynamoDBCartStore(table, lambda: at).read(OWNER) == now
    assert calls == ["PutItem", "GetItem"]
    with pytest.raises(Conflict):
        store.select(OWNER, Cart(replaces_expired=True), {"address": 5}, Change(at))


@pytest.mark.parametrize("notes", [None, "", "Zoë 🎁"])
@pytest.mark.parametrize("key", [None, IdempotencyKey("k", "r")])
def test_adding_makes_an_absent_cart_and_replaces_an_expired_one_whole(
    table: Table, calls: list[str], notes: str | None, key: IdempotencyKey | None
) -> None:
    """The first time nothing is there, the second time what has expired."""
    at, it = NOW, product(name='Käse "🎁" \\ \x00', image="", stock=3)
    for absent, statement in ((Cart(), "UpdateItem"), (Cart(replaces_expired=True), "PutItem")):
        store = DynamoDBCartStore(table, lambda at=at: at)  # type: ignore[misc]
        assert store.read(OWNER) == absent

        now = store.add(OWNER, absent, snapshot(it, at), ItemAddition(123, 2, notes), Change(at, key))

        line = item(it, 2, notes=notes or "", added_at=at, updated_at=at, snapshot=snapshot(it, at))
        keys = {"k": IdempotencyRecord("r", at)} if key else {}
        assert now == Cart(at + 1, Selections(), at, at, {123: line}, keys)
        assert store.read(OWNER) == now
        assert calls[-2:] == [statement, "GetItem"]
        with pytest.raises(Conflict) as conflict:
            store.add(OWNER, absent, snapshot(it, at), ItemAddition(123, 2, None), Change(at))
        assert conflict.value.current == now, "a third one is too many, and an expired cart is replaced but once"
        at += CONTRACT_LIMITS.cart_lifetime * 1000


@pytest.mark.parametrize("stock", [3, None])
def test_an_addition_never_passes_the_stock_or_the_largest_quantity(
    store: DynamoDBCartStore, rows: Rows, stock: int | None
) -> None:
    it = product(7, stock=stock)
    room = (stock or CONTRACT_LIMITS.item_quantity) - HELD.items[7].quantity

    with pytest.raises(Conflict):
        store.add(OWNER, HELD, snapshot(it, LATER), ItemAddition(7, room + 1, None), Change(LATER))
    assert store.read(OWNER) == HELD
    store.add(OWNER, HELD, snapshot(it, LATER), ItemAddition(7, room, None), Change(LATER))

    before = rows()
    with pytest.raises(Conflict):
        store.add(OWNER, HELD, snapshot(it, LATER), ItemAddition(7, 1, None), Change(LATER))
    assert rows() == before


def test_an_addition_never_passes_the_number_of_items_by_one(
    table: Table, rows: Rows, store: DynamoDBCartStore
) -> None:
    store = DynamoDBCartStore(table, lambda: LATER, Limits(cart_items=3))
    store.add(OWNER, HELD, snapshot(product(9), LATER), ItemAddition(9, 1, None), Change(LATER))
    before = rows()

    with pytest.raises(Conflict) as conflict:
        store.add(OWNER, HELD, snapshot(product(10), LATER), ItemAddition(10, 1, None), Change(LATER))
    assert list(conflict.value.current.items) == [7, 8, 9]
    assert rows() == before
    assert (
        store.add(OWNER, HELD, snapshot(product(9), LATER), ItemAddition(9, 1, None), Change(LATER)).items[9].quantity
        == 2
    )


@pytest.mark.parametrize("newer", [True, False])
def test_an_addition_never_overwrites_a_newer_reading(store: DynamoDBCartStore, *, newer: bool) -> None:
    told, unaware = snapshot(product(7, price=1300), LATER + newer), replace(HELD, items={})
    store.add(OWNER, HELD, told, ItemAddition(7, 1, None), Change(LATER))
    ours = snapshot(product(7, price=1300), LATER)

    if newer:
        with pytest.raises(Conflict):
            store.add(OWNER, unaware, ours, ItemAddition(7, 1, None), Change(LATER))
    else:
        store.add(OWNER, unaware, ours, ItemAddition(7, 1, None), Change(LATER))
    assert store.read(OWNER).items[7].snapshot == told


@pytest.mark.parametrize("at", [LATER, LATER + DAY])
def test_keys_too_many_or_too_old_are_forgotten_in_the_write_that_remembers_another(
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
    assert again.idempotency_records == {"k4": IdempotencyRecord("another", at + DAY + 4)}, (
        "a forgotten key can be used again"
    )


FIRST = limits.MAX_SAFE_INTEGER
LARGEST: dict[str, Callable[[DynamoDBCartStore, Cart, Change], Cart]] = {
    "add": lambda store, it, change: store.add(
        OWNER, it, snapshot(largest_product(FIRST), LATER), ItemAddition(FIRST, 1, "🎁" * 500), change
    ),
    "revise": lambda store, it, change: store.update_item(OWNER, it, FIRST, ItemUpdate(1, "🎁" * 500), change),
    "remove": lambda store, it, change: store.remove(OWNER, it, FIRST, change),
    "select": lambda store, it, change: store.select(OWNER, it, dict.fromkeys(Selections._fields), change),
    "clear": lambda store, it, change: store.clear(OWNER, it, change),
}


@pytest.mark.parametrize("kind", LARGEST)
def test_the_engine_takes_the_largest_cart_and_each_change_of_it(table: Table, put: Put, kind: str) -> None:
    """A hundred items at every bound, whose prices were all read anew, and 32 keys that are all to be forgotten."""
    largest = largest_cart()
    lines = dict(largest.items)
    lines[FIRST] = lines[FIRST]._replace(quantity=1)
    largest = replace(largest, items=lines)
    at = NOW + DAY
    put(cart_to_item(OWNER, largest, NOW))
    store = DynamoDBCartStore(table, lambda: at)
    held = store.read(OWNER)
    assert held == replace(largest, items={line.product_id: line for line in held.items.values()})
    newer = {number: snapshot(line.snapshot.product, at) for number, line in held.items.items()}

    now = LARGEST[kind](store, held, Change(at, IdempotencyKey("k" * 16, "f" * 11), same_version=True, refreshed=newer))

    assert len(now.items) == {"remove": 99, "clear": 0}.get(kind, 100)
    assert now.idempotency_records == {"k" * 16: IdempotencyRecord("f" * 11, at)}
    assert {line.snapshot.read_at for number, line in now.items.items() if number != FIRST} <= {at}
    assert store.read(OWNER) == now


@pytest.mark.parametrize(
    "it",
    [
        product(),
        product(0, image=None, stock=None, price=0, discount=0),
        product(2**53 - 1, name='Käse "🎁" \\ \x00', ref="a b", image="", active=False, stock=2**53 - 1),
        largest_product(limits.MAX_SAFE_INTEGER),
    ],
)
def test_a_product_is_read_as_it_was_written(table: Table, put: Put, it: Product) -> None:
    put(product_to_item(SHOP, it))
    store = DynamoDBCartStore(table, lambda: NOW)

    assert store.read_with_product(OWNER, it.id) == (Cart(), snapshot(it))
    assert store.read_with_product(OWNER._replace(shop="another"), it.id) == (Cart(), None)
    assert store.read_products(SHOP, [it, product(8)]) == {it.id: snapshot(it), 8: snapshot(product(8, active=False))}


def test_a_cart_and_a_product_are_read_with_one_call_and_products_with_one_a_hundred(
    store: DynamoDBCartStore, put: Put, calls: list[str]
) -> None:
    many = [product(number, price=number) for number in range(1000, 1150)]
    put(*(product_to_item(SHOP, it) for it in many))

    assert store.read_with_product(OWNER, 1007) == (HELD, snapshot(many[7], LATER))
    assert store.read_products(SHOP, many) == {it.id: snapshot(it, LATER) for it in many}
    assert calls == ["BatchGetItem"] * 3
