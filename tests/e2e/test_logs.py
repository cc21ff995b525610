"""What all the requests of all the other tests left in the logs."""

import pytest

from storefront.domain.product import Product
from tests.e2e.clients import NOTE, SENSITIVE, TITLE, Customer, Visitor
from tests.e2e.lambdas import FUNCTIONS, Lambdas


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_log_holds_a_key_a_customer_or_what_they_wrote(
    lambdas: Lambdas, visitor: Visitor, customer: Customer, lamp: Product, function: str
) -> None:
    assert visitor.put("42").status == 200
    (item,) = customer.add(lamp.id, notes=NOTE).body["items"]
    assert customer.revise(item["id"], notes=NOTE).status == 200
    assert customer.read().body["items"][0]["notes"] == NOTE
    log = "\n".join(lambdas.log(function))
    assert '"message"' in log
    assert {TITLE, NOTE, customer.token, customer.owner.customer} <= SENSITIVE
    assert [text for text in SENSITIVE if text in log] == []


@pytest.mark.parametrize("function", [function for function in FUNCTIONS if function != "Authorizer"])
def test_no_function_had_a_fault(lambdas: Lambdas, function: str) -> None:
    log = lambdas.log(function)
    assert any('"answered"' in line for line in log)
    faults = [line for line in log if '"ERROR"' in line and '"fault"' in line]
    assert [line for line in faults if "AccessDeniedException" not in line] == []  # which test_unavailable.py provoked
