"""An operator at a shell: cartctl's command line over the bundle's table, or over the local cloud."""

import io
import os
import sys
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import typer
from typer.core import TyperGroup

from cartctl import app, connection
from cartctl.connection import Deployment
from local import environment
from local.stack import Stack
from tests.support.bundle import TABLE


def commands() -> list[str]:
    """Return the names of all commands, such as ``shop create``."""
    cartctl = typer.main.get_command(app.app)
    assert isinstance(cartctl, TyperGroup)
    return [
        f"{name} {inner}".strip()
        for name, command in cartctl.commands.items()
        for inner in (command.commands if isinstance(command, TyperGroup) else [""])
    ]


def deployment_of(stack: Stack) -> Deployment:
    """Return the deployment of the local cloud, for an operator with all permissions."""
    outputs, _ = connection._described(environment.session(), connection.STACK, stack.endpoint_url)
    return Deployment(
        session=environment.session(),
        stack=connection.STACK,
        table_name=stack.table_name,
        search_url=stack.search_url,
        shop_url=stack.shop_url,
        management_url=stack.management_url,
        stream_arn=outputs["StreamArn"],
        failure_queue_url=outputs["StatisticsFailureQueueUrl"],
        version=outputs["Version"],
        parameters={"AuthorizerCacheSeconds": "0", "TableRetention": "Delete"},
        endpoint_url=stack.endpoint_url,
    )


def shell_environment(stack: Stack) -> dict[str, str]:
    """Return the variables of a process that uses the local cloud as AWS."""
    foreign = ("AWS_", "CARTCTL_", "HTTP_PROXY", "http_proxy", "PYTHON", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


@dataclass(frozen=True)
class Result:
    """The exit code of a command and its output."""

    code: int
    out: str
    err: str


class Operator:
    """Runs commands on a deployment with the bundle's table."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch = monkeypatch
        self._capsys = capsys
        self.deployment = Deployment(
            session=boto3.Session(),
            stack="serverless-cart",
            table_name=TABLE,
            search_url="https://search.invalid/live",
            shop_url="https://shop.invalid/live",
            management_url="https://management.invalid/live",
            parameters={"AuthorizerCacheSeconds": "60"},
        )
        self.searches: list[tuple[str, str | None, str | None]] = []
        """Stack, profile and region of each search for a deployment on AWS."""
        monkeypatch.setattr(connection, "on_aws", self._on_aws)

    def _on_aws(self, stack: str, profile: str | None, region: str | None) -> Deployment:
        self.searches.append((stack, profile, region))
        return self.deployment

    def run(self, *arguments: str) -> Any:
        """Run a command that must succeed, and return its JSON."""
        return app.run(arguments, self.deployment)

    def type(self, *arguments: str, stdin: str = "") -> Result:
        """Run a command as a shell does."""
        self._capsys.readouterr()
        self._patch.setattr(sys, "argv", ["cartctl", *arguments])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = self._capsys.readouterr()
        return Result(int(end.value.code or 0), out, err)

    def fails(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """Run a command that must fail; return its exit code and its one-line message."""
        result = self.type(*arguments, stdin=stdin)
        assert result.code
        assert result.out == ""
        (line,) = result.err.splitlines()
        assert line.startswith("Error: ")
        return result.code, line.removeprefix("Error: ")
