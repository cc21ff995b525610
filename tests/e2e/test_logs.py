"""Logs, metrics and errors of all other tests: they hold no secret."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from local.stack import Stack
from serverless_cart import auth
from serverless_cart.domain.product import Product
from serverless_cart.web import checkout, management_api, refusals, search_api
from tests.support.lambdas import FUNCTIONS, Lambdas
from tools.support import figures
from tools.support.clients import (
    ERRORS,
    NOTE,
    SENSITIVE,
    TITLE,
    Customer,
    Manager,
    Visitor,
    sensitive,
    sensitive_in,
    unique,
)
from tools.support.database import Database

pytestmark = pytest.mark.last(3)  # it searches everything that the other tests left behind

TABLES = (search_api.ERRORS, checkout.ERRORS, management_api.ERRORS)
REASONS = {error for table in TABLES for _, error in table.values()} | {
    refusals.UNAVAILABLE,
    management_api.API.unavailable,
}
"""The reasons that a metric may have: the errors of the contract."""

counts: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _searched_are_counted() -> Iterator[None]:
    """Record the numbers of lines and secrets."""
    yield
    figures.record("leaks", "pytest tests/e2e", **counts, keys_customers_sessions_notes_and_titles=len(SENSITIVE))


@pytest.fixture(scope="module", autouse=True)
def _stored_tokens_are_sensitive(stack: Stack, database: Database) -> None:
    """Search for the customers of the stack too, and for the digests of all tokens."""
    keys = (*stack.customer_tokens, stack.demonstration_token, stack.second_shop.customer_token)
    for key in keys:
        sensitive(database.token(key).customer)
    for secret in list(SENSITIVE):
        if auth.HEADER.fullmatch(f"Token {secret}"):
            sensitive(auth.digest(secret))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_log_has_a_key_customer_or_text(
    *, lambdas: Lambdas, visitor: Visitor, customer: Customer, manager: Manager, lamp: Product, function: str
) -> None:
    signed_in = sensitive(unique("signed-in"))
    assert manager.sign_in(signed_in).status == 201
    assert manager.cart(signed_in).status == 200
    assert visitor.put("42").status == 200
    texts = {"user_id": sensitive(unique("visitor")[:36]), "query": sensitive(unique("marzipan mousetrap"))}
    dfid = f"{visitor.hashid}@product@{'0' * 32}"
    assert visitor.event("click", json={"session_id": visitor.session, "dfid": dfid, **texts}).status == 200
    assert visitor.event("click", params={"session_id": visitor.session, "dfid": "x", **texts}).status == 400
    (item,) = customer.add(lamp.id, notes=NOTE).body["items"]
    assert customer.update_item(item["id"], notes=NOTE).status == 200
    assert customer.read().body["items"][0]["notes"] == NOTE
    order = customer.check_out(notes=NOTE).body["order_key"]
    assert manager.change_order(order, status="processing").status == 200
    assert customer.cancel(order).status == 409
    lines = lambdas.log(function)
    assert {TITLE, NOTE, visitor.session, customer.token, customer.owner.customer} <= SENSITIVE
    assert any('"message"' in line for line in lines)
    leaks = sensitive_in("\n".join(lines))
    counts.update({"log_lines": len(lines), "leaks_in_logs": len(leaks)})
    assert leaks == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_metrics_have_only_numbers_service_and_reason(lambdas: Lambdas, function: str) -> None:
    metrics = [json.loads(line) for line in lambdas.log(function) if '"_aws"' in line]
    assert metrics
    dimensions_used = set()
    for line in metrics:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            dimensions_used |= {(name, line[name]) for dimensions in directive["Dimensions"] for name in dimensions}
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                assert all(
                    isinstance(value, int | float) for value in (values if isinstance(values, list) else [values])
                )
    leaks = [text for line in metrics for text in sensitive_in(json.dumps(line, ensure_ascii=False))]
    counts.update({"metric_lines": len(metrics), "leaks_in_metrics": len(leaks)})
    assert leaks == []
    assert {name for name, _ in dimensions_used} <= {"service", "reason", "outcome"}
    assert {value for name, value in dimensions_used if name == "reason"} <= REASONS
    assert {value for name, value in dimensions_used if name == "outcome"} <= {"fault"}
    assert len({value for name, value in dimensions_used if name == "service"}) == 1


def test_no_error_has_a_secret(visitor: Visitor, customer: Customer) -> None:
    assert visitor.put("", title=TITLE).status == 400
    assert customer.add(1, notes=NOTE).status == 400
    leaks = [error for error in ERRORS if sensitive_in(error)]
    counts.update({"errors": len(ERRORS), "leaks_in_errors": len(leaks)})
    assert leaks == []


@pytest.mark.parametrize("function", [function for function in FUNCTIONS if function != "Authorizer"])
def test_no_function_had_a_fault(lambdas: Lambdas, function: str) -> None:
    log = lambdas.log(function)
    assert any(f'"{message}"' in line for line in log for message in ("answered", "rolled up", "ended"))
    faults = [line for line in log if '"ERROR"' in line and '"fault"' in line]
    assert [line for line in faults if "AccessDeniedException" not in line] == []  # which test_unavailable.py causes
