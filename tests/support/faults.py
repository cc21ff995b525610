"""Random faults between a client and DynamoDB Local: refused calls, and calls whose answer is lost."""

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config

from tests.support.bundle import DatabaseProbe, Instead

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FAULTS: Final = {
    "throttled": Instead(400, {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}),
    "failed": Instead(500, {}),
    "lost answer": Instead(500, {}, applied=True),
    "conflict": Instead(
        400,
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons": [{"Code": "TransactionConflict"}],
        },
    ),
}


@dataclass
class Faults:
    """Replaces one call in eight, or the ``share`` of all calls."""

    seed: int
    share: float = 1 / 8
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - to be repeated

    def __call__(self, operation: str, _body: dict[str, Any]) -> Instead | None:
        with self.lock:
            if self.random.random() > self.share:
                return None
            name = self.random.choice(list(FAULTS))
            if operation != "TransactWriteItems" and name == "conflict":
                return None
            self.counts[name] += 1
            return FAULTS[name]

    def __str__(self) -> str:
        """Return the number of faults of each kind, for the figures."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))


def one_attempt() -> Config:
    """Return the settings of a client without retries, and with a long timeout, for many threads."""
    return Config(proxies={}, max_pool_connections=128, read_timeout=60, retries={"total_max_attempts": 1})


def client_with_faults(url: str, faults: Faults) -> "DynamoDBClient":
    """Connect to the engine at an address; the faults come between."""
    probe = DatabaseProbe(url, instead=faults)
    session = botocore.session.get_session()
    probe.watch(session.get_component("event_emitter"))
    client: DynamoDBClient = boto3.Session(
        "testing", "testing", region_name="eu-west-1", botocore_session=session
    ).client("dynamodb", endpoint_url=url, config=one_attempt())
    return client
