"""cartctl as a process: Ctrl-C, SIGTERM and a closed pipe end it in order."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from local.stack import Stack
from serverless_cart.dynamodb import keys
from tests.support.operator import deployment_of, shell_environment
from tools.support.paths import ROOT


@contextmanager
def cartctl(stack: Stack, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run cartctl; its process ends with the block."""
    # A script in the background ignores SIGINT, and its child processes inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = {**shell_environment(stack), "PYTHONPATH": str(ROOT / "layers" / "application")}
    command, ends = [sys.executable, "-m", "cartctl", *arguments], subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, env=environment, stdin=ends, stdout=ends, stderr=ends, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            signal.signal(signal.SIGINT, before)


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_an_import_in_order(stack: Stack, shop: str, number: signal.Signals) -> None:
    rows = "".join(f"{number},R,N,1,1\n" for number in range(10**12, 10**12 + 99))
    with cartctl(stack, "catalogue", "import", shop, "-") as process:
        pipe(process.stdin).write(f"id,ref,name,price,stock\n{rows}bad\n")
        pipe(process.stdin).flush()
        assert pipe(process.stderr).readline() == "line 101: expected 5 fields, found 1\n"

        process.send_signal(number)

        # Standard input is still open, so only the signal can end the import.
        assert process.wait(timeout=60) == 130
        message = "Error: Interrupted: 100 rows are done. Run the same command again to continue.\n"
        assert (pipe(process.stderr).read(), pipe(process.stdout).read()) == (message, "")
    assert deployment_of(stack).table.get(keys.catalogue_lease(shop)) is None


def test_export_to_a_closed_pipe_fails(stack: Stack, shop: str) -> None:
    with cartctl(stack, "catalogue", "export", shop) as process:
        pipe(process.stdout).close()

        err = pipe(process.stderr).read()

        message = "Error: Standard output was closed before all products were written: write them to a file.\n"
        assert (process.wait(timeout=60), err) == (1, message)
