"""The errors of the Shop API, and the order of its checks; a refused request changes nothing."""

from itertools import combinations
from typing import Any

import pytest

from serverless_cart.domain.public_ids import item_id
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle
from tests.support.cart_requests import add, is_refusal, once, remove
from tools.support.events import Event, altered, load

ROUTES = {
    "read": "cart/get",
    "select": "cart/patch",
    "clear": "cart/delete",
    "add": "cart_items/post",
    "update": "cart_items/patch",
    "remove": "cart_items/delete",
}
BODIES: dict[str, dict[str, Any]] = {
    "add": {"product": 123, "quantity": 2},
    "select": {"address": 7},
    "update": {"quantity": 2},
}
every_route = pytest.mark.parametrize("route", ROUTES)
every_body = pytest.mark.parametrize("route", BODIES)


def send(shop: Bundle, route: str, **changes: Any) -> Answer:
    name = ROUTES[route]
    return shop.send(name.partition("/")[0], altered(load(name), **changes))


NO_OBJECTS: list[str | bytes | None] = [
    *(None, "", "[]", '"text"', "null", "7", "{", "product=7", '{"product": NaN}', '{"address": NaN}'),
    *("[" * 100_000, b"\xff", b'{"a": "\xed\xa0\x80"}', b'{"a": "\xc0\xaf"}', '{"a": "ü"}'.encode("latin-1")),
    *(b"\x00" * 9, b"\x1f\x8b"),
]


@every_body
def test_body_that_is_no_object_is_invalid(shop: Bundle, route: str) -> None:
    for body in NO_OBJECTS:
        assert is_refusal(send(shop, route, body=body), 400, "validation error", "body"), body
        assert shop.database.calls == []


@pytest.mark.parametrize(
    ("route", "body", "fields"),
    [
        ("add", {"quantity": 1}, ["product"]),
        ("add", {"product": "7", "quantity": 0, "notes": 5}, ["product", "quantity", "notes"]),
        ("select", {"address": "1", "shipping_method": -1, "payment_method": True}, [
            "address", "shipping_method", "payment_method",
        ]),
        ("update", {"quantity": 0, "notes": None}, ["quantity", "notes"]),
        ("update", {}, ["body"]),
        ("update", {"unknown": 1}, ["body"]),
        ("update", {"product": 7}, ["body"]),
    ],
    ids=str,
)  # fmt: skip
def test_all_invalid_fields_are_named(shop: Bundle, route: str, body: dict[str, Any], fields: list[str]) -> None:
    for headers, more in (({}, []), (once("a b"), ["Idempotency-Key"])):
        answer = send(shop, route, body=body, headers=headers)
        assert (answer.status, answer.body["error"]) == (400, "validation error")
        assert answer.body["details"].keys() == {*fields, *more}
        assert all(texts and all(texts) for texts in answer.body["details"].values())


@every_route
@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"authorizer": None}, 401, "authentication required"),
        ({"authorizer": {"kind": "api_key"}}, 401, "authentication required"),
        ({"authorizer": {"kind": "other"}}, 401, "authentication required"),
        ({"address": "203.0.113.9"}, 403, "banned ip"),
        ({"address": "2001:db8:bad::9"}, 403, "banned ip"),
        ({"address": "unreadable"}, 403, "banned ip"),
        ({"authorizer": {"allowed_origins": "https://a.example"}}, 403, "origin not allowed"),
        ({"method": "PUT"}, 404, "not found"),
        ({"body": "x" * (2**20 + 1)}, 413, "request too large"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_refused_request_reaches_no_table(
    shop: Bundle, route: str, changes: dict[str, Any], status: int, error: str
) -> None:
    answer = send(shop, route, **changes)

    assert is_refusal(answer, status, error)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert shop.database.calls == []


NO_INTEGER = "404 item not found (no integer)"
ORDER = [
    "401 authentication required",
    "403 banned ip",
    "403 origin not allowed",
    "400 validation error",
    "422 idempotency key reused",
    "404 item not found",
    NO_INTEGER,
    "412 cart has changed",
    "400 invalid product",
    "400 insufficient stock",
    "400 cart is full",
]
ALL = set(ORDER[:3])
CHANGING = {*ALL, "400 validation error", "422 idempotency key reused", "412 cart has changed"}
ABOUT_AN_ITEM = {*CHANGING, "404 item not found", NO_INTEGER}
REFUSALS = {
    "read": ALL,
    "select": CHANGING,
    "clear": CHANGING,
    "add": {*CHANGING, "400 invalid product", "400 insufficient stock", "400 cart is full"},
    "update": {*ABOUT_AN_ITEM, "400 invalid product", "400 insufficient stock"},
    "remove": ABOUT_AN_ITEM,
}
"""The refusals of each route."""
WRONG: dict[str, dict[str, Any]] = {
    "401 authentication required": {"authorizer": {"kind": "api_key"}},
    "403 banned ip": {"address": "203.0.113.9"},
    "403 origin not allowed": {"authorizer": {"allowed_origins": "https://a.example"}},
    "422 idempotency key reused": {"headers": once("used")},
    "404 item not found": {"path": {"id": str(item_id(OWNER, 404))}},
    NO_INTEGER: {"path": {"id": "abc"}},
    "412 cart has changed": {"headers": {"If-Match": '"1-0"'}},
}
"""The change of a good request that each refusal is for, where it is the same on every route."""
WRONG_HERE: dict[str, dict[str, dict[str, Any]]] = {
    "select": {"400 validation error": {"body": {"address": "7"}}},
    "clear": {"400 validation error": {"headers": once("a b")}},
    "remove": {"400 validation error": {"headers": once("a b")}},
    "add": {
        "400 validation error": {"body": {"notes": 5}},
        "400 invalid product": {"body": {"product": 7}},
        "400 insufficient stock": {"body": {"product": 8}},
        "400 cart is full": {"body": {"product": 9}},
    },
    "update": {
        "400 validation error": {"body": {"notes": 5}},
        "400 invalid product": {"path": {"id": str(item_id(OWNER, 7))}},
        "400 insufficient stock": {"path": {"id": str(item_id(OWNER, 8))}},
    },
}


def pairs(route: str) -> list[tuple[str, str]]:
    """Return the pairs of refusals that one request can deserve, in the order of the contract."""
    return [
        (first, second)
        for first, second in combinations([refusal for refusal in ORDER if refusal in REFUSALS[route]], 2)
        if (first, second) != ("404 item not found", NO_INTEGER)
        # Without a body, only the key can be invalid, and an invalid key is not a used one.
        and not (route in {"clear", "remove"} and (first[:3], second[:3]) == ("400", "422"))
    ]


def request_with(route: str, *refusals: str) -> Event:
    """Return a request that deserves these refusals."""
    parts: dict[str, Any] = {"body": BODIES[route]} if route in BODIES else {}
    for refusal in reversed(refusals):
        for part, value in WRONG_HERE.get(route, {}).get(refusal, WRONG.get(refusal, {})).items():
            parts[part] = parts.get(part, {}) | value if isinstance(value, dict) else value
    return altered(load(ROUTES[route]), **parts)


@every_route
def test_first_refusal_in_the_order_of_checks_wins(shop: Bundle, route: str) -> None:
    shop.sell(product(7), product(8), product(9), product(404))
    for number in (123, 404, *((7, 8) if route == "update" else ())):
        add(shop, number)
    remove(shop, 404)
    shop.sell(product(7, active=False, stock=0), product(8, stock=1 if route == "update" else 0))
    if route == "add":
        remove(shop, 404)
        shop.fill_cart(100)
    add(shop, headers=once("used"))
    row = shop.cart_row()

    found = {}
    for first, second in pairs(route):
        answer = shop.send(ROUTES[route].partition("/")[0], request_with(route, first, second))
        found[first, second] = f"{answer.status} {answer.body['error']}"

    assert found == {(first, second): first.partition(" (")[0] for first, second in found}
    assert len(found) == {"read": 3, "select": 15, "clear": 14, "add": 36, "update": 44, "remove": 26}[route]
    assert shop.cart_row() == row
