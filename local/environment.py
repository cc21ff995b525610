"""What the emulator, SAM and our own clients are told of the cloud: the emulator's test account, never a real one."""

import os
import platform
import sys
from pathlib import Path
from typing import Final

import boto3
from botocore.config import Config

from cartctl.connection import test_session
from local import settings

_TEST_ACCOUNT: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_NO_FILES: Final = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
_FOREIGN: Final = ("AWS_", "SAM_", "MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV")
"""Beginnings of the names of variables that would steer SAM elsewhere: to a real account, to the flags of the `make`
that called us, or to our own virtual environment."""

RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The emulator runs functions in its own interpreter; tools/prepare.py makes its environment and ours with the same."""
ARCHITECTURE: Final = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def of_emulator(port: int, home: Path) -> dict[str, str]:
    """Return the emulator's whole environment, which it hands on to the functions; its files go below ``home``."""
    return {
        **_TEST_ACCOUNT,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": settings.HOST,
        "IOT_MTLS_ENABLED": "0",  # it would listen on another port
        "AUTH": "true",
        "MINISTACK_REGION": settings.REGION,
    }


def of_sam(endpoint_url: str) -> dict[str, str]:
    """Return SAM's environment: the developer's own, but for what says where and as whom to deploy."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    exempt = ",".join(filter(None, (own.get("NO_PROXY") or own.get("no_proxy"), settings.HOST)))
    return {
        **own,
        **_TEST_ACCOUNT,
        **_NO_FILES,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": settings.REGION,
        "AWS_DEFAULT_REGION": settings.REGION,
        "NO_PROXY": exempt,
        "no_proxy": exempt,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.5",  # seconds; the emulator is faster than AWS
        # For the layers' Makefiles.
        "RUNTIME": RUNTIME,
        "ARCHITECTURE": ARCHITECTURE,
        "PYTHON": str(settings.EMULATOR / "python"),
        "PATH": f"{settings.EMULATOR}{os.pathsep}{own.get('PATH', os.defpath)}",
    }


def session() -> boto3.Session:
    """Open a session in the emulator's test account, whatever profile or account the developer's shell names."""
    return test_session(settings.REGION)


CLIENT: Final = Config(proxies={}, retries={"total_max_attempts": 1})
"""Settings of a client of the emulator: no proxy lies between, and nothing is repeated."""
