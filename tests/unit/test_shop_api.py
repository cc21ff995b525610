"""The Shop API: its requests in, field by field, and its cart out."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import Response
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, ItemAddition, ItemUpdate, Selections, price
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.product import Product
from serverless_cart.domain.public_ids import item_id
from serverless_cart.service.cart import CartChanged, Outcome, Preconditions
from serverless_cart.service.ports import IdempotencyKey
from serverless_cart.web.request import Request
from serverless_cart.web.shop_api import (
    API,
    NO_ITEM,
    InvalidRequest,
    addition_of,
    cart_answer,
    item_answer,
    item_of,
    item_update_of,
    owner_of,
    preconditions_of,
    selections_of,
    unless_known,
)
from tests.support.builders import OWNER, cart, item, product, request
from tools.support.events import NOW, Event, load

POST = load("cart_items/post")
ITEM = load("cart_items/patch")
CART = load("cart/patch")
NUMBER = item_id(OWNER, 123)
Reader = Callable[[Request], Any]
READERS: dict[str, tuple[Event, Reader]] = {
    "add": (POST, addition_of),
    "update": (ITEM, item_update_of),
    "select": (CART, selections_of),
    "remove": (load("cart_items/delete"), preconditions_of),
    "clear": (load("cart/delete"), preconditions_of),
}
"""The readers of every change, each with a request; the last value that it returns are the preconditions."""
every_change = pytest.mark.parametrize("kind", READERS)
with_body = pytest.mark.parametrize("kind", ["add", "update", "select"])


def read(kind: str, **changes: Any) -> Any:
    """Read a change, its request changed as `altered` does."""
    event, reader = READERS[kind]
    return reader(request(event, **changes))


def refused(kind: str, **changes: Any) -> dict[str, list[str]]:
    """Return the details of a refusal."""
    with pytest.raises(InvalidRequest) as refusal:
        read(kind, **changes)
    return refusal.value.details


def preconditions(kind: str, **changes: Any) -> Preconditions:
    found = read(kind, **changes)
    last: Preconditions = found if isinstance(found, Preconditions) else found[-1]
    return last


def used(kind: str, **changes: Any) -> IdempotencyKey:
    """Return the key of a change with an Idempotency-Key."""
    key = preconditions(kind, **{"headers": {"Idempotency-Key": "k"}, **changes}).key
    assert key
    return key


# ----------------------------------------------------------------------------------------------------------------------
# Bodies
# ----------------------------------------------------------------------------------------------------------------------


def test_sample_request_is_read() -> None:
    assert read("add") == (ItemAddition(123, 2, "Please pack carefully"), Preconditions())
    assert owner_of(request(POST)) == OWNER


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("add", {"product": 123}, ItemAddition(123, 1, None)),
        ("add", {"product": 123, "notes": ""}, ItemAddition(123, 1, "")),
        ("add", {"product": 0, "quantity": 9999}, ItemAddition(0, 9999, None)),
        ("add", {"product": -1, "quantity": 2.0, "x": [1]}, ItemAddition(-1, 2, None)),
        ("add", {"product": 2**70, "notes": "🎁" * 500}, ItemAddition(2**70, 1, "🎁" * 500)),
        ("add", {"product": 1, "notes": "a\nb\x00"}, ItemAddition(1, 1, "a\nb\x00")),
        ("update", {"quantity": 1}, ItemUpdate(1, None)),
        ("update", {"quantity": 9999}, ItemUpdate(9999, None)),
        ("update", {"quantity": 2.0}, ItemUpdate(2, None)),
        ("update", {"notes": ""}, ItemUpdate(None, "")),
        ("update", {"notes": "🎁" * 500}, ItemUpdate(None, "🎁" * 500)),
        ("update", {"quantity": 5, "notes": "red", "product": 7}, ItemUpdate(5, "red")),
        ("select", {}, {}),
        ("select", {"address": 0}, {"address": 0}),
        ("select", {"address": 2**53 - 1, "items": [], "total": 0}, {"address": 2**53 - 1}),
        ("select", {"shipping_method": 3, "payment_method": None}, {"shipping_method": 3, "payment_method": None}),
    ],
)
def test_body_has_the_given_fields_only(kind: str, body: dict[str, Any], expected: object) -> None:
    assert read(kind, body=body)[0] == expected


WRONG: dict[str, list[object]] = {
    "product": ["2", "2.0", "", 2.5, 0.5, True, False, None, [], {}, [1], 1e400],
    "quantity": ["2", 2.5, 0.0, 1.0000000001, True, None, [], {}, 0, -1, 10_000, 2**70],
    "notes": [1, True, None, [], {}, "x" * 501, "🎁" * 501, "\ud800", "\udfff\ud800", "a\udbff", "\ud83dA"],
    **{name: ["2", "", 2.5, True, False, [], {}, -1, 2**53, 10**30] for name in Selections._fields},
}
RIGHT = {"add": {"product": 1}, "update": {}, "select": dict.fromkeys(Selections._fields, 1)}
FIELDS = {"add": ["product", "quantity", "notes"], "update": ["quantity", "notes"], "select": Selections._fields}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [(kind, field, value) for kind, fields in FIELDS.items() for field in fields for value in WRONG[field]],
)
def test_wrong_field_is_named_alone(kind: str, field: str, value: object) -> None:
    body = json.dumps({**RIGHT[kind], field: value}).replace("Infinity", "1e400")

    details = refused(kind, body=body)
    assert list(details) == [field]
    assert len(details[field]) == 1
    assert details[field][0]
    assert "pydantic" not in str(details)


@pytest.mark.parametrize(
    ("kind", "body", "names"),
    [
        ("add", {"quantity": 0, "notes": None}, ["Idempotency-Key", "notes", "product", "quantity"]),
        ("update", {"quantity": 0, "notes": None}, ["Idempotency-Key", "notes", "quantity"]),
        ("select", {"address": "1", "payment_method": -1}, ["Idempotency-Key", "address", "payment_method"]),
    ],
)
def test_all_wrong_fields_are_named(kind: str, body: object, names: list[str]) -> None:
    assert sorted(refused(kind, body=body, headers={"Idempotency-Key": "a b"})) == names


@pytest.mark.parametrize("number", ["2.0", "2e0", "2.000", "20e-1", "0.2e1", "2" + "." + "0" * 5000])
def test_integer_in_any_json_notation_is_read(number: str) -> None:
    """JSON Schema has no other integers, and JavaScript has none either."""
    addition, _ = read("add", body=f'{{"product": {number}, "quantity": {number}}}')

    assert addition == ItemAddition(2, 2, None)
    assert type(addition.product_id) is type(addition.quantity) is int


@pytest.mark.parametrize(
    "number", ["1e20", "1e400", "1e-400", "-1e400", "1" + "0" * 40 + ".0", "2.00000000000000000000000000001"]
)
def test_fraction_and_huge_number_are_refused(number: str) -> None:
    assert list(refused("add", body=f'{{"product": {number}}}')) == ["product"]


@with_body
@pytest.mark.parametrize("body", ["", " ", "[]", "[1]", "null", "1", '"a"', "true", "{", "NaN", "[" * 100_000, None])
def test_body_without_an_object_is_refused(kind: str, body: str | None) -> None:
    assert refused(kind, body=body) == {"body": ["must be a JSON object"]}


@pytest.mark.parametrize("body", ["{}", '{"product": 7}', '{"Quantity": 1}'])
def test_update_of_nothing_is_refused(body: str) -> None:
    assert refused("update", body=body) == {"body": ["quantity or notes is required"]}


@pytest.mark.parametrize("reader", [addition_of, item_update_of])
def test_lower_limit_is_applied(reader: Callable[[Request, Limits], Any]) -> None:
    limits_ = Limits(item_quantity=50)
    assert reader(request(POST, body={"product": 1, "quantity": 50}), limits_)[0].quantity == 50

    with pytest.raises(InvalidRequest) as refusal:
        reader(request(POST, body={"product": 1, "quantity": 51}), limits_)
    assert refusal.value.details == {"quantity": ["Input should be less than or equal to 50"]}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["product", "quantity", "notes", "other", *Selections._fields])


@given(st.dictionaries(names, anything) | anything)
def test_any_body_is_refused_or_within_bounds(body: Any) -> None:
    def is_integer(value: object, low: int, high: int) -> bool:
        return type(value) is int and low <= value <= high

    with contextlib.suppress(InvalidRequest):
        addition, _ = read("add", body=json.dumps(body))
        assert type(addition.product_id) is int
        assert is_integer(addition.quantity, 1, 9999)
        assert addition.notes is None or len(addition.notes) <= 500
    with contextlib.suppress(InvalidRequest):
        quantity, notes = read("update", body=json.dumps(body))[0]
        assert quantity is not None or notes is not None
        assert quantity is None or is_integer(quantity, 1, 9999)
        assert notes is None or len(notes) <= 500
    with contextlib.suppress(InvalidRequest):
        for selected in read("select", body=json.dumps(body))[0].values():
            assert selected is None or is_integer(selected, 0, 2**53 - 1)


# ----------------------------------------------------------------------------------------------------------------------
# Idempotency-Key
# ----------------------------------------------------------------------------------------------------------------------


@every_change
def test_every_change_takes_a_key_and_versions(kind: str) -> None:
    assert preconditions(kind) == Preconditions()
    both = preconditions(kind, headers={"Idempotency-Key": "k", "If-Match": '"7-ab"'})
    assert both == Preconditions(used(kind), frozenset({7}))


@pytest.mark.parametrize("key", ["k", "!~", "k" * 255, '"quoted"'])
def test_key_of_255_characters_is_accepted(key: str) -> None:
    assert preconditions("add", headers={"Idempotency-Key": key}).key is not None


@every_change
@pytest.mark.parametrize("key", ["k" * 256, "a b", " ", "ä", "a\x00", "a\x7f", "🎁", "a\n", "\t"])
def test_any_other_key_is_refused(kind: str, key: str) -> None:
    assert list(refused(kind, headers={"Idempotency-Key": key})) == ["Idempotency-Key"]


def test_empty_key_counts_as_absent() -> None:
    assert preconditions("add", headers={"Idempotency-Key": ""}).key is None


def test_key_and_request_are_digested() -> None:
    key = used("add", headers={"Idempotency-Key": "order-42"}, body={"product": 123, "notes": "please"})

    assert "order-42" not in repr(key)
    assert "please" not in repr(key)


BODY = {"product": 123, "quantity": 2, "notes": "red"}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("add", {"body": json.dumps(dict(reversed(BODY.items())), indent=3)}),
        ("add", {"body": {**BODY, "ignored": 1}}),
        ("add", {"body": {**BODY, "quantity": 2.0}}),
        ("add", {"body": BODY, "headers": {"Idempotency-Key": "k", "If-Match": "*", "User-Agent": "another"}}),
        ("add", {"body": BODY, "address": "192.0.2.1"}),
        ("add", {"body": BODY, "slash": True}),
        *((kind, {"slash": True, "body": BODY}) for kind in ("update", "remove", "clear")),
        ("update", {"path": {"id": "%36%38%377149277336005"}, "body": BODY}),
        *((kind, {"body": body}) for kind in ("remove", "clear") for body in (None, "[]", "{", "x" * 1000)),
    ],
)
def test_same_request_has_the_same_fingerprint(kind: str, changes: dict[str, Any]) -> None:
    assert used(kind, **changes) == used(kind, body=BODY)


def test_requests_have_distinct_fingerprints() -> None:
    """Of routes, methods, items and bodies; a value differs from an absent one."""
    keys = [
        *(used(kind) for kind in READERS),
        *(used(kind, path={"id": "8"}) for kind in ("update", "remove")),
        *(used("update", body=body) for body in ({"quantity": 1}, {"notes": ""}, {"quantity": 1, "notes": ""})),
        *(used("update", body=body) for body in ({"notes": "1"}, {"quantity": 2})),
        used("update", body={"quantity": 1}, path={"id": "8"}),
        *(used("select", body={name: value}) for name in Selections._fields for value in (None, 0, 1)),
        *(used("select", body=body) for body in ({}, {"address": None, "payment_method": None})),
        *(used("add", body={"product": 123, **more}) for more in ({}, {"quantity": 3}, {"notes": ""})),
        *(used("add", body=BODY | more) for more in ({}, {"product": 124}, {"quantity": 3}, {"notes": "Red"})),
        used("add", body=BODY, method="PATCH"),
    ]

    assert {key.digest for key in keys} == {keys[0].digest}
    assert len({key.fingerprint for key in keys}) == len(keys)


# ----------------------------------------------------------------------------------------------------------------------
# Item ids
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *((text, int(text)) for text in ("0", "7", "007", str(2**53 - 1), str(NUMBER), "9" * 16)),
        ("%36%38%377149277336005", NUMBER),
        *((text, NO_ITEM) for text in ("", "-1", "+1", "1.0", "1e3", "abc", "7a", " 7", "7%0A", "0x7", "1,2")),
        *((text, NO_ITEM) for text in ("\u0667", "%D9%A7", "9" * 17, "first%20item%2F%C3%A4")),
    ],
)
def test_item_id_is_an_integer_of_16_digits(text: str, number: int) -> None:
    assert item_of(request(ITEM, path={"id": text})) == number


# ----------------------------------------------------------------------------------------------------------------------
# If-Match
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["", " ", "*", " * "])
def test_asterisk_allows_any_version(form: str) -> None:
    assert preconditions("add", headers={"If-Match": form}).versions is None


@pytest.mark.parametrize(
    ("form", "versions"),
    [
        ('"7-ab"', {7}),
        ('W/"7-ab"', {7}),
        ('"7-ab", "8-00"', {7, 8}),
        ('"1763728496789-0123456789abcdef"', {1763728496789}),
        ('"0-ab"', {0}),
        ("7-ab", set()),
        ('"7"', set()),
        ('"-7-ab"', set()),
        ('"7-AB"', set()),
        ("nonsense", set()),
        (f'"{"9" * 17}-ab"', set()),
    ],
)
def test_if_match_names_versions_only_by_tags(form: str, versions: set[int]) -> None:
    assert preconditions("add", headers={"If-Match": form}).versions == frozenset(versions)


# ----------------------------------------------------------------------------------------------------------------------
# The cart
# ----------------------------------------------------------------------------------------------------------------------


READ = request(load("cart/get"))


def parts(response: Response[str]) -> tuple[Any, dict[str, str]]:
    """Return the JSON and the headers of an answer with status 200."""
    assert response.status_code == 200
    return json.loads(response.body or ""), {name: str(value) for name, value in response.headers.items()}


def answer(it: Cart, **outcome: Any) -> tuple[Any, dict[str, str]]:
    return parts(cart_answer(READ, Outcome(price(OWNER, it), **outcome)))


def test_unwritten_cart_is_empty_without_times() -> None:
    body, headers = answer(Cart())

    assert body["created_at"] is body["updated_at"] is body["address"] is None
    assert (body["is_empty"], body["count"], body["total"], body["items"], body["warnings"]) == (True, 0, 0, [], [])
    assert headers["ETag"].startswith('"0-')


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (NOW, "2025-11-21T12:34:56.789Z"),
        (NOW - 789, "2025-11-21T12:34:56.000Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (4_102_444_800_001, "2100-01-01T00:00:00.001Z"),
    ],
)
def test_times_are_iso_8601_in_utc(milliseconds: int, text: str) -> None:
    it = cart(item(product(), added_at=milliseconds, updated_at=NOW), created_at=milliseconds)

    body, _ = answer(it)
    assert body["created_at"] == body["items"][0]["created_at"] == text
    assert body["items"][0]["updated_at"] == "2025-11-21T12:34:56.789Z"


def test_cart_figures_are_those_of_its_items() -> None:
    body, _ = answer(
        cart(item(product(7), 2), item(product(8, price=10, discount=3), 5), selections=Selections(address=4))
    )

    assert (body["count"], body["quantity"], body["is_empty"], body["address"]) == (2, 7, False, 4)
    assert [line["total"] for line in body["items"]] == [2000, 35]
    assert (body["items_subtotal"], body["items_discount"], body["subtotal"], body["total"]) == (2550, 515, 2035, 2035)
    assert all(0 <= body[name] < 2**53 for name in ("id", "total"))


def test_texts_are_answered_unchanged_in_utf_8() -> None:
    it = cart(item(product(name="Käse 🎁", image=None), notes='<b>"\\\n\x00'))

    body, _ = answer(it)
    assert (body["items"][0]["product"]["name"], body["items"][0]["notes"]) == ("Käse 🎁", '<b>"\\\n\x00')
    assert "Käse 🎁" in str(cart_answer(READ, Outcome(price(OWNER, it))).body)


def test_only_a_replay_is_marked() -> None:
    assert answer(Cart(), replayed=True)[1]["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in answer(Cart())[1]


def test_tag_changes_with_version_and_price_only() -> None:
    def tag(version: int, of: Product) -> str:
        return answer(cart(item(of), version=version))[1]["ETag"]

    same, later, dearer = tag(7, product()), tag(8, product()), tag(7, product(price=1251))
    assert same == tag(7, product())
    assert same.startswith('"7-')
    assert dearer.startswith('"7-')
    assert later.startswith('"8-')
    assert len({same, later, dearer}) == 3
    assert same.removeprefix('"7-') == later.removeprefix('"8-'), "the digest is of the answer"


def test_changed_cart_has_its_tag() -> None:
    current = price(OWNER, cart(item(product())))

    tag = cart_answer(READ, Outcome(current)).headers["ETag"]
    assert API.describe(CartChanged(current), "error", READ) == ("error", {"ETag": tag}, {})
    assert API.describe(InvalidRequest({"body": ["x"]}), "error", READ) == ("error", {}, {"body": ["x"]})


def test_absent_selections_are_null() -> None:
    body, _ = answer(cart(selections=Selections(0, None, 2**53 - 1)))

    assert (body["address"], body["shipping_method"], body["payment_method"]) == (0, None, 2**53 - 1)


def test_item_is_answered_as_in_the_cart() -> None:
    priced = price(OWNER, cart(item(product(7), 2, notes="red"), item(product(8))))
    whole, _ = parts(cart_answer(READ, Outcome(priced)))

    for line, it in zip(whole["items"], priced.items, strict=True):
        body, headers = parts(item_answer(READ, it))
        assert (body, headers["Cache-Control"]) == (line, "private, no-cache")
        assert "ETag" not in headers


@pytest.mark.parametrize(("code", "answered"), [("EUR", "EUR"), ("JPY", "JPY"), ("", None), (None, None)])
def test_currency_is_the_shops_or_null(code: str | None, answered: str | None) -> None:
    """A principal that was cached before an upgrade has none."""
    event = load("cart/get")
    context = {name: value for name, value in event["requestContext"]["authorizer"].items() if name != "currency"}
    event["requestContext"]["authorizer"] = context if code is None else {**context, "currency": code}

    body, _ = parts(cart_answer(request(event), Outcome(price(OWNER, Cart()))))

    assert body["currency"] == answered


TAG = answer(cart(item(product())))[1]["ETag"]


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", " {tag} ", '"1-0", {tag}', '"1-0",W/{tag}', "*", " * "])
def test_known_answer_is_304(form: str) -> None:
    outcome = Outcome(price(OWNER, cart(item(product()))))

    known = unless_known(
        request(load("cart/get"), headers={"If-None-Match": form.format(tag=TAG)}), cart_answer(READ, outcome)
    )

    assert (known.status_code, known.body) == (304, "")
    assert known.headers == cart_answer(READ, outcome).headers, "a 304 has the headers that the 200 would have"
    assert known.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "form", ["", " ", '"7-0"', TAG.strip('"'), TAG.upper(), TAG[:-2] + '"', "nonsense", '"*"', '"']
)
def test_any_other_tag_is_answered_in_full(form: str) -> None:
    """The whole counts: a changed price makes another answer of the same version."""
    response = cart_answer(READ, Outcome(price(OWNER, cart(item(product())))))

    dearer = cart_answer(READ, Outcome(price(OWNER, cart(item(product(price=1300))))))

    for it, full in (
        (request(load("cart/get"), headers={"If-None-Match": form}), response),
        (request(load("cart/get"), headers={"If-None-Match": TAG}), dearer),
        (request(load("cart/get_null_headers")), dearer),
    ):
        body, headers = full.body, dict(full.headers)
        answered = unless_known(it, full)
        assert (answered.status_code, answered.body, answered.headers) == (200, body, headers)
        assert body


def test_largest_cart_is_answered_in_full() -> None:
    dearest = product(limits.MAX_SAFE_INTEGER, price=limits.PRODUCT_PRICE, discount=0, stock=None)
    lines = [
        item(dearest._replace(id=number), CONTRACT_LIMITS.item_quantity) for number in range(CONTRACT_LIMITS.cart_items)
    ]

    body, _ = answer(cart(*lines))
    assert body["total"] == limits.PRODUCT_PRICE * CONTRACT_LIMITS.item_quantity * CONTRACT_LIMITS.cart_items < 2**53
    assert len({line["id"] for line in body["items"]}) == CONTRACT_LIMITS.cart_items
