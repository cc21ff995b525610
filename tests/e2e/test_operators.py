"""Operators with the policies of docs/operate.md, which the emulator evaluates, and the guide's shell commands."""

import io
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
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
from serverless_cart.dynamodb.orders import new_order_writes
from tests.support import guide
from tests.support.builders import order
from tests.support.operator import deployment_of, shell_environment
from tests.support.policies import asked_by, judge, listed
from tools.support.clients import Customer, Http, Manager, Visitor, sensitive, unique
from tools.support.paths import ROOT

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ACCOUNT = "000000000000"
CELLS = [(policy, command) for command in guide.SERVED for policy in guide.POLICIES]


@pytest.fixture(scope="module")
def administrator(stack: Stack) -> Deployment:
    """Return the deployment of an operator with all permissions."""
    return deployment_of(stack)


@pytest.fixture(scope="module")
def iam(stack: Stack) -> "IAMClient":
    return environment.session().client("iam", endpoint_url=stack.endpoint_url, config=environment.CLIENT)


def statements_of(policy: str, stack: Stack) -> list[dict[str, Any]]:
    statements = guide.policy(policy, REGION=stack.region, ACCOUNT=ACCOUNT, STACK=STACK, TABLE=stack.table_name)
    deviations = {  # of the emulator
        "ReadTheStream": {"Resource": "*"},  # it looks for a table's name in these calls, which they do not have
        "DescribeTheReaderOfTheStream": {"Action": "lambda:ListEventSourceMappings"},  # its name for both calls
        "DescribeTheSchedule": {"Resource": f"arn:aws:events:{stack.region}:{ACCOUNT}:rule/default/{STACK}-*"},
    }
    return [statement | deviations.get(statement["Sid"], {}) for statement in statements]


@contextmanager
def user(iam: "IAMClient", region: str, statements: list[dict[str, Any]]) -> Iterator[boto3.Session]:
    """Create an IAM user with these statements, and yield a session of the user."""
    name = unique("operator")
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=region)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="policy")
    iam.delete_user(UserName=name)


def deny_other_keys(statements: list[dict[str, Any]]) -> Callable[..., None]:
    """Return a hook that checks key prefixes, which the emulator does not: it checks only actions."""

    def check(params: dict[str, Any], model: Any, **_: object) -> None:
        for asked in asked_by(model.name, params):
            action = f"dynamodb:{asked.action}"
            is_named = any(action in listed(statement["Action"]) for statement in statements)
            if is_named and not judge(statements, asked):
                message = f"not authorized to perform: {action} with these keys"
                error = {"Code": "AccessDeniedException", "Message": message}
                response: Any = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}
                raise ClientError(response, model.name)

    return check


Run = Callable[[str, list[str]], tuple[int, Any]]


@pytest.fixture
def run(operators: dict[str, Deployment], capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command as an operator with a policy; it returns the exit code and the JSON."""

    def run(policy: str, arguments: list[str]) -> tuple[int, Any]:
        capsys.readouterr()
        code = typer.main.get_command(app.app).main(
            [*arguments, "--json"],
            prog_name="cartctl",
            standalone_mode=False,
            obj=Invocation(given=operators[policy]),
        )
        return code or 0, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="module")
def operators(iam: "IAMClient", administrator: Deployment, stack: Stack) -> Iterator[dict[str, Deployment]]:
    """Return the deployment of an operator with each policy."""
    deployments = {}
    with ExitStack() as users:
        for policy in guide.POLICIES:
            statements = statements_of(policy, stack)
            session = users.enter_context(user(iam, stack.region, statements))
            session.events.register("provide-client-params.dynamodb", deny_other_keys(statements))
            deployments[policy] = replace(administrator, session=session)
        yield deployments


class Operated:
    """A shop with a token, a product, a cart and a session, and arguments for each command on them."""

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
        self.run("discount", "create", self.shop, "OFF", "--amount", "100")
        self.run("method", "add", self.shop, "payment", "8", "--name", "Invoice")
        self.customer = Customer(shop_http, token, Owner(self.shop, name))
        self.session = unique("session")[:32]
        assert Visitor(search_http, api_key, self.hashid, self.session).put("7").status == 200

    def run(self, *arguments: str) -> Any:
        """Run a command with all permissions."""
        return app.run(arguments, self._administrator)

    def words(self, command: str) -> list[str]:
        """Return a command line for which the command has something to do."""
        customer = self.customer.owner.customer
        arguments: dict[str, Callable[[], list[str]]] = {
            "doctor": list,
            "smoke": lambda: [self._shop_for_tests(), "--product", "7"],
            "shop list": list,
            "shop create": lambda: [unique("created")],
            "shop set": lambda: [self.shop, "--currency", secrets.choice(["EUR", "USD"]), "--yes", "--new-engine"],
            "shop delete": lambda: [self._shop_to_delete(), "--yes"],
            "key revoke": lambda: [self.shop, self.run("key", "issue", self.shop)["id"]],
            "customer list": lambda: [self.shop, customer],
            "customer issue": lambda: [self.shop, customer],
            "customer revoke": lambda: [self.shop, customer, "--id", self._token_to_revoke()],
            "customer merge": lambda: [self.shop, customer],
            "customer erase": lambda: [self.shop, unique("erased"), "--yes"],
            "order show": lambda: [self.shop, self._order()],
            "order set": lambda: [self.shop, self._order(), "cancelled", "--yes"],
            "catalogue show": lambda: [self.shop, "7"],
            "catalogue export": lambda: [self.shop, "--output", str(self.folder / "exported.csv")],
            "catalogue set": lambda: [self.shop, "7", "--price", str(1_000 + secrets.randbelow(10**6))],
            "catalogue import": lambda: [self.shop, self._catalogue(), "--prune", "--yes"],
            "cart show": lambda: [self.shop, self._filled_cart()],
            "cart clear": lambda: [self.shop, self._filled_cart(), "--yes"],
            "discount create": lambda: [self.shop, unique("CODE"), "--percent", "10"],
            "discount import": lambda: [self.shop, self._codes(), "--percent", "10"],
            "discount show": lambda: [self.shop, "OFF"],
            "discount disable": lambda: [self.shop, "OFF"],
            "method add": lambda: [self.shop, "shipping", str(secrets.randbelow(2**53)), "--name", "Parcel"],
            "method list": lambda: [self.shop, "shipping"],
            "method set": lambda: [self.shop, "payment", "8", "--description", unique("for regulars")],
            "method remove": lambda: [self.shop, "shipping", self._method_to_remove(), "--yes"],
            "session show": lambda: [self.hashid, self.session],
            "stats replay": list,
            "stats show": lambda: [self.shop, "--html", str(self.folder / "statistics.html")],
        }
        return [*command.split(), *arguments.get(command, lambda: [self.shop])()]

    def _filled_cart(self) -> str:
        assert self.customer.add(7).status == 200
        return self.customer.owner.customer

    def _token_to_revoke(self) -> str:
        id_: str = self.run("customer", "issue", self.shop, self.customer.owner.customer)["id"]
        return id_

    def _method_to_remove(self) -> str:
        id_ = str(secrets.randbelow(2**53))
        self.run("method", "add", self.shop, "shipping", id_, "--name", "Parcel")
        return id_

    def _order(self) -> str:
        """Write an order as a checkout does, and return its key."""
        made = order(shop=self.shop, customer=unique("customer"), reserved={7: 1})
        self._administrator.table.transact(new_order_writes(made, 10))
        return made.key

    def _shop_to_delete(self) -> str:
        name = unique("deleted")
        self.run("shop", "create", name)
        self.run("key", "issue", name)
        self.run("catalogue", "import", name, self._catalogue())
        return name

    def _shop_for_tests(self) -> str:
        name = self._shop_to_delete()
        self.run("catalogue", "set", name, "7", "--stock", "5")
        return name

    def _codes(self) -> str:
        """Write a new discount code; return the file."""
        file = self.folder / "codes.csv"
        file.write_text(f"code\n{unique('CODE')}\n")
        return str(file)

    def _catalogue(self) -> str:
        """Write a catalogue with new prices; return the file."""
        rows = [f"{id_},REF-{id_},Lamp,{1_000 + secrets.randbelow(10**6)}," for id_ in (7, 8)]
        file = self.folder / "catalogue.csv"
        file.write_text("\n".join(["id,ref,name,price,stock", *rows]) + "\n")
        return str(file)


@pytest.fixture(scope="module")
def operated(
    administrator: Deployment, shop_http: Http, search_http: Http, tmp_path_factory: pytest.TempPathFactory
) -> Operated:
    return Operated(administrator, shop_http, search_http, tmp_path_factory.mktemp("operated"))


@pytest.mark.parametrize(("policy", "command"), CELLS)
def test_policy_allows_exactly_its_commands(
    run: Run, operated: Operated, policy: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shops, "LONGEST_REQUEST", 0)  # the deletion of a shop does not wait
    words = operated.words(command)
    if command == "customer merge":
        monkeypatch.setattr(sys, "stdin", io.StringIO(operated.run("customer", "guest", operated.shop)["token"]))

    if policy in guide.SERVED[command]:
        code, findings = run(policy, words)
        assert code == 0, findings
    elif command == "doctor":
        code, findings = run(policy, words)
        assert code == 5
        assert any("You are not allowed to call dynamodb:" in finding["seen"] for finding in findings)
    else:
        with pytest.raises(CartctlError) as refused:
            run(policy, words)
        assert refused.value.exit_code == ExitCode.FAILED
        assert re.match(r"You are not allowed to call \w+: see the policies in docs/operate\.md\.", str(refused.value))
        assert "\n" not in str(refused.value)


def test_shops_policy_reads_only_keys_of_carts(iam: "IAMClient", operated: Operated, stack: Stack) -> None:
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


def test_every_policy_finds_only_its_stack(
    operators: dict[str, Deployment], stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    for deployment in operators.values():
        credentials = deployment.session.get_credentials()
        assert credentials
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_key)

        assert on_aws(STACK, None, stack.region).table_name == stack.table_name
        with pytest.raises(ClientError, match="AccessDenied"):
            on_aws("another", None, stack.region)


def test_doctor_finds_the_local_cloud_healthy(administrator: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    findings = app.run(["doctor"], administrator)

    assert len(findings) == 21
    assert [finding for finding in findings if finding["state"] != "ok"] == []


def at_a_shell(script: str, stack: Stack, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the local cloud instead of AWS."""
    return subprocess.run(  # noqa: S603 - the guide's commands
        ["/bin/bash", "-e", "-o", "pipefail", "-c", script],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **shell_environment(stack),
            "PYTHONPYCACHEPREFIX": str(ROOT / ".local" / "pycache"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **more,
        },
    )


def test_guide_leads_to_a_first_cart_and_a_new_price(administrator: Deployment, stack: Stack, tmp_path: Path) -> None:
    steps = guide.blocks("sh", guide.section("## From a deployment to the first cart"))
    deployed = [step for step in steps if "sam deploy" in step or "aws cloudformation" in step]
    followed = [step for step in steps if step not in deployed]
    assert (len(deployed), len(followed)) == (2, 5)

    result = at_a_shell("".join(followed), stack, tmp_path, SHOP_URL=stack.shop_url)

    assert result.returncode == 0, result.stderr
    assert re.search(r'"subtotal": ?2480\b', result.stdout)
    assert "Stoneware mug, white" in result.stdout
    assert "Total 2480" in result.stdout

    (prices,) = guide.blocks("sh", guide.section("### Prices must change at once"))
    changed = at_a_shell("printf 'id,price\\n124,4100\\n' > prices.csv\n" + prices, stack, tmp_path)

    assert changed.returncode == 0, changed.stderr
    mug, tray = app.run(["catalogue", "show", "my-shop", "123", "124"], administrator)
    assert (mug["price"], mug["discount"], mug["stock"]) == (1290, 250, 40)
    assert (tray["price"], tray["stock"], tray["active"]) == (4100, None, True)


def test_restore_adds_only_deleted_items(administrator: Deployment, stack: Stack, tmp_path: Path) -> None:
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
        result = at_a_shell(script, stack, tmp_path)
    finally:
        client.delete_table(TableName=restored)

    assert result.returncode == 0, result.stderr
    assert result.stdout == f"is still there: {kept['pk']['S']}\n"
    found = [
        client.get_item(TableName=stack.table_name, Key={"pk": it["pk"], "sk": it["sk"]}).get("Item")
        for it in (item, other, kept)
    ]
    assert found == [item, None, newer]


def test_guide_signs_customers_in_and_out(
    administrator: Deployment, stack: Stack, shop_http: Http, manager: Manager, tmp_path: Path
) -> None:
    section = guide.section("## Sign-in from your server")
    (issue,), (server,) = guide.blocks("sh", section), guide.blocks("python", section)
    app.run(["shop", "create", "my-shop-2"], administrator)
    issued = at_a_shell(issue.replace("my-shop", "my-shop-2").replace("\n", " --json\n"), stack, tmp_path)
    key = json.loads(issued.stdout)["key"]
    customer = sensitive(unique("Zoë #"))
    (tmp_path / "server.py").write_text(server)
    calls = f"import server; c = {customer!r}; print(server.sign_in(c), server.sign_in(c), server.sign_out(c))"

    done = at_a_shell(
        f"python -c {shlex.quote(calls)}", stack, tmp_path, MANAGEMENT_URL=stack.management_url, MANAGEMENT_KEY=key
    )

    assert done.returncode == 0, done.stderr
    first, second, revoked = done.stdout.split()
    assert revoked == "2"
    for token in (first, second):
        assert shop_http.send("GET", "/api/shop/cart", token=sensitive(token)).status == 401
    listed = app.run(["customer", "list", "my-shop-2", customer], administrator)
    assert {token["label"] for token in listed} == {"signed in over HTTP"}
    assert manager.sign_out(customer).body == {"revoked": 0}, "of another shop"
