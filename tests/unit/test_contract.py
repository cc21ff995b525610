"""docs/contract.md: its routes and errors are those of the code, and every section that is referred to exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from serverless_cart.web import checkout, management_api, refusals, search_api
from tools.support.paths import ROOT
from tools.support.template import TEMPLATE

CONTRACT = ROOT / "docs" / "contract.md"
FOLDERS = ("layers", "functions", "cartctl", "tests", "tools", "bench", "local")
REFERENCE = re.compile(r"\(contract:\s+([^()]+)\)|docs/contract\.md,\s+\"?([A-Z][\w -]*)")
"""``(contract: Order of checks)``, or docs/contract.md, a comma and the section; the next line may continue it."""


def headings(text: str) -> list[str]:
    """Return the sections, by their headings."""
    return [heading.strip() for heading in re.findall(r"^##+ (.+)$", text, flags=re.MULTILINE)]


def sections_named(text: str) -> Iterator[str]:
    """Find the sections that a text refers to."""
    joined = re.sub(r"\n[ \t]*(?:#[:!]? )?", " ", text)  # a reference may be wrapped, in a comment too
    for match in REFERENCE.finditer(joined):
        yield " ".join((match[1] or match[2]).split()).rstrip(" -")


def sources() -> list[Path]:
    """List the files that may refer to the contract, but for this one, whose examples refer to nothing."""
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if file != Path(__file__)]
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.yaml")]
    return sorted([*files, *documents, ROOT / "template.yaml", ROOT / "Makefile"])


REFERENCES = sorted({
    (str(file.relative_to(ROOT)), section) for file in sources() for section in sections_named(file.read_text())
})  # fmt: skip
TEXT = CONTRACT.read_text()
SECTIONS = headings(TEXT)

# ----------------------------------------------------------------------------------------------------------------------
# Routes and errors
# ----------------------------------------------------------------------------------------------------------------------


def test_contract_has_exactly_the_routes() -> None:
    deployed = {
        (event["Properties"]["Method"], event["Properties"]["Path"])
        for resource in TEMPLATE["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    }

    assert len(deployed) > 5
    assert set(re.findall(r"^\| ([A-Z]+) `(/[^`]+)` \|", TEXT, flags=re.MULTILINE)) == deployed


def test_contract_has_exactly_the_errors() -> None:
    of_gateway = {(429, "Too many requests"), (429, "too many requests")}
    of_code = {
        *search_api.ERRORS.values(),
        *checkout.ERRORS.values(),  # those of the Shop API, and its own
        (500, refusals.FAULT),
        (503, refusals.UNAVAILABLE),
    }

    written = {
        (int(status), re.sub(r"^\[.*\] ", "", error))
        for status, row in re.findall(r"^\| ([45]\d\d) (.+)$", TEXT, flags=re.MULTILINE)
        for error in re.findall(r'{"error": "([^":]+)', row)
    }
    assert written == of_code | of_gateway


def test_contract_has_exactly_the_management_errors() -> None:
    codes = [*management_api.ERRORS.values(), (429, "too_many_requests"), (500, "internal_error"), (503, "unavailable")]
    messages = {**management_api.MESSAGES, "too_many_requests": "Too many requests"}

    written = re.findall(r"^\| ([45]\d\d) \| `(\w+)` \| ([\w ]+) \|", TEXT, flags=re.MULTILINE)
    assert sorted(written) == sorted({(str(status), code, messages[code]) for status, code in codes})


# ----------------------------------------------------------------------------------------------------------------------
# References
# ----------------------------------------------------------------------------------------------------------------------


def test_code_refers_to_the_contract() -> None:
    assert len(REFERENCES) > 15
    assert {"auth.py", "cart.py", "search_api.py", "shop_api.py"} <= {Path(file).name for file, _ in REFERENCES}


def test_headings_are_unique() -> None:
    assert len(SECTIONS) == len(set(SECTIONS))


@pytest.mark.parametrize(("file", "section"), REFERENCES)
def test_section_exists(file: str, section: str) -> None:
    assert section in SECTIONS, f"{file} refers to a section that docs/contract.md does not have"


def test_every_mention_of_the_contract_names_a_section() -> None:
    """A reference that the pattern does not read would never be checked."""
    for file in sources():
        text = file.read_text()
        assert len(re.findall(r"\(contract:", text)) == len(re.findall(r"\(contract:\s+[^()]+\)", text)), file


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("Read it (contract: Order of checks).", ["Order of checks"]),
        ("Read it (contract: Order of\n    checks).", ["Order of checks"]),
        ("# Read it (contract:\n# Shop API).", ["Shop API"]),
        ("See docs/contract.md, Shop API.", ["Shop API"]),
        ('See docs/contract.md, "Entity tags".', ["Entity tags"]),
        ("docs/contract.md has the rules; the contract: nothing.", []),
    ],
)
def test_references_are_found(text: str, sections: list[str]) -> None:
    assert list(sections_named(text)) == sections
