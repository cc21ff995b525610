"""The events of a search session beside its cart."""

from collections.abc import Callable
from typing import Any

import pytest

from serverless_cart.domain.search_events import BannerClick, Checkout, Click, Redirect, SessionStart
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.search_events import SearchEventStore
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.errors import Ambiguous, Unavailable
from tests.store.test_sessions import LIFETIME
from tests.support.engines import Put, Rows
from tests.support.reference_cart import Clock
from tools.support.events import HASHID, NOW, SECOND

pytestmark = pytest.mark.every_engine

SESSION, OTHER = Session(HASHID, "s#1 ü"), Session(HASHID, "s")
MUG, BOWL = ItemKey("product", "MUG-7"), ItemKey("product", "BOWL")
MD5 = "0" * 32
CHECKOUT = Checkout(SESSION, "mobile", "user-1", ("b", "a", "b"))
KNOWN = {"at": {"N": str(NOW)}, "device": {"S": "mobile"}, "expires_at": {"N": str((NOW + LIFETIME) // SECOND)}}
Held = Callable[[], dict[str, Item]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(table: Table, clock: Clock) -> SearchEventStore:
    return SearchEventStore(table, clock)


@pytest.fixture
def carts(table: Table, clock: Clock) -> SessionStore:
    return SessionStore(table, clock)


@pytest.fixture
def held(rows: Rows) -> Held:
    """Return a function that reads the session's items by sort key, without their keys."""
    return lambda: {
        key.sk: {name: it for name, it in row.items() if name not in {"pk", "sk"}}
        for key, row in rows().items()
        if key.pk == keys.session(SESSION)
    }


def add(carts: SessionStore, item: ItemKey = MUG, amount: int = 2) -> None:
    carts.add(SESSION, SessionItemAddition(item, "Mug", amount, None))


def check_out(store: SearchEventStore, checkout: Checkout = CHECKOUT) -> None:
    store.check_out(checkout, time_left=lambda: 20.0)


def interpose(monkeypatch: pytest.MonkeyPatch, table: Table, act: Callable[[], None]) -> None:
    """Act once, between a checkout's read and its transaction."""
    transact, pending = table.transact, [act]

    def interposed(*arguments: Any) -> None:
        if pending:
            pending.pop()()
        transact(*arguments)

    monkeypatch.setattr(table, "transact", interposed)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def test_only_the_first_start_of_a_session_counts(store: SearchEventStore, clock: Clock, held: Held) -> None:
    store.start(SessionStart(SESSION, "mobile", "user-1"))
    first = {"INIT": {**KNOWN, "user": {"S": "user-1"}}}
    assert held() == first
    clock.now += LIFETIME - 1 - NOW % SECOND
    store.start(SessionStart(SESSION, "desktop"))
    assert held() == first

    clock.now += 1
    store.start(SessionStart(SESSION, "desktop"))

    assert (held()["INIT"]["at"], "user" in held()["INIT"]) == ({"N": str(clock.now)}, False)


@pytest.mark.parametrize(
    ("event", "sk", "attributes"),
    [
        (
            Click(SESSION, "mobile", "product", MD5, "u", "mug", 3, "7", "r"),
            "CLICK#id%231",
            {"index": "product", "md5": MD5, "user": "u", "query": "mug", "custom_result": "7", "resource": "r"},
        ),
        (Click(SESSION, "mobile", "product", MD5), "CLICK#id%231", {"index": "product", "md5": MD5}),
        (BannerClick(SESSION, "mobile", "7", "mug"), "IMAGE#id%231", {"id": "7", "query": "mug"}),
        (Redirect(SESSION, "mobile", "7"), "REDIRECT#id%231", {"id": "7"}),
    ],
)
def test_event_is_one_item_per_request(
    *,
    store: SearchEventStore,
    held: Held,
    calls: list[str],
    event: Click | BannerClick | Redirect,
    sk: str,
    attributes: dict[str, str],
) -> None:
    position = {"position": {"N": "3"}} if getattr(event, "position", None) else {}
    store.record(event, "id#1")
    assert held() == {sk: {**KNOWN, **position, **{name: {"S": it} for name, it in attributes.items()}}}
    assert calls == ["PutItem"]

    store.record(event, "id#1")
    store.record(event, "id#2")
    assert len(held()) == 2


def test_lost_answer_counts_an_event_once(
    store: SearchEventStore, table: Table, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = table.put

    def lose(*arguments: Any) -> None:
        put(*arguments)
        raise Ambiguous

    monkeypatch.setattr(table, "put", lose)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)

    store.record(Redirect(SESSION, "mobile", "7"), "id")
    check_out(store)

    assert held()["CHECKOUT"]["count"] == {"N": "1"}
    assert len(held()) == 2


# ----------------------------------------------------------------------------------------------------------------------
# Checkout
# ----------------------------------------------------------------------------------------------------------------------


def test_checkout_sells_the_cart_in_two_calls(
    store: SearchEventStore, carts: SessionStore, held: Held, calls: list[str]
) -> None:
    add(carts)
    add(carts, BOWL)
    carts.add(OTHER, SessionItemAddition(MUG, "Mug", 1, None))
    calls.clear()

    check_out(store)

    assert calls == ["Query", "TransactWriteItems"]
    checkout = held().pop("CHECKOUT")
    sources = {"L": [{"S": source} for source in ("b", "a", "b")]}
    assert checkout == {**KNOWN, "count": {"N": "1"}, "user": {"S": "user-1"}, "sources": sources}
    assert carts.items(SESSION) == []
    assert len(carts.items(OTHER)) == 1
    sold = [held()[keys.session_item(SESSION, item).sk] for item in (MUG, BOWL)]
    assert [(it["amount"], it["sold_at"], it["expires_at"]) for it in sold] == [
        ({"N": "2"}, {"N": str(NOW)}, {"N": str(NOW // SECOND)})
    ] * 2


def test_reloaded_confirmation_page_counts_nothing(
    store: SearchEventStore, carts: SessionStore, clock: Clock, rows: Rows
) -> None:
    add(carts)
    check_out(store)
    before = rows()
    clock.now += SECOND

    check_out(store)

    assert rows() == before


def test_checkout_without_items_counts_if_it_is_first(
    store: SearchEventStore, clock: Clock, held: Held, calls: list[str]
) -> None:
    check_out(store)
    clock.now += SECOND
    check_out(store)
    assert (held()["CHECKOUT"]["count"], held()["CHECKOUT"]["at"]) == ({"N": "1"}, {"N": str(NOW)})
    assert calls == ["Query", "PutItem"] * 2


@pytest.mark.parametrize(("elapsed", "count"), [(SECOND, "2"), (LIFETIME, "1")])
def test_later_checkout_counts_or_starts_again(
    *, store: SearchEventStore, carts: SessionStore, clock: Clock, held: Held, elapsed: int, count: str
) -> None:
    check_out(store)
    clock.now += elapsed
    add(carts)
    check_out(store, Checkout(SESSION, "desktop"))

    checkout = held()["CHECKOUT"]
    assert (checkout["count"], checkout["at"]) == ({"N": count}, {"N": str(clock.now)})
    assert {"user", "sources"}.isdisjoint(checkout)


@pytest.mark.parametrize("ahead", [0, SECOND])
def test_sold_item_counts_as_absent(
    *, store: SearchEventStore, carts: SessionStore, clock: Clock, rows: Rows, held: Held, ahead: int
) -> None:
    add(carts)
    clock.now += ahead  # of the other functions' clocks
    check_out(store)
    clock.now -= ahead
    before = rows()
    carts.remove(SESSION, SessionItemRemoval(MUG, 1))
    assert rows() == before

    add(carts, amount=5)

    it = held()[keys.session_item(SESSION, MUG).sk]
    assert (it["amount"], it["clicks"], "sold_at" in it) == ({"N": "5"}, {"N": "1"}, False)
    assert [item.amount for item in carts.items(SESSION)] == [5]


def test_expired_item_is_not_sold(store: SearchEventStore, carts: SessionStore, clock: Clock, held: Held) -> None:
    add(carts)
    clock.now += LIFETIME
    check_out(store)

    assert "sold_at" not in held()[keys.session_item(SESSION, MUG).sk]


@pytest.mark.parametrize("change", ["added", "sold", "removed", "emptied"])
def test_cart_that_changes_in_between_is_read_again(
    *,
    store: SearchEventStore,
    carts: SessionStore,
    table: Table,
    held: Held,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    add(carts)
    add(carts, BOWL)
    changes: dict[str, Callable[[], None]] = {
        "added": lambda: add(carts),
        "sold": lambda: check_out(store),
        "removed": lambda: carts.remove(SESSION, SessionItemRemoval(MUG, 1)),
        "emptied": lambda: carts.empty(SESSION, time_left=lambda: 20.0),
    }
    interpose(monkeypatch, table, changes[change])

    check_out(store)

    checkout = held().pop("CHECKOUT")
    assert checkout["count"] == {"N": "1"}
    amounts = sorted(it["amount"]["N"] for it in held().values() if "sold_at" in it)
    assert amounts == {"added": ["2", "4"], "sold": ["2", "2"], "removed": ["1", "2"], "emptied": []}[change]
    assert carts.items(SESSION) == []


def test_checkout_gives_up_and_changes_nothing(
    store: SearchEventStore, carts: SessionStore, table: Table, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact = table.transact

    def interposed(*arguments: Any) -> None:
        add(carts)
        transact(*arguments)

    monkeypatch.setattr(table, "transact", interposed)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    add(carts)

    with pytest.raises(Unavailable):
        check_out(store)

    assert [(it["amount"], "sold_at" in it) for it in held().values()] == [({"N": "18"}, False)]


def test_large_cart_is_one_checkout(
    store: SearchEventStore, carts: SessionStore, put: Put, held: Held, calls: list[str]
) -> None:
    add(carts)
    (item,) = held().values()
    put(*({"pk": {"S": keys.session(SESSION)}, "sk": {"S": f"CART#{number}"}, **item} for number in range(199)))
    calls.clear()
    left = iter([20.0, 20.0, 0.0])

    with pytest.raises(Unavailable):
        store.check_out(CHECKOUT, time_left=lambda: next(left))
    assert calls == ["Query", *["TransactWriteItems"] * 2]
    assert sum("sold_at" in it for it in held().values()) == 199
    assert held()["CHECKOUT"]["count"] == {"N": "1"}

    check_out(store)
    assert carts.items(SESSION) == []


def test_cart_is_only_its_items(store: SearchEventStore, carts: SessionStore, held: Held) -> None:
    store.start(SessionStart(SESSION, "mobile"))
    store.record(Redirect(SESSION, "mobile", "7"), "id")
    add(carts)

    assert [item.key for item in carts.items(SESSION)] == [MUG]
    carts.empty(SESSION, time_left=lambda: 20.0)
    assert set(held()) == {"INIT", "REDIRECT#id"}
