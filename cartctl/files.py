"""Files that commands read and write: whole files or none, and the standard streams."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from cartctl.errors import CartctlError, ExitCode

STDIN: Final = "-"
"""The name of a file that stands for standard input."""


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input. Raises `CartctlError`."""
    if name == STDIN:
        yield sys.stdin.buffer
        return
    with ExitStack() as opened:
        try:
            file = opened.enter_context(Path(name).open("rb"))
        except OSError as error:
            raise CartctlError(f"Cannot read {name}: {error.strerror}.", ExitCode.USAGE) from error
        yield file


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that replaces ``path`` when it is complete; a failure leaves ``path`` as it was.

    Raises `CartctlError`.
    """
    path = path.resolve()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    if path.exists() and not path.is_file():
        raise CartctlError(f"{path} is not a regular file: name another file.", ExitCode.USAGE)
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise CartctlError(f"Cannot write {path}: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Write to standard output. Raises `CartctlError` if the reader closes it early."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Python flushes standard output once more when it ends; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CartctlError("Standard output was closed before all products were written.") from None
