"""Values in a query string: each function adds what is wrong with one to ``faults``, by its name."""

import re
from collections.abc import Mapping
from typing import Final

from serverless_cart.domain.orders import STATUSES, Status

_INTEGER: Final = re.compile(r"[0-9]{1,6}")

Faults = dict[str, list[str]]


def read_status(query: Mapping[str, str], faults: Faults) -> Status | None:
    """Return the status of the orders that are asked for, ``None`` for all."""
    text = query.get("status", "")
    status = next((it for it in STATUSES if it == text), None)
    if text and status is None:
        faults["status"] = [f"must be one of {', '.join(STATUSES)}"]
    return status


def read_integer(query: Mapping[str, str], name: str, bounds: tuple[int, int], default: int, faults: Faults) -> int:
    """Return an integer between two bounds, both included."""
    text = query.get(name) or str(default)
    lowest, highest = bounds
    if not _INTEGER.fullmatch(text) or not lowest <= int(text) <= highest:
        faults[name] = [f"must be an integer from {lowest} to {highest}"]
        return default
    return int(text)
