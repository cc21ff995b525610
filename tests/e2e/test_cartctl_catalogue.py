"""cartctl catalogue by the real command line: what it imports is what carts say, and a shell's ways of ending it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest

from local.stack import Stack
from tools.support.clients import Customer
from tools.support.database import Database
from tools.support.paths import ROOT

ID = 8_000_000_001
STALE = 60
"""Seconds after which no price is shown as it was read."""

Cartctl = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def cartctl(stack: Stack) -> Iterator[Cartctl]:
    """Start commands as a shell does; none outlives its test."""
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

        # In the background of a script, tests would be deaf to it, and so would all that they start.
        cleanup.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        yield start


def ended(process: "subprocess.Popen[str]", stdin: str = "") -> tuple[int, str, str]:
    """Give a command its input, and return its exit code and what it wrote."""
    out, err = process.communicate(stdin, timeout=60)
    return process.returncode, out, err


def pipe(stream: IO[str] | None) -> IO[str]:
    """Return one of a command's channels."""
    assert stream
    return stream


def test_what_is_imported_is_sold_and_a_changed_price_and_stock_show_in_carts(
    cartctl: Cartctl, customer: Customer, database: Database, shop: str, tmp_path: Path
) -> None:
    file = tmp_path / "products.csv"

    def bring(**columns: Any) -> None:
        row = {"id": ID, "ref": "LAMP", "name": "Lamp, green", "price": 1_000, "stock": 5} | columns
        quoted = (f'"{value}"' if isinstance(value, str) else str(value) for value in row.values())
        file.write_text(f"{','.join(row)}\n{','.join(quoted)}\n")
        code, _, told = ended(cartctl("catalogue", "import", shop, str(file)))
        assert (code, told) == (0, "")

    bring()
    (item,) = customer.add(ID, quantity=2).body["items"]
    assert (item["product"]["name"], item["unit_price"]) == ("Lamp, green", 1_000)

    bring(price=1_234, stock=1)
    database.age_prices(customer.owner, STALE)
    cart = customer.read().body

    assert cart["items_subtotal"] == 2_468
    assert [warning["code"] for warning in cart["warnings"]] == ["price_changed", "insufficient_stock"]


def test_a_shell_s_interruption_finishes_what_is_under_way_and_tells_how_far_it_came(
    cartctl: Cartctl, shop: str
) -> None:
    process = cartctl("catalogue", "import", shop, "-", "--dry-run")
    rows = "".join(f"{ID + number},R,N,1,1\n" for number in range(100))
    pipe(process.stdin).write(f"id,ref,name,price,stock\n{rows}bad\n")
    pipe(process.stdin).flush()
    assert pipe(process.stderr).readline() == "line 102: the row has 1 fields and the header 5\n"

    process.send_signal(signal.SIGINT)

    # Standard input is still open: nothing but the signal ends it.
    assert process.wait(timeout=60) == 130
    told = "Error: Interrupted: 101 rows are done, and the same command again goes on.\n"
    assert (pipe(process.stderr).read(), pipe(process.stdout).read()) == (told, "")
    ended(process)


def test_an_export_that_nobody_reads_to_its_end_fails_in_one_line(cartctl: Cartctl, shop: str) -> None:
    process = cartctl("catalogue", "export", shop)
    pipe(process.stdout).close()

    told = pipe(process.stderr).read()

    assert (process.wait(timeout=60), told) == (
        1, "Error: Standard output was closed before all products were written.\n"
    )  # fmt: skip
    pipe(process.stdin).close()
    pipe(process.stderr).close()
