"""Progress messages."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def step(console: Console, doing: str) -> Iterator[None]:
    """Show a step: on a terminal a spinner and then the time it took, elsewhere a line."""
    start = time.monotonic()
    if console.is_terminal:
        with console.status(f"{doing} …"):
            yield
        console.print(f"[green]✓[/] {doing} [dim]{time.monotonic() - start:.1f} s[/]", highlight=False)
    else:
        console.print(f"{doing} …", highlight=False)
        yield
