"""The table behind every store: one method per statement, and one exception for each kind of failure."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from serverless_cart.dynamodb import plain_json, retries
from serverless_cart.dynamodb.attributes import Item, key_attributes, key_of
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.service.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS: Final = 3
"""Attempts of one call, the first included."""
WRITE_BATCH: Final = 25
"""Items that one BatchWriteItem takes (DynamoDB's limit)."""
READ_BATCH: Final = 100
"""Items that one BatchGetItem takes (DynamoDB's limit)."""
PAGE: Final = 1_000
"""Maximum items of one page of a Query."""
TRANSACTION: Final = 100
"""Items that one transaction takes (DynamoDB's limit)."""
LONGEST_WAIT: Final = 5.0
"""Maximum seconds before the unprocessed items of a batch are sent again."""

_UNAVAILABLE: Final = frozenset({
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "TransactionInProgressException",
})  # fmt: skip
_PASSING: Final = frozenset({"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"})
"""Temporary reasons for the cancellation of a transaction."""
_CONFLICTS: Final = frozenset({"TransactionConflict", "ConditionalCheckFailed"})
"""Reasons that are other requests: the conditions of a transaction say that its items are as they were read."""


Write = tuple[str, Mapping[str, Any]]
"""A part of a transaction: its kind (``Put``, ``Update`` …) and its parameters."""


class ConditionFailed(Exception):
    """A condition did not hold; ``item`` is the item as it was, ``None`` if there was none."""

    def __init__(self, item: Item | None) -> None:
        """Keep the item out of the exception's text, which might be logged."""
        super().__init__()
        self.item = item


class _TransactionConflict(Exception):
    """A transaction was changing the item at that moment, so the write was refused."""


class TransactionRefused(Exception):
    """A transaction was refused; ``failed`` are the positions of the writes whose conditions did not hold."""

    def __init__(self, failed: Sequence[int]) -> None:
        """Keep the positions, not the items, which might be logged."""
        super().__init__()
        self.failed = tuple(failed)


class TransactionContended(Unavailable):
    """Other requests change or read too many of a transaction's items at this moment: nothing was written."""


class Table:
    """The table. Every method sends one statement, or several if DynamoDB's limits require it.

    All methods raise `Unavailable` if the database throttles or does not answer in time, retries included. Writes raise
    its subclass `Ambiguous` if they may have been applied.
    """

    def __init__(
        self,
        name: str,
        client: "DynamoDBClient",
        observe: Callable[[str, float], None] = lambda _operation, _milliseconds: None,
        attempts: int = ATTEMPTS,
        report_conflict: Callable[[], None] = lambda: None,
    ) -> None:
        """``observe`` is called with each call's operation and its duration in milliseconds, retries included.

        ``report_conflict`` is called for each write that is refused because another request changes or has changed the
        same item. A store calls it too, if a condition that failed means that.
        ``attempts`` is how often the items of a batch are sent at most, the first time included.
        """
        self._name = name
        self._client = client
        self._observe = observe
        self._attempts = attempts
        self.report_conflict = report_conflict
        retries.install(client)
        plain_json.install(client)

    def get(self, key: Key) -> Item | None:
        """Read one item, consistently."""
        with self._call("GetItem"):
            answer = self._client.get_item(TableName=self._name, Key=key_attributes(key), ConsistentRead=True)
        return answer.get("Item")

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Read items, consistently: 100 per call. Absent items are left out."""
        found: dict[Key, Item] = {}
        for start in range(0, len(keys), READ_BATCH):
            wanted = [key_attributes(key) for key in keys[start : start + READ_BATCH]]
            for attempt in range(self._attempts):
                _back_off(attempt)
                with self._call("BatchGetItem"):
                    answer = self._client.batch_get_item(
                        RequestItems={self._name: {"Keys": wanted, "ConsistentRead": True}}
                    )
                for item in answer["Responses"].get(self._name, ()):
                    found[key_of(item)] = item
                unprocessed = answer.get("UnprocessedKeys", {}).get(self._name)
                if not unprocessed:
                    break
                wanted = [dict(key) for key in unprocessed["Keys"]]
            else:
                raise Unavailable
        return found

    def update(self, key: Key, expression: Expression) -> Item:
        """Change one item under a condition and return the changed item.

        Raises `ConditionFailed`, with the item as it was.
        """
        parameters = {"Key": key_attributes(key), "ReturnValues": "ALL_NEW", **expression.update()}
        answer: Item = self._write_one("UpdateItem", self._client.update_item, parameters)["Attributes"]
        return answer

    def put(self, item: Item, expression: Expression) -> None:
        """Replace one item under a condition. Raises `ConditionFailed`, with the item as it was."""
        self._write_one("PutItem", self._client.put_item, {"Item": item, **expression.condition()})

    def delete(self, key: Key, expression: Expression) -> None:
        """Delete one item under a condition. Raises `ConditionFailed`, with the item as it was."""
        self._write_one("DeleteItem", self._client.delete_item, {"Key": key_attributes(key), **expression.condition()})

    def _write_one(self, operation: str, send: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Write one item under a condition; again if a transaction was changing the item at that moment."""
        for attempt in range(self._attempts):
            _back_off(attempt)
            try:
                with self._call(operation):
                    return send(TableName=self._name, ReturnValuesOnConditionCheckFailure="ALL_OLD", **parameters)
            except _TransactionConflict:
                self.report_conflict()
        raise Unavailable

    def keys_of(self, partition: str, prefix: str = "") -> Iterator[list[Key]]:
        """List the keys of a partition, a page at a time. ``prefix`` is the beginning of their sort keys."""
        for page in self._pages(partition, *_beginning(prefix), {"ProjectionExpression": "pk, sk"}):
            yield [key_of(item) for item in page]

    def items_of(self, partition: str, prefix: str = "") -> Iterator[Item]:
        """List the items of a partition in the order of their sort keys, with at most `PAGE` of them in memory.

        ``prefix`` is the beginning of their sort keys.
        """
        for items in self._pages(partition, *_beginning(prefix), {"Limit": PAGE}):
            yield from items

    def items_between(self, partition: str, first: str, last: str, page: int | None = None) -> Iterator[Item]:
        """List the items of a partition whose sort keys are between two, both included.

        Each call reads ``page`` items, or 1 MB.
        """
        how = {"Limit": page} if page else {}
        for items in self._pages(partition, "sk BETWEEN :first AND :last", {":first": first, ":last": last}, how):
            yield from items

    def keys_beginning_with(self, prefixes: Sequence[str]) -> Iterator[tuple[int, list[Key]]]:
        """Scan the whole table for keys whose partitions begin with one of the prefixes, a page at a time.

        Each page comes with the number of items that were scanned for it. The cost is that of the whole table.
        """
        condition = " OR ".join(f"begins_with(pk, :p{number})" for number in range(len(prefixes)))
        values = {f":p{number}": {"S": prefix} for number, prefix in enumerate(prefixes)}
        start: dict[str, Any] = {}
        while True:
            with self._call("Scan"):
                answer = self._client.scan(
                    TableName=self._name,
                    FilterExpression=condition,
                    ExpressionAttributeValues=values,
                    ProjectionExpression="pk, sk",
                    Select="SPECIFIC_ATTRIBUTES",  # lets a policy allow keys only
                    ConsistentRead=True,
                    **start,
                )
            yield answer["ScannedCount"], [key_of(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _pages(
        self, partition: str, condition: str, values: Mapping[str, str], how: Mapping[str, Any]
    ) -> Iterator[list[Item]]:
        """Query a partition, a page at a time; a ``condition`` on sort keys has the ``values``."""
        start: dict[str, Any] = {}
        while True:
            with self._call("Query"):
                answer = self._client.query(
                    TableName=self._name,
                    KeyConditionExpression=f"pk = :pk AND {condition}" if condition else "pk = :pk",
                    ExpressionAttributeValues={":pk": {"S": partition}} | {n: {"S": v} for n, v in values.items()},
                    ConsistentRead=True,
                    **how,
                    **start,
                )
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def write_many(self, requests: Iterable[Mapping[str, Any]]) -> None:
        """Put or delete many items, 25 per call. If it raises, some are written; it may be repeated."""
        pending = list(requests)
        for start in range(0, len(pending), WRITE_BATCH):
            batch: Any = pending[start : start + WRITE_BATCH]
            for attempt in range(self._attempts):
                _back_off(attempt)
                with self._call("BatchWriteItem"):
                    answer = self._client.batch_write_item(RequestItems={self._name: batch})
                batch = answer.get("UnprocessedItems", {}).get(self._name)
                if not batch:
                    break
            else:
                raise Unavailable

    def transact(self, writes: Sequence[Write], attempts: int | None = None) -> None:
        """Apply all of these writes or none.

        At most `TRANSACTION` writes. The SDK may repeat the call: it sends a token, by which DynamoDB recognizes an
        applied transaction. After a conflict with another request, the transaction is sent ``attempts`` times in all.
        Raises `TransactionRefused`, and `TransactionContended` after the last attempt.
        """
        items: Any = [{kind: {"TableName": self._name, **parameters}} for kind, parameters in writes]
        for attempt in range(attempts or self._attempts):
            retries.wait_at_random(attempt)
            try:
                with self._call("TransactWriteItems"):
                    self._client.transact_write_items(TransactItems=items)
            except self._client.exceptions.TransactionCanceledException as cancelled:
                reasons = [reason.get("Code") for reason in cancelled.response.get("CancellationReasons", ())]
                if _CONFLICTS & set(reasons):
                    self.report_conflict()
                if failed := [place for place, code in enumerate(reasons) if code == "ConditionalCheckFailed"]:
                    raise TransactionRefused(failed) from None
                if not _PASSING & set(reasons):
                    raise
            else:
                return
        raise TransactionContended

    @contextmanager
    def _call(self, operation: str) -> Iterator[None]:
        """Observe one call and translate its failure."""
        start = time.perf_counter()
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                old: Any = error.response.get("Item")
                raise ConditionFailed(old) from None
            if code == "TransactionConflictException":
                raise _TransactionConflict from None
            if code in _UNAVAILABLE or error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500:
                raise Unavailable from error
            raise
        except (HTTPClientError, BotocoreConnectionError) as error:
            raise Unavailable from error
        finally:
            self._observe(operation, (time.perf_counter() - start) * 1000)


def _beginning(prefix: str) -> tuple[str, dict[str, str]]:
    """Return the condition on sort keys that begin so, and its values; no condition for an empty prefix."""
    return ("begins_with(sk, :prefix)", {":prefix": prefix}) if prefix else ("", {})


def _back_off(attempt: int) -> None:
    """Wait before unprocessed items are sent again: 50 ms the first time, then twice as long each time."""
    if attempt:
        time.sleep(min(0.025 * 2**attempt, LONGEST_WAIT))
