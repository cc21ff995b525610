"""Memory sizes: the time and price of a function at the share of a processor that comes with each size on Lambda.

Lambda gives a function a whole processor at 1,769 MB and proportionally less below, as a quota of each 20 ms. Here, a
Linux control group gives this process the same quota; the database answers after the wait that prices.toml assumes.
The requests follow one another without a pause, so no quota is saved up in idle time: Lambda is not slower.
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
"""Microseconds of one quota."""
_CONTROLLERS: Final = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))


def measure() -> dict[str, Any]:
    """Time some operations at each size. Raises `LocalCloudError` if the processor's share cannot be limited."""
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
    """Format the result of `measure`."""
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
    """Move this process to a new control group."""
    controller = next(folder for folder in _CONTROLLERS if folder.exists())
    group = controller / f"serverless-cart-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        raise LocalCloudError(f"cannot limit the processor: {error}. Run as root on Linux") from None
    try:
        yield group
    finally:
        (controller / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


def _bound(group: Path, megabytes: int) -> None:
    quota = int(share_of(megabytes) * PERIOD)
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{quota} {PERIOD}")
    else:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(quota))
