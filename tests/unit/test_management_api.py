"""The requests and answers of the Management API."""

from typing import Any

import pytest

from serverless_cart.web.management_api import BadParameters, customer_and_lifetime_of, customer_of, token_answer
from tests.support.builders import request
from tools.support.events import NOW, load

POST = load("customer_tokens/post")


def faults(**changes: Any) -> set[str]:
    """Return the fields that a request is refused for."""
    with pytest.raises(BadParameters) as refusal:
        customer_and_lifetime_of(request(POST, **changes))
    assert all(messages and all(messages) for messages in refusal.value.details.values())
    return set(refusal.value.details)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        *((body, 2_592_000) for body in (None, "", " \n", "{}", {}, {"more": 1})),
        *(({"expires_in": seconds}, seconds) for seconds in (60, 61, 86_400, 31_536_000)),
        *((f'{{"expires_in": {number}}}', 60) for number in ("60.0", "6e1", "6.00E+1")),
    ],
)
def test_lifetime_is_read_or_thirty_days(body: Any, seconds: int) -> None:
    assert customer_and_lifetime_of(request(POST, body=body)) == ("customer-1", seconds)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *(({"expires_in": wrong}, "expires_in") for wrong in (59, 0, -60, 31_536_001, 10**30, 60.5)),
        *(({"expires_in": wrong}, "expires_in") for wrong in ("60", True, None, [60], {"seconds": 60})),
        *(
            (body, "body")
            for body in ("[]", "null", "60", '"60"', "{", "expires_in=60", '{"expires_in": NaN}', b"\xff")
        ),
    ],
)
def test_other_body_is_refused(body: Any, field: str) -> None:
    assert faults(body=body) == {field}


@pytest.mark.parametrize(
    ("encoded", "customer"),
    [
        *(("customer-1", "customer-1"), ("Zo%C3%AB", "Zoë"), ("a%20b", "a b"), ("a+b", "a+b"), ("%2525", "%25")),
        *(
            ("a%2Fb", "a/b"),
            ("%23%3F%26", "#?&"),
            ("tokens", "tokens"),
            ("x" * 256, "x" * 256),
            ("%F0%9F%8E%81" * 64, "🎁" * 64),
        ),
    ],
)
def test_customer_is_decoded_once(encoded: str, customer: str) -> None:
    asked = request(POST, path={"customer": encoded})

    assert customer_of(asked) == customer_and_lifetime_of(asked)[0] == customer


@pytest.mark.parametrize(
    "encoded",
    [
        *("%20", "%20a", "a%20", "%C2%A0a", "a%00", "a%0Ab", "%7F", "a%E2%80%A8", "x" * 257, "%C3%AB" * 129),
        *("%FF", "Zo%EB", "a%C3", "%ED%A0%80", "%EF%BF%BD", "a\ufffd"),
    ],
)
def test_other_customer_is_refused(encoded: str) -> None:
    assert faults(path={"customer": encoded}) == {"customer"}
    with pytest.raises(BadParameters):
        customer_of(request(POST, path={"customer": encoded}))


def test_all_faults_are_listed_at_once() -> None:
    assert faults(path={"customer": "%20"}, body={"expires_in": 1}) == {"customer", "expires_in"}


def test_token_is_answered_with_its_end() -> None:
    answer = token_answer("0" * 40, NOW // 1000)

    assert answer.status_code == 201
    assert answer.body == f'{{"token":"{"0" * 40}","expires_at":"2025-11-21T12:34:56.000Z"}}'
    assert answer.headers == {"Content-Type": "application/json", "Cache-Control": "no-store"}
