"""The table behind every store: one client a process, short timeouts, bounded retries, one meaning for each failure.

Items are DynamoDB's own attribute values (``{"S": "text"}``, ``{"N": "1"}``), which spares every call a conversion.
"""

import codecs
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError
from botocore.session import get_session

from storefront.domain.errors import Ambiguous, Unavailable
from storefront.store.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

CONNECT_TIMEOUT: Final = 1.0
"""Seconds."""
ATTEMPTS: Final = 3
"""Attempts of one call, the first included."""
WRITE_BATCH: Final = 25
"""Items that one BatchWriteItem takes (DynamoDB's limit)."""
READ_BATCH: Final = 100
"""Items that one BatchGetItem takes (DynamoDB's limit)."""
PAGE: Final = 1_000
"""Items of a partition that are listed at once."""
TRANSACTION: Final = 100
"""Items that one transaction takes (DynamoDB's limit)."""
LONGEST_WAIT: Final = 5.0
"""Seconds between two attempts at what a batch left unprocessed, at most."""

_UNAVAILABLE: Final = frozenset({
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "TransactionInProgressException",
})  # fmt: skip
_ITEMS: Final = ("GetItem", "BatchGetItem", "Query", "Scan", "UpdateItem", "PutItem", "DeleteItem", "BatchWriteItem")
"""Calls that answer with items; others may answer with times, which botocore reads."""
_PASSING: Final = frozenset({"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"})
"""Reasons for which a transaction was cancelled that pass by themselves."""
_NOT_SENT: Final = (ConnectTimeoutError, EndpointConnectionError)


class ConditionFailed(Exception):
    """A conditional write found another state; ``item`` is what stood there, ``None`` where nothing did."""

    def __init__(self, item: Item | None) -> None:
        """Keep the item out of the exception's text, which might be logged."""
        super().__init__()
        self.item = item


class TransactionRefused(Exception):
    """A transaction found another state; ``failed`` are the places of the writes whose conditions did not hold."""

    def __init__(self, failed: Sequence[int]) -> None:
        """Keep places alone."""
        super().__init__()
        self.failed = tuple(failed)


class Table:
    """The one table. Every method is one statement, or as many as DynamoDB's batch limits make of it.

    All of them raise `Unavailable` when the database throttles or does not answer in time, retries included. Writes
    raise `Ambiguous`, a kind of it, when they may have been applied all the same.
    """

    def __init__(
        self,
        name: str,
        client: "DynamoDBClient",
        observe: Callable[[str, float], None] = lambda _operation, _milliseconds: None,
        attempts: int = ATTEMPTS,
    ) -> None:
        """``observe`` is told each call's operation and its duration in milliseconds, retries included.

        ``attempts`` bounds how often what a batch left unprocessed is sent again, the first time included.
        """
        self._name = name
        self._client = client
        self._observe = observe
        self._attempts = attempts
        client.meta.events.register_first("needs-retry.dynamodb", _draw_anew)
        for operation in ("UpdateItem", "PutItem", "DeleteItem"):
            client.meta.events.register_first(f"needs-retry.dynamodb.{operation}", _never_repeat_ambiguously)
        for operation in _ITEMS:
            client.meta.events.register(f"before-parse.dynamodb.{operation}", _read_plainly)

    def get(self, key: Key) -> Item | None:
        """Read one item, consistently."""
        with self._call("GetItem"):
            answer = self._client.get_item(TableName=self._name, Key=key_attributes(key), ConsistentRead=True)
        return answer.get("Item")

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Read items, consistently: one call for a hundred. Those that are not there are left out."""
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

    def update(self, key: Key, expression: "Expression") -> Item:
        """Change one item under a condition and return it as it then stands.

        Raises `ConditionFailed`, with the item as it stood.
        """
        with self._call("UpdateItem"):
            answer = self._client.update_item(
                TableName=self._name,
                Key=key_attributes(key),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **expression.update(),
            )
        return answer["Attributes"]

    def put(self, item: Item, expression: "Expression") -> None:
        """Replace one item under a condition. Raises `ConditionFailed`, with the item as it stood."""
        with self._call("PutItem"):
            self._client.put_item(
                TableName=self._name,
                Item=item,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **expression.condition(),
            )

    def delete(self, key: Key, expression: "Expression") -> None:
        """Remove one item under a condition. Raises `ConditionFailed`, with the item as it stood."""
        with self._call("DeleteItem"):
            self._client.delete_item(
                TableName=self._name,
                Key=key_attributes(key),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **expression.condition(),
            )

    def keys_of(self, partition: str) -> Iterator[list[Key]]:
        """List the keys of a partition, a page at a time."""
        for page in self._pages(partition, "", {"ProjectionExpression": "pk, sk"}):
            yield [key_of(item) for item in page]

    def items_of(self, partition: str, prefix: str = "") -> Iterator[Item]:
        """List the items of a partition in the order of their sort keys, `PAGE` at most being held at a time.

        ``prefix`` is what their sort keys begin with.
        """
        for items in self._pages(partition, prefix, {"Limit": PAGE}):
            yield from items

    def keys_beginning_with(self, prefixes: Sequence[str]) -> Iterator[tuple[int, list[Key]]]:
        """Scan the whole table for the keys of partitions that begin so, a page at a time.

        Each page comes with the number of items that were looked at for it. It reads, and costs, the whole table.
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
                    Select="SPECIFIC_ATTRIBUTES",  # by which a policy lets nothing but keys be read
                    ConsistentRead=True,
                    **start,
                )
            yield answer["ScannedCount"], [key_of(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _pages(self, partition: str, prefix: str, how: Mapping[str, Any]) -> Iterator[list[Item]]:
        """Query a partition, a page at a time."""
        condition, values = "pk = :pk", {":pk": {"S": partition}}
        if prefix:
            condition, values = f"{condition} AND begins_with(sk, :sk)", {**values, ":sk": {"S": prefix}}
        start: dict[str, Any] = {}
        while True:
            with self._call("Query"):
                answer = self._client.query(
                    TableName=self._name,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ConsistentRead=True,
                    **how,
                    **start,
                )
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def write_many(self, requests: Iterable[Mapping[str, Any]]) -> None:
        """Put or delete many items, 25 a call. What is done when it raises stays done; it may be repeated."""
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

    def transact(self, writes: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Carry out all of these writes or none; a write is its kind (``Put``, ``Update`` …) and its parameters.

        At most `TRANSACTION` of them. It may be repeated by the SDK: DynamoDB knows a transaction that it has carried
        out by the token that goes with it. Raises `TransactionRefused`.
        """
        items: Any = [{kind: {"TableName": self._name, **parameters}} for kind, parameters in writes]
        for attempt in range(self._attempts):
            _back_off(attempt)
            try:
                with self._call("TransactWriteItems"):
                    self._client.transact_write_items(TransactItems=items)
            except self._client.exceptions.TransactionCanceledException as cancelled:
                reasons = [reason.get("Code") for reason in cancelled.response.get("CancellationReasons", ())]
                if failed := [place for place, code in enumerate(reasons) if code == "ConditionalCheckFailed"]:
                    raise TransactionRefused(failed) from None
                if not _PASSING & set(reasons):
                    raise
            else:
                return
        raise Unavailable

    @contextmanager
    def _call(self, operation: str) -> Iterator[None]:
        """Observe one call and give its failure its one meaning."""
        start = time.perf_counter()
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                old: Any = error.response.get("Item")
                raise ConditionFailed(old) from None
            if code in _UNAVAILABLE or error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500:
                raise Unavailable from error
            raise
        except (HTTPClientError, BotocoreConnectionError) as error:
            raise Unavailable from error
        finally:
            self._observe(operation, (time.perf_counter() - start) * 1000)


class Expression:
    """The clauses of one conditional write, with the names and values that they stand on.

    Every attribute goes by a placeholder, because many plain words are reserved in DynamoDB's expressions.

    >>> change = Expression()
    >>> change.set("title", {"S": "Mug"})
    >>> change.require(f"attribute_exists({change.name('pk')})")
    >>> change.update()["UpdateExpression"]
    'SET #n0 = :v0'
    """

    def __init__(self) -> None:
        """Start without clauses."""
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._set: list[str] = []
        self._add: list[str] = []
        self._remove: list[str] = []
        self._delete: list[str] = []
        self._conditions: list[str] = []

    def name(self, attribute: str) -> str:
        """Return the placeholder of an attribute."""
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, value: Mapping[str, Any]) -> str:
        """Return a placeholder for a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def set(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Give an attribute a value."""
        self._set.append(f"{self.name(attribute)} = {self.value(value)}")

    def set_once(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Give an attribute a value unless it has one."""
        name = self.name(attribute)
        self._set.append(f"{name} = if_not_exists({name}, {self.value(value)})")

    def count_up(self, attribute: str, start: int) -> None:
        """Increase a number by one; where there is none, make it one more than ``start``."""
        name = self.name(attribute)
        first, one = self.value({"N": str(start)}), self.value({"N": "1"})
        self._set.append(f"{name} = if_not_exists({name}, {first}) + {one}")

    def add(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Add to a number or to a set, either of which may not be there yet."""
        self._add.append(f"{self.name(attribute)} {self.value(value)}")

    def remove(self, attribute: str) -> None:
        """Remove an attribute."""
        self._remove.append(self.name(attribute))

    def delete(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Delete elements of a set."""
        self._delete.append(f"{self.name(attribute)} {self.value(value)}")

    def require(self, condition: str) -> None:
        """Write only where this condition holds too."""
        self._conditions.append(condition)

    def update(self) -> dict[str, Any]:
        """Return the parameters of an UpdateItem."""
        clauses = {"SET": self._set, "ADD": self._add, "REMOVE": self._remove, "DELETE": self._delete}
        expression = " ".join(f"{verb} {','.join(parts)}" for verb, parts in clauses.items() if parts)
        return {"UpdateExpression": expression, **self.condition()}

    def condition(self) -> dict[str, Any]:
        """Return the parameters of a write that has nothing but a condition."""
        names = {placeholder: attribute for attribute, placeholder in self._names.items()}
        parameters: dict[str, Any] = {"ExpressionAttributeNames": names}
        if self._values:
            parameters["ExpressionAttributeValues"] = self._values
        if self._conditions:
            parameters["ConditionExpression"] = " AND ".join(self._conditions)
        return parameters


def connect(observe: Callable[[str, float], None] = lambda _operation, _milliseconds: None) -> Table:
    """Open the table that ``TABLE_NAME`` names; ``DATABASE_TIMEOUT_SECONDS`` bounds each attempt's wait."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=float(os.environ.get("DATABASE_TIMEOUT_SECONDS", "1")),
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        parameter_validation=False,  # DynamoDB checks them too, and what is sent here never comes from a client unread
        user_agent="serverless-cart",  # botocore would put one together anew for every call
    )
    name = os.environ["TABLE_NAME"]
    # botocore's own session: boto3's would load S3's transfers and all of its resources with it.
    client = cast("DynamoDBClient", get_session().create_client("dynamodb", config=config))
    # Signs a call that is never sent, so that no first request has to look for the endpoint and the credentials, and
    # loads what a first connection spells its host's name with.
    client.generate_presigned_url("get_item", Params={"TableName": name, "Key": key_attributes(Key("-", "-"))})
    codecs.lookup("idna")
    return Table(name, client, observe)


def key_of(item: Mapping[str, Any]) -> Key:
    """Read the primary key of an item."""
    return Key(item["pk"]["S"], item["sk"]["S"])


def key_attributes(key: Key) -> dict[str, Any]:
    """Write a primary key as attribute values."""
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _back_off(attempt: int) -> None:
    """Wait before a further attempt at what DynamoDB left unprocessed: 50 ms, then twice that each time."""
    if attempt:
        time.sleep(min(0.025 * 2**attempt, LONGEST_WAIT))


def _read_plainly(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_context: object) -> None:
    """Read an answer as the JSON that it is, where botocore would look at each value of it.

    It changes nothing but binary values, of which the table has none. Errors stay botocore's to read.
    """
    if response_dict["status_code"] < 300:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"


def _draw_anew(response: tuple[Any, Any] | None, caught_exception: Exception | None, **_context: object) -> None:
    """Let the random part of the wait before a repetition be one's own.

    Functions that start from one snapshot (SnapStart) have the state of Python's random numbers in common, and would
    come again all at once.
    """
    if caught_exception is not None or (response is not None and response[0].status_code >= 300):
        random.seed()


def _never_repeat_ambiguously(
    response: tuple[Any, Any] | None, caught_exception: Exception | None, **_context: object
) -> None:
    """Keep botocore from repeating a write that may have been applied: an addition would count twice.

    A refused write (throttling is one) was not applied, nor was one that never left; botocore may repeat those.
    """
    if caught_exception is not None and not isinstance(caught_exception, _NOT_SENT):
        raise Ambiguous from caught_exception
    if response is not None and response[0].status_code >= 500:
        raise Ambiguous
