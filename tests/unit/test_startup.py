"""What a function checks before it starts: its layers' target, and the table's name under `sam local`."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from serverless_cart import startup
from serverless_cart.startup import CannotStartError
from tests.support.cold import run_cold

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
WRONG = """
import sys, types
sys.modules["serverless_cart_target"] = types.SimpleNamespace(RUNTIME="python3.1", ARCHITECTURE="arm64")
try:
    from serverless_cart import bootstrap
finally:
    print(sorted({"pydantic", "boto3", "serverless_cart.environment"} & set(sys.modules)))
"""


def run_on(monkeypatch: pytest.MonkeyPatch, machine: str, *built_for: str) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    monkeypatch.setattr(startup, "BUILT_FOR", built_for or None)


@pytest.mark.parametrize(("machine", "architecture"), [("aarch64", "arm64"), ("arm64", "arm64"), ("x86_64", "x86_64")])
def test_fitting_layer_is_accepted(monkeypatch: pytest.MonkeyPatch, machine: str, architecture: str) -> None:
    run_on(monkeypatch, machine, RUNTIME, architecture)

    startup.check_layer()


@pytest.mark.parametrize(
    ("runtime", "architecture"), [("python3.1", "arm64"), (RUNTIME, "x86_64"), ("python3.1", "x86_64")]
)
def test_layer_of_another_target_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], runtime: str, architecture: str
) -> None:
    run_on(monkeypatch, "aarch64", runtime, architecture)

    with pytest.raises(CannotStartError) as refused:
        startup.check_layer()

    (line,) = capsys.readouterr().out.splitlines()
    logged = json.loads(line)
    assert logged == {
        "level": "ERROR",
        "message": str(refused.value),
        "built_for": f"{runtime} {architecture}",
        "runs_on": f"{RUNTIME} arm64",
    }
    assert f"make build RUNTIME={RUNTIME} ARCHITECTURE=arm64" in logged["message"]


def test_without_a_layer_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert startup.BUILT_FOR is None
    run_on(monkeypatch, "another")

    startup.check_layer()


def test_layer_is_checked_before_packages_load() -> None:
    """A package of another processor could not even be imported."""
    with pytest.raises(subprocess.CalledProcessError) as ended:
        run_cold(WRONG)

    logged, loaded = ended.value.stdout.splitlines()
    assert json.loads(logged)["built_for"] == "python3.1 arm64"
    assert loaded == "[]"
    assert "CannotStartError" in ended.value.stderr


@pytest.mark.parametrize(
    ("variables", "refused"),
    [
        ({"AWS_SAM_LOCAL": "true", "TABLE_NAME": "Table"}, True),
        ({"AWS_SAM_LOCAL": "true", "TABLE_NAME": "serverless-cart-Table-1A2B"}, False),
        ({"TABLE_NAME": "Table"}, False),
    ],
)
def test_sam_local_without_a_table_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], *, refused: bool
) -> None:
    for name in ("AWS_SAM_LOCAL", "TABLE_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    if refused:
        with pytest.raises(CannotStartError, match=r"make up.*--config-file"):
            startup.check_table()
        assert "--config-file" in json.loads(capsys.readouterr().out)["message"]
    else:
        startup.check_table()
