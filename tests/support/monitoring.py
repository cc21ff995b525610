"""stacks/monitoring.yaml as the root template deploys it: its alarms, and the metrics of alarms and dashboard."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tools.support.paths import ROOT
from tools.support.template import TEMPLATE, read_template

STACK: Final = read_template(ROOT / "stacks" / "monitoring.yaml")
_PASSED: Final = TEMPLATE["Resources"]["MonitoringStack"]["Properties"]["Parameters"]
NAMED: Final = {
    **{name: value.get("Ref") or value["Fn::GetAtt"].partition(".")[0] for name, value in _PASSED.items()},
    **dict.fromkeys(("Stack", "AWS::Region", "AWS::Partition", "AWS::AccountId"), ""),
}
"""The nested stack's parameters: the resources that the root template passes. The root stack's name is left out."""
OWN: Final = "ServerlessCart/"
"""The namespace of the functions' metrics."""


class Metric(NamedTuple):
    """A metric; the value of a dimension is ``None`` in a search, which finds all."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str | None], ...]


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of a type."""
    return {name: it["Properties"] for name, it in STACK["Resources"].items() if it["Type"] == kind}


def resolved(value: Any) -> str:
    """Return a text of the template with its references replaced: names of resources stay."""
    match value:
        case {"Ref": name}:
            return str(NAMED.get(name, name))
        case {"Fn::Sub": [text, names]}:
            return _substituted(text, names)
        case {"Fn::Sub": text}:
            return _substituted(text, {})
    return str(value)


def _substituted(text: str, names: dict[str, Any]) -> str:
    found = re.sub(r"\$\{([\w:]+)\}", lambda it: resolved(names.get(it[1], {"Ref": it[1]})), text)
    return found.replace("${!", "${")


METRIC_ALARMS: Final = resources("AWS::CloudWatch::Alarm")
COMPOSITE_ALARMS: Final = resources("AWS::CloudWatch::CompositeAlarm")
_BODY: Final = resources("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]
DASHBOARD: Final[dict[str, Any]] = json.loads(resolved(_BODY))


def name_of(alarm: dict[str, Any]) -> str:
    """Return an alarm's name without the stack's."""
    return resolved(alarm["AlarmName"]).removeprefix("-")


def of_alarm(alarm: dict[str, Any]) -> Metric:
    """Return the metric of an alarm."""
    dimensions = tuple((it["Name"], resolved(it["Value"])) for it in alarm.get("Dimensions", ()))
    return Metric(resolved(alarm["Namespace"]), alarm["MetricName"], dimensions)


def of_dashboard() -> Iterator[Metric]:
    """Yield the metrics of the dashboard's charts. ``...`` and ``.`` are those of the chart's previous metric."""
    for widget in DASHBOARD["widgets"]:
        before: list[str] = []
        for entry in widget["properties"].get("metrics", ()):
            parts = [it for it in entry if isinstance(it, str)]
            if not parts:
                yield _searched(entry[0]["expression"])
                continue
            if parts[0] == "...":
                parts = before[: 1 - len(parts)] + parts[1:]
            before = [old if new == "." else new for new, old in zip(parts, before or parts, strict=True)]
            namespace, name, *rest = before
            yield Metric(namespace, name, tuple(zip(rest[::2], rest[1::2], strict=True)))


def _searched(expression: str) -> Metric:
    found = re.fullmatch(r"""SEARCH\('\{"([^"]+)",([\w,]+)\} MetricName="(\w+)"', '\w+', \d+\)""", expression)
    assert found, expression
    return Metric(found[1], found[3], tuple((name, None) for name in found[2].split(",")))


METRICS: Final = frozenset([*map(of_alarm, METRIC_ALARMS.values()), *of_dashboard()])
