"""Call PyDoof: reads one call per line as JSON, and writes what the library returned or raised.

This runs in the virtual environment of one version of PyDoof, so it imports nothing else.
"""

import collections
import json
import sys
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

if version("pydoof") == "4.2.0":
    vars(collections)["Iterable"] = Iterable  # it imports this name, which Python 3.10 removed

from pydoof.search_api import exceptions, stats  # type: ignore[import-untyped]
from pydoof.search_api.api_client import SearchAPIClient  # type: ignore[import-untyped]


def call(name: str, options: dict[str, str], arguments: dict[str, Any]) -> object:
    """Call a function of `stats`, or a method of the client, which has those for which there is no function."""
    if hasattr(stats, name):
        return getattr(stats, name)(**arguments, **options)
    return getattr(SearchAPIClient(**options), name)(**arguments)


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer: dict[str, object] = {"returned": call(**{"name": request.pop("call"), **request})}
    except exceptions.SearchAPIError as error:
        answer = {"raised": [type(error).__name__, error.http_status, error.message]}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
