"""The lines of a text file: decoded one by one, so that a bad line costs no other."""

import codecs
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

ROW_BYTES: Final = 2**20
"""The most bytes of one row. A product has about 1,500; the remainder is room for ignored columns."""

CARRIAGE_RETURN: Final = "a carriage return is not a line ending: use LF or CRLF"
UNTERMINATED: Final = (
    "the last line has no line ending: the file may be cut off; get it again, or end the line if it is complete"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its line ending, or the reason why it cannot be read."""

    number: int
    text: str
    fault: str = ""


def lines(file: BinaryIO, encoding: str) -> Iterator[Line]:
    """Read lines of at most `ROW_BYTES` each, in an encoding that contains ASCII."""
    for number in itertools.count(1):
        data = rest = file.readline(ROW_BYTES)
        if not data:
            return
        too_long = False
        while len(rest) == ROW_BYTES and not rest.endswith(b"\n"):
            too_long, rest = True, file.readline(ROW_BYTES)
        if number == 1:
            data = data.removeprefix(codecs.BOM_UTF8)
        if too_long:
            yield Line(number, "", f"the line is longer than {ROW_BYTES:,} bytes")
        elif data and not data.endswith(b"\n"):
            yield Line(number, "", CARRIAGE_RETURN if b"\r" in data.rstrip(b"\r") else UNTERMINATED)
        else:
            yield _decoded(number, data, encoding)


def _decoded(number: int, data: bytes, encoding: str) -> Line:
    try:
        return Line(number, data.decode(encoding))
    except UnicodeError:
        advice = "save the file as UTF-8, or name its encoding, as in --encoding cp1252 for Excel in Western Europe"
        name = "UTF-8" if encoding == "utf-8" else encoding
        return Line(number, "", f"the line is not {name}: {advice}")
