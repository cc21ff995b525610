"""Checks what a function needs before it starts. `bootstrap` imports this module first.

The built layer of packages has a module `serverless_cart_target`, which says what the layer was built for. Outside of a
layer there is no such module, and nothing to check.
"""

import os
import sys
from typing import Final, NoReturn

try:
    from serverless_cart_target import ARCHITECTURE, RUNTIME  # type: ignore[import-not-found]
except ImportError:
    BUILT_FOR: tuple[str, str] | None = None
else:
    BUILT_FOR = (RUNTIME, ARCHITECTURE)

_ARCHITECTURES: Final = {"aarch64": "arm64"}
"""Lambda's names of processors, by those of Linux, where they differ."""


class CannotStartError(RuntimeError):
    """The function is deployed in a way in which it cannot work."""


def check_layer() -> None:
    """Check that the layer of packages is built for this runtime and architecture. Raises `CannotStartError`."""
    machine = os.uname().machine
    running = (f"python{sys.version_info.major}.{sys.version_info.minor}", _ARCHITECTURES.get(machine, machine))
    if BUILT_FOR is None or running == BUILT_FOR:
        return
    built_for, runs_on = " ".join(BUILT_FOR), " ".join(running)
    _refuse(
        f"The layers are built for {built_for}, and this function runs on {runs_on}. Build and deploy again: "
        f"make build RUNTIME={running[0]} ARCHITECTURE={running[1]} && sam deploy",
        built_for=built_for,
        runs_on=runs_on,
    )


def check_table() -> None:
    """Check that there is a table's name under `sam local`, which knows none. Raises `CannotStartError`."""
    if os.environ.get("AWS_SAM_LOCAL") == "true" and os.environ.get("TABLE_NAME") == "Table":
        _refuse(
            "There is no table. Start one with make up, then add to the command of sam local: "
            '--config-file "$PWD/.local/sam-local.toml"'
        )


def _refuse(message: str, **fields: str) -> NoReturn:
    """Log why the function does not start, as one line of JSON, and raise `CannotStartError`."""
    import json  # noqa: PLC0415 - only to fail

    print(json.dumps({"level": "ERROR", "message": message, **fields}))  # noqa: T201 - the log of the function
    raise CannotStartError(message)


check_layer()
check_table()
