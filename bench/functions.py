"""The functions in this process, as in a warm Lambda: with their environment and log, and a stopped clock.

The clock is stopped and new keys are constant, so that a repeated request has the same bytes, and can be answered from
memory.
"""

import contextlib
import importlib.util
import io
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO, cast

from serverless_cart import auth, bootstrap, clock
from serverless_cart.dynamodb import token_registry
from serverless_cart.service import checkout
from tools.support.events import NOW
from tools.support.paths import ROOT
from tools.support.template import TEMPLATE

Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

TABLE: Final = "table"
_VARIABLES: Final = {
    name: value["Ref"]
    for name, value in TEMPLATE["Globals"]["Function"]["Environment"]["Variables"].items()
    if "Ref" in value
}
ENVIRONMENT: Final = {
    # The template's own variables, with the defaults of its parameters.
    **{
        name: str(TEMPLATE["Parameters"][parameter]["Default"])
        for name, parameter in _VARIABLES.items()
        if parameter in TEMPLATE["Parameters"]
    },
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "DATABASE_TIMEOUT_SECONDS": "5",  # the machine may be busy with other things
    "TABLE_NAME": TABLE,
}


class Context:
    """The context of an invocation, as Lambda passes it to a function."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "c0ffee00-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return 20_000


class Log(io.TextIOBase):
    """The output of a function: counted, and written to the system line by line, as in Lambda."""

    def __init__(self) -> None:
        self.bytes = 0
        self._sink = os.open(os.devnull, os.O_WRONLY)

    def write(self, text: str, /) -> int:
        """Count and write a text."""
        self.bytes += os.write(self._sink, text.encode())
        return len(text)

    @contextlib.contextmanager
    def taking(self) -> Iterator[None]:
        """Redirect standard output to this log; the loggers write to it too."""
        with contextlib.redirect_stdout(cast("TextIO", self)):
            yield


def load(address: str, log: Log) -> dict[str, Handler]:
    """Import all functions, with the database at this address. Call it once per process."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL_DYNAMODB=address)
    for module in (auth, token_registry):
        vars(module)["new_key"] = lambda: "4" * 40
    vars(checkout)["new_key"] = lambda: f"ORD-{0:026}"
    for module in (clock, bootstrap):  # the second has a name for it already, which the functions use
        vars(module)["clock"] = lambda: NOW
    with log.taking():  # the logger keeps what is stdout then
        return {file.parent.name: _handler(file.parent.name) for file in (ROOT / "functions").glob("*/app.py")}


def _handler(function: str) -> Handler:
    """Import a function's app.py under a unique name."""
    spec = importlib.util.spec_from_file_location(f"{function}_app", ROOT / "functions" / function / "app.py")
    if spec is None or spec.loader is None:
        raise ImportError(function)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = module.handler
    return handler
