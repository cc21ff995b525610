"""The functions in this process, as a warm Lambda has them: their own environment, their own log, a clock that stands.

The clock stands so that a request that is repeated is the same to the byte, and its answer may come from memory.
"""

import contextlib
import importlib.util
import io
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO, cast

from storefront.web import edge
from tests.builders import NOW, ROOT

Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

TABLE: Final = "table"
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "DATABASE_TIMEOUT_SECONDS": "5",  # on a machine that may be busy with other things
    "TABLE_NAME": TABLE,
}


class Context:
    """What Lambda tells a function about its run."""

    aws_request_id = "c0ffee00-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return 20_000


class Log(io.TextIOBase):
    """What a function prints: counted and given to the system, line by line, as it is in Lambda."""

    def __init__(self) -> None:
        """Write to where nothing is kept."""
        self.bytes = 0
        self._sink = os.open(os.devnull, os.O_WRONLY)

    def write(self, text: str, /) -> int:
        """Take a piece of text."""
        self.bytes += os.write(self._sink, text.encode())
        return len(text)

    @contextlib.contextmanager
    def taking(self) -> Iterator[None]:
        """Take what is printed as well as what the loggers write."""
        with contextlib.redirect_stdout(cast("TextIO", self)):
            yield


def load(address: str, log: Log) -> dict[str, Handler]:
    """Import every function, with the database at this address. It is done once a process."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL_DYNAMODB=address)
    edge.clock = lambda: NOW
    with log.taking():  # the logger keeps what is stdout then
        return {file.parent.name: _handler(file.parent.name) for file in (ROOT / "functions").glob("*/app.py")}


def _handler(function: str) -> Handler:
    """Import a function's app.py under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"{function}_app", ROOT / "functions" / function / "app.py")
    if spec is None or spec.loader is None:
        raise ImportError(function)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = module.handler
    return handler
