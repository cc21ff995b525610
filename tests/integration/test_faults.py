"""What a customer is told when the database fails, and what then stands in the table."""

import pytest
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from tests.builders import altered, load, product
from tests.integration.conftest import Answer, Bundle

TIMEOUT = ReadTimeoutError(endpoint_url="http://database")
RESET = ConnectionClosedError(endpoint_url="http://database")
NOT_REACHED = ConnectTimeoutError(endpoint_url="http://database")
ITEM = {"id": "MUG-7", "index": "product", "title": "Enamel mug"}


class Fail:
    """Fails the first attempts at one operation."""

    def __init__(self, operation: str, error: Exception, times: int = 1) -> None:
        self.operation = operation
        self.error = error
        self.left = times

    def __call__(self, operation: str) -> None:
        if operation == self.operation and self.left:
            self.left -= 1
            raise self.error


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def unavailable(answer: Answer) -> bool:
    return (
        (answer.status, answer.body) == (503, {"error": "temporarily unavailable"})
        and int(answer.headers["Retry-After"]) > 0
        and answer.headers["Access-Control-Allow-Origin"] == "*"
    )


def post(bundle: Bundle, key: str = "") -> Answer:
    return bundle.send("cart_items", altered(load("cart_items/post"), headers={"Idempotency-Key": key}))


def quantity(answer: Answer) -> int:
    total: int = answer.body["quantity"]
    return total


@pytest.mark.parametrize("error", [TIMEOUT, RESET], ids=["timeout", "reset"])
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "lost"])
def test_an_addition_without_a_key_whose_answer_is_lost_is_503_and_is_not_repeated(
    shop: Bundle, error: Exception, *, applied: bool
) -> None:
    fault = Fail("UpdateItem", error)
    shop.database.before, shop.database.after = (None, fault) if applied else (fault, None)

    assert unavailable(post(shop))

    assert shop.database.calls == ["BatchGetItem", "UpdateItem"]
    assert [row["qty#123"] for row in shop.rows("CART#")] == (["2"] if applied else [])


@pytest.mark.parametrize("error", [TIMEOUT, RESET], ids=["timeout", "reset"])
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "lost"])
def test_an_addition_with_a_key_whose_answer_is_lost_is_applied_exactly_once(
    shop: Bundle, error: Exception, *, applied: bool
) -> None:
    fault = Fail("UpdateItem", error)
    shop.database.before, shop.database.after = (None, fault) if applied else (fault, None)

    answer = post(shop, key="k")

    assert (answer.status, quantity(answer)) == (200, 2)
    assert "Idempotency-Replayed" not in answer.headers
    assert post(shop, key="k").headers["Idempotency-Replayed"] == "true"
    assert quantity(post(shop)) == 4


def test_a_client_s_retry_after_a_lasting_fault_is_applied_exactly_once(shop: Bundle) -> None:
    shop.database.after = Fail("UpdateItem", TIMEOUT)

    def then_fail_reads(operation: str) -> None:
        if "UpdateItem" in shop.database.calls and operation == "BatchGetItem":
            raise TIMEOUT

    shop.database.before = then_fail_reads
    assert unavailable(post(shop, key="k"))
    shop.database.before = None

    answer = post(shop, key="k")

    assert (quantity(answer), answer.headers["Idempotency-Replayed"]) == (2, "true")


@pytest.mark.parametrize("error", [TIMEOUT, RESET, NOT_REACHED], ids=["timeout", "reset", "not reached"])
def test_a_read_is_repeated_and_the_customer_notices_nothing(shop: Bundle, error: Exception) -> None:
    shop.database.before = Fail("BatchGetItem", error, times=2)

    assert quantity(post(shop)) == 2


def test_a_write_that_never_left_is_repeated(shop: Bundle) -> None:
    shop.database.before = Fail("UpdateItem", NOT_REACHED, times=2)

    assert quantity(post(shop)) == 2
    assert shop.cart_row()["qty#123"] == "2"


@pytest.mark.parametrize("operation", ["BatchGetItem", "UpdateItem"])
def test_a_database_that_cannot_be_reached_is_503_and_leaves_nothing(shop: Bundle, operation: str) -> None:
    shop.database.before = Fail(operation, NOT_REACHED, times=3)

    assert unavailable(post(shop))
    assert shop.rows("CART#") == []


def test_prices_that_cannot_be_read_anew_stop_the_addition(shop: Bundle) -> None:
    shop.sell(product(7))
    shop.send("cart_items", altered(load("cart_items/post"), body={"product": 7}))
    shop.clock.forward(61_000)
    before = shop.cart_row()
    reads = 0

    def second_read(operation: str) -> None:
        nonlocal reads
        reads += operation == "BatchGetItem"
        if reads > 1:
            raise TIMEOUT

    shop.database.before = second_read

    assert unavailable(post(shop))
    assert shop.cart_row() == before


@pytest.mark.parametrize(
    ("name", "operation"), [("put_body", "UpdateItem"), ("patch", "UpdateItem"), ("patch", "DeleteItem")]
)
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "lost"])
def test_a_session_s_event_whose_answer_is_lost_is_503_and_is_not_repeated(
    bundle: Bundle, name: str, operation: str, *, applied: bool
) -> None:
    held = {"UpdateItem": 5, "DeleteItem": 1}[operation]
    bundle.send("stats_cart", altered(load("stats_cart/put_query"), query={**ITEM, "amount": held}))
    fault = Fail(operation, TIMEOUT)
    bundle.database.before, bundle.database.after = (None, fault) if applied else (fault, None)

    assert unavailable(bundle.send("stats_cart", load(f"stats_cart/{name}")))

    changed = {("put_body", "UpdateItem"): ["7"], ("patch", "UpdateItem"): ["4"], ("patch", "DeleteItem"): []}
    assert [row["amount"] for row in bundle.rows()] == (changed[name, operation] if applied else [str(held)])


@pytest.mark.parametrize("operation", ["Query", "BatchWriteItem"])
def test_emptying_a_session_is_repeated_after_a_fault(bundle: Bundle, operation: str) -> None:
    bundle.send("stats_cart", load("stats_cart/put_body"))
    bundle.database.after = Fail(operation, TIMEOUT)

    assert bundle.send("stats_cart", load("stats_cart/delete")).status == 200
    assert bundle.rows() == []
