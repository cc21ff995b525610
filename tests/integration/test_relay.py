"""The relay: which connections it passes on, on which address it listens, and when it ends."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from local import relay
from local.containers import Bridge
from local.emulator import free_port
from local.settings import HOST

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the relay is for Linux")
ADDRESS = "127.77.0.1"
"""Another address of loopback, in the place of a bridge."""
NEAR, FAR = IPv4Network("127.0.0.0/8"), IPv4Network("10.88.0.0/16")


@pytest.fixture
def port() -> Iterator[int]:
    """Run a server that answers what it is sent, in capitals."""
    with socket.create_server((HOST, free_port())) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    while data := connection.recv(65536):
                        connection.sendall(data.upper())

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def emulator() -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in the place of the emulator."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


def answer(port: int, sent: bytes) -> bytes:
    with socket.create_connection((ADDRESS, port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def test_relay_refuses_other_networks(port: int, emulator: subprocess.Popen[bytes]) -> None:
    assert relay.start(Bridge(ADDRESS, FAR), port, emulator.pid)

    with contextlib.suppress(ConnectionResetError):
        assert answer(port, b"a") == b""


def test_first_relay_answers_until_the_emulator_ends(port: int, emulator: subprocess.Popen[bytes]) -> None:
    assert relay.start(Bridge(ADDRESS, NEAR), port, emulator.pid)
    assert relay.start(Bridge(ADDRESS, FAR), port, emulator.pid)
    assert answer(port, b"a" * 300_000) == b"A" * 300_000

    os.kill(emulator.pid, 9)

    deadline = time.monotonic() + 10
    while listens(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(port)


def test_bridge_may_not_exist_yet(emulator: subprocess.Popen[bytes]) -> None:
    """Podman creates it with the first container."""
    assert relay.start(Bridge("192.0.2.77", IPv4Network("192.0.2.0/24")), free_port(), emulator.pid)
