"""The documents against the repository: their commands, links, files and symbols exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cartctl.app import app
from tests.support import aws_cli, guide
from tools.support.paths import ROOT

CARTCTL = typer.main.get_command(app)
DOCUMENTS = [
    *(file for file in sorted(ROOT.glob("*.md")) if file.name != "CHANGELOG.md"),  # which names what there was
    *sorted((ROOT / "docs").glob("*.md")),
]

# ----------------------------------------------------------------------------------------------------------------------
# Commands
# ----------------------------------------------------------------------------------------------------------------------


def written_commands(document: Path) -> Iterator[tuple[str, bool]]:
    """Yield each command, and whether it may be only a name: between backticks it needs no arguments."""
    text = document.read_text().replace("\\\n", " ")
    fenced = re.findall(r"^```.*?\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(.*)$", prose, flags=re.MULTILINE)
    for block in [*fenced, "\n".join(indented)]:
        for command in re.findall(r"(?:^|\$\(|\|\s+)(?:\.venv/bin/)?(cartctl [^|<>)\n]*)", block, flags=re.MULTILINE):
            yield command.strip(), False
    for span in re.findall(r"`(cartctl [^`]+)`", prose):
        yield re.sub(r"\s+", " ", span).partition(" <")[0], True


def parse(words: list[str]) -> None:
    """Parse a command line like cartctl, without running it. Raises a `TyperException`."""
    command, context = CARTCTL, CARTCTL.make_context("cartctl", list(words), resilient_parsing=True)
    rest = [*context._protected_args, *context.args]
    while rest and isinstance(command, TyperGroup):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        if rest[:1] == ["--help"]:
            return
        command, context = found, found.make_context(found.name, list(rest), parent=context)


COMMANDS = sorted({command for file in DOCUMENTS for command in written_commands(file)})


def test_guide_has_commands() -> None:
    assert len(set(written_commands(guide.GUIDE))) > 20


@pytest.mark.parametrize(("written", "may_be_a_name"), COMMANDS)
def test_documented_command_is_valid(written: str, *, may_be_a_name: bool) -> None:
    words = shlex.split(re.sub(r"\$\w+", "1", written))[1:]

    try:
        parse(words)
    except TyperException as invalid:
        if not (may_be_a_name and invalid.format_message().startswith("Missing")):
            raise


AWS_COMMANDS = sorted({command for file in DOCUMENTS for command in aws_cli.commands(file.read_text())})


@pytest.mark.parametrize("command", AWS_COMMANDS)
def test_documented_command_of_aws_is_valid(command: str) -> None:
    filled = re.sub(r"\$\w+|arn:aws:dynamodb:…", "arn:aws:dynamodb:eu-west-1:123456789012:table/t/x/1", command)

    assert aws_cli.parse(filled) or tuple(filled.split()[1:3]) in aws_cli.CUSTOM


def test_documents_have_commands_of_aws() -> None:
    assert len(AWS_COMMANDS) > 25


@pytest.mark.parametrize(
    "invalid",
    ["dynamodb delete-tables --table-name x", "dynamodb delete-table", "dynamodb delete-table --name x"],
)
def test_invalid_command_of_aws_is_found(invalid: str) -> None:
    with pytest.raises(AssertionError):
        aws_cli.parse(f"aws {invalid}")


@pytest.mark.parametrize(
    "invalid", ["shop crate my-shop", "shop create", "shop create my-shop --money EUR", "doctor x"]
)
def test_parser_rejects_invalid_command(invalid: str) -> None:
    with pytest.raises(TyperException):
        parse(invalid.split())


# ----------------------------------------------------------------------------------------------------------------------
# Links and files
# ----------------------------------------------------------------------------------------------------------------------

LINKS = sorted(
    (str(file.relative_to(ROOT)), link)
    for file in DOCUMENTS
    for link in set(re.findall(r"\]\(([^)]+)\)", file.read_text()))
    if not link.startswith("https://")
)
FOLDERS = (
    "bench|cartctl|clients|demo|docs|events|examples|functions|layers|local|requirements|serverless_cart|tests|tools"
)
FILES = sorted(
    (str(file.relative_to(ROOT)), name)
    for file in DOCUMENTS
    for name in set(re.findall(rf"(?<![\w./])(?:{FOLDERS})/[\w./-]*\.[a-z]+\b", file.read_text()))
)


def path_of(name: str) -> Path:
    """Return the path of a file as documents name it: they shorten the application layer."""
    return ROOT / (f"layers/application/{name}" if name.startswith("serverless_cart/") else name)


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_documents_have_links_and_files() -> None:
    assert len(LINKS) > 20
    assert len(FILES) > 50


@pytest.mark.parametrize(("document", "link"), LINKS)
def test_link_target_exists(document: str, link: str) -> None:
    file = ROOT / document
    path, _, anchor = link.partition("#")
    target = file.parent / path if path else file

    assert target.exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize(("document", "name"), FILES)
def test_named_file_exists(document: str, name: str) -> None:
    assert path_of(name).is_file(), f"{document} names a file that does not exist"


def test_heading_named_by_cartctl_exists() -> None:
    named = {
        heading
        for file in (ROOT / "cartctl").rglob("*.py")
        for heading in re.findall(r'docs/operate\.md, "([^"]+)"', file.read_text())
    }

    assert named
    assert {heading.lower().replace(" ", "-") for heading in named} <= anchors(guide.GUIDE)


# ----------------------------------------------------------------------------------------------------------------------
# Decisions
# ----------------------------------------------------------------------------------------------------------------------

DECISIONS = re.split(r"^## ", (ROOT / "docs" / "decisions.md").read_text(), flags=re.MULTILINE)[1:]
LABELS = ["Decision", "Reason", "Rejected", "Figure", "Code"]
REFERENCE = re.compile(r"`([^`]+)`((?:, `[^`]+`)+)")
"""A file and its symbols."""


def code_of(decision: str) -> str:
    """Return the references of a decision, on one line."""
    return " ".join(decision.partition("- **Code**: ")[2].split())


REFERENCES = sorted({
    (name, symbol)
    for decision in DECISIONS
    for name, symbols in REFERENCE.findall(code_of(decision))
    for symbol in re.findall(r"`([^`]+)`", symbols)
})  # fmt: skip


def defines(file: Path, symbol: str) -> bool:
    """Return whether a Python file defines a symbol, or another file contains it."""
    text = file.read_text()
    if file.suffix != ".py":
        return symbol in text
    return bool(re.search(rf"^\s*(?:def|class) {symbol}\b|^\s*{symbol}(?::[^=\n]+)? = ", text, flags=re.MULTILINE))


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.partition("\n")[0])
def test_decision_has_labels_in_order(decision: str) -> None:
    labels = re.findall(r"^- \*\*(\w+)\*\*", decision, flags=re.MULTILINE)

    assert labels == [label for label in LABELS if label in labels]
    assert {"Decision", "Reason", "Code"} <= set(labels)


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.partition("\n")[0])
def test_decision_names_files_and_symbols(decision: str) -> None:
    references = code_of(decision).removesuffix(".").split("; ")

    assert all(REFERENCE.fullmatch(reference) for reference in references)


def test_decisions_have_references() -> None:
    assert len(DECISIONS) > 30
    assert len(REFERENCES) > len(DECISIONS)


@pytest.mark.parametrize(("name", "symbol"), REFERENCES)
def test_symbol_of_decision_exists(name: str, symbol: str) -> None:
    assert defines(path_of(name), symbol), f"docs/decisions.md names {symbol} of {name}"


def test_removed_symbol_is_found_missing() -> None:
    carts = path_of("serverless_cart/dynamodb/carts.py")

    assert defines(carts, "_update")
    assert not defines(carts, "_touch")


def test_readme_has_at_most_120_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
