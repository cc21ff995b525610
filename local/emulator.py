"""Starting the emulator, checking whether it runs, and stopping it with all its child processes.

An emulator has a separate folder and holds a lock there while it runs, even if its parent process has ended. A stored
process id is used only while the lock is held, so no other process can be killed by mistake.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

import requests

from local import environment, settings
from local.errors import LocalCloudError
from local.lock import POLL_SECONDS, acquire, is_held

START_SECONDS: Final = 60.0
"""Seconds until the emulator must answer."""
STOP_SECONDS: Final = 10.0
"""Seconds until a stopped emulator must have ended."""


class Emulator:
    """The emulator of one port, running or not."""

    def __init__(self, port: int, folder: Path) -> None:
        """``folder`` is used by no other emulator."""
        self.port = port
        self.folder = folder
        self.log = folder / "emulator.log"
        self._lock = folder / "lock"
        self._pid = folder / "pid"
        self._home = folder / "home"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """The address of all services."""
        return f"http://{settings.HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process of a running emulator."""
        return self._process.pid if self._process else int(self._pid.read_text())

    def is_running(self) -> bool:
        """Return whether the process runs."""
        return is_held(self._lock)

    def start(self) -> None:
        """Start it without data. Raises `LocalCloudError` if the port is in use."""
        _require_free(self.port)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            if not acquire(lock.fileno(), seconds=STOP_SECONDS):
                raise LocalCloudError(f"another process is already starting an emulator on port {self.port}")
            self._start(lock.fileno())

    def _start(self, lock: int) -> None:
        # The child inherits the lock and holds it until it ends.
        with self.log.open("w") as log:
            self._remove_leftovers()
            self._home.mkdir()
            self._process = subprocess.Popen(  # noqa: S603 - the emulator itself
                [str(settings.EMULATOR / "ministack")],
                cwd=self._home,
                env=environment.of_emulator(self.port, self._home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock],
                start_new_session=True,  # a process group: stopped as a whole, and not by Ctrl-C
            )
            self._pid.write_text(str(self._process.pid))

    def wait_until_it_answers(self) -> None:
        """Return when it answers. Raises `LocalCloudError` if it ends or does not answer in time."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.is_running():
                raise self.ended()
            if time.monotonic() > deadline:
                raise LocalCloudError(f"the emulator does not answer at {self.endpoint_url}; its log is {self.log}")
            time.sleep(POLL_SECONDS)

    def wait_until_it_ends(self) -> None:
        """Return when the process has ended."""
        with self._lock.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)

    def stop(self) -> None:
        """Kill it and its child processes, if it runs, and remove its files except the log."""
        if self.is_running():
            os.killpg(self.pid, signal.SIGKILL)  # it has no data to save
        if self._process:
            self._process.wait()
        if self._lock.exists():
            with self._lock.open() as lock:
                if not acquire(lock.fileno(), seconds=STOP_SECONDS):
                    raise LocalCloudError(f"the emulator on port {self.port} cannot be stopped")
                self._remove_leftovers()

    def ended(self) -> LocalCloudError:
        """Return the error for an emulator that has ended, with the last line of its log."""
        lines = self.log.read_text(errors="replace").rstrip().splitlines()
        return LocalCloudError(f"the emulator ended with: {lines[-1] if lines else 'nothing'}\nIts log is {self.log}")

    def _answers(self) -> bool:
        with requests.Session() as http:
            http.trust_env = False  # no proxy to this machine itself
            try:
                return http.get(f"{self.endpoint_url}/_ministack/health", timeout=1).ok
            except requests.RequestException:
                return False

    def _remove_leftovers(self) -> None:
        self._pid.unlink(missing_ok=True)
        shutil.rmtree(self._home, ignore_errors=True)


def free_port() -> int:
    """Return a free port that the system assigns to no other process for about 60 seconds.

    The port has a closed connection in the state TIME_WAIT. The system does not assign such a port to a process that
    asks for any port, but a process may still open this port by its number.
    """
    with socket.create_server((settings.HOST, 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection((settings.HOST, port)):
            connection, _ = server.accept()
            connection.close()
        return port


def _require_free(port: int) -> None:
    try:
        socket.create_server((settings.HOST, port)).close()  # fails if the port is in use on any address
    except PermissionError as error:
        raise LocalCloudError(f"no permission to open port {port}: choose another port with PORT=") from error
    except OSError as error:
        raise LocalCloudError(
            f"port {port} is in use: stop its process (make down), "
            f"or choose other ports: PORT={port + 1} SHOP_PORT={settings.SHOP_PORT + 1}"
        ) from error
