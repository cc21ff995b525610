"""The parameters of a session's cart: what is read, what is refused, and in which order."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition, SessionItemRemoval
from serverless_cart.web.refusals import Unauthenticated
from serverless_cart.web.request import Request
from serverless_cart.web.search_api import API, ERRORS, InvalidSessionItem, MissingSessionFields, SessionIdTooLong
from serverless_cart.web.search_cart import addition_of, removal_of, session_of
from tests.support.builders import request, without
from tools.support.events import HASHID, load

PUT = load("stats_cart/put_query")
PATCH = load("stats_cart/patch")
ITEM: dict[str, Any] = {"id": "MUG-7", "index": "product", "title": "Enamel mug"}
PARSERS = [addition_of, removal_of]
Parser = Callable[[Request], Any]


def added(**fields: Any) -> SessionItemAddition:
    """Read a PUT whose body holds a valid item, changed."""
    return addition_of(request(PUT, query={}, body={**ITEM, **fields}))


def asked(**fields: Any) -> SessionItemAddition:
    """Read a PUT whose query string holds a valid item, changed."""
    return addition_of(request(PUT, query={**ITEM, **fields}))


def refuses(parse: Callable[[], object]) -> str:
    """Return the error text of a refusal."""
    with pytest.raises(Refusal) as refusal:
        parse()
    status, text = ERRORS[type(refusal.value)]
    error, headers, _ = API.describe(refusal.value, text, None)
    assert (status, headers) == (400, {})
    return error


# ----------------------------------------------------------------------------------------------------------------------
# Hashid and session
# ----------------------------------------------------------------------------------------------------------------------


SUFFIXED = [HASHID + suffix for suffix in ("-", "-es", "-ES-2", "-%2F%23", "-%C3%A4%0A")]


@pytest.mark.parametrize("hashid", [HASHID, HASHID.upper(), HASHID.title(), *SUFFIXED])
def test_case_and_suffix_of_hashid_are_ignored(hashid: str) -> None:
    it = request(PUT, path={"hashid": hashid})

    API.checks[0](it)
    assert session_of(it) == Session(HASHID, "4affa6a1c5b94b3a")


WRONG_HASHIDS = ["e" * 32, HASHID[1:], HASHID + "0", "", "g" * 32, f"{HASHID}%0A", "%23", "*", "-", f"-{HASHID}"]
WRONG_HASHIDS += [f"{HASHID}_es", f"{HASHID}0-es", f"{'e' * 32}-{HASHID}"]


@pytest.mark.parametrize("hashid", WRONG_HASHIDS)
@pytest.mark.parametrize("is_listed", [False, True])
def test_other_hashid_is_refused(hashid: str, *, is_listed: bool) -> None:
    listed = {"search_engines": hashid} if is_listed and hashid != "e" * 32 else {}

    with pytest.raises(Unauthenticated):
        API.checks[0](request(PUT, path={"hashid": hashid}, authorizer=listed))


@pytest.mark.parametrize("session", ["s", "s" * 32, "%23" * 32, "%C3%A4" * 32, "%F0%9F%8E%81" * 32])
def test_session_id_of_32_characters_is_read(session: str) -> None:
    assert 1 <= len(session_of(request(PUT, path={"session_id": session})).id) <= 32


@pytest.mark.parametrize("session", ["s" * 33, "%23" * 33, "%C3%A4" * 33])
def test_longer_session_id_is_refused(session: str) -> None:
    error = refuses(lambda: session_of(request(PUT, path={"session_id": session})))

    assert error == "session_id should have 32 characters or less"


# ----------------------------------------------------------------------------------------------------------------------
# Body and query string
# ----------------------------------------------------------------------------------------------------------------------


def test_body_and_query_string_are_read_alike() -> None:
    expected = SessionItemAddition(ItemKey("product", "MUG-7"), "Enamel mug", 2, Decimal("12.5"))

    assert added(amount=2, price=12.5) == expected
    assert asked(amount=2, price=12.5) == expected
    assert added(amount="2", price="12.5") == expected


@pytest.mark.parametrize("name", ["put_query_repeated", "put_query", "put", "put_other_case_headers"])
def test_requests_of_client_libraries_are_read(name: str) -> None:
    assert addition_of(request(load(f"stats_cart/{name}"))) == added(amount=2, price=12.5)


def test_body_wins_field_by_field() -> None:
    it = addition_of(request(PUT, query={**ITEM, "amount": 9, "price": 1}, body={"title": "Mug", "amount": 3}))

    assert it == SessionItemAddition(ItemKey("product", "MUG-7"), "Mug", 3, Decimal(1))


@pytest.mark.parametrize("value", [None, ""])
def test_empty_value_in_the_body_wins(value: str | None) -> None:
    error = refuses(lambda: addition_of(request(PUT, query=ITEM, body={"title": value})))

    assert error == 'Following fields are missing: ["title"]'
    query, body = {**ITEM, "amount": "2", "price": "1"}, {"amount": value, "price": value}
    assert addition_of(request(PUT, query=query, body=body)) == added()


@pytest.mark.parametrize("value", [None, ""])
def test_empty_optional_field_is_absent(value: str | None) -> None:
    assert added(amount=value, price=value) == added()
    assert removal_of(request(PATCH, body={**ITEM, "amount": value})).amount == 1
    assert asked(amount="", price="") == asked()
    assert (added().amount, added().price) == (1, None)


def test_unknown_parameters_are_ignored() -> None:
    more = {"random": "0.84", "hashid": "x", "session_id": "s" * 99, "nested": {"amount": 3}}

    assert added(**more) == added()
    assert asked(**without(more, "nested")) == asked()


NO_OBJECTS = [
    "[]", "[1]", "1", '"a"', "null", "true", "{", " ", "x=1", "NaN", '{"price": NaN}', "[" * 100_000,
    '{"price": 1e99999999999999999999}', f'{{"amount": {"9" * 5000}}}',
]  # fmt: skip


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("body", NO_OBJECTS, ids=lambda text: repr(text[:24]))
def test_body_without_an_object_is_refused(parse: Parser, body: str) -> None:
    assert refuses(lambda: parse(request(PUT, query=ITEM, body=body))) == "Invalid cart item data"


# ----------------------------------------------------------------------------------------------------------------------
# Missing fields
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", ["absent", None, ""])
@pytest.mark.parametrize("names", [["id"], ["index"], ["id", "title"], ["index", "title"], ["id", "index", "title"]])
def test_missing_fields_are_listed_in_order(names: list[str], absent: str | None) -> None:
    fields = without(ITEM, *names) | ({} if absent == "absent" else dict.fromkeys(reversed(names), absent))
    quoted = ", ".join(f'"{name}"' for name in names)

    assert refuses(lambda: addition_of(request(PUT, query={}, body=fields))) == (
        f"Following fields are missing: [{quoted}]"
    )
    query = {name: value for name, value in fields.items() if value is not None}  # which has no null
    assert refuses(lambda: addition_of(request(PUT, query=query))).endswith(f"[{quoted}]")


def test_removal_needs_no_title() -> None:
    assert removal_of(request(PATCH, body=without(ITEM, "title"))) == SessionItemRemoval(ItemKey("product", "MUG-7"), 1)
    assert refuses(lambda: removal_of(request(PATCH, body={}))) == 'Following fields are missing: ["id", "index"]'


@pytest.mark.parametrize("fields", [{"title": 7}, {"title": None}, {"price": "x"}, {"price": None}, {"price": -1}])
def test_removal_ignores_title_and_price(fields: dict[str, Any]) -> None:
    assert removal_of(request(PATCH, body={**ITEM, **fields})) == SessionItemRemoval(ItemKey("product", "MUG-7"), 1)


# ----------------------------------------------------------------------------------------------------------------------
# Wrong types, ranges and lengths
# ----------------------------------------------------------------------------------------------------------------------


OTHER_TYPES: list[object] = [True, False, [], ["a"], {}, {"a": "b"}, "\ud800", "a\udfffb"]
NO_TEXTS = [(field, value) for field in ("id", "index", "title") for value in OTHER_TYPES]


@pytest.mark.parametrize(("field", "value"), [*NO_TEXTS, ("index", 1), ("index", 1.5), ("title", 0), ("title", 1.5)])
def test_other_type_than_text_is_refused(field: str, value: object) -> None:
    assert refuses(lambda: added(**{field: value})) == "Invalid cart item data"


@pytest.mark.parametrize(("field", "length"), [("id", 256), ("index", 256), ("title", 1024)])
@pytest.mark.parametrize("character", ["x", "ä", "🎁", "\x00", "#"])
def test_text_over_its_length_is_refused(field: str, length: int, character: str) -> None:
    added(**{field: character * length})

    assert refuses(lambda: added(**{field: character * (length + 1)})) == "Invalid cart item data"


@pytest.mark.parametrize(
    ("written", "text"),
    [("0", "0"), ("-7", "-7"), ("1234", "1234"), ("12345678901234567890123", "12345678901234567890123"),
     ("1.5", "1.5"), ("1e3", "1000"), ("25e-1", "2.5")],
)  # fmt: skip
def test_number_as_id_is_its_decimal_string(written: str, text: str) -> None:
    it = request(PUT, query={}, body=f'{{"id": {written}, "index": "product", "title": "t"}}')

    assert addition_of(it).key.id == text


@pytest.mark.parametrize("written", ["1e400", "1e-400", "1e999999999", "9" * 257, "0e500", "1." + "0" * 256])
def test_number_as_id_over_the_length_is_refused(written: str) -> None:
    it = request(PUT, query={}, body=f'{{"id": {written}, "index": "product", "title": "t"}}')

    assert refuses(lambda: addition_of(it)) == "Invalid cart item data"


@pytest.mark.parametrize("value", [1, 10**6, "1", "1000000", 2.0, "2.0", "1e6"])
def test_integer_or_its_text_is_accepted(value: object) -> None:
    assert 1 <= added(amount=value).amount <= 10**6
    assert type(added(amount=value).amount) is int
    assert removal_of(request(PATCH, body={**ITEM, "amount": value})).amount == added(amount=value).amount


WRONG_NUMBERS: list[object] = [
    True, False, " ", "x", [], {}, "1_000", "1,5", "0x10", "٣", " 1", "1 ", "+1", "NaN", "nan", "Infinity",
    "-Infinity", "1e400", "1e-", ".", "1" * 41, 10**400, "1e999999999", -1, "-1",
]  # fmt: skip


@pytest.mark.parametrize("value", [*WRONG_NUMBERS, 0, "0", 10**6 + 1, 2.5, "2.5", "1000000.5", 1e-9])
@pytest.mark.parametrize("parse", PARSERS)
def test_any_other_amount_is_refused(parse: Parser, value: object) -> None:
    it = request(PATCH, body={**ITEM, "amount": value})

    assert refuses(lambda: parse(it)) == "Invalid cart item data"


@pytest.mark.parametrize("value", [*WRONG_NUMBERS, -0.01, 10**12 + 1, "1000000000000.000001"])
def test_any_other_price_is_refused(value: object) -> None:
    assert refuses(lambda: added(price=value)) == "Invalid cart item data"


@pytest.mark.parametrize("written", ["1e400", "1e-1000000000000000000000", "-1e-400", "NaN", "Infinity"])
def test_extreme_price_is_not_rounded(written: str) -> None:
    it = request(PUT, query={}, body=f'{{"id": "1", "index": "i", "title": "t", "price": {written}}}')

    assert refuses(lambda: addition_of(it)) == "Invalid cart item data"


@pytest.mark.parametrize(
    ("written", "price"),
    [("0", "0"), ("-0.0", "0"), ("12.5", "12.5"), ("12.50", "12.5"), ("0.1234564", "0.123456"),
     ("0.1234566", "0.123457"), ("0.0000001", "0"), ("1e3", "1000"), ("1e12", "1000000000000"),
     ("999999999999.999999", "999999999999.999999"), ("1e-400", "0")],
)  # fmt: skip
def test_price_is_kept_to_six_decimals(written: str, price: str) -> None:
    in_body = addition_of(request(PUT, query={}, body=f'{{"id": "1", "index": "i", "title": "t", "price": {written}}}'))

    assert in_body.price is not None
    assert format(in_body.price, "f") == price
    assert asked(price=written).price == in_body.price


@given(st.decimals(0, 10**12, allow_nan=False, allow_infinity=False, places=6))
def test_price_of_six_decimals_is_kept_exactly(price: Decimal) -> None:
    assert asked(price=format(price, "f")).price == price


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["id", "index", "title", "amount", "price"]), anything))
def test_any_addition_is_refused_or_within_bounds(fields: dict[str, Any]) -> None:
    try:
        it = addition_of(request(PUT, query=ITEM, body=fields))
    except (InvalidSessionItem, MissingSessionFields):
        return
    assert 1 <= it.amount <= 10**6
    assert it.price is None or 0 <= it.price <= 10**12
    assert 1 <= len(it.key.id) <= 256
    f"{it.key.id}{it.key.index}{it.title}".encode()


# ----------------------------------------------------------------------------------------------------------------------
# Order
# ----------------------------------------------------------------------------------------------------------------------

FAULTS: list[tuple[type[Refusal], dict[str, Any]]] = [
    (SessionIdTooLong, {"path": {"session_id": "s" * 33}}),
    (InvalidSessionItem, {"body": "[1]"}),
    (MissingSessionFields, {"body": {"amount": "x"}}),
    (InvalidSessionItem, {"body": {**ITEM, "amount": "x"}}),
]


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(4) for b in range(a, 4)])
def test_refusals_come_in_contract_order(first: int, second: int) -> None:
    expected, changes = FAULTS[first]
    it = request(PUT, **{"query": {}, **FAULTS[second][1], **changes})

    with pytest.raises(expected):
        (session_of(it), addition_of(it))
