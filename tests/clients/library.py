"""A client library in a separate process, which takes one call per line and answers each with one line."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

FOLDER = Path(__file__).parent
VENVS = FOLDER.parents[1] / ".local" / "venvs"


@dataclass(frozen=True)
class Outcome:
    """What a call of a library gave its caller: a value, or an error as name, HTTP status and message."""

    returned: Any = None
    raised: tuple[str, int, str] | None = None


@dataclass(frozen=True)
class Library:
    """A running library."""

    version: str
    requests: IO[str]
    answers: IO[str]

    def call(self, name: str, **arguments: Any) -> Outcome:
        """Call a function of the library."""
        self.requests.write(json.dumps({"call": name, **arguments}) + "\n")
        self.requests.flush()
        answer = json.loads(self.answers.readline())
        raised = answer.get("raised")
        return Outcome(answer.get("returned"), tuple(raised) if raised else None)


@contextmanager
def running(version: str, command: Sequence[str | Path]) -> Iterator[Library]:
    """Run a library as long as the context lasts."""
    with subprocess.Popen(  # noqa: S603 - our own scripts, and no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    ) as process:
        assert process.stdin
        assert process.stdout
        yield Library(version, process.stdin, process.stdout)
        process.stdin.close()  # the script ends with its input
