"""cartctl as a process: Ctrl-C and a closed pipe end it in order."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import IO

import pytest

from local.stack import Stack
from tools.support.paths import ROOT

Cartctl = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def cartctl(stack: Stack) -> Iterator[Cartctl]:
    """Return a function that starts cartctl; its processes end with the test."""
    aws = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CARTCTL_"))}

    with ExitStack() as cleanup:

        def start(*arguments: str) -> "subprocess.Popen[str]":
            process = cleanup.enter_context(
                subprocess.Popen(  # noqa: S603 - our own command
                    [sys.executable, "-m", "cartctl", *arguments],
                    cwd=ROOT,
                    env={**inherited, **aws, "PYTHONPATH": str(ROOT / "layers" / "application")},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            cleanup.callback(process.kill)
            return process

        # A script in the background ignores SIGINT, and its child processes inherit that.
        cleanup.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        yield start


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


def test_ctrl_c_ends_an_import_and_reports_its_rows(cartctl: Cartctl, shop: str) -> None:
    process = cartctl("catalogue", "import", shop, "-", "--dry-run")
    rows = "".join(f"{number},R,N,1,1\n" for number in range(100))
    pipe(process.stdin).write(f"id,ref,name,price,stock\n{rows}bad\n")
    pipe(process.stdin).flush()
    assert pipe(process.stderr).readline() == "line 102: expected 5 fields, found 1\n"

    process.send_signal(signal.SIGINT)

    # Standard input is still open, so only the signal can end the import.
    assert process.wait(timeout=60) == 130
    message = "Error: Interrupted: 101 rows are done. Run the same command again to continue.\n"
    assert (pipe(process.stderr).read(), pipe(process.stdout).read()) == (message, "")
    process.communicate(timeout=60)


def test_export_to_a_closed_pipe_fails(cartctl: Cartctl, shop: str) -> None:
    process = cartctl("catalogue", "export", shop)
    pipe(process.stdout).close()

    err = pipe(process.stderr).read()

    message = "Error: Standard output was closed before all products were written.\n"
    assert (process.wait(timeout=60), err) == (1, message)
    pipe(process.stdin).close()
    pipe(process.stderr).close()
