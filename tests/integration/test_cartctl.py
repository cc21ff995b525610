"""Common to all commands of cartctl: help, options, failures, and finding the deployment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from cartctl import app
from cartctl.connection import local_cloud, on_aws, on_this_machine
from cartctl.errors import CartctlError
from tests.support.bundle import Bundle
from tests.support.operator import Operator
from tools.support.paths import ROOT


@pytest.fixture
def operator(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Return an operator of a deployment with one shop."""
    assert bundle.rows() == []
    operator = Operator(monkeypatch, capsys)
    operator.run("shop", "create", "one")
    return operator


def commands() -> Iterator[tuple[str, ...]]:
    for name, group in app.typer.main.get_command(app.app).commands.items():  # type: ignore[attr-defined]
        yield from ((name, command) for command in group.commands) if hasattr(group, "commands") else [(name,)]


def refusal(code: str, message: str = "") -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, "Query")


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_has_example_and_common_options(operator: Operator, command: tuple[str, ...]) -> None:
    result = operator.type(*command, "--help")

    assert result.code == 0
    assert f"cartctl {' '.join(command)} " in " ".join(result.out.split()) + " "
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


def test_local_excludes_stack(operator: Operator) -> None:
    message = "--local cannot be combined with --stack: remove one of them."
    assert operator.fails("--local", "shop", "list", "--stack", "a") == (2, message)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_lists_commands(shell: str) -> None:
    variables = {
        "_CARTCTL_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "cartctl shop ",
        "COMP_WORDS": "cartctl shop ",
        "COMP_CWORD": "2",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    environment = {**os.environ, **variables}
    result = subprocess.run(
        [sys.executable, "-m", "cartctl"], cwd=ROOT, env=environment, capture_output=True, check=False
    )

    for name in (b"create", b"show", b"list", b"set", b"delete"):
        assert name in result.stdout


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (NoCredentialsError(), 1, "No valid AWS credentials: run aws configure or aws sso login, or pass --profile."),
        (NoRegionError(), 1, "No AWS region is set: pass --region."),
        (EndpointConnectionError(endpoint_url="https://x.invalid"), 1, "No answer from https://x.invalid: check the"),
        (refusal("ExpiredTokenException"), 1, "The AWS credentials have expired: renew them"),
        (
            refusal("AccessDeniedException", "no\n  way"),
            1,
            "You are not allowed to call Query: see the policies in docs/operate.md. AWS says: no way",
        ),
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


def test_unknown_profile_fails() -> None:
    with pytest.raises(CartctlError, match="There is no AWS profile 'nope'"):
        on_aws("serverless-cart", "nope", None)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            {"Stacks": [{"Outputs": [{"OutputKey": "TableName", "OutputValue": "t"}]}]},
            "Stack other has no output SearchUrl: name a stack of serverless-cart",
        ),
        (refusal("ValidationError"), "There is no stack other in eu-west-1: pass --stack"),
    ],
    ids=["another product", "unknown"],
)
def test_wrong_stack_fails(answer: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def describe(_client: object, operation: str, _parameters: object) -> Any:
        assert operation == "DescribeStacks"
        if isinstance(answer, ClientError):
            raise answer
        return answer

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", describe)
    with pytest.raises(CartctlError, match=message):
        on_aws("other", None, "eu-west-1")


def test_stopped_local_cloud_fails(tmp_path: Path) -> None:
    with pytest.raises(CartctlError, match="No local cloud is running: run make up to start it"):
        on_this_machine(tmp_path / "stack.json")


def test_checkout_has_its_own_local_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert local_cloud() == ROOT / ".local" / "stack.json"


def test_installed_cartctl_searches_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    description, below = tmp_path / ".local" / "stack.json", tmp_path / "one" / "two"
    for folder in (description.parent, below):
        folder.mkdir(parents=True)
    monkeypatch.chdir(below)

    with pytest.raises(CartctlError, match=f"in {below} or above: change to a checkout of serverless-cart and run"):
        local_cloud(tmp_path / "site-packages")

    description.touch()
    assert local_cloud(tmp_path / "site-packages") == description
