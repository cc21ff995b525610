"""Times in answers."""

from datetime import UTC, datetime
from functools import lru_cache


def iso(milliseconds: int) -> str:
    """Write milliseconds since 1970 as ISO 8601 in UTC.

    >>> iso(1_763_728_496_789)
    '2025-11-21T12:34:56.789Z'
    """
    days, rest = divmod(milliseconds, 86_400_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{_date(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}Z"


@lru_cache(maxsize=64)
def _date(days: int) -> str:
    return datetime.fromtimestamp(days * 86_400, UTC).date().isoformat()
