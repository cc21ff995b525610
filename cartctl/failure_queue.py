"""The queue of batches that Lambda discarded."""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cartctl.errors import CartctlError
from cartctl.replay import Batch

HIDDEN_SECONDS: Final = 300
"""Seconds for which other commands do not see a message that this one has received."""


class Message(NamedTuple):
    """A discarded batch, and the handle by which its message is deleted."""

    batch: Batch
    handle: str


class FailureQueue:
    """The queue; a message that is not deleted is visible again after `HIDDEN_SECONDS`."""

    def __init__(self, client: Any, url: str) -> None:  # noqa: ANN401 - boto3's client of SQS
        """``client`` reads the queue with this address."""
        self._client = client
        self._url = url

    def messages(self) -> Iterator[Message]:
        """Receive all messages. Raises `CartctlError` for one that is not of Lambda."""
        while found := self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=HIDDEN_SECONDS, WaitTimeSeconds=1
        ).get("Messages"):
            for message in found:
                yield Message(_batch(message["Body"]), message["ReceiptHandle"])

    def delete(self, message: Message) -> None:
        """Delete a message."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle)


def _batch(body: str) -> Batch:
    try:
        info = json.loads(body)["DDBStreamBatchInfo"]
        numbers = info["startSequenceNumber"], info["endSequenceNumber"]
        return Batch(info["shardId"], *numbers, info["batchSize"])
    except (KeyError, TypeError, ValueError) as error:
        raise CartctlError(
            "The queue has a message that is not of Lambda's stream failures: run aws sqs receive-message to read it."
        ) from error
