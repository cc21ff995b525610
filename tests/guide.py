"""docs/operate.md, read: its policies, the table that says which commands they serve, and its commands."""

import json
import re
from typing import Any, Final

from tools.support.paths import ROOT

GUIDE: Final = ROOT / "docs" / "operate.md"
TEXT: Final = GUIDE.read_text()


def section(heading: str, text: str = TEXT) -> str:
    """Return what stands below a heading, down to the next of its kind or above."""
    marks = heading.partition(" ")[0]
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no {heading}"
    return re.split(rf"^#{{1,{len(marks)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(language: str, text: str = TEXT) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def _rows(text: str) -> list[list[str]]:
    """Read the one table of a text, its head first."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in [lines[0], *lines[2:]]]


_, *_NAMES = _rows(section("## Who may do what"))[0]
POLICIES: Final[dict[str, str]] = {
    name: block
    for name in _NAMES
    for block in blocks("json", section(f"### {name.capitalize()}", section("## Who may do what")))
}
"""Each policy as it stands there, with its placeholders."""
SERVED: Final[dict[str, set[str]]] = {
    command: {name for name, cell in zip(_NAMES, cells, strict=True) if cell == "yes"}
    for command, *cells in _rows(section("## Who may do what"))[1:]
}
"""The policies that serve each command."""
EXIT_CODES: Final[dict[int, str]] = {int(code): meaning for code, meaning in _rows(section("## Exit codes"))[1:]}


def policy(name: str, **values: str) -> list[dict[str, Any]]:
    """Return a policy's statements with these values in place of its placeholders."""
    text = POLICIES[name]
    for placeholder, value in values.items():
        text = re.sub(rf"\b{placeholder}\b", value, text)
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements
