"""Create the virtual environments that are missing or out of date, each from its pinned and hashed requirements.

This runs before any of them exists, so it imports only the standard library. There are three, because ministack and
aws-sam-cli each require another version of botocore, and those of `make test-clients`. Our own package is installed
into .venv in editable mode.
"""

import fcntl
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

if not (3, 11) <= sys.version_info < (3, 15):  # the emulator runs the functions in this very interpreter
    sys.exit(
        f"Python {sys.version_info.major}.{sys.version_info.minor} cannot run the functions: "
        "use 3.11 to 3.14, as in make start PYTHON=python3.13"
    )

ROOT = Path(__file__).resolve().parents[1]
LOCAL = ROOT / ".local"
VENVS = {
    ".venv": "requirements/dev.txt",
    ".local/venvs/sam": "requirements/sam.txt",
    ".local/venvs/emulator": "requirements/emulator.txt",
}
CLIENTS = {
    f".local/venvs/{name}": f"tests/clients/libraries/{name}.txt"
    for name in ("pydoof-4.2.0", "pydoof-4.3.0", "openapi-python-client")
}
"""Only `make test-clients` needs these."""
CHECKOV = {".local/venvs/checkov": "requirements/checkov.txt"}
"""Only `make lint` needs this; it pins another boto3 than the rest."""
REQUIREMENTS = VENVS | CLIENTS | CHECKOV
REASON_LINES = 12
"""Last lines of a failed command's output that are shown."""


class PreparationError(Exception):
    """A virtual environment could not be created; the message says why."""


def main() -> None:
    """Create the missing ones of those named, or of all, side by side. Print nothing if none is missing."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    LOCAL.mkdir(exist_ok=True)
    try:
        with (LOCAL / "prepare.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            missing = [name for name in sys.argv[1:] or VENVS if _stamp(name) != _wanted_stamp(name)]
            if missing:
                _prepare(missing)
    except PreparationError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        _show("")
        sys.exit(130)


def _prepare(names: list[str]) -> None:
    """Create these virtual environments from scratch."""
    for name in names:
        print(f"Preparing {name} from {REQUIREMENTS[name]}", flush=True)  # noqa: T201
        shutil.rmtree(ROOT / name, ignore_errors=True)
    start = time.monotonic()
    _run_together({name: [sys.executable, "-m", "venv", str(ROOT / name)] for name in names})
    # The files list every package, so there is nothing to resolve. Python compiles what it imports, once.
    _run_together({
        name: [*_pip(name), "--no-compile", "--no-deps", "--require-hashes", "--requirement", str(_requirements(name))]
        for name in names
    })  # fmt: skip
    if ".venv" in names:  # setuptools comes from the requirements, and our own package stays where it is
        _run_together({".venv": [*_pip(".venv"), "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]})
    for name in names:
        (ROOT / name / "stamp").write_text(_wanted_stamp(name))
    print(f"Prepared in {time.monotonic() - start:.0f} s", flush=True)  # noqa: T201


def _pip(name: str) -> list[str]:
    """Return the beginning of a command that installs something into a virtual environment."""
    return [str(_python(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def _run_together(commands: dict[str, list[str]]) -> None:
    """Run one command for each virtual environment at the same time; if one fails, stop the others."""
    with ExitStack() as cleanup:
        scratch = cleanup.enter_context(tempfile.TemporaryDirectory())  # pip leaves files behind when it is stopped
        running = {}
        for name, command in commands.items():
            output = cleanup.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            process = subprocess.Popen(  # noqa: S603 - our own commands, and no shell
                command,
                env={**os.environ, "TMPDIR": scratch},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            cleanup.callback(process.wait)
            cleanup.callback(process.kill)
            running[name] = process, output
        for frame in itertools.cycle("|/-\\"):
            _show(f"{frame} {', '.join(running)}")
            for name, (process, output) in list(running.items()):
                if process.poll() is None:
                    continue
                if process.returncode != 0:
                    _show("")
                    output.seek(0)
                    reason = "\n".join(output.read().rstrip().splitlines()[-REASON_LINES:])
                    raise PreparationError(f"{name} could not be created:\n{reason}")
                del running[name]
            if not running:
                break
            time.sleep(0.1)
    _show("")


def _show(text: str) -> None:
    """Show a temporary line if there is a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{text}")
        sys.stdout.flush()


def _requirements(name: str) -> Path:
    """Return the requirements file of a virtual environment."""
    return ROOT / REQUIREMENTS[name]


def _python(name: str) -> Path:
    """Return the interpreter of a virtual environment."""
    return ROOT / name / "bin" / "python"


def _stamp(name: str) -> str:
    """Return what a virtual environment was created from; empty if there is none, or only a part of one."""
    stamp = ROOT / name / "stamp"
    return stamp.read_text() if stamp.exists() and _python(name).exists() else ""


def _wanted_stamp(name: str) -> str:
    """Return what it should be created from. It contains its own path, so one that was moved is created again."""
    made_from = _requirements(name).read_bytes() + Path(__file__).read_bytes()
    if name == ".venv":
        made_from += (ROOT / "pyproject.toml").read_bytes().partition(b"[tool.ruff]")[0]  # how our package is installed
    return f"{sys.version}\n{ROOT / name}\n{hashlib.sha256(made_from).hexdigest()}\n"


if __name__ == "__main__":
    main()
