"""Warm time: each handler against its floor, which is the same database calls by a bare client.

Handler and floor take turns, so that other work of the machine slows both; the ratio of their medians counts. One
operation follows the other, because a warm function finds its own code in the processor's caches.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import boto3
from botocore import xform_name

from bench.bundle import Bundle, Run

Carry = Callable[[], None]


@dataclass(frozen=True)
class Times:
    """Milliseconds of a handler or floor: elapsed time, and processor time."""

    p50: float
    p99: float
    cpu_p50: float
    cpu_p99: float


@dataclass(frozen=True)
class Warm:
    """A handler's times and its floor's."""

    handler: Times
    floor: Times

    @property
    def ratio(self) -> float:
        """The handler's median processor time, as a multiple of its floor's.

        Elapsed time includes the wait for the answers and for other work of the machine, which hides our own part.
        """
        return self.handler.cpu_p50 / self.floor.cpu_p50


def measure(bundle: Bundle, rounds: int) -> list[Warm]:
    """Time every run of a bundle, in turns with its floor."""
    pairs = [(run.repeat, floor_of(run)) for run in bundle.runs]
    taken: list[tuple[list[int], list[int], list[int], list[int]]] = [([], [], [], []) for _ in pairs]
    with bundle.log.taking():
        for handler, floor in pairs:  # all answers must be in memory first
            handler()
            floor()
        bundle.database.seal(0.0)
        gc.collect()
        gc.freeze()  # a collection during a measurement skips the objects of the bench
        for (handler, floor), times in zip(pairs, taken, strict=True):
            order = ((handler, times[:2]), (floor, times[2:]))
            for turn in range(rounds):
                for carry, (clock, cpu) in order if turn % 2 else reversed(order):
                    _time(carry, clock, cpu)
    return [Warm(_times(clock, cpu), _times(floor_clock, floor_cpu)) for clock, cpu, floor_clock, floor_cpu in taken]


def floor_of(run: Run) -> Carry:
    """Return a function that makes the same calls with an unmodified boto3 client."""
    client = boto3.client("dynamodb")
    calls = [(getattr(client, xform_name(call.operation)), call.parameters) for call in run.exchanges]

    def carry() -> None:
        for call, parameters in calls:
            call(**parameters)

    return carry


def _time(carry: Carry, clock: list[int], cpu: list[int]) -> None:
    """Time one run, in nanoseconds."""
    start, cpu_start = time.perf_counter_ns(), time.thread_time_ns()
    carry()
    cpu.append(time.thread_time_ns() - cpu_start)
    clock.append(time.perf_counter_ns() - start)


def _times(clock: Sequence[int], cpu: Sequence[int]) -> Times:
    """Summarize measurements in nanoseconds."""
    percentiles = statistics.quantiles(clock, n=100), statistics.quantiles(cpu, n=100)
    return Times(*(each[place] / 1e6 for each in percentiles for place in (49, 98)))
