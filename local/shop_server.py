"""The process of the demo shop's server: it is started in the background, and ends with the emulator.

It holds a lock in the emulator's folder while it runs, even if its parent process has ended. The lock's file has its
process id and its port. These are used only while the lock is held, so no other process can be stopped by mistake.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import requests
from werkzeug.serving import WSGIRequestHandler, make_server

from local.emulator import Emulator
from local.errors import LocalCloudError
from local.lock import POLL_SECONDS, acquire, is_held
from local.settings import HOST, ROOT
from local.shop_site import Site

START_SECONDS: Final = 30.0
"""Seconds until the server must answer."""
STOP_SECONDS: Final = 10.0
"""Seconds until a stopped server must have ended."""
LOCK: Final = "shop-server.lock"
LOG: Final = "shop-server.log"
COMMAND: Final = 'log=$1; shift; "$@" >"$log" 2>&1 & echo $!'
"""Runs a command in the background of a shell that ends at once, and prints the command's process id."""


def start(folder: Path, port: int) -> str:
    """Start the server for the emulator of a folder, unless it runs on this port already. Return its address.

    Raises `LocalCloudError` if the port is in use, or the server does not answer.
    """
    if _port(folder) != port:
        stop(folder)
        with _listening(port) as listening, (folder / LOCK).open("a") as lock:
            if not acquire(lock.fileno(), seconds=STOP_SECONDS):
                raise LocalCloudError("another process is already starting the demo shop's server")
            lock.truncate(0)
            lock.write(f"{_spawn(folder, listening.fileno(), lock.fileno())} {port}")
        try:
            _wait_until_it_answers(folder, port)
        except LocalCloudError:
            stop(folder)
            raise
    return f"http://{HOST}:{port}"


def stop(folder: Path) -> None:
    """Stop the server of a folder, if it runs. Raises `LocalCloudError` if it does not end."""
    process = _process(folder)
    if process is None:
        return
    pid, _ = process
    os.kill(pid, signal.SIGTERM)
    with (folder / LOCK).open() as lock:
        if not acquire(lock.fileno(), seconds=STOP_SECONDS):
            raise LocalCloudError(f"the demo shop's server cannot be stopped: stop process {pid}")


def address(folder: Path) -> str:
    """Return the address of the running server of a folder, and an empty text if none runs."""
    port = _port(folder)
    return f"http://{HOST}:{port}" if port else ""


def check_port(folder: Path, port: int) -> None:
    """Check that the server can listen on a port, or does already. Raises `LocalCloudError`."""
    if _port(folder) != port:
        _listening(port).close()


def _port(folder: Path) -> int | None:
    process = _process(folder)
    return process[1] if process else None


def _process(folder: Path) -> tuple[int, int] | None:
    """Return the process id and the port of the running server of a folder."""
    lock = folder / LOCK
    deadline = time.monotonic() + STOP_SECONDS
    while is_held(lock):
        if found := lock.read_text().split():
            pid, port = map(int, found)
            return pid, port
        if time.monotonic() > deadline:
            raise LocalCloudError("another process is already starting the demo shop's server")
        time.sleep(POLL_SECONDS)  # it has just been started
    return None


def _listening(port: int) -> socket.socket:
    other = f"choose another port for the demo shop: SHOP_PORT={port + 1}"
    try:
        return socket.create_server((HOST, port))
    except PermissionError as error:
        raise LocalCloudError(f"no permission to open port {port}: {other}") from error
    except OSError as error:
        raise LocalCloudError(f"port {port} is in use: stop its process (make down) or {other}") from error


def _spawn(folder: Path, listening: int, lock: int) -> int:
    """Start the process, which inherits the listening socket and the lock, and return its id."""
    command = [sys.executable, "-m", "local.shop_server", str(listening), str(folder)]
    shell = subprocess.run(  # noqa: S603 - this module
        ["/bin/sh", "-c", COMMAND, "sh", str(folder / LOG), *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[listening, lock],
        start_new_session=True,  # not stopped by Ctrl-C
        check=True,
    )
    return int(shell.stdout)


def _wait_until_it_answers(folder: Path, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    with requests.Session() as http:
        http.trust_env = False  # no proxy to this machine itself
        while True:
            try:
                if http.get(f"http://{HOST}:{port}/settings.json", timeout=1).ok:
                    return
            except requests.RequestException as error:
                reason = str(error)
            else:
                reason = "no answer with its settings"
            if not is_held(folder / LOCK) or time.monotonic() > deadline:
                raise LocalCloudError(f"the demo shop's server does not answer: {reason}\nIts log is {folder / LOG}")
            time.sleep(POLL_SECONDS)


class _Handler(WSGIRequestHandler):
    """Logs errors only, and does not name the server's software."""

    timeout = START_SECONDS

    def log_request(self, *_: object) -> None:
        """Log nothing: addresses have the keys of orders."""

    def version_string(self) -> str:
        """Return the name of the server."""
        return "demo-shop"


def serve(listening: int, folder: Path) -> None:
    """Serve on a socket that listens, until the emulator of the folder ends."""
    with socket.socket(fileno=listening) as inherited:
        port = inherited.getsockname()[1]
        server = make_server(
            HOST, port, Site(folder, port), threaded=True, request_handler=_Handler, fd=inherited.fileno()
        )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Emulator(int(folder.name), folder).wait_until_it_ends()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
