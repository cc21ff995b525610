"""Files that commands read and write: whole files or none, and the standard streams."""

import codecs
import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from cartctl.errors import CartctlError, ExitCode
from cartctl.terminal import encoding_of, visible_lines, writing

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
            raise CartctlError(f"Cannot read {name}: {error.strerror}. Name another file.", ExitCode.USAGE) from error
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
        raise CartctlError(f"Cannot write {path}: {error.strerror}. Name another file.") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def compressed(file: BinaryIO) -> Iterator[BinaryIO]:
    """Write to a file, compressed with gzip. The same content gives the same file."""
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
        yield packed  # type: ignore[misc] # a buffered file


@contextmanager
def standard_output(content: str) -> Iterator[BinaryIO]:
    """Write to standard output: exactly to a file or a program, `visible` to a terminal.

    Raises `CartctlError`, which names the ``content``, if the reader closes it early.
    """
    try:
        with writing(f"the {content}"):
            yield cast("BinaryIO", _Shown()) if sys.stdout.isatty() else sys.stdout.buffer
    except BrokenPipeError:
        raise CartctlError(
            f"Standard output was closed before all {content} were written: write them to a file."
        ) from None


class _Shown:
    """A file whose text is shown on a terminal."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode

    def write(self, data: bytes) -> int:
        sys.stdout.write(visible_lines(self._decode(data), encoding_of(sys.stdout)))
        return len(data)
