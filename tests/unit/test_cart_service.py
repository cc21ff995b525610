"""What the service does with a cart, over a store in memory that obeys the port's word and can be made to race."""

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain.cart import Cart, IdempotencyRecord, ItemAddition, ItemUpdate, Selections
from serverless_cart.domain.errors import (
    CartFull,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidProduct,
    ItemNotFound,
    Refusal,
)
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.public_ids import item_id
from serverless_cart.service.cart import (
    MAX_AMBIGUOUS_RETRIES,
    MAX_CONFLICT_RETRIES,
    CartChanged,
    CartService,
    Outcome,
    Preconditions,
)
from serverless_cart.service.errors import Ambiguous, Unavailable
from serverless_cart.service.ports import Conflict, IdempotencyKey
from tests.support.builders import OWNER, cart, item, product, snapshot
from tests.unit.memory import Clock, FakeStore
from tools.support.events import DAY, NOW, SECOND


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FakeStore:
    return FakeStore(clock, {number: product(number) for number in (7, 8, 123)})


@pytest.fixture
def carts(store: FakeStore, clock: Clock) -> CartService:
    return CartService(store, clock)


def once(key: str = "k", request: str = "request") -> Preconditions:
    return Preconditions(key=IdempotencyKey(key, request))


def quantities(outcome: Outcome) -> dict[int, int]:
    return {number: line.quantity for number, line in outcome.cart.cart.items.items()}


def codes(outcome: Outcome) -> list[tuple[str, int]]:
    return [(warning.code, warning.product_id) for warning in outcome.cart.warnings]


def add(
    carts: CartService, number: int = 123, quantity: int = 1, preconditions: Preconditions | None = None
) -> Outcome:
    return carts.add(OWNER, ItemAddition(number, quantity, None), preconditions or Preconditions())


CHANGES: dict[str, Callable[[CartService, Preconditions, int], Outcome]] = {
    "add": lambda carts, preconditions, number: carts.add(OWNER, ItemAddition(number, 1, None), preconditions),
    "revise quantity": lambda carts, preconditions, number: carts.update_item(
        OWNER, item_id(OWNER, number), ItemUpdate(5, None), preconditions
    ),
    "revise notes": lambda carts, preconditions, number: carts.update_item(
        OWNER, item_id(OWNER, number), ItemUpdate(None, "n"), preconditions
    ),
    "remove": lambda carts, preconditions, number: carts.remove(OWNER, item_id(OWNER, number), preconditions),
    "select": lambda carts, preconditions, _number: carts.select(OWNER, {"address": 4}, preconditions),
    "clear": lambda carts, preconditions, _number: carts.clear(OWNER, preconditions),
}
"""Every kind of change, of one product where it is about one."""
every_change = pytest.mark.parametrize("kind", CHANGES)
of_an_item = pytest.mark.parametrize("kind", ["revise quantity", "revise notes", "remove"])
LEFT = {"add": {7: 3, 8: 1}, "revise quantity": {7: 5, 8: 1}, "revise notes": {7: 2, 8: 1}, "remove": {8: 1},
        "select": {7: 2, 8: 1}, "clear": {}}  # fmt: skip
"""What `standing` holds after each change of product 7."""


def standing(**changes: Any) -> Cart:
    """Return a cart with two of product 7 and one of product 8."""
    return cart(item(product(7), 2), item(product(8), added_at=NOW + 1), **changes)


def change(carts: CartService, kind: str, preconditions: Preconditions | None = None, number: int = 7) -> Outcome:
    return CHANGES[kind](carts, preconditions or Preconditions(), number)


def meanwhile(store: FakeStore, do: Callable[[], object]) -> None:
    """Do so once, before the next write."""

    def run() -> None:
        store.between = lambda: None
        do()

    store.between = run


def after(times: int, do: Callable[[], None]) -> Callable[[], None]:
    """Do so each time, but so often only."""
    left = [times]

    def run() -> None:
        if left[0]:
            left[0] -= 1
            do()

    return run


# ----------------------------------------------------------------------------------------------------------------------
# Calls
# ----------------------------------------------------------------------------------------------------------------------


def test_an_addition_is_one_read_and_one_write(carts: CartService, store: FakeStore) -> None:
    assert quantities(add(carts, quantity=2)) == {123: 2}
    assert quantities(add(carts, 7)) == {123: 2, 7: 1}
    assert store.calls == ["read", "write"] * 2


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("revise quantity", ["read", "read products", "write"]),
        ("revise notes", ["read", "write"]),
        ("remove", ["read", "write"]),
        ("select", ["read", "write"]),
        ("clear", ["read", "write"]),
    ],
)
def test_every_other_change_is_one_read_and_one_write_and_a_new_quantity_asks_the_catalogue(
    carts: CartService, store: FakeStore, kind: str, calls: list[str]
) -> None:
    store.carts[OWNER] = standing(selections=Selections(1, 2, 3))

    outcome = change(carts, kind)

    assert store.calls == calls
    assert quantities(outcome) == LEFT[kind]
    assert outcome.replayed is False
    assert outcome.cart.cart.selections == Selections(4 if kind == "select" else 1, 2, 3)
    assert outcome.cart.cart == store.carts[OWNER]


def test_a_revision_sets_what_it_names_and_leaves_the_rest(carts: CartService, store: FakeStore, clock: Clock) -> None:
    store.carts[OWNER] = cart(item(product(7), 2, notes="old"))
    clock.now += SECOND

    for item_update, quantity, notes in (
        (ItemUpdate(5, None), 5, "old"),
        (ItemUpdate(None, "new"), 5, "new"),
        (ItemUpdate(1, ""), 1, ""),
    ):
        carts.update_item(OWNER, item_id(OWNER, 7), item_update, Preconditions())
        line = store.carts[OWNER].items[7]
        assert (line.quantity, line.notes, line.added_at, line.updated_at) == (quantity, notes, NOW, clock.now)


def test_a_new_quantity_is_held_against_the_stock_and_new_notes_are_not(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = cart(item(product(7), 9))
    store.catalogue[7] = product(7, stock=5)

    with pytest.raises(InsufficientStock) as refusal:
        carts.update_item(OWNER, item_id(OWNER, 7), ItemUpdate(6, None), Preconditions())
    assert "5 available, 9 of them in the cart" in refusal.value.details["quantity"][0]
    assert quantities(change(carts, "revise notes")) == {7: 9}
    assert quantities(change(carts, "revise quantity")) == {7: 5}, "less than before, and all that is left"

    store.catalogue[7] = product(7, active=False)
    with pytest.raises(InvalidProduct):
        change(carts, "revise quantity")
    assert quantities(change(carts, "remove")) == {}


@pytest.mark.parametrize("held", [Cart(), Cart(replaces_expired=True)])
def test_clearing_where_there_is_no_cart_is_one_read(carts: CartService, store: FakeStore, held: Cart) -> None:
    store.carts[OWNER] = held

    outcome = carts.clear(OWNER, once())

    assert (outcome.cart.cart.version, outcome.cart.total, store.calls) == (0, 0, ["read"])
    with pytest.raises(CartChanged):
        carts.clear(OWNER, Preconditions(versions=frozenset({7})))


def test_clearing_keeps_when_the_cart_was_made_its_selections_and_its_keys(
    carts: CartService, store: FakeStore, clock: Clock
) -> None:
    before = standing(selections=Selections(1, None, 3), idempotency_records=USED)
    store.carts[OWNER] = before
    clock.now += SECOND

    after_it = carts.clear(OWNER, once()).cart.cart

    assert (after_it.items, after_it.created_at, after_it.updated_at) == ({}, NOW, clock.now)
    assert after_it.selections == before.selections
    assert after_it.idempotency_records == {**USED, "k": IdempotencyRecord("request", clock.now)}
    assert after_it.version > before.version


@pytest.mark.parametrize("held", [None, Cart(replaces_expired=True)])
@of_an_item
def test_an_item_that_is_not_there_is_not_found(
    carts: CartService, store: FakeStore, kind: str, held: Cart | None
) -> None:
    if held:
        store.carts[OWNER] = held
    with pytest.raises(ItemNotFound):
        change(carts, kind)
    store.carts[OWNER] = standing()
    with pytest.raises(ItemNotFound):
        change(carts, kind, number=123)
    other = OWNER._replace(customer="another")
    with pytest.raises(ItemNotFound):
        carts.remove(OWNER, item_id(other, 7), Preconditions())
    assert store.calls == ["read"] * 3


def test_selecting_makes_a_cart_and_names_what_it_changes_alone(carts: CartService, store: FakeStore) -> None:
    for selections, expected in (
        ({"address": 1, "payment_method": 3}, Selections(1, None, 3)),
        ({"shipping_method": 2, "address": None}, Selections(None, 2, 3)),
        ({}, Selections(None, 2, 3)),
    ):
        assert carts.select(OWNER, selections, Preconditions()).cart.cart.selections == expected
    assert store.carts[OWNER].created_at == NOW


# ----------------------------------------------------------------------------------------------------------------------
# Reading
# ----------------------------------------------------------------------------------------------------------------------


def test_reading_is_one_call_and_a_cart_that_is_not_there_is_empty(carts: CartService, store: FakeStore) -> None:
    assert (carts.read(OWNER).items, carts.read(OWNER).cart.version) == ((), 0)
    store.carts[OWNER] = standing()
    assert carts.read(OWNER).quantity == 3
    assert store.calls == ["read"] * 3
    assert store.changes == []


@pytest.mark.parametrize(("age", "calls"), [(59_999, ["read"]), (60_000, ["read", "read products"])])
def test_reading_reads_aged_prices_anew_in_one_more_call(
    carts: CartService, store: FakeStore, clock: Clock, age: int, calls: list[str]
) -> None:
    store.carts[OWNER] = standing()
    clock.now += age

    carts.read(OWNER)

    assert store.calls == calls


def test_reading_tells_of_a_changed_price_until_a_change_has_told_it(
    carts: CartService, store: FakeStore, clock: Clock
) -> None:
    store.carts[OWNER] = standing()
    before = store.carts[OWNER]
    store.catalogue[7] = product(7, price=1300)
    clock.now += 60 * SECOND

    for _ in range(2):
        told = carts.read(OWNER)
        assert [(warning.code, warning.product_id) for warning in told.warnings] == [("price_changed", 7)]
        assert "1250" in told.warnings[0].message
        assert "1300" in told.warnings[0].message
    assert store.carts[OWNER] is before, "a read writes nothing"
    assert codes(change(carts, "select")) == [("price_changed", 7)]
    assert carts.read(OWNER).warnings == ()


# ----------------------------------------------------------------------------------------------------------------------
# Races
# ----------------------------------------------------------------------------------------------------------------------


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


@every_change
def test_too_many_races_are_503_and_not_a_loop_for_ever(carts: CartService, store: FakeStore, kind: str) -> None:
    def conflict() -> None:
        raise Conflict(standing())

    store.carts[OWNER] = standing()
    store.between = conflict

    with pytest.raises(Unavailable) as refusal:
        change(carts, kind, once())
    assert not isinstance(refusal.value, Ambiguous)
    assert store.calls.count("write") == MAX_CONFLICT_RETRIES


@pytest.mark.parametrize("gone", ["remove", "clear"])
@of_an_item
def test_an_item_that_is_removed_between_reading_and_writing_is_404_and_stays_away(
    carts: CartService, store: FakeStore, kind: str, gone: str
) -> None:
    """Never a resurrected line."""
    store.carts[OWNER] = standing()
    meanwhile(store, lambda: change(carts, gone))

    with pytest.raises(ItemNotFound):
        change(carts, kind)
    assert {number: line.quantity for number, line in store.carts[OWNER].items.items()} == LEFT[gone]
    assert store.calls.count("write") == 2


def test_an_item_that_is_removed_and_added_anew_meanwhile_is_the_same_item(
    carts: CartService, store: FakeStore
) -> None:
    def anew() -> None:
        change(carts, "remove")
        add(carts, 7, 9)

    store.carts[OWNER] = cart(item(product(7), 2, notes="old"))
    meanwhile(store, anew)

    assert quantities(change(carts, "revise quantity")) == {7: 5}
    assert store.carts[OWNER].items[7].notes == ""


def test_clearing_empties_of_what_came_meanwhile_too(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = standing()
    meanwhile(store, lambda: add(carts, 123))

    assert quantities(carts.clear(OWNER, Preconditions())) == {}
    assert store.carts[OWNER].items == {}
    assert store.calls == ["read", "write", "read", "write", "write"]


@pytest.mark.parametrize("other", ["remove", "clear"])
def test_clearing_what_another_empties_meanwhile_succeeds(carts: CartService, store: FakeStore, other: str) -> None:
    store.carts[OWNER] = standing()
    meanwhile(store, lambda: change(carts, other))

    assert quantities(carts.clear(OWNER, Preconditions())) == {}
    assert store.carts[OWNER].items == {}


def test_a_change_that_keeps_every_product_stands_in_no_clear_s_way(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = standing()
    meanwhile(store, lambda: carts.select(OWNER, {"address": 9}, Preconditions()))

    outcome = carts.clear(OWNER, Preconditions())

    assert store.calls == ["read", "write", "read", "write"], "the clear's own, and the other's within it"
    assert (quantities(outcome), outcome.cart.cart.selections.address) == ({}, 9)


def test_parallel_selections_of_different_fields_are_both_there(carts: CartService, store: FakeStore) -> None:
    meanwhile(store, lambda: carts.select(OWNER, {"shipping_method": 2}, Preconditions()))

    assert carts.select(OWNER, {"address": 1}, Preconditions()).cart.cart.selections == Selections(1, 2, None)


def test_a_quantity_that_is_set_while_more_is_added_is_the_one_that_was_asked_for(
    carts: CartService, store: FakeStore
) -> None:
    store.carts[OWNER] = standing()
    meanwhile(store, lambda: add(carts, 7, 3))

    assert quantities(change(carts, "revise quantity")) == {7: 5, 8: 1}


@every_change
def test_a_cart_that_expires_between_reading_and_writing_is_absent(
    carts: CartService, store: FakeStore, clock: Clock, kind: str
) -> None:
    """The write is planned anew at its own time, to which the cart that was read does not belong any more."""
    old = standing(idempotency_records=USED)
    store.carts[OWNER] = old
    clock.now += CONTRACT_LIMITS.cart_lifetime * SECOND - SECOND

    def expire() -> None:
        clock.now += SECOND
        raise Conflict(Cart(replaces_expired=True))

    meanwhile(store, expire)

    if kind in ("add", "select"):
        outcome = change(carts, kind)
        assert quantities(outcome) == ({7: 1} if kind == "add" else {})
        assert outcome.cart.cart.created_at == clock.now
        assert outcome.cart.cart.idempotency_records == {}
    elif kind == "clear":
        assert change(carts, kind).cart.cart.version == 0
        assert store.carts[OWNER] is old
    else:
        with pytest.raises(ItemNotFound):
            change(carts, kind)


# ----------------------------------------------------------------------------------------------------------------------
# Exactly once
# ----------------------------------------------------------------------------------------------------------------------


@every_change
@pytest.mark.parametrize("fate", ["lost", "applied"])
def test_a_lost_answer_without_a_key_is_told_and_the_write_is_not_repeated(
    carts: CartService, store: FakeStore, kind: str, fate: str
) -> None:
    store.carts[OWNER] = standing()
    store.lost = iter([fate])

    with pytest.raises(Ambiguous):
        change(carts, kind)
    assert store.calls.count("write") == 1
    held = {number: line.quantity for number, line in store.carts[OWNER].items.items()}
    assert held == (LEFT[kind] if fate == "applied" else {7: 2, 8: 1})


@every_change
@pytest.mark.parametrize("fates", [["lost"], ["applied"], ["lost"] * MAX_AMBIGUOUS_RETRIES, ["lost", "applied"]])
def test_a_lost_answer_with_a_key_is_applied_exactly_once(
    carts: CartService, store: FakeStore, kind: str, fates: list[str]
) -> None:
    store.carts[OWNER] = standing()
    store.lost = iter(fates)

    outcome = change(carts, kind, once())

    assert quantities(outcome) == LEFT[kind]
    assert outcome.replayed is False, "this very request made the change"
    again = change(carts, kind, once())
    assert again.replayed is True
    assert again.cart.cart == outcome.cart.cart == store.carts[OWNER]


@every_change
def test_answers_that_stay_lost_are_503(carts: CartService, store: FakeStore, kind: str) -> None:
    store.carts[OWNER] = before = standing()
    store.lost = iter(["lost"] * 100)

    with pytest.raises(Unavailable):
        change(carts, kind, once())
    assert store.carts == {OWNER: before}


def test_an_addition_that_makes_the_cart_happens_once_though_its_answer_is_lost(
    carts: CartService, store: FakeStore
) -> None:
    store.lost = iter(["applied"])

    assert quantities(add(carts, quantity=2, preconditions=once())) == {123: 2}


@every_change
def test_a_repeated_key_reads_and_does_not_write(carts: CartService, store: FakeStore, kind: str) -> None:
    store.carts[OWNER] = standing()
    change(carts, kind, once())
    add(carts, 123)
    store.calls.clear()

    outcome = change(carts, kind, once())

    assert (outcome.replayed, quantities(outcome)) == (True, {**LEFT[kind], 123: 1})
    assert store.calls == ["read"]


@every_change
def test_two_requests_with_one_key_at_once_make_one_change(carts: CartService, store: FakeStore, kind: str) -> None:
    store.carts[OWNER] = standing()
    meanwhile(store, lambda: change(carts, kind, once()))

    outcome = change(carts, kind, once())

    assert (outcome.replayed, quantities(outcome)) == (True, LEFT[kind])
    assert store.carts[OWNER].version == 8


@pytest.mark.parametrize("kind", ["add", "revise quantity", "remove"])
def test_a_key_is_remembered_through_a_clear(carts: CartService, store: FakeStore, kind: str) -> None:
    store.carts[OWNER] = standing()
    change(carts, kind, once())
    carts.clear(OWNER, Preconditions())

    outcome = change(carts, kind, once())

    assert (outcome.replayed, quantities(outcome)) == (True, {})


@every_change
def test_a_change_remembers_its_key_for_a_day_and_forgets_those_too_many(
    carts: CartService, store: FakeStore, clock: Clock, kind: str
) -> None:
    old = {f"key-{number:02}": IdempotencyRecord("r", NOW - 1000 + number) for number in range(32)}
    store.carts[OWNER] = standing(idempotency_records=old)

    change(carts, kind, once())

    assert set(store.carts[OWNER].idempotency_records) == {"k", *list(old)[1:]}
    clock.now += DAY - 1
    assert change(carts, kind, once()).replayed
    clock.now += 1
    assert change(carts, "select", once()).replayed is False


def test_a_key_that_belongs_to_another_request_is_refused_even_in_a_race(carts: CartService, store: FakeStore) -> None:
    def other() -> None:
        store.between = lambda: None
        add(carts, 7, preconditions=once(request="another"))

    store.between = other

    with pytest.raises(IdempotencyKeyReused):
        add(carts, preconditions=once())
    assert list(store.carts[OWNER].items) == [7]


# ----------------------------------------------------------------------------------------------------------------------
# Versions
# ----------------------------------------------------------------------------------------------------------------------


def test_a_change_on_the_current_version_asks_the_write_for_it(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = cart(version=7)

    add(carts, preconditions=Preconditions(versions=frozenset({3, 7})))
    add(carts)

    assert [change.same_version for change in store.changes] == [True, False]


def test_a_change_on_another_version_is_refused_with_the_current_cart(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = cart(item(product(7)), version=7)

    for versions in ({6}, {8}, set[int]()):
        with pytest.raises(CartChanged) as refusal:
            add(carts, preconditions=Preconditions(versions=frozenset(versions)))
        assert refusal.value.current.cart.version == 7
    assert "write" not in store.calls


def test_a_change_that_comes_between_is_a_changed_cart(carts: CartService, store: FakeStore) -> None:
    store.carts[OWNER] = cart(version=7)

    def other() -> None:
        store.between = lambda: None
        add(carts, 7)

    store.between = other

    with pytest.raises(CartChanged) as refusal:
        add(carts, preconditions=Preconditions(versions=frozenset({7})))
    assert refusal.value.current.cart.version == 8
    assert list(store.carts[OWNER].items) == [7]


# ----------------------------------------------------------------------------------------------------------------------
# Order
# ----------------------------------------------------------------------------------------------------------------------

FULL = [item(product(number)) for number in range(1000, 1100)]
USED = {"used": IdempotencyRecord("request", NOW)}

Fault = tuple[type[Refusal] | None, dict[str, Any], dict[str, Any]]
"""What is to come of it, on which terms it is asked, and what the catalogue says of product 1000 and 123."""

FAULTS: dict[str, Fault] = {
    "replay": (None, {"key": IdempotencyKey("used", "request")}, {}),
    "key reused": (IdempotencyKeyReused, {"key": IdempotencyKey("used", "another request")}, {}),
    "item not found": (ItemNotFound, {}, {}),
    "cart has changed": (CartChanged, {"versions": frozenset({1})}, {}),
    "invalid product": (InvalidProduct, {}, {"active": False}),
    "insufficient stock": (InsufficientStock, {}, {"stock": 0}),
    "cart is full": (CartFull, {}, {}),
}
"""In the contract's order: each is looked for before those that follow it."""
MET_BY = {
    "add": set(FAULTS) - {"item not found"},
    "revise quantity": set(FAULTS) - {"cart is full"},
    "revise notes": {"replay", "key reused", "item not found", "cart has changed"},
    "remove": {"replay", "key reused", "item not found", "cart has changed"},
    "select": {"replay", "key reused", "cart has changed"},
    "clear": {"replay", "key reused", "cart has changed"},
}


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (kind, *pair)
        for kind, met in MET_BY.items()
        for pair in combinations_with_replacement([fault for fault in FAULTS if fault in met], 2)
        if {"replay", "key reused"} != set(pair)  # one request has one key
    ],
)
def test_checks_come_in_the_contract_s_order_pair_by_pair(
    carts: CartService, store: FakeStore, kind: str, first: str, second: str
) -> None:
    """Remembered key (replay or 422), 404, 412, invalid product, insufficient stock, cart is full."""
    expected, preconditions, _ = FAULTS[first]
    sold = {**FAULTS[second][2], **FAULTS[first][2]}
    held = FULL[:99] if "item not found" in (first, second) else FULL[1:] if kind == "add" else FULL
    store.catalogue = {number: product(number, **sold) for number in (123, 1000)}
    full = "cart is full" in (first, second)
    store.carts[OWNER] = cart(*FULL if full else held, idempotency_records=USED)
    before = store.carts[OWNER]
    number = 123 if kind == "add" else 1099 if "item not found" in (first, second) else 1000

    def ask() -> Outcome:
        return CHANGES[kind](carts, Preconditions(**{**FAULTS[second][1], **preconditions}), number)

    if expected is None:
        assert ask().replayed
    else:
        with pytest.raises(expected):
            ask()
    assert "write" not in store.calls
    assert store.carts[OWNER] == before


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
    assert set(store.changes[0].refreshed) - {123} == ({7, 8} if reads else set())


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
    assert store.carts[OWNER].items[7].snapshot == snapshot(product(7, price=120, discount=0), clock.now)
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
    add(carts, preconditions=once())
    store.catalogue[123] = product(price=1)
    clock.now += 60 * SECOND

    assert add(carts, preconditions=once()).cart.items[0].product.price == 1
    with pytest.raises(CartChanged) as refusal:
        add(carts, preconditions=Preconditions(versions=frozenset({0})))
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
        preconditions = once(key, f"{number} {quantity}") if key else Preconditions()
        try:
            replayed = add(carts, number, quantity, preconditions).replayed
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
    assert all(0 < quantity <= CONTRACT_LIMITS.item_quantity for quantity in expected.values())
    assert expected.get(7, 0) <= 60
