"""What a customer is told when the database fails, and what then stands in the table."""

from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from tests.builders import altered, load, product
from tests.integration.conftest import TABLE, Answer, Bundle
from tests.integration.customer import CALLS, CHANGES, add, read

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
        if "UpdateItem" in shop.database.calls and operation == "GetItem":
            raise TIMEOUT

    shop.database.before = then_fail_reads
    assert unavailable(post(shop, key="k"))
    shop.database.before = None

    answer = post(shop, key="k")

    assert (quantity(answer), answer.headers["Idempotency-Replayed"]) == (2, "true")


@pytest.mark.parametrize("kind", [kind for kind in CHANGES if kind != "add"])
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "lost"])
def test_any_other_change_whose_answer_is_lost_is_503_without_a_key_and_made_once_with_one(
    shop: Bundle, kind: str, *, applied: bool
) -> None:
    def lose() -> None:
        fault = Fail("UpdateItem", TIMEOUT)
        shop.database.before, shop.database.after = (None, fault) if applied else (fault, None)

    add(shop, quantity=2)
    before = shop.cart_row()["version"]
    lose()
    assert unavailable(CHANGES[kind](shop))
    assert shop.database.calls == CALLS[kind]
    assert (shop.cart_row()["version"] != before) is applied
    shop.database.reset()
    add(shop)
    lose()
    answer = CHANGES[kind](shop, {"Idempotency-Key": "k"})

    assert answer.status == 200
    assert "Idempotency-Replayed" not in answer.headers
    assert CHANGES[kind](shop, {"Idempotency-Key": "k"}).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("place", [0, -1], ids=["reading", "writing"])
def test_a_database_that_cannot_be_reached_is_503_on_every_route(shop: Bundle, kind: str, place: int) -> None:
    add(shop)
    before = shop.cart_row()
    shop.database.before = Fail(CALLS[kind][place], NOT_REACHED, times=3)

    assert unavailable(CHANGES[kind](shop))
    assert shop.cart_row() == before


def test_a_reading_is_repeated_and_then_503(shop: Bundle) -> None:
    add(shop)
    shop.database.before = Fail("GetItem", TIMEOUT, times=2)
    assert quantity(read(shop)) == 1
    shop.database.before = Fail("GetItem", TIMEOUT, times=3)
    assert unavailable(read(shop))


class Unprocessed:
    """Leaves all but the first key of each of so many BatchGetItems unprocessed, as a throttled table does."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.asked: list[int] = []

    def __call__(self, operation: str, parsed: dict[str, Any]) -> None:
        if operation != "BatchGetItem":
            return
        found = parsed["Responses"][TABLE]
        self.asked.append(len(found))
        if self.left:
            self.left -= 1
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in found[1:]]
            parsed["Responses"] = {TABLE: found[:1]}
            parsed["UnprocessedKeys"] = {TABLE: {"Keys": keys}}


def aged(shop: Bundle) -> None:
    """Fill the cart with three items, whose prices have then changed and aged."""
    for number in (7, 8, 123):
        shop.sell(product(number))
        add(shop, number)
        shop.sell(product(number, price=1000 + number, discount=0))
    shop.clock.forward(60_000)


@pytest.mark.parametrize("send", [read, CHANGES["select"]], ids=["read", "select"])
def test_keys_that_were_not_processed_are_asked_for_again_and_they_alone(shop: Bundle, send: Any) -> None:
    aged(shop)
    shop.database.alter = unprocessed = Unprocessed(times=2)

    answer = send(shop)

    assert [line["unit_price"] for line in answer.body["items"]] == [1007, 1008, 1123]
    assert shop.database.calls[:4] == ["GetItem", *["BatchGetItem"] * 3]
    assert unprocessed.asked == [3, 2, 1]


SHOWING = {"read": read} | {kind: change for kind, change in CHANGES.items() if kind != "clear"}


@pytest.mark.parametrize("send", SHOWING.values(), ids=SHOWING)
def test_keys_that_stay_unprocessed_are_503_and_nothing_is_written(shop: Bundle, send: Any) -> None:
    """Never an answer with a price that is too old."""
    aged(shop)
    before = shop.cart_row()

    def all_of_it(operation: str, parsed: dict[str, Any]) -> None:
        if operation == "BatchGetItem":
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in parsed["Responses"][TABLE]]
            parsed.update(Responses={}, UnprocessedKeys={TABLE: {"Keys": keys}})

    shop.database.alter = all_of_it

    assert unavailable(send(shop))
    assert shop.database.calls.count("BatchGetItem") == 3
    assert shop.cart_row() == before


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
