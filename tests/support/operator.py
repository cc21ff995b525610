"""An operator at a shell: cartctl's command line over the bundle's table."""

import io
import sys
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from cartctl import app, connection
from cartctl.connection import Deployment
from tests.support.bundle import TABLE


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
