"""Dollars per million requests of an operation, from its time, its units and the published prices (prices.toml)."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.units import Units
from tools.support.template import FUNCTIONS, TEMPLATE

PRICES: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("prices.toml").read_text())
MILLION: Final = 10**6
MONTH: Final = 30 * 24 * 3600
"""Seconds."""
MEGABYTES: Final[int] = TEMPLATE["Globals"]["Function"]["MemorySize"]


@dataclass(frozen=True)
class Cost:
    """Dollars per million requests, by service."""

    gateway: float
    function: float
    table: float
    logs: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.gateway + self.function + self.table + self.logs


def memory_of(function: str) -> int:
    """Return the memory of a function in the template, in megabytes."""
    megabytes: int = TEMPLATE["Resources"][FUNCTIONS[function]]["Properties"].get("MemorySize", MEGABYTES)
    return megabytes


def cost(function: str, processor_ms: float, units: Units, logged: int) -> Cost:
    """Return the cost of a million requests, each with ``processor_ms`` of a processor and ``logged`` bytes of log.

    The gateway does not charge for the authorizer.
    """
    megabytes = memory_of(function)
    milliseconds = processor_ms / share_of(megabytes) + units.calls * PRICES["supposed"]["call_milliseconds"]
    return Cost(
        gateway=0.0 if function == "authorizer" else PRICES["gateway"]["request"] * MILLION,
        function=lambda_charge(megabytes, milliseconds) * MILLION,
        table=(units.read * PRICES["dynamodb"]["read_unit"] + units.write * PRICES["dynamodb"]["write_unit"]) * MILLION,
        logs=logged * PRICES["logs"]["gigabyte"] * MILLION / 2**30,
    )


def share_of(megabytes: int) -> float:
    """Return the share of a processor that comes with this memory."""
    whole: int = PRICES["lambda"]["megabytes_of_a_processor"]
    return min(1.0, megabytes / whole)


def lambda_charge(megabytes: int, milliseconds: float) -> float:
    """Return the price of one invocation."""
    gigabyte_seconds = math.ceil(milliseconds) / 1000 * megabytes / 1024
    return float(PRICES["lambda"]["request"] + gigabyte_seconds * PRICES["lambda"]["gigabyte_second"])


def snapshots() -> dict[str, float]:
    """Return the price of SnapStart in dollars: all functions' snapshots for a month, and a million cold starts.

    The starts are those of the largest function.
    """
    gigabytes = [memory_of(function) / 1024 for function in FUNCTIONS]
    return {
        "month": sum(gigabytes) * MONTH * PRICES["snapstart"]["kept_gigabyte_second"],
        "million_starts": max(gigabytes) * PRICES["snapstart"]["restored_gigabyte"] * MILLION,
    }
