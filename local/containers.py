"""Where containers on this host reach it: the bridge of Docker, or of Podman that runs as root.

On Docker Desktop, containers reach the host's loopback by the name `host.docker.internal`. On Linux, they reach only
the address of the engine's bridge, where the local cloud listens by `local.relay`.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from ipaddress import IPv4Network
from typing import Any, Final, NamedTuple

HOST_NAME: Final = "host.docker.internal"
"""The name by which containers call the host."""
TIMEOUT_SECONDS: Final = 5
ENGINES: Final[tuple[tuple[str, ...], ...]] = (
    ("docker", "network", "inspect", "bridge"),
    ("podman", "network", "inspect", "podman"),
)


class Bridge(NamedTuple):
    """The host's address on the bridge, and the network of its containers."""

    address: str
    network: IPv4Network


@cache
def bridge() -> Bridge | None:
    """Return the bridge of the first engine that runs on this host, or None if there is none."""
    if sys.platform != "linux":
        return None
    for command in ENGINES:
        if command[0] == "podman" and os.geteuid() != 0:
            continue  # its containers are not on the bridge
        if found := bridge_of(_output(command)):
            return found
    return None


def bridge_of(described: str) -> Bridge | None:
    """Return the bridge that `network inspect` describes, in Docker's or in Podman's words; None if it is IPv6 only."""
    try:
        (network,) = json.loads(described)
    except ValueError:
        return None
    subnets: list[dict[str, Any]] = network.get("subnets") or network.get("IPAM", {}).get("Config") or []
    for subnet in subnets:
        parts = {name.lower(): value for name, value in subnet.items()}
        if "." in parts.get("gateway", ""):
            return Bridge(parts["gateway"], IPv4Network(parts["subnet"]))
    return None


def is_engine_present() -> bool:
    """Return whether the SAM CLI can run containers here, if need be by Podman's service."""
    return _output(("docker", "ps", "--quiet"), failed="-") != "-" or shutil.which("podman") is not None


def _output(command: tuple[str, ...], failed: str = "") -> str:
    """Return what a command prints, or ``failed``."""
    try:
        return subprocess.run(  # noqa: S603 - our own commands
            command, capture_output=True, text=True, check=True, timeout=TIMEOUT_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return failed


if __name__ == "__main__":
    if not is_engine_present():
        sys.exit("Skipped: make test-sam-local needs Docker or Podman, and neither runs here.")
