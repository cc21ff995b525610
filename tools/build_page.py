"""Write the API page, filled in for a running local cloud, and print where it is (`make docs`)."""

import os
import sys
from pathlib import Path
from typing import Final

import requests

from local import cloud
from local.errors import LocalCloudError
from tools.api_page import page
from tools.support.paths import ROOT

PAGE: Final = ROOT / ".local" / "docs" / "index.html"


def main() -> None:
    """Write the page, and print its address, if the demo shop's server has it, and its path."""
    stack = cloud.current()
    shop_server = stack.demo_url if stack else ""
    try:
        content = page(stack, shop_server)
    except (LocalCloudError, requests.RequestException) as error:
        sys.exit(f"The page cannot be filled in: {error}")
    _write(PAGE, content)
    if shop_server:
        print(f"{shop_server}/docs/")  # noqa: T201 - the result
    print(PAGE.relative_to(ROOT))  # noqa: T201 - the result


def _write(path: Path, content: str) -> None:
    """Replace a file by one that only its owner may read: it can have keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)


if __name__ == "__main__":
    main()
