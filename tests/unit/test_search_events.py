"""The parameters of the events besides those of the cart: what is read, what is refused, and in which order."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.search_events import Click
from serverless_cart.domain.session import Session
from serverless_cart.web.request import Request
from serverless_cart.web.search_api import API, ERRORS, device_of
from serverless_cart.web.search_events import banner_click_of, checkout_of, click_of, redirect_of, start_of
from tests.support.builders import SESSION, request, without
from tools.support.events import HASHID, load

INDEX, MD5 = "my-index_2", "E1" * 16
DFID = f"{HASHID.upper()}@{INDEX}@{MD5}"
SENT: dict[str, tuple[Callable[[Request], Any], dict[str, Any]]] = {
    "init": (start_of, {"session_id": SESSION}),
    "click": (click_of, {"dfid": DFID, "session_id": SESSION}),
    "image": (banner_click_of, {"id": "27", "session_id": SESSION}),
    "redirect": (redirect_of, {"session_id": SESSION, "id": "27"}),
    "checkout": (checkout_of, {"session_id": SESSION}),
}
"""Each event's parser, and its required fields in the vendor's order."""
BAD, DFID_INVALID, ID_INVALID, USER_INVALID = ("Bad request", "Bad request, dfid is invalid", "Invalid redirect id",
                                               "invalid_user_id")  # fmt: skip
OTHER_ENGINE = "Item hashid must be the same as search engine hashid"
TOO_LONG = "session_id should have 32 characters or less"
every_event = pytest.mark.parametrize("event", SENT)


def read(event: str, **fields: Any) -> Any:
    """Read an event whose body has the required fields, changed."""
    parse, required = SENT[event]
    return parse(request(load(f"stats_events/{event}"), query={}, body={**required, **fields}))


def asked(event: str, **fields: Any) -> Any:
    """Read an event without a body whose query string has the required fields, changed."""
    parse, required = SENT[event]
    return parse(request(load(f"stats_events/{event}"), query={**required, **fields}, body=None))


def refuses(parse: Callable[..., object], *arguments: Any, **fields: Any) -> str:
    """Return the error text of a refusal."""
    with pytest.raises(Refusal) as refusal:
        parse(*arguments, **fields)
    status, text = ERRORS[type(refusal.value)]
    assert status == 400
    return API.describe(refusal.value, text, None)[0]


def test_click_is_read_with_all_its_fields() -> None:
    fields = {"user_id": "u", "query": "mug", "position": 3, "custom_results_id": 7, "resource_id": "r"}
    expected = Click(Session(HASHID, SESSION), "desktop", INDEX, MD5.lower(), "u", "mug", 3, "7", "r")

    assert read("click", **fields) == asked("click", **fields) == expected
    assert asked("click", query="").query is read("click").query is None


@every_event
def test_body_wins_and_unknown_fields_are_ignored(event: str) -> None:
    parse, required = SENT[event]
    query = dict.fromkeys(required, "x" * 99) | {"random": "1", "hashid": "x"}
    it = request(
        load(f"stats_events/{event}"), query=query, body={**required, "nested": {}}, path={"hashid": f"{HASHID}-es"}
    )

    assert parse(it) == read(event)


@every_event
@pytest.mark.parametrize("absent", ["absent", None, ""])
def test_missing_fields_are_listed_in_order(event: str, absent: str | None) -> None:
    parse, required = SENT[event]
    for names in [*([name] for name in required), list(required)]:
        fields = without(required, *names) | ({} if absent == "absent" else dict.fromkeys(names, absent))
        it = request(load(f"stats_events/{event}"), query={}, body=fields)

        assert refuses(parse, it) == f"[{', '.join(names)}] fields are missing"


@every_event
@pytest.mark.parametrize("body", ["[]", "1", "null", "{", " ", "x=1", '{"a": NaN}', b"\xff", "[" * 100_000])
def test_body_without_an_object_comes_first(event: str, body: str | bytes) -> None:
    assert refuses(SENT[event][0], request(load(f"stats_events/{event}"), query={}, body=body)) == BAD


Wrong = tuple[str, dict[str, object], str]


def each(event: str, field: str, values: Sequence[object], error: str) -> list[Wrong]:
    return [(event, {field: value}, error) for value in values]


OTHERS: list[object] = [7, True, [], "\ud800"]
NO_DFIDS = [
    7,
    DFID[1:],
    DFID[:-1],
    f"{DFID}\n",
    f"{HASHID}@a b@{MD5}",
    f"{HASHID}@@{MD5}",
    f"{HASHID}@ä@{MD5}",
    "\ud800",
]
NO_IDS = ["x", "1.5", "-1", -1, 1.5, True, "1\n", "\N{ARABIC-INDIC DIGIT ONE}", "1" * 257, [], 10**300]
WRONG: list[Wrong] = [
    ("init", {"session_id": "s" * 33, "user_id": "u" * 37}, TOO_LONG),
    ("init", {"session_id": 7, "user_id": "u" * 37}, USER_INVALID),
    *each("init", "user_id", OTHERS, USER_INVALID),
    *each("init", "session_id", OTHERS, BAD),
    ("click", {"session_id": "s" * 33, "dfid": "x"}, TOO_LONG),
    ("click", {"session_id": 7, "dfid": "x", "query": 7}, DFID_INVALID),
    *each("click", "dfid", NO_DFIDS, DFID_INVALID),
    ("click", {"dfid": f"{'e' * 32}@i@{MD5}", "query": 7}, OTHER_ENGINE),
    *each("click", "user_id", ["u" * 37, 7], BAD),
    *each("click", "query", ["q" * 201, 7, "\ud800"], BAD),
    *each("click", "position", [0, 1.5, True, "x", 10**6 + 1], BAD),
    *each("click", "custom_results_id", ["c" * 65, 10**64, []], BAD),
    *each("click", "resource_id", ["r" * 65, True], BAD),
    *each("image", "id", NO_IDS, ID_INVALID),
    *each("redirect", "id", NO_IDS, ID_INVALID),
    ("image", {"id": "x", "session_id": 7, "query": 7}, ID_INVALID),
    ("redirect", {"id": "x", "session_id": 7, "query": 7}, ID_INVALID),
    *each("image", "query", ["q" * 201], BAD),
    *each("redirect", "session_id", ["s" * 33], BAD),
    ("checkout", {"session_id": "s" * 33, "user_id": 7}, TOO_LONG),
    ("checkout", {"user_id": 7, "sources": 7}, USER_INVALID),
    *each("checkout", "sources", [7, [7], [None], [""], ["s" * 65], ["s"] * 11, {}, ["\ud800"]], BAD),
]


@pytest.mark.parametrize(("event", "fields", "error"), WRONG)
def test_first_error_of_the_contract_is_given(event: str, fields: dict[str, object], error: str) -> None:
    assert refuses(read, event, **fields) == error


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        *((event, {"session_id": "ü" * 32}) for event in SENT),
        *((event, {"user_id": "ü" * 36}) for event in ("init", "click", "checkout")),
        *((event, {"query": "ü" * 200}) for event in ("click", "image", "redirect")),
        ("click", {"position": 10**6, "custom_results_id": "c" * 64, "resource_id": "r" * 64}),
        ("checkout", {"sources": ["ü" * 64] * 10}),
    ],
)
def test_fields_of_the_largest_length_are_read(event: str, fields: dict[str, Any]) -> None:
    assert read(event, **fields) == asked(event, **fields)


@pytest.mark.parametrize("position", [3, "3", 3.0, "03", "3.0"])
def test_position_is_a_number_or_its_text(position: object) -> None:
    assert read("click", position=position).position == 3


@pytest.mark.parametrize("event", ["image", "redirect"])
@pytest.mark.parametrize(("id_", "text"), [(27, "27"), (0, "0"), ("007", "007"), (2.0, "2"), (10**30, str(10**30))])
def test_id_is_digits_or_a_number(event: str, id_: object, text: str) -> None:
    assert read(event, id=id_).id == text


@pytest.mark.parametrize(
    "query",
    [
        {"sources": ["a", "b"]},
        {"sources[]": ["a", "", "b"]},
        {"sources[0]": "a", "sources[1]": "b"},
    ],
)
def test_sources_are_read_from_a_query_string(query: dict[str, Any]) -> None:
    assert asked("checkout", **query).sources == read("checkout", sources=["a", "b"]).sources == ("a", "b")
    assert asked("checkout", sources="").sources == ()


@pytest.mark.parametrize(
    ("headers", "device"),
    [
        ({"Sec-CH-UA-Mobile": "?1", "User-Agent": "Mozilla/5.0 (X11; Linux)"}, "mobile"),
        ({"Sec-CH-UA-Mobile": "?0", "User-Agent": "Mozilla/5.0 (Android) Mobile"}, "desktop"),
        ({"Sec-CH-UA-Mobile": "x", "User-Agent": "Opera Mobi/1"}, "mobile"),
        ({"User-Agent": "Mozilla/5.0 (X11; Linux)"}, "desktop"),
        (None, "desktop"),
    ],
)
def test_device_is_that_of_the_headers(headers: dict[str, str] | None, device: str) -> None:
    assert device_of(request(load("stats_events/init"), headers=headers)) == device
