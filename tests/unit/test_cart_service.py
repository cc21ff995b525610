"""The service of carts over a store in memory: its calls, its order of checks, races, lost answers and prices."""

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any, cast

import pytest

from serverless_cart.domain.cart import Cart, IdempotencyRecord, Price, Selections
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
from serverless_cart.service.ports import CartStore, Conflict, IdempotencyKey
from tests.support.builders import OWNER, cart, free_shipping, item, product, snapshot
from tests.support.reference_cart import Clock, FakeStore, Interposed, Request
from tools.support.events import DAY, NOW, SECOND

CHANGES: dict[str, Request] = {
    "add": Request("add", 7, 1),
    "update quantity": Request("update", 7, 5),
    "update notes": Request("update", 7, notes="n"),
    "remove": Request("remove", 7),
    "select": Request("select", selections={"address": 4}),
    "clear": Request("clear"),
}
"""Every kind of change, of product 7 if it is of a product."""
AFTER = {"add": {7: 3, 8: 1}, "update quantity": {7: 5, 8: 1}, "update notes": {7: 2, 8: 1}, "remove": {8: 1},
         "select": {7: 2, 8: 1}, "clear": {}}  # fmt: skip
"""The quantities of `filled` after each."""
every_change = pytest.mark.parametrize("kind", CHANGES)
of_an_item = pytest.mark.parametrize("kind", ["update quantity", "update notes", "remove"])
USED = {"used": IdempotencyRecord("request", NOW)}
NONE = Preconditions()
ONCE = Preconditions(IdempotencyKey("k", "request"))


def filled(**changes: Any) -> Cart:
    """Return a cart with two of product 7 and one of product 8."""
    return cart(item(product(7), 2), item(product(8), added_at=NOW + 1), **changes)


class Shop:
    """The service over a store in memory that has one cart, or none, with races and lost answers to set."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = FakeStore(self.clock, {id_: product(id_) for id_ in (7, 8, 123)}, {OWNER: filled()})
        self.wire = Interposed(self.store)
        self.carts = CartService(cast("CartStore", self.wire), self.clock)

    @property
    def cart(self) -> Cart:
        return self.store.carts[OWNER]

    @cart.setter
    def cart(self, it: Cart) -> None:
        self.store.carts[OWNER] = it

    @property
    def calls(self) -> list[str]:
        return self.wire.calls

    def send(self, request: str | Request, preconditions: Preconditions = NONE) -> Outcome:
        return (CHANGES[request] if isinstance(request, str) else request).send(self.carts, preconditions)

    def add(self, id_: int = 123, quantity: int = 1, preconditions: Preconditions = NONE) -> Outcome:
        return self.send(Request("add", id_, quantity), preconditions)

    def before_writes(self, do: Callable[[], object], times: int = 1) -> None:
        """Do so before each of the next writes, but not before those within."""

        def run() -> None:
            self.wire.between = lambda: None
            try:
                do()
            finally:
                if times > 1:
                    self.before_writes(do, times - 1)

        self.wire.between = run


@pytest.fixture
def shop() -> Shop:
    return Shop()


def quantities(of: Cart | Outcome) -> dict[int, int]:
    return {id_: it.quantity for id_, it in (of.cart.cart if isinstance(of, Outcome) else of).items.items()}


def warnings(outcome: Outcome) -> list[tuple[str, int | None]]:
    return [(warning.code, warning.product_id) for warning in outcome.cart.warnings]


def conflict(with_: Cart) -> Callable[[], None]:
    def run() -> None:
        raise Conflict(with_)

    return run


# ----------------------------------------------------------------------------------------------------------------------
# Changes and their calls
# ----------------------------------------------------------------------------------------------------------------------


@every_change
def test_change_is_one_read_and_one_write(shop: Shop, kind: str) -> None:
    shop.cart = filled(selections=Selections(1, 2, 3), shipping=free_shipping(2))

    outcome = shop.send(kind)

    catalogue = ["read products"] if kind == "update quantity" else []
    assert shop.calls == ["read", *catalogue, "write"]
    assert quantities(outcome) == AFTER[kind]
    assert outcome.replayed is False
    assert outcome.cart.cart == shop.cart
    assert shop.cart.selections == Selections(4 if kind == "select" else 1, 2, 3)


@pytest.mark.parametrize(
    ("quantity", "notes", "expected"), [(5, None, (5, "old")), (None, "new", (2, "new")), (1, "", (1, ""))]
)
def test_update_keeps_what_it_does_not_name(
    shop: Shop, quantity: int | None, notes: str | None, expected: tuple[int, str]
) -> None:
    shop.cart = cart(item(product(7), 2, notes="old"))
    shop.clock.now += SECOND

    shop.send(Request("update", 7, quantity, notes))

    line = shop.cart.items[7]
    assert (line.quantity, line.notes) == expected
    assert (line.added_at, line.updated_at) == (NOW, shop.clock.now)


@pytest.mark.parametrize(
    ("sold", "refusal"), [(product(7, stock=4), InsufficientStock), (product(7, active=False), InvalidProduct)]
)
def test_only_a_new_quantity_needs_the_catalogue(shop: Shop, sold: Any, refusal: type[Refusal]) -> None:
    shop.store.catalogue[7] = sold

    with pytest.raises(refusal):
        shop.send("update quantity")
    assert quantities(shop.send("update notes")) == {7: 2, 8: 1}
    assert quantities(shop.send("remove")) == {8: 1}


def test_quantity_can_be_reduced_to_the_stock(shop: Shop) -> None:
    shop.cart = cart(item(product(7), 9))
    shop.store.catalogue[7] = product(7, stock=5)

    assert quantities(shop.send("update quantity")) == {7: 5}


@pytest.mark.parametrize("absent", [Cart(), Cart(replaces_expired=True)], ids=["absent", "expired"])
def test_clear_without_a_cart_is_one_read(shop: Shop, absent: Cart) -> None:
    shop.cart = absent

    outcome = shop.send("clear", ONCE)

    assert (outcome.cart.cart.version, outcome.cart.total, shop.calls) == (0, 0, ["read"])
    with pytest.raises(CartChanged):
        shop.send("clear", Preconditions(versions=frozenset({7})))


def test_clear_keeps_selections_and_keys(shop: Shop) -> None:
    shop.cart = filled(selections=Selections(1, None, 3), idempotency_records=USED)
    shop.clock.now += SECOND

    shop.send("clear", ONCE)

    assert (shop.cart.items, shop.cart.created_at, shop.cart.updated_at) == ({}, NOW, shop.clock.now)
    assert shop.cart.selections == Selections(1, None, 3)
    assert shop.cart.idempotency_records == {**USED, "k": IdempotencyRecord("request", shop.clock.now)}
    assert shop.cart.version == 8


@of_an_item
@pytest.mark.parametrize("held", [Cart(), Cart(replaces_expired=True), cart(item(product(8)))])
def test_absent_item_is_not_found(shop: Shop, kind: str, held: Cart) -> None:
    shop.cart = held

    with pytest.raises(ItemNotFound):
        shop.send(kind)
    assert shop.calls == ["read"]


def test_item_id_of_another_customer_is_not_found(shop: Shop) -> None:
    with pytest.raises(ItemNotFound):
        shop.carts.remove(OWNER, item_id(OWNER._replace(customer="another"), 7), NONE)


@pytest.mark.parametrize(
    ("selections", "expected"),
    [
        ({"address": 1, "payment_method": 3}, Selections(1, None, 3)),
        ({"shipping_method": 2, "address": None}, Selections(None, 2, None)),
        ({}, Selections()),
    ],
)
def test_select_creates_a_cart(shop: Shop, selections: dict[str, int | None], expected: Selections) -> None:
    del shop.store.carts[OWNER]

    assert shop.send(Request("select", selections=selections)).cart.cart.selections == expected
    assert shop.cart.created_at == NOW


# ----------------------------------------------------------------------------------------------------------------------
# Reads
# ----------------------------------------------------------------------------------------------------------------------


def test_absent_cart_is_read_as_empty(shop: Shop) -> None:
    del shop.store.carts[OWNER]

    read = shop.carts.read(OWNER)
    assert (read.items, read.cart.version, shop.calls) == ((), 0, ["read"])


@pytest.mark.parametrize(("age", "calls"), [(0, ["read"]), (59_999, ["read"]), (60_000, ["read", "read products"])])
def test_read_refreshes_old_prices(shop: Shop, age: int, calls: list[str]) -> None:
    shop.clock.now += age

    assert shop.carts.read(OWNER).quantity == 3
    assert shop.calls == calls


def test_changed_price_is_reported_until_the_next_change(shop: Shop) -> None:
    before = shop.cart
    shop.store.catalogue[7] = product(7, price=1300)
    shop.clock.now += 60 * SECOND

    for _ in range(2):
        (warning,) = shop.carts.read(OWNER).warnings
        assert (warning.code, warning.product_id) == ("price_changed", 7)
        assert "from 1250 to 1300" in warning.message
    assert shop.calls == ["read", "read products", "record", "read", "read products"], "product 8 has aged"
    assert (shop.cart.version, shop.cart.updated_at) == (before.version, before.updated_at)
    assert warnings(shop.send("select")) == []
    assert shop.carts.read(OWNER).warnings == ()


def test_report_of_a_cart_that_changes_meanwhile_is_recorded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read of the cart is stale when its answer is recorded."""
    shop.store.catalogue[7] = product(7, price=1300)
    shop.clock.now += 60 * SECOND
    record = shop.store.record_shown

    def after_another_change(*_: object) -> Cart:
        monkeypatch.setattr(shop.store, "record_shown", record)
        shop.cart = cart(item(product(7), 9), item(product(8)), version=8)
        raise Conflict(shop.cart)

    monkeypatch.setattr(shop.store, "record_shown", after_another_change)

    shown = shop.carts.read(OWNER)

    assert (shown.owner, shown.cart.version, shown.items[0].item.quantity) == (OWNER, 8, 9)
    assert [it.code for it in shown.warnings] == ["price_changed"]
    assert shop.cart.items[7].changed_from == Price(1250, 250)


def test_peek_reports_a_changed_price_and_records_nothing(shop: Shop) -> None:
    before = shop.cart
    shop.store.catalogue[7] = product(7, price=1300)
    shop.clock.now += 60 * SECOND

    shown = shop.carts.peek(OWNER)
    assert (shown.owner, [it.code for it in shown.warnings]) == (OWNER, ["price_changed"])
    assert shop.calls == ["read", "read products"]
    assert shop.cart is before


def test_price_that_changes_back_is_no_warning_but_a_report(shop: Shop) -> None:
    """The customer was shown both prices, so both changes are reported."""
    for price, message in ((1300, "from 1250 to 1300"), (1250, "from 1300 to 1250")):
        shop.store.catalogue[7] = product(7, price=price)
        shop.clock.now += 60 * SECOND
        (warning,) = shop.carts.read(OWNER).warnings
        assert message in warning.message


def test_item_is_read_with_a_fresh_price(shop: Shop) -> None:
    shop.store.catalogue[7] = product(7, price=1300)
    shop.clock.now += 60 * SECOND

    assert shop.carts.read_item(OWNER, item_id(OWNER, 7)).subtotal == 2600
    assert shop.calls == ["read", "read products"]
    with pytest.raises(ItemNotFound):
        shop.carts.read_item(OWNER, item_id(OWNER._replace(customer="another"), 7))


# ----------------------------------------------------------------------------------------------------------------------
# Races
# ----------------------------------------------------------------------------------------------------------------------


def test_addition_that_loses_a_race_is_checked_again(shop: Shop) -> None:
    shop.store.catalogue[7] = product(7, stock=3)
    del shop.store.carts[OWNER]
    shop.before_writes(lambda: shop.add(7, 2))

    with pytest.raises(InsufficientStock) as refusal:
        shop.add(7, 2)
    assert "only 3 available" in refusal.value.details["quantity"][0]
    assert shop.calls == ["read", "write", "read", "write"], "the failed write returns the cart"
    assert quantities(shop.cart) == {7: 2}


def test_conflicts_before_a_success_are_retried(shop: Shop) -> None:
    shop.before_writes(conflict(filled()), times=3)

    assert shop.add().replayed is False
    assert shop.calls == ["read", *["write"] * 4]


@every_change
def test_too_many_conflicts_are_unavailable(shop: Shop, kind: str) -> None:
    shop.before_writes(conflict(filled()), times=100)

    with pytest.raises(Unavailable) as refusal:
        shop.send(kind, ONCE)
    assert not isinstance(refusal.value, Ambiguous)
    assert shop.calls.count("write") == MAX_CONFLICT_RETRIES


@of_an_item
@pytest.mark.parametrize("other", ["remove", "clear"])
def test_item_removed_in_between_is_not_found(shop: Shop, kind: str, other: str) -> None:
    shop.before_writes(lambda: shop.send(other))

    with pytest.raises(ItemNotFound):
        shop.send(kind)
    assert quantities(shop.cart) == AFTER[other]
    assert shop.calls.count("write") == 2


def test_item_added_again_in_between_is_updated(shop: Shop) -> None:
    shop.cart = cart(item(product(7), 2, notes="old"))
    shop.before_writes(lambda: (shop.send("remove"), shop.add(7, 9)))

    assert quantities(shop.send("update quantity")) == {7: 5}
    assert shop.cart.items[7].notes == ""


@pytest.mark.parametrize(
    ("kind", "other", "writes", "expected"),
    [
        ("clear", Request("add", 123, 1), 3, {}),
        ("clear", "remove", 3, {}),
        ("clear", "clear", 3, {}),
        ("clear", "select", 2, {}),
        ("update quantity", Request("add", 7, 3), 2, {7: 5, 8: 1}),
        ("select", Request("select", selections={"shipping_method": 2}), 2, {7: 2, 8: 1}),
    ],
)
def test_both_of_two_parallel_changes_are_applied(
    shop: Shop, kind: str, other: str | Request, writes: int, expected: dict[int, int]
) -> None:
    shop.before_writes(lambda: shop.send(other))

    outcome = shop.send(kind)

    assert quantities(outcome) == quantities(shop.cart) == expected
    assert shop.calls.count("write") == writes
    if other == "select" or kind == "select":
        assert shop.cart.selections == Selections(4, 2 if kind == "select" else None)


@every_change
def test_cart_that_expires_in_between_is_absent(shop: Shop, kind: str) -> None:
    shop.cart = old = filled(idempotency_records=USED)
    shop.clock.now += CONTRACT_LIMITS.cart_lifetime * SECOND - SECOND

    def expire() -> None:
        shop.clock.now += SECOND
        raise Conflict(Cart(replaces_expired=True))

    shop.before_writes(expire)

    if kind in {"add", "select"}:
        outcome = shop.send(kind)
        assert quantities(outcome) == ({7: 1} if kind == "add" else {})
        assert outcome.cart.cart.created_at == shop.clock.now
        assert outcome.cart.cart.idempotency_records == {}
    elif kind == "clear":
        assert shop.send(kind).cart.cart.version == 0
        assert shop.cart is old
    else:
        with pytest.raises(ItemNotFound):
            shop.send(kind)


# ----------------------------------------------------------------------------------------------------------------------
# Lost answers and idempotency keys
# ----------------------------------------------------------------------------------------------------------------------


@every_change
@pytest.mark.parametrize("fate", ["lost", "applied"])
def test_lost_answer_without_a_key_is_ambiguous(shop: Shop, kind: str, fate: str) -> None:
    shop.wire.lost = iter([fate])

    with pytest.raises(Ambiguous):
        shop.send(kind)
    assert shop.calls.count("write") == 1
    assert quantities(shop.cart) == (AFTER[kind] if fate == "applied" else {7: 2, 8: 1})


@every_change
@pytest.mark.parametrize("fates", [["lost"], ["applied"], ["lost"] * MAX_AMBIGUOUS_RETRIES, ["lost", "applied"]])
def test_lost_answer_with_a_key_is_applied_once(shop: Shop, kind: str, fates: list[str]) -> None:
    shop.wire.lost = iter(fates)

    outcome = shop.send(kind, ONCE)

    assert quantities(outcome) == AFTER[kind]
    assert outcome.replayed is False, "this request made the change"
    again = shop.send(kind, ONCE)
    assert again.replayed is True
    assert again.cart.cart == outcome.cart.cart == shop.cart


@every_change
def test_answers_lost_too_often_are_unavailable(shop: Shop, kind: str) -> None:
    before = shop.cart
    shop.wire.lost = iter(["lost"] * 100)

    with pytest.raises(Unavailable):
        shop.send(kind, ONCE)
    assert shop.cart is before
    assert shop.calls.count("write") == MAX_AMBIGUOUS_RETRIES + 1


@every_change
def test_repeated_key_does_not_write(shop: Shop, kind: str) -> None:
    shop.send(kind, ONCE)
    shop.add(123)
    shop.calls.clear()

    outcome = shop.send(kind, ONCE)

    assert (outcome.replayed, quantities(outcome)) == (True, {**AFTER[kind], 123: 1})
    assert shop.calls == ["read"]


@every_change
def test_parallel_requests_with_one_key_are_one_change(shop: Shop, kind: str) -> None:
    shop.before_writes(lambda: shop.send(kind, ONCE))

    outcome = shop.send(kind, ONCE)

    assert (outcome.replayed, quantities(outcome)) == (True, AFTER[kind])
    assert shop.cart.version == 8


@every_change
def test_key_is_remembered_for_a_day(shop: Shop, kind: str) -> None:
    old = {f"key-{number:02}": IdempotencyRecord("r", NOW - 1000 + number) for number in range(32)}
    shop.cart = filled(idempotency_records=old)

    shop.send(kind, ONCE)

    assert set(shop.cart.idempotency_records) == {"k", *list(old)[1:]}
    shop.clock.now += DAY - 1
    assert shop.send(kind, ONCE).replayed
    shop.clock.now += 1
    assert shop.send("select", ONCE).replayed is False


def test_key_of_another_request_is_refused_in_a_race(shop: Shop) -> None:
    shop.before_writes(lambda: shop.add(7, preconditions=Preconditions(IdempotencyKey("k", "another"))))

    with pytest.raises(IdempotencyKeyReused):
        shop.add(preconditions=ONCE)
    assert quantities(shop.cart) == {7: 3, 8: 1}


# ----------------------------------------------------------------------------------------------------------------------
# Versions
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("versions", [{3, 7}, None])
def test_write_requires_the_version_that_is_named(shop: Shop, versions: set[int] | None) -> None:
    shop.add(preconditions=Preconditions(versions=None if versions is None else frozenset(versions)))

    assert [change.same_version for change in shop.wire.changes] == [versions is not None]


@pytest.mark.parametrize("versions", [{6}, {8}, set[int]()])
def test_other_version_is_refused_with_the_current_cart(shop: Shop, versions: set[int]) -> None:
    with pytest.raises(CartChanged) as refusal:
        shop.add(preconditions=Preconditions(versions=frozenset(versions)))
    assert refusal.value.current.cart.version == 7
    assert "write" not in shop.calls


def test_version_that_changes_in_between_is_refused(shop: Shop) -> None:
    shop.before_writes(lambda: shop.add(7))

    with pytest.raises(CartChanged) as refusal:
        shop.add(preconditions=Preconditions(versions=frozenset({7})))
    assert refusal.value.current.cart.version == 8
    assert quantities(shop.cart) == {7: 3, 8: 1}


# ----------------------------------------------------------------------------------------------------------------------
# Order of checks
# ----------------------------------------------------------------------------------------------------------------------

FULL = [item(product(id_)) for id_ in range(1000, 1100)]

Fault = tuple[type[Refusal] | None, dict[str, Any], dict[str, Any]]
"""The refusal, the preconditions that lead to it, and what the catalogue has of products 1000 and 123."""

FAULTS: dict[str, Fault] = {
    "replay": (None, {"key": IdempotencyKey("used", "request")}, {}),
    "key reused": (IdempotencyKeyReused, {"key": IdempotencyKey("used", "another request")}, {}),
    "item not found": (ItemNotFound, {}, {}),
    "cart has changed": (CartChanged, {"versions": frozenset({1})}, {}),
    "invalid product": (InvalidProduct, {}, {"active": False}),
    "insufficient stock": (InsufficientStock, {}, {"stock": 0}),
    "cart is full": (CartFull, {}, {}),
}
"""In the contract's order: each is checked before those that follow it."""
POSSIBLE = {
    "add": set(FAULTS) - {"item not found"},
    "update quantity": set(FAULTS) - {"cart is full"},
    "update notes": {"replay", "key reused", "item not found", "cart has changed"},
    "remove": {"replay", "key reused", "item not found", "cart has changed"},
    "select": {"replay", "key reused", "cart has changed"},
    "clear": {"replay", "key reused", "cart has changed"},
}
PAIRS = [
    (kind, *pair)
    for kind, possible in POSSIBLE.items()
    for pair in combinations_with_replacement([fault for fault in FAULTS if fault in possible], 2)
    if {"replay", "key reused"} != set(pair)  # one request has one key
]


@pytest.mark.parametrize(("kind", "first", "second"), PAIRS)
def test_checks_are_in_the_contracts_order(shop: Shop, kind: str, first: str, second: str) -> None:
    expected, preconditions, catalogue = FAULTS[first]
    pair = {first, second}
    held = FULL[:99] if "item not found" in pair else FULL[1:] if kind == "add" else FULL
    shop.cart = before = cart(*FULL if "cart is full" in pair else held, idempotency_records=USED)
    shop.store.catalogue = {id_: product(id_, **{**FAULTS[second][2], **catalogue}) for id_ in (123, 1000)}
    id_ = 123 if kind == "add" else 1099 if "item not found" in pair else 1000
    change = CHANGES[kind]
    request = Request(change.kind, id_, change.quantity, change.notes, change.selections)
    both = Preconditions(**{**FAULTS[second][1], **preconditions})

    if expected is None:
        assert shop.send(request, both).replayed
    else:
        with pytest.raises(expected):
            shop.send(request, both)
    assert "write" not in shop.calls
    assert shop.cart == before


# ----------------------------------------------------------------------------------------------------------------------
# Prices
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "reads"), [(50, 0), (55, 1), (3600, 1)])
def test_change_refreshes_old_prices_in_one_call(shop: Shop, age: int, reads: int) -> None:
    shop.clock.now += age * SECOND

    shop.add()

    assert shop.calls.count("read products") == reads
    assert set(shop.wire.changes[0].refreshed) - {123} == ({7, 8} if reads else set())


def test_clear_refreshes_no_prices(shop: Shop) -> None:
    shop.clock.now += 3600 * SECOND

    shop.send("clear")

    assert shop.calls == ["read", "write"]


def test_price_that_ages_during_the_write_is_refreshed(shop: Shop) -> None:
    shop.store.catalogue[7] = product(7, price=1)
    shop.clock.now += 54 * SECOND

    def take_time() -> None:
        shop.clock.now += 10 * SECOND

    shop.before_writes(take_time)

    assert shop.add().cart.items[0].product.price == 1
    assert shop.calls == ["read", "write", "read products", "record"]


def test_refreshed_price_is_reported_and_stored(shop: Shop) -> None:
    shop.cart = cart(item(product(7, price=100, discount=0), 2))
    shop.store.catalogue[7] = dearer = product(7, price=120, discount=0)
    shop.clock.now += 60 * SECOND

    outcome = shop.add()

    assert warnings(outcome) == [("price_changed", 7)]
    assert outcome.cart.items_subtotal == 240 + 1250
    assert shop.cart.items[7].snapshot == snapshot(dearer, shop.clock.now)
    assert shop.calls == ["read", "read products", "write"], "the change itself records the report"
    assert warnings(shop.add()) == []


def test_changed_price_of_the_added_product_is_reported_once(shop: Shop) -> None:
    shop.store.catalogue[7] = product(7, price=1300)

    assert warnings(shop.add(7)) == [("price_changed", 7)]
    assert warnings(shop.add(7)) == []


@of_an_item
def test_change_of_an_item_reports_prices_of_others(shop: Shop, kind: str) -> None:
    shop.store.catalogue[8] = product(8, price=1300)
    shop.clock.now += 60 * SECOND

    assert warnings(shop.send(kind)) == [("price_changed", 8)]
    assert shop.cart.items[8].changed_from == Price(1250, 250)
    assert warnings(shop.send("select")) == []


def test_price_changed_while_withdrawn_is_reported(shop: Shop) -> None:
    """Case 4: the customer's change reports only that the product is unavailable."""
    for active, expected in ((False, "unavailable"), (True, "price_changed"), (True, None)):
        shop.store.catalogue[7] = product(7, price=1500, active=active)
        shop.clock.now += 62 * SECOND
        assert warnings(shop.send("select")) == ([(expected, 7)] if expected else [])


def test_price_stored_in_between_is_reported(shop: Shop) -> None:
    shop.store.catalogue[7] = product(7, price=120)
    shop.clock.now += 60 * SECOND
    shop.before_writes(lambda: shop.add(8))

    assert warnings(shop.add()) == [("price_changed", 7)]


def test_price_reported_in_between_is_reported_again(shop: Shop) -> None:
    """A change has seen only what was reported before it began."""
    shop.store.catalogue[7] = product(7, price=1300)
    shop.clock.now += 60 * SECOND
    assert warnings(Outcome(shop.carts.read(OWNER))) == [("price_changed", 7)]

    def read_higher_prices() -> None:
        shop.store.catalogue |= {id_: product(id_, price=1400) for id_ in (7, 8)}
        shop.clock.now += 60 * SECOND
        shop.carts.read(OWNER)

    shop.before_writes(read_higher_prices)

    assert warnings(shop.send("select")) == [("price_changed", 7), ("price_changed", 8)]


@pytest.mark.parametrize(
    ("sold", "code", "total"), [(None, "unavailable", 2000), (product(7, stock=1), "insufficient_stock", 4000)]
)
def test_unavailable_and_scarce_items_are_reported(shop: Shop, sold: Any, code: str, total: int) -> None:
    del shop.store.catalogue[7]
    if sold:
        shop.store.catalogue[7] = sold
    shop.clock.now += 60 * SECOND

    outcome = shop.add()

    assert warnings(outcome) == [(code, 7)]
    assert (outcome.cart.quantity, outcome.cart.total) == (4, total)


def test_replay_and_changed_cart_have_fresh_prices(shop: Shop) -> None:
    shop.cart = cart()
    shop.add(preconditions=ONCE)
    shop.store.catalogue[123] = product(price=1)
    shop.clock.now += 60 * SECOND

    assert shop.add(preconditions=ONCE).cart.items[0].product.price == 1
    with pytest.raises(CartChanged) as refusal:
        shop.add(preconditions=Preconditions(versions=frozenset({0})))
    assert refusal.value.current.items[0].product.price == 1
