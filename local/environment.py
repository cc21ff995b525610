"""The environments of the emulator, of SAM and of our clients: the emulator's test account, never a real account."""

import os
import platform
import sys
from pathlib import Path
from typing import Final

import boto3
from botocore.config import Config

from cartctl.connection import test_session
from local import settings
from tools.build import Target

_TEST_ACCOUNT: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_NO_FILES: Final = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
_FOREIGN: Final = ("AWS_", "SAM_", "MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV")
"""Prefixes of variables that SAM must not inherit: they may select an account, flags of `make`, or our own packages."""

RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The emulator runs functions in its own interpreter, which tools/prepare.py takes from the same Python as ours."""
ARCHITECTURE: Final = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def of_emulator(port: int, home: Path) -> dict[str, str]:
    """Return the emulator's whole environment, which the functions inherit; its files are written below ``home``."""
    return {
        **_TEST_ACCOUNT,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": settings.HOST,
        "IOT_MTLS_ENABLED": "0",  # no listener on a second port
        "AUTH": "true",
        "MINISTACK_REGION": settings.REGION,
    }


def of_sam(endpoint_url: str) -> dict[str, str]:
    """Return SAM's environment: the developer's, with the account and address of the emulator."""
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
        **Target(RUNTIME, ARCHITECTURE).variables,
        "PYTHON": str(settings.EMULATOR / "python"),
        "PATH": f"{settings.EMULATOR}{os.pathsep}{own.get('PATH', os.defpath)}",
    }


def session() -> boto3.Session:
    """Return a session of the emulator's test account, which ignores the developer's profiles and variables."""
    return test_session(settings.REGION)


CLIENT: Final = Config(proxies={}, retries={"total_max_attempts": 1})
"""The configuration of clients of the emulator: no proxy and no retries."""
