"""The events of a search session, in its cart."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.session import ItemKey, Session, SessionItem, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.errors import Unavailable
from tests.support.engines import Put, Rows
from tests.support.reference_cart import Clock
from tools.support.events import HASHID, HOUR, NOW, SECOND

pytestmark = pytest.mark.every_engine

SESSION, OTHER = Session(HASHID, "s#1 ü"), Session(HASHID, "s")
MUG, LAMP, BOWL = ItemKey("product", "MUG-7"), ItemKey("product#M", "UG-7" * 64), ItemKey("product", "BOWL")
Held = Callable[[], dict[tuple[str, str], dict[str, Any]]]
LIFETIME = CONTRACT_LIMITS.session_item_lifetime * SECOND


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(table: Table, clock: Clock) -> SessionStore:
    return SessionStore(table, clock)


@pytest.fixture
def held(rows: Rows) -> Held:
    """Return a function that reads all items, by partition and id."""
    return lambda: {
        (key.pk, row["id"]["S"]): {
            name: next(iter(value.values())) for name, value in row.items() if name not in ("pk", "sk", "id", "index")
        }
        for key, row in rows().items()
    }


AT = (keys.session(SESSION), MUG.id)


def test_event_creates_or_adds_to_the_item(store: SessionStore, clock: Clock, held: Held, calls: list[str]) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, Decimal("12.5")))
    clock.now += HOUR
    store.add(SESSION, SessionItemAddition(MUG, "Large mug", 3, None, "mobile"))

    assert held() == {
        AT: {
            "title": "Large mug",
            "price": "12.5",
            "device": "mobile",
            "amount": "5",
            "clicks": "2",
            "added_at": str(NOW),
            "updated_at": str(clock.now),
            "expires_at": str((clock.now + LIFETIME) // SECOND),
        }
    }
    assert calls == ["UpdateItem"] * 2


@pytest.mark.parametrize("price", ["0", "1E+12", "0.000001", "999999999999.999999"])
def test_price_is_kept_exactly(store: SessionStore, held: Held, price: str) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 1, Decimal(price)))

    kept = held()[AT]["price"]
    assert Decimal(kept) == Decimal(price)
    assert "E" not in kept


def test_items_and_sessions_are_separate(store: SessionStore, held: Held) -> None:
    for session in (SESSION, OTHER):
        for item in (MUG, LAMP):
            store.add(session, SessionItemAddition(item, "Mug", 1, None))
    store.remove(SESSION, SessionItemRemoval(MUG, 1))
    store.empty(OTHER, time_left=lambda: 20.0)

    assert list(held()) == [(keys.session(SESSION), LAMP.id)]


def test_items_are_listed_in_order_of_addition(store: SessionStore, clock: Clock) -> None:
    store.add(SESSION, SessionItemAddition(BOWL, "Bowl", 1, None))
    clock.now += LIFETIME - 1
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, Decimal("12.5")))
    store.add(SESSION, SessionItemAddition(LAMP, "Lamp", 1, None))
    clock.now += SECOND

    expires_at = (clock.now - SECOND + LIFETIME) // SECOND
    assert store.items(SESSION) == [
        SessionItem(MUG, "Mug", 2, 1, Decimal("12.5"), clock.now - SECOND, clock.now - SECOND, expires_at),
        SessionItem(LAMP, "Lamp", 1, 1, None, clock.now - SECOND, clock.now - SECOND, expires_at),
    ]


@pytest.mark.parametrize("price", [None, Decimal(3)])
def test_expired_item_starts_again(
    store: SessionStore, clock: Clock, held: Held, calls: list[str], price: Decimal | None
) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, Decimal(9)))
    clock.now += LIFETIME
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 4, price))

    it = held()[AT]
    assert (it["amount"], it["clicks"], it["added_at"], it.get("price")) == ("4", "1", str(clock.now), price and "3")
    assert calls == ["UpdateItem"] * 3


def test_item_added_in_between_is_not_replaced(
    store: SessionStore, table: Table, clock: Clock, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, None))
    clock.now += LIFETIME
    update, count = table.update, iter(range(9))

    def interposed(key: Key, write: Expression) -> Item:
        if next(count) == 1:  # after the attempt to add, before the replacement
            update(key, store._replacement(SessionItemAddition(MUG, "Mug", 3, None), clock.now))
        return update(key, write)

    monkeypatch.setattr(table, "update", interposed)

    store.add(SESSION, SessionItemAddition(MUG, "Mug", 4, None))

    assert (held()[AT]["amount"], held()[AT]["clicks"]) == ("7", "2")


def test_removal_of_less_leaves_the_rest(store: SessionStore, clock: Clock, held: Held, calls: list[str]) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 3, None))
    clock.now += HOUR
    store.remove(SESSION, SessionItemRemoval(MUG, 2))

    it = held()[AT]
    assert (it["amount"], it["clicks"], it["expires_at"]) == ("1", "1", str((clock.now + LIFETIME) // SECOND))
    assert calls == ["UpdateItem"] * 2


@pytest.mark.parametrize("taken", [3, 9])
def test_removal_of_all_or_more_deletes_the_item(store: SessionStore, rows: Rows, calls: list[str], taken: int) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 3, None))
    store.remove(SESSION, SessionItemRemoval(MUG, taken))

    assert rows() == {}
    assert calls == ["UpdateItem", "UpdateItem", "DeleteItem"]


@pytest.mark.parametrize("amount", [1, 9])
def test_removal_of_an_absent_item_writes_nothing(store: SessionStore, clock: Clock, rows: Rows, amount: int) -> None:
    store.remove(SESSION, SessionItemRemoval(MUG, amount))
    assert rows() == {}
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, None))
    clock.now += LIFETIME
    before = rows()

    store.remove(SESSION, SessionItemRemoval(MUG, amount))

    assert rows() == before


def test_session_of_several_pages_is_emptied(store: SessionStore, put: Put, rows: Rows, calls: list[str]) -> None:
    large = {"S": "x" * 50_000}
    put(*({"pk": {"S": keys.session(SESSION)}, "sk": {"S": f"CART#{number}"}, "x": large} for number in range(30)))
    store.add(OTHER, SessionItemAddition(MUG, "Mug", 1, None))
    calls.clear()

    store.empty(SESSION, time_left=lambda: 20.0)

    assert [key.pk for key in rows()] == [keys.session(OTHER)]
    assert calls == ["Query", "BatchWriteItem"] * 2
    store.empty(SESSION, time_left=lambda: 20.0)
    assert [key.pk for key in rows()] == [keys.session(OTHER)]


def test_empty_continues_after_a_timeout(store: SessionStore, put: Put, rows: Rows) -> None:
    large = {"S": "x" * 50_000}
    put(*({"pk": {"S": keys.session(SESSION)}, "sk": {"S": f"CART#{number}"}, "x": large} for number in range(30)))
    left = iter([20.0, 0.0])

    with pytest.raises(Unavailable):
        store.empty(SESSION, time_left=lambda: next(left))
    assert 0 < len(rows()) < 30
    store.empty(SESSION, time_left=lambda: 20.0)
    assert rows() == {}
