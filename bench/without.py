"""The effect of each module that exists for speed: the same measurement with it and without it.

A figure is the time with it as a fraction of the time without it, so 0.90 saves a tenth. Warm figures compare ratios to
the floor, each measured in a new process; cold figures compare the fastest third of starts that take turns.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.table import Table

from bench import bundle, cold, warm
from local import settings

ROUNDS: Final = 200
"""Measurements of each operation."""
STARTS: Final = 21
"""Starts of each function with the module, and without it."""


@dataclass(frozen=True)
class SpeedUp:
    """A module that exists for speed, the code that disables it, and the measured operations and functions."""

    name: str
    remove: str
    operations: tuple[str, ...] = ()
    init_of: tuple[str, ...] = ()
    first_request_of: tuple[str, ...] = ()


SPEED_UPS: Final = (
    SpeedUp(
        "dynamodb/plain_json.py",
        "from serverless_cart.dynamodb import plain_json\nplain_json.install = lambda client: None",
        operations=("cart read, 5", "cart read, 100", "cart add, 100"),
    ),
    SpeedUp(
        "dynamodb/client.py, its settings",
        "from serverless_cart.dynamodb import client\nconfig = client.Config\n"
        "client.Config = lambda parameter_validation, user_agent, **others: config(**others)",
        operations=("stats PUT", "cart read, 5"),
    ),
    SpeedUp(
        "dynamodb/client.py, the call that is only signed",
        "import botocore.signers\nbotocore.signers.generate_presigned_url = lambda self, *_, **__: None",
        first_request_of=("CartFunction", "AuthorizerFunction"),
    ),
    SpeedUp(
        "cold_start.py",
        "import sys, types\nstub = sys.modules['serverless_cart.cold_start'] = types.ModuleType('cold_start')\n"
        "stub.finish = lambda: None",
        init_of=("CartFunction", "AuthorizerFunction"),
    ),
)


def measure() -> dict[str, dict[str, float]]:
    """Return the figure of each speed-up, by its name and by what was measured. Raises `LocalCloudError`."""
    figures: dict[str, dict[str, float]] = {one.name: {} for one in SPEED_UPS}
    with_all = _ratios("")
    for one in SPEED_UPS:
        if one.operations:
            without = _ratios(one.remove)
            figures[one.name] |= {operation: with_all[operation] / without[operation] for operation in one.operations}
    for name, function, part, figure in _starts():
        figures[name][f"{part} of {function}"] = figure
    return figures


def table(measured: Mapping[str, Mapping[str, float]]) -> Table:
    """Show what `measure` returned."""
    shown = Table("speed-up", "measured on", "with / without", title="What each speed-up saves (processor time)")
    for name, figures in measured.items():
        for subject, figure in figures.items():
            shown.add_row(name, subject, f"{figure:.2f}")
    return shown


def _starts() -> Iterator[tuple[str, str, str, float]]:
    with cold.environment() as start:
        for one in SPEED_UPS:
            for part, functions in (("init", one.init_of), ("first", one.first_request_of)):
                for function in functions:
                    times: dict[str, list[float]] = {"": [], one.remove: []}
                    for turn in range(STARTS + 1):
                        for remove, taken in times.items():
                            took = start(function, remove)[part][1]
                            if turn:  # the first reads the disk
                                taken.append(took)
                    figure = cold.undisturbed(times[""]) / cold.undisturbed(times[one.remove])
                    yield one.name, function, "init" if part == "init" else "first request", figure


def _ratios(remove: str) -> dict[str, float]:
    run = subprocess.run(  # noqa: S603 - our own code, and no shell
        [sys.executable, "-m", "bench.without", remove],
        cwd=settings.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    ratios: dict[str, float] = json.loads(run.stdout)
    return ratios


def _child(remove: str) -> dict[str, Any]:
    exec(remove, {})  # noqa: S102 - one of `SPEED_UPS`
    wanted = {operation for one in SPEED_UPS for operation in one.operations}
    with bundle.running() as ran:
        chosen = bundle.Bundle([run for run in ran.runs if run.operation.title in wanted], ran.database, ran.log)
        times = warm.measure(chosen, ROUNDS)
    return {run.operation.title: time.ratio for run, time in zip(chosen.runs, times, strict=True)}


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1])))  # noqa: T201 - read by `_ratios`
