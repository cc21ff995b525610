"""Sizes: each layer and function, as it is sent to Lambda and as it lies there."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from bench.built import built, of_type

LAYERS: Final = 15_000_000
"""Bytes that both layers may have together, zipped."""


def measure() -> dict[str, Any]:
    """Build, and return the sizes in bytes, zipped and not; ``met`` tells whether the layers keep to their bound."""
    with built() as folder:
        layers = {name: of(folder / name) for name in of_type("AWS::Serverless::LayerVersion")}
        functions = {name: of(folder / name) for name in of_type("AWS::Serverless::Function")}
    zipped = sum(size["zipped"] for size in layers.values())
    return {"sizes": {**layers, **functions}, "layers": zipped, "at_most": LAYERS, "met": zipped <= LAYERS}


def of(folder: Path) -> dict[str, int]:
    """Return the size of a folder's files, zipped and not, in bytes."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(folder))
    return {"zipped": packed.tell(), "unzipped": sum(file.stat().st_size for file in files)}


def table(measured: dict[str, Any]) -> Table:
    """Show what `measure` returned."""
    shown = Table(title="Sizes, in kB", caption=f"both layers zipped: at most {measured['at_most'] // 1000:,}")
    shown.add_column("what")
    shown.add_column("zipped", justify="right")
    shown.add_column("unzipped", justify="right")
    for name, size in measured["sizes"].items():
        shown.add_row(name, f"{size['zipped'] / 1000:,.1f}", f"{size['unzipped'] / 1000:,.1f}")
    return shown
