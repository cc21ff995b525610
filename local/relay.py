"""A relay from the bridge of a container engine to the emulator, so that containers of `sam local` reach it.

The emulator listens only on loopback, which containers cannot reach on Linux. `make up` therefore starts a relay that
listens on the bridge's address and no other, and that only accepts connections from the bridge's network. The bridge is
inside of this host: nothing listens on a network that other machines share. The relay ends with the emulator.
"""

import asyncio
import contextlib
import errno
import os
import socket
import subprocess
import sys
from ipaddress import IPv4Network, ip_address
from typing import Final

from local.containers import Bridge
from local.settings import HOST, ROOT

IP_FREEBIND: Final = 15
"""Linux's option to listen on an address that does not exist yet: Podman's bridge comes with the first container."""
CHUNK: Final = 65536


def start(bridge: Bridge, port: int, emulator: int) -> bool:
    """Start a relay for the process of an emulator, unless one runs. Return whether one runs then."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        try:
            listening.bind((bridge.address, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
        listening.listen()
        arguments = [str(listening.fileno()), str(bridge.network), str(port), str(emulator)]
        subprocess.run(  # noqa: S603 - this module, in the background of a shell that ends at once
            ["/bin/sh", "-c", '"$@" &', "sh", sys.executable, "-m", "local.relay", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listening.fileno()],
            start_new_session=True,
            check=True,
        )
    return True


async def relay(listening: socket.socket, network: IPv4Network, port: int, emulator: int) -> None:
    """Relay connections from a network to a port of loopback, until the process of the emulator ends."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            if ip_address(writer.get_extra_info("peername")[0]) not in network:
                return
            inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
            with contextlib.closing(inner_writer):
                await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    try:
        process = os.pidfd_open(emulator)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(process, ended.set)
    server = await asyncio.start_server(accept, sock=listening)
    await ended.wait()
    asyncio.get_running_loop().remove_reader(process)
    server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction to its end."""
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


if __name__ == "__main__":
    _fd, _network, _port, _emulator = sys.argv[1:]
    asyncio.run(relay(socket.socket(fileno=int(_fd)), IPv4Network(_network), int(_port), int(_emulator)))
