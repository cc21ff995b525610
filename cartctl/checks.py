"""The checks of `cartctl doctor`. Each yields what it found and, if that is a problem, what to do.

A check makes one call to AWS or sends one kind of request to the APIs. The reading policy of docs/operate.md allows all
calls. The requests carry no valid key.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Any, Final, NamedTuple

import requests
from botocore.exceptions import ClientError

from cartctl import background_checks
from cartctl.connection import Deployment
from cartctl.findings import CHECK_ERRORS, REDEPLOY, Finding, State, not_checked
from cartctl.http import SHOWN_LENGTH, TIMEOUT, session
from cartctl.probes import ALIAS, NOT_AUTHENTICATED, PROBES
from cartctl.shell import DENIED
from serverless_cart.clock import clock
from serverless_cart.dynamodb.shops import ShopStore

SKEW_WARNING: Final = 5.0
"""Seconds by which this machine's clock may be wrong without a warning."""
SKEW_FAILURE: Final = 300.0
"""Seconds from which AWS rejects the signatures of this machine."""


class Api(NamedTuple):
    """One of the APIs: its address, a request that lacks only a key, and the expected refusal."""

    name: str
    url: str
    method: str
    path: str
    status: int
    body: Mapping[str, object]


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Run all checks. One that cannot be run yields a failure, and the others still run."""
    for name, check in CHECKS.items():
        try:
            yield from check(deployment)
        except CHECK_ERRORS as error:
            yield not_checked(name, error)


# ----------------------------------------------------------------------------------------------------------------------
# The account and the stack
# ----------------------------------------------------------------------------------------------------------------------


def credentials(deployment: Deployment) -> Iterator[Finding]:
    """Check that AWS accepts the credentials."""
    client = deployment.session.client("sts", endpoint_url=deployment.endpoint_url, config=deployment.client_config)
    seen = f"{client.get_caller_identity()['Arn']} in {deployment.session.region_name}"
    yield Finding("credentials", State.OK, seen)


def stack(deployment: Deployment) -> Iterator[Finding]:
    """Check that the last deployment of the stack succeeded."""
    client = deployment.session.client(
        "cloudformation", endpoint_url=deployment.endpoint_url, config=deployment.client_config
    )
    (described,) = client.describe_stacks(StackName=deployment.stack)["Stacks"]
    status = described["StackStatus"]
    seen = f"{deployment.stack} is {status}"
    events = f"aws cloudformation describe-stack-events --stack-name {deployment.stack}"
    if status.endswith("_IN_PROGRESS"):
        yield Finding("stack", State.WARNING, seen, "Wait until it is done, then run cartctl doctor again.")
    elif status in {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}:
        advice = f"The last deployment failed and was rolled back. Find the reason, then deploy again: {events}"
        yield Finding("stack", State.WARNING, seen, advice)
    elif status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}:
        yield Finding("stack", State.OK, seen)
    else:
        yield Finding("stack", State.FAILURE, seen, f"Find what failed, fix it and deploy again: {events}")


def version(deployment: Deployment) -> Iterator[Finding]:
    """Check that the stack was deployed from the version of this cartctl, because both use the same keys and rules."""
    own = metadata.version("serverless-cart")
    if deployment.version == own:
        yield Finding("version", State.OK, f"The stack and this cartctl are {own}")
    else:
        seen = f"The stack is {deployment.version or 'older than 0.1.0'}, and this cartctl {own}"
        yield Finding("version", State.WARNING, seen, f"Check out one version. {REDEPLOY} Then: make cartctl")


# ----------------------------------------------------------------------------------------------------------------------
# The table
# ----------------------------------------------------------------------------------------------------------------------


def table(deployment: Deployment) -> Iterator[Finding]:
    """Check that the table exists and has the settings of the template."""
    described = deployment.dynamodb.describe_table(TableName=deployment.table_name)["Table"]
    yield _schema(deployment, described)
    yield _protection(deployment, described)
    yield _encryption(deployment, described)
    yield _stream(deployment, described)


def _schema(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - the answer of DescribeTable
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in described["AttributeDefinitions"]}
    key = [(part["AttributeName"], part["KeyType"], types[part["AttributeName"]]) for part in described["KeySchema"]]
    name = deployment.table_name
    if key != [("pk", "HASH", "S"), ("sk", "RANGE", "S")]:
        shown = ", ".join(f"{attribute} ({kind} {type_})" for attribute, kind, type_ in key)
        seen = f"The key of {name} is {shown}, not pk (HASH S), sk (RANGE S)"
        advice = "This is not a table of serverless-cart: name the right stack with --stack, or deploy one."
        return Finding("table", State.FAILURE, seen, advice)
    match described["TableStatus"]:
        case "ACTIVE":
            return Finding("table", State.OK, f"{name} is ACTIVE")
        case "UPDATING":
            return Finding("table", State.OK, f"{name} is UPDATING; it can be used meanwhile")
        case "INACCESSIBLE_ENCRYPTION_CREDENTIALS" as status:
            return Finding("table", State.FAILURE, f"{name} is {status}", "Enable the KMS key of the table.")
        case status:
            advice = "Wait until it is ACTIVE, then run cartctl doctor again."
            return Finding("table", State.FAILURE, f"{name} is {status}", advice)


def _protection(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - the answer of DescribeTable
    check = "deletion protection"
    if described.get("DeletionProtectionEnabled"):
        return Finding(check, State.OK, "The table is protected from deletion")
    if deployment.parameters.get("TableRetention", "Retain") == "Retain":
        advice = _update_table(deployment, "--deletion-protection-enabled")
        return Finding(check, State.FAILURE, "The table is not protected from deletion, but should be", advice)
    seen = "The table is deleted with its stack (TableRetention=Delete)"
    if deployment.endpoint_url:
        return Finding(check, State.OK, seen)
    advice = "Unless this is a trial, run: sam deploy --parameter-overrides TableRetention=Retain"
    return Finding(check, State.WARNING, seen, advice)


def _encryption(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - the answer of DescribeTable
    encryption = described.get("SSEDescription", {})
    if encryption.get("Status") in {"ENABLED", "UPDATING"}:
        seen = f"The table is encrypted with {encryption.get('SSEType', 'KMS')} and a key of this account"
        return Finding("encryption", State.OK, seen)
    advice = _update_table(deployment, "--sse-specification Enabled=true")
    return Finding("encryption", State.FAILURE, "The table is not encrypted with a key of this account", advice)


def _stream(deployment: Deployment, described: Any) -> Finding:  # noqa: ANN401 - the answer of DescribeTable
    stream = described.get("StreamSpecification", {})
    if stream.get("StreamEnabled") and stream.get("StreamViewType") == "NEW_AND_OLD_IMAGES":
        return Finding("stream", State.OK, "Changes are streamed with the old and the new item")
    on = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    if stream.get("StreamEnabled"):
        off = _update_table(deployment, "--stream-specification StreamEnabled=false")
        seen = f"Changes are streamed with {stream.get('StreamViewType')} instead of NEW_AND_OLD_IMAGES"
        return Finding("stream", State.FAILURE, seen, f"{off}; then the same with {on}")
    advice = _update_table(deployment, f"--stream-specification {on}")
    return Finding("stream", State.FAILURE, "Changes are not streamed", advice)


def time_to_live(deployment: Deployment) -> Iterator[Finding]:
    """Check that expired items are deleted."""
    described = deployment.dynamodb.describe_time_to_live(TableName=deployment.table_name)["TimeToLiveDescription"]
    attribute = described.get("AttributeName")
    is_on = described.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    update = f"aws dynamodb update-time-to-live --table-name {deployment.table_name} --time-to-live-specification"
    enable = "Enabled=true,AttributeName=expires_at"
    if is_on and attribute == "expires_at":
        yield Finding("TTL", State.OK, "Items are deleted after expires_at")
    elif is_on:
        seen = f"Items are deleted after {attribute} instead of expires_at"
        advice = f"{update} Enabled=false,AttributeName={attribute}; an hour later the same with {enable}"
        yield Finding("TTL", State.FAILURE, seen, advice)
    else:
        seen = "TTL is off: expired carts, sessions and tokens stay in the table and cost money"
        yield Finding("TTL", State.FAILURE, seen, f"{update} {enable}")


def backups(deployment: Deployment) -> Iterator[Finding]:
    """Check that the table can be restored to an earlier time."""
    name = deployment.table_name
    answer = deployment.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = answer.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
        since = recovery.get("EarliestRestorableDateTime")
        seen = "Point-in-time recovery is on" + (f", back to {since:%Y-%m-%d %H:%M}" if since else "")
        yield Finding("backups", State.OK, seen)
        return
    advice = (
        f"aws dynamodb update-continuous-backups --table-name {name} "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
    )
    yield Finding("backups", State.FAILURE, "Point-in-time recovery is off: lost data cannot be restored", advice)


def shops(deployment: Deployment) -> Iterator[Finding]:
    """Check that there is a shop."""
    count = sum(1 for _ in ShopStore(deployment.table, clock).names())
    if count:
        yield Finding("shops", State.OK, "1 shop" if count == 1 else f"{count} shops")
    else:
        yield Finding("shops", State.WARNING, "There are no shops yet", "cartctl shop create my-shop")


def _update_table(deployment: Deployment, change: str) -> str:
    return f"aws dynamodb update-table --table-name {deployment.table_name} {change}"


# ----------------------------------------------------------------------------------------------------------------------
# The APIs
# ----------------------------------------------------------------------------------------------------------------------


def search_api(deployment: Deployment) -> Iterator[Finding]:
    """Check the gateway's own refusals by the Search API."""
    yield _gateway(deployment, _search(deployment))


def shop_api(deployment: Deployment) -> Iterator[Finding]:
    """Check the gateway's own refusals by the Shop API."""
    yield _gateway(deployment, _shop(deployment))


def management_api(deployment: Deployment) -> Iterator[Finding]:
    """Check the gateway's own refusals by the Management API."""
    if deployment.management_url:
        yield _gateway(deployment, _management(deployment))
    else:
        yield Finding("Management API", State.FAILURE, "The stack is older than this cartctl: it has none", REDEPLOY)


def authorizer(deployment: Deployment) -> Iterator[Finding]:
    """Check that the authorizer refuses an unknown key. It must read the table to find that the key is unknown."""
    apis = [_search(deployment), _shop(deployment), *([_management(deployment)] if deployment.management_url else [])]
    for api in apis:
        answer = _ask(deployment, api, f"Token {secrets.token_hex(20)}")
        if difference := _difference(answer, api):
            advice = REDEPLOY
            if answer.status_code >= 500:
                log = f"/aws/lambda/{deployment.stack}-authorizer"
                advice = f"The authorizer cannot read the table. Find the reason: aws logs tail {log}"
            yield _unexpected("authorizer", f"{api.name}, request with an unknown key: {difference}", answer, advice)
            return
    yield Finding("authorizer", State.OK, "It reads the table and refuses an unknown key")


def clock_skew(deployment: Deployment) -> Iterator[Finding]:
    """Check this machine's clock against the date of an answer."""
    sent = time.time()
    date = _ask(deployment, _shop(deployment), None).headers.get("Date")
    received = time.time()
    if date is None:
        advice = "Find out what answers instead of the API, such as a proxy."
        yield Finding("clock", State.WARNING, "The API's answer has no date", advice)
        return
    at = parsedate_to_datetime(date).timestamp()
    # The date was written between the two times, and its fraction of a second is cut off.
    skew = max(sent - 1 - at, at - received, 0.0)
    seen = f"This machine's clock is {skew:.0f} s {'slow' if at > received else 'fast'}"
    if skew >= SKEW_FAILURE:
        yield Finding("clock", State.FAILURE, f"{seen}; AWS rejects signatures from 5 minutes on", "Set it by NTP.")
    elif skew > SKEW_WARNING:
        advice = "Set it by NTP: AWS rejects the signatures of a clock that is 5 minutes wrong."
        yield Finding("clock", State.WARNING, seen, advice)
    else:
        yield Finding("clock", State.OK, f"This machine's clock is right within {SKEW_WARNING:.0f} s")


def _search(deployment: Deployment) -> Api:
    path = f"/6/{'0' * 32}/stats/cart/doctor"
    return Api("Search API", deployment.search_url, "PUT", path, 403, {"error": "forbidden"})


def _shop(deployment: Deployment) -> Api:
    return Api("Shop API", deployment.shop_url, "GET", "/api/shop/cart", 401, {"error": "authentication required"})


def _management(deployment: Deployment) -> Api:
    path = "/api/v2/customers/doctor/cart"
    return Api("Management API", deployment.management_url, "GET", path, 401, {"error": NOT_AUTHENTICATED})


def _gateway(deployment: Deployment, api: Api) -> Finding:
    """Check the refusals of requests that the gateway does not pass to the authorizer."""
    for token, authorization in (("no token", None), ("a malformed token", "Token malformed")):
        answer = _ask(deployment, api, authorization)
        if difference := _difference(answer, api):
            return _unexpected(api.name, f"Request with {token}: {difference}", answer, REDEPLOY)
    return Finding(api.name, State.OK, f"{api.url} refuses requests without a valid token")


def _difference(answer: requests.Response, api: Api) -> str:
    """Return how an answer differs from the expected refusal; empty if it does not."""
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = answer.text[:SHOWN_LENGTH]
    if (answer.status_code, body) == (api.status, api.body):
        return ""
    return f"{answer.status_code} {str(body)[:SHOWN_LENGTH]} instead of {api.status} {api.body}"


def _unexpected(check: str, seen: str, answer: requests.Response, advice: str) -> Finding:
    if answer.status_code == 429:
        advice = "The API is throttled: run cartctl doctor again when there is less traffic."
        return Finding(check, State.WARNING, seen, advice)
    return Finding(check, State.FAILURE, seen, advice)


def _ask(deployment: Deployment, api: Api, authorization: str | None) -> requests.Response:
    """Send an API its request with this header only."""
    with session(deployment) as http:
        headers = {} if authorization is None else {"Authorization": authorization}
        return http.request(api.method, f"{api.url}{api.path}", headers=headers, timeout=TIMEOUT, allow_redirects=False)


# ----------------------------------------------------------------------------------------------------------------------
# The functions
# ----------------------------------------------------------------------------------------------------------------------


def functions(deployment: Deployment) -> Iterator[Finding]:
    """Check that each function starts, and that it refuses an event without a valid key.

    A user who may invoke functions can act for every customer, so the reading policy does not allow it.
    """
    try:
        yield from _functions(deployment)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        seen = f"The functions were not checked. {not_checked('functions', error).seen}"
        yield Finding("functions", State.WARNING, seen, "The doctor policy in docs/operate.md allows it.")


def _functions(deployment: Deployment) -> Iterator[Finding]:
    names = {it.name: it.physical for it in deployment.resources if it.kind == "AWS::Lambda::Function"}
    problems = [
        *(_invoke(deployment, function, names[function]) for function in PROBES if function in names),
        *(
            Finding("functions", State.FAILURE, f"{function} is missing", REDEPLOY)
            for function in PROBES.keys() - names
        ),
        *(_unknown_function(function) for function in names.keys() - PROBES),
    ]
    found = [problem for problem in problems if problem]
    yield from found
    if not found:
        yield Finding("functions", State.OK, f"All {len(PROBES)} start, and refuse an event without a valid key")


def _invoke(deployment: Deployment, function: str, name: str) -> Finding | None:
    """Invoke a function with its probe, and return the problem, if there is one."""
    client = deployment.session.client("lambda", endpoint_url=deployment.endpoint_url, config=deployment.client_config)
    probe = PROBES[function]
    log = f"aws logs tail /aws/lambda/{deployment.stack}-{probe.log}"
    try:
        answer = client.invoke(FunctionName=name, Qualifier=ALIAS, Payload=json.dumps(probe.event()))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return Finding("functions", State.FAILURE, f"{function} has no alias {ALIAS}", REDEPLOY)
    content = json.load(answer["Payload"])
    if "FunctionError" in answer:
        seen = f"{function} fails: {' '.join(str(content.get('errorMessage', content)).split())}"
        return Finding("functions", State.FAILURE, seen, f"Fix this, then deploy again. Its log has more: {log}")
    try:
        refusal = probe.refusal(content)
    except (KeyError, TypeError, ValueError):
        refusal = str(content)[:SHOWN_LENGTH]
    if refusal != probe.expected:
        seen = f"{function} answers {refusal} instead of {probe.expected}"
        return Finding("functions", State.FAILURE, seen, f"Its log may have the reason: {log}")
    return None


def _unknown_function(function: str) -> Finding:
    advice = "Upgrade cartctl, so that it checks this function too: make cartctl"
    return Finding(
        "functions", State.WARNING, f"This cartctl is older than the stack: it does not know {function}", advice
    )


CHECKS: Final[Mapping[str, Callable[[Deployment], Iterator[Finding]]]] = {
    "credentials": credentials,
    "stack": stack,
    "version": version,
    "table": table,
    "TTL": time_to_live,
    "backups": backups,
    "Search API": search_api,
    "Shop API": shop_api,
    "Management API": management_api,
    "authorizer": authorizer,
    "functions": functions,
    "event source": background_checks.event_source,
    "failure queue": background_checks.failure_queue,
    "schedule": background_checks.schedule,
    "API settings": background_checks.api_settings,
    "alarms": background_checks.alarms,
    "clock": clock_skew,
    "shops": shops,
}
"""The checks in their order. A check that cannot be run yields a failure of this name."""
