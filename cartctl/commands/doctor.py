"""``cartctl doctor``: whether the deployment is well, and what is to be done where it is not."""

from collections import Counter
from dataclasses import asdict
from typing import Final

import typer
from rich.console import Console
from rich.markup import escape

from cartctl import checks
from cartctl.checks import Finding, State
from cartctl.errors import ExitCode
from cartctl.shell import Invocation, invocation

COLOURS: Final = {State.OK: "green", State.WARNING: "yellow", State.FAILURE: "bold red"}


def doctor(context: typer.Context) -> None:
    """Check the deployment, and say what to do about each finding. Exit code 5 says that something failed.

    It changes nothing, and needs no more than the policy for reading in docs/operate.md.

        cartctl doctor

        cartctl doctor --json --region eu-west-1
    """
    run = invocation(context)
    found = _findings(run)
    run.out.show([asdict(it) for it in found], lambda console: _list(console, found))
    if any(it.state is State.FAILURE for it in found):
        raise typer.Exit(ExitCode.FINDINGS)


def _findings(run: Invocation) -> list[Finding]:
    """Make all checks; where the deployment cannot be found there is nothing else to look at."""
    try:
        deployment = run.deployment
    except checks.REFUSALS as error:
        return [checks.refused("stack", error)]
    return list(checks.examine(deployment))


def _list(console: Console, found: list[Finding]) -> None:
    """List findings, each with its advice below."""
    width = max(len(it.check) for it in found)
    for it in found:
        colour = COLOURS[it.state]
        console.print(f"[{colour}]{it.state:<8}[/] [bold]{it.check:<{width}}[/]  {escape(it.seen)}", soft_wrap=True)
        if it.advice:
            console.print(f"{' ' * (width + 11)}{escape(it.advice)}", soft_wrap=True)
    count = Counter(it.state for it in found)
    console.print(f"{count[State.OK]} ok, {count[State.WARNING]} to look at, {count[State.FAILURE]} failed")
