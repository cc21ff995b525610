"""tools/build.py: the template of a target, and the version of the SAM CLI."""

import re
import sys
from pathlib import Path

import pytest

from tools import build
from tools.build import BuildError, Target
from tools.support.paths import ROOT

SOURCE = build.TEMPLATE.read_text()
OTHER = Target("python3.12", "x86_64")


def test_default_target_is_that_of_the_makefiles() -> None:
    assigned = {
        line.partition(" ?= ")[::2]
        for file in (ROOT / "layers").glob("*/Makefile")
        for line in file.read_text().splitlines()
        if line.startswith("LAYER_")
    }

    assert assigned == set(build.default_target(SOURCE).variables.items())


def test_target_replaces_default_and_rule() -> None:
    changed = build.template_for(OTHER, SOURCE)

    assert build.default_target(changed) == OTHER
    for name, value in (("Runtime", "python3.12"), ("Architecture", "x86_64")):
        assert changed.count(f"Assert: !Equals [!Ref {name}, {value}]") == 1
        assert changed.count(f"The layers were built for {name}={value}.") == 1
        assert re.search(rf"^  {name}:\n.*\n.*\n    Default: {value}$", changed, re.MULTILINE)


def test_target_changes_nothing_else() -> None:
    default = build.template_for(build.default_target(SOURCE), SOURCE)
    changed = build.template_for(OTHER, SOURCE).splitlines()

    assert default == re.sub(r"(Uri|URL): (?=functions|layers|stacks)", r"\1: ../", SOURCE)
    assert sum(old != new for old, new in zip(default.splitlines(), changed, strict=True)) == 6


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target("python3.9", "arm64"), "RUNTIME=python3.9 is not possible: choose one of python3.11, "),
        (Target("python3.12", "arm32"), "ARCHITECTURE=arm32 is not possible: choose one of arm64, x86_64."),
    ],
)
def test_impossible_target_is_refused(target: Target, said: str) -> None:
    with pytest.raises(BuildError, match=re.escape(said)):
        build.template_for(target, SOURCE)


def test_template_without_rule_is_refused() -> None:
    with pytest.raises(BuildError, match="arm64 of Architecture in 2 places"):
        build.template_for(OTHER, SOURCE.replace("[!Ref Architecture, arm64]", "[]"))


def test_least_sam_cli_is_1_149() -> None:
    for said in ("SAM CLI, version 1.149.0", "SAM CLI, version 1.170.1", "SAM CLI, version 2.0.0"):
        build.check_version(said)
    for said in ("SAM CLI, version 0.200.0", "no version"):
        with pytest.raises(BuildError, match=rf"{said} is too old: install SAM CLI 1\.149 or later\."):
            build.check_version(said)


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo SAM CLI, version 1.148.9", "1.148.9 is too old: install SAM CLI 1.149"), ("", "not on the PATH")],
)
def test_build_needs_a_new_sam_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str) -> None:
    if script:
        (tmp_path / "sam").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "sam").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["build.py"])

    with pytest.raises(SystemExit, match=said):
        build.main()


def test_documents_name_the_least_sam_cli() -> None:
    least = "SAM CLI {}.{}".format(*build.LEAST_SAM)

    for name in ("README.md", "docs/operate.md"):
        assert least in re.sub(r"[\[\]]|\([^)]*\)", "", (ROOT / name).read_text()), name


def test_make_passes_no_variables_to_the_layers() -> None:
    given = {"PATH": "/bin", "MAKEFLAGS": "RUNTIME=x", "MAKELEVEL": "1", "RUNTIME": "x", "ARCHITECTURE": "y"}

    assert build.environment_for(OTHER, given) == {
        "PATH": "/bin",
        "LAYER_RUNTIME": "python3.12",
        "LAYER_ARCHITECTURE": "x86_64",
    }
