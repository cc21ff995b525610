"""cartctl as a whole: its commands put together, run from a shell or from a program."""

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cartctl.commands import cart, catalogue, customer, doctor, key, session, shop
from cartctl.connection import Deployment
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import App, Invocation

app = App(
    """Run a shop on serverless-cart: open it, issue its keys, load its catalogue, look after its carts.

    Without more it works on the stack *serverless-cart* by your AWS credentials; `--local` takes the local cloud.

        cartctl --local shop create my-shop --currency EUR

        cartctl --local key issue my-shop --label "search page"

        cartctl --local catalogue import my-shop products.csv
    """
)
app.add_typer(shop.app, name="shop")
app.add_typer(key.app, name="key")
app.add_typer(customer.app, name="customer")
app.add_typer(cart.app, name="cart")
app.add_typer(session.app, name="session")
app.add_typer(catalogue.app, name="catalogue")
app.command()(doctor.doctor)


def _show_version(value: bool) -> None:  # noqa: FBT001 - an option's
    if value:
        typer.echo(f"cartctl {metadata.version('serverless-cart')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that only cartctl itself has."""


@cache
def _commands() -> TyperGroup:
    """Put the commands together."""
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)  # noqa: S101 - it has subcommands
    return command


def main() -> None:
    """Run the command that the shell names, and end with its exit code."""
    try:
        sys.exit(_commands().main(prog_name="cartctl", standalone_mode=False))
    except CartctlError as error:
        _fail(str(error), error.exit_code)
    except TyperException as wrong:
        _fail(wrong.format_message(), ExitCode.USAGE)
    except typer.Abort:
        _fail("Nothing was done.", ExitCode.INTERRUPTED)


def _fail(message: str, code: ExitCode) -> NoReturn:
    """End with one line on standard error; a group of commands without a command has its help for a message."""
    if message:
        line = f"[bold red]Error:[/] {escape(' '.join(message.split()))}"
        Console(stderr=True).print(line, highlight=False, soft_wrap=True)
    sys.exit(code)


def run(arguments: Sequence[str], deployment: Deployment) -> Any:  # noqa: ANN401 - what the command shows as JSON
    """Run a command on a deployment, as the shell would, and return what it shows with ``--json``.

    Raises `CartctlError`, and `click.UsageError` for a command line that is wrong.
    """
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        code = _commands().main(
            [*arguments, "--json"], prog_name="cartctl", standalone_mode=False, obj=Invocation(given=deployment)
        )
    if code:
        raise CartctlError(f"cartctl {arguments[0]} ended with {code}", ExitCode(code))
    return json.loads(shown.getvalue())
