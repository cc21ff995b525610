"""The folders of this checkout."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
EVENTS: Final = ROOT / "events"
