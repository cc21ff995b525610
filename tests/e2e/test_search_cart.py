"""Search API: PUT, PATCH and DELETE over HTTP (tests/integration/test_stats_cart.py has every value)."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from serverless_cart.domain.session import ItemKey
from tests.support.shopper import REGISTERED
from tools.support.clients import TITLE, Visitor
from tools.support.database import Database, SessionItem

DAY = 24 * 3600


@pytest.mark.parametrize("where", ["json", "params"])
def test_put_registers_an_item_for_24_hours(visitor: Visitor, database: Database, where: str) -> None:
    item = {"id": "42", "index": "product", "title": TITLE, "amount": "3", "price": "9.95", "random": "0.1"}

    for count in (1, 2):
        assert visitor.send("PUT", **{where: item}) == REGISTERED
        stored = SessionItem(amount=3 * count, clicks=count, title=TITLE, price=Decimal("9.95"))
        assert database.session(visitor.hashid, visitor.session) == {("product", "42"): stored}

    lifetime = database.session_item_lifetime(visitor.hashid, visitor.session, ItemKey("product", "42"))
    assert lifetime == pytest.approx(DAY, abs=30)


@pytest.mark.parametrize("where", ["json", "params"])
def test_patch_subtracts_until_the_item_leaves(visitor: Visitor, database: Database, where: str) -> None:
    visitor.put("41")
    visitor.put("42", amount=5)
    change = {where: {"id": "42", "index": "product", "amount": 2}}
    amounts = []
    for _ in range(4):
        assert visitor.send("PATCH", **change) == REGISTERED
        items = database.session(visitor.hashid, visitor.session)
        amounts.append(items["product", "42"].amount if ("product", "42") in items else 0)
    assert amounts == [3, 1, 0, 0]
    assert items.keys() == {("product", "41")}


@pytest.mark.parametrize("body", [None, b"[]"])
def test_delete_empties_only_its_session(
    new_visitor: Callable[[], Visitor], database: Database, body: bytes | None
) -> None:
    one, other = new_visitor(), new_visitor()
    other.put("42")
    for n in range(30):  # more than one batch
        one.put(n)
    assert len(database.session(one.hashid, one.session)) == 30
    for _ in range(2):
        assert one.send("DELETE", data=body) == REGISTERED
        assert database.session(one.hashid, one.session) == {}
    assert database.session(other.hashid, other.session).keys() == {("product", "42")}


def test_longest_texts_are_accepted(visitor: Visitor, database: Database) -> None:
    id_, index, title = "🛒" * 256, "é" * 256, "漢" * 1_024
    longest = Visitor(visitor.http, visitor.token, visitor.hashid, "%F0%9F%9B%92" * 16 + visitor.session[-16:])
    assert longest.send("PUT", json={"id": id_, "index": index, "title": title}) == REGISTERED
    items = database.session(visitor.hashid, "🛒" * 16 + visitor.session[-16:])
    assert {key: item.title for key, item in items.items()} == {(index, id_): title}


STRANGE_SESSIONS = [
    "x%23", "x%23CART", "x%2A", "x%25", "x%2525", "x%20", "%20x", "x%09", "x%27", "x%22", "x%5C", "x%3F", "x%26",
    "x%3B", "x%F0%9F%9B%92", "x%00", "X", "..", ".", "x..", "x%7C", "x%3A",
]  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE_SESSIONS)
def test_strange_session_id_is_a_separate_session(visitor: Visitor, database: Database, strange: str) -> None:
    item_id = visitor.session  # the same item of both sessions, and of no other test
    other = Visitor(visitor.http, visitor.token, visitor.hashid, strange)
    plain = Visitor(visitor.http, visitor.token, visitor.hashid, "x")
    assert plain.put(item_id, amount=5) == REGISTERED
    assert other.put(item_id, amount=3) == REGISTERED
    assert sorted(database.amounts(item_id).values()) == [3, 5]
    assert other.delete() == REGISTERED
    assert list(database.amounts(item_id).values()) == [5]
    assert plain.delete() == REGISTERED
