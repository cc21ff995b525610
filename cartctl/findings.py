"""What a check found: its state, what was seen, and what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import requests
from botocore.exceptions import BotoCoreError, ClientError

from cartctl.errors import CartctlError
from cartctl.shell import DENIED, explain
from serverless_cart.service.errors import Unavailable

CHECK_ERRORS: Final = (ClientError, BotoCoreError, CartctlError, Unavailable, requests.RequestException)
"""The errors that a check may raise."""
REDEPLOY: Final = "Deploy again: make build && sam deploy."
FIX_AND_RETRY: Final = "Fix this, then run the same command again."

_ACTIONS: Final = {
    "DescribeAlarms": "cloudwatch:DescribeAlarms",
    "DescribeRule": "events:DescribeRule",
    "DescribeStacks": "cloudformation:DescribeStacks",
    "GetCallerIdentity": "sts:GetCallerIdentity",
    "GetEventSourceMapping": "lambda:GetEventSourceMapping",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "GetStage": "apigateway:GET",
    "Invoke": "lambda:InvokeFunction",
    "ListStackResources": "cloudformation:ListStackResources",
}
"""IAM's names of operations that are not DynamoDB's."""
_NO_TABLE: Final = frozenset({"ResourceNotFoundException", "TableNotFoundException"})


class State(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    """It works, but needs attention."""
    FAILURE = "failure"
    """It does not work, differs from the template, or could not be checked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; ``advice`` says what to do, and is empty if the state is `State.OK`."""

    check: str
    state: State
    seen: str
    advice: str = ""


def not_checked(check: str, error: Exception) -> Finding:
    """Return the failure of a check that could not be run."""
    match error:
        case ClientError() if error.response["Error"]["Code"] in DENIED:
            action = _ACTIONS.get(error.operation_name, f"dynamodb:{error.operation_name}")
            seen = f"You are not allowed to call {action}. AWS says: {error.response['Error'].get('Message', '')}"
            advice = f"Ask for permission to call {action}: the policies in docs/operate.md have it."
        case ClientError() if error.response["Error"]["Code"] in _NO_TABLE and error.operation_name not in _ACTIONS:
            seen = f"{error.operation_name}: the table does not exist."
            advice = 'Restore the table from its backup: docs/operate.md, "The table is lost".'
        case ClientError() | BotoCoreError():
            seen, advice = explain(error), FIX_AND_RETRY
        case Unavailable():
            seen, advice = "DynamoDB throttles or does not answer.", "Run the same command again."
        case requests.RequestException():
            seen = f"No answer from {error.request.url if error.request else 'the API'} ({type(error).__name__})."
            advice = f"Check this machine's network, DNS and proxy. If they work: {REDEPLOY}"
        case _:
            seen, advice = str(error), FIX_AND_RETRY
    return Finding(check, State.FAILURE, " ".join(seen.split()), advice)
