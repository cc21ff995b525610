"""The process of the demo shop's server: on which port it listens, and when it ends."""

import fcntl
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest
import requests

from local import shop_server
from local.emulator import free_port
from local.errors import LocalCloudError
from local.settings import HOST
from local.stack import SecondShop, Stack

STACK = Stack(
    search_url="http://127.0.0.1:9/search",
    shop_url="http://127.0.0.1:9/shop",
    management_url="http://127.0.0.1:9/management",
    endpoint_url="http://127.0.0.1:9",
    region="eu-west-1",
    table_name="table",
    hashid="a" * 32,
    api_key="b" * 40,
    management_key="c" * 40,
    customer_tokens=(),
    demonstration_customer="demonstration",
    demonstration_token="d" * 40,
    expired_token="e" * 40,
    revoked_token="f" * 40,
    blocked_address="203.0.113.7",
    products=(),
    second_shop=SecondShop(hashid="", api_key="", management_key="", customer_token="", allowed_origin=""),
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of an emulator that seems to run."""
    folder = tmp_path / "4566"
    STACK.save(folder)
    yield folder
    shop_server.stop(folder)


@pytest.fixture
def end_emulator(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold the emulator's lock, as it does while it runs; return a function that releases it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.close


def settings(port: int) -> requests.Response:
    with requests.Session() as http:
        http.trust_env = False
        return http.get(f"http://{HOST}:{port}/settings.json", timeout=10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def wait_until_closed(port: int) -> None:
    deadline = time.monotonic() + 10
    while listens(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(port)


def test_server_ends_with_the_emulator(folder: Path, end_emulator: Callable[[], None]) -> None:
    port = free_port()
    assert shop_server.start(folder, port) == f"http://127.0.0.1:{port}"
    assert settings(port).json()["hashid"] == STACK.hashid

    end_emulator()

    wait_until_closed(port)


@pytest.mark.usefixtures("end_emulator")
def test_server_moves_only_to_another_port(folder: Path) -> None:
    first, second = free_port(), free_port()

    shop_server.start(folder, first)
    process = (folder / shop_server.LOCK).read_text()
    shop_server.check_port(folder, first)
    shop_server.start(folder, first)
    assert (folder / shop_server.LOCK).read_text() == process

    shop_server.start(folder, second)
    assert (listens(first), settings(second).status_code) == (False, 200)

    shop_server.stop(folder)
    assert not listens(second)


@pytest.mark.usefixtures("end_emulator")
def test_stack_is_read_again_when_it_changes(folder: Path) -> None:
    port = free_port()
    shop_server.start(folder, port)
    description = folder / "stack.json"

    description.write_text(description.read_text().replace(STACK.hashid, "9" * 32))
    assert settings(port).json()["hashid"] == "9" * 32

    description.unlink()
    answer = settings(port)
    assert (answer.status_code, answer.json()) == (503, {"error": "the local cloud has stopped"})


@pytest.mark.usefixtures("end_emulator")
def test_server_that_does_not_answer_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_server, "START_SECONDS", 1)
    (folder / "stack.json").unlink()
    port = free_port()

    with pytest.raises(LocalCloudError, match="does not answer"):
        shop_server.start(folder, port)

    assert (shop_server.address(folder), listens(port)) == ("", False)


def test_server_that_is_just_starting_is_waited_for(folder: Path) -> None:
    with (folder / shop_server.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Timer(0.2, (folder / shop_server.LOCK).write_text, ["1 4600"]).start()

        assert shop_server.address(folder) == "http://127.0.0.1:4600"


@pytest.mark.parametrize("use", [shop_server.check_port, shop_server.start])
def test_busy_port_is_one_clear_error(folder: Path, use: Callable[[Path, int], object]) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(LocalCloudError, match=f"^port {port} is in use: .* SHOP_PORT={port + 1}$"):
            use(folder, port)
