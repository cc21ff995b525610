"""Clients that generators make from docs/openapi.yaml: their types are exact, and they work."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.stack import Stack
from tests.clients.library import FOLDER, VENVS
from tools.client_packages import MODULES
from tools.support.paths import ROOT

DOCUMENT = ROOT / "docs" / "openapi.yaml"
TSC = ["--strict", "--noEmitOnError", "--skipLibCheck", "--target", "es2022", "--module", "node16"]
PYTHON = VENVS / "openapi-python-client" / "bin"


def run(folder: Path, *command: str | Path) -> str:
    """Run a command in a folder and return its output."""
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "PATH": f"{PYTHON}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(folder / "client")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def arguments(stack: Stack, token: str) -> list[str]:
    """Return the arguments of the scripts that use a client."""
    return [stack.shop_url, token, str(stack.products[0].id), stack.search_url, stack.api_key, stack.hashid]


def test_typescript_types_are_exact_and_work(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "node_modules").symlink_to(MODULES)
    shutil.copy(FOLDER / "use_types.ts", tmp_path)
    run(tmp_path, MODULES / ".bin" / "openapi-typescript", DOCUMENT, "--output", "api.d.ts")
    run(tmp_path, MODULES / ".bin" / "tsc", *TSC, "use_types.ts")

    assert json.loads(run(tmp_path, "node", "use_types.js", *arguments)) == [
        [200, 2, "EUR"],
        [200, "gift"],
        [400, "invalid product", ["product"]],
        [0, 404, "item not found"],
        [409, [], ["warnings", "total"]],
        ["hold", True, 1],
        ["cancelled", 409, "order cannot be cancelled"],
    ]


def test_python_models_are_exact_and_work(tmp_path: Path, arguments: list[str]) -> None:
    generator = PYTHON / "openapi-python-client"
    run(tmp_path, generator, "generate", "--path", DOCUMENT, "--output-path", "client", "--fail-on-warning")

    assert json.loads(run(tmp_path, PYTHON / "python", FOLDER / "use_models.py", *arguments)) == [
        ["Cart", None, 2, "EUR"],
        ["Cart", None, "gift"],
        ["InvalidProduct", "invalid product", ["product"]],
        ["Cart", None, 0],
        ["ItemNotFound", "item not found"],
        ["Unauthenticated", "authentication required"],
        ["CartNeedsReview", "cart needs review", []],
        ["PlacedOrder", None],
        ["Order", None, "hold", 1],
        ["OrderList", None, 1],
        ["Order", None, "cancelled"],
        ["OrderNotCancellable", "order cannot be cancelled"],
        ["Registered", None],
        ["AdditionLacksFields", 'Following fields are missing: ["id", "index", "title"]'],
        "list[str]",
    ]
