"""PUT, PATCH and DELETE /6/{hashid}/stats/cart/{session_id}, from the gateway's event to the table."""

import json
from itertools import combinations
from typing import Any

import pytest

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from tests.support.builders import SESSION, without
from tests.support.bundle import Answer, Bundle
from tools.support.events import DAY, HASHID, HOUR, NOW, SECOND, altered, load

ITEM = {"id": "MUG-7", "index": "product", "title": "Enamel mug", "amount": 2, "price": 12.5}
EXPIRY = (NOW + DAY) // 1000
every_method = pytest.mark.parametrize("method", ["put", "patch", "delete"])
put_and_patch = pytest.mark.parametrize("method", ["put", "patch"])


def send(bundle: Bundle, method: str, **changes: Any) -> Answer:
    return bundle.send("stats_cart", altered(load(f"stats_cart/{method}"), **changes))


def put(bundle: Bundle, item: dict[str, Any] | None = None, **changes: Any) -> Answer:
    return send(bundle, "put", body=item or ITEM, **changes)


def patch(bundle: Bundle, **changes: Any) -> Answer:
    return send(bundle, "patch", body={**without(ITEM, "amount"), **changes})


def is_registered(answer: Answer) -> bool:
    return (answer.status, answer.body) == (200, {"status": "registered"})


# ----------------------------------------------------------------------------------------------------------------------
# PUT
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "put",
        "put_query",
        "put_query_repeated",
        "put_base64_body",
        "put_percent_encoded_session",
        "put_other_case_headers",
        "put_null_headers",
    ],
)
def test_put_registers_the_item_in_one_call(bundle: Bundle, name: str) -> None:
    answer = bundle.send("stats_cart", load(f"stats_cart/{name}"))

    assert is_registered(answer)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bundle.database.calls == ["UpdateItem"]
    session = "besucher #1/ä*" if name == "put_percent_encoded_session" else SESSION
    key = keys.session_item(Session(HASHID, session), ItemKey("product", "MUG-7"))
    assert bundle.rows() == [
        {
            "pk": key.pk,
            "sk": key.sk,
            "id": "MUG-7",
            "index": "product",
            "title": "Émaille-Becher ☕" if name == "put_base64_body" else "Enamel mug",
            "amount": "2",
            "price": "12.5",
            "clicks": "1",
            "added_at": str(NOW),
            "updated_at": str(NOW),
            "expires_at": str(EXPIRY),
        }
    ]


def test_body_wins_over_query_field_by_field(bundle: Bundle) -> None:
    query = {"id": "41", "index": "product", "title": "query", "amount": "5", "price": "1"}
    assert is_registered(put(bundle, {"id": "42", "title": "body", "price": 2}, query=query))

    (row,) = bundle.rows()
    assert [row[name] for name in query] == ["42", "product", "body", "5", "2"]


def test_second_put_adds_amount_and_click(bundle: Bundle) -> None:
    put(bundle)
    bundle.clock.forward(HOUR)

    assert is_registered(put(bundle, {**ITEM, "title": "Mug, enamel", "price": 11, "amount": 3}))

    assert bundle.database.calls == ["UpdateItem"]
    (row,) = bundle.rows()
    assert (row["amount"], row["clicks"], row["title"], row["price"]) == ("5", "2", "Mug, enamel", "11")
    assert (row["added_at"], row["updated_at"]) == (str(NOW), str(NOW + HOUR))
    assert row["expires_at"] == str(EXPIRY + HOUR // 1000)


def test_put_without_price_keeps_the_previous_one(bundle: Bundle) -> None:
    put(bundle)
    put(bundle, without(ITEM, "price"))

    (row,) = bundle.rows()
    assert (row["amount"], row["price"]) == ("4", "12.5")


@pytest.mark.parametrize(
    ("field", "given", "stored"),
    [
        ("id", 1234, "1234"),
        ("id", 0, "0"),
        ("id", 1.5, "1.5"),
        ("id", 10**30, "1" + "0" * 30),
        ("id", "🛒" * 256, "🛒" * 256),
        ("index", "é" * 256, "é" * 256),
        ("title", "漢" * 1024, "漢" * 1024),
        ("amount", 10**6, "1000000"),
        ("amount", "7", "7"),
        ("price", 0, "0"),
        ("price", 10**12, "1000000000000"),
        ("price", "19.99", "19.99"),
        ("price", 0.000001, "0.000001"),
        ("price", 1.2345671, "1.234567"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_accepted_values_are_stored(bundle: Bundle, field: str, given: object, stored: str) -> None:
    assert is_registered(put(bundle, {**ITEM, field: given}))
    if field in ("id", "index", "title"):
        put(bundle, {**ITEM, field: stored})

    (row,) = bundle.rows()
    assert row[field] == stored


def test_amount_is_one_by_default(bundle: Bundle) -> None:
    put(bundle, without(ITEM, "amount", "price"))

    (row,) = bundle.rows()
    assert (row["amount"], "price" in row) == ("1", False)


@every_method
def test_unknown_parameters_are_ignored(bundle: Bundle, method: str) -> None:
    unknown = {"random": "0.1", "hashid": "f" * 32, "session_id": "another"}

    assert is_registered(send(bundle, method, body={**ITEM, "colour": ["red", None]}, query=unknown))


@pytest.mark.parametrize(
    "other",
    [
        {"id": "MUG-8"},
        {"index": "page"},
        {"id": "T-MUG-7", "index": "produc"},
        {"id": "mug-7"},
        {"id": "MUG-7\0"},
        {"index": "\0product"},
        {"id": "MUG%2D7"},
    ],
    ids=ascii,
)
def test_items_of_other_id_or_index_are_separate(bundle: Bundle, other: dict[str, str]) -> None:
    put(bundle)
    put(bundle, {**ITEM, **other})

    assert [row["amount"] for row in bundle.rows()] == ["2", "2"]


def test_hashid_is_case_insensitive(bundle: Bundle) -> None:
    put(bundle)
    assert is_registered(put(bundle, path={"hashid": HASHID.upper()}))

    (row,) = bundle.rows()
    assert row["amount"] == "4"


def test_session_ids_that_look_like_keys_are_separate(bundle: Bundle) -> None:
    spellings = ("s#1", "s%231", "s*", "s", "S", "s%20", "s ")
    for session in spellings:
        put(bundle, path={"session_id": session.replace("%", "%25").replace("#", "%23")})

    assert [row["amount"] for row in bundle.rows()] == ["2"] * len(spellings)


# ----------------------------------------------------------------------------------------------------------------------
# PATCH
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["body", "query"])
def test_patch_subtracts_the_amount_in_one_call(bundle: Bundle, where: str) -> None:
    put(bundle, {**ITEM, "amount": 5})
    bundle.clock.forward(HOUR)

    change = {**without(ITEM, "title", "price"), "amount": 3}
    assert is_registered(send(bundle, "patch", **{"body": None, where: change}))

    assert bundle.database.calls == ["UpdateItem"]
    (row,) = bundle.rows()
    assert (row["amount"], row["clicks"], row["title"], row["price"]) == ("2", "1", "Enamel mug", "12.5")
    assert row["expires_at"] == str(EXPIRY + HOUR // 1000), "PATCH is an event of the item too"


def test_patch_subtracts_one_by_default(bundle: Bundle) -> None:
    put(bundle)
    assert is_registered(patch(bundle))

    (row,) = bundle.rows()
    assert row["amount"] == "1"


@pytest.mark.parametrize("amount", [2, 3, 10**6])
def test_patch_to_zero_removes_the_item_in_two_calls(bundle: Bundle, amount: int) -> None:
    put(bundle, {**ITEM, "id": "MUG-8"})
    put(bundle)

    assert is_registered(patch(bundle, amount=amount))

    assert [row["id"] for row in bundle.rows()] == ["MUG-8"]
    assert bundle.database.calls == ["UpdateItem", "DeleteItem"]


@pytest.mark.parametrize("other", [{"id": "MUG-8"}, {"index": "page"}], ids=str)
def test_patch_of_an_absent_item_changes_nothing(bundle: Bundle, other: dict[str, str]) -> None:
    put(bundle)
    before = bundle.rows()

    assert is_registered(patch(bundle, **other))

    assert bundle.rows() == before
    assert bundle.database.calls == ["UpdateItem"]


# ----------------------------------------------------------------------------------------------------------------------
# Lifetime
# ----------------------------------------------------------------------------------------------------------------------


def test_item_lives_24_hours_from_its_last_event(bundle: Bundle) -> None:
    put(bundle)
    put(bundle, {**ITEM, "id": "MUG-8"})
    bundle.clock.forward(DAY - SECOND)
    put(bundle)  # still the same item, which lives on; MUG-8 does not
    bundle.clock.forward(DAY - SECOND)

    put(bundle)
    put(bundle, {**ITEM, "id": "MUG-8"})

    amounts = {row["id"]: (row["amount"], row["clicks"]) for row in bundle.rows()}
    assert amounts == {"MUG-7": ("6", "3"), "MUG-8": ("2", "1")}


def test_put_replaces_an_expired_item(bundle: Bundle) -> None:
    put(bundle)
    bundle.clock.forward(DAY)

    assert is_registered(put(bundle, without(ITEM, "price")))

    (row,) = bundle.rows()
    assert (row["amount"], row["clicks"], row["added_at"]) == ("2", "1", str(NOW + DAY))
    assert "price" not in row
    assert row["expires_at"] == str(EXPIRY + DAY // 1000)
    assert bundle.database.calls == ["UpdateItem", "UpdateItem"]


@pytest.mark.parametrize("amount", [1, 2])
def test_patch_of_an_expired_item_changes_nothing(bundle: Bundle, amount: int) -> None:
    put(bundle)
    before = bundle.rows()
    bundle.clock.forward(DAY)

    assert is_registered(patch(bundle, amount=amount))

    assert bundle.rows() == before


# ----------------------------------------------------------------------------------------------------------------------
# DELETE
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["[]", None, "", "not json", '{"id": 1}'])
def test_delete_ignores_its_body_and_is_repeatable(bundle: Bundle, body: str | None) -> None:
    put(bundle)
    put(bundle, path={"session_id": "another"})

    assert is_registered(send(bundle, "delete", body=body))
    assert [row["pk"] for row in bundle.rows()] == [keys.session(Session(HASHID, "another"))]
    assert is_registered(send(bundle, "delete", body=body))


def test_delete_empties_a_large_session(bundle: Bundle) -> None:
    for number in range(130):
        key = keys.session_item(Session(HASHID, SESSION), ItemKey("product", str(number)))
        bundle.put({"pk": {"S": key.pk}, "sk": {"S": key.sk}, "title": {"S": "x" * 1024}})

    assert is_registered(send(bundle, "delete"))

    assert bundle.rows() == []
    assert bundle.database.calls.count("BatchWriteItem") == 6


def test_delete_stops_in_time_and_continues(bundle: Bundle) -> None:
    put(bundle)
    bundle.seconds_left = 2.0
    stopped = send(bundle, "delete")
    bundle.seconds_left = 20.0

    assert (stopped.status, stopped.body) == (503, {"error": "temporarily unavailable"})
    assert stopped.headers["Retry-After"] == "1"
    assert is_registered(send(bundle, "delete"))
    assert bundle.rows() == []


# ----------------------------------------------------------------------------------------------------------------------
# 400
# ----------------------------------------------------------------------------------------------------------------------

TOO_LONG = "session_id should have 32 characters or less"
INVALID = "Invalid cart item data"


def missing(*fields: str) -> str:
    return f"Following fields are missing: {json.dumps(fields)}"


@every_method
@pytest.mark.parametrize("character", ["s", "%20", "%F0%9F%9B%92"], ids=["plain", "space", "emoji"])
def test_session_id_has_at_most_32_characters(bundle: Bundle, method: str, character: str) -> None:
    answer = send(bundle, method, path={"session_id": character * 33})
    assert (answer.status, answer.body, bundle.database.calls) == (400, {"error": TOO_LONG}, [])

    assert is_registered(send(bundle, method, path={"session_id": character * 32}))


@put_and_patch
def test_body_that_is_no_object_is_refused(bundle: Bundle, method: str) -> None:
    bodies: list[str | bytes] = ["[]", "[1]", '"text"', "null", "true", "1", "{", "id=42", '{"id": NaN}', b"\xff", " "]
    bodies += [b'{"a": "\xed\xa0\x80"}', b'{"a": "\xc0\xaf"}', '{"a": "ü"}'.encode("latin-1"), b"\0" * 9, b"\x1f\x8b"]
    for body in bodies:
        answer = send(bundle, method, body=body, query=ITEM)
        assert (answer.status, answer.body, bundle.database.calls) == (400, {"error": INVALID}, []), body


@put_and_patch
@pytest.mark.parametrize("where", ["body", "query"])
def test_missing_fields_are_listed_in_order(bundle: Bundle, method: str, where: str) -> None:
    required = ("id", "index", "title") if method == "put" else ("id", "index")
    for count in range(1, len(required) + 1):
        for fields in combinations(required, count):
            absences: list[dict[str, Any]] = [{}, dict.fromkeys(fields, "")]
            absences += [dict.fromkeys(fields)] if where == "body" else []
            for absent in absences:
                item = {**without(ITEM, *fields), **absent}
                answer = send(bundle, method, **{"body": None, where: item})
                assert (answer.status, answer.body, bundle.database.calls) == (400, {"error": missing(*fields)}, [])


SURROGATES = ["\ud800", "\udfff", "\udfff\ud800", "a\udbff", "\ud83dA"]
NOT_TEXT: list[object] = [True, ["42"], {"a": "b"}, *SURROGATES]
VALUES: dict[str, list[object]] = {
    "id": [*NOT_TEXT, "x" * 257, 10**256],
    "index": [*NOT_TEXT, 7, "x" * 257],
    "title": [*NOT_TEXT, 7, "x" * 1_025],
    "amount": [0, -1, 1_000_001, 1.5, True, "many", "1.5", "0", "1 ", "0x1", [1], 10**30],
    "price": [-0.01, 10**12 + 1, 1e13, True, "dear", "-1", "1,5", " 1", "nan", "Infinity", [1]],
}


@put_and_patch
@pytest.mark.parametrize("field", VALUES)
def test_invalid_field_is_refused(bundle: Bundle, method: str, field: str) -> None:
    if method == "patch" and field in ("title", "price"):
        assert is_registered(patch(bundle, **{field: VALUES[field][0]})), "PATCH has no such field"
        return
    for value in VALUES[field]:
        answer = send(bundle, method, body={**ITEM, field: value})
        assert (answer.status, answer.body, bundle.database.calls) == (400, {"error": INVALID}, []), value
        if isinstance(value, str) and value != "\ud800":
            answer = send(bundle, method, body=None, query={**ITEM, field: value})
            assert (answer.status, answer.body, bundle.database.calls) == (400, {"error": INVALID}, []), value


# ----------------------------------------------------------------------------------------------------------------------
# 403 and 404
# ----------------------------------------------------------------------------------------------------------------------


@every_method
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"authorizer": None}, "forbidden"),
        ({"authorizer": {"kind": "customer"}}, "forbidden"),
        ({"authorizer": {"search_engines": "e" * 32}}, "forbidden"),
        ({"path": {"hashid": "e" * 32}}, "forbidden"),
        ({"path": {"hashid": HASHID + "0"}}, "forbidden"),
        ({"path": {"hashid": "nothex"}}, "forbidden"),
        ({"path": {"hashid": "%20" * 32}}, "forbidden"),
        ({"path": {"hashid": "%2A"}}, "forbidden"),
        ({"address": "203.0.113.9"}, "banned ip"),
        ({"address": "::ffff:203.0.113.9"}, "banned ip"),
        ({"address": "2001:db8:bad::1"}, "banned ip"),
        (
            {"authorizer": {"allowed_origins": "https://a.example"}, "headers": {"Origin": "https://b.example"}},
            "origin not allowed",
        ),
        (
            {"authorizer": {"allowed_origins": "https://a.example"}, "headers": {"ORIGIN": "https://A.example"}},
            "origin not allowed",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_forbidden_request_reaches_no_table(bundle: Bundle, method: str, changes: dict[str, Any], error: str) -> None:
    answer = send(bundle, method, **changes)

    assert (answer.status, answer.body) == (403, {"error": error})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bundle.database.calls == []


def test_forwarding_headers_are_ignored(bundle: Bundle) -> None:
    assert is_registered(put(bundle, headers={"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}))
    assert put(bundle, headers={"X-Forwarded-For": "198.51.100.7"}, address="203.0.113.9").status == 403


def test_listed_origin_or_none_is_allowed(bundle: Bundle) -> None:
    only = {"allowed_origins": "https://a.example https://b.example"}

    assert is_registered(put(bundle, authorizer=only))
    assert is_registered(put(bundle, authorizer=only, headers={"origin": "https://b.example"}))


def test_unknown_method_is_not_found(bundle: Bundle) -> None:
    answer = bundle.send("stats_cart", altered(load("stats_cart/put"), method="POST"))

    assert (answer.status, answer.body) == (404, {"error": "not found"})


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "forbidden": ("403 forbidden", {"path": {"hashid": "f" * 32}}),
    "banned ip": ("403 banned ip", {"address": "203.0.113.9"}),
    "origin": ("403 origin not allowed", {"authorizer": {"allowed_origins": "https://a.example"}}),
    "session id": (f"400 {TOO_LONG}", {"path": {"session_id": "s" * 33}}),
    "body": (f"400 {INVALID}", {"body": "[]"}),
    "missing": (f"400 {missing('index')}", {"query": {"index": ""}}),
    "field": (f"400 {INVALID}", {"query": {"amount": "0"}}),
}


@put_and_patch
def test_first_error_in_the_contract_order_wins(bundle: Bundle, method: str) -> None:
    for first, second in combinations(WRONG, 2):
        request: dict[str, Any] = {"body": None, "query": ITEM, "headers": {"Origin": "https://b.example"}}
        for name in (second, first):
            for part, value in WRONG[name][1].items():
                request[part] = {**request.get(part, {}), **value} if isinstance(value, dict) else value
        answer = send(bundle, method, **request)
        assert f"{answer.status} {answer.body['error']}" == WRONG[first][0], (first, second)
