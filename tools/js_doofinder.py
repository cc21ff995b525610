"""Install js-doofinder, as released, for `make test-clients`: `python -m tools.js_doofinder`.

npm checks every package against the digest in tests/clients/libraries/package-lock.json and runs no install script.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.support.paths import ROOT

NODE: Final = 18
SOURCE: Final = ROOT / "tests" / "clients" / "libraries"
FILES: Final = ("package.json", "package-lock.json")
FOLDER: Final = ROOT / ".local" / "js-doofinder"


class InstallationError(Exception):
    """js-doofinder could not be installed; the message says why and what to do."""


def main() -> None:
    """Install it if it is missing or out of date. Exit with one line if that fails."""
    try:
        check_node()
        if not is_installed():
            install()
    except InstallationError as error:
        sys.exit(str(error))


def check_node() -> None:
    """Raise `InstallationError` unless there are a Node of a supported version and npm."""
    node = shutil.which("node")
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False) if node else None  # noqa: S603
    version = re.match(r"v(\d+)", answer.stdout) if answer else None
    if version is None or int(version[1]) < NODE or not shutil.which("npm"):
        raise InstallationError(f"The tests of js-doofinder need Node {NODE} or later and npm: install both.")


def is_installed() -> bool:
    """Return whether the installed packages are those of the lock file."""
    stamp = FOLDER / "stamp"
    return stamp.exists() and stamp.read_text() == _stamp()


def install() -> None:
    """Install the packages of the lock file. Raises `InstallationError`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in FILES:
        shutil.copy(SOURCE / name, FOLDER)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        reason = done.stderr.strip() or f"npm ci exited with {done.returncode}"
        raise InstallationError(f"js-doofinder could not be installed: {reason}")
    (FOLDER / "stamp").write_text(_stamp())


def _stamp() -> str:
    content = b"".join(Path(SOURCE / name).read_bytes() for name in FILES)
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
