"""One browser for all tests, and an empty page, whose origin is that of no API."""

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools.client_packages import CHROMIUM
from tools.support.paths import ROOT


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start this machine's Chrome or Chromium, or else the one of `make test-browser`."""
    installed = next(filter(None, map(shutil.which, ("google-chrome", "chromium"))), CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def empty_page() -> Iterator[str]:
    """Serve a page that loads the client library and shows nothing, and return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=ROOT)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/tests/browser/page.html"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return the profile of a new visitor; its pages share a storage."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext, empty_page: str) -> Page:
    """Open the empty page in a new profile."""
    page = context.new_page()
    page.goto(empty_page)
    return page
