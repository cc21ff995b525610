"""The chart in docs/: each operation's processor time as a multiple of its floor."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from bench.report import Row
from local import settings

CHART: Final = settings.ROOT / "docs" / "bench.svg"
_LEFT: Final = 170
_UNIT: Final = 220
_STEP: Final = 18


def draw(rows: Sequence[Row], to: Path = CHART) -> None:
    """Write the chart: the bare calls in dark blue, our own time in light blue, the target as a red tick."""
    height, width = _STEP * len(rows) + 50, _LEFT + 3 * _UNIT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12">',
        "<style>text { font-family: sans-serif }</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="16">Processor time of a warm request; 1 = the same database calls by bare boto3</text>',
    ]
    for number, row in enumerate(rows):
        top = 26 + number * _STEP
        ours = _UNIT * row.warm.ratio
        parts += [
            f'<text x="{_LEFT - 8}" y="{top + 11}" text-anchor="end">{escape(row.run.operation.title)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{ours:.0f}" height="13" fill="#9cc3e6"/>',
            f'<rect x="{_LEFT}" y="{top}" width="{min(_UNIT, ours):.0f}" height="13" fill="#2f6da8"/>',
            f'<text x="{_LEFT + max(ours, _UNIT) + 8:.0f}" y="{top + 11}">{row.warm.ratio:.2f}</text>',
        ]
        if row.run.operation.at_most:
            x = _LEFT + _UNIT * row.run.operation.at_most
            parts.append(f'<path d="M{x:.0f} {top - 2}v17" stroke="#c00" stroke-width="2"/>')
    bottom = 26 + len(rows) * _STEP
    parts.append(f'<path d="M{_LEFT + _UNIT} 22V{bottom}" stroke="#000" stroke-dasharray="3"/>')
    parts.append(f'<text x="{_LEFT}" y="{bottom + 16}" fill="#c00">red: the target</text>')
    to.write_text("\n".join([*parts, "</svg>"]) + "\n")
