"""The browser of the tests and of the pictures."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tools.client_packages import CHROMIUM


@contextmanager
def running() -> Iterator[Browser]:
    """Start this machine's Chrome or Chromium, or else the one of `tools.client_packages`."""
    installed = next(filter(None, map(shutil.which, ("google-chrome", "chromium"))), CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser
        browser.close()
