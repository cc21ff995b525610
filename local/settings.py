"""Paths, and the local cloud's settings in local/samconfig.toml."""

import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
STATE: Final = ROOT / ".local"
CARTCTL: Final = ROOT / ".venv" / "bin" / "cartctl"
SAM: Final = STATE / "venvs" / "sam" / "bin" / "sam"
EMULATOR: Final = STATE / "venvs" / "emulator" / "bin"
"""The programs of the emulator's virtual environment; its interpreter runs the functions."""
HOST: Final = "127.0.0.1"
PORT: Final = 4566
SHOP_PORT: Final = 4600
"""The port of the demo shop's server."""

SAMCONFIG: Final = ROOT / "local" / "samconfig.toml"

_samconfig: Final[dict[str, Any]] = tomllib.loads(SAMCONFIG.read_text())["local"]
STACK_NAME: Final[str] = _samconfig["global"]["parameters"]["stack_name"]
REGION: Final[str] = _samconfig["global"]["parameters"]["region"]
BUILD: Final = ROOT / _samconfig["build"]["parameters"]["build_dir"]
CACHE: Final = ROOT / _samconfig["build"]["parameters"]["cache_dir"]
PARAMETERS: Final[dict[str, str]] = dict(
    override.split("=", 1) for override in _samconfig["deploy"]["parameters"]["parameter_overrides"]
)
"""The template's parameters in the local cloud, without those that depend on the host."""
