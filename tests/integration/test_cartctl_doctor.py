"""cartctl doctor: its findings on a healthy deployment and on each kind of broken one."""

import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cartctl import connection
from cartctl.checks import REDEPLOY
from cartctl.connection import Deployment, on_aws
from cartctl.probes import PROBES
from serverless_cart.clock import clock
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.shops import ShopStore
from tests.support.bundle import TABLE, Bundle
from tests.support.operator import Operator
from tools.support.template import FUNCTIONS, TEMPLATE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.moto  # it needs CloudFormation

STACK = "serverless-cart"
WELL_FORMED = re.compile(r"Token [0-9a-f]{40}")
REDIRECTED = "redirected"
"""The target of redirections, which answers correctly."""
CHECKS = [
    *("credentials", "stack", "table", "deletion protection", "encryption", "stream", "TTL", "backups"),
    *("Search API", "Shop API", "authorizer", "functions", "clock", "shops"),
]


class Reply(NamedTuple):
    """An answer of the gateway."""

    status: int
    body: str
    late: float = 0
    """Seconds that are added to the answer's date."""


REFUSALS = {
    "search": Reply(403, '{"error": "forbidden"}'),
    "shop": Reply(401, '{"error": "authentication required"}'),
}


@dataclass
class Gateway:
    """Both APIs on loopback, which refuse all requests; a test may replace ``answer``."""

    url: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    answer: Callable[[str, str | None], Reply] = lambda api, _authorization: REFUSALS[api]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api, _, path = self.path[1:].partition("/")
            authorization = self.headers["Authorization"]
            gateway.requests.append((f"{self.command} /{path}", api, authorization))
            reply = REFUSALS[api] if path == REDIRECTED else gateway.answer(api, authorization)
            self.send_response_only(reply.status)
            if reply.status == 302:
                self.send_header("Location", f"/{api}/{REDIRECTED}")
            self.send_header("Date", formatdate(time.time() + reply.late, usegmt=True))
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body.encode())

        do_PUT = do_GET  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gateway.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield gateway
        server.shutdown()


class Functions:
    """The stack's functions, which run in this process; a test may replace the answer of one."""

    def __init__(self, bundle: Bundle) -> None:
        self.names = {
            "AuthorizerFunction": "authorizer",
            "StatsCartFunction": "stats_cart",
            "CartFunction": "cart",
            "CartItemsFunction": "cart_items",
        }
        self.answers: dict[str, dict[str, Any]] = {}
        self.error: ClientError | None = None
        self._bundle = bundle

    def list(self, parsed: dict[str, Any]) -> None:
        """List the functions as resources of the stack."""
        parsed["StackResourceSummaries"] += [
            {
                "LogicalResourceId": name,
                "PhysicalResourceId": f"{STACK}-{name}",
                "ResourceType": "AWS::Lambda::Function",
            }
            for name in self.names
        ]

    def invoke(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer as Lambda does."""
        if self.error:
            raise self.error
        name = params["url_path"].split("/")[3].removeprefix(f"{STACK}-")
        assert params["query_string"] == {"Qualifier": "live"}
        answer = self.answers.get(name)
        if answer is None:
            answer = {"Payload": self._bundle.invoke(self.names[name], json.loads(params["body"]))}
        payload = io.BytesIO(json.dumps(answer["Payload"]).encode())
        return SimpleNamespace(status_code=200), {**answer, "Payload": payload}


class Doctor:
    """An operator who runs the doctor."""

    functions: Functions

    def __init__(self, operator: Operator, client: "DynamoDBClient") -> None:
        self.operator = operator
        self.client = client
        self._hooks: list[tuple[str, Callable[..., Any]]] = []

    @property
    def deployment(self) -> Deployment:
        return self.operator.deployment

    def change(self, **changes: Any) -> None:
        """Change fields of the deployment, which then makes new clients."""
        self.operator.deployment = replace(self.operator.deployment, **changes)

    def replace_call(self, operation: str, replacement: Callable[[], Any]) -> None:
        """Replace a call such as ``dynamodb.DescribeTable``."""
        self.hook(f"before-call.{operation}", lambda **_: replacement())

    def alter(self, operation: str, change: Callable[[Any], Any]) -> None:
        """Change the answer of a call."""
        self.hook(f"after-call.{operation}", lambda parsed, **_: change(parsed))

    def remove_hooks(self) -> None:
        for event, hook in self._hooks:
            self.deployment.session.events.unregister(event, hook)

    def hook(self, event: str, hook: Callable[..., Any]) -> None:
        self._hooks.append((event, hook))
        self.deployment.session.events.register(event, hook)
        self.change()  # an existing client would not call the new hook

    def findings(self) -> tuple[int, dict[str, Any]]:
        """Run the doctor; return the exit code, and the findings by check."""
        result = self.operator.type("doctor", "--json")
        assert result.err == ""
        findings = json.loads(result.out)
        for finding in findings:
            assert set(finding) == {"check", "state", "seen", "advice"}
            assert finding["seen"]
            assert bool(finding["advice"]) is (finding["state"] != "ok")
            assert "\n" not in finding["seen"] + finding["advice"]
        return result.code, {finding["check"]: finding for finding in findings}

    def only_problem(self, check: str) -> tuple[int, str, str]:
        """Run the doctor, which may report only this check; return the exit code, the state, and both texts."""
        code, findings = self.findings()
        assert problems(findings) == [check]
        finding = findings[check]
        return code, finding["state"], f"{finding['seen']} -> {finding['advice']}"


def problems(findings: dict[str, Any]) -> list[str]:
    return [check for check, finding in findings.items() if finding["state"] != "ok"]


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """Return a session that reads the service descriptions once."""
    return boto3.Session()


@pytest.fixture
def doctor(
    bundle: Bundle,
    gateway: Gateway,
    session: boto3.Session,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Doctor]:
    """Return the doctor of a healthy deployment: a stack, a table with one shop, and both APIs."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    operator = Operator(monkeypatch, capsys)
    outputs = {"TableName": TABLE, "SearchUrl": f"{gateway.url}/search", "ShopUrl": f"{gateway.url}/shop"}
    operator.deployment = replace(
        operator.deployment,
        session=session,
        search_url=outputs["SearchUrl"],
        shop_url=outputs["ShopUrl"],
        parameters={},
    )
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    stacks = session.client("cloudformation")
    stacks.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    client = bundle.client
    properties = TEMPLATE["Resources"]["Table"]["Properties"]
    stream: Any = {"StreamEnabled": True, **properties["StreamSpecification"]}
    client.update_table(TableName=TABLE, DeletionProtectionEnabled=True, StreamSpecification=stream)
    client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"]
    )
    client.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
    ShopStore(operator.deployment.table, clock).create(Shop("one"))
    doctor = Doctor(operator, client)
    doctor.functions = Functions(bundle)
    doctor.alter("cloudformation.ListStackResources", doctor.functions.list)
    doctor.hook("before-call.lambda.Invoke", doctor.functions.invoke)
    yield doctor
    doctor.remove_hooks()
    client.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    stacks.delete_stack(StackName=STACK)


def raises(error: Exception) -> Callable[[], Any]:
    def replacement() -> None:
        raise error

    return replacement


def denied(operation: str) -> ClientError:
    message = f"User: arn:aws:iam::123456789012:user/x is not authorized to perform: {operation}\non it"
    response: Any = {
        "Error": {"Code": "AccessDeniedException", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(response, operation)


# ----------------------------------------------------------------------------------------------------------------------
# A healthy deployment
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found_on_aws", [False, True])
def test_healthy_deployment_has_no_problems(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, *, found_on_aws: bool
) -> None:
    if found_on_aws:
        session = doctor.deployment.session
        monkeypatch.setattr(connection, "on_aws", lambda *given: replace(on_aws(*given), session=session))

    code, findings = doctor.findings()

    assert (code, list(findings), problems(findings)) == (0, CHECKS, [])


def test_report_lists_findings_and_counts(doctor: Doctor) -> None:
    NO_BACKUPS(doctor)

    result = doctor.operator.type("doctor")
    lines = result.out.splitlines()
    (backups,) = [number for number, line in enumerate(lines) if line.startswith("failure  backups ")]

    assert result.code == 5
    assert [line.split()[0] for line in lines[:3]] == ["ok", "ok", "ok"]
    assert re.match(rf" +aws dynamodb update-continuous-backups --table-name {TABLE} ", lines[backups + 1])
    assert lines[-1] == "13 ok, 0 warnings, 1 failed"


def test_requests_have_no_malformed_and_unknown_tokens(doctor: Doctor, gateway: Gateway) -> None:
    doctor.findings()
    doctor.findings()
    routes = {"search": f"PUT /6/{'0' * 32}/stats/cart/doctor", "shop": "GET /api/shop/cart"}
    headers: dict[str, list[str | None]] = {api: [] for api in routes}
    for route, api, authorization in gateway.requests:
        assert route == routes[api]
        headers[api].append(authorization)
    unknown = [header for sent in headers.values() for header in sent if header and WELL_FORMED.fullmatch(header)]

    assert all(None in sent and "Token malformed" in sent for sent in headers.values())
    assert len(unknown) == len(set(unknown)) == 4


def test_netrc_credentials_are_not_sent(
    doctor: Doctor, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert doctor.findings()[0] == 0
    assert not any("Basic" in (authorization or "") for _, _, authorization in gateway.requests)


# ----------------------------------------------------------------------------------------------------------------------
# The stack and the table
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        ("UPDATE_COMPLETE", 0, "ok"),
        ("IMPORT_COMPLETE", 0, "ok"),
        ("UPDATE_IN_PROGRESS", 0, "warning"),
        ("UPDATE_ROLLBACK_COMPLETE", 0, "warning"),
        ("ROLLBACK_COMPLETE", 5, "failure"),
        ("CREATE_FAILED", 5, "failure"),
        ("UPDATE_ROLLBACK_FAILED", 5, "failure"),
        ("DELETE_FAILED", 5, "failure"),
    ],
)
def test_stack_status_decides_the_state(doctor: Doctor, status: str, code: int, state: str) -> None:
    doctor.alter("cloudformation.DescribeStacks", lambda parsed: parsed["Stacks"][0].update(StackStatus=status))

    exit_code, findings = doctor.findings()

    assert (exit_code, findings["stack"]["state"]) == (code, state)
    assert status in findings["stack"]["seen"]


def answered(operation: str, description: str, **fields: Any) -> Callable[[Doctor], None]:
    """Return a change of the description that a call of DynamoDB returns."""
    return lambda doctor: doctor.alter(f"dynamodb.{operation}", lambda parsed: parsed[description].update(fields))


def described(**fields: Any) -> Callable[[Doctor], None]:
    return answered("DescribeTable", "Table", **fields)


def expires(**fields: Any) -> Callable[[Doctor], None]:
    return answered("DescribeTimeToLive", "TimeToLiveDescription", **fields)


def unprotect_on_purpose(doctor: Doctor) -> None:
    described(DeletionProtectionEnabled=False)(doctor)
    doctor.change(parameters={"TableRetention": "Delete"})


def remove_all_shops(doctor: Doctor) -> None:
    doctor.client.delete_item(TableName=TABLE, Key={"pk": {"S": "SHOPS"}, "sk": {"S": "SHOP#one"}})


NO_BACKUPS = answered("DescribeContinuousBackups", "ContinuousBackupsDescription", PointInTimeRecoveryDescription={})
UPDATE = f"aws dynamodb update-table --table-name {TABLE}"
OTHER_KEY: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
}
KEYS_ONLY = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
TABLE_CHECKS = ["table", "TTL", "backups", "shops"]


@pytest.mark.parametrize(
    ("damage", "check", "state", "advice"),
    [
        (described(**OTHER_KEY), "table", "failure", "--stack"),
        (described(TableStatus="CREATING"), "table", "failure", "Wait until it is ACTIVE"),
        (described(TableStatus="INACCESSIBLE_ENCRYPTION_CREDENTIALS"), "table", "failure", "Enable the KMS key"),
        (
            described(DeletionProtectionEnabled=False),
            "deletion protection",
            "failure",
            f"{UPDATE} --deletion-protection-enabled",
        ),
        (unprotect_on_purpose, "deletion protection", "warning", "TableRetention=Retain"),
        (described(SSEDescription={}), "encryption", "failure", f"{UPDATE} --sse-specification Enabled=true"),
        (described(SSEDescription={"Status": "DISABLED"}), "encryption", "failure", "--sse-specification"),
        (
            described(StreamSpecification={}),
            "stream",
            "failure",
            f"{UPDATE} --stream-specification StreamEnabled=true,",
        ),
        (described(StreamSpecification=KEYS_ONLY), "stream", "failure", "StreamEnabled=false; then the same with"),
        (expires(TimeToLiveStatus="DISABLED"), "TTL", "failure", "Enabled=true,AttributeName=expires_at"),
        (expires(AttributeName="ttl"), "TTL", "failure", "Enabled=false,AttributeName=ttl; an hour later"),
        (NO_BACKUPS, "backups", "failure", "PointInTimeRecoveryEnabled=true"),
        (remove_all_shops, "shops", "warning", "cartctl shop create"),
    ],
)
def test_damage_is_found_with_its_fix(
    doctor: Doctor, damage: Callable[[Doctor], None], check: str, state: str, advice: str
) -> None:
    damage(doctor)

    code, found, texts = doctor.only_problem(check)

    assert (code, found) == (5 if state == "failure" else 0, state)
    assert advice in texts.partition(" -> ")[2]


def test_updating_table_is_ok(doctor: Doctor) -> None:
    described(TableStatus="UPDATING")(doctor)

    assert doctor.findings()[0] == 0


def test_missing_table_fails_its_checks(doctor: Doctor) -> None:
    doctor.change(table_name="gone")

    code, findings = doctor.findings()

    assert (code, problems(findings)) == (5, TABLE_CHECKS)
    for name in ("table", "backups", "shops"):  # moto has another code than AWS for the TTL of no table
        assert "the table does not exist" in findings[name]["seen"]
        assert "docs/operate.md" in findings[name]["advice"]


# ----------------------------------------------------------------------------------------------------------------------
# The functions
# ----------------------------------------------------------------------------------------------------------------------


def test_every_function_is_probed() -> None:
    assert set(PROBES) == set(FUNCTIONS.values())
    assert {probe.log for probe in PROBES.values()} == {
        resource["Properties"]["LogGroupName"]["Fn::Sub"].rpartition("${AWS::StackName}-")[2]
        for resource in TEMPLATE["Resources"].values()
        if resource["Type"] == "AWS::Logs::LogGroup"
    }


def test_probes_change_nothing(doctor: Doctor, bundle: Bundle) -> None:
    before = bundle.rows()
    bundle.database.calls.clear()

    assert doctor.findings()[0] == 0
    assert set(bundle.database.calls) == {"GetItem"}  # by the authorizer
    assert bundle.rows() == before


LAYERS = (
    "The layers are built for python3.12 x86_64, and this function runs on python3.13 arm64. Build and deploy again"
)


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ({"FunctionError": "Unhandled", "Payload": {"errorMessage": f"{LAYERS}\n"}}, f"fails: {LAYERS}"),
        ({"FunctionError": "Unhandled", "Payload": {"other": 1}}, "fails: {'other': 1}"),
        ({"Payload": {"statusCode": 200, "body": "{}"}}, "answers (200, {}) instead of (401, {'error': 'auth"),
        ({"Payload": None}, "answers None instead of (401, "),
    ],
)
def test_broken_function_is_found(doctor: Doctor, answer: dict[str, Any], seen: str) -> None:
    doctor.functions.answers["CartFunction"] = answer

    code, state, texts = doctor.only_problem("functions")

    assert (code, state) == (5, "failure")
    assert texts.startswith(f"CartFunction {seen}")
    assert texts.endswith("aws logs tail /aws/lambda/serverless-cart-cart")


def test_missing_function_is_found(doctor: Doctor) -> None:
    del doctor.functions.names["CartFunction"]

    assert doctor.only_problem("functions")[1:] == ("failure", f"CartFunction is missing -> {REDEPLOY}")


def test_missing_alias_is_found(doctor: Doctor) -> None:
    missing: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": "Function not found"}}
    doctor.functions.error = ClientError(missing, "Invoke")

    assert doctor.only_problem("functions")[1:] == ("failure", f"CartItemsFunction has no alias live -> {REDEPLOY}")


def test_unknown_function_is_a_warning(doctor: Doctor) -> None:
    doctor.functions.names["OrderFunction"] = "order"

    code, state, texts = doctor.only_problem("functions")

    assert (code, state) == (0, "warning")
    assert "does not know OrderFunction" in texts


@pytest.mark.parametrize("action", ["cloudformation:ListStackResources", "lambda:InvokeFunction"])
def test_denied_invocation_is_a_warning(doctor: Doctor, action: str) -> None:
    if action == "lambda:InvokeFunction":
        doctor.functions.error = denied("Invoke")
    else:
        doctor.replace_call("cloudformation.ListStackResources", raises(denied("ListStackResources")))

    code, state, texts = doctor.only_problem("functions")

    assert (code, state) == (0, "warning")
    assert texts.startswith(f"The functions were not checked. You are not allowed to call {action}.")
    assert texts.endswith("The doctor policy in docs/operate.md allows it.")


# ----------------------------------------------------------------------------------------------------------------------
# Checks that cannot be run
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "check"),
    [
        ("sts", "GetCallerIdentity", "credentials"),
        ("cloudformation", "DescribeStacks", "stack"),
        ("dynamodb", "DescribeTable", "table"),
        ("dynamodb", "DescribeTimeToLive", "TTL"),
        ("dynamodb", "DescribeContinuousBackups", "backups"),
        ("dynamodb", "Query", "shops"),
    ],
)
def test_denied_check_names_the_action(doctor: Doctor, service: str, operation: str, check: str) -> None:
    doctor.replace_call(f"{service}.{operation}", raises(denied(operation)))

    code, state, texts = doctor.only_problem(check)

    assert (code, state) == (5, "failure")
    action = f"{service}:{operation}"
    assert f"You are not allowed to call {action}. AWS says: User: arn:aws:iam::" in texts
    assert texts.endswith(f"permission to call {action}: the reading policy in docs/operate.md has it.")


def test_unreachable_table_fails_its_checks(doctor: Doctor) -> None:
    doctor.replace_call("dynamodb", raises(EndpointConnectionError(endpoint_url="https://dynamodb.invalid")))

    code, findings = doctor.findings()

    assert (code, problems(findings)) == (5, TABLE_CHECKS)
    assert "No answer from https://dynamodb.invalid" in findings["TTL"]["seen"]
    assert findings["shops"]["seen"] == "DynamoDB throttles or does not answer."


REJECTED = "AWS rejects the credentials: pass another --profile, or set this machine's clock."


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("ValidationError", "There is no stack elsewhere in eu-west-1"),
        ("AccessDenied", "You are not allowed to call cloudformation:DescribeStacks."),
        ("ExpiredToken", "The AWS credentials have expired"),
        ("InvalidClientTokenId", REJECTED),
        ("SignatureDoesNotMatch", REJECTED),
    ],
)
def test_unavailable_stack_is_the_only_finding(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, code: str, seen: str
) -> None:
    def fail(_client: object, operation: str, _parameters: object) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "No."}}, operation)

    with monkeypatch.context() as patch:
        patch.setattr(connection, "on_aws", on_aws)
        patch.setattr("botocore.client.BaseClient._make_api_call", fail)
        result = doctor.operator.type("doctor", "--json", "--stack", "elsewhere")

    (finding,) = json.loads(result.out)
    assert (result.code, result.err, finding["check"], finding["state"]) == (5, "", "stack", "failure")
    assert finding["seen"].startswith(seen)
    assert finding["advice"]


# ----------------------------------------------------------------------------------------------------------------------
# The APIs
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("api", "check"), [("search", "Search API"), ("shop", "Shop API")])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, '{"error": "internal server error"}'),
        Reply(200, '{"status": "registered"}'),
        Reply(403, '{"message": "Forbidden"}'),
        Reply(404, '{"error": "not found"}'),
        Reply(502, "<html>no JSON</html>"),
        Reply(302, ""),
    ],
    ids=lambda reply: str(reply.status),
)
def test_unexpected_gateway_refusal_is_found(
    doctor: Doctor, gateway: Gateway, api: str, check: str, reply: Reply
) -> None:
    gateway.answer = lambda asked, authorization: (
        reply if asked == api and not WELL_FORMED.fullmatch(authorization or "") else REFUSALS[asked]
    )

    code, state, texts = doctor.only_problem(check)

    assert (code, state) == (5, "failure")
    assert f"Request with no token: {reply.status} " in texts
    assert f"instead of {REFUSALS[api].status}" in texts
    assert "sam deploy" in texts


def test_accepted_malformed_token_is_found(doctor: Doctor, gateway: Gateway) -> None:
    gateway.answer = lambda api, authorization: (
        Reply(200, "{}") if authorization == "Token malformed" and api == "shop" else REFUSALS[api]
    )

    assert "Request with a malformed token: 200 {} instead of 401" in doctor.only_problem("Shop API")[2]


@pytest.mark.parametrize("api", REFUSALS)
@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (Reply(500, '{"error": "fault"}'), "aws logs tail /aws/lambda/serverless-cart-authorizer"),
        (Reply(503, '{"error": "temporarily unavailable"}'), "aws logs tail /aws/lambda/serverless-cart-authorizer"),
        (Reply(200, '{"id": 1}'), "sam deploy"),
    ],
    ids=["500", "503", "200"],
)
def test_broken_authorizer_is_found(doctor: Doctor, gateway: Gateway, api: str, reply: Reply, advice: str) -> None:
    gateway.answer = lambda asked, authorization: (
        reply if asked == api and WELL_FORMED.fullmatch(authorization or "") else REFUSALS[asked]
    )

    code, state, texts = doctor.only_problem("authorizer")

    assert (code, state) == (5, "failure")
    difference = f"{reply.status} {json.loads(reply.body)} instead of {REFUSALS[api].status}"
    assert f"request with an unknown key: {difference}" in texts
    assert advice in texts


def test_throttled_api_is_a_warning(doctor: Doctor, gateway: Gateway) -> None:
    gateway.answer = lambda api, _authorization: Reply(429, "{}") if api == "search" else REFUSALS[api]

    code, findings = doctor.findings()

    assert code == 0
    assert [name for name in findings if findings[name]["state"] == "warning"] == ["Search API", "authorizer"]


def test_unreachable_api_fails_its_checks(doctor: Doctor) -> None:
    doctor.change(search_url="http://127.0.0.1:1/live")

    code, findings = doctor.findings()

    assert (code, list(findings), problems(findings)) == (5, CHECKS, ["Search API", "authorizer"])
    assert findings["Search API"]["seen"].startswith("No answer from http://127.0.0.1:1/live/6/")


@pytest.mark.parametrize(
    ("late", "state", "seen"),
    [
        (-4, "ok", "right within 5 s"),
        (4, "ok", "right within 5 s"),
        (-20, "warning", " s fast"),
        (20, "warning", " s slow"),
        (-400, "failure", " s fast; AWS rejects"),
        (400, "failure", " s slow; AWS rejects"),
    ],
)
def test_wrong_clock_is_found(doctor: Doctor, gateway: Gateway, late: float, state: str, seen: str) -> None:
    gateway.answer = lambda api, _authorization: REFUSALS[api]._replace(late=late)

    code, findings = doctor.findings()

    assert (code, findings["clock"]["state"]) == (5 if state == "failure" else 0, state)
    assert seen in findings["clock"]["seen"]
