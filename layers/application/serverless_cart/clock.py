"""The clock of the functions and of cartctl."""

import time


def clock() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000
