"""One browser for all tests."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools.client_packages import CHROMIUM


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start this machine's Chrome or Chromium, or else the one of `make test-browser`."""
    installed = next(filter(None, map(shutil.which, ("google-chrome", "chromium"))), CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser
        browser.close()
