"""One browser for all tests, and an empty page, whose origin is that of no API."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from local import cloud, shop_server
from local.emulator import free_port
from local.stack import Stack
from tests.browser.demo_shop import DemoShop, Visit
from tools.support import chromium
from tools.support.paths import ROOT


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the browser."""
    with chromium.running() as browser:
        yield browser


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


@pytest.fixture(scope="session")
def shop_url(stack: Stack, state: Path) -> Iterator[str]:
    """Start the demo shop's server, and return its address."""
    yield cloud.open_shop(stack, free_port(), state).demo_url
    shop_server.stop(cloud.folder_of(stack, state))


@pytest.fixture
def visit(browser: Browser, stack: Stack, shop_url: str) -> Iterator[Visit]:
    """Return a function that opens the demo shop. In the end, no browser may have complained."""
    visits: list[DemoShop] = []

    def open_tab(place: str = "", beside: DemoShop | None = None, **options: Any) -> DemoShop:
        context = beside.page.context if beside else browser.new_context(reduced_motion="reduce", **options)
        visits.append(DemoShop(context.new_page(), shop_url, stack))
        return visits[-1].open(place)

    yield open_tab
    for one in visits:
        one.restore_products()
    for context in {one.page.context for one in visits}:
        context.close()
    assert [one.complaints for one in visits] == [[] for _ in visits]
