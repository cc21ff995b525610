"""Cold starts: each function as it is deployed, against a function that imports boto3 and creates a DynamoDB client.

The bare function has boto3 as pip installs it, in our versions and compiled as our layers are. A second one with the
same code uses our pruned layer, which shows how much of a ratio is due to pruning.

Each start is a new process, which reads the built layers from a folder that it cannot write to. All functions take
turns, so that other work of the machine slows all of them. The ratios compare processor time, because a start waits
for nothing, and only the fastest third of each function's starts, because other work can only add to them.
"""

import json
import os
import re
import statistics
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from bench import functions, operations
from bench.built import built
from bench.engine import new_table
from local import dynamodb_local, settings
from local.errors import LocalCloudError
from tools.support.events import NOW, load
from tools.support.template import FUNCTIONS, resources_of_type

BARE: Final = "bare"
BARE_CODE: Final = """\
import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    return client.get_item(TableName="table", Key={"pk": {"S": "-"}, "sk": {"S": "-"}}, ConsistentRead=True)
"""
BARE_PACKAGES: Final = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")
"""The packages of the bare function: boto3 and what it requires, in the versions of our layer."""
PRUNED: Final = "bare, pruned"
"""The same code on our own layer of packages."""
REQUIREMENTS: Final = settings.ROOT / "layers" / "dependencies" / "requirements.txt"
AT_MOST: Final = {"AuthorizerFunction": 1.2}
AT_MOST_OTHERS: Final = 1.5
"""A start's processor time, as a multiple of the bare function's."""

OTHERS: Final = {"release_holds": "schedule"}
"""The first event of functions that no measured operation has."""

Starts = list[dict[str, Any]]
"""The child's report of each start of a function."""

CHILD: Final = """\
import json, sys, time

event = json.load(sys.stdin)
out, sys.stdout = sys.stdout, sys.stderr


class context:
    function_name, memory_limit_in_mb = "function", 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
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
assert answer.get("statusCode", 200) in {200, 201}, answer
json.dump({"init": [b - a for a, b in zip(start, ready)], "first": [b - a for a, b in zip(began, done)],
           "modules": modules}, out)
out.flush()  # at exit only what sys.stdout is then would be
"""
"""Imports a function as Lambda's runtime does, and invokes it with its first event."""


def measure(rounds: int = 30) -> dict[str, Any]:
    """Start every function this many times and return, for each, its times and its bound.

    ``init_ms`` and ``first_ms`` are medians by the clock, ``*_cpu_ms`` means of the fastest third by the processor.
    ``*_ratio`` compares those with the bare function's, ``*_ratio_to_pruned`` with the one's on the pruned layer.
    Raises `LocalCloudError`.
    """
    names = [BARE, PRUNED, *FUNCTIONS.values()]
    starts: dict[str, Starts] = {name: [] for name in names}
    with environment() as start:
        for turn in range(rounds + 1):
            for name in names if turn % 2 else reversed(names):
                took = start(name)
                if turn:  # the first reads the disk
                    starts[name].append(took)
    return {name: _summary(name, starts[name], starts[BARE], starts[PRUNED]) for name in names}


@contextmanager
def environment() -> Iterator[Callable[..., dict[str, Any]]]:
    """Build the functions and fill a table; yield a function that starts one by name, after running some code."""
    with built() as folder, dynamodb_local.running() as engine:
        _add_bare(folder)
        rows = [*operations.shared_rows(), *(row for one in operations.operations() for row in one.rows)]
        new_table(engine).write_many({"PutRequest": {"Item": row}} for row in rows)
        with _unwritable(folder):
            yield lambda name, before="": _start(folder, name, engine, before)


def table(measured: dict[str, Any]) -> Table:
    """Format the result of `measure`."""
    shown = Table(
        title="Cold starts",
        caption="ratios: processor time of the fastest third, to boto3 as pip installs it",
    )
    shown.add_column("function")
    for title in ("init", "ratio", "at most", "to pruned", "first request", "ratio", "modules"):
        shown.add_column(title, justify="right")
    for name, of in measured.items():
        shown.add_row(
            name,
            f"{of['init_ms']:.0f} ms",
            f"{of['init_ratio']:.2f}",
            "" if of["at_most"] is None else f"{of['at_most']:.1f}",
            f"{of['init_ratio_to_pruned']:.2f}",
            f"{of['first_ms']:.1f} ms",
            f"{of['first_ratio']:.2f}",
            str(of["modules"]),
            style="" if of["met"] else "red",
        )
    return shown


def _summary(name: str, starts: Starts, bare: Starts, pruned: Starts) -> dict[str, Any]:
    """Summarize a function's starts."""
    at_most = None if name in {BARE, PRUNED} else AT_MOST.get(name, AT_MOST_OTHERS)
    summary: dict[str, Any] = {"at_most": at_most, "modules": starts[0]["modules"]}
    for part in ("init", "first"):
        summary[f"{part}_ms"] = 1000 * statistics.median(start[part][0] for start in starts)
        ours, floor, pruned_floor = (undisturbed([start[part][1] for start in of]) for of in (starts, bare, pruned))
        summary[f"{part}_cpu_ms"] = 1000 * ours
        summary[f"{part}_ratio"] = ours / floor
        summary[f"{part}_ratio_to_pruned"] = ours / pruned_floor
    return {**summary, "met": at_most is None or summary["init_ratio"] <= at_most}


def undisturbed(times: list[float]) -> float:
    """Return the mean of the fastest third."""
    return statistics.mean(sorted(times)[: len(times) // 3])


def _start(folder: Path, name: str, engine: str, before: str) -> dict[str, Any]:
    """Start a function in a new process and carry out its first request. Raises `CalledProcessError`."""
    layers = {BARE: [BARE], PRUNED: ["DependenciesLayer"]}.get(name, resources_of_type("AWS::Serverless::LayerVersion"))
    path = [folder / name, *(folder / layer / "python" for layer in layers)]
    run = subprocess.run(  # noqa: S603 - our own code, and no shell
        [_interpreter(), "-S", "-c", f"{before}\n{CHILD}", str(NOW)],  # -S: packages only from the layers
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
    """Return a function's first event: of a measured operation or of events/; the roll-up gets an empty batch."""
    measured = {FUNCTIONS[one.function]: one.event for one in reversed(operations.operations())}
    others = {FUNCTIONS[function]: load(f"{function}/{event}") for function, event in OTHERS.items()}
    return {**others, **measured}.get(name, {"Records": []})


def _interpreter() -> str:
    """Return the interpreter itself; a virtual environment's would find the packages there."""
    return str(Path(settings.EMULATOR / "python").resolve())


def _add_bare(folder: Path) -> None:
    """Add the bare functions: one with boto3 as pip installs it, one for our pruned layer. Raises `LocalCloudError`."""
    for name in (BARE, PRUNED):
        (folder / name).mkdir()
        (folder / name / "app.py").write_text(BARE_CODE)
    site = folder / BARE / "python"
    requirements = folder / "bare.txt"
    requirements.write_text(_requirements_of(BARE_PACKAGES))
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps", "--require-hashes"]
    install = ["pip", "install", *options, "--requirement", str(requirements), "--target", str(site)]
    compile_ = ["compileall", "-q", "--invalidation-mode", "unchecked-hash", str(site)]
    # Not the variables that steer Python: PYTHONPYCACHEPREFIX would put the bytecode elsewhere.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for command in (install, compile_):  # as the layers' Makefiles do, but for the pruning
        run = subprocess.run(  # noqa: S603 - our own commands, and no shell
            [str(settings.EMULATOR / "python"), "-m", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise LocalCloudError(f"{command[0]} failed for the bare function:\n{run.stderr}")


def _requirements_of(packages: Collection[str]) -> str:
    """Return the lines of our layer's requirements that pin these packages, with their hashes."""
    pins = re.split(r"^(?=[a-z])", REQUIREMENTS.read_text(), flags=re.MULTILINE)
    wanted = [pin for pin in pins if pin.partition("==")[0] in packages]
    if len(wanted) != len(packages):
        raise ValueError(f"{REQUIREMENTS} does not pin all of {packages}")
    return "".join(wanted)


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    """Make a folder read-only, and check that nothing has been written."""
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
