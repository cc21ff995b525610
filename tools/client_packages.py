"""Install the npm packages of the tests, a browser among them: `python -m tools.client_packages`.

npm checks every package against the digest in the package-lock.json beside its package.json; it runs no install script.
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
LIBRARIES: Final = ROOT / "tests" / "clients" / "libraries"
CLIENT: Final = ROOT / "clients" / "js"
"""Our client library, whose packages are its developers' tools."""
FILES: Final = ("package.json", "package-lock.json")
NPM_CI: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
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
        if not _is_installed(LIBRARIES, FOLDER):
            _install_libraries()
        if not _is_installed(CLIENT, CLIENT / "node_modules"):
            _run(CLIENT, *NPM_CI)
            (CLIENT / "node_modules" / "stamp").write_text(_stamp(CLIENT))
    except InstallationError as error:
        sys.exit(str(error))


def check_node() -> None:
    """Raise `InstallationError` unless there are a Node of a supported version and npm."""
    node = shutil.which("node")
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False) if node else None  # noqa: S603
    version = re.match(r"v(\d+)", answer.stdout) if answer else None
    if version is None or int(version[1]) < NODE or not shutil.which("npm"):
        raise InstallationError(f"The tests of JavaScript clients need Node {NODE} or later and npm: install both.")


def _is_installed(source: Path, stamped: Path) -> bool:
    stamp = stamped / "stamp"
    return stamp.exists() and stamp.read_text() == _stamp(source)


def _install_libraries() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in FILES:
        shutil.copy(LIBRARIES / name, FOLDER)
    _run(FOLDER, *NPM_CI)
    packed = MODULES / "@sparticuz" / "chromium" / "bin" / "chromium.br"
    _run(FOLDER, "node", "--eval", UNPACK, str(packed), str(CHROMIUM))
    (FOLDER / "stamp").write_text(_stamp(LIBRARIES))


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        reason = done.stderr.strip() or f"{command[0]} exited with {done.returncode}"
        raise InstallationError(f"The packages of {folder.name} could not be installed: {reason}")


def _stamp(source: Path) -> str:
    content = b"".join(path.read_bytes() for path in (*(source / name for name in FILES), Path(__file__)))
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
