"""The start of DynamoDB Local."""

import socket
from urllib.parse import urlsplit

import pytest

from local import settings
from local.emulator import free_port

pytestmark = pytest.mark.engine


def test_it_listens_on_loopback_only(dynamodb_local_url: str) -> None:
    """127.0.0.2 is this machine too (on Linux): only a server that listens on every address answers there."""
    address = urlsplit(dynamodb_local_url)
    assert address.port
    socket.create_connection(("127.0.0.1", address.port), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", address.port), timeout=5)


def test_port_is_reserved_until_it_listens() -> None:
    """Parallel runs open ports all the time, and an engine takes seconds to start."""
    port = free_port()
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind((settings.HOST, port))
    socket.create_server((settings.HOST, port)).close()
