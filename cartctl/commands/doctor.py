"""``cartctl doctor``: checks of the deployment, with advice for each problem."""

from collections import Counter
from dataclasses import asdict
from typing import Final

import typer

from cartctl import checks
from cartctl.checks import Finding, State
from cartctl.errors import ExitCode
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
    findings = _findings(run)
    run.out.show([asdict(finding) for finding in findings], lambda console: _print(console, findings))
    if any(finding.state is State.FAILURE for finding in findings):
        raise typer.Exit(ExitCode.FINDINGS)


def _findings(run: Invocation) -> list[Finding]:
    try:
        deployment = run.deployment
    except checks.CHECK_ERRORS as error:
        return [checks.not_checked("stack", error)]
    return list(checks.examine(deployment))


def _print(console: Screen, findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        state, check = (f"{finding.state:<8}", COLOURS[finding.state]), (f"{finding.check:<{width}}", "bold")
        console.print_line(state, " ", check, "  ", finding.seen)
        if finding.advice:
            console.print_line(" " * (width + 11), finding.advice)
    count = Counter(finding.state for finding in findings)
    warnings = "1 warning" if count[State.WARNING] == 1 else f"{count[State.WARNING]} warnings"
    console.print_line(f"{count[State.OK]} ok, {warnings}, {count[State.FAILURE]} failed")
