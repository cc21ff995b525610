"""Hostile requests as the gateway passes them on: each gets an answer of the contract, and none causes a fault."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from tests.support.builders import OWNER, SESSION
from tests.support.bundle import Bundle
from tests.support.cart_requests import add
from tools.support.events import HASHID, Event, altered, load

EVENTS = [
    "stats_cart/put",
    "stats_cart/patch",
    "stats_cart/delete",
    *(f"stats_events/{event}" for event in ("init", "click", "click_get", "image", "redirect", "checkout")),
    "cart/get",
    "cart/patch",
    "cart/delete",
    "cart_items/post",
    "cart_items/patch",
    "cart_items/delete",
]
"""A good request of every route."""
STATUSES = {200, 304, 400, 403, 404, 412, 422}
"""The statuses of requests with a good token."""
OURS = (f"SESSION#{HASHID}#", keys.cart(OWNER).pk)
"""The partitions that the tokens of the events may change."""


@pytest.mark.parametrize(
    ("spelled", "session_id"),
    [
        ("a%0Ab", "a\nb"),
        ("%0D%0ASet-Cookie:%20x", "\r\nSet-Cookie: x"),
        ("a%2Fb", "a/b"),
        ("..%2F..%2Flive", "../../live"),
        ("a%252Fb", "a%2Fb"),
        (f"x%23SESSION%23{HASHID[:12]}", f"x#SESSION#{HASHID[:12]}"),
        ("*", "*"),
        ("%00", "\x00"),
    ],
)
def test_session_id_never_reaches_another_key(bundle: Bundle, spelled: str, session_id: str) -> None:
    event = altered(load("stats_cart/put"), path={"session_id": spelled})

    assert bundle.send("stats_cart", load("stats_cart/put")).status == 200
    answer = bundle.send("stats_cart", event)

    assert answer.status == 200
    sent = json.loads(event["body"])
    item = ItemKey(sent["index"], sent["id"])
    names = [keys.session_item(Session(HASHID, id_), item) for id_ in (SESSION, session_id)]
    assert sorted((row["pk"], row["sk"]) for row in bundle.rows()) == sorted(names)
    assert "\n" not in "".join(answer.headers.values())


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("method", ["HEAD", "TRACE", "CONNECT", "OPTIONS", "QUERY", ""])
def test_unknown_method_is_not_found(shop: Bundle, name: str, method: str) -> None:
    answer = shop.send(name.partition("/")[0], altered(load(name), method=method))

    assert (answer.status, answer.body) == (404, {"error": "not found"})
    assert shop.database.calls == []


@pytest.mark.parametrize(
    "token", ["Token {0},Token {0}", "Token {0}, Token {1}", "Token {0}\r\n Token {1}", "Token {0}\n"]
)
def test_two_tokens_in_one_header_are_refused(shop: Bundle, token: str) -> None:
    event = load("authorizer/customer_token")

    answer = shop.authorize(altered(event, token=token.format("1" * 40, "0" * 40)))

    (statement,) = answer["policyDocument"]["Statement"]
    assert (statement["Effect"], answer.get("context")) == ("Deny", None)


texts = st.text(max_size=40) | st.text(st.sampled_from("#*%/\\.:\"'\x00\r\n{}[]0123456789aZ \ud800🎁"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(7) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["product", "quantity", "notes", "address", "shipping_method", "payment_method", "id", "index", "title",
          "amount", "price"]  # fmt: skip
HEADERS = ["If-Match", "If-None-Match", "Idempotency-Key", "idempotency-key", "Origin", "Content-Type", "Authorization",
           "Content-Encoding", "X-HTTP-Method-Override", "X-Forwarded-For", "Host"]  # fmt: skip
bodies = (
    st.none()
    | texts
    | st.dictionaries(st.sampled_from(FIELDS) | texts, values, max_size=6).map(json.dumps)
    | st.sampled_from(
        ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000, '{"product": 1e400}', '{"id": NaN}', '{"id": 1e-400}']
    )
)


@st.composite
def events(draw: st.DrawFn, name: str) -> Event:
    """Generate an event that differs from a good one in some of its parts."""
    event = altered(load(name), headers=draw(st.dictionaries(st.sampled_from(HEADERS), texts, max_size=3)))
    if draw(st.booleans()):
        event["pathParameters"] = {
            part: draw(texts) if part != "hashid" or draw(st.booleans()) else value
            for part, value in (event["pathParameters"] or {}).items()
        } or None
    event["multiValueQueryStringParameters"] = draw(
        st.none()
        | st.dictionaries(st.sampled_from(FIELDS) | texts, st.lists(texts, min_size=1, max_size=2), max_size=4)
    )
    event["body"] = draw(st.just(event["body"]) | bodies)
    event["isBase64Encoded"] = draw(st.booleans()) and event["body"] is not None
    return event


@pytest.mark.parametrize("name", EVENTS)
def test_generated_request_is_answered_by_the_contract(shop: Bundle, name: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(event=events(name))
    def check(event: Event) -> None:
        answer = shop.send(name.partition("/")[0], event)
        assert answer.status in STATUSES
        assert (answer.status == 304) is (answer.body is None)
        if answer.status >= 400:
            assert isinstance(answer.body["error"], str)

    add(shop)
    shop.send(
        "cart_items", altered(load("cart_items/post"), authorizer={"customer": "customer-2"}, body={"product": 123})
    )
    others = [row for row in shop.rows() if not row["pk"].startswith(OURS)]
    assert others

    check()

    assert [row for row in shop.rows() if not row["pk"].startswith(OURS)] == others
