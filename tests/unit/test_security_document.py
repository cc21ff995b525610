"""docs/security.md: every defence that it names is held by a test that there is."""

import re

from tests.policies import listed
from tests.unit.test_template import ROLES, statements
from tools.support.paths import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()


def test_every_test_that_it_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}

    assert len(named) > 30
    assert named - there == set()


def test_every_defence_has_a_test() -> None:
    rows = TEXT.partition("## What is defended")[2].partition("\n## ")[0].strip().splitlines()[2:]

    assert len(rows) > 15
    assert [row for row in rows if "`test_" not in row.rpartition(" | ")[2]] == []


def test_the_rights_of_the_functions_are_the_template_s() -> None:
    rows = TEXT.partition("## Functions")[2].partition("\nSo no function")[0].strip().splitlines()[4:]
    told = {}
    for function, actions, prefixes in (row.strip("| ").split(" | ") for row in rows):
        told[function] = {
            (frozenset(of.strip().split(", ")), frozenset(re.findall(r"`([^`]+)`", on)))
            for of, on in zip(actions.split(";"), prefixes.split(";"), strict=True)
        }
    assert told == {
        re.sub(r"\B(?=[A-Z])", "_", name.removesuffix("Role")).lower(): {
            (
                frozenset(action.partition(":")[2] for action in listed(statement["Action"])),
                frozenset(statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]),
            )
            for statement in statements(name)
            if "Condition" in statement
        }
        for name in ROLES
    }
