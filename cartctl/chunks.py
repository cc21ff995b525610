"""Parts of a stream, some at a time."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Part = TypeVar("Part")


def chunks(parts: Iterable[Part], size: int) -> Iterator[list[Part]]:
    """Yield lists of ``size`` parts; the last one may be shorter.

    >>> list(chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    chunk: list[Part] = []
    for part in parts:
        chunk.append(part)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
