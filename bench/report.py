"""The report: tables of the figures, their JSON file, and the missed targets."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.bundle import Run
from bench.cost import PRICES, Cost
from bench.units import Units
from bench.warm import Warm
from local import settings
from tools.support.template import TEMPLATE

FIGURES: Final = settings.STATE / "bench.json"


@dataclass(frozen=True)
class Row:
    """All figures of one operation; ``cost_floor`` is its cost without the time and log of our own code."""

    run: Run
    warm: Warm
    units: Units
    cost: Cost
    cost_floor: Cost

    def missed(self) -> list[str]:
        """Return the missed targets of this operation."""
        operation = self.run.operation
        wanted = {
            f"{self.units.calls} calls, {operation.calls} wanted": self.units.calls <= operation.calls,
            f"{self.warm.ratio:.2f} times its floor, {operation.at_most} wanted": (
                operation.at_most is None or self.warm.ratio <= operation.at_most
            ),
            f"{self.units.write} write units, {operation.write_units} wanted": (
                operation.write_units is None or self.units.write <= operation.write_units
            ),
        }
        return [f"{operation.title}: {what}" for what, holds in wanted.items() if not holds]


def missed(rows: Sequence[Row]) -> list[str]:
    """Return all missed targets."""
    kept = TEMPLATE["Parameters"]["AuthorizerCacheSeconds"]["Default"]
    return [
        *(miss for row in rows for miss in row.missed()),
        *([] if kept > 0 else ["authorizer: called on every request, the gateway keeps no answer"]),
    ]


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the figures as tables."""
    times = Table(title="Warm, against the same calls by a bare client")
    times.add_column("operation, items")
    for name in ("p50 ms", "floor", "p99 ms", "floor", "cpu p50 ms", "floor", "p99", "floor", "ratio", "target"):
        times.add_column(name, justify="right")
    spent = Table(
        title=f"Calls, units and dollars per million ({PRICES['region']}, {PRICES['date']})",
        caption="floors: the same calls by a function that does nothing else and logs nothing",
    )
    spent.add_column("operation, items")
    for name in (
        "calls",
        "read units",
        "write units",
        "gateway",
        "function",
        "floor",
        "table",
        "logs",
        "total",
        "floor",
    ):
        spent.add_column(name, justify="right")
    for row in rows:
        operation, warm, floor, cost, least = (
            row.run.operation,
            row.warm.handler,
            row.warm.floor,
            row.cost,
            row.cost_floor,
        )
        ratio = f"{row.warm.ratio:.2f}"
        times.add_row(
            operation.title,
            *(f"{ms:.2f}" for ms in (warm.p50, floor.p50, warm.p99, floor.p99)),
            *(f"{ms:.2f}" for ms in (warm.cpu_p50, floor.cpu_p50, warm.cpu_p99, floor.cpu_p99)),
            f"[red]{ratio}[/]" if operation.at_most and row.warm.ratio > operation.at_most else ratio,
            "" if operation.at_most is None else f"{operation.at_most:.2f}",
        )
        spent.add_row(
            operation.title,
            *map(str, (row.units.calls, row.units.read, row.units.write)),
            *(f"{dollars:.2f}" for dollars in (cost.gateway, cost.function, least.function)),
            *(f"{dollars:.2f}" for dollars in (cost.table, cost.logs, cost.total, least.total)),
        )
    console.print(times)
    console.print(spent)


def keep(rows: Sequence[Row], others: dict[str, Any], to: Path = FIGURES) -> None:
    """Write the figures as JSON."""
    operations = [
        {
            "operation": row.run.operation.name,
            "items": row.run.operation.size,
            "warm_ms": asdict(row.warm.handler),
            "floor_ms": asdict(row.warm.floor),
            "ratio": row.warm.ratio,
            "target": row.run.operation.at_most,
            "units": asdict(row.units),
            "bytes": {
                "sent": sum(call.sent for call in row.run.exchanges),
                "received": sum(call.received for call in row.run.exchanges),
                "answered": row.run.answered,
                "logged": row.run.logged,
            },
            "dollars_per_million": {**asdict(row.cost), "total": row.cost.total},
            "floor_dollars_per_million": {**asdict(row.cost_floor), "total": row.cost_floor.total},
        }
        for row in rows
    ]
    host = {"python": platform.python_version(), "machine": platform.machine()}
    to.write_text(json.dumps({"host": host, "operations": operations, **others}, indent=1) + "\n")
