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
from serverless_cart.domain.errors import ItemNotFound
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
from tools.support.events import NOW, altered, load

POST = load("cart_items/post")


def read(body: object = None, **headers: str) -> tuple[ItemAddition, Preconditions]:
    """Read a POST with this body, and headers spelled with ``_``."""
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return addition_of(request(POST, body={"product": 123} if body is None else body, headers=spelled))


def faults(body: object = None, **headers: str) -> dict[str, list[str]]:
    """Return what a refusal says is wrong."""
    with pytest.raises(InvalidRequest) as refusal:
        read(body, **headers)
    return refusal.value.details


def test_sample_request_is_read() -> None:
    addition, preconditions = addition_of(request(POST))

    assert addition == ItemAddition(123, 2, "Please pack carefully")
    assert preconditions == Preconditions()
    assert owner_of(request(POST)) == OWNER


def test_absent_quantity_is_one() -> None:
    assert read({"product": 123})[0] == ItemAddition(123, 1, None)
    assert read({"product": 123, "notes": ""})[0].notes == ""


@pytest.mark.parametrize("body", [{"product": 0}, {"product": -1}, {"product": 2**70}, {"product": 7, "x": [1]}])
def test_any_integer_is_a_product(body: dict[str, Any]) -> None:
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
def test_field_at_its_bounds_is_read(field: str, value: object) -> None:
    assert getattr(read({"product": 1, field: value})[0], field) == value


WRONG: dict[str, list[object]] = {
    "product": ["2", "2.0", "", 2.5, 0.5, True, False, None, [], {}, [1], 1e400],
    "quantity": ["2", 2.5, 0.0, 1.0000000001, True, None, [], {}, 0, -1, 10_000, 2**70],
    "notes": [1, True, None, [], {}, "x" * 501, "🎁" * 501, "\ud800"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_wrong_field_is_named_alone(field: str, value: object) -> None:
    body = json.dumps({"product": 1, field: value}).replace("Infinity", "1e400")

    details = faults(body)
    assert list(details) == [field]
    assert all(isinstance(message, str) and message for message in details[field])
    assert "pydantic" not in str(details)


def test_all_faults_are_listed_at_once() -> None:
    details = faults({"quantity": 0, "notes": None}, Idempotency_Key="a b")

    assert sorted(details) == ["Idempotency-Key", "notes", "product", "quantity"]


@pytest.mark.parametrize("number", ["2.0", "2e0", "2.000", "20e-1", "0.2e1", "2" + "." + "0" * 5000])
def test_integer_in_any_json_notation_is_read(number: str) -> None:
    """JSON Schema has no other integers, and neither has JavaScript."""
    addition, _ = addition_of(request(POST, body=f'{{"product": {number}, "quantity": {number}}}'))

    assert addition == ItemAddition(2, 2, None)
    assert type(addition.product_id) is type(addition.quantity) is int


@pytest.mark.parametrize(
    "number", ["1e20", "1e400", "1e-400", "-1e400", "1" + "0" * 40 + ".0", "2.00000000000000000000000000001"]
)
def test_fraction_and_huge_number_are_refused(number: str) -> None:
    assert list(faults(f'{{"product": {number}}}')) == ["product"]


@pytest.mark.parametrize("body", ["", " ", "[]", "[1]", "null", "1", '"a"', "true", "{", "NaN", "[" * 100_000])
def test_body_without_an_object_is_refused(body: str) -> None:
    assert faults(body) == {"body": ["must be a JSON object"]}


def test_absent_body_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        addition_of(request(load("cart_items/post_absent_body")))
    assert list(refusal.value.details) == ["body"]


LOWER = Limits(item_quantity=50)
AT_MOST_50 = {"quantity": ["Input should be less than or equal to 50"]}


def test_lower_limit_is_applied() -> None:
    assert addition_of(request(POST, body={"product": 1, "quantity": 50}), LOWER)[0].quantity == 50
    assert item_update_of(request(ITEM, body={"quantity": 50}), LOWER)[0].quantity == 50

    with pytest.raises(InvalidRequest) as addition:
        addition_of(request(POST, body={"product": 1, "quantity": 51}), LOWER)
    with pytest.raises(InvalidRequest) as item_update:
        item_update_of(request(ITEM, body={"quantity": 51}), LOWER)
    assert addition.value.details == item_update.value.details == AT_MOST_50


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["product", "quantity", "notes", "other"]), anything) | anything)
def test_any_addition_is_refused_or_within_bounds(body: Any) -> None:
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
def test_key_of_255_characters_is_accepted(key: str) -> None:
    assert read(Idempotency_Key=key)[1].key is not None


@pytest.mark.parametrize("key", ["k" * 256, "a b", " ", "ä", "a\x00", "a\x7f", "🎁", "a\n", "\t"])
def test_any_other_key_is_refused(key: str) -> None:
    assert list(faults(Idempotency_Key=key)) == ["Idempotency-Key"]


def test_empty_key_counts_as_absent() -> None:
    assert read(Idempotency_Key="")[1].key is None


def test_key_and_request_are_digested() -> None:
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
def test_same_request_has_the_same_fingerprint(changes: dict[str, Any]) -> None:
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
def test_other_request_has_another_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint(**changes)[1] != fingerprint(body=BODY)[1]
    assert fingerprint(**changes)[0] == fingerprint(body=BODY)[0], "the key's own digest is the same"


def test_empty_notes_differ_from_absent_notes() -> None:
    assert fingerprint(body={"product": 123, "notes": ""})[1] != fingerprint(body={"product": 123})[1]


ITEM = load("cart_items/patch_quantity")
NUMBER = item_id(OWNER, 123)
Reader = Callable[[Request], Any]
READERS: dict[str, tuple[str, Reader]] = {
    "add": ("cart_items/post", addition_of),
    "update": ("cart_items/patch_quantity", item_update_of),
    "select": ("cart/patch", selections_of),
    "remove": ("cart_items/delete", preconditions_of),
    "clear": ("cart/delete", preconditions_of),
}
"""Every change: an event of it, and what reads it; its last return value are the preconditions."""
every_change = pytest.mark.parametrize("kind", READERS)


def preconditions(kind: str, **changes: Any) -> Preconditions:
    """Read the preconditions of a change, its event changed as `altered` does."""
    name, reader = READERS[kind]
    read_ = reader(request(load(name), **changes))
    found: Preconditions = read_ if isinstance(read_, Preconditions) else read_[-1]
    return found


def used(kind: str, **changes: Any) -> IdempotencyKey:
    """Return the key of a change with an Idempotency-Key."""
    key = preconditions(kind, **{"headers": {"Idempotency-Key": "k"}, **changes}).key
    assert key
    return key


@every_change
def test_every_change_takes_a_key_and_versions(kind: str) -> None:
    assert preconditions(kind) == Preconditions()
    given_ = preconditions(kind, headers={"Idempotency-Key": "k", "If-Match": '"7-ab"'})
    assert given_.versions == frozenset({7})
    assert given_.key == used(kind)


@every_change
def test_every_change_refuses_a_malformed_key(kind: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        preconditions(kind, headers={"Idempotency-Key": "a b"})
    assert list(refusal.value.details) == ["Idempotency-Key"]


def test_requests_have_distinct_fingerprints() -> None:
    """Among routes, among methods, among items, and among bodies: what is given differs from what is absent."""
    requests = [
        *(used(kind) for kind in READERS),
        *(used(kind, path={"id": "8"}) for kind in ("update", "remove")),
        *(used("update", body=body) for body in ({"quantity": 1}, {"notes": ""}, {"quantity": 1, "notes": ""})),
        *(used("update", body=body) for body in ({"notes": "1"}, {"quantity": 2})),
        used("update", body={"quantity": 1}, path={"id": "8"}),
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
        ("update", "cart_items/patch_trailing_slash"),
        ("remove", "cart_items/delete_trailing_slash"),
    ],
)
def test_trailing_slash_keeps_the_fingerprint(kind: str, other: str) -> None:
    read_ = READERS[kind][1](request(load(other), headers={"Idempotency-Key": "k"}))

    assert (read_ if isinstance(read_, Preconditions) else read_[-1]).key == used(kind)


def test_percent_encoding_keeps_the_fingerprint() -> None:
    encoded = request(load("cart_items/patch_percent_encoded_id"), headers={"Idempotency-Key": "k"})

    assert item_update_of(encoded)[1].key == used("update")


@pytest.mark.parametrize("kind", ["remove", "clear"])
@pytest.mark.parametrize("body", [None, "", "[]", "{", '{"quantity": 0}', "x" * 1000])
def test_route_without_body_ignores_the_body(kind: str, body: str | None) -> None:
    assert preconditions(kind, body=body) == Preconditions()
    assert used(kind, body=body) == used(kind)


# ----------------------------------------------------------------------------------------------------------------------
# One item
# ----------------------------------------------------------------------------------------------------------------------


def update_item(body: object) -> ItemUpdate:
    return item_update_of(request(ITEM, body=body))[0]


@pytest.mark.parametrize(
    ("body", "item_update"),
    [
        ({"quantity": 1}, ItemUpdate(1, None)),
        ({"quantity": 9999}, ItemUpdate(9999, None)),
        ({"quantity": 2.0}, ItemUpdate(2, None)),
        ({"notes": ""}, ItemUpdate(None, "")),
        ({"notes": "🎁" * 500}, ItemUpdate(None, "🎁" * 500)),
        ({"quantity": 5, "notes": "red", "product": 7}, ItemUpdate(5, "red")),
    ],
)
def test_item_update_has_the_given_fields_only(body: dict[str, Any], item_update: ItemUpdate) -> None:
    assert update_item(body) == item_update


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in ("quantity", "notes") for value in WRONG[field]]
)
@pytest.mark.parametrize("more", [{}, {"notes": "red", "quantity": 1}])
def test_wrong_field_of_an_update_is_named_alone(field: str, value: object, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        update_item(json.dumps({**more, field: value}))
    assert list(refusal.value.details) == [field]


@pytest.mark.parametrize("body", ["{}", '{"product": 7}', '{"Quantity": 1}'])
def test_item_update_of_nothing_is_refused(body: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        update_item(body)
    assert refusal.value.details == {"body": ["quantity or notes is required"]}


@pytest.mark.parametrize("body", ["", "[]", "null", "1", '"a"', "{", "NaN"])
@pytest.mark.parametrize(
    ("event", "reader"), [("cart_items/patch_quantity", item_update_of), ("cart/patch", selections_of)]
)
def test_patch_without_an_object_is_refused(body: str, event: str, reader: Reader) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        reader(request(load(event), body=body))
    assert refusal.value.details == {"body": ["must be a JSON object"]}


@pytest.mark.parametrize("event", ["cart_items/patch_absent_body", "cart/patch_absent_body"])
def test_patch_without_a_body_is_refused(event: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        READERS["select" if event.startswith("cart/") else "update"][1](request(load(event)))
    assert list(refusal.value.details) == ["body"]


@pytest.mark.parametrize("text", ["0", "7", "007", str(2**53 - 1), str(NUMBER), "9" * 16])
def test_item_id_is_read(text: str) -> None:
    assert item_of(request(ITEM, path={"id": text})) == int(text)


def test_item_id_is_percent_decoded() -> None:
    assert item_of(request(load("cart_items/patch_percent_encoded_id"))) == NUMBER


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "1e3", "abc", "7a", " 7", "7%0A", "0x7", "\u0667", "%D9%A7", "9" * 17, "1,2"]
)
def test_other_text_is_no_item_id(text: str) -> None:
    assert item_of(request(ITEM, path={"id": text})) == NO_ITEM


@pytest.mark.parametrize("name", ["patch_id_no_integer", "delete_id_no_integer"])
def test_event_with_text_as_id_is_no_item_id(name: str) -> None:
    assert item_of(request(load(f"cart_items/{name}"))) == NO_ITEM


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
def test_selections_are_the_given_fields(body: dict[str, Any]) -> None:
    assert select(body) == body
    assert select({**body, "items": [], "total": 0}) == body


@pytest.mark.parametrize("field", Selections._fields)
@pytest.mark.parametrize("value", ["2", "", 2.5, True, False, [], {}, -1, 2**53, 10**30])
def test_wrong_selection_is_named_alone_and_once(field: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        select({**dict.fromkeys(Selections._fields, 1), field: value})
    assert list(refusal.value.details) == [field]
    assert len(refusal.value.details[field]) == 1


def test_all_wrong_selections_are_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        selections_of(request(load("cart/patch"), body={"address": "1", "payment_method": -1},
                              headers={"Idempotency-Key": "a b"}))  # fmt: skip
    assert sorted(refusal.value.details) == ["Idempotency-Key", "address", "payment_method"]


@given(st.dictionaries(st.sampled_from([*Selections._fields, "quantity", "notes"]), anything) | anything)
def test_any_patch_is_refused_or_within_bounds(body: Any) -> None:
    with contextlib.suppress(InvalidRequest):
        for selected in select(json.dumps(body)).values():
            assert selected is None or (type(selected) is int and 0 <= selected < 2**53)
    with contextlib.suppress(InvalidRequest):
        quantity, notes = update_item(json.dumps(body))
        assert quantity is not None or notes is not None
        assert quantity is None or (type(quantity) is int and 1 <= quantity <= 9999)
        assert notes is None or len(notes) <= 500


# ----------------------------------------------------------------------------------------------------------------------
# If-Match
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["", " ", "*", " * "])
def test_asterisk_allows_any_version(form: str) -> None:
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
def test_if_match_names_versions_only_by_tags(form: str, versions: set[int]) -> None:
    assert read(If_Match=form)[1].versions == frozenset(versions)


# ----------------------------------------------------------------------------------------------------------------------
# The cart
# ----------------------------------------------------------------------------------------------------------------------


def parts(response: Response[str]) -> tuple[Any, dict[str, str]]:
    """Return the JSON and the headers of an answer with status 200."""
    assert response.status_code == 200
    return json.loads(response.body or ""), {name: str(value) for name, value in response.headers.items()}


def answer(it: Cart, **outcome: Any) -> tuple[Any, dict[str, str]]:
    return parts(cart_answer(Outcome(price(OWNER, it, {}, {}), **outcome)))


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
    assert "Käse 🎁" in str(cart_answer(Outcome(price(OWNER, it, {}, {}))).body)


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
    current = price(OWNER, cart(item(product())), {}, {})

    tag = cart_answer(Outcome(current)).headers["ETag"]
    assert API.describe(CartChanged(current), "error") == ("error", {"ETag": tag})
    assert API.describe(InvalidRequest({"body": ["x"]}), "error") == ("error", {})


def test_absent_selections_are_null() -> None:
    body, _ = answer(cart(selections=Selections(0, None, 2**53 - 1)))

    assert (body["address"], body["shipping_method"], body["payment_method"]) == (0, None, 2**53 - 1)


def test_item_is_answered_as_in_the_cart() -> None:
    priced = price(OWNER, cart(item(product(7), 2, notes="red"), item(product(8))), {}, {})
    whole, whole_headers = parts(cart_answer(Outcome(priced)))

    body, headers = parts(item_answer(Outcome(priced), item_id(OWNER, 7)))

    assert body == whole["items"][0]
    assert headers["ETag"].startswith('"7-')
    assert headers["ETag"] != whole_headers["ETag"], "the digest is of the answer"
    assert item_answer(Outcome(priced, replayed=True), item_id(OWNER, 8)).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("number", [123, 0])
def test_removed_item_is_not_found(number: int) -> None:
    priced = price(OWNER, cart(item(product(7))), {}, {})

    with pytest.raises(ItemNotFound):
        item_answer(Outcome(priced, replayed=True), item_id(OWNER, number))
    other = OWNER._replace(customer="another")
    with pytest.raises(ItemNotFound):
        item_answer(Outcome(priced), item_id(other, 7))


TAG = answer(cart(item(product())))[1]["ETag"]


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", " {tag} ", '"1-0", {tag}', '"1-0",W/{tag}', "*", " * "])
def test_known_answer_is_304(form: str) -> None:
    outcome = Outcome(price(OWNER, cart(item(product())), {}, {}))

    known = unless_known(
        request(load("cart/get"), headers={"If-None-Match": form.format(tag=TAG)}), cart_answer(outcome)
    )

    assert (known.status_code, known.body) == (304, "")
    assert known.headers == cart_answer(outcome).headers, "a 304 has the headers that the 200 would have"
    assert known.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "form", ["", " ", '"7-0"', TAG.strip('"'), TAG.upper(), TAG[:-2] + '"', "nonsense", '"*"', '"']
)
def test_any_other_tag_is_answered_in_full(form: str) -> None:
    """The whole counts: a changed price makes another answer of the same version."""
    response = cart_answer(Outcome(price(OWNER, cart(item(product())), {}, {})))

    dearer = cart_answer(Outcome(price(OWNER, cart(item(product(price=1300))), {}, {})))

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
