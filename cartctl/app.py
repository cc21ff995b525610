"""The command line of cartctl, and `run`, which runs a command from a program."""

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cartctl.commands import (
    cart,
    catalogue,
    customer,
    discount,
    doctor,
    key,
    method,
    order,
    session,
    shop,
    smoke,
    stats,
)
from cartctl.connection import Deployment
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import App, Invocation
from cartctl.terminal import Screen, guard, writing

app = App(
    """Operate serverless-cart: create shops, issue keys, import catalogues, manage orders, support customers.

    The default is the stack *serverless-cart* in your AWS account; `--local` uses the local cloud.

        cartctl --local shop create my-shop --currency EUR

        cartctl --local key issue my-shop --label "search page"

        cartctl --local catalogue import my-shop products.csv
    """
)
app.add_typer(shop.app, name="shop")
app.add_typer(key.app, name="key")
app.add_typer(customer.app, name="customer")
app.add_typer(cart.app, name="cart")
app.add_typer(order.app, name="order")
app.add_typer(session.app, name="session")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(stats.app, name="stats")
app.add_typer(method.app, name="method")
app.add_typer(discount.app, name="discount")
app.command()(doctor.doctor)
app.command()(smoke.smoke)


def _show_version(value: bool) -> None:  # noqa: FBT001 - an option's
    if value:
        with writing("the version"):
            Screen().print_line(f"cartctl {metadata.version('serverless-cart')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Declare the options of cartctl itself."""


@cache
def _commands() -> TyperGroup:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)  # noqa: S101 - app has subcommands
    return command


def main() -> None:
    """Run the command line of the process and exit with the command's exit code."""
    guard()
    try:
        sys.exit(_commands().main(prog_name="cartctl", standalone_mode=False))
    except CartctlError as error:
        _fail(str(error), error.exit_code)
    except TyperException as error:
        _fail(_with_advice(error), ExitCode.USAGE)
    except typer.Abort:
        _fail("Cancelled; nothing was changed.", ExitCode.INTERRUPTED)


def _with_advice(error: TyperException) -> str:
    message = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    if not message or not context:
        return message
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See {context.command_path} --help."


def _fail(message: str, code: ExitCode) -> NoReturn:
    if message:  # a group without a command has printed its help instead
        Screen(stderr=True).print_line(("Error:", "bold red"), " ", message)
    sys.exit(code)


def run(arguments: Sequence[str], deployment: Deployment) -> Any:  # noqa: ANN401 - the command's JSON
    """Run a command on a deployment and return its result, which is the JSON of ``--json``.

    >>> run(["shop", "show", "my-shop"], deployment)["currency"]  # doctest: +SKIP
    'EUR'

    Raises `CartctlError`, and Typer's `UsageError` for a wrong command line.
    """
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = _commands().main(
            [*arguments, "--json"], prog_name="cartctl", standalone_mode=False, obj=Invocation(given=deployment)
        )
    if code:
        raise CartctlError(
            f"cartctl {arguments[0]} failed with exit code {code}: run it at a shell to see why.", ExitCode(code)
        )
    return json.loads(output.getvalue())
