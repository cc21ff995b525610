"""Events such as a gateway hands over when a client means harm: whatever comes is judged, and nothing is a fault."""

import base64
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
    "stats_cart/put_body",
    "stats_cart/patch",
    "stats_cart/delete",
    "cart/get",
    "cart/patch",
    "cart/delete",
    "cart_items/post",
    "cart_items/patch_both",
    "cart_items/delete",
]
"""A good request of every route."""
WITH_BODY = [name for name in EVENTS if not name.endswith(("delete", "get"))]
STATUSES = {200, 304, 400, 403, 404, 412, 422}
"""What a good token may be answered, whatever comes with it."""
OURS = (f"SESSION#{HASHID}#", keys.cart(OWNER).pk)
"""What the events' tokens may change."""

# ----------------------------------------------------------------------------------------------------------------------
# What the local cloud changes or keeps to itself before a function sees it
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize(
    "body",
    [b"\xff", b'{"a": "\xed\xa0\x80"}', b'{"a": "\xc0\xaf"}', '{"a": "ü"}'.encode("latin-1"), b"\x00" * 9, b"\x1f\x8b"],
    ids=repr,
)
def test_bytes_that_are_no_utf_8_are_refused(shop: Bundle, name: str, body: bytes) -> None:
    event = {**load(name), "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    before = shop.rows()

    assert shop.send(name.partition("/")[0], event).status == 400

    assert shop.rows() == before


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
def test_a_session_id_is_a_name_and_nothing_else(bundle: Bundle, spelled: str, session_id: str) -> None:
    event = altered(load("stats_cart/put_body"), path={"session_id": spelled})

    assert bundle.send("stats_cart", load("stats_cart/put_body")).status == 200
    answer = bundle.send("stats_cart", event)

    assert answer.status == 200
    sent = json.loads(event["body"])
    item = ItemKey(sent["index"], sent["id"])
    names = [keys.session_item(Session(HASHID, id_), item) for id_ in (SESSION, session_id)]
    assert sorted((row["pk"], row["sk"]) for row in bundle.rows()) == sorted(names)
    assert "\n" not in "".join(answer.headers.values())


@pytest.mark.parametrize(
    "id_", ["%0A", "..%2F..%2Fcart", "%2A", "%23", "CART%23demo", "%ED%A0%80", "\ud800", "1" * 9_000]
)
@pytest.mark.parametrize("name", ["cart_items/patch_both", "cart_items/delete"])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
def test_an_item_id_that_is_none_is_not_found(shop: Bundle, name: str, id_: str, headers: dict[str, str]) -> None:
    add(shop)
    row = shop.cart_row()

    answer = shop.send("cart_items", altered(load(name), path={"id": id_}, headers=headers))

    assert (answer.status, answer.body) == (404, {"error": "item not found"})
    assert shop.cart_row() == row


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("method", ["HEAD", "TRACE", "CONNECT", "OPTIONS", "QUERY", ""])
def test_a_method_that_no_route_has_is_not_found(shop: Bundle, name: str, method: str) -> None:
    answer = shop.send(name.partition("/")[0], altered(load(name), method=method))

    assert (answer.status, answer.body) == (404, {"error": "not found"})
    assert shop.database.calls == []


@pytest.mark.parametrize(
    "token", ["Token {0},Token {0}", "Token {0}, Token {1}", "Token {0}\r\n Token {1}", "Token {0}\n"]
)
def test_two_tokens_in_one_header_are_none(shop: Bundle, token: str) -> None:
    event = load("authorizer/customer_token")

    judgement = shop.authorize({**event, "authorizationToken": token.format("1" * 40, "0" * 40)})

    (statement,) = judgement["policyDocument"]["Statement"]
    assert (statement["Effect"], judgement.get("context")) == ("Deny", None)


# ----------------------------------------------------------------------------------------------------------------------
# Whatever comes
# ----------------------------------------------------------------------------------------------------------------------

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
    """Draw an event that is like a good one but for some of its parts."""
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
def test_whatever_comes_is_answered_in_the_contracts_words_and_changes_nobody_elses_data(
    shop: Bundle, name: str
) -> None:
    @settings(max_examples=60, deadline=None)
    @given(event=events(name))
    def judged(event: Event) -> None:
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

    judged()

    assert [row for row in shop.rows() if not row["pk"].startswith(OURS)] == others
