"""The authorizer: what each token opens, and what it does without its table."""

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from serverless_cart import auth
from serverless_cart.auth import Principal, Token, digest
from serverless_cart.domain.shop import Shop
from serverless_cart.service.errors import Unavailable
from tests.support.builders import OWNER
from tests.support.bundle import Bundle
from tools.support.events import HASHID, NOW, SHOP, altered, load

API_KEY, CUSTOMER_TOKEN = "0" * 40, "1" * 40
STAGES = {
    "token": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/live",
    "customer_token": "arn:aws:execute-api:eu-west-1:123456789012:f6g7h8i9j0/live",
    "lower_case_scheme": "arn:aws:execute-api:eu-west-1:123456789012:f6g7h8i9j0/live",
    "management_key": "arn:aws:execute-api:eu-west-1:123456789012:m7n8o9p0q1/live",
}
METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
CARTS = [f"{method}/api/shop/*" for method in METHODS]
GUESTS = ["POST/api/shop/guests", "POST/api/shop/guests/"]


def statement(answer: dict[str, Any]) -> dict[str, Any]:
    (only,) = answer["policyDocument"]["Statement"]
    assert only["Action"] == "execute-api:Invoke"
    found: dict[str, Any] = only
    return found


def is_denied(answer: dict[str, Any]) -> bool:
    return (statement(answer)["Effect"], answer.get("context")) == ("Deny", None)


@pytest.mark.parametrize(
    ("name", "routes", "kind", "customer"),
    [
        ("token", [*(f"{method}/6/*" for method in METHODS), *GUESTS], "api_key", ""),
        ("customer_token", CARTS, "customer", OWNER.customer),
        ("lower_case_scheme", CARTS, "customer", OWNER.customer),
        ("management_key", [], "management", ""),
    ],
)
def test_token_opens_the_routes_of_its_kind(
    shop: Bundle, name: str, routes: list[str], kind: auth.Kind, customer: str
) -> None:
    """And the Management API, whose functions answer 403 to other kinds."""
    answer = shop.authorize(load(f"authorizer/{name}"))

    assert statement(answer)["Effect"] == "Allow"
    management = [f"{method}/api/v2/*" for method in METHODS]
    assert sorted(statement(answer)["Resource"]) == sorted(
        f"{STAGES[name]}/{route}" for route in [*routes, *management]
    )
    assert Principal.from_context(answer["context"]) == Principal(
        kind=kind,
        shop=SHOP,
        customer=customer,
        search_engines=frozenset({HASHID}),
        blocked_networks=frozenset({"203.0.113.0/24", "2001:db8:bad::/48"}),
        allowed_origins=frozenset(),
    )
    assert all(isinstance(value, str) for value in answer["context"].values())


def test_unknown_key_is_denied_the_whole_stage(shop: Bundle) -> None:
    answer = shop.authorize(load("authorizer/unknown_key"))

    assert is_denied(answer)
    assert statement(answer)["Resource"] == [f"{STAGES['token']}/*/*"]


@pytest.mark.parametrize("form", ["", "{}", "Bearer {}", "Token {}0"])
def test_malformed_header_is_denied_without_a_read(shop: Bundle, form: str) -> None:
    shop.database.calls.clear()

    assert is_denied(shop.authorize(altered(load("authorizer/customer_token"), token=form.format(CUSTOMER_TOKEN))))
    assert shop.database.calls == []


@pytest.mark.parametrize(("expires_at", "opens"), [(NOW // 1000 + 1, True), (NOW // 1000, False)])
def test_token_opens_until_it_expires(shop: Bundle, expires_at: int, *, opens: bool) -> None:
    shop.open_shop(Shop(SHOP), **{f"key_{'2' * 40}": Token("customer", SHOP, "c", expires_at=expires_at)})

    answer = shop.authorize(altered(load("authorizer/customer_token"), token=f"Token {'2' * 40}"))

    assert is_denied(answer) is not opens


def test_unavailable_table_raises_instead_of_denying(shop: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(_operation: str) -> None:
        raise ReadTimeoutError(endpoint_url="http://database")

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    shop.database.before = time_out

    with pytest.raises(Unavailable):
        shop.authorize(load("authorizer/customer_token"))


def test_log_has_the_kind_but_no_key_or_customer(shop: Bundle) -> None:
    names = ("token", "customer_token", "unknown_key")
    for name in names:
        shop.authorize(load(f"authorizer/{name}"))
    malformed = {"token": "Token malformed-secret"}
    shop.authorize(altered(load("authorizer/customer_token"), **malformed))

    assert [line["kind"] for line in shop.log_lines()] == ["api_key", "customer", None, None]
    assert {line["function_request_id"] for line in shop.log_lines()} == {"c0ffee00-0000-4000-8000-000000000000"}
    for secret in (API_KEY, CUSTOMER_TOKEN, digest(API_KEY), digest(CUSTOMER_TOKEN), OWNER.customer, "secret"):
        assert secret not in shop.logged()
