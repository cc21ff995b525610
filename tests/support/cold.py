"""Cold starts: code in a new Python, with the layer and nothing that the tests have loaded."""

import json
import os
import subprocess
import sys
from functools import cache
from typing import NamedTuple

from tools.support.paths import ROOT


def run_cold(code: str, *arguments: str, stdin: str = "") -> str:
    """Run code in a new Python, as the cold start of a function does, and return what it prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "layers" / "application"),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "TABLE_NAME": "table",
        "PYTHONDONTWRITEBYTECODE": "1",  # a function's folder is deployed as it is
    }
    run = subprocess.run(  # noqa: S603 - our own code, and no shell
        [sys.executable, "-c", code, *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "events",  # which holds no code
    )
    return run.stdout


class Initialised(NamedTuple):
    """A function after its initialisation: its modules, its sockets, its threads, and whether it collects garbage."""

    modules: frozenset[str]
    sockets: list[str]
    threads: int
    collects: bool


@cache
def initialised(code: str) -> Initialised:
    """Run code in a new Python, and return what it leaves. Open files are listed on Linux only."""
    modules, *others = json.loads(run_cold(code + _REPORT))
    return Initialised(frozenset(modules), *others)


def load_function(function: str) -> str:
    """Return the code that loads a function as Lambda does."""
    return f"import sys; sys.path.insert(0, {str(ROOT / 'functions' / function)!r}); import app\n"


_REPORT = """
import sys
modules = list(sys.modules)
import gc, json, threading
from pathlib import Path
files = [str(file.readlink()) for file in Path("/proc/self/fd").glob("*") if file.is_symlink()]
sockets = [name for name in files if name.startswith("socket:")]
print(json.dumps([modules, sockets, threading.active_count(), gc.isenabled()]))
"""
