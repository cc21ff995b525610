"""samconfig.yaml: each environment has a separate stack, and parameters that template.yaml accepts."""

from typing import Any

import pytest
import yaml

from cartctl.connection import STACK
from tools.support.paths import ROOT
from tools.support.template import TEMPLATE

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "samconfig.yaml").read_text())
ENVIRONMENTS = [name for name in CONFIG if name != "version"]


def settings(environment: str, command: str) -> dict[str, Any]:
    found: dict[str, Any] = CONFIG[environment][command]["parameters"]
    return found


def overrides(environment: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in settings(environment, "deploy").get("parameter_overrides", []))


def test_environments_differ_in_stack_and_tag() -> None:
    stacks = {name: settings(name, "global")["stack_name"] for name in ENVIRONMENTS}

    assert stacks == {"default": STACK, **{name: f"{STACK}-{name}" for name in ("dev", "staging", "prod")}}
    assert all(f"environment={name}" in settings(name, "deploy")["tags"] for name in ENVIRONMENTS if name != "default")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_overrides_are_allowed_by_the_template(environment: str) -> None:
    for name, value in overrides(environment).items():
        parameter = TEMPLATE["Parameters"][name]
        assert value in map(str, parameter.get("AllowedValues", [value]))
        if parameter["Type"] == "Number":
            assert parameter.get("MinValue", 0) <= int(value) <= parameter.get("MaxValue", int(value))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_build_decides_the_target(environment: str) -> None:
    assert not {"Runtime", "Architecture"} & overrides(environment).keys()
    assert not settings(environment, "build").get("cached")


def test_only_prod_keeps_its_table() -> None:
    kept = [name for name in ENVIRONMENTS if overrides(name).get("TableRetention") == "Retain"]

    assert kept == ["prod"]
