"""docs/security.md: its test files exist and contain tests, and its permissions are those of the template."""

import re

import pytest

from tests.support.guide import rows, section
from tests.support.policies import listed
from tests.unit.test_template import ROLES, statements
from tools.support.paths import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()
MITIGATIONS = rows(section("## Mitigations", TEXT))
TEST_FILES = sorted(set(re.findall(r"`(tests/[^`]+)`", TEXT)))

Permission = tuple[frozenset[str], frozenset[str]]
"""Actions, and the key prefixes that they may use."""


def test_document_has_mitigations() -> None:
    assert len(MITIGATIONS) > 15
    assert len(TEST_FILES) > 10


@pytest.mark.parametrize("name", TEST_FILES)
def test_named_test_file_has_tests(name: str) -> None:
    assert re.search(r"^def test_\w+\(", (ROOT / name).read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize(("threat", "mitigation", "tests"), MITIGATIONS)
def test_every_mitigation_names_its_tests(threat: str, mitigation: str, tests: str) -> None:
    assert threat
    assert mitigation
    assert re.fullmatch(r"`tests/\w+/test_\w+\.py`(, `tests/\w+/test_\w+\.py`)*", tests)


def documented_permissions() -> dict[str, set[Permission]]:
    """Return the permissions of each function by the document: the parts of a row are separated by semicolons."""
    return {
        function: {
            (frozenset(names.strip().split(", ")), frozenset(re.findall(r"`([^`]+)`", patterns)))
            for names, patterns in zip(actions.split(";"), prefixes.split(";"), strict=True)
        }
        for function, actions, prefixes in rows(section("## Functions", TEXT))
    }


def deployed_permissions() -> dict[str, set[Permission]]:
    """Return the permissions of each function by the template."""
    return {
        re.sub(r"\B(?=[A-Z])", "_", role.removesuffix("Role")).lower(): {
            (
                frozenset(action.partition(":")[2] for action in listed(statement["Action"])),
                frozenset(statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]),
            )
            for statement in statements(role)
            if "Condition" in statement
        }
        for role in ROLES
    }


def test_permissions_equal_the_template_s() -> None:
    assert documented_permissions() == deployed_permissions()
