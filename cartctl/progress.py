"""Progress bars on standard error, hidden if that is not a terminal."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeRemainingColumn

from cartctl.output import Output


def progress_bar(out: Output, *columns: ProgressColumn, shown: bool = True) -> Progress:
    """Return a progress bar with these columns between the bar and the remaining time."""
    return Progress(
        SpinnerColumn("line" if out.stderr.options.ascii_only else "dots"),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=out.stderr,
        transient=True,
        disable=not (shown and out.stderr.is_terminal),
    )


@contextmanager
def count_progress(
    out: Output, description: str, count: Callable[[], int], end: BinaryIO | int | None = None, *, shown: bool = True
) -> Iterator[Callable[[], None]]:
    """Show the progress of a count; yield a function to call after each step, which threads may call too.

    ``end`` is the last value of the count, or the file that is read, whose position is the progress if its size is
    known.
    """
    total = end if isinstance(end, int) else _size(end)

    def update() -> None:
        done = count()
        position: dict[str, Any] = {}
        if total:
            position["completed"] = end.tell() if end and not isinstance(end, int) else done
        seconds = progress.tasks[task].elapsed or 1
        progress.update(task, **position, count=done, rate=done / seconds)

    columns = (TextColumn("{task.fields[count]:,}"), TextColumn("{task.fields[rate]:,.0f} a second"))
    with progress_bar(out, *columns, shown=shown) as progress:
        task = progress.add_task(description, total=total, count=0, rate=0.0)
        yield update


def _size(file: BinaryIO | None) -> int | None:
    if file is None or not file.seekable():
        return None
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size
