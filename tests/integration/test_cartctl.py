"""Common to all commands of cartctl: help, options, failures, and finding the deployment."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from cartctl.connection import local_cloud, on_aws, on_this_machine
from cartctl.errors import CartctlError
from tests.support.bundle import Bundle
from tests.support.operator import Operator, commands
from tools.support.paths import ROOT


@pytest.fixture
def operator(operator: Operator) -> Operator:
    """Return an operator of a deployment with one shop."""
    operator.run("shop", "create", "one")
    return operator


def refusal(code: str, message: str = "") -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, "Query")


@pytest.mark.parametrize("command", commands())
def test_help_has_example_and_common_options(operator: Operator, command: str) -> None:
    result = operator.type(*command.split(), "--help")

    assert result.code == 0
    assert f"cartctl {command} " in " ".join(result.out.split()) + " "
    for option in ("--local", "--stack", "--profile", "--region", "--json"):
        assert option in result.out


@pytest.mark.parametrize("words", [(), ("shop",), ("catalogue",)], ids=" ".join)
def test_missing_command_shows_help(operator: Operator, words: tuple[str, ...]) -> None:
    result = operator.type(*words)

    assert result.code == 2
    assert "Usage: cartctl" in result.out + result.err


def test_version_is_the_installed_one(operator: Operator) -> None:
    assert operator.type("--version").out == f"cartctl {metadata.version('serverless-cart')}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("--stack", "a", "--json", "shop", "list", "--profile", "p"),
        ("shop", "--stack", "a", "list", "--json", "--profile", "p"),
        ("--stack", "b", "shop", "list", "--stack", "a", "--json", "--profile", "p"),
    ],
    ids=["before", "between", "last one wins"],
)
def test_common_options_go_anywhere(operator: Operator, words: tuple[str, ...]) -> None:
    assert json.loads(operator.type(*words).out)[0]["name"] == "one"
    assert operator.searches == [("a", "p", None)]


def test_stack_defaults_to_environment_then_samconfig(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.type("shop", "list")
    monkeypatch.setenv("CARTCTL_STACK", "from-the-environment")
    operator.type("shop", "list")

    assert [stack for stack, *_ in operator.searches] == ["serverless-cart", "from-the-environment"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # One value per rule; tests/unit/test_shop.py has all of them.
        (("shop", "create", "One"), "Invalid value for 'SHOP'"),
        (("shop", "create", "-one"), "No such option"),
        (("shop", "create", "one", "--engine", "abc"), "Invalid value for '--engine'"),
        (("shop", "create", "one", "--block", "203.0.113.7/24"), "203.0.113.0/24"),
        (("shop", "create", "one", "--origin", "shop.example"), "Invalid value for '--origin'"),
        (("shop", "create", "one", "--currency", "EURO"), "'EURO' is not an ISO 4217 currency: did you mean EUR"),
        (("shop", "show"), "Missing argument 'SHOP'"),
        (("shop", "show", "one", "--nope"), "No such option: --nope"),
        (("--local", "shop", "list", "--stack", "a"), "--local cannot be combined with --stack: remove one of them."),
        (("shop", "nope"), "No such command 'nope'"),
        (("key", "issue", "one", "--expires-in", "90"), "'90' is not a duration: write 90d, 12h, 30m, 45s or never"),
        (("key", "issue", "one", "--expires-in", "0d"), "'0d' is not a duration"),
        (("key", "issue", "one", "--zone", "eu2"), "choose from eu1, us1, ap1 and none"),
        (("key", "issue", "one", "--label", "x" * 101), "Invalid value for '--label'"),
        (("key", "revoke", "one"), "Name the ids of the keys"),
        (("key", "revoke", "one", "abc", "--stdin"), "Name the ids of the keys"),
        (("key", "revoke", "one", "--stdin"), "This is not a key"),
        (("customer", "issue", "one"), "Name one customer, or pass both --from-file and --output."),
        (("customer", "issue", "one", " anna"), "Invalid value for 'CUSTOMER'"),
        (("customer", "issue", "one", "--from-file", "-"), "With --from-file, pass --output and no customer."),
        (("customer", "issue", "one", "anna", "--output", "x"), "Name one customer"),
        (("customer", "issue", "one", "anna", "--from-file", "-", "--output", "x"), "and no customer"),
        (("customer", "revoke", "one"), "Name the customer, or pass the leaked token"),
        (("customer", "revoke", "one", "anna", "--stdin"), "Name the customer, or pass the leaked token"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)
def test_wrong_command_line_changes_nothing(
    operator: Operator, bundle: Bundle, arguments: tuple[str, ...], message: str
) -> None:
    rows = bundle.rows()

    code, line = operator.fails(*arguments)

    assert code == 2
    assert message in line
    assert bundle.rows() == rows


@pytest.mark.parametrize(
    "words",
    [
        *("shop show none", "shop set none", "shop delete none", "cart show none anna", "cart clear none anna --yes"),
        *("catalogue import none -", "catalogue export none", "catalogue show none 7"),
    ],
)
def test_unknown_shop_fails(operator: Operator, words: str) -> None:
    message = "Shop none does not exist: run cartctl shop list to see the shops."
    assert operator.fails(*words.split()) == (3, message)


def test_shell_completion_lists_commands() -> None:
    typed = {"_CARTCTL_COMPLETE": "complete_bash", "COMP_WORDS": "cartctl shop ", "COMP_CWORD": "2"}
    result = subprocess.run(
        [sys.executable, "-m", "cartctl"], cwd=ROOT, env={**os.environ, **typed}, capture_output=True, check=False
    )

    for name in (b"create", b"show", b"list", b"set", b"delete"):
        assert name in result.stdout


DENIED = "You are not allowed to call Query: see the policies in docs/operate.md"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (NoCredentialsError(), 1, "No valid AWS credentials: run aws configure or aws sso login, or pass --profile."),
        (NoRegionError(), 1, "No AWS region is set: pass --region."),
        (EndpointConnectionError(endpoint_url="https://x.invalid"), 1, "No answer from https://x.invalid: check the"),
        (refusal("ExpiredTokenException"), 1, "The AWS credentials have expired: renew them"),
        (refusal("AccessDeniedException", "no\n  way"), 1, f"{DENIED}. AWS says: no way"),
        (refusal("ResourceNotFoundException", "gone"), 1, "Query failed with ResourceNotFoundException: gone"),
        (refusal("ThrottlingException"), 1, "DynamoDB throttles or does not answer: run the same command again."),
        (KeyboardInterrupt(), 130, "Interrupted: run the same command again to continue."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_failure_is_one_line(operator: Operator, error: BaseException, code: int, message: str) -> None:
    def fail(**_: object) -> None:
        raise error

    operator.deployment.dynamodb.meta.events.register("before-call.dynamodb.Query", fail)
    exit_code, line = operator.fails("shop", "list")

    assert line.startswith(message)
    assert exit_code == code


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["TableName"], "Stack other has no output SearchUrl: name a stack of serverless-cart"),
        (None, "There is no stack other in eu-west-1: pass --stack"),
    ],
    ids=["another product", "unknown"],
)
def test_wrong_stack_fails(outputs: list[str] | None, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def describe(_client: object, operation: str, _parameters: object) -> Any:
        assert operation == "DescribeStacks"
        if outputs is None:
            raise refusal("ValidationError")
        return {"Stacks": [{"Outputs": [{"OutputKey": name, "OutputValue": "x"} for name in outputs]}]}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", describe)
    with pytest.raises(CartctlError, match=message):
        on_aws("other", None, "eu-west-1")


def test_missing_profile_or_local_cloud_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CartctlError, match="There is no AWS profile 'nope'"):
        on_aws("serverless-cart", "nope", None)
    with pytest.raises(CartctlError, match="No local cloud is running: run make up to start it"):
        on_this_machine(tmp_path / "stack.json")


def test_installed_cartctl_searches_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    description, below = tmp_path / ".local" / "stack.json", tmp_path / "one" / "two"
    for folder in (description.parent, below):
        folder.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert local_cloud() == ROOT / ".local" / "stack.json", "of this checkout"
    with pytest.raises(CartctlError, match=f"in {below} or above: change to a checkout of serverless-cart and run"):
        local_cloud(tmp_path / "site-packages")

    description.touch()
    assert local_cloud(tmp_path / "site-packages") == description
