"""What the events of a search session do to its cart."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.errors import Unavailable
from tests.support.engines import Put, Rows
from tests.support.reference_cart import Clock
from tools.support.events import HASHID, HOUR, NOW, SECOND

SESSION, OTHER = Session(HASHID, "s#1 ü"), Session(HASHID, "s")
MUG, LAMP = ItemKey("product", "MUG-7"), ItemKey("product#M", "UG-7" * 64)
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
    """Return what a session's cart holds, by the partition and the id of the item."""
    return lambda: {
        (key.pk, row["id"]["S"]): {
            name: next(iter(value.values())) for name, value in row.items() if name not in ("pk", "sk", "id", "index")
        }
        for key, row in rows().items()
    }


AT = (keys.session(SESSION), MUG.id)


def test_an_event_makes_the_item_and_the_next_adds_to_it(
    store: SessionStore, clock: Clock, held: Held, calls: list[str]
) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, Decimal("12.5")))
    clock.now += HOUR
    store.add(SESSION, SessionItemAddition(MUG, "Large mug", 3, None))

    assert held() == {
        AT: {
            "title": "Large mug",
            "price": "12.5",
            "amount": "5",
            "clicks": "2",
            "added_at": str(NOW),
            "updated_at": str(clock.now),
            "expires_at": str((clock.now + LIFETIME) // SECOND),
        }
    }
    assert calls == ["UpdateItem"] * 2


@pytest.mark.parametrize("price", [Decimal(0), Decimal(10) ** 12, Decimal("0.000001"), Decimal("999999999999.999999")])
def test_every_price_is_kept_exactly(store: SessionStore, held: Held, price: Decimal) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 1, price))

    assert Decimal(held()[AT]["price"]) == price


def test_items_and_sessions_are_kept_apart(store: SessionStore, held: Held) -> None:
    for session in (SESSION, OTHER):
        for item in (MUG, LAMP):
            store.add(session, SessionItemAddition(item, "Mug", 1, None))
    store.remove(SESSION, SessionItemRemoval(MUG, 1))
    store.empty(OTHER, time_left=lambda: 20.0)

    assert list(held()) == [(keys.session(SESSION), LAMP.id)]


@pytest.mark.parametrize("price", [None, Decimal(3)])
def test_an_item_that_has_expired_is_begun_anew(
    store: SessionStore, clock: Clock, held: Held, calls: list[str], price: Decimal | None
) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, Decimal(9)))
    clock.now += LIFETIME
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 4, price))

    it = held()[AT]
    assert (it["amount"], it["clicks"], it["added_at"], it.get("price")) == ("4", "1", str(clock.now), price and "3")
    assert calls == ["UpdateItem"] * 3


def test_taking_less_than_there_is_away_leaves_the_rest_for_another_day(
    store: SessionStore, clock: Clock, held: Held, calls: list[str]
) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 3, None))
    clock.now += HOUR
    store.remove(SESSION, SessionItemRemoval(MUG, 2))

    it = held()[AT]
    assert (it["amount"], it["clicks"], it["expires_at"]) == ("1", "1", str((clock.now + LIFETIME) // SECOND))
    assert calls == ["UpdateItem"] * 2


@pytest.mark.parametrize("taken", [3, 9])
def test_taking_all_or_more_away_removes_the_item(
    store: SessionStore, rows: Rows, calls: list[str], taken: int
) -> None:
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 3, None))
    store.remove(SESSION, SessionItemRemoval(MUG, taken))

    assert rows() == {}
    assert calls == ["UpdateItem", "UpdateItem", "DeleteItem"]


@pytest.mark.parametrize("amount", [1, 9])
def test_what_is_not_there_or_has_expired_stays_as_it_is(
    store: SessionStore, clock: Clock, rows: Rows, amount: int
) -> None:
    store.remove(SESSION, SessionItemRemoval(MUG, amount))
    assert rows() == {}
    store.add(SESSION, SessionItemAddition(MUG, "Mug", 2, None))
    clock.now += LIFETIME
    before = rows()

    store.remove(SESSION, SessionItemRemoval(MUG, amount))

    assert rows() == before


def test_a_session_of_several_pages_is_emptied(store: SessionStore, put: Put, rows: Rows, calls: list[str]) -> None:
    large = {"S": "x" * 50_000}
    put(*({"pk": {"S": keys.session(SESSION)}, "sk": {"S": f"CART#{number}"}, "x": large} for number in range(30)))
    store.add(OTHER, SessionItemAddition(MUG, "Mug", 1, None))
    calls.clear()

    store.empty(SESSION, time_left=lambda: 20.0)

    assert [key.pk for key in rows()] == [keys.session(OTHER)]
    assert calls == ["Query", "BatchWriteItem"] * 2
    store.empty(SESSION, time_left=lambda: 20.0)
    assert [key.pk for key in rows()] == [keys.session(OTHER)]


def test_emptying_that_runs_out_of_time_is_taken_up_again(store: SessionStore, put: Put, rows: Rows) -> None:
    large = {"S": "x" * 50_000}
    put(*({"pk": {"S": keys.session(SESSION)}, "sk": {"S": f"CART#{number}"}, "x": large} for number in range(30)))
    left = iter([20.0, 0.0])

    with pytest.raises(Unavailable):
        store.empty(SESSION, time_left=lambda: next(left))
    assert 0 < len(rows()) < 30
    store.empty(SESSION, time_left=lambda: 20.0)
    assert rows() == {}
