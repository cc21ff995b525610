"""POST /api/shop/cart/items, from the gateway's event to the table and back to the priced cart."""

from typing import Any

import pytest

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.public_ids import cart_id, item_id
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.catalogue import product_to_item
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle
from tests.support.cart_requests import is_refusal, quantities, version
from tools.support.events import DAY, HOUR, NOW, SECOND, SHOP, altered, load

POSTS = (
    "post",
    "post_base64_body",
    "post_null_headers",
    "post_once_on_version",
    "post_other_case_headers",
    "post_trailing_slash",
)
MOMENT = "2025-11-21T12:34:56.789Z"


def add(bundle: Bundle, product: Any = 123, *, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    event = altered(load("cart_items/post"), body={"product": product, **more}, headers=headers or {})
    return bundle.send("cart_items", event)


def test_the_seed_request_answers_with_the_whole_priced_cart(shop: Bundle) -> None:
    answer = shop.send("cart_items", load("cart_items/post"))

    assert answer.status == 200
    assert answer.body == {
        "id": cart_id(OWNER),
        "address": None,
        "shipping_method": None,
        "payment_method": None,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "count": 1,
        "quantity": 2,
        "is_empty": False,
        "items_subtotal": 2500,
        "items_discount": 500,
        "subtotal": 2000,
        "discount": 0,
        "total": 2000,
        "items": [
            {
                "id": item_id(OWNER, 123),
                "ref": "REF-123",
                "product": {"id": 123, "name": "Product 123", "image": "https://img.example/123.jpg"},
                "quantity": 2,
                "notes": "Please pack carefully",
                "created_at": MOMENT,
                "updated_at": MOMENT,
                "unit_price": 1250,
                "unit_discount": 250,
                "subtotal": 2500,
                "discount": 500,
                "total": 2000,
            }
        ],
        "warnings": [],
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Idempotency-Replayed" not in answer.headers


@pytest.mark.parametrize("name", POSTS)
def test_every_way_of_adding_is_one_read_and_one_write(shop: Bundle, name: str) -> None:
    answer = shop.send("cart_items", load(f"cart_items/{name}"))

    assert answer.status == 200
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]
    (line,) = answer.body["items"]
    notes = {"post_base64_body": "Bitte gut einpacken \u2013 für Zoë 🎁", "post_trailing_slash": ""}
    assert line["notes"] == notes.get(name, "Please pack carefully")
    assert line["quantity"] == (1 if name == "post_trailing_slash" else 2)


def test_an_absent_body_is_a_validation_error(shop: Bundle) -> None:
    answer = shop.send("cart_items", load("cart_items/post_absent_body"))

    assert is_refusal(answer, 400, "validation error", "body")
    assert shop.database.calls == []


def test_adding_a_product_again_increases_its_quantity(shop: Bundle) -> None:
    add(shop, quantity=2)
    shop.clock.forward(SECOND)

    answer = add(shop, quantity=3)

    (line,) = answer.body["items"]
    assert (line["quantity"], line["total"], answer.body["count"]) == (5, 5000, 1)
    assert (line["created_at"], answer.body["created_at"]) == (MOMENT, MOMENT)
    assert (line["updated_at"], answer.body["updated_at"]) == ("2025-11-21T12:34:57.789Z",) * 2
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]


def test_notes_are_kept_where_absent_replaced_where_given_and_emptied_by_the_empty_string(shop: Bundle) -> None:
    given: list[dict[str, Any]] = [{}, {"notes": "red"}, {}, {"notes": "blue"}, {"notes": ""}, {}]

    told = [add(shop, **notes).body["items"][0]["notes"] for notes in given]

    assert told == ["", "red", "red", "blue", "", ""]


def test_items_are_listed_in_the_order_in_which_they_were_first_added(shop: Bundle) -> None:
    shop.sell(*(product(number) for number in (9, 10, 2)))
    for number in (10, 9, 123, 2, 10):
        shop.clock.forward(1)
        answer = add(shop, number)

    assert list(quantities(answer)) == [10, 9, 123, 2]
    assert (answer.body["count"], answer.body["quantity"]) == (4, 5)


def test_carts_of_other_customers_and_other_shops_stand_apart(shop: Bundle) -> None:
    shop.sell(product(), shop="other")
    add(shop, quantity=2)
    mine = add(shop)
    others = [
        shop.send("cart_items", altered(load("cart_items/post"), authorizer=who))
        for who in ({"customer": "customer-2"}, {"shop": "other"}, {"customer": "customer-1#CART"})
    ]

    assert quantities(mine) == {123: 3}
    assert [quantities(other) for other in others] == [{123: 2}] * 3
    assert len({answer.body["id"] for answer in [mine, *others]}) == 4
    assert len({answer.body["items"][0]["id"] for answer in [mine, *others]}) == 4
    assert len(shop.rows("CART#")) == 4


# ----------------------------------------------------------------------------------------------------------------------
# Refusals
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [404, 0, -1, 2**53, 10**30])
def test_a_product_that_the_shop_does_not_have_is_invalid(shop: Bundle, number: int) -> None:
    assert is_refusal(add(shop, number), 400, "invalid product", "product")
    assert shop.rows("CART#") == []


def test_a_product_that_is_not_for_sale_or_another_shop_s_is_invalid(shop: Bundle) -> None:
    shop.sell(product(7, active=False))
    shop.sell(product(8), shop="other")

    assert is_refusal(add(shop, 7), 400, "invalid product", "product")
    assert is_refusal(add(shop, 8), 400, "invalid product", "product")


@pytest.mark.parametrize("held", [0, 2])
def test_adding_past_the_stock_is_refused_and_changes_nothing(shop: Bundle, held: int) -> None:
    shop.sell(product(7, stock=3))
    if held:
        add(shop, 7, quantity=held)
    before = shop.rows("CART#")

    answer = add(shop, 7, quantity=4 - held)

    assert is_refusal(answer, 400, "insufficient stock", "quantity")
    assert "3" in answer.body["details"]["quantity"][0], "the message says what is available"
    assert shop.rows("CART#") == before
    assert quantities(add(shop, 7, quantity=3 - held)) == {7: 3}, "what is available can still be added"


def test_a_product_that_is_sold_out_cannot_be_added_and_one_without_a_limit_can(shop: Bundle) -> None:
    shop.sell(product(7, stock=0), product(8, stock=None))

    assert is_refusal(add(shop, 7), 400, "insufficient stock", "quantity")
    assert quantities(add(shop, 8, quantity=9999)) == {8: 9999}


def test_a_full_cart_takes_more_of_its_items_and_no_other(shop: Bundle) -> None:
    shop.sell(product(7), product(8))
    add(shop)
    shop.fill_cart(99)

    assert add(shop, 7).body["count"] == 100
    before = shop.cart_row()
    assert is_refusal(add(shop, 8), 400, "cart is full", "product")
    assert shop.cart_row() == before
    assert add(shop, 7).body["quantity"] == 101


def test_an_item_s_quantity_cannot_pass_9999(shop: Bundle) -> None:
    shop.sell(product(7, stock=None))
    add(shop, 7, quantity=9998)

    assert is_refusal(add(shop, 7, quantity=2), 400, "cart is full", "quantity")
    assert quantities(add(shop, 7)) == {7: 9999}


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"authorizer": None}, 401, "authentication required"),
        ({"authorizer": {"kind": "api_key"}}, 401, "authentication required"),
        ({"authorizer": {"kind": "other"}}, 401, "authentication required"),
        ({"address": "203.0.113.9"}, 403, "banned ip"),
        ({"address": "unreadable"}, 403, "banned ip"),
        ({"authorizer": {"allowed_origins": "https://a.example"}}, 403, "origin not allowed"),
        ({"method": "PUT"}, 404, "not found"),
        ({"body": "x" * (2**20 + 1)}, 413, "request too large"),
    ],
)
def test_a_request_that_the_edge_refuses_reaches_no_table(
    shop: Bundle, changes: dict[str, Any], status: int, error: str
) -> None:
    answer = shop.send("cart_items", altered(load("cart_items/post"), **changes))

    assert is_refusal(answer, status, error)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert shop.database.calls == []


# ----------------------------------------------------------------------------------------------------------------------
# Lifetime
# ----------------------------------------------------------------------------------------------------------------------


def test_a_cart_expires_30_days_after_its_last_change(shop: Bundle) -> None:
    add(shop)
    shop.clock.forward(30 * DAY - SECOND)
    kept = add(shop)

    assert quantities(kept) == {123: 2}
    assert kept.body["created_at"] == MOMENT
    assert shop.cart_row()["expires_at"] == str((NOW + 60 * DAY - SECOND) // 1000)


def test_an_expired_cart_that_is_still_in_the_table_is_replaced_whole(shop: Bundle) -> None:
    shop.sell(product(7))
    old = add(shop, 7, notes="old", headers={"Idempotency-Key": "k"})
    shop.client.update_item(
        TableName="table",
        Key={"pk": {"S": keys.cart(OWNER).pk}, "sk": {"S": "CART"}},
        UpdateExpression="SET address = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    shop.clock.forward(30 * DAY)

    answer = add(shop, headers={"Idempotency-Key": "k"})

    assert quantities(answer) == {123: 1}
    assert answer.body["address"] is None
    assert answer.body["created_at"] == "2025-12-21T12:34:56.789Z"
    assert "Idempotency-Replayed" not in answer.headers
    assert version(answer) > version(old)
    assert shop.database.calls == ["BatchGetItem", "PutItem"]
    again = add(shop, headers={"Idempotency-Key": "k"})
    assert again.headers["Idempotency-Replayed"] == "true"


# ----------------------------------------------------------------------------------------------------------------------
# Prices
# ----------------------------------------------------------------------------------------------------------------------


def test_another_item_s_price_is_read_anew_after_a_minute_and_kept_by_the_write(shop: Bundle) -> None:
    shop.sell(product(7, price=100, discount=0))
    add(shop, 7)
    shop.sell(product(7, price=120, discount=0))
    shop.clock.forward(60 * SECOND)

    answer = add(shop)

    assert shop.database.calls == ["BatchGetItem", "BatchGetItem", "UpdateItem"]
    assert answer.body["items"][0]["unit_price"] == 120
    (warning,) = answer.body["warnings"]
    assert (warning["code"], warning["item"]) == ("price_changed", item_id(OWNER, 7))
    assert "100" in warning["message"]
    assert "120" in warning["message"]

    following = add(shop)
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"], "the write kept the fresh reading"
    assert following.body["items"][0]["unit_price"] == 120
    assert following.body["warnings"] == []


def test_a_young_price_is_not_read_again(shop: Bundle) -> None:
    shop.sell(product(7))
    add(shop, 7)
    shop.clock.forward(50 * SECOND)
    add(shop)

    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]


def test_many_aged_prices_are_read_in_one_call(shop: Bundle) -> None:
    add(shop)
    shop.fill_cart(100)
    shop.sell(*(product(number, price=5, discount=0) for number in range(1000, 1099)))
    shop.clock.forward(HOUR)

    answer = add(shop)

    assert shop.database.calls == ["BatchGetItem", "BatchGetItem", "UpdateItem"]
    assert answer.body["items_subtotal"] == 2 * 1250 + 99 * 5
    assert len(answer.body["warnings"]) == 99


def test_the_added_product_s_own_price_is_always_the_newest_and_its_change_is_told(shop: Bundle) -> None:
    add(shop)
    shop.sell(product(price=1300))

    answer = add(shop)

    assert (answer.body["items"][0]["unit_price"], answer.body["items_subtotal"]) == (1300, 2600)
    assert [warning["code"] for warning in answer.body["warnings"]] == ["price_changed"]


def test_what_is_no_longer_for_sale_stays_visible_and_counts_in_no_total(shop: Bundle) -> None:
    shop.sell(product(7), product(8))
    add(shop, 7, quantity=3)
    add(shop, 8, quantity=4)
    shop.sell(product(7, active=False))
    gone = product_to_item(SHOP, product(8))
    shop.client.delete_item(TableName="table", Key={"pk": gone["pk"], "sk": gone["sk"]})
    shop.clock.forward(HOUR)

    answer = add(shop, quantity=2)

    assert quantities(answer) == {7: 3, 8: 4, 123: 2}
    assert (answer.body["items_subtotal"], answer.body["items_discount"], answer.body["total"]) == (2500, 500, 2000)
    told = [(warning["code"], warning["item"]) for warning in answer.body["warnings"]]
    assert told == [("unavailable", item_id(OWNER, 7)), ("unavailable", item_id(OWNER, 8))]


def test_an_item_of_which_less_is_left_is_warned_of_and_still_counts(shop: Bundle) -> None:
    shop.sell(product(7))
    add(shop, 7, quantity=5)
    shop.sell(product(7, stock=2))
    shop.clock.forward(HOUR)

    answer = add(shop)

    assert [warning["code"] for warning in answer.body["warnings"]] == ["insufficient_stock"]
    assert answer.body["items_subtotal"] == 6 * 1250


def test_an_older_reading_of_the_catalogue_never_overwrites_a_newer_one(shop: Bundle) -> None:
    add(shop)
    shop.sell(product(price=9))
    shop.clock.forward(-10 * SECOND)  # another function's clock, which is late

    assert quantities(add(shop)) == {123: 2}

    line = shop.cart_row()["snap#123"]
    assert line.startswith(f"{NOW:013d} ")
    assert "1250" in line


# ----------------------------------------------------------------------------------------------------------------------
# Exactly once
# ----------------------------------------------------------------------------------------------------------------------


def test_a_repeated_key_is_not_applied_again_and_shows_the_cart_as_it_now_stands(shop: Bundle) -> None:
    event = load("cart_items/post_other_case_headers")
    first = shop.send("cart_items", event)
    add(shop)

    again = shop.send("cart_items", event)

    assert "Idempotency-Replayed" not in first.headers
    assert (again.status, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert (quantities(first), quantities(again)) == ({123: 2}, {123: 3})
    assert shop.database.calls == ["BatchGetItem"]


@pytest.mark.parametrize("other", [{"quantity": 3}, {"product": 7}, {"notes": "other"}, {"quantity": 2, "notes": ""}])
def test_a_key_that_was_used_with_another_request_is_422_and_changes_nothing(
    shop: Bundle, other: dict[str, Any]
) -> None:
    shop.sell(product(7))
    add(shop, quantity=2, headers={"Idempotency-Key": "k"})
    before = shop.cart_row()

    answer = add(shop, **{"product": 123, "quantity": 2, **other}, headers={"Idempotency-Key": "k"})

    assert is_refusal(answer, 422, "idempotency key reused")
    assert shop.cart_row() == before


def test_keys_are_the_customer_s_own(shop: Bundle) -> None:
    event = altered(load("cart_items/post"), headers={"Idempotency-Key": "k"})
    shop.send("cart_items", event)

    answer = shop.send("cart_items", altered(event, authorizer={"customer": "customer-2"}))

    assert "Idempotency-Replayed" not in answer.headers
    assert quantities(answer) == {123: 2}


def test_a_cart_remembers_its_last_32_keys(shop: Bundle) -> None:
    for number in range(33):
        shop.clock.forward(1)
        add(shop, headers={"Idempotency-Key": f"key-{number}"})

    assert sum(name.startswith("key#") for name in shop.cart_row()) == 32
    assert add(shop, headers={"Idempotency-Key": "key-1"}).headers["Idempotency-Replayed"] == "true"
    assert quantities(add(shop, headers={"Idempotency-Key": "key-0"})) == {123: 34}, "forgotten, and so applied again"
    assert add(shop, headers={"Idempotency-Key": "key-32"}).headers["Idempotency-Replayed"] == "true"


def test_a_key_is_remembered_for_24_hours_and_then_serves_again(shop: Bundle) -> None:
    once = {"Idempotency-Key": "k"}
    add(shop, headers=once)
    shop.clock.forward(DAY - 1)
    assert quantities(add(shop, headers=once)) == {123: 1}
    shop.clock.forward(1)

    answer = add(shop, quantity=5, headers=once)

    assert quantities(answer) == {123: 6}
    assert "Idempotency-Replayed" not in answer.headers
    assert add(shop, quantity=5, headers=once).headers["Idempotency-Replayed"] == "true"


def test_forgotten_keys_leave_the_cart_with_the_next_write(shop: Bundle) -> None:
    for number in range(3):
        add(shop, headers={"Idempotency-Key": f"key-{number}"})
    shop.clock.forward(DAY)
    add(shop, headers={"Idempotency-Key": "new"})

    assert sum(name.startswith("key#") for name in shop.cart_row()) == 1


# ----------------------------------------------------------------------------------------------------------------------
# Versions
# ----------------------------------------------------------------------------------------------------------------------


def test_the_version_grows_with_every_change_and_stands_still_with_a_replay(shop: Bundle) -> None:
    once = {"Idempotency-Key": "k"}
    answers = [add(shop), add(shop), add(shop, headers=once), add(shop, headers=once)]

    versions = [version(answer) for answer in answers]
    assert versions[0] < versions[1] < versions[2] == versions[3]


def test_a_changed_price_changes_the_tag_and_not_the_version(shop: Bundle) -> None:
    once = {"Idempotency-Key": "k"}
    first = add(shop, headers=once)
    same = add(shop, headers=once)
    shop.sell(product(price=1300))
    shop.clock.forward(HOUR)
    dearer = add(shop, headers=once)

    assert first.headers["ETag"] == same.headers["ETag"]
    assert dearer.headers["ETag"] != first.headers["ETag"]
    assert version(dearer) == version(first)
    assert dearer.body["items"][0]["unit_price"] == 1300


def test_a_version_is_never_repeated_by_a_cart_that_is_made_anew(shop: Bundle) -> None:
    seen = [version(add(shop)) for _ in range(3)]
    shop.clock.forward(30 * DAY)
    seen += [version(add(shop)) for _ in range(2)]
    key = keys.cart(OWNER)
    shop.client.delete_item(TableName="table", Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})
    shop.clock.forward(DAY)
    seen += [version(add(shop)) for _ in range(2)]

    assert seen == sorted(set(seen))


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"1-0", {tag}', "*"])
def test_a_change_on_the_current_version_is_made_in_two_calls(shop: Bundle, form: str) -> None:
    tag = add(shop).headers["ETag"]
    answer = add(shop, headers={"If-Match": form.format(tag=tag)})

    assert quantities(answer) == {123: 2}
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]


def test_a_changed_price_does_not_stop_a_change_on_the_version(shop: Bundle) -> None:
    tag = add(shop).headers["ETag"]
    shop.sell(product(price=1300))

    assert add(shop, headers={"If-Match": tag}).status == 200


@pytest.mark.parametrize("form", ['"1-0"', '"0-0"', "nonsense", '"x-y"'])
def test_a_change_on_another_version_is_412_with_the_current_tag_and_writes_nothing(shop: Bundle, form: str) -> None:
    current = add(shop)
    before = shop.cart_row()

    answer = add(shop, headers={"If-Match": form})

    assert is_refusal(answer, 412, "cart has changed")
    assert answer.headers["ETag"] == current.headers["ETag"]
    assert shop.cart_row() == before


def test_the_cart_before_anything_is_written_has_a_version_too(shop: Bundle) -> None:
    refusal = add(shop, headers={"If-Match": '"1-0"'})
    assert shop.rows("CART#") == []

    assert add(shop, headers={"If-Match": refusal.headers["ETag"]}).status == 200
    assert is_refusal(add(shop, headers={"If-Match": refusal.headers["ETag"]}), 412, "cart has changed")


def test_a_change_on_the_version_before_the_first_write_is_made_once_by_its_key(shop: Bundle) -> None:
    event = load("cart_items/post_once_on_version")

    answers = [shop.send("cart_items", event) for _ in range(2)]
    late = shop.send("cart_items", altered(event, headers={"Idempotency-Key": "another"}))

    assert [(answer.status, quantities(answer)) for answer in answers] == [(200, {123: 2})] * 2
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert is_refusal(late, 412, "cart has changed")


def test_a_customer_s_name_may_hold_anything(shop: Bundle) -> None:
    owner = Owner(SHOP, "a#b*c%20 ü 🎁")
    answer = shop.send("cart_items", altered(load("cart_items/post"), authorizer={"customer": owner.customer}))

    assert answer.body["id"] == cart_id(owner)
    assert shop.cart_row(owner)["pk"].count("#") == 2
