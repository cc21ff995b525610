"""Starting the emulator, knowing whether it runs, and stopping it with every process that it started.

An emulator owns one folder. It holds a lock there for as long as it lives, whoever started it and whatever became of
them, so a process id is trusted only while the lock is held: no other process is ever taken for ours.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests

from local import environment, settings
from local.errors import LocalCloudError

START_SECONDS: Final = 60.0
"""How long the emulator may take to answer."""
STOP_SECONDS: Final = 10.0
"""How long it may take to be gone."""
POLL_SECONDS: Final = 0.05


class Emulator:
    """The emulator on one port: whether it runs or not, and whoever started it."""

    def __init__(self, port: int, folder: Path) -> None:
        """``folder`` is the emulator's alone."""
        self.port = port
        self.folder = folder
        self.log = folder / "emulator.log"
        self._lock = folder / "lock"
        self._pid = folder / "pid"
        self._home = folder / "home"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """The address of every service."""
        return f"http://{settings.HOST}:{self.port}"

    def is_running(self) -> bool:
        """Tell whether the process lives."""
        if not self._lock.exists():
            return False
        with self._lock.open() as lock:
            return not _take(lock.fileno(), fcntl.LOCK_SH)

    def start(self) -> None:
        """Start it with nothing in it. Raises `LocalCloudError` where the port is taken."""
        _require_free(self.port)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            if not _take(lock.fileno(), fcntl.LOCK_EX, STOP_SECONDS):
                raise LocalCloudError(f"an emulator is being started on port {self.port} already")
            self._start(lock.fileno())

    def _start(self, lock: int) -> None:
        """Start it, and have it hold the lock."""
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
                start_new_session=True,  # a group of its own, which is stopped as a whole; Ctrl-C does not reach it
            )
            self._pid.write_text(str(self._process.pid))

    def wait_until_it_answers(self) -> None:
        """Return when it answers. Raises `LocalCloudError` where it ends instead, or stays silent."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.is_running():
                raise self.ended()
            if time.monotonic() > deadline:
                raise LocalCloudError(f"the emulator does not answer at {self.endpoint_url}; its log is {self.log}")
            time.sleep(POLL_SECONDS)

    def wait_until_it_ends(self) -> None:
        """Return when the process is gone."""
        with self._lock.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)

    def stop(self) -> None:
        """End it and every process that it started, if it runs, and remove its files but for the log."""
        if self.is_running():
            pid = self._process.pid if self._process else int(self._pid.read_text())
            os.killpg(pid, signal.SIGKILL)  # it keeps nothing that is worth a goodbye
        if self._process:
            self._process.wait()
        if self._lock.exists():
            with self._lock.open() as lock:
                if not _take(lock.fileno(), fcntl.LOCK_EX, STOP_SECONDS):
                    raise LocalCloudError(f"the emulator on port {self.port} cannot be stopped")
                self._remove_leftovers()

    def ended(self) -> LocalCloudError:
        """Return the error that tells of its end, with its last words."""
        lines = self.log.read_text(errors="replace").rstrip().splitlines()
        return LocalCloudError(f"the emulator ended with: {lines[-1] if lines else 'nothing'}\nIts log is {self.log}")

    def _answers(self) -> bool:
        """Tell whether it answers for its health."""
        with requests.Session() as http:
            http.trust_env = False  # no proxy lies between
            try:
                return http.get(f"{self.endpoint_url}/_ministack/health", timeout=1).ok
            except requests.RequestException:
                return False

    def _remove_leftovers(self) -> None:
        """Remove the files of an emulator that is gone; the log stays, to be read."""
        self._pid.unlink(missing_ok=True)
        shutil.rmtree(self._home, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to nobody else for a while.

    It keeps a port of its own choice back from who asks for any, while a connection that was ended from there is
    remembered (some 60 seconds); whoever asks for this very port gets it.
    """
    with socket.create_server((settings.HOST, 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection((settings.HOST, port)):
            connection, _ = server.accept()
            connection.close()
        return port


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock that others wait for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _take(lock: int, kind: int, seconds: float = 0.0) -> bool:
    """Take a lock, if it becomes free within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True


def _require_free(port: int) -> None:
    """Raise `LocalCloudError` unless the port can be listened on."""
    try:
        socket.create_server((settings.HOST, port)).close()  # refuses where anybody listens on it, on any address
    except PermissionError as error:
        raise LocalCloudError(f"port {port} may not be opened: choose another with PORT=") from error
    except OSError as error:
        raise LocalCloudError(
            f"port {port} is in use: stop what runs there (make down) or choose another: make start PORT={port + 1}"
        ) from error
