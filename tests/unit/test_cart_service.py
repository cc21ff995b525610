"""What the service does with a cart, over a store in memory that obeys the port's word and can be made to race."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storefront.domain import limits
from storefront.domain.cart import Addition, Cart, CartChanged, Item, Owner, RememberedKey
from storefront.domain.errors import (
    Ambiguous,
    CartFull,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidProduct,
    Refusal,
    Unavailable,
)
from storefront.domain.product import Product, Reading
from storefront.service.cart import RACES, CartService, Outcome, Terms
from storefront.service.port import CartStore, Change, Conflict, UsedKey
from tests.builders import NOW, OWNER, cart, item, product, reading

SECOND = 1000


@dataclass
class FakeStore(CartStore):
    """Carts and products in memory.

    ``between`` runs before each write, as another request would that came first; ``lost`` says for each write in turn
    whether its answer is lost, and whether it was applied all the same.
    """

    clock: Callable[[], int]
    catalogue: dict[int, Product] = field(default_factory=dict)
    carts: dict[Owner, Cart] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    lost: Iterator[str] = field(default_factory=lambda: iter(()))

    def read_with_product(self, owner: Owner, product_id: int) -> tuple[Cart, Reading | None]:
        self.calls.append("read")
        found = self.catalogue.get(product_id)
        return self.carts.get(owner, Cart()), Reading(found, self.clock()) if found else None

    def read_products(self, shop: str, products: Collection[Product]) -> dict[int, Reading]:
        assert shop == OWNER.shop
        self.calls.append("read products")
        return {it.id: Reading(self.catalogue.get(it.id, replace(it, active=False)), self.clock()) for it in products}

    def add(self, owner: Owner, cart: Cart, reading: Reading, addition: Addition, change: Change) -> Cart:
        self.calls.append("write")
        self.changes.append(change)
        self.between()
        fate = next(self.lost, "")
        if fate == "lost":
            raise Ambiguous
        changed = self._changed(self.carts.get(owner, Cart()), cart, reading, addition, change)
        self.carts[owner] = changed
        if fate == "applied":
            raise Ambiguous
        return changed

    def _changed(self, now: Cart, supposed: Cart, reading: Reading, addition: Addition, change: Change) -> Cart:
        it = now.items.get(addition.product_id)
        try:
            now.may_add(reading.product, addition.quantity)
        except Refusal:
            raise Conflict(now) from None
        if change.key and change.key.digest in now.remembered_keys(change.at):
            raise Conflict(now)
        if change.same_version and now.version != supposed.version:
            raise Conflict(now)
        if any(
            other not in now.items or now.items[other].reading.read_at >= newer.read_at
            for other, newer in change.refreshed.items()
        ):
            raise Conflict(now)
        items = dict(now.items)
        for other, newer in change.refreshed.items():
            items[other] = replace(items[other], reading=newer)
        items[addition.product_id] = Item(
            product_id=addition.product_id,
            quantity=addition.quantity + (it.quantity if it else 0),
            notes=addition.notes if addition.notes is not None else (it.notes if it else ""),
            added_at=it.added_at if it else change.at,
            updated_at=change.at,
            reading=reading,
        )
        keys = dict(now.keys)
        if change.key:
            keys[change.key.digest] = RememberedKey(change.key.fingerprint, change.at)
        return replace(now, version=now.version + 1, items=items, keys=keys, updated_at=change.at)


class Clock:
    """Stands until it is set."""

    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FakeStore:
    return FakeStore(clock, {number: product(number) for number in (7, 8, 123)})


@pytest.fixture
def carts(store: FakeStore, clock: Clock) -> CartService:
    return CartService(store, clock)


def once(key: str = "k", request: str = "request") -> Terms:
    return Terms(key=UsedKey(key, request))


def quantities(outcome: Outcome) -> dict[int, int]:
    return {number: line.quantity for number, line in outcome.cart.cart.items.items()}


def codes(outcome: Outcome) -> list[tuple[str, int]]:
    return [(warning.code, warning.product_id) for warning in outcome.cart.warnings]


def add(carts: CartService, number: int = 123, quantity: int = 1, terms: Terms | None = None) -> Outcome:
    return carts.add(OWNER, Addition(number, quantity, None), terms or Terms())


def after(times: int, do: Callable[[], None]) -> Callable[[], None]:
    """Do so each time, but so often only."""
    left = [times]

    def run() -> None:
        if left[0]:
            left[0] -= 1
            do()

    return run


# ----------------------------------------------------------------------------------------------------------------------
# Calls and races
# ----------------------------------------------------------------------------------------------------------------------


def test_an_addition_is_one_read_and_one_write(carts: CartService, store: FakeStore) -> None:
    assert quantities(add(carts, quantity=2)) == {123: 2}
    assert quantities(add(carts, 7)) == {123: 2, 7: 1}
    assert store.calls == ["read", "write"] * 2


def test_an_addition_that_lost_a_race_is_planned_anew_on_the_cart_as_it_stands(
    carts: CartService, store: FakeStore
) -> None:
    def another_takes_the_last_but_one() -> None:
        store.carts[OWNER] = cart(item(store.catalogue[7], 2))

    store.catalogue[7] = product(7, stock=3)
    store.between = after(1, another_takes_the_last_but_one)

    with pytest.raises(InsufficientStock) as refusal:
        add(carts, 7, quantity=2)
    assert "3 available, 2 of them in the cart" in refusal.value.details["quantity"][0]
    assert store.calls == ["read", "write"], "the refused write told how the cart stood"
    assert store.carts[OWNER].items[7].quantity == 2


def test_a_conflict_that_leaves_room_is_followed_by_success(carts: CartService, store: FakeStore) -> None:
    fresh = [Conflict(cart(item(product(7), 5), version=number)) for number in range(3)]

    def conflict() -> None:
        raise fresh.pop()

    store.between = after(3, conflict)

    assert add(carts).replayed is False
    assert store.calls == ["read", *["write"] * 4]


def test_too_many_races_are_503_and_not_a_loop_for_ever(carts: CartService, store: FakeStore) -> None:
    def conflict() -> None:
        raise Conflict(Cart())

    store.between = conflict

    with pytest.raises(Unavailable) as refusal:
        add(carts, terms=once())
    assert not isinstance(refusal.value, Ambiguous)
    assert store.calls.count("write") == RACES


# ----------------------------------------------------------------------------------------------------------------------
# Exactly once
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["lost", "applied"])
def test_a_lost_answer_without_a_key_is_told_and_the_write_is_not_repeated(
    carts: CartService, store: FakeStore, fate: str
) -> None:
    store.lost = iter([fate])

    with pytest.raises(Ambiguous):
        add(carts)
    assert store.calls == ["read", "write"]


@pytest.mark.parametrize(
    "fates", [["lost"], ["applied"], ["lost", "lost"], ["lost", "applied"], ["lost"] * (RACES - 1)]
)
def test_a_lost_answer_with_a_key_is_applied_exactly_once(
    carts: CartService, store: FakeStore, fates: list[str]
) -> None:
    store.lost = iter(fates)

    outcome = add(carts, quantity=2, terms=once())

    assert quantities(outcome) == {123: 2}
    assert outcome.replayed is False, "this very request made the change"
    assert add(carts, quantity=2, terms=once()).replayed is True


def test_answers_that_stay_lost_are_503(carts: CartService, store: FakeStore) -> None:
    store.lost = iter(["lost"] * 100)

    with pytest.raises(Unavailable):
        add(carts, terms=once())
    assert store.carts == {}


def test_a_repeated_key_reads_and_does_not_write(carts: CartService, store: FakeStore) -> None:
    add(carts, terms=once())
    add(carts, 7)
    store.calls.clear()

    outcome = add(carts, terms=once())

    assert (outcome.replayed, quantities(outcome)) == (True, {123: 1, 7: 1})
    assert store.calls == ["read"]


def test_two_requests_with_one_key_at_once_make_one_change(carts: CartService, store: FakeStore) -> None:
    def twin() -> None:
        store.between = lambda: None
        add(carts, terms=once())

    store.between = twin

    outcome = add(carts, terms=once())

    assert (outcome.replayed, quantities(outcome)) == (True, {123: 1})


def test_a_key_that_belongs_to_another_request_is_refused_even_in_a_race(carts: CartService, store: FakeStore) -> None:
    def other() -> None:
        store.between = lambda: None
        add(carts, 7, terms=once(request="another"))

    store.between = other

    with pytest.raises(IdempotencyKeyReused):
        add(carts, terms=once())
    assert list(store.carts[OWNER].items) == [7]


# ----------------------------------------------------------------------------------------------------------------------
# Versions
# ----------------------------------------------------------------------------------------------------------------------


def test_a_change_on_the_current_version_asks_the_write_for_it(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = cart(version=7)

    add(carts, terms=Terms(versions=frozenset({3, 7})))
    add(carts)

    assert [change.same_version for change in store.changes] == [True, False]


def test_a_change_on_another_version_is_refused_with_the_current_cart(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = cart(item(product(7)), version=7)

    for versions in ({6}, {8}, set[int]()):
        with pytest.raises(CartChanged) as refusal:
            add(carts, terms=Terms(versions=frozenset(versions)))
        assert refusal.value.current.cart.version == 7
    assert "write" not in store.calls


def test_a_change_that_comes_between_is_a_changed_cart(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = cart(version=7)

    def other() -> None:
        store.between = lambda: None
        add(carts, 7)

    store.between = other

    with pytest.raises(CartChanged) as refusal:
        add(carts, terms=Terms(versions=frozenset({7})))
    assert refusal.value.current.cart.version == 8
    assert list(store.carts[OWNER].items) == [7]


# ----------------------------------------------------------------------------------------------------------------------
# Order
# ----------------------------------------------------------------------------------------------------------------------

Faulty = dict[str, Any]
KEY_REUSED: Faulty = {"key": UsedKey("used", "another request")}
REPLAY: Faulty = {"key": UsedKey("used", "request")}
CHANGED: Faulty = {"versions": frozenset({1})}
FULL = [item(product(number)) for number in range(1000, 1100)]

ORDER: list[tuple[type[Refusal] | None, Faulty, Product | None]] = [
    (None, REPLAY, product()),
    (IdempotencyKeyReused, KEY_REUSED, product()),
    (CartChanged, CHANGED, product()),
    (InvalidProduct, {}, product(active=False)),
    (InvalidProduct, {}, None),
    (InsufficientStock, {}, product(stock=0)),
    (CartFull, {}, product()),
]


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(7) for b in range(a, 7)])
def test_checks_come_in_the_contract_s_order_pair_by_pair(
    carts: CartService, store: FakeStore, first: int, second: int
) -> None:
    """Remembered key (replay or 422), 412, invalid product, insufficient stock, cart is full: always in a full cart."""
    expected, terms, sold = ORDER[first]
    sold = ORDER[second][2] if expected in (None, IdempotencyKeyReused, CartChanged) else sold
    terms = {**ORDER[second][1], **terms}
    store.carts[OWNER] = cart(*FULL, keys={"used": RememberedKey("request", NOW)})
    store.catalogue = {line.product_id: line.reading.product for line in FULL} | ({sold.id: sold} if sold else {})

    if expected is None:
        assert add(carts, terms=Terms(**terms)).replayed
    else:
        with pytest.raises(expected):
            add(carts, terms=Terms(**terms))
    assert "write" not in store.calls


# ----------------------------------------------------------------------------------------------------------------------
# Prices
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "reads"), [(50, 0), (60, 1), (3600, 1)])
def test_other_items_prices_are_read_anew_in_one_call_once_they_have_aged(
    carts: CartService, store: FakeStore, clock: Clock, age: int, reads: int
) -> None:
    store.carts[OWNER] = cart(item(product(7)), item(product(8)), item(product(123)))
    clock.now += age * SECOND

    add(carts)

    assert store.calls.count("read products") == reads
    assert set(store.changes[0].refreshed) == ({7, 8} if reads else set())


def test_no_price_in_an_answer_is_older_than_a_minute(carts: CartService, store: FakeStore, clock: Clock) -> None:
    """Not even where the write took its time."""
    store.carts[OWNER] = cart(item(product(7)))
    clock.now += 54 * SECOND

    def take_time() -> None:
        clock.now += 10 * SECOND

    store.between = take_time
    store.catalogue[7] = product(7, price=1)

    outcome = add(carts)

    assert outcome.cart.items[0].product.price == 1
    assert store.calls == ["read", "write", "read products"]


def test_a_fresh_price_is_told_counted_and_kept(carts: CartService, store: FakeStore, clock: Clock) -> None:
    store.carts[OWNER] = cart(item(product(7, price=100, discount=0), 2))
    store.catalogue[7] = product(7, price=120, discount=0)
    clock.now += 60 * SECOND

    outcome = add(carts)

    assert codes(outcome) == [("price_changed", 7)]
    assert "from 100 to 120" in outcome.cart.warnings[0].message
    assert outcome.cart.items_subtotal == 240 + 1250
    assert store.carts[OWNER].items[7].reading == reading(product(7, price=120, discount=0), clock.now)
    assert codes(add(carts)) == []


def test_a_change_of_the_added_product_s_own_price_is_told_once(carts: CartService, store: FakeStore) -> None:
    add(carts)
    store.catalogue[123] = product(price=1300)

    assert codes(add(carts)) == [("price_changed", 123)]
    assert codes(add(carts)) == []


def test_a_price_that_changes_between_two_attempts_is_told_against_what_was_shown(
    carts: CartService, store: FakeStore, clock: Clock
) -> None:
    store.carts[OWNER] = cart(item(product(7, price=100, discount=0)))
    store.catalogue[7] = product(7, price=120, discount=0)
    clock.now += 60 * SECOND

    def another_keeps_the_fresh_price() -> None:
        store.between = lambda: None
        add(carts, 8)

    store.between = another_keeps_the_fresh_price

    assert codes(add(carts)) == [("price_changed", 7)]


def test_what_left_the_catalogue_counts_in_no_total_and_can_be_followed_by_more(
    carts: CartService, store: FakeStore, clock: Clock
) -> None:
    store.carts[OWNER] = cart(item(product(7), 3))
    del store.catalogue[7]
    clock.now += 60 * SECOND

    outcome = add(carts)

    assert codes(outcome) == [("unavailable", 7)]
    assert (outcome.cart.total, outcome.cart.quantity) == (1000, 4)


def test_less_left_than_an_item_asks_for_is_told(carts: CartService, store: FakeStore, clock: Clock) -> None:
    store.carts[OWNER] = cart(item(product(7), 3))
    store.catalogue[7] = product(7, stock=2)
    clock.now += 60 * SECOND

    assert codes(add(carts)) == [("insufficient_stock", 7)]


def test_a_replay_and_a_changed_cart_show_fresh_prices_too(carts: CartService, store: FakeStore, clock: Clock) -> None:
    add(carts, terms=once())
    store.catalogue[123] = product(price=1)
    clock.now += 60 * SECOND

    assert add(carts, terms=once()).cart.items[0].product.price == 1
    with pytest.raises(CartChanged) as refusal:
        add(carts, terms=Terms(versions=frozenset({0})))
    assert refusal.value.current.items[0].product.price == 1


# ----------------------------------------------------------------------------------------------------------------------
# Any order
# ----------------------------------------------------------------------------------------------------------------------

steps = st.tuples(
    st.sampled_from([7, 8, 123, 404]),
    st.integers(1, 40),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "lost", "applied"]),
)


@given(st.lists(steps, max_size=12))
def test_whatever_happens_in_whatever_order_each_acknowledged_change_is_there_exactly_once(
    script: list[tuple[int, int, str, str]],
) -> None:
    store = FakeStore(Clock(), {7: product(7, stock=60), 8: product(8, stock=None), 123: product()})
    carts = CartService(store, Clock())
    expected: dict[int, int] = {}
    for number, quantity, key, fate in script:
        store.lost = iter([fate])
        terms = once(key, f"{number} {quantity}") if key else Terms()
        try:
            replayed = add(carts, number, quantity, terms).replayed
        except Ambiguous:
            applied = fate == "applied"
        except Refusal:
            applied = False
        else:
            applied = not replayed
        if applied:
            expected[number] = expected.get(number, 0) + quantity
    held = store.carts.get(OWNER, Cart()).items
    assert {number: line.quantity for number, line in held.items()} == expected
    assert all(0 < quantity <= limits.ITEM_QUANTITY for quantity in expected.values())
    assert expected.get(7, 0) <= 60
