r"""Text for people: all that cartctl prints passes through this module, which makes each text visible and harmless.

Texts come from visitors, customers, files and AWS. A character that moves the cursor, hides text or reorders it is
shown as its escape in Python, such as ``\x1b``. `Screen` prints and styles the texts of commands. `guard` replaces the
standard streams, for everything else: texts of libraries, warnings and tracebacks.
"""

import io
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final, TextIO

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cartctl.errors import CartctlError

Styled = str | tuple[str, str]
"""A text, or a text and its style."""

# Controls, line and paragraph separators, surrogates, noncharacters, and Unicode's Default_Ignorable_Code_Point: the
# characters that are invisible by themselves, such as bidirectional controls, joiners, fillers, selectors and tags.
_SUSPECT: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U00013430-\U00013455"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    rf"{''.join(chr(plane * 0x10000 + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))}]"
)
# Blocks whose letters take different shapes with and without a joiner: Arabic to Myanmar, Tagalog to Vedic, and others.
_JOINED_SCRIPTS: Final = re.compile(
    r"[\u0600-\u109f\u1700-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff"
    r"\U0001e900-\U0001e95f]"
)
_SELECTED_PUNCTUATION: Final = "\u203c\u2049\u2139\u3030"
"""Characters that are no symbols, and are an emoji with a variation selector."""


def visible(text: str, encoding: str = "utf-8") -> str:
    r"""Return a text as one line of printable characters of the encoding; all others become escapes, as in Python.

    >>> print(visible("a\x1b[2J\n\u202eb"), visible("\u20ac", "latin-1"))
    a\x1b[2J\n\u202eb \u20ac

    Joiners and variation selectors stay where a language or an emoji needs them.
    """
    return _encodable(_SUSPECT.sub(_keep_or_escape, text), encoding)


def visible_lines(text: str, encoding: str = "utf-8") -> str:
    """Return a text of several lines, with each of them made `visible`."""
    return "\n".join(visible(line, encoding) for line in text.split("\n"))


def json_escaped(document: str, encoding: str) -> str:
    """Return an equal JSON document without characters that `visible` would escape. They are only in its strings."""
    escaped = "\n".join(_SUSPECT.sub(lambda found: _json_escape(found[0]), line) for line in document.split("\n"))
    if _is_unicode(encoding):
        return escaped
    return "".join(character if character.isascii() else _json_escape(character) for character in escaped)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _encodable(text: str, encoding: str) -> str:
    return text if _is_unicode(encoding) else text.encode(encoding, "backslashreplace").decode(encoding)


def _is_unicode(encoding: str) -> bool:
    return encoding.lower().startswith("utf")


def _keep_or_escape(found: re.Match[str]) -> str:
    character, text, at = found[0], found.string, found.start()
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if character in "\u200c\u200d" and _is_letter(before) and _is_letter(after):
        return character
    if character == "\u200d":
        base = text[at - 2 : at - 1] if before == "\ufe0f" or "\U0001f3fb" <= before <= "\U0001f3ff" else before
        if _is_symbol(base) and _is_symbol(after):
            return character
    if _selects(before, character, after):
        return character
    return character.encode("unicode_escape").decode()


def _is_letter(character: str) -> bool:
    """Return whether a character is a letter or a mark of a script in which joiners change the shape of letters."""
    return bool(_JOINED_SCRIPTS.match(character)) and unicodedata.category(character)[0] in "LM"


def _is_symbol(character: str) -> bool:
    """Return whether a character may be a part of an emoji. Emoji that are newer than this Python have no category."""
    return character != "" and (
        unicodedata.category(character) in {"So", "Sm"} or "\U0001f000" <= character < "\U00020000"
    )


def _selects(before: str, selector: str, after: str) -> bool:
    """Return whether a variation selector selects a variant of the character before it."""
    if before == "":
        return False
    if "\u180b" <= selector <= "\u180f":
        return "\u1820" <= before <= "\u18aa" and selector != "\u180e"
    is_ideograph = before >= "\u2e80" and unicodedata.category(before) == "Lo"
    if "\ufe00" <= selector <= "\ufe0f":
        is_keycap = before in "0123456789#*" and after == "\u20e3"
        return is_ideograph or _is_symbol(before) or before in _SELECTED_PUNCTUATION or is_keycap
    return "\U000e0100" <= selector <= "\U000e01ef" and is_ideograph


# ----------------------------------------------------------------------------------------------------------------------
# Streams
# ----------------------------------------------------------------------------------------------------------------------


class _Guarded:
    """A standard stream that makes all lines visible."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - an attribute of a stream
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        self.stream.write(visible_lines(text, encoding_of(self.stream)))
        return len(text)


def guard() -> None:
    """Replace the standard streams by streams that make all text visible, and that fail at no character.

    A stream that is closed, as by ``>&-``, is replaced by the null device.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream: Any = getattr(sys, name) or Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - until the end
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, stream if mode == "r" or isinstance(stream, _Guarded) else _Guarded(stream))


def unguarded(stream: TextIO) -> TextIO:
    """Return a standard stream as it was before `guard`, for texts of our own with the codes of a terminal."""
    return stream.stream if isinstance(stream, _Guarded) else stream


def encoding_of(stream: TextIO) -> str:
    """Return a stream's encoding; a text in memory takes any character."""
    return stream.encoding or "utf-8"


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Flush standard output at the end. Raises `CartctlError` if it cannot be written, unless its reader closed it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        raise
    except OSError as error:
        drop_output()
        raise CartctlError(f"Cannot write {what} to standard output: {error.strerror}. Write it elsewhere.") from error


def drop_output() -> None:
    """Write the rest of standard output nowhere. Python flushes it once more at the end, which must not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Screen(Console):
    """A console for texts from anywhere: a string is one line of text, without markup and without emoji codes."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        file = unguarded(sys.stderr if stderr else sys.stdout)
        super().__init__(file=file, stderr=stderr, quiet=quiet, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - Rich's own
        """Convert a string, in print, in a table and everywhere else."""
        return super().render_str(visible(text, self.encoding), **{**options, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render anything; the text of other renderables than strings is made visible too."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible_lines(segment.text, self.encoding), segment.style)

    def print_line(self, *parts: Styled) -> None:
        """Print texts as one line, however long it is."""
        texts = [(part, "") if isinstance(part, str) else part for part in parts]
        self.print(Text().join(self.render_str(text, style=style) for text, style in texts), soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Let the reader who closed standard output end the command, as for other writes."""
        raise  # noqa: PLE0704 - called while Rich handles it


def ask(question: str) -> bool:
    """Ask a question on standard error. Raises `typer.Abort` for an interruption or the end of input."""
    with redirect_stdout(sys.stderr):  # Typer writes a space to standard output, which may be a file
        return typer.confirm(visible(question, encoding_of(sys.stderr)), err=True)


def ask_secret(name: str) -> str:
    """Ask for a text that is not shown; a text that cannot be decoded is empty. Raises `typer.Abort`."""
    try:
        return str(typer.prompt(visible(name), hide_input=True, err=True))
    except UnicodeDecodeError:
        return ""
