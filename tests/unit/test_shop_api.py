"""The Shop API: its requests in, field by field, and its cart out."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storefront.domain import limits
from storefront.domain.cart import Addition, Cart, Revision, Selections, price
from storefront.domain.errors import CartChanged, InvalidRequest, ItemNotFound
from storefront.domain.identity import item_id
from storefront.domain.product import Product
from storefront.service.cart import Outcome, Terms
from storefront.service.port import UsedKey
from storefront.web.request import Request
from storefront.web.shop_api import (
    API,
    NO_ITEM,
    addition_of,
    cart_answer,
    item_answer,
    item_of,
    owner_of,
    revision_of,
    selections_of,
    terms_of,
    unless_known,
)
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
    [
        ("quantity", 1),
        ("quantity", 9999),
        ("quantity", 2.0),
        ("notes", "🎁" * 500),
        ("notes", "\x00"),
        ("notes", "a\nb"),
    ],
)
def test_a_field_at_its_bounds_is_read(field: str, value: object) -> None:
    assert getattr(read({"product": 1, field: value})[0], field) == value


WRONG: dict[str, list[object]] = {
    "product": ["2", "2.0", "", 2.5, 0.5, True, False, None, [], {}, [1], 1e400],
    "quantity": ["2", 2.5, 0.0, 1.0000000001, True, None, [], {}, 0, -1, 10_000, 2**70],
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


@pytest.mark.parametrize("number", ["2.0", "2e0", "2.000", "20e-1", "0.2e1", "2" + "." + "0" * 5000])
def test_an_integer_is_one_however_json_writes_it(number: str) -> None:
    """JSON Schema has no other integers, and neither has JavaScript."""
    addition, _ = addition_of(request(POST, body=f'{{"product": {number}, "quantity": {number}}}'))

    assert addition == Addition(2, 2, None)
    assert type(addition.product_id) is type(addition.quantity) is int


@pytest.mark.parametrize(
    "number", ["1e20", "1e400", "1e-400", "-1e400", "1" + "0" * 40 + ".0", "2.00000000000000000000000000001"]
)
def test_a_fraction_and_a_number_past_all_bounds_are_refused_however_written(number: str) -> None:
    assert list(faults(f'{{"product": {number}}}')) == ["product"]


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
        {"body": {**BODY, "quantity": 2.0}},
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


ITEM = load("cart_item/patch_quantity")
NUMBER = item_id(OWNER, 123)
Reader = Callable[[Request], Any]
READERS: dict[str, tuple[str, Reader]] = {
    "add": ("cart_items/post", addition_of),
    "revise": ("cart_item/patch_quantity", revision_of),
    "select": ("cart/patch", selections_of),
    "remove": ("cart_item/delete", terms_of),
    "clear": ("cart/delete", terms_of),
}
"""Every change: an event of it, and what reads it; the last of what it returns are the terms."""
every_change = pytest.mark.parametrize("kind", READERS)


def terms(kind: str, **changes: Any) -> Terms:
    """Read the terms of a change, its event changed as `altered` does."""
    name, reader = READERS[kind]
    told = reader(request(load(name), **changes))
    found: Terms = told if isinstance(told, Terms) else told[-1]
    return found


def used(kind: str, **changes: Any) -> UsedKey:
    """Return the key of a change with an Idempotency-Key."""
    key = terms(kind, **{"headers": {"Idempotency-Key": "k"}, **changes}).key
    assert key
    return key


@every_change
def test_every_change_takes_a_key_and_versions(kind: str) -> None:
    assert terms(kind) == Terms()
    told = terms(kind, headers={"Idempotency-Key": "k", "If-Match": '"7-ab"'})
    assert told.versions == frozenset({7})
    assert told.key == used(kind)


@every_change
def test_every_change_names_a_key_that_is_none(kind: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        terms(kind, headers={"Idempotency-Key": "a b"})
    assert list(refusal.value.details) == ["Idempotency-Key"]


def test_one_key_has_one_digest_and_every_request_a_fingerprint_of_its_own() -> None:
    """Among routes, among methods, among items, and among bodies: what is given differs from what is absent."""
    requests = [
        *(used(kind) for kind in READERS),
        *(used(kind, path={"id": "8"}) for kind in ("revise", "remove")),
        *(used("revise", body=body) for body in ({"quantity": 1}, {"notes": ""}, {"quantity": 1, "notes": ""})),
        *(used("revise", body=body) for body in ({"notes": "1"}, {"quantity": 2})),
        used("revise", body={"quantity": 1}, path={"id": "8"}),
        *(used("select", body={name: value}) for name in Selections._fields for value in (None, 0, 1)),
        *(used("select", body=body) for body in ({}, {"address": None, "payment_method": None})),
        *(used("add", body={"product": 123, **more}) for more in ({}, {"quantity": 1}, {"notes": ""})),
    ]

    assert {key.digest for key in requests} == {requests[0].digest}
    assert len({key.fingerprint for key in requests}) == len(requests)


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("clear", "cart/delete_trailing_slash"),
        ("revise", "cart_item/patch_trailing_slash"),
        ("remove", "cart_item/delete_trailing_slash"),
    ],
)
def test_the_same_request_has_the_same_fingerprint_with_and_without_a_trailing_slash(kind: str, other: str) -> None:
    told = READERS[kind][1](request(load(other), headers={"Idempotency-Key": "k"}))

    assert (told if isinstance(told, Terms) else told[-1]).key == used(kind)


def test_an_item_s_id_has_one_fingerprint_however_it_is_encoded() -> None:
    assert (
        used("revise")
        == READERS["revise"][1](request(load("cart_item/patch_percent_encoded_id"), headers={"Idempotency-Key": "k"}))[
            -1
        ].key
    )


@pytest.mark.parametrize("kind", ["remove", "clear"])
@pytest.mark.parametrize("body", [None, "", "[]", "{", '{"quantity": 0}', "x" * 1000])
def test_a_route_without_a_body_reads_none(kind: str, body: str | None) -> None:
    assert terms(kind, body=body) == Terms()
    assert used(kind, body=body) == used(kind)


# ----------------------------------------------------------------------------------------------------------------------
# One item
# ----------------------------------------------------------------------------------------------------------------------


def revise(body: object) -> Revision:
    return revision_of(request(ITEM, body=body))[0]


@pytest.mark.parametrize(
    ("body", "revision"),
    [
        ({"quantity": 1}, Revision(1, None)),
        ({"quantity": 9999}, Revision(9999, None)),
        ({"quantity": 2.0}, Revision(2, None)),
        ({"notes": ""}, Revision(None, "")),
        ({"notes": "🎁" * 500}, Revision(None, "🎁" * 500)),
        ({"quantity": 5, "notes": "red", "product": 7}, Revision(5, "red")),
    ],
)
def test_a_revision_says_what_it_sets_and_nothing_else(body: dict[str, Any], revision: Revision) -> None:
    assert revise(body) == revision


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in ("quantity", "notes") for value in WRONG[field]]
)
@pytest.mark.parametrize("more", [{}, {"notes": "red", "quantity": 1}])
def test_a_revision_s_field_that_is_wrong_is_named_alone(field: str, value: object, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        revise(json.dumps({**more, field: value}))
    assert list(refusal.value.details) == [field]


@pytest.mark.parametrize("body", ["{}", '{"product": 7}', '{"Quantity": 1}'])
def test_a_revision_of_nothing_is_a_fault_of_the_body(body: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        revise(body)
    assert refusal.value.details == {"body": ["quantity or notes is required"]}


@pytest.mark.parametrize("body", ["", "[]", "null", "1", '"a"', "{", "NaN"])
@pytest.mark.parametrize(
    ("event", "reader"), [("cart_item/patch_quantity", revision_of), ("cart/patch", selections_of)]
)
def test_a_revision_and_a_selection_must_be_json_objects(body: str, event: str, reader: Reader) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        reader(request(load(event), body=body))
    assert refusal.value.details == {"body": ["must be a JSON object"]}


@pytest.mark.parametrize("event", ["cart_item/patch_absent_body", "cart/patch_absent_body"])
def test_a_revision_and_a_selection_must_have_a_body(event: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        READERS["select" if event.startswith("cart/") else "revise"][1](request(load(event)))
    assert list(refusal.value.details) == ["body"]


@pytest.mark.parametrize("text", ["0", "7", "007", str(2**53 - 1), str(NUMBER), "9" * 16])
def test_an_item_s_id_is_read(text: str) -> None:
    assert item_of(request(ITEM, path={"id": text})) == int(text)


def test_an_item_s_id_is_read_percent_decoded() -> None:
    assert item_of(request(load("cart_item/patch_percent_encoded_id"))) == NUMBER


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "1e3", "abc", "7a", " 7", "7%0A", "0x7", "\u0667", "%D9%A7", "9" * 17, "1,2"]
)
def test_what_is_no_integer_is_no_item_s_id(text: str) -> None:
    assert item_of(request(ITEM, path={"id": text})) == NO_ITEM


@pytest.mark.parametrize("name", ["patch_id_no_integer", "delete_id_no_integer"])
def test_an_event_s_id_that_is_no_integer_is_no_item_s_id(name: str) -> None:
    assert item_of(request(load(f"cart_item/{name}"))) == NO_ITEM


# ----------------------------------------------------------------------------------------------------------------------
# Selections
# ----------------------------------------------------------------------------------------------------------------------


def select(body: object) -> dict[str, int | None]:
    return selections_of(request(load("cart/patch"), body=body))[0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"address": 0},
        {"address": 2**53 - 1},
        {"address": None},
        {"shipping_method": 3, "payment_method": None},
        {"address": 1, "shipping_method": 2, "payment_method": 3},
    ],
)
def test_what_is_selected_is_what_is_given_and_null_is_given_too(body: dict[str, Any]) -> None:
    assert select(body) == body
    assert select({**body, "items": [], "total": 0}) == body


@pytest.mark.parametrize("field", Selections._fields)
@pytest.mark.parametrize("value", ["2", "", 2.5, True, False, [], {}, -1, 2**53, 10**30])
def test_a_selection_that_is_wrong_is_named_alone_and_once(field: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        select({**dict.fromkeys(Selections._fields, 1), field: value})
    assert list(refusal.value.details) == [field]
    assert len(refusal.value.details[field]) == 1


def test_every_selection_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        selections_of(request(load("cart/patch"), body={"address": "1", "payment_method": -1},
                              headers={"Idempotency-Key": "a b"}))  # fmt: skip
    assert sorted(refusal.value.details) == ["Idempotency-Key", "address", "payment_method"]


@given(st.dictionaries(st.sampled_from([*Selections._fields, "quantity", "notes"]), anything) | anything)
def test_whatever_comes_is_selected_or_revised_or_refused_and_stays_within_bounds(body: Any) -> None:
    with contextlib.suppress(InvalidRequest):
        for selected in select(json.dumps(body)).values():
            assert selected is None or (type(selected) is int and 0 <= selected < 2**53)
    with contextlib.suppress(InvalidRequest):
        quantity, notes = revise(json.dumps(body))
        assert quantity is not None or notes is not None
        assert quantity is None or (type(quantity) is int and 1 <= quantity <= 9999)
        assert notes is None or len(notes) <= 500


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
    body, _ = answer(
        cart(item(product(7), 2), item(product(8, price=10, discount=3), 5), selections=Selections(address=4))
    )

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


def test_selections_are_shown_by_their_names_and_null_where_nothing_is_selected() -> None:
    body, _ = answer(cart(selections=Selections(0, None, 2**53 - 1)))

    assert (body["address"], body["shipping_method"], body["payment_method"]) == (0, None, 2**53 - 1)


def test_an_item_is_answered_as_the_cart_shows_it() -> None:
    priced = price(OWNER, cart(item(product(7), 2, notes="red"), item(product(8))), {}, {})
    (shown, _), tag = (
        json.loads(cart_answer(Outcome(priced)).body)["items"],
        cart_answer(Outcome(priced)).headers["ETag"],
    )

    response = item_answer(Outcome(priced), item_id(OWNER, 7))

    assert (response.status, json.loads(response.body)) == (200, shown)
    assert response.headers["ETag"].startswith('"7-')
    assert response.headers["ETag"] != tag, "the digest is of the answer"
    assert item_answer(Outcome(priced, replayed=True), item_id(OWNER, 8)).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("number", [123, 0])
def test_an_item_that_is_gone_when_a_request_is_replayed_is_not_found(number: int) -> None:
    priced = price(OWNER, cart(item(product(7))), {}, {})

    with pytest.raises(ItemNotFound):
        item_answer(Outcome(priced, replayed=True), item_id(OWNER, number))
    other = OWNER._replace(customer="another")
    with pytest.raises(ItemNotFound):
        item_answer(Outcome(priced), item_id(other, 7))


TAG = cart_answer(Outcome(price(OWNER, cart(item(product())), {}, {}))).headers["ETag"]


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", " {tag} ", '"1-0", {tag}', '"1-0",W/{tag}', "*", " * "])
def test_an_answer_that_the_client_has_is_304_without_a_body(form: str) -> None:
    response = cart_answer(Outcome(price(OWNER, cart(item(product())), {}, {})))

    known = unless_known(request(load("cart/get"), headers={"If-None-Match": form.format(tag=TAG)}), response)

    assert (known.status, known.body) == (304, "")
    assert known.headers == response.headers, "a 304 has the headers that the 200 would have"
    assert known.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "form", ["", " ", '"7-0"', TAG.strip('"'), TAG.upper(), TAG[:-2] + '"', "nonsense", '"*"', '"']
)
def test_any_other_tag_is_answered_in_full(form: str) -> None:
    """The whole counts: a changed price makes another answer of the same version."""
    response = cart_answer(Outcome(price(OWNER, cart(item(product())), {}, {})))

    assert unless_known(request(load("cart/get"), headers={"If-None-Match": form}), response) is response
    dearer = cart_answer(Outcome(price(OWNER, cart(item(product(price=1300))), {}, {})))
    assert unless_known(request(load("cart/get"), headers={"If-None-Match": TAG}), dearer) is dearer
    assert unless_known(request(load("cart/get_null_headers")), dearer) is dearer


def test_the_largest_cart_is_answered_in_full() -> None:
    dearest = product(limits.LARGEST_INTEGER, price=limits.PRODUCT_PRICE, discount=0, stock=None)
    lines = [item(replace(dearest, id=number), limits.ITEM_QUANTITY) for number in range(limits.CART_ITEMS)]

    body, _ = answer(cart(*lines))
    assert body["total"] == limits.PRODUCT_PRICE * limits.ITEM_QUANTITY * limits.CART_ITEMS < 2**53
    assert len({line["id"] for line in body["items"]}) == limits.CART_ITEMS
