"""GET, PATCH and DELETE of /api/shop/cart, from the gateway's event to the table and back."""

from typing import Any

import pytest

from serverless_cart.domain.public_ids import cart_id
from tests.support.builders import OWNER, product
from tests.support.bundle import Bundle
from tests.support.cart_requests import CHANGES, add, is_refusal, is_replay, once, quantities, read, select, version
from tools.support.events import DAY, SECOND, load

MOMENT = "2025-11-21T12:34:56.789Z"
LATER = "2025-11-21T12:34:57.789Z"
SELECTIONS = ("address", "shipping_method", "payment_method")
EMPTY: dict[str, Any] = {
    "id": cart_id(OWNER),
    **dict.fromkeys((*SELECTIONS, "created_at", "updated_at")),
    **dict.fromkeys(
        ("count", "quantity", "items_subtotal", "items_discount", "subtotal", "discount", "shipping_cost", "total"), 0
    ),
    "is_empty": True,
    "currency": "EUR",
    "discount_code": None,
    "items": [],
    "warnings": [],
}
every_change = pytest.mark.parametrize("kind", CHANGES)
every_get = pytest.mark.parametrize("name", ["get", "get_trailing_slash", "get_null_headers"])


@every_get
def test_no_cart_reads_as_empty_and_writes_nothing(shop: Bundle, name: str) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.body) == (200, EMPTY)
    assert answer.headers["ETag"].startswith('"0-')
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert shop.database.calls == ["GetItem"]
    assert shop.rows("CART#") == []


@every_get
def test_read_shows_the_last_change_in_one_call(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    select(shop, address=7, payment_method=0)
    add(shop, 7, quantity=3, notes="red")
    added = add(shop)
    row = shop.cart_row()

    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, added.body, added.headers["ETag"])
    assert shop.database.calls == ["GetItem"]
    assert shop.cart_row() == row


def test_items_are_sorted_by_first_addition(shop: Bundle) -> None:
    shop.sell(*(product(number) for number in (9, 10, 2)))
    for number in (10, 9, 123, 2, 10):
        shop.clock.forward(1)
        answer = add(shop, number)

    assert list(quantities(answer)) == list(quantities(read(shop))) == [10, 9, 123, 2]
    assert (answer.body["count"], answer.body["quantity"]) == (4, 5)


@pytest.mark.parametrize(
    ("name", "selected"),
    [
        ("patch", (41, 3, 7)),
        ("patch_base64_body", (None, 3, None)),
        ("patch_trailing_slash", (41, None, None)),
        ("patch_null_headers", (41, None, None)),
        ("patch_once_on_version", (41, 3, 7)),
        ("patch_clears", (None, None, 8)),
    ],
)
def test_select_creates_the_cart_in_two_calls(shop: Bundle, name: str, selected: tuple[int | None, ...]) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    times = {"created_at": MOMENT, "updated_at": MOMENT}
    expected = {**EMPTY, **dict(zip(SELECTIONS, selected, strict=True)), **times}
    assert (answer.status, answer.body) == (200, expected)
    methods = selected[1] is not None or selected[2] is not None
    assert shop.database.calls == ["BatchGetItem" if methods else "GetItem", "UpdateItem"]
    assert read(shop).body == expected


@pytest.mark.parametrize("name", SELECTIONS)
def test_null_clears_a_selection_absent_keeps_it(shop: Bundle, name: str) -> None:
    add(shop, quantity=2)
    before = shop.send("cart", load("cart/patch")).body
    shop.clock.forward(SECOND)

    assert select(shop, None, **{name: 9}).body[name] == 9
    answer = select(shop, None, **{name: None})

    assert answer.body == before | {name: None, "updated_at": LATER}
    assert name not in shop.cart_row()
    assert select(shop, None, **{name: None}).body == answer.body


@pytest.mark.parametrize("name", ["delete", "delete_trailing_slash", "delete_null_headers", "delete_once"])
def test_clear_keeps_id_creation_and_selections(shop: Bundle, name: str) -> None:
    shop.sell(product(7))
    add(shop, notes="red")
    add(shop, 7)
    before = select(shop, address=4, payment_method=9)
    shop.clock.forward(SECOND)

    answer = shop.send("cart", load(f"cart/{name}"))

    kept = {"address": 4, "payment_method": 9, "created_at": MOMENT, "updated_at": LATER}
    assert (answer.status, answer.body) == (200, EMPTY | kept)
    assert shop.database.calls == ["GetItem", "UpdateItem"]
    assert version(answer) > version(before)
    row = shop.cart_row()
    assert [name for name in row if "#" in name and not name.startswith("key#")] == []
    assert "products" not in row
    assert read(shop).body == answer.body


@pytest.mark.parametrize("name", ["delete", "delete_trailing_slash", "delete_once"])
def test_clear_without_a_cart_writes_nothing(shop: Bundle, name: str) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.body) == (200, EMPTY)
    assert shop.database.calls == ["GetItem"]
    assert shop.rows("CART#") == []


@every_change
def test_expired_cart_counts_as_absent(shop: Bundle, kind: str) -> None:
    add(shop, quantity=5, notes="old", headers=once())
    old = select(shop, shipping_method=3)
    shop.clock.forward(30 * DAY - SECOND)
    assert read(shop).body["shipping_method"] == 3
    shop.clock.forward(SECOND)
    before = shop.cart_row()

    assert read(shop).body == EMPTY
    answer = CHANGES[kind](shop, once())

    if kind in ("add", "select"):
        assert shop.database.calls[-1] == "PutItem"
        assert (answer.body["created_at"], answer.body["shipping_method"]) == ("2025-12-21T12:34:56.789Z", None)
        assert quantities(answer) == ({123: 1} if kind == "add" else {})
        assert [item["notes"] for item in answer.body["items"]] == [""] * len(answer.body["items"])
        assert not is_replay(answer)
        assert version(answer) > version(old)
        assert is_replay(CHANGES[kind](shop, once()))
        return
    assert shop.database.calls == ["GetItem"]
    assert shop.cart_row() == before
    assert answer.body == EMPTY if kind == "clear" else is_refusal(answer, 404, "item not found")
