"""Take what no function imports or reads out of the layer that was installed into the folder named.

What is not in the layer is neither fetched nor unpacked, and botocore reads its data at every cold start.
"""  # noqa: INP001 - a script beside its Makefile

import gzip
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SERVICE: Final = "dynamodb"
"""The one that the functions call, of the 400 whose models botocore carries. Credentials come without a call, from the
environment or from Lambda's own address."""

UNUSED: Final = (
    "bin",
    "botocore/data/*/*/examples-1.json*",
    "pydantic/mypy.py",
    "pydantic/v1",
)


def prune(site: Path) -> None:
    """Prune the packages in a folder. Raises `FileNotFoundError` where one is no longer as this file says."""
    data = site / "botocore" / "data"
    for folder in data.iterdir():
        if folder.is_dir() and folder.name != SERVICE:
            shutil.rmtree(folder)
    for pattern in UNUSED:
        if not (found := list(site.glob(pattern))):
            raise FileNotFoundError(f"{pattern} names nothing, which is to be pruned")
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    for packed in data.rglob("*.json.gz"):  # the layer is packed as a whole; reading these twice packed takes longer
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    for model in (data / SERVICE).rglob("service-2.json"):
        _rewrite(model, _undocumented)
    _rewrite(data / "endpoints.json", _endpoints)


def _rewrite(file: Path, change: Callable[[Any], Any]) -> None:
    """Change what a JSON file says."""
    file.write_text(json.dumps(change(json.loads(file.read_text())), separators=(",", ":")))


def _undocumented(model: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Leave out a model's documentation, two thirds of it; a shape that has this name has no text for its value."""
    if isinstance(model, dict):
        return {
            name: _undocumented(value)
            for name, value in model.items()
            if name != "documentation" or not isinstance(value, str)
        }
    return [_undocumented(value) for value in model] if isinstance(model, list) else model


def _endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Leave out the other services' endpoints; partitions and regions stay."""
    for partition in endpoints["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name == SERVICE}
    return endpoints


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
