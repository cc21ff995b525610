"""Look up the known vulnerabilities of every pinned package, and report them in a few lines (part of `make lint`).

The files are audited separately, because they pin different versions of some packages. If the advisory database
cannot be reached, behind a mirror of the package index for example, this is reported and is no failure.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tools.support.paths import ROOT

FILES: Final = (
    "layers/dependencies/requirements.txt",  # first: what is deployed
    "requirements/checkov.txt",
    "requirements/dev.txt",
    "requirements/emulator.txt",
    "requirements/mutants.txt",
    "requirements/sam.txt",
)
NO_ANSWER: Final = re.compile(r"requests\.exceptions\.\w+|ServiceError|Could not connect|not redirecting properly")
"""The last line of pip-audit if the database cannot be reached at all."""


def main() -> None:
    """Audit each file. Exit non-zero if a package is vulnerable, or if only some packages could be looked up."""
    failed = False
    for name in FILES:
        packages = audit(name)
        report, good = summarize(packages)
        print(f"pip-audit {name}: {report}")  # noqa: T201
        failed |= not good
        if all("skip_reason" in package for package in packages):
            break  # the database will not answer for the next file either
    sys.exit(failed)


def audit(name: str) -> list[dict[str, Any]]:
    """Return what pip-audit found of each package of a file: its ``vulns``, or a ``skip_reason``.

    Exits if the file itself cannot be audited.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / name), "--disable-pip"]
        command += ["--require-hashes", "--progress-spinner", "off", "--format", "json", "--output", str(report)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, and no shell
        if report.exists():
            packages: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
            return packages
    last = "".join(run.stderr.rstrip().splitlines()[-1:])
    if no_answer := NO_ANSWER.search(last):
        return [{"name": "every package", "skip_reason": no_answer[0]}]
    sys.exit(f"pip-audit {name}: {last}")


def summarize(packages: list[dict[str, Any]]) -> tuple[str, bool]:
    """Return the summary of a report, and whether it is good."""
    vulnerable = [package for package in packages if package.get("vulns")]
    unknown = [package for package in packages if "skip_reason" in package]
    if vulnerable:
        lines = [
            f"  {package['name']} {package['version']}: {advisory['id']}, "
            f"fixed in {', '.join(advisory['fix_versions']) or 'no version yet'}"
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
    return f"no known vulnerabilities in {len(packages)} packages", True


if __name__ == "__main__":
    main()
