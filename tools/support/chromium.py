"""The browser of the tests and of the pictures."""

import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tools.client_packages import CHROMIUM

NAMES: Final = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser")
"""The browsers that are used if they are on the PATH."""


@contextmanager
def running() -> Iterator[Browser]:
    """Start this machine's Chrome or Chromium, or else the one of `tools.client_packages`, which runs on Linux.

    Raises `Error` of Playwright, with the path where Chrome should be, if there is none for this machine.
    """
    runs_ours = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    path = next(filter(None, map(shutil.which, NAMES)), CHROMIUM if runs_ours else None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, channel=None if path else "chrome", args=["--no-sandbox"]
        )
        yield browser
        browser.close()
