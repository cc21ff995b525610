"""`make bench`: measure, print and store the figures; exit non-zero if a target is missed."""

import sys
from typing import Annotated, Final

import typer
from rich.console import Console

from bench import bundle, chart, cold, growth, hot, memory, report, roll_up, scale, sizes, units, warm, without
from bench.cost import cost, snapshots
from bench.report import Row
from local.errors import LocalCloudError

WIDE: Final = 160
"""Columns if standard output is not a terminal."""

console: Final = Console(width=None if sys.stdout.isatty() else WIDE)
app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def everything(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(help="Measurements of each operation.", min=10)] = 150,
) -> None:
    """Measure every operation and every cold start against its floor."""
    if context.invoked_subcommand:
        return
    rows = _rows(rounds)
    report.show(rows, console)
    counting = roll_up.measure(
        {row.run.operation.name: row.cost.total for row in rows if row.run.operation.size in {None, 1}}
    )
    console.print(roll_up.table(counting))
    starts, weights = cold.measure(), sizes.measure()
    console.print(cold.table(starts))
    console.print(
        "With SnapStart: ${month:.2f} a month, ${million_starts:.2f} per million starts".format(**snapshots())
    )
    console.print(sizes.table(weights))
    report.keep(rows, {"roll_up": counting, "cold": starts, "snapstart_dollars": snapshots(), "sizes": weights})
    chart.draw(rows)
    misses = report.missed(rows)
    misses += [f"{name}: its cold start" for name, start in starts.items() if not start["met"]]
    misses += [] if counting["met"] else ["the cost of counting events"]
    misses += [] if weights["met"] else ["the layers' size"]
    if misses:
        console.print("[red]Missed:[/]", *misses, sep="\n")
        raise SystemExit(1)
    console.print("Every target is met.")


@app.command("memory")
def memory_sizes() -> None:
    """Time functions at the share of a processor that each memory size buys (Linux, as root)."""
    console.print(memory.table(memory.measure()))


@app.command("growth")
def growth_of_tables() -> None:
    """Time an add and a read by the size of table and cart. Exit non-zero if the table's size matters."""
    measured = growth.measure()
    console.print(growth.table(measured))
    if not measured["met"]:
        raise SystemExit(1)


@app.command("without")
def without_each_speed_up() -> None:
    """Measure the effect of each module that exists for speed."""
    console.print(without.table(without.measure()))


@app.command("scale")
def hot_keys() -> None:
    """Print the request rate at which each kind of key is throttled first."""
    console.print(scale.table(scale.measure()))


@app.command("hot")
def hot_product() -> None:
    """Measure the checkouts a second of one product. Exit non-zero if one is lost or made twice."""
    measured = hot.measure()
    console.print(hot.table(measured))
    if not measured["met"]:
        raise SystemExit(1)


def _rows(rounds: int) -> list[Row]:
    with bundle.running() as ran:
        counted = [units.measure(run) for run in ran.runs]
        times = warm.measure(ran, rounds)
    return [
        Row(
            run,
            time,
            count,
            cost(run.operation.function, time.handler.cpu_p50, count, run.logged),
            cost(run.operation.function, time.floor.cpu_p50, count, 0),
        )
        for run, time, count in zip(ran.runs, times, counted, strict=True)
    ]


if __name__ == "__main__":
    try:
        app()
    except LocalCloudError as error:
        sys.exit(f"Error: {error}")
