"""Cold starts: code in a Python of its own, with our layer and nothing of what the tests have loaded."""

import os
import subprocess
import sys

from tools.support.paths import ROOT


def run_cold(code: str, *arguments: str, stdin: str = "") -> str:
    """Run code in a Python of its own, as a function's cold start would, and return what it prints."""
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
