"""Build the functions' layers for one runtime and architecture, with the SAM CLI on the PATH: `make build`.

`sam build` passes no parameters to the layers' Makefiles, and `sam deploy` does not know what the layers are built for.
This script therefore writes the target into a copy of the template, as the default of the parameters and as the only
values that the rule `LayersFitTheFunctions` accepts (docs/decisions.md). It imports only the standard library.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
TEMPLATE: Final = ROOT / "template.yaml"
FOLDER: Final = ROOT / ".aws-sam"
"""The folder of SAM's builds; the copy of the template is beside the build."""
LEAST_SAM: Final = (1, 149, 0)
"""The first version of the SAM CLI that accepts `VersionDeletionPolicy`."""
MAKE: Final = ("MAKE", "MFLAGS", "GNUMAKEFLAGS", "RUNTIME", "ARCHITECTURE")
"""Beginnings of the variables that the calling `make` sets, which the layers' `make` must not inherit."""


class BuildError(Exception):
    """There can be no build; the message says why, and what to do."""


class Target(NamedTuple):
    """What layers are built for, as the template's parameters of these names."""

    runtime: str
    architecture: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that the layers' Makefiles read."""
        return {"LAYER_RUNTIME": self.runtime, "LAYER_ARCHITECTURE": self.architecture}


def default_target(template: str) -> Target:
    """Return the target of a template: its parameters' defaults."""
    return Target(*(_parameter(template, name)[0] for name in ("Runtime", "Architecture")))


def template_for(target: Target, template: str) -> str:
    """Return a template whose defaults and rule are the target, for a folder one level below the repository.

    Raises `BuildError` if the template does not allow the target.
    """
    for name, value in zip(("Runtime", "Architecture"), target, strict=True):
        default, allowed = _parameter(template, name)
        if value not in allowed:
            raise BuildError(f"{name.upper()}={value} is not possible: choose one of {', '.join(allowed)}.")
        # The default of the parameter, then the value and the message of the rule.
        template, count = re.subn(
            rf"(  {name}:\n(?:    .*\n)*?    Default: |!Ref {name}, |{name}=){re.escape(default)}\b",
            rf"\g<1>{value}",
            template,
        )
        if count != 3:
            raise BuildError(f"template.yaml has {default} of {name} in {count} places instead of 3.")
    return re.sub(r"^(      (?:CodeUri|ContentUri|TemplateURL): )", r"\1../", template, flags=re.MULTILINE)


def write_template(target: Target, folder: Path) -> Path:
    """Write the template for a target into a folder of the repository, and return its path. Raises `BuildError`."""
    folder.mkdir(exist_ok=True)
    path = folder / "template.yaml"
    path.write_text(template_for(target, TEMPLATE.read_text()))
    return path


def check_version(said: str) -> None:
    """Check what `sam --version` prints. Raises `BuildError` if that version is too old."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    if not found or tuple(map(int, found.groups())) < LEAST_SAM:
        least = ".".join(map(str, LEAST_SAM[:2]))
        raise BuildError(f"{said.strip() or 'sam'} is too old: install SAM CLI {least} or later.")


def environment_for(target: Target, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of `sam build`: the given one, and the target instead of what `make` passes on."""
    return {name: value for name, value in variables.items() if not name.startswith(MAKE)} | target.variables


def build(target: Target) -> None:
    """Build into .aws-sam/build, from where `sam deploy` takes it. Raises `BuildError`."""
    template = write_template(target, FOLDER)
    try:
        version = subprocess.run(["sam", "--version"], capture_output=True, text=True, check=False)  # noqa: S607
    except FileNotFoundError:
        raise BuildError("The SAM CLI is not on the PATH: install it (README.md, Deploy to AWS).") from None
    check_version(version.stdout or version.stderr)
    done = subprocess.run(  # noqa: S603 - SAM itself
        ["sam", "build", "--template-file", str(template), "--no-cached"],  # noqa: S607 - the operator's own
        cwd=ROOT,
        env=environment_for(target, os.environ),
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"sam build failed with exit code {done.returncode}.")
    print(f"Built for {target.runtime} on {target.architecture}")  # noqa: T201


def main() -> None:
    """Build for the target on the command line, by default for the template's."""
    default = default_target(TEMPLATE.read_text())
    parser = argparse.ArgumentParser(description="Build the layers for one runtime and architecture.")
    parser.add_argument("--runtime", default="", help=f"default: {default.runtime}")
    parser.add_argument("--architecture", default="", help=f"default: {default.architecture}")
    given = parser.parse_args()
    try:
        build(Target(given.runtime or default.runtime, given.architecture or default.architecture))
    except BuildError as error:
        sys.exit(f"Error: {error}")


def _parameter(template: str, name: str) -> tuple[str, list[str]]:
    """Return the default and the allowed values of a parameter."""
    found = re.search(
        rf"^  {name}:\n(?:    .*\n)*?    Default: (\S+)\n    AllowedValues: \[(.*)\]$", template, re.MULTILINE
    )
    if not found:
        raise BuildError(f"template.yaml has no parameter {name} with a default and allowed values.")
    return found[1], found[2].split(", ")


if __name__ == "__main__":
    main()
