"""A request is read once, and as API Gateway really sends it."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.web.refusals import RequestTooLarge
from serverless_cart.web.request import MAX_BODY_BYTES, NotJson, Request
from tests.support.builders import principal, request
from tools.support.events import HASHID, load

PUT = load("stats_cart/put")


def encoded(body: str) -> Request:
    """Read an event whose body is, or claims to be, base 64."""
    event = APIGatewayProxyEvent({**PUT, "body": body, "isBase64Encoded": True})
    return Request.from_event(event, principal(), lambda: 20.0)


@pytest.mark.parametrize("name", ["stats_cart/put_null_headers", "cart_items/post_null_headers"])
def test_null_headers_are_no_headers(name: str) -> None:
    assert request(load(name)).headers == {}


def test_header_names_are_case_insensitive() -> None:
    lower, mixed = request(load("stats_cart/put_other_case_headers")), request(load("stats_cart/put_query_repeated"))

    assert lower.headers["origin"] == mixed.headers["origin"] == "https://shop.example"
    assert request(load("cart_items/post_other_case_headers")).headers["idempotency-key"] == "order-form-42"


def test_repeated_parameter_last_one_counts() -> None:
    query = request(load("stats_cart/put_query_repeated")).query

    assert (query["id"], query["title"], query["amount"]) == ("MUG-7", "Enamel mug", "2")


def test_absent_parameters_are_empty() -> None:
    assert request(load("stats_cart/put")).query == {}
    assert request(load("cart_items/post")).path == {}


def test_path_is_percent_decoded_once() -> None:
    assert request(load("stats_cart/put_percent_encoded_session")).path == {
        "hashid": HASHID,
        "session_id": "besucher #1/ä*",
    }
    assert request(PUT, path={"session_id": "%2523+%2b%zz"}).path["session_id"] == "%23++%zz"


def test_absent_body_is_no_bytes() -> None:
    assert request(load("stats_cart/put_query")).body == b""
    assert request(PUT, body="").body == b""


def test_base64_body_is_decoded() -> None:
    assert request(load("stats_cart/put_base64_body")).json()["title"] == "Émaille-Becher ☕"
    assert request(load("cart_items/post_base64_body")).json()["notes"] == "Bitte gut einpacken \u2013 für Zoë 🎁"


def test_malformed_base64_body_is_not_json() -> None:
    with pytest.raises(NotJson):
        encoded("A").json()


def test_address_and_time_left_are_kept() -> None:
    it = Request.from_event(APIGatewayProxyEvent(PUT), principal(), lambda: 12.5)

    assert (it.address, it.time_left()) == ("198.51.100.7", 12.5)


@pytest.mark.parametrize("body", ["", "x", "x" * MAX_BODY_BYTES, "ä" * (MAX_BODY_BYTES // 2)], ids=len)
def test_body_of_a_mebibyte_is_accepted(body: str) -> None:
    request(PUT, body=body).check_size()


@pytest.mark.parametrize("body", ["x" * (MAX_BODY_BYTES + 1), "ä" * (MAX_BODY_BYTES // 2 + 1)], ids=len)
def test_larger_body_is_refused(body: str) -> None:
    with pytest.raises(RequestTooLarge):
        request(PUT, body=body).check_size()


INVALID = [
    "", " ", "{", "{]", "'a'", "NaN", '{"a": NaN}', "[Infinity]", "-Infinity", '{"a": 1e99999999999999999999}',
    "[" * 100000, '{"a":' * 100000, "1" * 5000, "�", "\ufeff{}", "{} {}", "\x00",
]  # fmt: skip


@pytest.mark.parametrize("body", INVALID, ids=lambda body: repr(body[:20]))
def test_invalid_or_excessive_json_is_refused(body: str) -> None:
    with pytest.raises(NotJson):
        request(PUT, body=body).json()


@pytest.mark.parametrize("body", [b"\xff", b'"\xff"', b"\xed\xa0\x80", '{"a": "ä"}'.encode("latin-1"), b"\x00"])
def test_bytes_not_utf_8_are_not_json(body: bytes) -> None:
    with pytest.raises(NotJson):
        encoded(base64.b64encode(body).decode()).json()


def test_fraction_is_read_exactly_as_written() -> None:
    assert request(PUT, body='[0.1, 1e400, 2, -0.0, {"a": 1, "a": 2}]').json() == [
        Decimal("0.1"),
        Decimal("1e400"),
        2,
        Decimal("-0.0"),
        {"a": 2},
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_json_is_read_as_it_was_sent(value: Any) -> None:
    assert request(PUT, body=json.dumps(value)).json() == value


@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        encoded(base64.b64encode(body).decode()).json()
    except NotJson:
        return
    json.loads(body)
