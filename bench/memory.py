"""Memory sizes: a function's time and price at the share of a processor that each buys it on Lambda.

Lambda gives a function a whole processor at 1,769 MB and less in proportion, a quota of each 20 ms. A control group of
Linux's gives the same quota to this process here; the database answers after the wait that prices.toml supposes. The
requests follow one another without a pause, so no quota is left over from idle time: nothing is slower on Lambda.
"""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from bench import bundle
from bench.bundle import Run
from bench.cost import MILLION, PRICES, lambda_charge, share_of
from local.errors import LocalCloudError

SIZES: Final = (128, 192, 256, 384, 512, 768, 1024, 1769)
"""Megabytes."""
OPERATIONS: Final = ("authorizer", "stats PUT", "cart read, 5", "cart add, 5", "item update, 5", "cart add, 100")
ROUNDS: Final = 100
PERIOD: Final = 20_000
"""Microseconds for which a quota is given."""
_CONTROLLERS: Final = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))


def measure() -> dict[str, Any]:
    """Time some operations at each size. Raises `LocalCloudError` where the processor's share cannot be bounded."""
    with bundle.running() as ran, ran.log.taking(), _group() as group:
        runs = [run for run in ran.runs if run.operation.title in OPERATIONS]
        for run in runs:
            run.repeat()
        ran.database.seal(PRICES["supposed"]["call_milliseconds"] / 1000)
        found = []
        for megabytes in SIZES:
            _bound(group, megabytes)
            found += [_at(run, megabytes) for run in runs]
    return {"period_us": PERIOD, "rounds": ROUNDS, "sizes": found}


def table(measured: dict[str, Any]) -> Table:
    """Show what was measured."""
    shown = Table(title="Time and Lambda's price by memory size")
    for name in ("operation, items", "MB", "p50 ms", "p99 ms", "dollars per million"):
        shown.add_column(name, justify="left" if name.startswith("operation") else "right")
    rows = measured["sizes"]
    for row in sorted(rows, key=lambda row: (OPERATIONS.index(row["operation"]), row["megabytes"])):
        shown.add_row(
            row["operation"],
            str(row["megabytes"]),
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['dollars_per_million']:.2f}",
        )
    return shown


def _at(run: Run, megabytes: int) -> dict[str, Any]:
    """Time one operation under the current bound."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run.repeat()
        times.append((time.perf_counter() - start) * 1000)
    percentiles = statistics.quantiles(times, n=100)
    charge = statistics.mean(lambda_charge(megabytes, milliseconds) for milliseconds in times)
    return {
        "operation": run.operation.title,
        "megabytes": megabytes,
        "p50_ms": percentiles[49],
        "p99_ms": percentiles[98],
        "dollars_per_million": charge * MILLION,
    }


@contextmanager
def _group() -> Iterator[Path]:
    """Put this process in a new control group."""
    controller = next(folder for folder in _CONTROLLERS if folder.exists())
    group = controller / f"serverless-cart-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        raise LocalCloudError(f"a share of the processor takes a writable control group: {error}") from None
    try:
        yield group
    finally:
        (controller / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


def _bound(group: Path, megabytes: int) -> None:
    """Give the group the share of a processor that so much memory buys."""
    quota = int(share_of(megabytes) * PERIOD)
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{quota} {PERIOD}")
    else:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(quota))
