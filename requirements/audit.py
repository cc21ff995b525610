# ruff: noqa: INP001 - a command, not a package
"""Ask for known vulnerabilities of every package that is pinned anywhere, and say in a few lines what was found.

The four files are audited apart, because they pin different versions of some packages. Where the advisory database
cannot be asked, on a mirror of the package index for example, that is said, and it is no failure.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
FILES: Final = (
    "layers/dependencies/requirements.txt",  # first: what is deployed
    "requirements/dev.txt",
    "requirements/emulator.txt",
    "requirements/sam.txt",
)


NO_ANSWER: Final = re.compile(r"requests\.exceptions\.\w+|ServiceError|Could not connect|not redirecting properly")
"""How pip-audit ends where the database cannot be asked at all."""


def main() -> None:
    """Audit each file; fail where anything is known of a package, or where only some could be looked up."""
    failed = False
    for name in FILES:
        packages = audit(name)
        said, good = judge(packages)
        print(f"pip-audit {name}: {said}")  # noqa: T201
        failed |= not good
        if all("skip_reason" in package for package in packages):
            break  # what does not answer for one file does not for the next
    sys.exit(failed)


def audit(name: str) -> list[dict[str, Any]]:
    """Return what pip-audit found of each package of a file: its ``vulns``, or a ``skip_reason``.

    Exits where the file cannot be audited for a reason of its own.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / name), "--disable-pip"]
        command += ["--require-hashes", "--progress-spinner", "off", "--format", "json", "--output", str(report)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - all of it stands above
        if report.exists():
            packages: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
            return packages
    last = "".join(run.stderr.rstrip().splitlines()[-1:])
    if no_answer := NO_ANSWER.search(last):
        return [{"name": "every package", "skip_reason": no_answer[0]}]
    sys.exit(f"pip-audit {name}: {last}")


def judge(packages: list[dict[str, Any]]) -> tuple[str, bool]:
    """Say what a report comes to, and whether that is good."""
    vulnerable = [package for package in packages if package.get("vulns")]
    unknown = [package for package in packages if "skip_reason" in package]
    if vulnerable:
        lines = [
            f"  {package['name']} {package['version']}: {advisory['id']}, "
            f"mended in {', '.join(advisory['fix_versions']) or 'no version yet'}"
            for package in vulnerable
            for advisory in package["vulns"]
        ]
        return "\n".join([f"{len(vulnerable)} of {len(packages)} packages are vulnerable", *lines]), False
    if len(unknown) == len(packages):
        return (
            f"NOT AUDITED, nor the other files: no advisory database answers here ({unknown[0]['skip_reason']})",
            True,
        )
    if unknown:
        names = ", ".join(package["name"] for package in unknown)
        return f"{len(unknown)} of {len(packages)} packages could not be looked up: {names}", False
    return f"nothing is known against its {len(packages)} packages", True


if __name__ == "__main__":
    main()
