"""The engine itself."""

import socket
from urllib.parse import urlsplit

import pytest


def test_it_listens_on_loopback_alone(dynamodb_local_url: str) -> None:
    """127.0.0.2 is this machine too (on Linux), and only who listens on every address answers there."""
    address = urlsplit(dynamodb_local_url)
    assert address.port
    socket.create_connection(("127.0.0.1", address.port), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", address.port), timeout=5)
