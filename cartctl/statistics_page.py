"""A page of a shop's statistics: one HTML file that works offline, with charts by Plotly and a table beside each."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from cartctl.statistics import Ranking, Series, Statistics, money
from cartctl.terminal import visible

_LEGEND: Final = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
_DAYS: Final = {"xaxis": {"type": "date", "nticks": 5, "tickangle": 0}, "yaxis": {"rangemode": "tozero", "nticks": 6}}
_DASHES: Final = ("solid", "dash", "dot")
_HEIGHT: Final = 320
"""Pixels of a chart, at least."""
_BAR: Final = 32
"""Pixels of a bar and its gap."""


@dataclass(frozen=True)
class Chart:
    """A chart with its table. ``figure`` is what statistics_page.js passes to Plotly, without colours."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    figure: dict[str, Any]
    height: int = _HEIGHT


def page(statistics: Statistics) -> str:
    """Return the page. Its policy lets it load nothing and run only its own scripts."""
    charts = [
        _by_day("Sessions and clicks by day", statistics, statistics.series[:2]),
        _by_day("Carts by day", statistics, statistics.series[2:]),
        _conversion(statistics),
        _abandoned_value(statistics),
        *map(_ranking, statistics.rankings),
    ]
    scripts = {"library": get_plotlyjs(), "script": _file("js")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_visible)
    return environment.from_string(_file("html")).render(
        shop=statistics.shop,
        period=statistics.period,
        facts=statistics.facts,
        charts=charts,
        policy=_policy(scripts.values()),
        style=_file("css"),
        figures=_embedded([chart.figure for chart in charts]),
        **scripts,
    )


def _by_day(title: str, statistics: Statistics, series: list[Series]) -> Chart:
    return Chart(
        title,
        ("Day", *(one.name for one in series)),
        [
            (day, *(f"{value:,}" for value in values))
            for day, *values in zip(statistics.days, *(one.values for one in series), strict=True)
        ],
        {
            "traces": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": one.name,
                    "x": list(statistics.days),
                    "y": one.values,
                    "line": {"dash": dash, "width": 2},
                    "paint": f"colour-{number}",
                }
                for number, (one, dash) in enumerate(zip(series, _DASHES, strict=False), 1)
            ],
            "layout": {**_layout(), "hovermode": "x unified", "showlegend": True, "legend": _LEGEND, **_DAYS},
        },
    )


def _abandoned_value(statistics: Statistics) -> Chart:
    values = statistics.abandoned_value
    return Chart(
        "Value of abandoned carts by day",
        ("Day", statistics.in_currency("Value")),
        [(day, money(value)) for day, value in zip(statistics.days, values, strict=True)],
        {
            "traces": [
                {
                    "type": "bar",
                    "name": "Value",
                    "x": list(statistics.days),
                    "y": [float(value) for value in values],
                    "hovertemplate": "%{x}: %{y:,.2f}<extra></extra>",
                    "paint": "colour-4",
                }
            ],
            "layout": {**_layout(), **_DAYS},
        },
    )


def _conversion(statistics: Statistics) -> Chart:
    steps = statistics.conversion
    sessions = steps[0][1]
    rows = [(name, f"{count:,}", f"{count / sessions:.1%}" if sessions else "-") for name, count in steps]
    texts = [f"{count} ({share})" for _, count, share in rows]
    columns = ("Step", "Number", "Per session")
    return Chart("From session to cart to checkout", columns, rows, _bars(steps, texts, "colour-3"))


def _ranking(ranking: Ranking) -> Chart:
    rows = [(name, f"{count:,}") for name, count in ranking.rows]
    figure = _bars(ranking.rows, [count for _, count in rows], "colour-1")
    height = max(_HEIGHT, 90 + _BAR * len(rows))
    return Chart(ranking.title, (ranking.title, ranking.unit.capitalize()), rows, figure, height)


def _bars(bars: Sequence[tuple[str, int]], texts: list[str], paint: str) -> dict[str, Any]:
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [count for _, count in bars],
        "y": list(range(len(bars))),
        "text": texts,
        "textposition": "auto",
        "hoverinfo": "text",
        "paint": paint,
    }
    layout = {**_layout(), "yaxis": {"autorange": "reversed"}, "xaxis": {"rangemode": "tozero", "nticks": 5}}
    return {"traces": [trace], "layout": layout, "names": [visible(name) for name, _ in bars]}


def _layout() -> dict[str, Any]:
    return {"margin": {"l": 8, "r": 8, "t": 8, "b": 8}, "showlegend": False, "dragmode": False, "bargap": 0.25}


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _embedded(figures: object) -> str:
    """Write JSON that ends no script element."""
    return json.dumps(figures).replace("<", "\\u003c")


def _policy(scripts: Iterable[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Plotly sets styles in attributes, for which there are no hashes.
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _file(extension: str) -> str:
    return (resources.files("cartctl") / f"statistics_page.{extension}").read_text("utf-8")
