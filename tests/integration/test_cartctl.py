"""What all commands of cartctl have in common: options, failures, help."""

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
from tests.integration.conftest import Bundle
from tests.integration.operator import Operator
from tools.support.paths import ROOT


@pytest.fixture
def operator(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Put an operator before a shop."""
    assert bundle.rows() == []
    operator = Operator(monkeypatch, capsys)
    operator.run("shop", "create", "one")
    return operator


def commands() -> Iterator[tuple[str, ...]]:
    """Name every command."""
    for name, group in app.typer.main.get_command(app.app).commands.items():  # type: ignore[attr-defined]
        yield from ((name, command) for command in group.commands) if hasattr(group, "commands") else [(name,)]


def refusal(code: str, message: str = "") -> ClientError:
    """Return what the SDK raises where AWS refuses a call."""
    said: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(said, "Query")


# ----------------------------------------------------------------------------------------------------------------------
# Options and help
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_s_help_has_an_example_and_the_common_options(
    operator: Operator, command: tuple[str, ...]
) -> None:
    ended = operator.type(*command, "--help")

    assert ended.code == 0
    assert f"cartctl {' '.join(command)} " in " ".join(ended.out.split()) + " "
    for option in ("--local", "--stack", "--profile", "--region", "--json"):
        assert option in ended.out


def test_common_options_stand_before_or_after_the_command(operator: Operator) -> None:

    for words in (
        ("--stack", "a", "--json", "shop", "list", "--profile", "p"),
        ("shop", "--stack", "a", "list", "--json", "--profile", "p"),
        ("--stack", "b", "shop", "list", "--stack", "a", "--json", "--profile", "p"),
    ):
        assert json.loads(operator.type(*words).out)[0]["name"] == "one"
    assert operator.asked == [("a", "p", None)] * 3


def test_without_options_the_stack_is_the_one_of_samconfig(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:

    operator.type("shop", "list")
    monkeypatch.setenv("CARTCTL_STACK", "from-the-environment")
    operator.type("shop", "list")

    assert [stack for stack, *_ in operator.asked] == ["serverless-cart", "from-the-environment"]


def test_the_local_cloud_is_a_deployment_of_its_own(operator: Operator) -> None:
    assert operator.fails("--local", "shop", "list", "--stack", "a") == (
        2,
        "--local is a deployment of its own: leave --stack out.",
    )


@pytest.mark.parametrize("words", [(), ("shop",), ("catalogue",)])
def test_without_a_command_the_help_is_shown(operator: Operator, words: tuple[str, ...]) -> None:
    ended = operator.type(*words)

    assert ended.code == 2
    assert "Usage: cartctl" in ended.out + ended.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_given_completion(shell: str) -> None:
    asked = {
        "_CARTCTL_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "cartctl shop ",
        "COMP_WORDS": "cartctl shop ",
        "COMP_CWORD": "2",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "cartctl"],
        cwd=ROOT,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )

    for command in ("create", "show", "list", "set", "delete"):
        assert command in ended.stdout


# ----------------------------------------------------------------------------------------------------------------------
# Failures
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (NoCredentialsError(), "There are no valid AWS credentials: run aws configure"),
        (NoRegionError(), "No AWS region is set: name one with --region."),
        (EndpointConnectionError(endpoint_url="https://x.invalid"), "Nothing answers at https://x.invalid: check"),
        (refusal("ExpiredTokenException"), "The AWS credentials have expired: renew them"),
        (
            refusal("AccessDeniedException", "no\n  way"),
            "You are not allowed to call Query: docs/operate.md has the policies. AWS says: no way",
        ),
        (refusal("ResourceNotFoundException", "gone"), "Query failed with ResourceNotFoundException: gone"),
        (refusal("ThrottlingException"), "DynamoDB throttles or does not answer: run the same command again."),
        (KeyboardInterrupt(), "Interrupted."),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, BaseException) else "",
)
def test_a_failure_of_aws_is_one_line_that_says_what_to_do(
    operator: Operator, raised: BaseException, said: str
) -> None:
    def fail(**_: object) -> None:
        raise raised

    operator.deployment.dynamodb.meta.events.register("before-call.dynamodb.Query", fail)
    code, line = operator.fails("shop", "list")

    assert line.startswith(said)
    assert code == (130 if isinstance(raised, KeyboardInterrupt) else 1)


def test_a_profile_that_is_not_there_is_told() -> None:
    with pytest.raises(CartctlError, match="There is no AWS profile 'nope'"):
        on_aws("serverless-cart", "nope", None)


def test_a_stack_that_is_not_there_or_is_another_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks: list[Any] = [{"Outputs": [{"OutputKey": "TableName", "OutputValue": "t"}]}]

    def describe(_client: object, operation: str, _parameters: object) -> Any:
        assert operation == "DescribeStacks"
        if not stacks:
            raise refusal("ValidationError")
        return {"Stacks": [stacks.pop()]}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", describe)
    with pytest.raises(CartctlError, match="lacks the output SearchUrl: is it serverless-cart"):
        on_aws("other", None, "eu-west-1")
    with pytest.raises(CartctlError, match="There is no stack other in eu-west-1: name it with --stack"):
        on_aws("other", None, "eu-west-1")


def test_stopped_local_cloud_fails(tmp_path: Path) -> None:
    with pytest.raises(CartctlError, match="No local cloud is running: make up starts one"):
        on_this_machine(tmp_path / "stack.json")


def test_checkout_has_its_own_local_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert local_cloud() == ROOT / ".local" / "stack.json"


def test_installed_cartctl_searches_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    description, below = tmp_path / ".local" / "stack.json", tmp_path / "one" / "two"
    for folder in (description.parent, below):
        folder.mkdir(parents=True)
    monkeypatch.chdir(below)

    with pytest.raises(CartctlError, match=f"in {below} or above: change to a checkout of serverless-cart, and run"):
        local_cloud(tmp_path / "site-packages")

    description.touch()
    assert local_cloud(tmp_path / "site-packages") == description


def test_version_is_the_installed_one(operator: Operator) -> None:
    assert operator.type("--version").out == f"cartctl {metadata.version('serverless-cart')}\n"
