"""The routes of orders, for customers and for the shop's servers, and the function that ends holds."""

from typing import Any

import pytest

from serverless_cart.domain.orders import Order
from serverless_cart.dynamodb.orders import new_order_writes
from tests.support.builders import OWNER, order, product, sold
from tests.support.bundle import TABLE, Answer, Bundle
from tests.support.order_shop import LATER
from tools.support.events import NOW, SHOP, altered, load

pytestmark = pytest.mark.every_engine

UNKNOWN = "ORD-0123456789ABCDEFGHJKMNPQRS"
PATHS = {"orders": ("get", "cancel"), "shop_orders": ("get", "patch")}
of_one_order = pytest.mark.parametrize(
    ("function", "name"), [(function, name) for function, names in PATHS.items() for name in names]
)


def make(bundle: Bundle, **changes: Any) -> Order:
    """Write an order as a checkout does."""
    made = order(**changes)
    writes: list[Any] = [{kind: {"TableName": TABLE, **it}} for kind, it in new_order_writes(made, 10)]
    bundle.client.transact_write_items(TransactItems=writes)
    return made


def send(bundle: Bundle, function: str, name: str, key: str = "", **changes: Any) -> Answer:
    path = {"path": {"key": key}} if key else {}
    return bundle.send(function, altered(load(f"{function}/{name}"), **path, **changes))


def set_status(bundle: Bundle, key: str, **body: Any) -> Answer:
    return send(bundle, "shop_orders", "patch", key, body=body)


def test_customer_and_server_read_the_same_order(shop: Bundle) -> None:
    made = make(
        shop,
        items=(sold(quantity=2, unit_discount=250, notes="Blue"),),
        notes="Ring twice",
        discount=100,
        discount_code="Spring",
        shipping_cost=490,
    )

    answer = send(shop, "orders", "get", made.key)

    assert answer.status == 200
    body = answer.body
    assert isinstance(body.pop("id"), int)
    assert body == {
        "key": made.key, "status": "hold", "customer": OWNER.customer, "created_at": "2025-11-21T12:34:56.789Z",
        "updated_at": "2025-11-21T12:34:56.789Z", "reserved_until": "2025-11-21T13:04:56.789Z",
        "address": 1, "shipping_method": 2, "payment_method": 3, "notes": "Ring twice", "currency": "EUR", "count": 1,
        "quantity": 2, "items_subtotal": 2500, "items_discount": 500, "subtotal": 2000, "discount": 100,
        "discount_code": "Spring", "shipping_cost": 490, "total": 2390, "amount_paid": 0, "is_paid": False,
        "items": [{
            "ref": "REF-123", "product": {"id": 123, "name": "Product 123", "image": "https://img.example/123.jpg"},
            "quantity": 2, "notes": "Blue", "unit_price": 1250, "unit_discount": 250, "subtotal": 2500,
            "discount": 500, "total": 2000,
        }],
    }  # fmt: skip
    assert answer.headers["Cache-Control"] == "no-store"
    managed = send(shop, "shop_orders", "get", made.key)
    assert (managed.status, without_id(managed.body)) == (200, body)


def without_id(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "id"}


@of_one_order
@pytest.mark.parametrize("theirs", [{"customer": "customer-2"}, {"shop": "other"}, None], ids=repr)
def test_others_orders_are_not_found(shop: Bundle, function: str, name: str, theirs: dict[str, str] | None) -> None:
    key = UNKNOWN if theirs is None else make(shop, **theirs).key
    if function == "shop_orders" and theirs == {"customer": "customer-2"}:
        assert send(shop, function, name, key).status == 200
        return
    before = shop.rows()

    answer = send(shop, function, name, key)

    expected: Any = "order not found" if function == "orders" else {"code": "not_found", "message": "Not found"}
    assert (answer.status, answer.body) == (404, {"error": expected})
    assert shop.rows() == before


@of_one_order
@pytest.mark.parametrize("key", ["1", "ORD-", "%23", "%00", UNKNOWN.lower(), UNKNOWN + "0"])
def test_malformed_key_is_not_found_without_a_call(shop: Bundle, function: str, name: str, key: str) -> None:
    assert send(shop, function, name, key).status == 404
    assert shop.database.calls == []


def test_cancelled_once_and_only_while_held(shop: Bundle) -> None:
    shop.sell(product(stock=5))
    made = make(shop, reserved={123: 2})

    answer = send(shop, "orders", "cancel", made.key, body="{")

    assert (answer.status, answer.body["status"], answer.body["reserved_until"]) == (200, "cancelled", None)
    assert shop.database.calls == ["GetItem", "BatchGetItem", "TransactWriteItems"]
    again = send(shop, "orders", "cancel", made.key)
    assert (again.status, again.body) == (409, {"error": "order cannot be cancelled"})
    assert [row["stock"] for row in shop.rows("PRODUCT#")] == ["7"]


def test_server_takes_an_order_to_its_end(shop: Bundle) -> None:
    shop.sell(product(stock=5))
    made = make(shop, reserved={123: 2})
    steps: list[tuple[dict[str, Any], int]] = [
        ({"status": "processing"}, 1250),
        ({"status": "shipped", "amount_paid": 1000}, 1000),
        ({"status": "completed"}, 1000),
        ({"status": "refunded", "amount_paid": 0, "restock": True}, 0),
    ]
    for body, paid in steps:
        for _ in range(2):
            answer = set_status(shop, made.key, **body)
            assert (answer.status, answer.body["status"], answer.body["amount_paid"]) == (200, body["status"], paid)
            assert answer.body["is_paid"] == (paid >= 1250)
        assert shop.database.calls == ["GetItem"]
    assert [row["stock"] for row in shop.rows("PRODUCT#")] == ["7"]


def test_forbidden_transition_is_409(shop: Bundle) -> None:
    made = make(shop)
    before = shop.rows()

    answer = set_status(shop, made.key, status="completed")

    assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_transition")
    assert answer.body["error"]["details"] == {"status": ["an order cannot change from hold to completed"]}
    assert shop.rows() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "body"),
        ([], "body"),
        ({}, "status"),
        ({"status": "paid"}, "status"),
        ({"status": "hold", "amount_paid": -1}, "amount_paid"),
        ({"status": "hold", "amount_paid": "1"}, "amount_paid"),
        ({"status": "refunded", "restock": 1}, "restock"),
        ({"status": "cancelled", "restock": True}, "body"),
    ],
)
def test_bad_change_is_400_before_any_call(shop: Bundle, body: Any, field: str) -> None:
    answer = send(shop, "shop_orders", "patch", UNKNOWN, body=body)

    assert (answer.status, answer.body["error"]["code"]) == (400, "bad_params")
    assert answer.body["error"]["details"].keys() == {field}
    assert shop.database.calls == []


def test_customers_list_has_count_and_no_items(shop: Bundle) -> None:
    made = [make(shop, created_at=NOW + age) for age in range(3)]
    make(shop, status="shipped")

    answer = send(shop, "orders", "list", query={"limit": 2, "offset": 1, "status": "hold"})

    assert (answer.status, answer.body["count"]) == (200, 3)
    assert [it["key"] for it in answer.body["results"]] == [made[1].key, made[0].key]
    assert "items" not in answer.body["results"][0]
    assert shop.database.calls == ["Query", "BatchGetItem"]
    assert send(shop, "orders", "list", query={}).body["count"] == 4


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"limit": "1.0"}, {"offset": -1}, {"offset": 10_001}, {"status": "paid"}]
)
def test_bad_query_of_a_customer_is_400(shop: Bundle, query: dict[str, Any]) -> None:
    answer = send(shop, "orders", "list", query=query)

    assert (answer.status, answer.body["error"]) == (400, "validation error")
    assert answer.body["details"].keys() == query.keys()
    assert shop.database.calls == []


PERIOD = {"from": "20251121", "to": "20251121"}


def test_servers_list_continues_at_its_cursor(shop: Bundle) -> None:
    made = [make(shop, created_at=NOW + age, customer=f"c{age}") for age in range(3)]
    keys: list[str] = []
    query: dict[str, Any] = {**PERIOD, "limit": 2}
    for _ in range(2):
        body = send(shop, "shop_orders", "list", query=query).body
        assert body["total"] == body["total_count"] == len(body["results"])
        keys += [it["key"] for it in body["results"]]
        query["cursor"] = body.get("cursor")

    assert keys == [it.key for it in made]
    assert query["cursor"] is None


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("20251121", "20251121", True),
        ("20251122", "20251231", False),
        ("20251101", "20251120", False),
        (NOW, NOW, True),
        (NOW + 1, NOW + 2, False),
        (NOW // 1000, NOW // 1000, True),
        (NOW // 1000 + 1, "20251231", False),
    ],
)
def test_days_and_moments_are_included(shop: Bundle, first: object, last: object, found: bool) -> None:  # noqa: FBT001
    make(shop)

    answer = send(shop, "shop_orders", "list", query={"from": first, "to": last})

    assert (answer.status, answer.body["total"]) == (200, int(found))


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, {"from", "to"}),
        (PERIOD | {"from": "20250230"}, {"from"}),
        (PERIOD | {"from": "2025112"}, {"from"}),
        (PERIOD | {"to": "²0251121"}, {"to"}),
        (PERIOD | {"from": "20251122"}, {"to"}),
        (PERIOD | {"limit": 1_001}, {"limit"}),
        (PERIOD | {"status": "paid"}, {"status"}),
        (PERIOD | {"cursor": "1"}, {"cursor"}),
        (PERIOD | {"cursor": f"{NOW}.ORD-1"}, {"cursor"}),
    ],
)
def test_bad_query_of_a_server_is_400(shop: Bundle, query: dict[str, Any], fields: set[str]) -> None:
    answer = send(shop, "shop_orders", "list", query=query)

    assert (answer.status, answer.body["error"]["code"]) == (400, "bad_params")
    assert answer.body["error"]["details"].keys() == fields
    assert shop.database.calls == []


def test_cursor_outside_of_the_period_finds_nothing_else(shop: Bundle) -> None:
    make(shop, created_at=NOW - 86_400_000)

    for cursor in ("0000000000000.", f"{NOW + 86_400_000}.", "9999999999999."):
        body = send(shop, "shop_orders", "list", query={**PERIOD, "cursor": cursor}).body
        assert body == {"results": [], "total": 0, "total_count": 0}


def test_unpaid_order_fails_after_its_time(shop: Bundle) -> None:
    shop.sell(product(stock=5))
    made = make(shop, reserved={123: 2})
    event = load("release_holds/schedule")
    assert shop.invoke("release_holds", event) == {"ended": 0, "errors": 0}
    shop.clock.now = LATER
    assert shop.invoke("release_holds", {"source": "cartctl.doctor"}) == {"ended": 0, "errors": 0}

    shop.seconds_left = 55.0
    assert shop.invoke("release_holds", event) == {"ended": 1, "errors": 0}

    assert send(shop, "orders", "get", made.key).body["status"] == "failed"
    assert [row["stock"] for row in shop.rows("PRODUCT#")] == ["7"]
    assert [row["pk"] for row in shop.rows("HOLDS#")] == []
    assert shop.rows(f"ORDERS#{SHOP}")[0]["status"] == "failed"
