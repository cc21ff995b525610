"""docs/operate.md as data: its policies, the commands that each policy allows, and its shell blocks."""

import json
import re
from typing import Any, Final

from tools.support.paths import ROOT

GUIDE: Final = ROOT / "docs" / "operate.md"
TEXT: Final = GUIDE.read_text()


def section(heading: str, text: str = TEXT) -> str:
    """Return the text below a heading, up to the next heading of the same or a higher level."""
    marks = heading.partition(" ")[0]
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading}"
    return re.split(rf"^#{{1,{len(marks)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(language: str, text: str = TEXT) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def rows(text: str) -> list[list[str]]:
    """Return the cells of the only table in a text, without its header line."""
    return _table(text)[1:]


def _table(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in [lines[0], *lines[2:]]]


_PERMISSIONS: Final = section("## Permissions")
_, *_NAMES = _table(_PERMISSIONS)[0]
POLICIES: Final[dict[str, str]] = {
    name: block for name in _NAMES for block in blocks("json", section(f"### {name.capitalize()}", _PERMISSIONS))
}
"""The JSON of each policy, with its placeholders."""
SERVED: Final[dict[str, set[str]]] = {
    command.strip("`"): {name for name, cell in zip(_NAMES, cells, strict=True) if cell == "yes"}
    for command, *cells in rows(_PERMISSIONS)
}
"""The policies that allow each command."""
EXIT_CODES: Final[dict[int, str]] = {int(code): meaning for code, meaning in rows(section("## Exit codes"))}


def policy(name: str, **values: str) -> list[dict[str, Any]]:
    """Return the statements of a policy, with values instead of its placeholders."""
    text = POLICIES[name]
    for placeholder, value in values.items():
        text = re.sub(rf"\b{placeholder}\b", value, text)
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements
