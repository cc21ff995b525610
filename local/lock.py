"""Lock files, which a process holds until it ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.05


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file within a context; other processes wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def acquire(lock: int, kind: int = fcntl.LOCK_EX, seconds: float = 0.0) -> bool:
    """Return whether the lock of an open file could be acquired within ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock file."""
    if not path.exists():
        return False
    with path.open() as lock:
        return not acquire(lock.fileno(), fcntl.LOCK_SH)
