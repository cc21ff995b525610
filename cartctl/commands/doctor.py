"""``cartctl doctor``: checks of the deployment, with advice for each problem."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import typer

from cartctl import checks
from cartctl.errors import ExitCode
from cartctl.findings import CHECK_ERRORS, Finding, State, not_checked
from cartctl.shell import Invocation, invocation
from cartctl.terminal import Screen

COLOURS: Final = {State.OK: "green", State.WARNING: "yellow", State.FAILURE: "bold red"}


def doctor(context: typer.Context) -> None:
    """Check the deployment and print what to do about each problem. The exit code is 5 if a check failed.

    The doctor changes nothing. The reading policy of docs/operate.md allows all that it does.

        cartctl doctor

        cartctl doctor --json --region eu-west-1
    """
    run = invocation(context)
    report(run, _findings(run))


def report(run: Invocation, findings: Sequence[Finding]) -> None:
    """Print findings. Raises `typer.Exit` with code 5 if one is a failure."""
    run.out.show([asdict(finding) for finding in findings], lambda console: _print(console, findings))
    if any(finding.state is State.FAILURE for finding in findings):
        raise typer.Exit(ExitCode.FINDINGS)


def _findings(run: Invocation) -> list[Finding]:
    try:
        deployment = run.deployment
    except CHECK_ERRORS as error:
        return [not_checked("stack", error)]
    return list(checks.examine(deployment))


def _print(console: Screen, findings: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        state, check = (f"{finding.state:<8}", COLOURS[finding.state]), (f"{finding.check:<{width}}", "bold")
        console.print_line(state, " ", check, "  ", finding.seen)
        if finding.advice:
            console.print_line(" " * (width + 11), finding.advice)
    count = Counter(finding.state for finding in findings)
    warnings = "1 warning" if count[State.WARNING] == 1 else f"{count[State.WARNING]} warnings"
    console.print_line(f"{count[State.OK]} ok, {warnings}, {count[State.FAILURE]} failed")
