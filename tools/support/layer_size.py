"""The size of a layer or a function, and the largest size that both layers may have together."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Final

LAYERS: Final = 15_000_000
"""Bytes that both layers may have together, zipped."""


def size_of_folder(folder: Path) -> dict[str, int]:
    """Return the size of the files in a folder in bytes: ``zipped``, as they are sent to Lambda, and ``unzipped``."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(folder))
    return {"zipped": packed.tell(), "unzipped": sum(file.stat().st_size for file in files)}
