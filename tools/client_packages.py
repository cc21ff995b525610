"""Install the npm packages of the tests, a browser among them: `python -m tools.client_packages`.

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

NODE: Final = 20
SOURCE: Final = ROOT / "tests" / "clients" / "libraries"
FILES: Final = ("package.json", "package-lock.json")
FOLDER: Final = ROOT / ".local" / "client-packages"
MODULES: Final = FOLDER / "node_modules"
CHROMIUM: Final = FOLDER / "chromium"
"""The browser, unpacked; it runs on Linux on x86_64."""
UNPACK: Final = """
const { createReadStream, createWriteStream } = require("fs");
const { createBrotliDecompress } = require("zlib");
const { pipeline } = require("stream/promises");
const [packed, unpacked] = process.argv.slice(1);
pipeline(createReadStream(packed), createBrotliDecompress(), createWriteStream(unpacked, { mode: 0o755 }));
"""


class InstallationError(Exception):
    """The packages could not be installed; the message says why and what to do."""


def main() -> None:
    """Install what is missing or out of date. Exit with one line if that fails."""
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
        raise InstallationError(f"The tests of JavaScript clients need Node {NODE} or later and npm: install both.")


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
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    _run("node", "--eval", UNPACK, str(MODULES / "@sparticuz" / "chromium" / "bin" / "chromium.br"), str(CHROMIUM))
    (FOLDER / "stamp").write_text(_stamp())


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        reason = done.stderr.strip() or f"{command[0]} exited with {done.returncode}"
        raise InstallationError(f"The packages of tests/clients could not be installed: {reason}")


def _stamp() -> str:
    content = b"".join(path.read_bytes() for path in (*(SOURCE / name for name in FILES), Path(__file__)))
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
