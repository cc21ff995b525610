"""An operator at a shell: cartctl's command line over the bundle's own table."""

import io
import sys
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from cartctl import app, connection
from cartctl.connection import Deployment
from tests.integration.conftest import TABLE


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote to its two channels."""

    code: int
    out: str
    err: str


class Operator:
    """Gives commands, which find the bundle's table as their deployment."""

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
        self.asked: list[tuple[str, str | None, str | None]] = []
        """Stack, profile and region of each search for a deployment on AWS."""
        monkeypatch.setattr(connection, "on_aws", self._found)

    def _found(self, *how: str | None) -> Deployment:
        """Note how a deployment was searched for."""
        stack, profile, region = how
        assert stack
        self.asked.append((stack, profile, region))
        return self.deployment

    def run(self, *arguments: str) -> Any:
        """Give a command and return what it shows as JSON; it must succeed."""
        return app.run(arguments, self.deployment)

    def type(self, *arguments: str, stdin: str = "") -> Ended:
        """Type a command at a shell."""
        self._capsys.readouterr()
        self._patch.setattr(sys, "argv", ["cartctl", *arguments])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = self._capsys.readouterr()
        return Ended(int(end.value.code or 0), out, err)

    def fails(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """Type a command that fails; return its exit code and the one line that it says."""
        ended = self.type(*arguments, stdin=stdin)
        assert ended.code
        assert ended.out == ""
        (line,) = ended.err.splitlines()
        assert line.startswith("Error: ")
        return ended.code, line.removeprefix("Error: ")
