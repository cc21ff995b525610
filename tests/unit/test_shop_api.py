"""The Shop API: its requests in, field by field, and its cart out."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storefront.domain import limits
from storefront.domain.cart import Addition, Cart, CartChanged, price
from storefront.domain.errors import InvalidRequest
from storefront.domain.product import Product
from storefront.service.cart import Outcome, Terms
from storefront.web.shop_api import API, addition_of, cart_answer, owner_of
from tests.builders import NOW, OWNER, altered, cart, item, load, product, request

POST = load("cart_items/post")


def read(body: object = None, **headers: str) -> tuple[Addition, Terms]:
    """Read a POST with this body, and headers spelled with ``_``."""
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return addition_of(request(POST, body={"product": 123} if body is None else body, headers=spelled))


def faults(body: object = None, **headers: str) -> dict[str, list[str]]:
    """Return what a refusal says is wrong."""
    with pytest.raises(InvalidRequest) as refusal:
        read(body, **headers)
    return refusal.value.details


def test_the_seed_request_is_read() -> None:
    addition, terms = addition_of(request(POST))

    assert addition == Addition(123, 2, "Please pack carefully")
    assert terms == Terms()
    assert owner_of(request(POST)) == OWNER


def test_quantity_is_one_and_notes_are_kept_where_they_are_absent() -> None:
    assert read({"product": 123})[0] == Addition(123, 1, None)
    assert read({"product": 123, "notes": ""})[0].notes == ""


@pytest.mark.parametrize("body", [{"product": 0}, {"product": -1}, {"product": 2**70}, {"product": 7, "x": [1]}])
def test_every_integer_names_a_product_and_unknown_fields_are_ignored(body: dict[str, Any]) -> None:
    assert read(body)[0].product_id == body["product"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("quantity", 1), ("quantity", 9999), ("notes", "🎁" * 500), ("notes", "\x00"), ("notes", "a\nb")],
)
def test_a_field_at_its_bounds_is_read(field: str, value: object) -> None:
    assert getattr(read({"product": 1, field: value})[0], field) == value


WRONG: dict[str, list[object]] = {
    "product": ["2", "", 2.5, 2.0, True, False, None, [], {}, [1], 1e400],
    "quantity": ["2", 2.5, 2.0, True, None, [], {}, 0, -1, 10_000, 2**70],
    "notes": [1, True, None, [], {}, "x" * 501, "🎁" * 501, "\ud800"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_field_of_the_wrong_type_or_out_of_range_is_named_alone(field: str, value: object) -> None:
    body = json.dumps({"product": 1, field: value}).replace("Infinity", "1e400")

    told = faults(body)
    assert list(told) == [field]
    assert all(isinstance(message, str) and message for message in told[field])
    assert "pydantic" not in str(told)


def test_every_fault_is_told_at_once_field_by_field() -> None:
    told = faults({"quantity": 0, "notes": None}, Idempotency_Key="a b")

    assert sorted(told) == ["Idempotency-Key", "notes", "product", "quantity"]


@pytest.mark.parametrize("body", ["", " ", "[]", "[1]", "null", "1", '"a"', "true", "{", "NaN", "[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_fault_of_the_body(body: str) -> None:
    assert faults(body) == {"body": ["must be a JSON object"]}


def test_an_absent_body_is_a_fault_of_the_body() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        addition_of(request(load("cart_items/post_absent_body")))
    assert list(refusal.value.details) == ["body"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["product", "quantity", "notes", "other"]), anything) | anything)
def test_whatever_comes_is_read_or_refused_and_what_is_read_is_within_bounds(body: Any) -> None:
    try:
        addition, _ = addition_of(request(POST, body=json.dumps(body)))
    except InvalidRequest:
        return
    assert type(addition.product_id) is int
    assert 1 <= addition.quantity <= 9999
    assert addition.notes is None or len(addition.notes) <= 500


# ----------------------------------------------------------------------------------------------------------------------
# Idempotency-Key
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k", "!~", "k" * 255, '"quoted"'])
def test_a_key_of_1_to_255_visible_characters_is_taken(key: str) -> None:
    assert read(Idempotency_Key=key)[1].key is not None


@pytest.mark.parametrize("key", ["k" * 256, "a b", " ", "ä", "a\x00", "a\x7f", "🎁", "a\n", "\t"])
def test_any_other_key_is_a_fault_of_that_field(key: str) -> None:
    assert list(faults(Idempotency_Key=key)) == ["Idempotency-Key"]


def test_an_empty_key_counts_as_absent() -> None:
    assert read(Idempotency_Key="")[1].key is None


def test_neither_the_key_nor_the_request_is_kept_in_the_clear() -> None:
    key = read({"product": 123, "notes": "please"}, Idempotency_Key="order-42")[1].key

    assert key is not None
    assert "order-42" not in repr(key)
    assert "please" not in repr(key)


def fingerprint(**changes: Any) -> tuple[str, str]:
    key = addition_of(request(altered(POST, headers={"Idempotency-Key": "k"}), **changes))[1].key
    assert key
    return key.digest, key.fingerprint


BODY = {"product": 123, "quantity": 2, "notes": "red"}


@pytest.mark.parametrize(
    "changes",
    [
        {"body": json.dumps(dict(reversed(BODY.items())), indent=3)},
        {"body": {**BODY, "ignored": 1}},
        {"headers": {"If-Match": "*", "User-Agent": "another"}},
        {"address": "192.0.2.1"},
    ],
)
def test_the_same_request_has_the_same_fingerprint_however_it_is_written(changes: dict[str, Any]) -> None:
    assert fingerprint(**{"body": BODY, **changes}) == fingerprint(body=BODY)


@pytest.mark.parametrize(
    "changes",
    [
        {"body": {**BODY, "product": 124}},
        {"body": {**BODY, "quantity": 3}},
        {"body": {**BODY, "notes": "Red"}},
        {"body": {**BODY, "notes": ""}},
        {"body": {"product": 123, "quantity": 2}},
        {"body": BODY, "method": "PATCH"},
    ],
)
def test_another_request_has_another_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint(**changes)[1] != fingerprint(body=BODY)[1]
    assert fingerprint(**changes)[0] == fingerprint(body=BODY)[0], "the key's own digest is the same"


def test_emptying_the_notes_and_keeping_them_are_different_requests() -> None:
    assert fingerprint(body={"product": 123, "notes": ""})[1] != fingerprint(body={"product": 123})[1]


# ----------------------------------------------------------------------------------------------------------------------
# If-Match
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["", " ", "*", " * "])
def test_any_version_will_do_without_if_match_or_with_an_asterisk(form: str) -> None:
    assert read(If_Match=form)[1].versions is None


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
def test_if_match_names_versions_and_what_is_no_tag_names_none(form: str, versions: set[int]) -> None:
    assert read(If_Match=form)[1].versions == frozenset(versions)


# ----------------------------------------------------------------------------------------------------------------------
# The cart
# ----------------------------------------------------------------------------------------------------------------------


def answer(it: Cart, **outcome: Any) -> tuple[dict[str, Any], dict[str, str]]:
    response = cart_answer(Outcome(price(OWNER, it, {}, {}), **outcome))
    assert response.status == 200
    return json.loads(response.body), dict(response.headers)


def test_a_cart_before_anything_is_written_is_empty_and_has_no_times() -> None:
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


def test_a_cart_s_figures_are_those_of_its_items() -> None:
    body, _ = answer(cart(item(product(7), 2), item(product(8, price=10, discount=3), 5), address=4))

    assert (body["count"], body["quantity"], body["is_empty"], body["address"]) == (2, 7, False, 4)
    assert [line["total"] for line in body["items"]] == [2000, 35]
    assert (body["items_subtotal"], body["items_discount"], body["subtotal"], body["total"]) == (2550, 515, 2035, 2035)
    assert all(0 <= body[name] < 2**53 for name in ("id", "total"))


def test_texts_come_back_as_they_were_given_in_utf_8() -> None:
    it = cart(item(product(name="Käse 🎁", image=None), notes='<b>"\\\n\x00'))

    body, _ = answer(it)
    assert (body["items"][0]["product"]["name"], body["items"][0]["notes"]) == ("Käse 🎁", '<b>"\\\n\x00')
    assert "Käse 🎁" in cart_answer(Outcome(price(OWNER, it, {}, {}))).body


def test_only_a_replay_is_marked_as_one() -> None:
    assert answer(Cart(), replayed=True)[1]["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in answer(Cart())[1]


def test_a_tag_changes_with_the_version_and_with_a_price_and_with_nothing_else() -> None:
    def tag(version: int, of: Product) -> str:
        return answer(cart(item(of), version=version))[1]["ETag"]

    same, later, dearer = tag(7, product()), tag(8, product()), tag(7, product(price=1251))
    assert same == tag(7, product())
    assert same.startswith('"7-')
    assert dearer.startswith('"7-')
    assert later.startswith('"8-')
    assert len({same, later, dearer}) == 3
    assert same.removeprefix('"7-') == later.removeprefix('"8-'), "the digest is of the answer"


def test_a_refusal_over_the_version_carries_the_tag_of_the_current_cart() -> None:
    current = price(OWNER, cart(item(product())), {}, {})

    assert API.headers(CartChanged(current)) == {"ETag": cart_answer(Outcome(current)).headers["ETag"]}
    assert API.headers(InvalidRequest({"body": ["x"]})) == {}


def test_the_largest_cart_is_answered_in_full() -> None:
    dearest = product(limits.LARGEST_INTEGER, price=limits.PRODUCT_PRICE, discount=0, stock=None)
    lines = [item(replace(dearest, id=number), limits.ITEM_QUANTITY) for number in range(limits.CART_ITEMS)]

    body, _ = answer(cart(*lines))
    assert body["total"] == limits.PRODUCT_PRICE * limits.ITEM_QUANTITY * limits.CART_ITEMS < 2**53
    assert len({line["id"] for line in body["items"]}) == limits.CART_ITEMS
