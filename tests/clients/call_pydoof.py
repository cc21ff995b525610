"""Call PyDoof: reads one call per line as JSON, and writes what the library returned or raised.

This runs in the virtual environment of one version of PyDoof, so it imports nothing else.
"""

import collections
import json
import sys
from collections.abc import Callable, Iterable
from datetime import date
from importlib.metadata import version
from typing import Any

if version("pydoof") == "4.2.0":
    vars(collections)["Iterable"] = Iterable  # it imports this name, which Python 3.10 removed

from pydoof.base import PyDoofError  # type: ignore[import-untyped]
from pydoof.management_api import stats as reports  # type: ignore[import-untyped]
from pydoof.search_api import stats  # type: ignore[import-untyped]
from pydoof.search_api.api_client import SearchAPIClient  # type: ignore[import-untyped]

TYPES: dict[str, Callable[[str], object]] = {
    "from_": date.fromisoformat,
    "to": date.fromisoformat,
    "device": reports.Devices,
    "format_": reports.Formats,
}
"""The types of the arguments of reports, which JSON does not have."""


def report(name: str, options: dict[str, str], arguments: dict[str, Any]) -> object:
    """Call a function of the Management API's statistics."""
    typed = {it: TYPES[it](value) if it in TYPES else value for it, value in arguments.items()}
    return getattr(reports, name)(**typed, **options)


def call(name: str, options: dict[str, str], arguments: dict[str, Any]) -> object:
    """Call a function of `stats`, or a method of the client, which has those for which there is no function."""
    if "management_url" in options:
        return report(name, options, arguments)
    if hasattr(stats, name):
        return getattr(stats, name)(**arguments, **options)
    return getattr(SearchAPIClient(**options), name)(**arguments)


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer: dict[str, object] = {"returned": call(**{"name": request.pop("call"), **request})}
    except PyDoofError as error:
        answer = {"raised": [type(error).__name__, error.http_status, error.message]}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
