"""Search API: what PUT, PATCH and DELETE register."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from serverless_cart.domain.session import ItemKey
from tests.support.shopper import REGISTERED
from tools.support.clients import TITLE, Visitor
from tools.support.database import Database, SessionItem

DAY = 24 * 3600


def test_put_in_the_body_registers_an_item(visitor: Visitor, database: Database) -> None:
    reply = visitor.put("42", "product", amount=3, price=9.95)
    assert reply == REGISTERED
    item = SessionItem(amount=3, clicks=1, title=TITLE, price=Decimal("9.95"))
    assert database.session(visitor.hashid, visitor.session) == {("product", "42"): item}


def test_put_in_the_query_string_without_a_body_registers_an_item(visitor: Visitor, database: Database) -> None:
    query = {"id": "42", "index": "product", "title": TITLE, "amount": "3", "price": "9.95"}
    assert visitor.send("PUT", params=query) == REGISTERED
    item = SessionItem(amount=3, clicks=1, title=TITLE, price=Decimal("9.95"))
    assert database.session(visitor.hashid, visitor.session) == {("product", "42"): item}


def test_the_body_wins_over_the_query_string_field_by_field(visitor: Visitor, database: Database) -> None:
    query = {"id": "41", "index": "product", "title": "query", "amount": "5", "price": "1"}
    assert visitor.send("PUT", params=query, json={"id": "42", "title": TITLE, "price": 2}) == REGISTERED
    item = SessionItem(amount=5, clicks=1, title=TITLE, price=Decimal(2))
    assert database.session(visitor.hashid, visitor.session) == {("product", "42"): item}


def test_put_of_the_same_item_sums_its_amount_and_takes_the_newest_title_and_price(
    visitor: Visitor, database: Database
) -> None:
    visitor.send("PUT", json={"id": "42", "index": "product", "title": "Old", "amount": 2, "price": 1})
    assert visitor.put("42", amount=5, price=2) == REGISTERED
    item = SessionItem(amount=7, clicks=2, title=TITLE, price=Decimal(2))
    assert database.session(visitor.hashid, visitor.session) == {("product", "42"): item}


def test_the_same_id_in_another_index_is_another_item(visitor: Visitor, database: Database) -> None:
    visitor.put("42", "product")
    visitor.put("42", "page")
    assert database.session(visitor.hashid, visitor.session).keys() == {("product", "42"), ("page", "42")}


@pytest.mark.parametrize(("first", "second"), [(42, "42"), ("0", 0), (1.5, "1.5"), (10**30, "1" + "0" * 30)])
def test_a_numeric_id_is_its_decimal_string(
    visitor: Visitor, database: Database, first: object, second: object
) -> None:
    visitor.put(first)
    assert visitor.put(second) == REGISTERED
    items = database.session(visitor.hashid, visitor.session)
    assert {key: item.amount for key, item in items.items()} == {("product", str(first)): 2}


@pytest.mark.parametrize(("given", "kept"), [(1, 1), (1_000_000, 1_000_000), ("7", 7)])
def test_an_amount_is_an_integer_or_its_text(visitor: Visitor, database: Database, given: object, kept: int) -> None:
    assert visitor.put("42", amount=given) == REGISTERED
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0, "0"), (10**12, "1000000000000"), ("19.99", "19.99"), (0.000001, "0.000001"), (1.2345671, "1.234567")],
)
def test_a_price_is_a_number_or_its_text_kept_to_six_decimals(
    visitor: Visitor, database: Database, given: object, kept: str
) -> None:
    assert visitor.put("42", price=given) == REGISTERED
    assert database.session(visitor.hashid, visitor.session)["product", "42"].price == Decimal(kept)


def test_amount_and_price_may_be_left_out(visitor: Visitor, database: Database) -> None:
    assert visitor.put("42") == REGISTERED
    item = SessionItem(amount=1, clicks=1, title=TITLE, price=None)
    assert database.session(visitor.hashid, visitor.session) == {("product", "42"): item}


def test_the_longest_texts_are_taken(visitor: Visitor, database: Database) -> None:
    id_, index, title = "🛒" * 256, "é" * 256, "漢" * 1_024
    longest = Visitor(visitor.http, visitor.token, visitor.hashid, "%F0%9F%9B%92" * 16 + visitor.session[-16:])
    assert longest.send("PUT", json={"id": id_, "index": index, "title": title}) == REGISTERED
    items = database.session(visitor.hashid, "🛒" * 16 + visitor.session[-16:])
    assert {key: item.title for key, item in items.items()} == {(index, id_): title}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_unknown_parameters_are_ignored(visitor: Visitor, method: str) -> None:
    unknown = {"random": "0.1", "hashid": "f" * 32, "session_id": "another"}
    known = {"id": "42", "index": "product", "title": TITLE}
    assert visitor.send(method, params=unknown, json={**known, "colour": ["red", None]}) == REGISTERED


@pytest.mark.parametrize("where", ["json", "params"])
def test_patch_takes_the_amount_away(visitor: Visitor, database: Database, where: str) -> None:
    visitor.put("42", amount=5)
    assert visitor.send("PATCH", **{where: {"id": "42", "index": "product", "amount": 2}}) == REGISTERED
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == 3


def test_patch_takes_one_away_unless_it_says_more(visitor: Visitor, database: Database) -> None:
    visitor.put("42", amount=5)
    assert visitor.patch("42") == REGISTERED
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == 4


@pytest.mark.parametrize("taken", [5, 6, 1_000_000])
def test_patch_to_zero_or_below_removes_the_item(visitor: Visitor, database: Database, taken: int) -> None:
    visitor.put("41")
    visitor.put("42", amount=5)
    assert visitor.patch("42", amount=taken) == REGISTERED
    assert database.session(visitor.hashid, visitor.session).keys() == {("product", "41")}


def test_patch_of_an_absent_item_changes_nothing(visitor: Visitor, database: Database) -> None:
    visitor.put("41")
    before = database.session(visitor.hashid, visitor.session)
    assert visitor.patch("42", amount=2) == REGISTERED
    assert visitor.patch("41", "page") == REGISTERED
    assert database.session(visitor.hashid, visitor.session) == before


@pytest.mark.parametrize("body", [None, b"[]", b"{}"])
def test_delete_empties_the_session(visitor: Visitor, database: Database, body: bytes | None) -> None:
    visitor.put("41")
    visitor.put("42")
    assert visitor.send("DELETE", data=body) == REGISTERED
    assert database.session(visitor.hashid, visitor.session) == {}
    assert visitor.send("DELETE", data=body) == REGISTERED


def test_delete_empties_a_large_session(visitor: Visitor, database: Database) -> None:
    for n in range(60):
        visitor.put(n)
    assert len(database.session(visitor.hashid, visitor.session)) == 60
    assert visitor.delete() == REGISTERED
    assert database.session(visitor.hashid, visitor.session) == {}


def test_delete_leaves_other_sessions_alone(new_visitor: Callable[[], Visitor], database: Database) -> None:
    one, other = new_visitor(), new_visitor()
    one.put("42")
    other.put("42")
    assert one.delete() == REGISTERED
    assert database.session(other.hashid, other.session).keys() == {("product", "42")}


def test_each_item_lives_24_hours_from_its_own_last_event(visitor: Visitor, database: Database) -> None:
    kept, touched = ItemKey("product", "41"), ItemKey("product", "42")
    visitor.put("41", amount=2)
    visitor.put("42", amount=2)
    assert database.session_item_lifetime(visitor.hashid, visitor.session, kept) == pytest.approx(DAY, abs=30)
    database.let_session_item_expire(visitor.hashid, visitor.session, kept)
    visitor.put("42")
    visitor.patch("42")
    assert database.session_item_lifetime(visitor.hashid, visitor.session, touched) == pytest.approx(DAY, abs=30)
    assert database.session_item_lifetime(visitor.hashid, visitor.session, kept) < 0


def test_an_expired_item_counts_as_absent(visitor: Visitor, database: Database) -> None:
    key = ItemKey("product", "42")
    visitor.put("42", amount=5, price=1)
    database.let_session_item_expire(visitor.hashid, visitor.session, key)

    assert visitor.patch("42", amount=2) == REGISTERED
    assert database.session(visitor.hashid, visitor.session) == {}
    assert visitor.put("42", amount=2) == REGISTERED
    item = SessionItem(amount=2, clicks=1, title=TITLE, price=None)
    assert database.session(visitor.hashid, visitor.session) == {("product", "42"): item}


STRANGE_SESSIONS = [
    "x%23", "x%23CART", "x%2A", "x%25", "x%2525", "x%20", "%20x", "x%09", "x%27", "x%22", "x%5C", "x%3F", "x%26",
    "x%3B", "x%F0%9F%9B%92", "x%00", "X", "..", ".", "x..", "x%7C", "x%3A",
]  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE_SESSIONS)
def test_a_strange_session_id_never_reaches_another_session(visitor: Visitor, database: Database, strange: str) -> None:
    item_id = visitor.session  # the same item of both sessions, and of no other test
    other = Visitor(visitor.http, visitor.token, visitor.hashid, strange)
    plain = Visitor(visitor.http, visitor.token, visitor.hashid, "x")
    assert plain.put(item_id, amount=5) == REGISTERED
    assert other.put(item_id, amount=3) == REGISTERED
    assert sorted(database.amounts(item_id).values()) == [3, 5]
    assert other.patch(item_id) == REGISTERED
    assert sorted(database.amounts(item_id).values()) == [2, 5]
    assert other.delete() == REGISTERED
    assert list(database.amounts(item_id).values()) == [5]
    assert plain.delete() == REGISTERED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a#b", "c"), ("a", "b#c")),
        (("ab", "c"), ("a", "bc")),
        (("1:a", "b"), ("1", "ab")),
        (("a%23b", "c"), ("a#b", "c")),
    ],
)
def test_index_and_id_never_run_into_each_other(
    visitor: Visitor, database: Database, one: tuple[str, str], other: tuple[str, str]
) -> None:
    visitor.put(one[1], one[0])
    visitor.put(other[1], other[0])
    assert database.session(visitor.hashid, visitor.session).keys() == {one, other}
    assert visitor.patch(other[1], other[0]) == REGISTERED
    assert database.session(visitor.hashid, visitor.session).keys() == {one}


def test_a_hashid_is_read_without_regard_to_case(visitor: Visitor, database: Database) -> None:
    loud = Visitor(visitor.http, visitor.token, visitor.hashid.upper(), visitor.session)
    assert loud.hashid != visitor.hashid
    visitor.put("42")
    assert loud.put("42") == REGISTERED
    assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == 2
    assert loud.delete() == REGISTERED
    assert database.session(visitor.hashid, visitor.session) == {}
