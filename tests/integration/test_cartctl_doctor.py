"""cartctl doctor: its findings on a healthy deployment and on each kind of broken one."""

import copy
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import partial
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError

from cartctl import connection
from cartctl.connection import on_aws
from cartctl.findings import REDEPLOY
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
APIS = "http://apis.invalid"
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/queue"
VERSION = metadata.version("serverless-cart")
UUID = "00000000-0000-4000-8000-000000000000"
MONITORED = {"Monitoring": "Enabled", "AccessLogs": "Disabled"}
WELL_FORMED = re.compile(r"Token [0-9a-f]{40}")
CHECKS = [
    *("credentials", "stack", "version", "table", "deletion protection", "encryption", "stream", "TTL", "backups"),
    *("Search API", "Shop API", "Management API", "authorizer", "functions"),
    *("event source", "failure queue", "schedule", "API settings", "alarms", "clock", "shops"),
]


class Reply(NamedTuple):
    """An answer of the gateway."""

    status: int
    body: str


REFUSALS = {
    "search": Reply(403, '{"error": "forbidden"}'),
    "shop": Reply(401, '{"error": "authentication required"}'),
    "management": Reply(401, '{"error": {"code": "not_authenticated", "message": "Authentication required"}}'),
}


@dataclass
class Gateway:
    """The APIs, which refuse all requests; a test may replace ``answer``. A redirection leads to the refusal."""

    sent: list[tuple[str, str, str | None]] = field(default_factory=list)
    answer: Callable[[str, str | None], Reply] = lambda api, _authorization: REFUSALS[api]
    late: float = 0
    """Seconds that are added to the date of each answer."""

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Answer a request in the place of the network."""
        if not str(request.url).startswith(APIS):
            raise requests.ConnectionError(request=request)
        api, _, path = urlsplit(str(request.url)).path[1:].partition("/")
        authorization = request.headers.get("Authorization")
        self.sent.append((f"{request.method} /{path}", api, authorization))
        reply = REFUSALS[api] if path == "redirected" else self.answer(api, authorization)
        response = requests.Response()
        response.status_code, response.url, response.request = reply.status, str(request.url), request
        response.raw = io.BytesIO(reply.body.encode())
        response.headers["Date"] = formatdate(time.time() + self.late, usegmt=True)
        if reply.status == 302:
            response.headers["Location"] = f"{APIS}/{api}/redirected"
        return response


class Functions:
    """The stack's functions, which run in this process; a test may replace the answer of one."""

    def __init__(self, bundle: Bundle) -> None:
        self.names = dict(zip(FUNCTIONS.values(), FUNCTIONS, strict=True))
        self.answers: dict[str, dict[str, Any]] = {}
        self.error: ClientError | None = None
        self._bundle = bundle

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


LIST = "cloudformation.ListStackResources"
SOURCE, QUEUE, RULE = "lambda.GetEventSourceMapping", "sqs.GetQueueAttributes", "eventbridge.DescribeRule"
API, ALARMS = "api-gateway.GetStage", "cloudwatch.DescribeAlarms"
NESTED = "arn:aws:cloudformation:eu-west-1:123456789012:stack/nested/1"


def alarm(name: str, **more: Any) -> dict[str, Any]:
    return {"AlarmName": name, "ActionsEnabled": True, "AlarmActions": ["topic"], "StateValue": "OK"} | more


class Background:
    """What the doctor sees of the stack's other resources; a test may replace an answer by another, or an error."""

    def __init__(self, functions: Functions) -> None:
        self.kinds = {
            "AWS::Lambda::EventSourceMapping": [UUID],
            "AWS::Events::Rule": ["the-rule"],
            "AWS::ApiGateway::RestApi": ["search", "shop", "management"],
            "AWS::CloudFormation::Stack": [NESTED],
        }
        self.nested = {
            "AWS::CloudWatch::Alarm": ["faults", "child", "child-by-arn"],
            "AWS::CloudWatch::CompositeAlarm": ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:both"],
        }
        children = [alarm(name, AlarmActions=[]) for name in ("child", "child-by-arn")]
        rule = 'ALARM("child") OR ALARM("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:child-by-arn")'
        self.answers: dict[str, Any] = {
            LIST: None,
            SOURCE: {"State": "Enabled", "LastProcessingResult": "OK"},
            QUEUE: {"Attributes": {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}},
            RULE: {"State": "ENABLED", "ScheduleExpression": "rate(1 minute)"},
            API: {"accessLogSettings": {}, "tracingEnabled": False},
            ALARMS: {
                "MetricAlarms": [alarm("faults"), *children],
                "CompositeAlarms": [alarm("both", AlarmRule=rule)],
            },
        }
        self._functions = functions

    def answer(self, call: str, params: dict[str, Any], **_: object) -> tuple[Any, Any]:
        """Answer in the place of AWS."""
        answer = self.answers[call]
        if isinstance(answer, Exception):
            raise answer
        listed = self._listed(params["body"]["StackName"]) if call == LIST else copy.deepcopy(answer)
        return SimpleNamespace(status_code=200), listed

    def _listed(self, stack: str) -> dict[str, Any]:
        functions = {name: f"{STACK}-{name}" for name in self._functions.names}
        kinds = self.nested if stack == NESTED else self.kinds
        found = [
            *(("AWS::Lambda::Function", *it) for it in functions.items() if stack == STACK),
            *((kind, f"{kind[-4:]}{number}", it) for kind, all_ in kinds.items() for number, it in enumerate(all_)),
        ]
        names = ("ResourceType", "LogicalResourceId", "PhysicalResourceId")
        return {"StackResourceSummaries": [dict(zip(names, it, strict=True)) for it in found]}


class Doctor:
    """An operator who runs the doctor."""

    def __init__(self, operator: Operator, client: "DynamoDBClient", gateway: Gateway, functions: Functions) -> None:
        self.background = Background(functions)
        self.operator = operator
        self.client = client
        self.gateway = gateway
        self.functions = functions
        self._hooks: list[tuple[str, Callable[..., Any]]] = []

    def change(self, **changes: Any) -> None:
        """Change fields of the deployment, which then makes new clients."""
        self.operator.deployment = replace(self.operator.deployment, **changes)

    def fail(self, operation: str, error: Exception) -> None:
        """Let a call such as ``dynamodb.DescribeTable`` raise an error."""
        if operation in self.background.answers:
            self.background.answers[operation] = error
            return

        def fail(**_: object) -> None:
            raise error

        self.hook(f"before-call.{operation}", fail)

    def alter(self, operation: str, change: Callable[[Any], Any]) -> None:
        """Change the answer of a call."""
        self.hook(f"after-call.{operation}", lambda parsed, **_: change(parsed))

    def remove_hooks(self) -> None:
        for event, hook in self._hooks:
            self.operator.deployment.session.events.unregister(event, hook)

    def hook(self, event: str, hook: Callable[..., Any]) -> None:
        self._hooks.append((event, hook))
        self.operator.deployment.session.events.register(event, hook)
        self.change()  # an existing client would not call the new hook

    def findings(self) -> tuple[int, dict[str, tuple[str, str]]]:
        """Run the doctor; return the exit code, and by check the state and both texts, joined by an arrow."""
        result = self.operator.type("doctor", "--json")
        assert result.err == ""
        findings = json.loads(result.out)
        for finding in findings:
            assert set(finding) == {"check", "state", "seen", "advice"}
            assert finding["seen"]
            assert bool(finding["advice"]) is (finding["state"] != "ok")
            assert "\n" not in finding["seen"] + finding["advice"]
        return result.code, {it["check"]: (it["state"], f"{it['seen']} -> {it['advice']}") for it in findings}

    def check_problems(self, state: str, expected: dict[str, str]) -> None:
        """Run the doctor, which must report these checks and no others, with parts of both texts around an arrow."""
        code, findings = self.findings()
        problems = {check: finding for check, finding in findings.items() if finding[0] != "ok"}
        assert (code, list(problems)) == (5 if state == "failure" else 0, list(expected))
        for check, (found, text) in problems.items():
            assert found == state
            for part, expected_part in zip(text.split(" -> "), expected[check].split(" -> "), strict=True):
                assert expected_part in part


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """Return a session that reads the service descriptions once."""
    return boto3.Session()


@pytest.fixture
def doctor(
    operator: Operator, bundle: Bundle, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Doctor]:
    """Return the doctor of a healthy deployment: a stack, a table with one shop, and the APIs."""
    gateway = Gateway()
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lambda _adapter, request, **_: gateway.send(request))
    urls = {f"{api}_url": f"{APIS}/{api}" for api in REFUSALS}
    operator.deployment = replace(
        operator.deployment, session=session, **urls, parameters=MONITORED, failure_queue_url=QUEUE_URL, version=VERSION
    )
    outputs = {"TableName": TABLE, "SearchUrl": urls["search_url"], "ShopUrl": urls["shop_url"]}
    outputs |= {"ManagementUrl": urls["management_url"], "StatisticsFailureQueueUrl": QUEUE_URL, "Version": VERSION}
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
    doctor = Doctor(operator, client, gateway, Functions(bundle))
    stream_arn = client.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
    doctor.background.answers[SOURCE]["EventSourceArn"] = stream_arn
    for call in doctor.background.answers:
        doctor.hook(f"before-call.{call}", partial(doctor.background.answer, call))
    doctor.hook("before-call.lambda.Invoke", doctor.functions.invoke)
    yield doctor
    doctor.remove_hooks()
    client.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    stacks.delete_stack(StackName=STACK)


@pytest.mark.parametrize("found_on_aws", [False, True])
def test_healthy_deployment_has_no_problems(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, *, found_on_aws: bool
) -> None:
    if found_on_aws:
        session = doctor.operator.deployment.session
        monkeypatch.setattr(connection, "on_aws", lambda *given: replace(on_aws(*given), session=session))

    code, findings = doctor.findings()

    assert (code, list(findings), {state for state, _ in findings.values()}) == (0, CHECKS, {"ok"})


def test_report_lists_findings_and_counts(doctor: Doctor) -> None:
    NO_BACKUPS(doctor)

    result = doctor.operator.type("doctor")
    lines = result.out.splitlines()
    (backups,) = [number for number, line in enumerate(lines) if line.startswith("failure  backups ")]

    assert result.code == 5
    assert [line.split()[0] for line in lines[:3]] == ["ok", "ok", "ok"]
    assert re.match(rf" +aws dynamodb update-continuous-backups --table-name {TABLE} ", lines[backups + 1])
    assert lines[-1] == "20 ok, 0 warnings, 1 failed"


def test_requests_have_no_malformed_and_unknown_tokens(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    doctor.findings()
    doctor.findings()
    routes = {"search": f"PUT /6/{'0' * 32}/stats/cart/doctor", "shop": "GET /api/shop/cart"}
    routes["management"] = "GET /api/v2/customers/doctor/cart"
    headers: dict[str, set[str | None]] = {api: set() for api in routes}
    for route, api, authorization in doctor.gateway.sent:
        assert route == routes[api]
        headers[api].add(authorization)
    unknown = [header for own in headers.values() for header in own if header and WELL_FORMED.fullmatch(header)]

    assert len(unknown) == len(set(unknown)) == 6
    assert all(own - set(unknown) == {None, "Token malformed"} for own in headers.values())


Damage = Callable[[Doctor], object]


def stack_is(status: str) -> Damage:
    return lambda doctor: doctor.alter(
        "cloudformation.DescribeStacks", lambda it: it["Stacks"][0].update(StackStatus=status)
    )


def clock_is(seconds: float) -> Damage:
    """Return a change of the gateway's clock, from which this machine's then differs."""
    return lambda doctor: setattr(doctor.gateway, "late", seconds)


def answered(operation: str, description: str, **fields: Any) -> Damage:
    """Return a change of the description that a call of DynamoDB returns."""
    return lambda doctor: doctor.alter(f"dynamodb.{operation}", lambda parsed: parsed[description].update(fields))


def described(**fields: Any) -> Damage:
    return answered("DescribeTable", "Table", **fields)


def expires(**fields: Any) -> Damage:
    return answered("DescribeTimeToLive", "TimeToLiveDescription", **fields)


def unprotect_on_purpose(doctor: Doctor) -> None:
    described(DeletionProtectionEnabled=False)(doctor)
    doctor.change(parameters={**MONITORED, "TableRetention": "Delete"})


def remove_all_shops(doctor: Doctor) -> None:
    doctor.client.delete_item(TableName=TABLE, Key={"pk": {"S": "SHOPS"}, "sk": {"S": "SHOP#one"}})


def refused(operation: str, code: str, message: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, operation)


def denied(operation: str) -> ClientError:
    message = f"User: arn:aws:iam::123456789012:user/x is not authorized to perform: {operation}\non it"
    return refused(operation, "AccessDeniedException", message)


def fails(call: str, error: Exception) -> Damage:
    return lambda doctor: doctor.fail(call, error)


def denies(call: str) -> Damage:
    return fails(call, denied(call.partition(".")[2]))


def changed(**fields: Any) -> Damage:
    return lambda doctor: doctor.change(**fields)


def cart_answers(payload: Any, **more: str) -> Damage:
    return lambda doctor: doctor.functions.answers.update(CartFunction={"Payload": payload, **more})


def lacks_cart(doctor: Doctor) -> None:
    del doctor.functions.names["CartFunction"]


def has_orders(doctor: Doctor) -> None:
    doctor.functions.names["OrderFunction"] = "order"


def invocations_raise(error: ClientError) -> Damage:
    return lambda doctor: setattr(doctor.functions, "error", error)


def has(call: str, **changes: Any) -> Damage:
    return lambda doctor: doctor.background.answers[call].update(changes)


def has_alarm(**changes: Any) -> Damage:
    return lambda doctor: doctor.background.answers[ALARMS]["MetricAlarms"][0].update(changes)


def lacks(kind: str) -> Damage:
    return lambda doctor: doctor.background.kinds.pop(kind)


ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
FAILURES = ["ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"]
NO_BACKUPS = answered("DescribeContinuousBackups", "ContinuousBackupsDescription", PointInTimeRecoveryDescription={})
UNPROTECTED = described(DeletionProtectionEnabled=False)
OTHER_KEY: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
}
NO_KEY = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
KEYS_ONLY = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
UPDATE = f" -> aws dynamodb update-table --table-name {TABLE}"
LAYERS = "The layers are built for python3.12 x86_64, and this function runs on python3.13 arm64."
FAILED = {"FunctionError": "Unhandled"}
LOG = " -> aws logs tail /aws/lambda/serverless-cart-cart"
EXPECTED = f"instead of (401, {{'error': 'auth{LOG}"
UNCHECKED = "The functions were not checked. You are not allowed to call {}. -> The doctor policy in docs/operate.md"
CALLS = {
    "sts.GetCallerIdentity": "credentials",
    "cloudformation.DescribeStacks": "stack",
    "dynamodb.DescribeTimeToLive": "TTL",
    "dynamodb.DescribeContinuousBackups": "backups",
    "dynamodb.Query": "shops",
}
DENIED = (
    "You are not allowed to call {0}. AWS says: User: arn:aws:iam:: -> "
    "permission to call {0}: the policies in docs/operate.md have it."
)
BACKGROUND_CALLS = [
    (SOURCE, "event source", DENIED.format("lambda:GetEventSourceMapping")),
    (QUEUE, "failure queue", DENIED.format("sqs:GetQueueAttributes")),
    (RULE, "schedule", DENIED.format("events:DescribeRule")),
    (API, "API settings", DENIED.format("apigateway:GET")),
    (ALARMS, "alarms", DENIED.format("cloudwatch:DescribeAlarms")),
]
PROBLEM = "PROBLEM: Function call failed"
WAITING = {"ApproximateNumberOfMessages": "1", "ApproximateNumberOfMessagesNotVisible": "2"}
LOGGED = {"destinationArn": "arn:aws:logs:eu-west-1:123456789012:log-group:x"}
NO_ALIAS = refused("Invoke", "ResourceNotFoundException", "Function not found")


@pytest.mark.parametrize(
    ("damage", "state", "check", "texts"),
    [
        (described(**OTHER_KEY), "failure", "table", " -> --stack"),
        (described(TableStatus="CREATING"), "failure", "table", " -> Wait until it is ACTIVE"),
        (described(TableStatus=NO_KEY), "failure", "table", " -> Enable the KMS key"),
        (UNPROTECTED, "failure", "deletion protection", f"{UPDATE} --deletion-protection-enabled"),
        (unprotect_on_purpose, "warning", "deletion protection", " -> TableRetention=Retain"),
        (described(SSEDescription={}), "failure", "encryption", f"{UPDATE} --sse-specification Enabled=true"),
        (described(SSEDescription={"Status": "DISABLED"}), "failure", "encryption", " -> --sse-specification"),
        (
            described(StreamSpecification={}),
            "failure",
            "stream",
            f"{UPDATE} --stream-specification StreamEnabled=true,",
        ),
        (described(StreamSpecification=KEYS_ONLY), "failure", "stream", " -> StreamEnabled=false; then the same with"),
        (expires(TimeToLiveStatus="DISABLED"), "failure", "TTL", " -> Enabled=true,AttributeName=expires_at"),
        (expires(AttributeName="ttl"), "failure", "TTL", " -> Enabled=false,AttributeName=ttl; an hour later"),
        (NO_BACKUPS, "failure", "backups", " -> PointInTimeRecoveryEnabled=true"),
        (remove_all_shops, "warning", "shops", " -> cartctl shop create"),
        # The functions
        (cart_answers({"errorMessage": f"{LAYERS}\n"}, **FAILED), "failure", "functions", f"fails: {LAYERS}{LOG}"),
        (cart_answers({"other": 1}, **FAILED), "failure", "functions", f"CartFunction fails: {{'other': 1}}{LOG}"),
        (cart_answers({"statusCode": 200, "body": "{}"}), "failure", "functions", f"answers (200, {{}}) {EXPECTED}"),
        (cart_answers(None), "failure", "functions", f"CartFunction answers None {EXPECTED}"),
        (lacks_cart, "failure", "functions", f"CartFunction is missing -> {REDEPLOY}"),
        (
            invocations_raise(NO_ALIAS),
            "failure",
            "functions",
            f"StatisticsRollUpFunction has no alias live -> {REDEPLOY}",
        ),
        (has_orders, "warning", "functions", "does not know OrderFunction -> Upgrade cartctl"),
        (invocations_raise(denied("Invoke")), "warning", "functions", UNCHECKED.format("lambda:InvokeFunction")),
        # The version, and what no request shows
        (changed(version="9.9.9"), "warning", "version", f"stack is 9.9.9, and this cartctl {VERSION} -> make cartctl"),
        (changed(version=""), "warning", "version", "The stack is older than 0.1.0 -> "),
        (has(SOURCE, State="Disabled"), "failure", "event source", f" -> --uuid {UUID} --enabled"),
        (has(SOURCE, State="Enabling"), "warning", "event source", "Enabling -> Wait"),
        (has(SOURCE, LastProcessingResult=PROBLEM), "failure", "event source", f"{PROBLEM} -> -statistics-roll-up"),
        (has(SOURCE, EventSourceArn="old"), "failure", "event source", "stream of an earlier table -> After a restore"),
        (lacks("AWS::Lambda::EventSourceMapping"), "failure", "event source", f"Nothing reads -> {REDEPLOY}"),
        (changed(failure_queue_url=""), "failure", "failure queue", f"The stack is older -> {REDEPLOY}"),
        (has(QUEUE, Attributes=WAITING), "warning", "failure queue", "3 batches -> cartctl stats replay"),
        (has(RULE, State="DISABLED"), "failure", "schedule", " -> aws events enable-rule --name the-rule"),
        (lacks("AWS::Events::Rule"), "failure", "schedule", f"Nothing ends unpaid orders -> {REDEPLOY}"),
        (has(API, accessLogSettings=LOGGED), "failure", "API settings", f"on against AccessLogs=Dis -> {REDEPLOY}"),
        (has(API, tracingEnabled=True), "failure", "API settings", f"on against Tracing=Disabled -> {REDEPLOY}"),
        (lacks("AWS::CloudFormation::Stack"), "failure", "alarms", f"missing: all of them -> {REDEPLOY}"),
        (has(ALARMS, CompositeAlarms=[]), "failure", "alarms", f"Alarms are missing: both -> {REDEPLOY}"),
        (has(ALARMS, MetricAlarms=[]), "failure", "alarms", "missing: child, child-by-arn, faults -> "),
        (has_alarm(AlarmActions=[]), "failure", "alarms", f"notify no one: faults -> {REDEPLOY}"),
        (has_alarm(ActionsEnabled=False), "failure", "alarms", f"notify no one: faults -> {REDEPLOY}"),
        (has_alarm(StateValue="ALARM"), "warning", "alarms", "In ALARM: faults -> docs/operate.md"),
        # Checks that cannot be run
        *((denies(call), "failure", check, DENIED.format(call.replace(".", ":"))) for call, check in CALLS.items()),
        *((denies(call), "failure", *it) for call, *it in BACKGROUND_CALLS),
    ],
)
def test_damage_is_found_with_its_fix(doctor: Doctor, damage: Damage, state: str, check: str, texts: str) -> None:
    damage(doctor)

    doctor.check_problems(state, {check: texts})


@pytest.mark.parametrize(
    ("condition", "check", "state", "seen"),
    [
        *((stack_is(status), "stack", "ok", status) for status in ("UPDATE_COMPLETE", "IMPORT_COMPLETE")),
        *((stack_is(status), "stack", "warning", status) for status in ("UPDATE_IN_PROGRESS", ROLLED_BACK)),
        *((stack_is(status), "stack", "failure", status) for status in FAILURES),
        (described(TableStatus="UPDATING"), "table", "ok", "UPDATING"),
        *((clock_is(seconds), "clock", "ok", "right within 5 s") for seconds in (-4, 4)),
        *((clock_is(seconds), "clock", "warning", seen) for seconds, seen in ((-20, " s fast"), (20, " s slow"))),
        (clock_is(-400), "clock", "failure", " s fast; AWS rejects"),
        (clock_is(400), "clock", "failure", " s slow; AWS rejects"),
    ],
)
def test_condition_decides_the_state(doctor: Doctor, condition: Damage, check: str, state: str, seen: str) -> None:
    condition(doctor)

    code, findings = doctor.findings()

    assert (code, findings[check][0]) == (5 if state == "failure" else 0, state)
    assert seen in findings[check][1]


def test_unlisted_resources_fail_their_checks(doctor: Doctor) -> None:
    denies(LIST)(doctor)

    code, findings = doctor.findings()

    assert (code, findings["functions"][0]) == (5, "warning")
    assert UNCHECKED.format("cloudformation:ListStackResources").split(" -> ")[0] in findings["functions"][1]
    assert {name for name, (state, _) in findings.items() if state == "failure"} == {
        *("event source", "schedule", "API settings", "alarms")
    }


def test_stack_without_monitoring_needs_no_alarms(doctor: Doctor) -> None:
    doctor.change(parameters={})
    doctor.fail(ALARMS, denied("DescribeAlarms"))

    assert doctor.findings()[1]["alarms"] == ("ok", "There are none (Monitoring=Disabled) -> ")


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("AccessLogs", {"accessLogSettings": LOGGED}),
        ("Tracing", {"tracingEnabled": True}),
        ("WebAcl", {"webAclArn": "arn:aws:wafv2:eu-west-1:000000000000:regional/webacl/cart/1"}),
    ],
)
def test_api_settings_follow_parameters(doctor: Doctor, name: str, setting: dict[str, Any]) -> None:
    doctor.change(parameters={**MONITORED, name: "Enabled"})
    off = doctor.findings()[1]["API settings"]
    has(API, **setting)(doctor)

    assert off[0] == "failure"
    assert f"is off against {name}=Enabled" in off[1]
    assert doctor.findings()[1]["API settings"][0] == "ok"


def throttle_search_api(doctor: Doctor) -> None:
    doctor.gateway.answer = lambda api, _authorization: Reply(429, "{}") if api == "search" else REFUSALS[api]


NO_DATABASE = fails("dynamodb", EndpointConnectionError(endpoint_url="https://dynamodb.invalid"))
GONE = "the table does not exist -> docs/operate.md"
NO_TABLE = "No answer from https://dynamodb.invalid -> "
NO_SHOPS = "DynamoDB throttles or does not answer. -> "
DENIED_TABLE = DENIED.format("dynamodb:DescribeTable")
NO_API = "No answer from http://127.0.0.1:1/live/6/ -> "
BUSY = "429 -> The API is throttled"


@pytest.mark.parametrize(
    ("damage", "state", "expected"),
    [
        # moto has another code than AWS for the TTL of no table.
        (
            changed(table_name="gone"),
            "failure",
            {"table": GONE, "TTL": " -> ", "backups": GONE, "event source": GONE, "shops": GONE},
        ),
        (
            NO_DATABASE,
            "failure",
            {**dict.fromkeys(("table", "TTL", "backups", "event source"), NO_TABLE), "shops": NO_SHOPS},
        ),
        (denies("dynamodb.DescribeTable"), "failure", dict.fromkeys(("table", "event source"), DENIED_TABLE)),
        (changed(search_url="http://127.0.0.1:1/live"), "failure", {"Search API": NO_API, "authorizer": NO_API}),
        (changed(management_url=""), "failure", {"Management API": f"The stack is older -> {REDEPLOY}"}),
        (throttle_search_api, "warning", {"Search API": BUSY, "authorizer": BUSY}),
    ],
)
def test_missing_service_fails_its_checks(doctor: Doctor, damage: Damage, state: str, expected: dict[str, str]) -> None:
    damage(doctor)

    doctor.check_problems(state, expected)


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
        raise refused(operation, code, "No.")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "on_aws", lambda _stack, *given: on_aws("elsewhere", *given))
        patch.setattr("botocore.client.BaseClient._make_api_call", fail)
        doctor.check_problems("failure", {"stack": f"{seen} -> "})


def test_every_function_is_probed() -> None:
    assert set(PROBES) == set(FUNCTIONS.values())
    assert {probe.log for probe in PROBES.values()} == {
        resource["Properties"]["LogGroupName"]["Fn::Sub"].rpartition("${AWS::StackName}-")[2]
        for resource in TEMPLATE["Resources"].values()
        if resource["Type"] == "AWS::Logs::LogGroup"
        and resource["Properties"]["LogGroupName"]["Fn::Sub"].startswith("/aws/lambda/")
    }


def test_probes_change_nothing(doctor: Doctor, bundle: Bundle) -> None:
    before = bundle.rows()
    bundle.database.calls.clear()

    assert doctor.findings()[0] == 0
    assert set(bundle.database.calls) == {"GetItem"}  # by the authorizer
    assert bundle.rows() == before


FAULT = Reply(500, '{"error": "internal server error"}')
ACCEPTED = Reply(200, '{"status": "registered"}')
AUTHORIZER_LOG = "aws logs tail /aws/lambda/serverless-cart-authorizer"


@pytest.mark.parametrize("api", REFUSALS)
@pytest.mark.parametrize(
    ("sent", "reply", "advice"),
    [
        *(("no token", reply, "sam deploy") for reply in (FAULT, ACCEPTED, Reply(403, '{"message": "Forbidden"}'))),
        *(
            ("no token", Reply(status, body), "sam deploy")
            for status, body in ((404, "{}"), (502, "<html>"), (302, ""))
        ),
        ("a malformed token", ACCEPTED, "sam deploy"),
        ("an unknown key", FAULT, AUTHORIZER_LOG),
        ("an unknown key", Reply(503, '{"error": "temporarily unavailable"}'), AUTHORIZER_LOG),
        ("an unknown key", ACCEPTED, "sam deploy"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else value[:20],
)
def test_unexpected_answer_is_found(doctor: Doctor, api: str, sent: str, reply: Reply, advice: str) -> None:
    names = {None: "no token", "Token malformed": "a malformed token"}
    doctor.gateway.answer = lambda asked, authorization: (
        reply if (asked, names.get(authorization, "an unknown key")) == (api, sent) else REFUSALS[asked]
    )

    check = "authorizer" if sent == "an unknown key" else f"{api.capitalize()} API"
    body = json.loads(reply.body) if reply.body.startswith("{") else reply.body
    difference = f"equest with {sent}: {reply.status} {body} instead of {REFUSALS[api].status}"
    doctor.check_problems("failure", {check: f"{difference} -> {advice}"})
