"""Bringing the local cloud up and down: the emulator, what is deployed to it and the demo shop in it.

Everything that belongs to one running cloud lies in the folder ``<state>/<port>``; ``<state>/stack.json`` tells of the
one that was brought up last.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from local import demo_shop, deploy, gateway, settings, stack, table
from local.emulator import Emulator, free_port, held
from local.errors import LocalCloudError
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
    """Run a local cloud of one's own, with a fresh demo shop, for as long as the context lasts.

    ``port`` 0 takes a free one; ``state`` is where its files lie; ``parameters`` are the template's, beside those of
    samconfig.toml. What is built is shared with the checkout's other clouds. Raises `LocalCloudError`.
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
    """Bring a local cloud up and leave it running; where it runs, bring the changes in and keep its data.

    Raises `LocalCloudError`.
    """
    emulator = _emulator(port, state)
    if emulator.is_running():
        return _deliver(emulator, state, parameters, console)
    _start(emulator)
    try:
        return _deliver(emulator, state, parameters, console)
    except BaseException:
        _stop(emulator, state)
        raise


def down(state: Path = settings.STATE) -> list[Emulator]:
    """Stop every local cloud whose files lie in ``state`` and return the emulators that were running."""
    found = [_emulator(int(folder.name), state) for folder in state.glob("[0-9]*") if folder.name.isdecimal()]
    were_running = [emulator for emulator in found if emulator.is_running()]
    for emulator in found:
        _stop(emulator, state)
    return were_running


def wait_until_stopped(of: Stack, state: Path = settings.STATE) -> None:
    """Return when somebody stops the cloud. Raises `LocalCloudError` where it ends by itself."""
    emulator = _emulator(int(of.endpoint_url.rpartition(":")[2]), state)
    emulator.wait_until_it_ends()
    if stack.is_known(emulator.folder):  # whoever stops a cloud removes this first
        raise emulator.ended()


def _emulator(port: int, state: Path) -> Emulator:
    """Return the emulator of a port, whether it runs or not."""
    return Emulator(port, state.resolve() / str(port))


def _start(emulator: Emulator) -> None:
    """Start an emulator and forget what was told of the one before it."""
    if not settings.SAM.exists() or not settings.EMULATOR.exists():
        raise LocalCloudError("the virtual environments are missing: make prepare")
    emulator.start()
    stack.forget(emulator.folder)


def _deliver(emulator: Emulator, state: Path, parameters: Mapping[str, str], console: Console) -> Stack:
    """Build and deploy to a running emulator, load the demo shop where there is none, and tell of it all."""
    folder, endpoint_url = emulator.folder, emulator.endpoint_url
    with _reasons(emulator), ExitStack() as shared:
        with step(console, "Building (sam build)"):
            shared.enter_context(held(settings.STATE / "build.lock"))  # clouds of one checkout share what is built
            deploy.build(endpoint_url, folder / "build.log")
        with step(console, f"Waiting for the emulator on port {emulator.port}"):
            emulator.wait_until_it_answers()
        with step(console, "Deploying (sam deploy)"):
            deployment = deploy.deploy(endpoint_url, folder / "deploy.log", parameters)
            gateway.complete(endpoint_url)
            table.complete(endpoint_url)
        known = Stack.load(folder)
        if known and known.table_name == deployment.table_name:
            delivered = Stack.of(deployment, known)
        else:
            with step(console, "Loading the demo shop"):
                delivered = Stack.of(deployment, demo_shop.load(deployment))
        delivered.save(folder)
        delivered.save(state)
    return delivered


def _stop(emulator: Emulator, state: Path) -> None:
    """Stop an emulator, if it runs, and remove what is told of it."""
    if stack.is_same(emulator.folder, state):
        stack.forget(state)
    stack.forget(emulator.folder)
    emulator.stop()


@contextmanager
def _reasons(emulator: Emulator) -> Iterator[None]:
    """Give a failure of the emulator its reason."""
    try:
        yield
    except (BotoCoreError, ClientError, Unavailable) as error:
        if not emulator.is_running():
            raise emulator.ended() from error
        raise LocalCloudError(f"the emulator failed: {error}\nIts log is {emulator.log}") from error
