"""Make the virtual environments that are missing or out of date, each from its pinned and hashed requirements.

This runs before any of them exists, so it imports the standard library alone. There are three because ministack and
aws-sam-cli each insist on a version of botocore of their own.
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
REASON_LINES = 12
"""Last lines of a failed command's output that are shown."""


class PreparationError(Exception):
    """A virtual environment could not be made; the message says why."""


def main() -> None:
    """Make what is missing of those named, or of all, side by side, and say so; say nothing where nothing is."""
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
    """Make these virtual environments anew."""
    for name in names:
        print(f"Preparing {name} from {VENVS[name]}", flush=True)  # noqa: T201
        shutil.rmtree(ROOT / name, ignore_errors=True)
    start = time.monotonic()
    _run_together({name: [sys.executable, "-m", "venv", str(ROOT / name)] for name in names})
    # The files list every package, so there is nothing to resolve. Python compiles what it imports, once.
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps", "--require-hashes"]
    _run_together({
        name: [str(_python(name)), "-m", "pip", "install", *options, "--requirement", str(ROOT / VENVS[name])]
        for name in names
    })  # fmt: skip
    for name in names:
        if name == ".venv":  # our own packages are found where they lie
            version = f"python{sys.version_info.major}.{sys.version_info.minor}"
            packages = ROOT / name / "lib" / version / "site-packages"
            (packages / "serverless-cart.pth").write_text(f"{ROOT}\n{ROOT / 'layers' / 'storefront'}\n")
            command = ROOT / name / "bin" / "cartctl"
            command.write_text(f"#!{_python(name)}\nfrom cartctl.app import main\n\nmain()\n")
            command.chmod(0o755)
        (ROOT / name / "stamp").write_text(_wanted_stamp(name))
    print(f"Prepared in {time.monotonic() - start:.0f} s", flush=True)  # noqa: T201


def _run_together(commands: dict[str, list[str]]) -> None:
    """Run one command for each virtual environment at the same time; if one fails, stop the others."""
    with ExitStack() as cleanup:
        scratch = cleanup.enter_context(tempfile.TemporaryDirectory())  # pip leaves files behind when it is stopped
        running = {}
        for name, command in commands.items():
            output = cleanup.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            process = subprocess.Popen(  # noqa: S603 - the commands stand above
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
                    raise PreparationError(f"{name} could not be made:\n{reason}")
                del running[name]
            if not running:
                break
            time.sleep(0.1)
    _show("")


def _show(text: str) -> None:
    """Show a passing line where there is a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{text}")
        sys.stdout.flush()


def _python(name: str) -> Path:
    """Return the interpreter of a virtual environment."""
    return ROOT / name / "bin" / "python"


def _stamp(name: str) -> str:
    """Say what a virtual environment was made of; nothing where there is none, or half of one."""
    stamp = ROOT / name / "stamp"
    return stamp.read_text() if stamp.exists() and _python(name).exists() else ""


def _wanted_stamp(name: str) -> str:
    """Say what it should be made of. A virtual environment knows its own path, so one that was moved is made anew."""
    made_from = (ROOT / VENVS[name]).read_bytes() + Path(__file__).read_bytes()
    return f"{sys.version}\n{ROOT / name}\n{hashlib.sha256(made_from).hexdigest()}\n"


if __name__ == "__main__":
    main()
