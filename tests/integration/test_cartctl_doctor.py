"""cartctl doctor: what it says of a deployment that is well, and of each way in which one is not."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cartctl import connection
from cartctl.connection import Deployment, on_aws
from serverless_cart.clock import clock
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.shops import ShopStore
from tests.integration.operator import Operator
from tests.support.bundle import TABLE, Bundle
from tools.support.template import TEMPLATE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STACK = "serverless-cart"
WELL_FORMED = re.compile(r"Token [0-9a-f]{40}")
ELSEWHERE = "elsewhere"
"""A path where all is well, to which a redirection leads."""
CHECKS = [
    *("credentials", "stack", "table", "deletion protection", "encryption", "stream", "TTL", "backups"),
    *("Search API", "Shop API", "authorizer", "clock", "shops"),
]


class Reply(NamedTuple):
    """What the gateway answers."""

    status: int
    body: str
    late: float = 0
    """Seconds by which the answer's date is ahead of the time."""


REFUSALS = {
    "search": Reply(403, '{"error": "forbidden"}'),
    "shop": Reply(401, '{"error": "authentication required"}'),
}


@dataclass
class Gateway:
    """Both APIs as they answer strangers, on loopback; a test may have one of them answer otherwise."""

    url: str = ""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    answer: Callable[[str, str | None], Reply] = lambda api, _authorization: REFUSALS[api]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Run both APIs."""
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api, _, path = self.path[1:].partition("/")
            authorization = self.headers["Authorization"]
            gateway.asked.append((f"{self.command} /{path}", api, authorization))
            reply = REFUSALS[api] if path == ELSEWHERE else gateway.answer(api, authorization)
            self.send_response_only(reply.status)
            if reply.status == 302:
                self.send_header("Location", f"/{api}/{ELSEWHERE}")
            self.send_header("Date", formatdate(time.time() + reply.late, usegmt=True))
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body.encode())

        do_PUT = do_GET  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            """Keep silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gateway.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield gateway
        server.shutdown()


class Doctor:
    """An operator who asks the doctor about a deployment."""

    def __init__(self, operator: Operator, client: "DynamoDBClient") -> None:
        self.operator = operator
        self.client = client
        self._hooks: list[tuple[str, Callable[..., Any]]] = []

    @property
    def deployment(self) -> Deployment:
        return self.operator.deployment

    def change(self, **changes: Any) -> None:
        """Change what is known of the deployment, whose clients are made anew."""
        self.operator.deployment = replace(self.operator.deployment, **changes)

    def instead(self, operation: str, happens: Callable[[], Any]) -> None:
        """Let something else happen where a call of this name is made, as in ``dynamodb.DescribeTable``."""
        self._hook(f"before-call.{operation}", lambda **_: happens())

    def alter(self, operation: str, change: Callable[[Any], Any]) -> None:
        """Change what a call of this name answers."""
        self._hook(f"after-call.{operation}", lambda parsed, **_: change(parsed))

    def forget(self) -> None:
        """Let calls be made as they are."""
        for event, hook in self._hooks:
            self.deployment.session.events.unregister(event, hook)

    def _hook(self, event: str, hook: Callable[..., Any]) -> None:
        self._hooks.append((event, hook))
        self.deployment.session.events.register(event, hook)
        self.change()  # a client that there is already listens to nothing new

    def look(self) -> tuple[int, dict[str, Any]]:
        """Ask; return the exit code and the findings by their checks."""
        ended = self.operator.type("doctor", "--json")
        assert ended.err == ""
        found = json.loads(ended.out)
        for it in found:
            assert set(it) == {"check", "state", "seen", "advice"}
            assert it["seen"]
            assert bool(it["advice"]) is (it["state"] != "ok")
            assert "\n" not in it["seen"] + it["advice"]
        return ended.code, {it["check"]: it for it in found}

    def differs(self, check: str) -> tuple[int, str, str]:
        """Ask; only this check may find something. Return the exit code, its state, and its two lines as one."""
        code, found = self.look()
        assert [name for name, it in found.items() if it["state"] != "ok"] == [check]
        it = found[check]
        return code, it["state"], f"{it['seen']} -> {it['advice']}"


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """Share a session, which reads the descriptions of services once."""
    return boto3.Session()


@pytest.fixture
def doctor(
    bundle: Bundle,
    gateway: Gateway,
    session: boto3.Session,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Doctor]:
    """Put an operator before a deployment that is well: a stack, its table with one shop, and its APIs."""
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
    words = TEMPLATE["Resources"]["Table"]["Properties"]
    stream: Any = {"StreamEnabled": True, **words["StreamSpecification"]}
    client.update_table(TableName=TABLE, DeletionProtectionEnabled=True, StreamSpecification=stream)
    client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification=words["PointInTimeRecoverySpecification"]
    )
    client.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=words["TimeToLiveSpecification"])
    ShopStore(operator.deployment.table, clock).create(Shop("one"))
    doctor = Doctor(operator, client)
    yield doctor
    doctor.forget()
    client.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    stacks.delete_stack(StackName=STACK)


def raises(error: Exception) -> Callable[[], Any]:
    def happens() -> None:
        raise error

    return happens


def denied(operation: str) -> ClientError:
    said = f"User: arn:aws:iam::123456789012:user/x is not authorized to perform: {operation}\non it"
    answer: Any = {
        "Error": {"Code": "AccessDeniedException", "Message": said},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(answer, operation)


# ----------------------------------------------------------------------------------------------------------------------
# A deployment that is well
# ----------------------------------------------------------------------------------------------------------------------


def test_all_is_well(doctor: Doctor) -> None:
    code, found = doctor.look()

    assert code == 0
    assert list(found) == CHECKS
    assert {it["state"] for it in found.values()} == {"ok"}


def test_all_is_well_by_the_ordinary_chain_of_credentials(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "on_aws", on_aws)

    code, found = doctor.look()

    assert (code, list(found)) == (0, CHECKS)
    assert {it["state"] for it in found.values()} == {"ok"}


def test_a_person_reads_a_list_and_what_it_comes_to(doctor: Doctor) -> None:
    doctor.client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    ended = doctor.operator.type("doctor")
    lines = ended.out.splitlines()
    (backups,) = [number for number, line in enumerate(lines) if line.startswith("failure  backups ")]

    assert ended.code == 5
    assert [line.split()[0] for line in lines[:3]] == ["ok", "ok", "ok"]
    assert lines[backups + 1].startswith("    ")
    assert lines[backups + 1].lstrip().startswith(f"aws dynamodb update-continuous-backups --table-name {TABLE}")
    assert lines[-1] == "12 ok, 0 to look at, 1 failed"


def test_the_doctor_knocks_at_both_doors_without_a_token_with_a_malformed_one_and_with_one_that_nobody_has(
    doctor: Doctor, gateway: Gateway
) -> None:
    doctor.look()
    doctor.look()
    routes = {"search": f"PUT /6/{'0' * 32}/stats/cart/doctor", "shop": "GET /api/shop/cart"}
    tried: dict[str, list[str | None]] = {api: [] for api in routes}
    for route, api, authorization in gateway.asked:
        assert route == routes[api]
        tried[api].append(authorization)
    unknown = [it for them in tried.values() for it in them if it and WELL_FORMED.fullmatch(it)]

    assert all(None in them and "Token malformed" in them for them in tried.values())
    assert len(unknown) == len(set(unknown)) == 4


def test_credentials_for_the_host_in_a_netrc_file_take_no_part(
    doctor: Doctor, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert doctor.look()[0] == 0
    assert not any("Basic" in (authorization or "") for _, _, authorization in gateway.asked)


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
def test_how_the_stack_s_deployment_ended_is_judged(doctor: Doctor, status: str, code: int, state: str) -> None:
    doctor.alter("cloudformation.DescribeStacks", lambda parsed: parsed["Stacks"][0].update(StackStatus=status))

    ended, found = doctor.look()

    assert (ended, found["stack"]["state"]) == (code, state)
    assert status in found["stack"]["seen"]


def of_table(**words: Any) -> Callable[[Doctor], None]:
    """Let DescribeTable say something else."""
    return lambda doctor: doctor.alter("dynamodb.DescribeTable", lambda parsed: parsed["Table"].update(words))


def unprotect(doctor: Doctor) -> None:
    doctor.client.update_table(TableName=TABLE, DeletionProtectionEnabled=False)


def unprotect_on_purpose(doctor: Doctor) -> None:
    unprotect(doctor)
    doctor.change(parameters={"TableRetention": "Delete"})


def switch_ttl_off(doctor: Doctor) -> None:
    doctor.client.update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"}
    )


def expire_by_another_attribute(doctor: Doctor) -> None:
    doctor.alter(
        "dynamodb.DescribeTimeToLive",
        lambda parsed: parsed["TimeToLiveDescription"].update(TimeToLiveStatus="ENABLED", AttributeName="ttl"),
    )


def switch_stream_off(doctor: Doctor) -> None:
    doctor.client.update_table(TableName=TABLE, StreamSpecification={"StreamEnabled": False})


def switch_backups_off(doctor: Doctor) -> None:
    doctor.client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def close_all_shops(doctor: Doctor) -> None:
    doctor.client.delete_item(TableName=TABLE, Key={"pk": {"S": "SHOPS"}, "sk": {"S": "SHOP#one"}})


UPDATE = f"aws dynamodb update-table --table-name {TABLE}"
OTHER_KEY: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
}
KEYS_ONLY = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}


@pytest.mark.parametrize(
    ("damage", "check", "state", "advice"),
    [
        (of_table(**OTHER_KEY), "table", "failure", "--stack"),
        (of_table(TableStatus="CREATING"), "table", "failure", "Wait until it is ACTIVE"),
        (of_table(TableStatus="INACCESSIBLE_ENCRYPTION_CREDENTIALS"), "table", "failure", "Enable the KMS key"),
        (unprotect, "deletion protection", "failure", f"{UPDATE} --deletion-protection-enabled"),
        (unprotect_on_purpose, "deletion protection", "warning", "TableRetention=Retain"),
        (of_table(SSEDescription={}), "encryption", "failure", f"{UPDATE} --sse-specification Enabled=true"),
        (of_table(SSEDescription={"Status": "DISABLED"}), "encryption", "failure", "--sse-specification"),
        (switch_stream_off, "stream", "failure", f"{UPDATE} --stream-specification StreamEnabled=true,"),
        (of_table(StreamSpecification=KEYS_ONLY), "stream", "failure", "StreamEnabled=false; then the same with"),
        (switch_ttl_off, "TTL", "failure", "Enabled=true,AttributeName=expires_at"),
        (expire_by_another_attribute, "TTL", "failure", "Enabled=false,AttributeName=ttl; an hour later"),
        (switch_backups_off, "backups", "failure", "PointInTimeRecoveryEnabled=true"),
        (close_all_shops, "shops", "warning", "cartctl shop create"),
    ],
)
def test_what_is_not_as_it_was_deployed_is_found_with_the_way_to_mend_it(
    doctor: Doctor, damage: Callable[[Doctor], None], check: str, state: str, advice: str
) -> None:
    damage(doctor)

    code, found, said = doctor.differs(check)

    assert (code, found) == (5 if state == "failure" else 0, state)
    assert advice in said.partition(" -> ")[2]


def test_a_table_that_is_being_changed_serves_meanwhile(doctor: Doctor) -> None:
    of_table(TableStatus="UPDATING")(doctor)

    assert doctor.look()[0] == 0


def test_a_table_that_is_gone_is_said_by_every_check_of_it_and_hides_none_of_the_others(doctor: Doctor) -> None:
    doctor.change(table_name="gone")

    code, found = doctor.look()

    assert code == 5
    assert [name for name, it in found.items() if it["state"] != "ok"] == ["table", "TTL", "backups", "shops"]
    for name in ("table", "backups", "shops"):  # moto has another code than AWS for the TTL of no table
        assert "there is no such table" in found[name]["seen"]
        assert "docs/operate.md" in found[name]["advice"]


# ----------------------------------------------------------------------------------------------------------------------
# Checks that cannot be made
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
def test_a_check_that_may_not_be_made_names_the_missing_action_and_hides_no_other(
    doctor: Doctor, service: str, operation: str, check: str
) -> None:
    doctor.instead(f"{service}.{operation}", raises(denied(operation)))

    code, state, said = doctor.differs(check)

    assert (code, state) == (5, "failure")
    assert f"You may not call {service}:{operation}. AWS says: User: arn:aws:iam::" in said
    assert said.endswith(f"allowed {service}:{operation}: the policy for reading in docs/operate.md has it.")


def test_a_table_that_does_not_answer_hides_no_other_check(doctor: Doctor) -> None:
    doctor.instead("dynamodb", raises(EndpointConnectionError(endpoint_url="https://dynamodb.invalid")))

    code, found = doctor.look()

    assert code == 5
    assert [name for name, it in found.items() if it["state"] != "ok"] == ["table", "TTL", "backups", "shops"]
    assert "Nothing answers at https://dynamodb.invalid" in found["TTL"]["seen"]
    assert found["shops"]["seen"] == "DynamoDB throttles or does not answer."


def test_where_there_is_no_stack_that_is_the_one_finding(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "on_aws", on_aws)

    ended = doctor.operator.type("doctor", "--json", "--stack", "elsewhere")
    (found,) = json.loads(ended.out)

    assert (ended.code, ended.err) == (5, "")
    assert (found["check"], found["state"]) == ("stack", "failure")
    assert found["seen"].startswith("There is no stack elsewhere in eu-west-1")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "You may not call cloudformation:DescribeStacks."),
        ("ExpiredToken", "The AWS credentials have expired"),
        ("InvalidClientTokenId", "AWS refuses the credentials: name another --profile, or set this machine's clock."),
        ("SignatureDoesNotMatch", "AWS refuses the credentials: name another --profile, or set this machine's clock."),
    ],
)
def test_credentials_that_do_not_open_the_stack_are_the_one_finding(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    refusal = ClientError({"Error": {"Code": code, "Message": "No."}}, "DescribeStacks")
    monkeypatch.setattr(connection, "on_aws", lambda *_: raises(refusal)())

    ended = doctor.operator.type("doctor", "--json")
    (found,) = json.loads(ended.out)

    assert (ended.code, found["check"], found["state"]) == (5, "stack", "failure")
    assert found["seen"].startswith(said)
    assert found["advice"]


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
)
def test_an_api_that_refuses_strangers_in_another_way_is_found(
    doctor: Doctor, gateway: Gateway, api: str, check: str, reply: Reply
) -> None:
    gateway.answer = lambda asked, authorization: (
        reply if asked == api and not WELL_FORMED.fullmatch(authorization or "") else REFUSALS[asked]
    )

    code, state, said = doctor.differs(check)

    assert (code, state) == (5, "failure")
    assert f"without a token: {reply.status} " in said
    assert f"instead of {REFUSALS[api].status}" in said
    assert "sam deploy" in said


def test_a_malformed_token_must_be_refused_as_none_is(doctor: Doctor, gateway: Gateway) -> None:
    gateway.answer = lambda api, authorization: (
        Reply(200, "{}") if authorization == "Token malformed" and api == "shop" else REFUSALS[api]
    )

    assert "with a malformed one: 200 {} instead of 401" in doctor.differs("Shop API")[2]


@pytest.mark.parametrize("api", REFUSALS)
@pytest.mark.parametrize("status", [500, 503])
def test_an_authorizer_that_cannot_read_the_table_is_found_with_its_log(
    doctor: Doctor, gateway: Gateway, api: str, status: int
) -> None:
    gateway.answer = lambda asked, authorization: (
        Reply(status, '{"error": "temporarily unavailable"}')
        if asked == api and WELL_FORMED.fullmatch(authorization or "")
        else REFUSALS[asked]
    )

    code, state, said = doctor.differs("authorizer")

    assert (code, state) == (5, "failure")
    assert f"to a key that nobody has: {status} " in said
    assert "aws logs tail /aws/lambda/serverless-cart-authorizer" in said


def test_an_authorizer_that_lets_a_key_in_that_nobody_has_is_found(doctor: Doctor, gateway: Gateway) -> None:
    gateway.answer = lambda api, authorization: (
        Reply(200, '{"id": 1}') if WELL_FORMED.fullmatch(authorization or "") else REFUSALS[api]
    )

    code, state, said = doctor.differs("authorizer")

    assert (code, state) == (5, "failure")
    assert "200 {'id': 1} instead of 403" in said


def test_an_api_that_is_too_busy_is_to_be_asked_again(doctor: Doctor, gateway: Gateway) -> None:
    gateway.answer = lambda api, _authorization: Reply(429, "{}") if api == "search" else REFUSALS[api]

    code, found = doctor.look()

    assert code == 0
    assert [name for name, it in found.items() if it["state"] == "warning"] == ["Search API", "authorizer"]


def test_an_api_that_does_not_answer_hides_no_other_check(doctor: Doctor) -> None:
    doctor.change(search_url="http://127.0.0.1:1/live")

    code, found = doctor.look()

    assert code == 5
    assert list(found) == CHECKS
    assert [name for name, it in found.items() if it["state"] != "ok"] == ["Search API", "authorizer"]
    assert found["Search API"]["seen"].startswith("No answer from http://127.0.0.1:1/live/6/")


@pytest.mark.parametrize(
    ("late", "state", "said"),
    [
        (-4, "ok", "right to within 5 s"),
        (4, "ok", "right to within 5 s"),
        (-20, "warning", " s fast"),
        (20, "warning", " s slow"),
        (-400, "failure", " s fast; AWS refuses"),
        (400, "failure", " s slow; AWS refuses"),
    ],
)
def test_a_clock_that_is_wrong_is_found_before_aws_refuses_what_it_signs(
    doctor: Doctor, gateway: Gateway, late: float, state: str, said: str
) -> None:
    gateway.answer = lambda api, _authorization: REFUSALS[api]._replace(late=late)

    code, found = doctor.look()

    assert (code, found["clock"]["state"]) == (5 if state == "failure" else 0, state)
    assert said in found["clock"]["seen"]
