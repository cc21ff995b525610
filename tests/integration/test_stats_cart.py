"""PUT, PATCH and DELETE /6/{hashid}/stats/cart/{session_id}, from the gateway's event to the table."""

from typing import Any

import pytest

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from tests.support.builders import SESSION, without
from tests.support.bundle import Answer, Bundle
from tools.support.events import DAY, HASHID, HOUR, NOW, SECOND, altered, load

ITEM = {"id": "MUG-7", "index": "product", "title": "Enamel mug", "amount": 2, "price": 12.5}
PUTS = (
    "put_body",
    "put_query",
    "put_query_repeated",
    "put_base64_body",
    "put_percent_encoded_session",
    "put_other_case_headers",
    "put_null_headers",
)


def put(bundle: Bundle, item: dict[str, Any] | None = None, **changes: Any) -> Answer:
    return bundle.send("stats_cart", altered(load("stats_cart/put_body"), body=item or ITEM, **changes))


def patch(bundle: Bundle, **changes: Any) -> Answer:
    return bundle.send("stats_cart", altered(load("stats_cart/patch"), body={**without(ITEM, "amount"), **changes}))


def registered(answer: Answer) -> bool:
    return (answer.status, answer.body) == (200, {"status": "registered"})


@pytest.mark.parametrize("name", PUTS)
def test_every_way_of_putting_an_item_leaves_the_same_item_in_one_call(bundle: Bundle, name: str) -> None:
    answer = bundle.send("stats_cart", load(f"stats_cart/{name}"))

    assert registered(answer)
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
            "expires_at": str(NOW // 1000 + 24 * 3600),
        }
    ]


def test_a_second_put_adds_its_amount_counts_a_click_and_brings_the_newest_title_and_price(bundle: Bundle) -> None:
    put(bundle)
    bundle.clock.forward(HOUR)

    assert registered(put(bundle, {**ITEM, "title": "Mug, enamel", "price": 11, "amount": 3}))

    assert bundle.database.calls == ["UpdateItem"]
    (row,) = bundle.rows()
    assert (row["amount"], row["clicks"], row["title"], row["price"]) == ("5", "2", "Mug, enamel", "11")
    assert (row["added_at"], row["updated_at"]) == (str(NOW), str(NOW + HOUR))
    assert row["expires_at"] == str((NOW + HOUR + DAY) // 1000)


def test_a_put_without_a_price_keeps_the_one_before(bundle: Bundle) -> None:
    put(bundle)
    put(bundle, without(ITEM, "price"))

    (row,) = bundle.rows()
    assert (row["amount"], row["price"]) == ("4", "12.5")


@pytest.mark.parametrize(
    "other", [{"id": "MUG-8"}, {"index": "page"}, {"id": "T-MUG-7", "index": "produc"}, {"id": "mug-7"}]
)
def test_items_of_another_id_or_index_stand_apart(bundle: Bundle, other: dict[str, str]) -> None:
    put(bundle)
    put(bundle, {**ITEM, **other})

    assert [row["amount"] for row in bundle.rows()] == ["2", "2"]


def test_a_number_as_id_is_its_decimal_string(bundle: Bundle) -> None:
    put(bundle, {**ITEM, "id": 1234})
    put(bundle, {**ITEM, "id": "1234"})

    (row,) = bundle.rows()
    assert (row["id"], row["amount"]) == ("1234", "4")


def test_a_hashid_is_read_without_regard_to_case(bundle: Bundle) -> None:
    put(bundle)
    assert registered(put(bundle, path={"hashid": HASHID.upper()}))

    (row,) = bundle.rows()
    assert row["amount"] == "4"


def test_sessions_whose_ids_look_like_keys_stand_apart(bundle: Bundle) -> None:
    spellings = ("s#1", "s%231", "s*", "s", "S", "s%20", "s ")
    for session in spellings:
        put(bundle, path={"session_id": session.replace("%", "%25").replace("#", "%23")})

    assert sorted(row["amount"] for row in bundle.rows()) == ["2"] * len(spellings)


def test_taking_away_part_of_an_amount_keeps_the_item_in_one_call(bundle: Bundle) -> None:
    put(bundle)
    bundle.clock.forward(HOUR)

    assert registered(bundle.send("stats_cart", load("stats_cart/patch")))

    assert bundle.database.calls == ["UpdateItem"]
    (row,) = bundle.rows()
    assert (row["amount"], row["clicks"], row["title"], row["price"]) == ("1", "1", "Enamel mug", "12.5")
    assert row["expires_at"] == str((NOW + HOUR + DAY) // 1000), "taking away is an event of the item too"


@pytest.mark.parametrize("amount", [2, 3, 10**6])
def test_at_zero_or_below_the_item_leaves_the_cart_in_two_calls(bundle: Bundle, amount: int) -> None:
    put(bundle)

    assert registered(patch(bundle, amount=amount))

    assert bundle.rows() == []
    assert bundle.database.calls == ["UpdateItem", "DeleteItem"]


def test_taking_away_from_an_absent_item_changes_nothing(bundle: Bundle) -> None:
    put(bundle)
    before = bundle.rows()

    assert registered(patch(bundle, id="MUG-8"))

    assert bundle.rows() == before
    assert bundle.database.calls == ["UpdateItem"]


def test_an_item_lives_for_24_hours_from_its_own_last_event(bundle: Bundle) -> None:
    put(bundle)
    put(bundle, {**ITEM, "id": "MUG-8"})
    bundle.clock.forward(DAY - SECOND)
    put(bundle)  # still the same item, which now lives on; MUG-8 does not
    bundle.clock.forward(DAY - SECOND)

    put(bundle)
    put(bundle, {**ITEM, "id": "MUG-8"})

    amounts = {row["id"]: (row["amount"], row["clicks"]) for row in bundle.rows()}
    assert amounts == {"MUG-7": ("6", "3"), "MUG-8": ("2", "1")}


def test_an_expired_item_that_is_still_in_the_table_is_replaced_whole(bundle: Bundle) -> None:
    put(bundle)
    bundle.clock.forward(DAY)

    assert registered(put(bundle, without(ITEM, "price")))

    (row,) = bundle.rows()
    assert (row["amount"], row["clicks"], row["added_at"]) == ("2", "1", str(NOW + DAY))
    assert "price" not in row
    assert row["expires_at"] == str((NOW + 2 * DAY) // 1000)
    assert bundle.database.calls == ["UpdateItem", "UpdateItem"]


@pytest.mark.parametrize("amount", [1, 2])
def test_taking_away_from_an_expired_item_changes_nothing(bundle: Bundle, amount: int) -> None:
    put(bundle)
    before = bundle.rows()
    bundle.clock.forward(DAY)

    assert registered(patch(bundle, amount=amount))

    assert bundle.rows() == before


@pytest.mark.parametrize("body", ["[]", None, "", "not json", '{"id": 1}'])
def test_emptying_takes_no_parameters_and_may_be_repeated(bundle: Bundle, body: str | None) -> None:
    put(bundle)
    put(bundle, path={"session_id": "another"})
    event = altered(load("stats_cart/delete"), body=body)

    assert registered(bundle.send("stats_cart", event))
    assert [row["pk"] for row in bundle.rows()] == [keys.session(Session(HASHID, "another"))]
    assert registered(bundle.send("stats_cart", event))


def test_emptying_a_large_session_leaves_nothing(bundle: Bundle) -> None:
    for number in range(130):
        key = keys.session_item(Session(HASHID, SESSION), ItemKey("product", str(number)))
        bundle.put({"pk": {"S": key.pk}, "sk": {"S": key.sk}, "title": {"S": "x" * 1024}})

    assert registered(bundle.send("stats_cart", load("stats_cart/delete")))

    assert bundle.rows() == []
    assert bundle.database.calls.count("BatchWriteItem") == 6


def test_emptying_stops_in_time_and_goes_on_when_repeated(bundle: Bundle) -> None:
    put(bundle)
    bundle.seconds_left = 2.0
    stopped = bundle.send("stats_cart", load("stats_cart/delete"))
    bundle.seconds_left = 20.0

    assert (stopped.status, stopped.body) == (503, {"error": "temporarily unavailable"})
    assert stopped.headers["Retry-After"] == "1"
    assert registered(bundle.send("stats_cart", load("stats_cart/delete")))
    assert bundle.rows() == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"path": {"session_id": "s" * 33}}, "session_id should have 32 characters or less"),
        ({"body": "[1]"}, "Invalid cart item data"),
        ({"body": "{"}, "Invalid cart item data"),
        ({"body": {}}, 'Following fields are missing: ["id", "index", "title"]'),
        ({"body": {**ITEM, "index": ""}}, 'Following fields are missing: ["index"]'),
        ({"body": {**ITEM, "amount": 0}}, "Invalid cart item data"),
    ],
)
def test_what_the_contract_refuses_is_400_and_writes_nothing(
    bundle: Bundle, changes: dict[str, Any], error: str
) -> None:
    answer = bundle.send("stats_cart", altered(load("stats_cart/put_body"), **changes))

    assert (answer.status, answer.body) == (400, {"error": error})
    assert (bundle.rows(), bundle.database.calls) == ([], [])


@pytest.mark.parametrize("event", ["put_body", "patch", "delete"])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"authorizer": None}, "forbidden"),
        ({"authorizer": {"kind": "customer"}}, "forbidden"),
        ({"authorizer": {"search_engines": "e" * 32}}, "forbidden"),
        ({"path": {"hashid": "e" * 32}}, "forbidden"),
        ({"path": {"hashid": HASHID + "0"}}, "forbidden"),
        ({"path": {"hashid": "nothex"}}, "forbidden"),
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
)
def test_who_may_not_ask_is_403_and_reaches_no_table(
    bundle: Bundle, event: str, changes: dict[str, Any], error: str
) -> None:
    answer = bundle.send("stats_cart", altered(load(f"stats_cart/{event}"), **changes))

    assert (answer.status, answer.body) == (403, {"error": error})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bundle.database.calls == []


def test_a_forwarding_header_is_not_believed(bundle: Bundle) -> None:
    assert registered(put(bundle, headers={"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}))
    assert put(bundle, headers={"X-Forwarded-For": "198.51.100.7"}, address="203.0.113.9").status == 403


def test_a_request_without_an_origin_or_with_a_listed_one_is_served(bundle: Bundle) -> None:
    only = {"allowed_origins": "https://a.example https://b.example"}

    assert registered(put(bundle, authorizer=only))
    assert registered(put(bundle, authorizer=only, headers={"origin": "https://b.example"}))


def test_an_unknown_method_is_404(bundle: Bundle) -> None:
    answer = bundle.send("stats_cart", altered(load("stats_cart/put_body"), method="POST"))

    assert (answer.status, answer.body) == (404, {"error": "not found"})
