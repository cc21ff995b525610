"""Starting and stopping the local cloud: the emulator, the deployed stack and the demo shop.

The files of a running cloud are in the folder ``<state>/<port>``; ``<state>/stack.json`` describes the cloud that was
started last.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from local import (
    containers,
    demo_orders,
    demo_shop,
    demo_terms,
    deploy,
    gateway,
    relay,
    settings,
    shop_server,
    stack,
    table,
)
from local.emulator import Emulator, free_port
from local.errors import LocalCloudError
from local.lock import held
from local.progress import step
from local.stack import Stack
from serverless_cart.service.errors import Unavailable

SILENT: Final = Console(quiet=True)
_NOTHING: Final[Mapping[str, str]] = {}


@contextmanager
def running(
    port: int = 0,
    state: Path = settings.STATE,
    parameters: Mapping[str, str] = _NOTHING,
    console: Console = SILENT,
) -> Iterator[Stack]:
    """Run a separate local cloud with a new demo shop within a context.

    ``port`` 0 selects a free port, ``state`` is the folder of its files, and ``parameters`` are added to those of
    local/samconfig.toml. The build is shared with the other clouds of this checkout. Raises `LocalCloudError`.
    """
    emulator = _emulator(port or free_port(), state)
    _start(emulator)
    try:
        yield _deliver(emulator, state, parameters, console)
    finally:
        _stop(emulator, state)


def up(
    port: int,
    state: Path = settings.STATE,
    parameters: Mapping[str, str] = _NOTHING,
    console: Console = SILENT,
) -> Stack:
    """Start a local cloud and leave it running; a running one gets the code changes and keeps its data.

    Raises `LocalCloudError`.
    """
    emulator = _emulator(port, state)
    if emulator.is_running():
        delivered = _deliver(emulator, state, parameters, console)
    else:
        _start(emulator)
        try:
            delivered = _deliver(emulator, state, parameters, console)
        except BaseException:
            _stop(emulator, state)
            raise
    if bridge := containers.bridge():
        relay.start(bridge, port, emulator.pid)
    return delivered


def check_shop_port(port: int, shop_port: int, state: Path = settings.STATE) -> None:
    """Check that the demo shop's server can use a port. Raises `LocalCloudError`."""
    shop_server.check_port(_emulator(port, state).folder, shop_port)


def open_shop(of: Stack, shop_port: int, state: Path = settings.STATE, console: Console = SILENT) -> Stack:
    """Load what visitors of the demo shop need, start its server, and return the description with its address.

    A server that runs on this port already is kept. Raises `LocalCloudError`.
    """
    emulator = _emulator_of(of, state)
    with _reasons(emulator):
        with step(console, "Starting the demo shop's server"):
            shop = replace(of, demo_url=shop_server.start(emulator.folder, shop_port))
        demo_terms.load_into(shop, shop.demo_url, console)
        demo_orders.place(shop, console)
    shop.save(emulator.folder)
    shop.save(state)
    return shop


def current(state: Path = settings.STATE) -> Stack | None:
    """Return the cloud that was started last, if it runs; ``demo_url`` is empty unless its server runs."""
    known = Stack.load(state)
    if known is None or not _emulator_of(known, state).is_running():
        return None
    return replace(known, demo_url=shop_server.address(_emulator_of(known, state).folder))


def down(state: Path = settings.STATE) -> list[Emulator]:
    """Stop all local clouds whose files are in ``state``, and return the emulators that were running."""
    found = [_emulator(int(folder.name), state) for folder in state.glob("[0-9]*") if folder.name.isdecimal()]
    were_running = [emulator for emulator in found if emulator.is_running()]
    for emulator in found:
        _stop(emulator, state)
    return were_running


def wait_until_stopped(of: Stack, state: Path = settings.STATE) -> None:
    """Return when the cloud is stopped by a command. Raises `LocalCloudError` if it ends by itself."""
    emulator = _emulator_of(of, state)
    emulator.wait_until_it_ends()
    if stack.is_known(emulator.folder):  # a command that stops a cloud removes this first
        raise emulator.ended()


def folder_of(of: Stack, state: Path = settings.STATE) -> Path:
    """Return the folder of a running cloud's files."""
    return _emulator_of(of, state).folder


def _emulator(port: int, state: Path) -> Emulator:
    return Emulator(port, state.resolve() / str(port))


def _emulator_of(of: Stack, state: Path) -> Emulator:
    return _emulator(int(of.endpoint_url.rpartition(":")[2]), state)


def _start(emulator: Emulator) -> None:
    """Start an emulator, and remove the description of an earlier one."""
    if not settings.SAM.exists() or not settings.EMULATOR.exists():
        raise LocalCloudError("the virtual environments are missing: run make prepare")
    emulator.start()
    stack.forget(emulator.folder)


def _deliver(emulator: Emulator, state: Path, parameters: Mapping[str, str], console: Console) -> Stack:
    """Build, deploy to a running emulator, load the demo shop if it is missing, and save the description."""
    folder, endpoint_url = emulator.folder, emulator.endpoint_url
    with _reasons(emulator):
        with step(console, "Building (sam build)"), held(deploy.LOCK):
            deploy.build(endpoint_url, folder / "build.log")
        with step(console, f"Waiting for the emulator on port {emulator.port}"):
            emulator.wait_until_it_answers()
        with step(console, "Deploying (sam deploy)"):
            deployment = deploy.deploy(endpoint_url, folder / "deploy.log", parameters)
            gateway.complete(endpoint_url)
            table.complete(endpoint_url)
        known = Stack.load(folder)
        if known and known.table_name == deployment.table_name:
            delivered = replace(Stack.of(deployment, known), demo_url=known.demo_url)
        else:
            with step(console, "Loading the demo shop"):
                delivered = Stack.of(deployment, demo_shop.load(deployment))
        delivered.save(folder)
        delivered.save(state)
    return delivered


def _stop(emulator: Emulator, state: Path) -> None:
    """Stop an emulator, if it runs, and remove its description."""
    if stack.is_same(emulator.folder, state):
        stack.forget(state)
    stack.forget(emulator.folder)
    shop_server.stop(emulator.folder)
    emulator.stop()


@contextmanager
def _reasons(emulator: Emulator) -> Iterator[None]:
    """Raise `LocalCloudError` with the reason if the emulator fails."""
    try:
        yield
    except (BotoCoreError, ClientError, Unavailable) as error:
        if not emulator.is_running():
            raise emulator.ended() from error
        raise LocalCloudError(f"the emulator failed: {error}\nIts log is {emulator.log}") from error
