"""Sizes of the layers and functions, zipped and unzipped."""

from typing import Any

from rich.table import Table

from bench.built import built
from tools.support.layer_size import LAYERS, size_of_folder
from tools.support.template import resources_of_type


def measure() -> dict[str, Any]:
    """Build, and return the sizes in bytes; ``met`` is true if the zipped layers are within their limit."""
    with built() as folder:
        layers = {name: size_of_folder(folder / name) for name in resources_of_type("AWS::Serverless::LayerVersion")}
        functions = {name: size_of_folder(folder / name) for name in resources_of_type("AWS::Serverless::Function")}
    zipped = sum(size["zipped"] for size in layers.values())
    return {"sizes": {**layers, **functions}, "layers": zipped, "at_most": LAYERS, "met": zipped <= LAYERS}


def table(measured: dict[str, Any]) -> Table:
    """Format the result of `measure`."""
    shown = Table(title="Sizes, in kB", caption=f"both layers zipped: at most {measured['at_most'] // 1000:,}")
    shown.add_column("what")
    shown.add_column("zipped", justify="right")
    shown.add_column("unzipped", justify="right")
    for name, size in measured["sizes"].items():
        shown.add_row(name, f"{size['zipped'] / 1000:,.1f}", f"{size['unzipped'] / 1000:,.1f}")
    return shown
