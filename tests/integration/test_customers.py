"""The routes of customers in the Management API: signing in, signing out, and the cart."""

import re
from typing import Any

import pytest

from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.attributes import number
from serverless_cart.dynamodb.tokens import DELETION_REQUESTED_AT, shop_to_item
from tests.support import cart_requests
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle
from tools.support.events import NOW, SHOP, altered, load

pytestmark = pytest.mark.every_engine

DENIED = {"error": {"code": "access_denied", "message": "Access denied"}}
ROUTES = [("customer_tokens", "post"), ("customer_tokens", "delete"), ("customer_cart", "get")]
every_route = pytest.mark.parametrize(("function", "name"), ROUTES)


def send(bundle: Bundle, function: str, name: str, **changes: Any) -> Answer:
    return bundle.send(function, altered(load(f"{function}/{name}"), **{"path": {"customer": "anna"}, **changes}))


def sign_in(bundle: Bundle, **changes: Any) -> str:
    answer = send(bundle, "customer_tokens", "post", **changes)
    assert answer.status == 201
    key: str = answer.body["token"]
    return key


def opens(bundle: Bundle, key: str) -> tuple[str, str] | None:
    """Return the shop and the customer that a key opens."""
    answer = bundle.authorize(altered(load("authorizer/customer_token"), token=f"Token {key}"))
    context = answer.get("context")
    return (context["shop"], context["customer"]) if context else None


@pytest.mark.parametrize(("body", "seconds"), [(None, 30 * 86_400), ({"expires_in": 60}, 60)])
def test_token_opens_the_cart_until_it_expires(shop: Bundle, body: Any, seconds: int) -> None:
    answer = send(shop, "customer_tokens", "post", body=body)

    assert answer.status == 201
    assert answer.body.keys() == {"token", "expires_at"}
    assert re.fullmatch("[0-9a-f]{40}", answer.body["token"])
    assert opens(shop, answer.body["token"]) == (SHOP, "anna")
    shop.clock.forward(seconds * 1000)
    assert opens(shop, answer.body["token"]) is None


def test_sign_out_revokes_only_one_customer(shop: Bundle) -> None:
    shop.open_shop(Shop("other"))
    keys = [sign_in(shop) for _ in range(3)]
    others = [sign_in(shop, path={"customer": "anna2"}), sign_in(shop, authorizer={"shop": "other"})]

    assert send(shop, "customer_tokens", "delete").body == {"revoked": 3}
    assert [opens(shop, key) for key in keys] == [None] * 3
    assert [opens(shop, key) for key in others] == [(SHOP, "anna2"), ("other", "anna")]
    assert send(shop, "customer_tokens", "delete", body="{").body == {"revoked": 0}


def test_closed_shop_is_not_authenticated(shop: Bundle) -> None:
    """The authorizer's answer may have been cached before."""
    shop.put({**shop_to_item(Shop(SHOP)), DELETION_REQUESTED_AT: number(NOW)})
    before = shop.rows()

    answer = send(shop, "customer_tokens", "post")

    assert (answer.status, answer.body["error"]["code"]) == (401, "not_authenticated")
    assert shop.rows() == before


@every_route
def test_bad_customer_is_400_before_any_call(shop: Bundle, function: str, name: str) -> None:
    for encoded in ("%20", "%00", "%FF", "x" * 257):
        answer = send(shop, function, name, path={"customer": encoded})

        assert (answer.status, answer.body["error"]["code"]) == (400, "bad_params")
        assert answer.body["error"]["details"].keys() == {"customer"}
        assert shop.database.calls == []


@every_route
@pytest.mark.parametrize(
    "changes",
    [{"authorizer": {"kind": "api_key"}}, {"authorizer": {"kind": "customer"}}, {"address": "203.0.113.9"}],
    ids=["API key", "customer token", "blocked network"],
)
def test_other_kind_or_network_is_denied(shop: Bundle, function: str, name: str, changes: Any) -> None:
    answer = send(shop, function, name, **changes)

    assert (answer.status, answer.body) == (403, DENIED)
    assert shop.database.calls == []


@every_route
def test_origin_does_not_matter_and_no_page_reads(shop: Bundle, function: str, name: str) -> None:
    listed = {"authorizer": {"allowed_origins": "https://a.example"}, "headers": {"Origin": "https://b.example"}}

    answer = send(shop, function, name, **listed)

    assert answer.status < 300
    assert not any(header.lower().startswith("access-control") for header in answer.headers)
    assert answer.headers["Cache-Control"] == "no-store"


def test_cart_is_the_customers_own_answer(shop: Bundle) -> None:
    shown = cart_requests.add(shop)

    answer = send(shop, "customer_cart", "get", path={"customer": OWNER.customer})

    assert (answer.status, answer.body) == (200, shown.body)
    assert "ETag" not in answer.headers
    empty = send(shop, "customer_cart", "get", path={"customer": "nobody"})
    assert (empty.status, empty.body["is_empty"], empty.body["currency"]) == (200, True, "EUR")


def test_changed_price_is_shown_but_not_recorded(shop: Bundle) -> None:
    cart_requests.add(shop)
    shop.sell(product(price=1_600))
    shop.clock.forward(60_000)
    before = shop.rows()

    answer = send(shop, "customer_cart", "get", path={"customer": OWNER.customer})

    assert [warning["code"] for warning in answer.body["warnings"]] == ["price_changed"]
    assert shop.database.calls == ["GetItem", "BatchGetItem"]
    assert shop.rows() == before
    assert cart_requests.read(shop).body["warnings"] == answer.body["warnings"]


def test_no_log_and_no_row_has_the_token(shop: Bundle) -> None:
    customer = "wilhelmina"
    key = sign_in(shop, path={"customer": customer})
    send(shop, "customer_tokens", "delete", path={"customer": customer})

    issued, revoked = shop.log_lines()
    assert (issued["IssuedTokens"], revoked["RevokedTokens"]) == ([1.0], [1.0])
    assert (issued["route"], issued["status"]) == ("/api/v2/customers/{customer}/tokens", 201)
    assert key not in shop.logged() + str(shop.rows())
    assert customer not in shop.logged()
    (entry,) = [row for row in shop.rows("TOKENS#") if row.get("label")]
    assert (entry["label"], entry["last4"]) == ("signed in over HTTP", key[-4:])
