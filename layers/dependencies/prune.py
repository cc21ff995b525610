"""Delete from the layer installed in the given folder whatever no function imports or reads.

Lambda fetches and unpacks a smaller layer faster, and botocore reads its data at every cold start. No package's code is
changed: only whole modules and data files are deleted, and botocore's data is shortened.

This script is not in tools/, because `sam build` runs the Makefile beside it in a copy of this folder only.
"""  # noqa: INP001 - a script beside its Makefile

import gzip
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SERVICE: Final = "dynamodb"
"""The only service that the functions call, of the 400 that botocore has models of. Credentials need no call: they come
from the environment or from Lambda's own address."""

UNUSED: Final = (
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.css",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.js",
    "aws_lambda_powertools/utilities/auth_alpha",
    "aws_lambda_powertools/utilities/batch",
    "aws_lambda_powertools/utilities/circuit_breaker",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parameters",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
    "bin",
    "boto3/examples",
    "botocore/data/*/*/examples-1.json*",
    "pydantic/mypy.py",
    "pydantic/v1",
)


def prune(site: Path) -> None:
    """Prune the packages in a folder. Raises `FileNotFoundError` if a package no longer has what is to be deleted."""
    data = site / "botocore" / "data"
    for services in (data, site / "boto3" / "data"):
        for folder in services.iterdir():
            if folder.is_dir() and folder.name != SERVICE:
                shutil.rmtree(folder)
    for pattern in UNUSED:
        if not (found := list(site.glob(pattern))):
            raise FileNotFoundError(f"nothing to prune at {pattern}: has the package changed?")
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    for packed in data.rglob("*.json.gz"):  # the layer is zipped anyway, and unpacking takes time
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    for model in (data / SERVICE).rglob("service-2.json"):
        _rewrite(model, _undocumented)
    _rewrite(data / "endpoints.json", _endpoints)


def _rewrite(file: Path, change: Callable[[Any], Any]) -> None:
    """Change the content of a JSON file."""
    file.write_text(json.dumps(change(json.loads(file.read_text())), separators=(",", ":")))


def _undocumented(model: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Leave out a model's documentation, two thirds of it. A shape of that name has no text as its value, and stays."""
    if isinstance(model, dict):
        return {
            name: _undocumented(value)
            for name, value in model.items()
            if name != "documentation" or not isinstance(value, str)
        }
    return [_undocumented(value) for value in model] if isinstance(model, list) else model


def _endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Leave out the endpoints of other services. Partitions and regions stay."""
    for partition in endpoints["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name == SERVICE}
    return endpoints


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
