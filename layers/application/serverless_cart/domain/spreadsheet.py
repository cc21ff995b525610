"""Texts in CSV that a spreadsheet may open."""

import re
from typing import Final

_FORMULA: Final = re.compile(r"(^|[,;|\t])(?=[=+@\t\r\n'＝＋－＠-])")  # noqa: RUF001 - Excel in Japan reads them too
_APOSTROPHE: Final = re.compile(f"(^|[,;|\t])'{_FORMULA.pattern.partition(')')[2]}")


def harmless(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula, because an apostrophe precedes its beginning.

    A spreadsheet with another delimiter sees a beginning after each of its delimiters. The apostrophe itself counts as
    the beginning of a formula, so that `exact` returns the original text.

    >>> harmless("=1+1"), harmless("Mug;=1+1"), harmless("'tis")
    ("'=1+1", "Mug;'=1+1", "''tis")
    """
    return _FORMULA.sub(r"\1'", text)


def exact(text: str) -> str:
    """Return the text from which `harmless` made another."""
    return _APOSTROPHE.sub(r"\1", text)
