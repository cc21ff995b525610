"""The authorizer: what each token opens, at what cost, and what a broken table does not do."""

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from serverless_cart.auth import Principal, Token, digest
from serverless_cart.domain.shop import Shop
from serverless_cart.service.errors import Unavailable
from tests.support.builders import OWNER
from tests.support.bundle import Bundle
from tools.support.events import HASHID, NOW, SHOP, load

API_KEY, CUSTOMER_TOKEN = "0" * 40, "1" * 40
STAGES = {
    "api_key_with_zone": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/live",
    "customer_token": "arn:aws:execute-api:eu-west-1:123456789012:f6g7h8i9j0/live",
}
METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")


def statement(answer: dict[str, Any]) -> dict[str, Any]:
    (only,) = answer["policyDocument"]["Statement"]
    assert only["Action"] == "execute-api:Invoke"
    found: dict[str, Any] = only
    return found


def refused(answer: dict[str, Any]) -> bool:
    return (statement(answer)["Effect"], answer.get("context")) == ("Deny", None)


@pytest.mark.parametrize(
    ("name", "path", "kind", "customer"),
    [("api_key_with_zone", "6/*", "api_key", ""), ("customer_token", "api/shop/*", "customer", OWNER.customer)],
)
def test_a_token_opens_its_own_api_on_every_method(
    shop: Bundle, name: str, path: str, kind: str, customer: str
) -> None:
    answer = shop.authorize(load(f"authorizer/{name}"))

    assert statement(answer)["Effect"] == "Allow"
    assert sorted(statement(answer)["Resource"]) == sorted(f"{STAGES[name]}/{method}/{path}" for method in METHODS)
    assert Principal.from_context(answer["context"]) == Principal(
        kind="api_key" if kind == "api_key" else "customer",
        shop=SHOP,
        customer=customer,
        search_engines=frozenset({HASHID}),
        blocked_networks=frozenset({"203.0.113.0/24", "2001:db8:bad::/48"}),
        allowed_origins=frozenset(),
    )
    assert all(isinstance(value, str) for value in answer["context"].values())


def test_no_policy_has_a_wildcard_in_front_of_the_path(shop: Bundle) -> None:
    for name in STAGES:
        for resource in statement(shop.authorize(load(f"authorizer/{name}")))["Resource"]:
            assert "*" not in resource.removesuffix("/*")


def test_the_scheme_is_read_without_regard_to_case_and_the_zone_is_ignored(shop: Bundle) -> None:
    event = load("authorizer/lower_case_scheme")
    plain = shop.authorize(event)

    assert statement(plain)["Effect"] == "Allow"
    for spelling in ("TOKEN", "tOkEn"):
        for zone in ("", "eu1-", "us1-", "ap1-"):
            assert shop.authorize({**event, "authorizationToken": f"{spelling} {zone}{CUSTOMER_TOKEN}"}) == plain


def test_an_unknown_key_is_refused_by_a_policy_for_the_whole_stage(shop: Bundle) -> None:
    answer = shop.authorize(load("authorizer/unknown_key"))

    assert refused(answer)
    assert statement(answer)["Resource"] == [f"{STAGES['api_key_with_zone']}/*/*"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Token",
        "Token ",
        f"Token  {CUSTOMER_TOKEN}",
        f"Bearer {CUSTOMER_TOKEN}",
        f"Token {CUSTOMER_TOKEN} ",
        f"Token xx1-{CUSTOMER_TOKEN}",
        f"Token {'A' * 40}",
        f"Token {'1' * 39}",
        f"Token {CUSTOMER_TOKEN}\n",
    ],
)
def test_a_malformed_header_is_refused_without_a_look_at_the_table(shop: Bundle, header: str) -> None:
    shop.database.calls.clear()

    assert refused(shop.authorize({**load("authorizer/customer_token"), "authorizationToken": header}))
    assert shop.database.calls == []


@pytest.mark.parametrize(
    ("token", "opens"),
    [
        (Token("customer", SHOP, "c", expires_at=NOW // 1000 + 1), True),
        (Token("customer", SHOP, "c", expires_at=NOW // 1000), False),
        (Token("customer", SHOP, "c", revoked=True), False),
        (Token("api_key", SHOP, revoked=True), False),
        (Token("api_key", "a shop that was deleted"), False),
    ],
)
def test_an_expired_or_revoked_token_and_one_whose_shop_is_gone_open_nothing(
    bundle: Bundle, token: Token, *, opens: bool
) -> None:
    bundle.open_shop(Shop(SHOP), **{f"key_{'2' * 40}": token})

    answer = bundle.authorize({**load("authorizer/customer_token"), "authorizationToken": f"Token {'2' * 40}"})

    assert refused(answer) is not opens


@pytest.mark.parametrize(
    ("name", "calls"),
    [("api_key_with_zone", 2), ("customer_token", 2), ("lower_case_scheme", 2), ("unknown_key", 1)],
)
def test_a_judgement_costs_two_reads_and_one_where_there_is_no_such_token(shop: Bundle, name: str, calls: int) -> None:
    shop.database.calls.clear()

    shop.authorize(load(f"authorizer/{name}"))

    assert shop.database.calls == ["GetItem"] * calls


def test_a_table_that_cannot_be_read_raises_and_turns_nobody_away(
    shop: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def time_out(_operation: str) -> None:
        raise ReadTimeoutError(endpoint_url="http://database")

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    shop.database.before = time_out

    with pytest.raises(Unavailable):
        shop.authorize(load("authorizer/customer_token"))


def test_the_log_says_what_was_judged_and_names_neither_key_nor_customer(shop: Bundle) -> None:
    names = ("api_key_with_zone", "customer_token", "unknown_key")
    for name in names:
        shop.authorize(load(f"authorizer/{name}"))
    shop.authorize({**load("authorizer/customer_token"), "authorizationToken": "Token malformed-secret"})

    assert [line["kind"] for line in shop.log_lines()] == ["api_key", "customer", None, None]
    assert {line["function_request_id"] for line in shop.log_lines()} == {"c0ffee00-0000-4000-8000-000000000000"}
    for secret in (API_KEY, CUSTOMER_TOKEN, digest(API_KEY), digest(CUSTOMER_TOKEN), OWNER.customer, "secret"):
        assert secret not in shop.logged()
