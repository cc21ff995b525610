"""Write the figures of earlier test runs into the tables of docs/reliability.md (`make reliability`)."""

import re
from typing import Any

from tools.support.figures import kept_figures
from tools.support.paths import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
MARKED = re.compile(r"(<!-- figures: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Replace each table that this checkout has figures for. The others stay as they are."""
    kept = kept_figures()
    text = DOCUMENT.read_text()
    places = [name for _, name, _ in MARKED.findall(text)]
    missing = sorted(kept.keys() - set(places))
    if missing:
        raise SystemExit(f"Error: docs/reliability.md has no <!-- figures: … --> for {', '.join(missing)}: add it")
    DOCUMENT.write_text(
        MARKED.sub(lambda found: found[1] + table(kept[found[2]]) + found[3] if found[2] in kept else found[0], text)
    )
    for name in places:
        print(f"{name}: {', '.join(kept[name]) if name in kept else 'no new figures'}")  # noqa: T201


def table(commands: dict[str, dict[str, Any]]) -> str:
    """Render a section's table: a column for each command, a row for each figure."""
    names = dict.fromkeys(name for kept in commands.values() for name in kept["figures"])
    rows = [["", *(f"`{command}`" for command in commands)], ["---"] * (len(commands) + 1)]
    rows += [[name, *(str(kept["figures"].get(name, "")) for kept in commands.values())] for name in names]
    rows += [["measured on", *(kept["date"] for kept in commands.values())]]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
