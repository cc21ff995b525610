"""Figures that tests measure: printed at the end of a run, and kept for docs/reliability.md."""

import json
import os
import re
from datetime import UTC, datetime
from typing import Any

from tools.support.paths import ROOT

KEPT = ROOT / ".local" / "figures"
"""One file a section and command, so that commands may run side by side: the day, and what it measured."""

_recorded: dict[str, dict[str, dict[str, int | str]]] = {}


def record(section: str, command: str, **figures: int | str) -> None:
    """Keep figures under a section and the command that measures them; ``_`` in a name is a space in the tables.

    The first record of a run replaces what earlier runs of the command had kept in this section; later ones add to it.
    """
    ours = _recorded.setdefault(section, {}).setdefault(command, {})
    ours |= {name.replace("_", " "): figure for name, figure in figures.items()}
    kept = {"section": section, "command": command, "date": datetime.now(UTC).date().isoformat(), "figures": ours}
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{re.sub('[^a-z0-9]+', '-', f'{section} {command}'.lower())}.json"
    written = file.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(kept, indent=2) + "\n")
    written.replace(file)  # atomically: a reader finds the old file or the new one, whole


def taken() -> dict[str, dict[str, dict[str, int | str]]]:
    """Return what this process has recorded, by section and command, for `take` in another."""
    return _recorded


def take(recorded: dict[str, dict[str, dict[str, int | str]]]) -> None:
    """Take over what another process of the run has recorded, and kept."""
    for section, commands in recorded.items():
        for command, figures in commands.items():
            _recorded.setdefault(section, {}).setdefault(command, {}).update(figures)


def recorded() -> list[str]:
    """Return what this run has recorded, one line a section and command."""
    return [
        f"{section} ({command}): " + ", ".join(f"{name} {figure}" for name, figure in figures.items())
        for section, commands in _recorded.items()
        for command, figures in commands.items()
    ]


def kept_figures() -> dict[str, dict[str, Any]]:
    """Return what this and earlier runs have kept: by section and command, the ``date`` and the ``figures``."""
    sections: dict[str, dict[str, Any]] = {}
    for kept in sorted((json.loads(file.read_text()) for file in KEPT.glob("*.json")), key=lambda it: it["command"]):
        sections.setdefault(kept["section"], {})[kept["command"]] = {it: kept[it] for it in ("date", "figures")}
    return sections
