""".github/workflows: pinned actions, no stored keys, one build that staging gets before prod."""

import re
from typing import Any

import pytest
import yaml

from cartctl.connection import STACK
from tools.build import TEMPLATE, default_target
from tools.support.paths import ROOT
from tools.support.template import read_template

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((FOLDER / f"{name}.yml").read_text(), yaml.BaseLoader)  # noqa: S506 - texts only
    return found


DEPLOY, ENVIRONMENT = workflow("deploy"), workflow("deploy-environment")
STEPS: list[dict[str, Any]] = ENVIRONMENT["jobs"]["deploy"]["steps"]
COMMANDS = [step["run"] for step in STEPS if "run" in step]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actions_are_pinned_and_nothing_is_secret(file: Any) -> None:
    text = file.read_text()
    used = re.findall(r"uses: (.*)", text)

    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\S+(, .*)?|\./\.github/workflows/[\w-]+\.yml", it) for it in used)
    assert "secrets." not in text
    assert "pull_request_target" not in text
    assert re.findall(r"persist-credentials: (\w+)", text) == ["false"] * text.count("actions/checkout@")
    assert not re.search(r"run: .*\$\{\{", text), "an expression in a command can inject code"


def test_staging_is_tested_before_prod() -> None:
    jobs = DEPLOY["jobs"]

    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None,
        "staging": "build",
        "prod": "staging",
    }
    for name in ("staging", "prod"):
        assert jobs[name]["with"] == {"environment": name}
        assert jobs[name]["uses"] == "./.github/workflows/deploy-environment.yml"
    sam, doctor, smoke = COMMANDS[-3:]
    assert sam.startswith('sam deploy --config-env "$ENVIRONMENT" --role-arn "$EXECUTION_ROLE" ')
    assert (doctor, smoke) == ('cartctl doctor --stack "$STACK"', 'cartctl smoke smoke --stack "$STACK"')
    assert ENVIRONMENT["jobs"]["deploy"]["env"]["STACK"] == f"{STACK}-${{{{ inputs.environment }}}}"


def test_only_deployments_get_an_identity() -> None:
    allowed = {"contents": "read", "id-token": "write"}

    assert DEPLOY["permissions"] == {"contents": "read"}
    assert [name for name, job in DEPLOY["jobs"].items() if job.get("permissions") == allowed] == ["staging", "prod"]
    assert ENVIRONMENT["permissions"] == allowed
    assert ENVIRONMENT["jobs"]["deploy"]["environment"] == "${{ inputs.environment }}"


def test_build_is_made_once_for_the_target() -> None:
    steps = DEPLOY["jobs"]["build"]["steps"]
    target = default_target(TEMPLATE.read_text())
    (python,) = [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")]
    (uploaded,) = [step["with"] for step in steps if "upload-artifact" in step.get("uses", "")]
    (downloaded,) = [step["with"] for step in STEPS if "download-artifact" in step.get("uses", "")]

    assert f"python{python}" == target.runtime
    assert f"cpython-{python.replace('.', '')}.pyc" in str(steps)
    assert [step["run"] for step in steps if "make" in step.get("run", "")] == ["make build"]
    assert (uploaded["name"], uploaded["path"]) == (downloaded["name"], downloaded["path"])
    assert not any("make build" in command for command in COMMANDS)


def test_variables_are_outputs_of_the_role() -> None:
    outputs = read_template(ROOT / "deployment" / "role.yaml")["Outputs"].values()
    named = {re.findall(r"Variable (\w+)", output["Description"])[0] for output in outputs}

    assert set(re.findall(r"vars\.(\w+)", str(ENVIRONMENT))) == named | {"AWS_REGION"}
