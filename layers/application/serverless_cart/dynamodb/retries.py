"""Which failed calls botocore may retry, and random waits."""

import random
import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

from serverless_cart.service.errors import Ambiguous

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LONGEST_WAIT: Final = 0.4
"""Maximum seconds between two attempts to change what other requests change too."""

_WRITES: Final = ("UpdateItem", "PutItem", "DeleteItem")
_NOT_SENT: Final = (ConnectTimeoutError, EndpointConnectionError)


def install(client: "DynamoDBClient") -> None:
    """Disable retries of writes that may have been applied, and randomize the wait before other retries."""
    client.meta.events.register_first("needs-retry.dynamodb", _seed_random)
    for operation in _WRITES:
        client.meta.events.register_first(f"needs-retry.dynamodb.{operation}", _check_not_applied)


def wait_at_random(attempt: int) -> None:
    """Wait before another attempt, so that requests that met do not meet again; not before the first, 0.

    The longest wait doubles with each attempt, up to `LONGEST_WAIT`.
    """
    if attempt:
        # From the system: copies of a snapshot (SnapStart) share the state of Python's own random numbers.
        time.sleep(random.SystemRandom().uniform(0, longest_wait(attempt)))


def longest_wait(attempt: int) -> float:
    """Return the longest wait before an attempt, in seconds."""
    return min(0.01 * 2**attempt, LONGEST_WAIT) if attempt else 0.0


def _check_not_applied(
    response: tuple[Any, Any] | None, caught_exception: Exception | None, **_context: object
) -> None:
    """Raise `Ambiguous` if a write may have been applied: a repeated addition would count twice.

    A refused write, for example a throttled one, was not applied; neither was one that was never sent.
    """
    if caught_exception is not None and not isinstance(caught_exception, _NOT_SENT):
        raise Ambiguous from caught_exception
    if response is not None and response[0].status_code >= 500:
        raise Ambiguous


def _seed_random(response: tuple[Any, Any] | None, caught_exception: Exception | None, **_context: object) -> None:
    # Functions that start from one snapshot (SnapStart) share the state of Python's random numbers: after the same
    # failure all of them would wait the same time and repeat their calls at the same moment.
    if caught_exception is not None or (response is not None and response[0].status_code >= 300):
        random.seed()
