"""Cold starts: each function as it is deployed, against a function that imports boto3 and makes a DynamoDB client.

Every start is a process of its own, which reads the built layers from a folder that it cannot write to. All functions
take turns, so that whatever else the machine does falls on each. What is compared is processor time, because a start
waits for nobody, and of each function the least third of its starts: what else the machine does can only add to them.
"""

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from bench import functions, operations
from bench.built import built, of_type
from bench.engine import new_table
from local import dynamodb_local, settings
from tests.builders import NOW
from tests.template import TEMPLATE

BARE: Final = "bare"
BARE_CODE: Final = """\
import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    return client.get_item(TableName="table", Key={"pk": {"S": "-"}, "sk": {"S": "-"}}, ConsistentRead=True)
"""
BARE_PACKAGES: Final = ("boto3", "s3transfer")
"""What the bare function has beside our layer of packages."""
AT_MOST: Final = {"AuthorizerFunction": 1.1}
AT_MOST_OTHERS: Final = 1.5
"""A start's processor time, as a multiple of the bare function's."""

CHILD: Final = """\
import json, sys, time

event = json.load(sys.stdin)
out, sys.stdout = sys.stdout, sys.stderr


class context:
    aws_request_id = "c0ffee00-0000-4000-8000-000000000000"
    get_remaining_time_in_millis = staticmethod(lambda: 20_000)


def now():
    return time.perf_counter(), time.process_time()


start = now()
import app
ready = now()
time.time_ns = lambda: int(sys.argv[1]) * 1_000_000  # when the events come
modules = len(sys.modules)
began = now()
answer = app.handler(event, context)
done = now()
assert answer.get("statusCode", 200) == 200, answer
json.dump({"init": [b - a for a, b in zip(start, ready)], "first": [b - a for a, b in zip(began, done)],
           "modules": modules}, out)
"""
"""Imports a function as Lambda's runtime does, and gives it its first event."""


def measure(rounds: int = 30) -> dict[str, Any]:
    """Start every function so many times and return, for each, what that took and what it may take.

    ``init_ms`` and ``first_ms`` are medians by the clock, ``*_cpu_ms`` means of the least third by the processor, and
    ``*_ratio`` compares those with the bare function's. Raises `LocalCloudError`.
    """
    names = [BARE, *of_type("AWS::Serverless::Function")]
    with built() as folder, dynamodb_local.running() as engine:
        _add_bare(folder)
        rows = [*operations.shared_rows(), *(row for one in operations.operations() for row in one.rows)]
        new_table(engine).write_many({"PutRequest": {"Item": row}} for row in rows)
        starts: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        with _unwritable(folder):
            for turn in range(rounds + 1):
                for name in names if turn % 2 else reversed(names):
                    start = _start(folder, name, engine)
                    if turn:  # the first reads the disk
                        starts[name].append(start)
    return {name: _summary(name, starts[name], starts[BARE]) for name in names}


def table(measured: dict[str, Any]) -> Table:
    """Show what `measure` returned."""
    shown = Table(title="Cold starts", caption="ratios: processor time of the least third, in bare functions")
    shown.add_column("function")
    for title in ("init", "ratio", "at most", "first request", "ratio", "modules"):
        shown.add_column(title, justify="right")
    for name, of in measured.items():
        shown.add_row(
            name,
            f"{of['init_ms']:.0f} ms",
            f"{of['init_ratio']:.2f}",
            f"{of['at_most']:.1f}" if name != BARE else "",
            f"{of['first_ms']:.1f} ms",
            f"{of['first_ratio']:.2f}",
            str(of["modules"]),
            style="" if of["met"] else "red",
        )
    return shown


def _summary(name: str, starts: list[dict[str, Any]], bare: list[dict[str, Any]]) -> dict[str, Any]:
    """Reduce a function's starts to what they took."""
    at_most = AT_MOST.get(name, AT_MOST_OTHERS)
    summary: dict[str, Any] = {"at_most": at_most, "modules": starts[0]["modules"]}
    for part in ("init", "first"):
        summary[f"{part}_ms"] = 1000 * statistics.median(start[part][0] for start in starts)
        ours, floor = (_undisturbed([start[part][1] for start in of]) for of in (starts, bare))
        summary[f"{part}_cpu_ms"] = 1000 * ours
        summary[f"{part}_ratio"] = ours / floor
    return {**summary, "met": name == BARE or summary["init_ratio"] <= at_most}


def _undisturbed(times: list[float]) -> float:
    """Return the mean of the least third."""
    return statistics.mean(sorted(times)[: len(times) // 3])


def _start(folder: Path, name: str, engine: str) -> dict[str, Any]:
    """Start a function in a process of its own and carry out its first request. Raises `CalledProcessError`."""
    layers = of_type("AWS::Serverless::LayerVersion")
    path = [folder / name, *(folder / layer / "python" for layer in layers)]
    if name == BARE:
        path.append(folder / BARE / "python")
    run = subprocess.run(  # noqa: S603 - our own code, and no shell
        [_interpreter(), "-S", "-c", CHILD, str(NOW)],  # -S: packages come from the layers alone
        input=json.dumps(_event(name)),
        env={
            "PATH": os.defpath,
            **functions.ENVIRONMENT,
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONDONTWRITEBYTECODE": "1",  # the folder's mode does not bind root
            "AWS_ENDPOINT_URL_DYNAMODB": engine,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    measured: dict[str, Any] = json.loads(run.stdout)
    return measured


def _event(name: str) -> Mapping[str, Any]:
    """Return the first request of a function that is measured anyway."""
    if name == BARE:
        return {}
    function = Path(TEMPLATE["Resources"][name]["Properties"]["CodeUri"]).name
    return next(one.event for one in operations.operations() if one.function == function)


def _interpreter() -> str:
    """Return the interpreter itself; a virtual environment's looks for packages of its own."""
    return str(Path(settings.EMULATOR / "python").resolve())


def _add_bare(folder: Path) -> None:
    """Add the bare function: boto3 as it comes, compiled as our layers are, beside the same layer of packages."""
    ours = next((folder / "DependenciesLayer" / "python").glob("botocore-*.dist-info")).name
    if ours != f"botocore-{metadata.version('botocore')}.dist-info":
        raise ValueError(f"boto3 {metadata.version('boto3')} here goes with another botocore than the layer's {ours}")
    site = folder / BARE / "python"
    for package in BARE_PACKAGES:
        found = util.find_spec(package)
        if found is None or found.origin is None:
            raise ImportError(package)
        shutil.copytree(Path(found.origin).parent, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / BARE / "app.py").write_text(BARE_CODE)
    subprocess.run(  # noqa: S603 - as the layers' Makefiles do
        [_interpreter(), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(site)],
        env={"PATH": os.defpath},
        check=True,
    )


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    """Take the right to write away from a folder, and see that nothing has been written."""
    before = sorted(folder.rglob("*"))
    for path in (folder, *before):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for path in (folder, *before):
            path.chmod(path.stat().st_mode | 0o200)
    if sorted(folder.rglob("*")) != before:
        raise RuntimeError("a cold start has written to its code")
