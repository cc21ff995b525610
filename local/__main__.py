"""The commands of the local cloud, which the Makefile calls."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from local import cloud, demo_events, demonstration, settings
from local.errors import LocalCloudError
from local.stack import Stack

INTERRUPTED: Final = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console()
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")]
ShopPort = Annotated[int, typer.Option(min=1024, max=65535, help="Port of the demo shop on 127.0.0.1.")]


@app.command()
def start(port: Port = settings.PORT, shop_port: ShopPort = settings.SHOP_PORT) -> None:
    """Run the local cloud with a new demo shop until Ctrl-C."""
    serving = False
    with _readable():
        try:
            cloud.check_shop_port(port, shop_port)
            with cloud.running(port, console=console) as stack:
                _open_shop(stack, shop_port)
                console.print("\nServing until Ctrl-C", highlight=False)
                serving = True
                cloud.wait_until_stopped(stack)
        except KeyboardInterrupt:
            if not serving:
                raise
    console.print("Stopped")


@app.command()
def up(port: Port = settings.PORT, shop_port: ShopPort = settings.SHOP_PORT) -> None:
    """Run the local cloud in the background. Run it again to deploy code changes; the data stays."""
    with _readable():
        cloud.check_shop_port(port, shop_port)
        stack = cloud.up(port, console=console)
        _open_shop(stack, shop_port)
        console.print(f"\nServing on port {port}. Run make down to stop it.", highlight=False)


@app.command()
def down() -> None:
    """Stop all local clouds of this checkout and delete their data."""
    with _readable():
        stopped = cloud.down()
    for emulator in stopped:
        console.print(f"Stopped the local cloud on port {emulator.port}", highlight=False)
    if not stopped:
        console.print("No local cloud is running")


def _open_shop(stack: Stack, port: int) -> None:
    """Complete the demo shop, start its server and print the demonstration."""
    demo_events.load_into(stack, console)
    demonstration.show(cloud.open_shop(stack, port, console=console), console)


@contextmanager
def _readable() -> Iterator[None]:
    """Print errors without a traceback, and stop in order after a signal."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        yield
    except LocalCloudError as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interrupt(_number: int, _frame: object) -> None:
    # A second Ctrl-C must not interrupt the shutdown.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
