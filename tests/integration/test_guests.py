"""Guests and the merge of their carts, through the functions (contract: Guests)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from serverless_cart.auth import Token, digest
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.guests import guest_customer
from serverless_cart.domain.public_ids import item_id
from serverless_cart.dynamodb.tokens import token_to_items
from tests.support import cart_requests as customer
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle
from tests.support.cart_requests import is_refusal, is_replay, once, quantities, version, warnings
from tools.support.events import DAY, SHOP, altered, load

pytestmark = pytest.mark.every_engine

MERGE_CALLS = ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]


@dataclass(frozen=True)
class Visitor:
    """A guest, by the token."""

    bundle: Bundle
    token: str

    @property
    def owner(self) -> Owner:
        return Owner(SHOP, guest_customer(digest(self.token)))

    def add(self, product: int, quantity: int = 1, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        body = {"product": product, "quantity": quantity, **more}
        event = altered(load("cart_items/post"), body=body, headers=headers or {})
        return self.bundle.send("cart_items", altered(event, authorizer={"customer": self.owner.customer}))

    def read(self) -> Answer:
        return self.bundle.send("cart", altered(load("cart/get"), authorizer={"customer": self.owner.customer}))

    def allowed(self) -> bool:
        answer = self.bundle.authorize(altered(load("authorizer/customer_token"), token=f"Token {self.token}"))
        return bool(answer["policyDocument"]["Statement"][0]["Effect"] == "Allow")


@pytest.fixture
def guest(shop: Bundle) -> Visitor:
    """Create a guest over the products 7, 8 and 123."""
    shop.sell(product(7), product(8, stock=4))
    return new_guest(shop)


def new_guest(shop: Bundle) -> Visitor:
    answer = shop.send("guests", load("guests/post"))
    assert (answer.status, shop.database.calls) == (201, ["PutItem"])
    return Visitor(shop, answer.body["token"])


def merge(shop: Bundle, token: Any, headers: dict[str, str] | None = None) -> Answer:
    return shop.send("cart_merge", altered(load("cart_merge/post"), body={"token": token}, headers=headers or {}))


def before_transaction(shop: Bundle, change: Callable[[], object]) -> None:
    """Make a change between a merge's reads and its transaction, once."""
    pending = [change]

    def before(operation: str) -> None:
        if operation == "TransactWriteItems" and pending:
            calls = list(shop.database.calls)
            pending.pop()()
            shop.database.calls[:] = calls

    shop.database.before = before


def test_guest_has_a_cart_for_30_days(shop: Bundle) -> None:
    answer = shop.send("guests", load("guests/post"))
    guest = Visitor(shop, answer.body["token"])

    assert answer.body.keys() == {"token", "expires_at"}
    assert answer.body["expires_at"] == "2025-12-21T12:34:56.000Z"
    assert answer.headers["Cache-Control"] == "no-store"
    assert guest.allowed()
    assert guest.token not in str(shop.rows()) + shop.logged()
    shop.clock.forward(30 * DAY)
    assert not guest.allowed()


def test_guests_have_separate_carts(guest: Visitor, shop: Bundle) -> None:
    other = new_guest(shop)
    guest.add(123)

    assert other.read().body["is_empty"]
    assert other.token != guest.token


@pytest.mark.parametrize("kind", ["customer", "other"])
def test_only_an_api_key_creates_guests(shop: Bundle, kind: str) -> None:
    event = altered(load("guests/post"), authorizer={"kind": kind})
    assert is_refusal(shop.send("guests", event), 401, "authentication required")


def test_merge_moves_everything_and_revokes_the_token(guest: Visitor, shop: Bundle) -> None:
    customer.add(shop, 123, quantity=1, notes="mine")
    guest.add(123, 2, notes="theirs")
    guest.add(7, 1, notes="gift")

    answer = merge(shop, guest.token)

    assert shop.database.calls == MERGE_CALLS
    assert (answer.status, quantities(answer), answer.body["warnings"]) == (200, {123: 3, 7: 1}, [])
    assert {line["product"]["id"]: line["notes"] for line in answer.body["items"]} == {123: "mine", 7: "gift"}
    assert customer.read(shop).headers["ETag"] == answer.headers["ETag"]
    assert guest.read().body["is_empty"]
    assert not guest.allowed()


@pytest.mark.parametrize("spelled", ["{}", "eu1-{}"])
def test_repeated_merge_moves_nothing(guest: Visitor, shop: Bundle, spelled: str) -> None:
    guest.add(123, 2)
    first = merge(shop, spelled.format(guest.token))
    row = shop.cart_row()

    again = merge(shop, guest.token)

    assert (again.status, again.body, shop.database.calls) == (200, first.body, ["BatchGetItem"])
    assert shop.cart_row() == row


def test_items_added_after_a_merge_move_by_another(guest: Visitor, shop: Bundle) -> None:
    """The authorizer's answer is cached, so a page may use a revoked token for a minute."""
    guest.add(123, 2)
    merge(shop, guest.token)
    guest.add(123, 1)

    assert quantities(merge(shop, guest.token)) == {123: 3}


def test_what_does_not_fit_stays_and_is_listed(guest: Visitor, shop: Bundle) -> None:
    customer.add(shop, 8, quantity=3)
    guest.add(8, 4)
    guest.add(7)
    guest.add(123)
    shop.sell(product(7, active=False))

    answer = merge(shop, guest.token)

    assert quantities(answer) == {8: 4, 123: 1}
    assert warnings(answer) == [("not_merged", item_id(OWNER, id_)) for id_ in (7, 8)]
    assert answer.body["warnings"][1]["message"] == "3 of Product 8 not merged"
    assert quantities(guest.read()) == {8: 3, 7: 1}
    assert guest.allowed()


def test_merge_with_a_key_is_replayed(guest: Visitor, shop: Bundle) -> None:
    guest.add(8, 4)
    customer.add(shop, 8, quantity=2)
    first = merge(shop, guest.token, once())
    shop.sell(product(8, stock=50))

    replay = merge(shop, guest.token, once())

    assert (is_replay(first), is_replay(replay), quantities(replay)) == (False, True, {8: 4})
    assert [code for code, _ in warnings(replay)] == ["not_merged"]
    assert is_refusal(customer.add(shop, headers=once()), 422, "idempotency key reused")
    assert quantities(guest.read()) == {8: 2}


def test_key_of_an_empty_merge_is_remembered(guest: Visitor, shop: Bundle) -> None:
    assert (merge(shop, guest.token, once()).status, shop.database.calls) == (
        200,
        ["BatchGetItem", "TransactWriteItems"],
    )
    guest.add(123)

    assert quantities(merge(shop, guest.token, once())) == {}


def test_merge_of_another_version_is_412(guest: Visitor, shop: Bundle) -> None:
    seen = customer.add(shop).headers["ETag"]
    customer.add(shop)
    guest.add(123)

    refused = merge(shop, guest.token, {"If-Match": seen})
    assert is_refusal(refused, 412, "cart has changed")
    assert quantities(merge(shop, guest.token, {"If-Match": refused.headers["ETag"]})) == {123: 3}


@pytest.mark.parametrize("token", [None, 7, "", "x", "0" * 39, "0" * 41, "Token " + "0" * 40, "F" * 40])
def test_malformed_guest_token_is_invalid(shop: Bundle, token: Any) -> None:
    assert is_refusal(merge(shop, token), 400, "validation error", "token")
    assert shop.database.calls == []


def test_token_of_no_guest_of_the_shop_is_invalid(guest: Visitor, shop: Bundle) -> None:
    other = "2" * 40
    foreign = Token("customer", "other", guest_customer(digest(other)), shop.clock() // 1000 + DAY)
    shop.put(*token_to_items(digest(other), foreign))
    for token in ("0" * 40, "1" * 40, "f" * 40, other):
        assert is_refusal(merge(shop, token), 400, "validation error", "token")
    shop.clock.forward(30 * DAY)
    assert is_refusal(merge(shop, guest.token), 400, "validation error", "token")


def test_guest_cannot_merge_its_own_cart(guest: Visitor, shop: Bundle) -> None:
    event = altered(load("cart_merge/post"), body={"token": guest.token}, authorizer={"customer": guest.owner.customer})
    assert is_refusal(shop.send("cart_merge", event), 400, "validation error", "token")


def test_moved_price_is_reported(guest: Visitor, shop: Bundle) -> None:
    guest.add(123)
    shop.sell(product(price=1300))

    answer = merge(shop, guest.token)

    assert [code for code, _ in warnings(answer)] == ["price_changed"]
    assert [code for code, _ in warnings(customer.read(shop))] == ["price_changed"]


def test_merge_replaces_an_expired_cart(guest: Visitor, shop: Bundle) -> None:
    old = version(customer.add(shop, 7))
    shop.clock.forward(30 * DAY)
    guest = new_guest(shop)
    guest.add(123)

    answer = merge(shop, guest.token)

    assert quantities(answer) == {123: 1}
    assert version(answer) > old


@pytest.mark.parametrize("between", ["customer adds", "guest adds", "customer reads a new price", "merged"])
def test_change_in_between_is_merged_too(guest: Visitor, shop: Bundle, between: str) -> None:
    customer.add(shop, 7)
    guest.add(123)
    shop.sell(product(7, price=1500))
    shop.clock.forward(60_000)

    def sell_and_read() -> None:
        shop.sell(product(7, price=1600))
        customer.read(shop)

    changes = {
        "customer adds": lambda: customer.add(shop, 7),
        "guest adds": lambda: guest.add(123),
        "customer reads a new price": sell_and_read,
        "merged": lambda: merge(shop, guest.token),
    }
    before_transaction(shop, changes[between])

    answer = merge(shop, guest.token)

    assert quantities(answer) == {7: 1 + (between == "customer adds"), 123: 1 + (between == "guest adds")}
    assert [code for code, _ in warnings(answer)] == ["price_changed"]
    prices = {line["product"]["id"]: line["unit_price"] for line in answer.body["items"]}
    assert prices[7] == (1600 if between == "customer reads a new price" else 1500)
    assert guest.read().body["is_empty"]


def test_item_added_during_an_empty_merge_is_moved(guest: Visitor, shop: Bundle) -> None:
    """Otherwise the guest's token would be revoked, and the item lost."""
    before_transaction(shop, lambda: guest.add(123))

    assert quantities(merge(shop, guest.token)) == {123: 1}
    assert guest.read().body["is_empty"]


def test_shop_issues_no_token_of_a_guest(guest: Visitor, shop: Bundle) -> None:
    event = altered(load("customer_tokens/post"), path={"customer": guest.owner.customer})

    answer = shop.send("customer_tokens", event)

    assert (answer.status, answer.body["error"]["details"].keys()) == (400, {"customer"})
    assert shop.database.calls == []
    guest.add(123)
    shown = shop.send("customer_cart", altered(load("customer_cart/get"), path={"customer": guest.owner.customer}))
    assert quantities(shown) == {123: 1}
