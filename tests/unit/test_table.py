"""`Table` over a wire that answers at will: retries, errors and unprocessed items."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.session import get_session

from serverless_cart.dynamodb.client import connect
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import (
    ATTEMPTS,
    ConditionFailed,
    Table,
    TransactionContended,
    TransactionRefused,
)
from serverless_cart.service.errors import Ambiguous, Unavailable

URL = "http://database.invalid"
KEY = Key("pk", "sk")
TIMEOUT = ReadTimeoutError(endpoint_url=URL)
RESET = ConnectionClosedError(endpoint_url=URL)
CONNECT_TIMEOUT = ConnectTimeoutError(endpoint_url=URL)
REFUSED_CONNECTION = EndpointConnectionError(endpoint_url=URL)


@dataclass
class Wire:
    """Replaces HTTP: returns the next answer to each attempt, and keeps what was sent."""

    answers: list[Exception | tuple[int, dict[str, Any] | str]] = field(default_factory=list)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    observed: list[tuple[str, float]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    conflicts: int = 0

    def __call__(self, request: Any, **_: object) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        self.sent.append((operation, json.loads(request.body)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        text = body if isinstance(body, str) else json.dumps(body)
        raw = SimpleNamespace(stream=lambda: iter([text.encode()]))
        headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
        return AWSResponse(URL, status, headers, raw)

    @property
    def attempts(self) -> list[str]:
        return [operation for operation, _ in self.sent]


def failure(status: int, code: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "arn:secret", **more}


Error = Exception | tuple[int, dict[str, Any]]
OK: tuple[int, dict[str, Any]] = (200, {})
THROTTLED = failure(400, "ProvisionedThroughputExceededException")
THROTTLING = failure(400, "ThrottlingException")
BROKEN = failure(500, "InternalServerError")
CONDITION = failure(400, "ConditionalCheckFailedException", Item={"pk": {"S": "pk"}, "amount": {"N": "3"}})


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr("time.sleep", wire.waits.append)
    return wire


@pytest.fixture(scope="module")
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", URL)
        patch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
        yield


@pytest.fixture
def table(_environment: None, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Return the table as the functions open it, with the wire instead of HTTP."""
    session = get_session()
    session.register("before-send.dynamodb", cast("Callable[..., None]", wire))  # the stubs know of no answer
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(botocore_session=session))

    def observe(operation: str, milliseconds: float) -> None:
        wire.observed.append((operation, milliseconds))

    def report_conflict() -> None:
        wire.conflicts += 1

    return connect("table", 2, observe, report_conflict)


def expression() -> Expression:
    write = Expression()
    write.set("title", {"S": "Mug"})
    return write


def condition() -> Expression:
    write = Expression()
    write.require(f"attribute_exists({write.name('pk')})")
    return write


WRITES: dict[str, Callable[[Table], object]] = {
    "UpdateItem": lambda table: table.update(KEY, expression()),
    "PutItem": lambda table: table.put({"pk": {"S": "pk"}, "sk": {"S": "sk"}}, condition()),
    "DeleteItem": lambda table: table.delete(KEY, condition()),
}
REPEATABLE: dict[str, Callable[[Table], object]] = {
    "GetItem": lambda table: table.get(KEY),
    "BatchGetItem": lambda table: table.get_many([KEY]),
    "Query": lambda table: list(table.keys_of("pk")),
    "BatchWriteItem": lambda table: table.write_many([{"DeleteRequest": {"Key": {}}}]),
}
DONE: dict[str, tuple[int, dict[str, Any]]] = {
    "UpdateItem": (200, {"Attributes": {"pk": {"S": "pk"}}}),
    "BatchGetItem": (200, {"Responses": {"table": []}}),
    "Query": (200, {"Items": []}),
}


# ----------------------------------------------------------------------------------------------------------------------
# Retries
# ----------------------------------------------------------------------------------------------------------------------

OPERATIONS = {**WRITES, **REPEATABLE}
MAYBE_APPLIED: list[Error] = [TIMEOUT, RESET, BROKEN, failure(503, "ServiceUnavailable")]
NOT_APPLIED: list[Error] = [THROTTLED, THROTTLING, CONNECT_TIMEOUT, REFUSED_CONNECTION]
FAULTS: list[Error] = [failure(400, f"{code}Exception") for code in ("Validation", "AccessDenied", "ResourceNotFound")]


def lasting(operation: str, error: Error) -> tuple[type[Exception], int]:
    """Return the exception and the number of attempts that an error leads to if it does not pass."""
    if error in FAULTS:
        return ClientError, 1
    return (Ambiguous, 1) if operation in WRITES and error in MAYBE_APPLIED else (Unavailable, ATTEMPTS)


every_operation = pytest.mark.parametrize("operation", OPERATIONS)


@every_operation
def test_lasting_error_has_one_meaning(table: Table, wire: Wire, operation: str) -> None:
    for error in [*MAYBE_APPLIED, *NOT_APPLIED, *FAULTS]:
        wire.sent, wire.answers = [], [error] * 10

        with pytest.raises((ClientError, Unavailable)) as raised:
            OPERATIONS[operation](table)
        expected, attempts = lasting(operation, error)
        assert isinstance(raised.value, expected), error
        assert isinstance(raised.value, Ambiguous) is (expected is Ambiguous), error
        assert wire.attempts == [operation] * attempts, error
        assert error in FAULTS or "secret" not in str(raised.value)


@every_operation
def test_passing_error_is_retried(table: Table, wire: Wire, operation: str) -> None:
    for error in [*MAYBE_APPLIED, *NOT_APPLIED]:
        wire.sent, wire.answers = [], [error, error, DONE.get(operation, OK)]
        if lasting(operation, error)[0] is Ambiguous:
            wire.answers = [THROTTLED, error, OK]
            with pytest.raises(Ambiguous):
                OPERATIONS[operation](table)
            assert len(wire.sent) == 2, error
        else:
            OPERATIONS[operation](table)
            assert len(wire.sent) == 3, error


@pytest.mark.parametrize("operation", WRITES)
def test_failed_condition_has_the_item(table: Table, wire: Wire, operation: str) -> None:
    wire.answers = [CONDITION]

    with pytest.raises(ConditionFailed) as raised:
        WRITES[operation](table)
    assert raised.value.item == {"pk": {"S": "pk"}, "amount": {"N": "3"}}
    assert "amount" not in str(raised.value)
    assert wire.sent[0][1]["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_failed_condition_without_an_item_has_none(table: Table, wire: Wire) -> None:
    wire.answers = [failure(400, "ConditionalCheckFailedException")]

    with pytest.raises(ConditionFailed) as raised:
        table.update(KEY, expression())
    assert raised.value.item is None


def test_every_call_is_observed_once(table: Table, wire: Wire) -> None:
    wire.answers = [OK, THROTTLED, OK, CONDITION, TIMEOUT]

    table.get(KEY)
    table.get(KEY)
    for _ in range(2):
        with pytest.raises((ConditionFailed, Ambiguous)):
            table.delete(KEY, condition())

    assert [operation for operation, _ in wire.observed] == ["GetItem", "GetItem", "DeleteItem", "DeleteItem"]
    assert all(milliseconds >= 0 for _, milliseconds in wire.observed)


def test_timeouts_and_retries_are_limited(table: Table) -> None:
    config: Any = table._client.meta.config

    assert (config.connect_timeout, config.read_timeout) == (1.0, 2.0)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


# ----------------------------------------------------------------------------------------------------------------------
# Batches
# ----------------------------------------------------------------------------------------------------------------------


def test_every_read_is_consistent(table: Table, wire: Wire) -> None:
    wire.answers = [OK, DONE["BatchGetItem"], DONE["Query"]]

    table.get(KEY)
    table.get_many([KEY])
    list(table.keys_of("pk"))

    (_, get), (_, batch), (_, query) = wire.sent
    assert get["ConsistentRead"] is batch["RequestItems"]["table"]["ConsistentRead"] is query["ConsistentRead"] is True


def many(count: int) -> list[Key]:
    return [Key(f"pk{number}", "sk") for number in range(count)]


def row(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_items_are_read_100_a_call(table: Table, wire: Wire, count: int, sizes: list[int]) -> None:
    wire.answers = [(200, {"Responses": {"table": [row(Key("pk0", "sk"))]}}), *[DONE["BatchGetItem"]] * 2]

    found = table.get_many(many(count))

    assert [len(sent["RequestItems"]["table"]["Keys"]) for _, sent in wire.sent] == sizes
    assert list(found) == many(min(count, 1))


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(("conflicts", "attempts"), [(1, 2), (ATTEMPTS, ATTEMPTS)])
def test_write_that_meets_a_transaction_is_sent_again(
    table: Table, wire: Wire, operation: str, conflicts: int, attempts: int
) -> None:
    conflict = (400, {"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException"})
    wire.answers = [*[conflict] * conflicts, (200, {"Attributes": {}})]

    if conflicts < ATTEMPTS:
        WRITES[operation](table)
    else:
        with pytest.raises(Unavailable):
            WRITES[operation](table)
    assert wire.attempts == [operation] * attempts
    assert wire.conflicts == conflicts
    assert wire.waits


@pytest.mark.parametrize(
    ("code", "conflicts", "error"),
    [
        ("TransactionConflict", ATTEMPTS, TransactionContended),
        ("ConditionalCheckFailed", 1, TransactionRefused),
        ("ThrottlingError", 0, TransactionContended),
    ],
)
def test_cancelled_transaction_is_a_conflict(
    table: Table, wire: Wire, code: str, conflicts: int, error: type[Exception]
) -> None:
    wire.answers = [failure(400, "TransactionCanceledException", CancellationReasons=[{"Code": code}])] * ATTEMPTS

    with pytest.raises(error):
        table.transact([("Put", {"Item": row(KEY)})])
    assert wire.conflicts == conflicts


def test_unprocessed_keys_are_read_again(table: Table, wire: Wire) -> None:
    one, two = many(2)
    wire.answers = [
        (200, {"Responses": {"table": [row(one)]}, "UnprocessedKeys": {"table": {"Keys": [row(two)]}}}),
        (200, {"Responses": {"table": [row(two)]}}),
    ]

    assert set(table.get_many([one, two])) == {one, two}
    assert wire.sent[1][1]["RequestItems"]["table"]["Keys"] == [row(two)]
    assert wire.waits


def test_unprocessed_items_are_written_again(table: Table, wire: Wire) -> None:
    requests = [{"DeleteRequest": {"Key": row(key)}} for key in many(30)]
    wire.answers = [(200, {"UnprocessedItems": {"table": requests[3:5]}}), OK, OK]

    table.write_many(requests)

    batches = [sent["RequestItems"]["table"] for _, sent in wire.sent]
    assert batches == [requests[:25], requests[3:5], requests[25:]]


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_lasting_unprocessed_items_are_unavailable(table: Table, wire: Wire, operation: str) -> None:
    left: dict[str, dict[str, Any]] = {
        "BatchGetItem": {"Responses": {}, "UnprocessedKeys": {"table": {"Keys": [row(KEY)]}}},
        "BatchWriteItem": {"UnprocessedItems": {"table": [{"DeleteRequest": {"Key": row(KEY)}}]}},
    }
    wire.answers = [(200, left[operation])] * 10

    with pytest.raises(Unavailable):
        REPEATABLE[operation](table)
    assert wire.attempts == [operation] * ATTEMPTS


def test_keys_are_listed_by_page(table: Table, wire: Wire) -> None:
    one, two = many(2)
    wire.answers = [(200, {"Items": [row(one)], "LastEvaluatedKey": row(one)}), (200, {"Items": [row(two)]})]

    assert list(table.keys_of("pk")) == [[one], [two]]
    assert wire.sent[1][1]["ExclusiveStartKey"] == row(one)


# ----------------------------------------------------------------------------------------------------------------------
# Answers
# ----------------------------------------------------------------------------------------------------------------------


def test_client_does_not_check_parameters(table: Table, wire: Wire) -> None:
    """DynamoDB checks them too, and requests are parsed strictly."""
    wire.answers = [OK]
    unchecked: Any = table._client

    unchecked.get_item(TableName="table", Key={"pk": {"S": "x"}}, ConsistentRead="yes")

    assert wire.attempts == ["GetItem"]


def test_values_of_every_type_are_read(table: Table, wire: Wire) -> None:
    item = {
        "pk": {"S": "pk ä🎁"},
        "number": {"N": "12345678901234567890.5"},
        "numbers": {"NS": ["1", "2"]},
        "texts": {"SS": ["a", "b"]},
        "flag": {"BOOL": False},
    }
    wire.answers = [(200, {"Item": item}), OK]

    assert table.get(KEY) == item
    assert table.get(KEY) is None


def test_malformed_answer_is_a_fault(table: Table, wire: Wire) -> None:
    wire.answers = [(200, '{"Item": {"pk": {"S"')]

    with pytest.raises(ValueError, match="EOF while parsing"):
        table.get(KEY)
