"""What the doctor looks at: small checks of a deployment. Each says what it saw and, unless that is well, what to do.

A check is one call to AWS, or one kind of request to the APIs, and all that can be told from its answer; the right to
the calls is the reading policy of docs/operate.md. Requests of the doctor's own carry no key that opens anything.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import requests
from botocore.exceptions import BotoCoreError, ClientError

from cartctl.connection import Deployment
from cartctl.errors import CartctlError
from cartctl.shell import DENIED, explained
from serverless_cart.clock import clock
from serverless_cart.dynamodb.shops import ShopStore
from serverless_cart.service.errors import Unavailable

REFUSALS: Final = (ClientError, BotoCoreError, CartctlError, Unavailable, requests.RequestException)
"""What keeps a check from being made."""
SKEW_WARNED: Final = 5.0
"""Seconds by which this machine's clock may differ before it is said."""
SKEW_REFUSED: Final = 300.0
"""Seconds from which on AWS refuses what is signed by such a clock."""
REDEPLOY: Final = "Deploy it anew: sam build && sam deploy."

_SERVICES: Final = {"DescribeStacks": "cloudformation", "GetCallerIdentity": "sts"}
"""Whose operations these are; all others are DynamoDB's."""
_NO_TABLE: Final = frozenset({"ResourceNotFoundException", "TableNotFoundException"})
_TIMEOUT: Final = (5, 30)
"""Seconds to connect and to wait for an answer, which the gateway gives within 29."""
_BEGINNING: Final = 80
"""Characters of an unexpected answer that are shown."""


class State(StrEnum):
    """How a finding is meant."""

    OK = "ok"
    WARNING = "warning"
    """It works, and should be looked at."""
    FAILURE = "failure"
    """It does not work, or is not as it was deployed, or could not be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw; ``advice`` says what to do, where something is to be done."""

    check: str
    state: State
    seen: str
    advice: str = ""


class Api(NamedTuple):
    """One of the APIs: where it answers, a good request but for its key, and how it refuses strangers."""

    name: str
    url: str
    method: str
    path: str
    status: int
    body: Mapping[str, str]


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Make every check; one that cannot be made is a finding and hides none of the others."""
    for name, check in CHECKS.items():
        try:
            yield from check(deployment)
        except REFUSALS as error:
            yield refused(name, error)


def refused(check: str, error: Exception) -> Finding:
    """Say that a check could not be made, and why."""
    match error:
        case ClientError() if error.response["Error"]["Code"] in DENIED:
            action = f"{_SERVICES.get(error.operation_name, 'dynamodb')}:{error.operation_name}"
            said = error.response["Error"].get("Message", "")
            seen = f"You may not call {action}. AWS says: {said}"
            advice = f"Let yourself be allowed {action}: the policy for reading in docs/operate.md has it."
        case ClientError() if error.response["Error"]["Code"] in _NO_TABLE:
            seen = f"{error.operation_name}: there is no such table."
            advice = 'Bring it back from its backup: docs/operate.md, "The table is lost".'
        case ClientError() | BotoCoreError():
            seen, advice = explained(error), "Mend that, then run cartctl doctor again."
        case Unavailable():
            seen, advice = "DynamoDB throttles or does not answer.", "Run cartctl doctor again."
        case requests.RequestException():
            seen = f"No answer from {error.request.url if error.request else 'the API'} ({type(error).__name__})."
            advice = f"Check this machine's network, DNS and proxy; if they are well: {REDEPLOY}"
        case _:
            seen, advice = str(error), "Mend that, then run cartctl doctor again."
    return Finding(check, State.FAILURE, " ".join(seen.split()), advice)


# ----------------------------------------------------------------------------------------------------------------------
# The account and the stack
# ----------------------------------------------------------------------------------------------------------------------


def credentials(deployment: Deployment) -> Iterator[Finding]:
    """See who AWS takes us for."""
    client = deployment.session.client("sts", endpoint_url=deployment.endpoint_url, config=deployment.client_config)
    yield _ok("credentials", f"{client.get_caller_identity()['Arn']} in {deployment.session.region_name}")


def stack(deployment: Deployment) -> Iterator[Finding]:
    """See how the stack's last deployment ended."""
    client = deployment.session.client(
        "cloudformation", endpoint_url=deployment.endpoint_url, config=deployment.client_config
    )
    (described,) = client.describe_stacks(StackName=deployment.stack)["Stacks"]
    status = described["StackStatus"]
    seen = f"{deployment.stack} is {status}"
    if status.endswith("_IN_PROGRESS"):
        yield _warning("stack", seen, "Wait until it is done, then run cartctl doctor again.")
    elif status in {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}:
        advice = f"The last deployment failed and was taken back; see why, then deploy anew: {_events(deployment)}"
        yield _warning("stack", seen, advice)
    elif status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}:
        yield _ok("stack", seen)
    else:
        yield _failure("stack", seen, f"See what failed, mend it and deploy anew: {_events(deployment)}")


def _events(deployment: Deployment) -> str:
    """Return the command that shows what became of a stack."""
    return f"aws cloudformation describe-stack-events --stack-name {deployment.stack}"


# ----------------------------------------------------------------------------------------------------------------------
# The table
# ----------------------------------------------------------------------------------------------------------------------


def table(deployment: Deployment) -> Iterator[Finding]:
    """See whether the table is there and as the template has it."""
    described = deployment.dynamodb.describe_table(TableName=deployment.table_name)["Table"]
    yield _schema(deployment, described)
    yield _protection(deployment, described)
    yield _encryption(deployment, described)
    yield _stream(deployment, described)


def _schema(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - as DescribeTable has it
    """Judge whether it can be used, and by which key."""
    types = {it["AttributeName"]: it["AttributeType"] for it in described["AttributeDefinitions"]}
    key = [(it["AttributeName"], it["KeyType"], types[it["AttributeName"]]) for it in described["KeySchema"]]
    name = deployment.table_name
    if key != [("pk", "HASH", "S"), ("sk", "RANGE", "S")]:
        shown = ", ".join(f"{attribute} ({kind} {type_})" for attribute, kind, type_ in key)
        advice = "It is not a table of serverless-cart: name the right stack with --stack, or deploy one."
        return _failure("table", f"The key of {name} is {shown}, not pk (HASH S), sk (RANGE S)", advice)
    match described["TableStatus"]:
        case "ACTIVE":
            return _ok("table", f"{name} is ACTIVE")
        case "UPDATING":
            return _ok("table", f"{name} is UPDATING, and serves meanwhile")
        case "INACCESSIBLE_ENCRYPTION_CREDENTIALS" as status:
            return _failure("table", f"{name} is {status}", "Enable the KMS key that it is encrypted with.")
        case status:
            return _failure("table", f"{name} is {status}", "Wait until it is ACTIVE, then run cartctl doctor again.")


def _protection(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - as DescribeTable has it
    """Judge whether it can be deleted by mistake."""
    check = "deletion protection"
    if described.get("DeletionProtectionEnabled"):
        return _ok(check, "The table is protected from deletion")
    if deployment.parameters.get("TableRetention", "Retain") == "Retain":
        advice = _update_table(deployment, "--deletion-protection-enabled")
        return _failure(check, "The table is not protected from deletion, as it was deployed to be", advice)
    seen = "The table goes with its stack (TableRetention=Delete)"
    if deployment.endpoint_url:
        return _ok(check, seen)
    return _warning(check, seen, "Unless it is on trial: sam deploy --parameter-overrides TableRetention=Retain")


def _encryption(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - as DescribeTable has it
    """Judge whether what it stores is encrypted by a key of the account."""
    encryption = described.get("SSEDescription", {})
    if encryption.get("Status") in {"ENABLED", "UPDATING"}:
        return _ok("encryption", f"By {encryption.get('SSEType', 'KMS')}, with a key of this account")
    advice = _update_table(deployment, "--sse-specification Enabled=true")
    return _failure("encryption", "The table is not encrypted with a key of this account", advice)


def _stream(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - as DescribeTable has it
    """Judge whether its changes can be followed."""
    stream = described.get("StreamSpecification", {})
    if stream.get("StreamEnabled") and stream.get("StreamViewType") == "NEW_AND_OLD_IMAGES":
        return _ok("stream", "Changes are streamed, with the old and the new item")
    on = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    if stream.get("StreamEnabled"):
        off = _update_table(deployment, "--stream-specification StreamEnabled=false")
        seen = f"Changes are streamed with {stream.get('StreamViewType')} alone"
        return _failure("stream", seen, f"{off}; then the same with {on}")
    return _failure("stream", "Changes are not streamed", _update_table(deployment, f"--stream-specification {on}"))


def time_to_live(deployment: Deployment) -> Iterator[Finding]:
    """See whether what has expired is deleted."""
    found = deployment.dynamodb.describe_time_to_live(TableName=deployment.table_name)["TimeToLiveDescription"]
    on = found.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    if on and found.get("AttributeName") == "expires_at":
        yield _ok("TTL", "Items are deleted after expires_at")
        return
    change = f"aws dynamodb update-time-to-live --table-name {deployment.table_name} --time-to-live-specification"
    enable = "Enabled=true,AttributeName=expires_at"
    if on:
        other = found.get("AttributeName")
        advice = f"{change} Enabled=false,AttributeName={other}; an hour later the same with {enable}"
        yield _failure("TTL", f"Items are deleted after {other}, not after expires_at", advice)
    else:
        seen = "TTL is off: carts, sessions and tokens that have expired stay, and cost"
        yield _failure("TTL", seen, f"{change} {enable}")


def backups(deployment: Deployment) -> Iterator[Finding]:
    """See whether the table can be brought back to an earlier moment."""
    name = deployment.table_name
    answer = deployment.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    found = answer.get("PointInTimeRecoveryDescription", {})
    if found.get("PointInTimeRecoveryStatus") == "ENABLED":
        since = found.get("EarliestRestorableDateTime")
        yield _ok("backups", f"Any moment since {since:%Y-%m-%d %H:%M} can be restored" if since else "They are on")
        return
    yield _failure(
        "backups",
        "Point-in-time recovery is off: what is lost stays lost",
        f"aws dynamodb update-continuous-backups --table-name {name} "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
    )


def shops(deployment: Deployment) -> Iterator[Finding]:
    """See whether there is a shop."""
    found = sum(1 for _ in ShopStore(deployment.table, clock).names())
    if found:
        yield _ok("shops", "1 shop" if found == 1 else f"{found} shops")
    else:
        yield _warning("shops", "There are no shops yet", "cartctl shop create my-shop")


def _update_table(deployment: Deployment, change: str) -> str:
    """Return the command that changes the table."""
    return f"aws dynamodb update-table --table-name {deployment.table_name} {change}"


# ----------------------------------------------------------------------------------------------------------------------
# The APIs
# ----------------------------------------------------------------------------------------------------------------------


def search_api(deployment: Deployment) -> Iterator[Finding]:
    """See whether the Search API answers, and refuses whom the gateway itself refuses."""
    yield _gateway(deployment, _search(deployment))


def shop_api(deployment: Deployment) -> Iterator[Finding]:
    """See whether the Shop API answers, and refuses whom the gateway itself refuses."""
    yield _gateway(deployment, _shop(deployment))


def authorizer(deployment: Deployment) -> Iterator[Finding]:
    """See whether the authorizer judges: it must look a well-formed key up in the table to find that nobody has it."""
    for api in (_search(deployment), _shop(deployment)):
        answer = _ask(deployment, api, f"Token {secrets.token_hex(20)}")
        if fault := _difference(answer, api):
            advice = REDEPLOY
            if answer.status_code >= 500:
                advice = f"The authorizer cannot read the table; see why: aws logs tail {_log(deployment)}"
            yield _unexpected("authorizer", f"{api.name}, to a key that nobody has: {fault}", answer, advice)
            return
    yield _ok("authorizer", "It reads the table and refuses a key that nobody has")


def clock_skew(deployment: Deployment) -> Iterator[Finding]:
    """See whether this machine's clock is right: AWS refuses what was signed five minutes off."""
    sent = time.time()
    told = _ask(deployment, _shop(deployment), None).headers.get("Date")
    received = time.time()
    if told is None:
        yield _warning("clock", "The API's answer has no date", "See what answers in its place: a proxy, perhaps.")
        return
    at = parsedate_to_datetime(told).timestamp()
    # A date has whole seconds, cut off, and was written at some moment between the two.
    skew = max(sent - 1 - at, at - received, 0.0)
    seen = f"This machine's clock is {skew:.0f} s {'slow' if at > received else 'fast'}"
    if skew >= SKEW_REFUSED:
        yield _failure("clock", f"{seen}; AWS refuses what it signs from 5 minutes on", "Set it by NTP.")
    elif skew > SKEW_WARNED:
        yield _warning("clock", seen, "Set it by NTP, before it is 5 minutes off and AWS refuses all it signs.")
    else:
        yield _ok("clock", f"This machine's clock is right to within {SKEW_WARNED:.0f} s")


def _search(deployment: Deployment) -> Api:
    """Return the Search API."""
    path = f"/6/{'0' * 32}/stats/cart/doctor"
    return Api("Search API", deployment.search_url, "PUT", path, 403, {"error": "forbidden"})


def _shop(deployment: Deployment) -> Api:
    """Return the Shop API."""
    return Api("Shop API", deployment.shop_url, "GET", "/api/shop/cart", 401, {"error": "authentication required"})


def _gateway(deployment: Deployment, api: Api) -> Finding:
    """Judge how an API refuses requests that do not get as far as the authorizer."""
    for said, authorization in (("without a token", None), ("with a malformed one", "Token malformed")):
        answer = _ask(deployment, api, authorization)
        if fault := _difference(answer, api):
            return _unexpected(api.name, f"To a request {said}: {fault}", answer, REDEPLOY)
    return _ok(api.name, f"{api.url} refuses strangers as it should")


def _difference(answer: requests.Response, api: Api) -> str:
    """Say in which way an answer is not the contract's refusal; nothing where it is."""
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = answer.text[:_BEGINNING]
    if (answer.status_code, body) == (api.status, api.body):
        return ""
    return f"{answer.status_code} {str(body)[:_BEGINNING]} instead of {api.status} {api.body}"


def _unexpected(check: str, seen: str, answer: requests.Response, advice: str) -> Finding:
    """Return the failure that an answer is, or the warning where the gateway was merely too busy."""
    if answer.status_code == 429:
        return _warning(check, seen, "It is throttled: run cartctl doctor again when there is less traffic.")
    return _failure(check, seen, advice)


def _ask(deployment: Deployment, api: Api, authorization: str | None) -> requests.Response:
    """Send an API its request with this header, whatever the environment says of credentials."""
    with requests.Session() as http:
        http.trust_env = deployment.endpoint_url is None  # no proxy lies between this machine and itself
        http.auth = lambda request: request  # or requests would put one of ~/.netrc in the header's place
        headers = {} if authorization is None else {"Authorization": authorization}
        return http.request(
            api.method, f"{api.url}{api.path}", headers=headers, timeout=_TIMEOUT, allow_redirects=False
        )


def _log(deployment: Deployment) -> str:
    """Return the name of the authorizer's log group."""
    return f"/aws/lambda/{deployment.stack}-authorizer"


# ----------------------------------------------------------------------------------------------------------------------


def _ok(check: str, seen: str) -> Finding:
    """Say that all is well."""
    return Finding(check, State.OK, seen)


def _warning(check: str, seen: str, advice: str) -> Finding:
    """Say that something should be looked at."""
    return Finding(check, State.WARNING, seen, advice)


def _failure(check: str, seen: str, advice: str) -> Finding:
    """Say that something does not work."""
    return Finding(check, State.FAILURE, seen, advice)


CHECKS: Final[Mapping[str, Callable[[Deployment], Iterator[Finding]]]] = {
    "credentials": credentials,
    "stack": stack,
    "table": table,
    "TTL": time_to_live,
    "backups": backups,
    "Search API": search_api,
    "Shop API": shop_api,
    "authorizer": authorizer,
    "clock": clock_skew,
    "shops": shops,
}
"""The checks, in the order in which they are made; a check's name is that of its finding where it cannot be made."""
