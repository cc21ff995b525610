"""The API page in a real browser: each operation works with three clicks, and nothing else is requested."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml
from playwright.sync_api import Browser, Locator, expect

from local import cloud
from local.stack import Stack
from tests.browser.watched import WatchedPage
from tools import api_page, build_page
from tools.api_page_document import Document, operations

pytestmark = pytest.mark.last  # an open demo shop lists methods, and other tests need it without

DOCUMENT = yaml.safe_load(api_page.DOCUMENT.read_text(encoding="utf-8"))
LICENCE = "https://spdx.org/licenses/MIT.html"
LINKS = "Array.from(document.querySelectorAll('[href], [src]'), (it) => it.getAttribute('href') ?? it.src)"


class Operation(NamedTuple):
    """An operation of the document."""

    name: str
    tag: str
    document: Document

    @property
    def success(self) -> str:
        """The status of an answer without an error."""
        return str(min(self.document["responses"]))

    @property
    def is_idempotent_change(self) -> bool:
        """Whether a repeated request with the same key is applied once."""
        references = [it.get("$ref", "") for it in self.document.get("parameters", [])]
        return "#/components/parameters/IdempotencyKey" in references


OPERATIONS = [
    Operation(described["operationId"], tag["name"], described)
    for tag in DOCUMENT["tags"]
    for _, _, described in operations(DOCUMENT)
    if described["tags"] == [tag["name"]]
]
"""All operations in the order of the page."""


class ApiPage(WatchedPage):
    """The API page, and what a reader does in it."""

    def goto(self, url: str) -> None:
        self.page.goto(url)
        expect(self.page.locator(".opblock")).to_have_count(len(OPERATIONS))

    def block(self, name: str) -> Locator:
        return self.page.locator(f".opblock[id$='-{name}']")

    def send(self, name: str) -> tuple[str, str]:
        """Open an operation, press Try it out and Execute. Return the status and the body that the page shows."""
        self.try_out(name).locator(".execute").click()
        return self.answer(name)

    def try_out(self, name: str) -> Locator:
        """Open an operation and press Try it out, unless the page remembers that, and return its block."""
        block = self.block(name)
        block.locator(".opblock-summary-control").click()
        button = block.locator(".try-out__btn")
        if "Cancel" not in button.inner_text():
            button.click()
        return block

    def answer(self, name: str) -> tuple[str, str]:
        shown = self.block(name).locator(".live-responses-table .response")
        status = shown.locator(".response-col_status").inner_text()
        return status, shown.locator(".response-col_description pre").first.inner_text()

    def close(self, name: str) -> None:
        self.block(name).locator(".opblock-summary-control").click()

    def keys(self) -> list[str | None]:
        """Return the idempotency keys of all requests so far."""
        sent = [request.headers.get("idempotency-key") for request in self.requests]
        return [key for key in sent if key]


@pytest.fixture(scope="module")
def shop_page(shop_url: str) -> str:
    """Return the address of the page."""
    return f"{shop_url}/docs/"


@pytest.fixture(scope="module")
def opened(browser: Browser, shop_page: str) -> Iterator[ApiPage]:
    opened = ApiPage(browser.new_page(reduced_motion="reduce"))
    opened.goto(shop_page)
    yield opened
    opened.page.close()


@pytest.fixture
def offline(browser: Browser) -> Iterator[ApiPage]:
    context = browser.new_context(offline=True)
    yield ApiPage(context.new_page())
    context.close()


def test_page_lists_the_operations_in_order(opened: ApiPage) -> None:
    listed = opened.page.locator(".opblock").evaluate_all("(blocks) => blocks.map((it) => it.id.split('-').pop())")
    assert listed == [operation.name for operation in OPERATIONS]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_three_clicks_get_an_answer(opened: ApiPage, operation: Operation) -> None:
    before = len(opened.keys())

    status, body = opened.send(operation.name)

    assert (status, len(opened.keys()) - before) == (operation.success, int(operation.is_idempotent_change)), body
    opened.close(operation.name)


def test_each_change_has_a_new_key(opened: ApiPage) -> None:
    before = len(opened.keys())
    opened.send("addToCart")
    with opened.page.expect_response(lambda it: it.request.method == "POST") as answer:
        opened.block("addToCart").locator(".execute").click()

    sent = opened.keys()[before:]
    assert (answer.value.status, len(set(sent))) == (200, 2)
    assert "idempotency-replayed" not in answer.value.headers
    expect(opened.block("addToCart").locator(".curl-command")).to_contain_text(f"Idempotency-Key: {sent[1]}")
    assert len(set(opened.keys())) == len(opened.keys())
    opened.close("addToCart")


def test_reader_s_own_key_is_sent(opened: ApiPage) -> None:
    block = opened.try_out("selectForCart")
    block.get_by_placeholder("Idempotency-Key").fill("my-key")
    block.locator(".execute").click()

    assert opened.answer("selectForCart")[0] == "200"
    assert opened.keys()[-1] == "my-key"
    opened.close("selectForCart")


def test_links_lead_somewhere(opened: ApiPage) -> None:
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    own = {f"#/{tag}" for tag in tags} | {f"#/{it.tag}/{it.name}" for it in OPERATIONS}
    links = {link.replace("%20", " ") for link in opened.page.evaluate(LINKS) if not link.startswith("data:")}
    assert links == own | {LICENCE}


def test_page_requests_nothing_else(opened: ApiPage, stack: Stack, shop_url: str) -> None:
    opened.send("readCart")
    opened.close("readCart")

    origins = {"{0.scheme}://{0.netloc}".format(urlsplit(it.url)) for it in opened.requests if it.url[:5] != "data:"}
    assert origins == {shop_url, stack.endpoint_url}
    assert opened.complaints == []


def test_link_opens_its_operation(browser: Browser, shop_page: str) -> None:
    linked, operation = ApiPage(browser.new_page()), OPERATIONS[0]
    linked.goto(f"{shop_page}#/{operation.tag}/{operation.name}".replace(" ", "%20"))
    expect(linked.block(operation.name)).to_contain_class("is-open")
    linked.page.close()


def test_page_without_a_cloud_works_offline(offline: ApiPage, tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(api_page.page(), encoding="utf-8")

    offline.goto(file.as_uri())

    offline.block("addToCart").locator(".opblock-summary-control").click()
    expect(offline.block("addToCart")).to_contain_text("Send an Idempotency-Key")
    expect(offline.page.locator(".note")).to_have_count(0)
    assert {urlsplit(it.url).scheme for it in offline.requests} <= {"file", "data"}
    assert offline.complaints == []


def test_file_names_the_page_of_the_server(
    *,
    browser: Browser,
    shop_page: str,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(build_page, "ROOT", tmp_path)
    monkeypatch.setattr(build_page, "PAGE", tmp_path / "index.html")
    monkeypatch.setattr(cloud, "current", lambda current=cloud.current: current(state))
    opened = ApiPage(browser.new_page())

    build_page.main()

    assert capsys.readouterr().out.splitlines() == [shop_page, "index.html"]
    opened.goto(build_page.PAGE.as_uri())
    expect(opened.page.locator("#elsewhere")).to_contain_text(f"open {shop_page}")
    assert opened.send("readCart")[0] == "200"
    opened.page.close()
