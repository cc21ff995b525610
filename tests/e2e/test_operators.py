"""Operators with the policies of docs/operate.md, whom the emulator judges by them; and that guide's first walk."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import typer
from botocore.exceptions import ClientError

from cartctl import app
from cartctl.commands import shop as shops
from cartctl.connection import STACK, Deployment, on_aws
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import Invocation
from local import environment
from local.stack import Stack
from serverless_cart.domain.cart import Owner
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_attributes
from tests.support import guide
from tests.support.lambdas import Lambdas
from tests.support.policies import asked_by, judge, listed
from tools.support.clients import Customer, Http, Visitor, sensitive, unique
from tools.support.paths import ROOT

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ACCOUNT = "000000000000"
CELLS = [(policy, command) for command in guide.SERVED for policy in guide.POLICIES]


# ----------------------------------------------------------------------------------------------------------------------
# Operators
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def administrator(stack: Stack) -> Deployment:
    """Return the deployment as somebody finds it who may do everything."""
    return Deployment(
        session=environment.session(),
        stack=STACK,
        table_name=stack.table_name,
        search_url=stack.search_url,
        shop_url=stack.shop_url,
        parameters={"AuthorizerCacheSeconds": "0", "TableRetention": "Delete"},
        endpoint_url=stack.endpoint_url,
    )


@pytest.fixture(scope="module")
def iam(stack: Stack) -> "IAMClient":
    """Return a client of IAM."""
    return environment.session().client("iam", endpoint_url=stack.endpoint_url, config=environment.CLIENT)


def statements_of(policy: str, stack: Stack) -> list[dict[str, Any]]:
    return guide.policy(policy, REGION=stack.region, ACCOUNT=ACCOUNT, STACK=STACK, TABLE=stack.table_name)


@contextmanager
def user(iam: "IAMClient", region: str, statements: list[dict[str, Any]]) -> Iterator[boto3.Session]:
    """Make a user of IAM who may do what these statements allow, and yield a session of theirs."""
    name = unique("operator")
    iam.create_user(UserName=name)
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=region)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    if statements:
        iam.delete_user_policy(UserName=name, PolicyName="policy")
    iam.delete_user(UserName=name)


def judge_keys(statements: list[dict[str, Any]]) -> Callable[..., None]:
    """Judge calls in the emulator's place where it would not: it evaluates actions, and no key prefixes."""

    def judged(params: dict[str, Any], model: Any, **_: object) -> None:
        for asked in asked_by(model.name, params):
            action = f"dynamodb:{asked.action}"
            is_named = any(action in listed(statement["Action"]) for statement in statements)
            if is_named and not judge(statements, asked):
                said = {
                    "Code": "AccessDeniedException",
                    "Message": f"not authorized to perform: {action} by these keys",
                }
                answer: Any = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": 400}}
                raise ClientError(answer, model.name)

    return judged


@dataclass(frozen=True)
class Operators:
    """Somebody with each policy."""

    deployments: dict[str, Deployment]

    def run(self, policy: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
        """Give a command as somebody with this policy; return its exit code and what it shows."""
        invocation = Invocation(given=self.deployments[policy])
        capsys.readouterr()
        code = typer.main.get_command(app.app).main(
            [*arguments, "--json"], prog_name="cartctl", standalone_mode=False, obj=invocation
        )
        shown = capsys.readouterr().out
        return code or 0, json.loads(shown)


@pytest.fixture(scope="module")
def operators(iam: "IAMClient", administrator: Deployment, stack: Stack) -> Iterator[Operators]:
    """Make somebody with each policy of the guide."""
    deployments = {}
    users = []
    for policy in guide.POLICIES:
        statements = statements_of(policy, stack)
        users.append(user(iam, stack.region, statements))
        session = users[-1].__enter__()
        session.events.register("provide-client-params.dynamodb", judge_keys(statements))
        deployments[policy] = replace(administrator, session=session)
    yield Operators(deployments)
    for each in users:
        each.__exit__(None, None, None)


# ----------------------------------------------------------------------------------------------------------------------
# What they do
# ----------------------------------------------------------------------------------------------------------------------


class Operated:
    """A shop with one of everything, and for each command the words that make it work on what is there."""

    def __init__(self, administrator: Deployment, shop_http: Http, search_http: Http, folder: Path) -> None:
        self.shop = unique("operated")
        self.hashid = secrets.token_hex(16)
        self.folder = folder
        self._administrator = administrator
        self.run("shop", "create", self.shop, "--engine", self.hashid)
        api_key = self.run("key", "issue", self.shop)["key"]
        name = sensitive(unique("wilhelmina"))
        token = self.run("customer", "issue", self.shop, name)["token"]
        for secret in (api_key.rpartition("-")[2], token):
            sensitive(secret)
        self.run("catalogue", "import", self.shop, self._catalogue())
        self.customer = Customer(shop_http, token, Owner(self.shop, name))
        self.session = unique("session")[:32]
        assert Visitor(search_http, api_key, self.hashid, self.session).put("7").status == 200

    def run(self, *arguments: str) -> Any:
        """Give a command as an administrator."""
        return app.run(arguments, self._administrator)

    def words(self, command: str) -> list[str]:
        """Return the words of a command that has something to do."""
        customer = self.customer.owner.customer
        made: dict[str, Callable[[], list[str]]] = {
            "doctor": list,
            "shop list": list,
            "shop create": lambda: [unique("created")],
            "shop set": lambda: [self.shop, "--currency", secrets.token_hex(4), "--new-engine"],
            "shop delete": lambda: [self._shop_to_delete(), "--yes"],
            "key revoke": lambda: [self.shop, self.run("key", "issue", self.shop)["id"]],
            "customer list": lambda: [self.shop, customer],
            "customer issue": lambda: [self.shop, customer],
            "customer revoke": lambda: [self.shop, customer, "--id", self._token_to_revoke()],
            "catalogue show": lambda: [self.shop, "7"],
            "catalogue export": lambda: [self.shop, "--output", str(self.folder / "exported.csv")],
            "catalogue import": lambda: [self.shop, self._catalogue(), "--prune", "--yes"],
            "cart show": lambda: [self.shop, self._filled_cart()],
            "cart clear": lambda: [self.shop, self._filled_cart(), "--yes"],
            "session show": lambda: [self.hashid, self.session],
        }
        return [*command.split(), *made.get(command, lambda: [self.shop])()]

    def _filled_cart(self) -> str:
        """Let there be something in the customer's cart; return the customer."""
        assert self.customer.add(7).status == 200
        return self.customer.owner.customer

    def _token_to_revoke(self) -> str:
        """Issue the customer another token; return its id."""
        id_: str = self.run("customer", "issue", self.shop, self.customer.owner.customer)["id"]
        return id_

    def _shop_to_delete(self) -> str:
        """Open a shop that holds a token and a product."""
        name = unique("leaving")
        self.run("shop", "create", name)
        self.run("key", "issue", name)
        self.run("catalogue", "import", name, self._catalogue())
        return name

    def _catalogue(self) -> str:
        """Write a catalogue that is not in the table as it is; return the file."""
        rows = [f"{id_},REF-{id_},Lamp,{1_000 + secrets.randbelow(10**6)}," for id_ in (7, 8)]
        file = self.folder / "catalogue.csv"
        file.write_text("\n".join(["id,ref,name,price,stock", *rows]) + "\n")
        return str(file)


@pytest.fixture(scope="module")
def operated(
    administrator: Deployment, shop_http: Http, search_http: Http, tmp_path_factory: pytest.TempPathFactory
) -> Operated:
    """Open a shop to work on."""
    return Operated(administrator, shop_http, search_http, tmp_path_factory.mktemp("operated"))


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shop's deletion wait for no requests: there are none."""
    monkeypatch.setattr(shops, "LONGEST_REQUEST", 0)


@pytest.mark.parametrize(("policy", "command"), CELLS)
@pytest.mark.usefixtures("_at_once")
def test_a_policy_serves_its_commands_and_no_others(
    operators: Operators, operated: Operated, policy: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = operated.words(command)

    if policy in guide.SERVED[command]:
        assert operators.run(policy, words, capsys)[0] == 0
    elif command == "doctor":
        code, found = operators.run(policy, words, capsys)
        assert code == 5
        assert any("You may not call dynamodb:" in it["seen"] for it in found)
    else:
        with pytest.raises(CartctlError) as refused:
            operators.run(policy, words, capsys)
        assert refused.value.exit_code == ExitCode.FAILED
        assert re.match(r"You are not allowed to call \w+: docs/operate\.md has the policies\.", str(refused.value))
        assert "\n" not in str(refused.value)


def test_nothing_but_their_keys_is_seen_of_the_carts_by_whoever_closes_shops(
    iam: "IAMClient", operated: Operated, stack: Stack
) -> None:
    """The emulator judges by what is selected, so nothing stands in its place here."""
    assert operated.customer.add(7).status == 200
    table = stack.table_name
    with user(iam, stack.region, statements_of("shops", stack)) as session:
        client = session.client("dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT)

        found = client.scan(TableName=table, ProjectionExpression="pk, sk", Select="SPECIFIC_ATTRIBUTES")["Items"]
        with pytest.raises(ClientError, match="AccessDenied"):
            client.scan(TableName=table)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.scan(TableName=table, ProjectionExpression="pk, sk, version", Select="SPECIFIC_ATTRIBUTES")

    assert key_attributes(keys.cart(operated.customer.owner)) in found


def test_every_policy_finds_the_deployment_and_no_other_stack(
    operators: Operators, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    for deployment in operators.deployments.values():
        credentials = deployment.session.get_credentials()
        assert credentials
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_key)

        assert on_aws(STACK, None, stack.region).table_name == stack.table_name
        with pytest.raises(ClientError, match="AccessDenied"):
            on_aws("another", None, stack.region)


# ----------------------------------------------------------------------------------------------------------------------
# The doctor
# ----------------------------------------------------------------------------------------------------------------------


def test_the_local_cloud_is_well_and_no_proxy_lies_before_it(
    administrator: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    found = app.run(["doctor"], administrator)

    assert len(found) == 13
    assert [it for it in found if it["state"] != "ok"] == []


def test_the_doctor_finds_an_authorizer_that_cannot_read_the_table(
    lambdas: Lambdas, operators: Operators, capsys: pytest.CaptureFixture[str]
) -> None:
    with lambdas.with_database_at("http://127.0.0.1:1", "Authorizer"):
        code, found = operators.run("reading", ["doctor"], capsys)

    assert code == 5
    (authorizer,) = [it for it in found if it["state"] != "ok"]
    assert (authorizer["check"], authorizer["state"]) == ("authorizer", "failure")
    assert "503" in authorizer["seen"]
    assert "aws logs tail" in authorizer["advice"]


# ----------------------------------------------------------------------------------------------------------------------
# The guide, followed in a shell
# ----------------------------------------------------------------------------------------------------------------------


def at_a_shell(script: str, stack: Stack, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the local cloud in the place of AWS."""
    foreign = ("AWS_", "CARTCTL_", "HTTP_PROXY", "http_proxy", "PYTHON", "COVERAGE")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(  # noqa: S603 - the guide's own words
        ["/bin/bash", "-e", "-o", "pipefail", "-c", script],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **own,
            "AWS_ENDPOINT_URL": stack.endpoint_url,
            "AWS_DEFAULT_REGION": stack.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "PYTHONPYCACHEPREFIX": str(ROOT / ".local" / "pycache"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **more,
        },
    )


def test_the_guide_leads_from_a_deployment_to_the_first_cart_and_to_another_price(
    administrator: Deployment, stack: Stack, tmp_path: Path
) -> None:
    steps = guide.blocks("sh", guide.section("## From a deployment to the first cart"))
    deployed = [step for step in steps if "sam deploy" in step or "aws cloudformation" in step]
    followed = [step for step in steps if step not in deployed]
    assert (len(deployed), len(followed)) == (2, 5)

    ended = at_a_shell("".join(followed), stack, tmp_path, SHOP_URL=stack.shop_url)

    assert ended.returncode == 0, ended.stderr
    assert re.search(r'"subtotal": ?2480\b', ended.stdout)
    assert "Stoneware mug, white" in ended.stdout
    assert "Total 2480" in ended.stdout

    (prices,) = guide.blocks("sh", guide.section("### Prices must change at once"))
    changed = at_a_shell("cp products.csv changed.csv\n" + prices, stack, tmp_path)

    assert changed.returncode == 0, changed.stderr
    product = app.run(["catalogue", "show", "my-shop", "123"], administrator)[0]
    assert (product["price"], product["stock"]) == (1290, 40)


def test_somebody_who_may_nothing_is_told_so_in_one_line(iam: "IAMClient", stack: Stack, tmp_path: Path) -> None:
    with user(iam, stack.region, []) as session:
        credentials = session.get_credentials()
        assert credentials
        ended = at_a_shell(
            "cartctl shop list",
            stack,
            tmp_path,
            AWS_ACCESS_KEY_ID=credentials.access_key,
            AWS_SECRET_ACCESS_KEY=credentials.secret_key,
        )

    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: You are not allowed to call DescribeStacks: docs/operate.md has the policies.")


def test_what_was_deleted_comes_back_and_what_is_there_stays(
    administrator: Deployment, stack: Stack, tmp_path: Path
) -> None:
    restored = unique("restored")
    (step,) = [step for step in guide.blocks("sh", guide.section("### Something was deleted")) if "PYTHON" in step]
    script = step.partition("aws dynamodb delete-table")[0]
    script = script.replace(".venv/bin/python", "python").replace(
        "- restored TABLE", f"- {restored} {stack.table_name}"
    )
    client = administrator.dynamodb
    item, other, kept = (
        {**key_attributes(key), "price": {"N": "1"}}
        for key in (keys.product("my-shop", 901), keys.product("my-shop-2", 901), keys.product("my-shop", 902))
    )
    newer = {**kept, "price": {"N": "2"}}
    client.put_item(TableName=stack.table_name, Item=newer)
    client.create_table(
        TableName=restored,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    try:
        for each in (item, other, kept):
            client.put_item(TableName=restored, Item=each)
        ended = at_a_shell(script, stack, tmp_path)
    finally:
        client.delete_table(TableName=restored)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"is still there: {kept['pk']['S']}\n"
    found = [
        client.get_item(TableName=stack.table_name, Key={"pk": it["pk"], "sk": it["sk"]}).get("Item")
        for it in (item, other, kept)
    ]
    assert found == [item, None, newer]
