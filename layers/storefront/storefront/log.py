"""What a function writes to its log: JSON in CloudWatch's embedded metric format, from which CloudWatch takes metrics.

It is written by hand: a library for it took a third of what a request costs beside its database calls, and longer to
load than all of our own code.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

NAMESPACE: Final = "ServerlessCart"
"""The namespace of every metric in CloudWatch."""
VALUES: Final = 100
"""Values that one metric of a line may have (CloudWatch's limit)."""

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_WRITTEN: Final = _LEVELS[_LEVELS.index(os.environ.get("LOG_LEVEL") or "INFO") :]


class Metric(NamedTuple):
    """Values of one metric; beside the service, they are told apart ``by`` the field of this name."""

    name: str
    unit: Literal["Count", "Milliseconds"]
    values: Sequence[float]
    by: str = ""


def write(service: str, level: Level, metrics: Sequence[Metric], **fields: object) -> None:
    """Write one line. Where its level is not logged, the metrics are all that it holds.

    No field may be a key, a body, a note or a customer's name.
    """
    told_by = {metric.by: fields[metric.by] for metric in metrics if metric.by}
    line: dict[str, object] = {"level": level, "service": service, **fields} if level in _WRITTEN else told_by
    if metrics:
        line["service"] = service
        line["_aws"] = {
            "Timestamp": time.time_ns() // 1_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["service", by] if by else ["service"]],
                    "Metrics": [{"Name": it.name, "Unit": it.unit} for it in metrics if it.by == by],
                }
                for by in dict.fromkeys(metric.by for metric in metrics)
            ],
        }
        line |= {metric.name: metric.values for metric in metrics}
    if line:
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
