"""Take the picture of the demo shop for the README, docs/demo-shop.png: `make pictures`."""

import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, ViewportSize, expect
from rich.console import Console

from local import cloud, shop_server
from local.emulator import free_port
from local.errors import LocalCloudError
from tools.support import chromium
from tools.support.paths import ROOT

PICTURE: Final = ROOT / "docs" / "demo-shop.png"
PICTURE_BYTES: Final = 150_000
"""The largest picture: it is in the repository."""
WINDOW: Final[ViewportSize] = {"width": 1280, "height": 800}
PRODUCTS: Final = ("Stoneware mug, white", "Stoneware mug, white", "Gooseneck kettle", "Ethiopia Guji")


def main() -> None:
    """Run a local cloud with the demo shop, and take the picture. Exit with one line if the cloud fails."""
    console = Console()
    try:
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder)
            with cloud.running(state=state, console=console) as stack:
                shop = cloud.open_shop(stack, free_port(), state, console)
                take(shop.demo_url, PICTURE)
                shop_server.stop(cloud.folder_of(stack, state))
    except LocalCloudError as error:
        sys.exit(str(error))
    size = PICTURE.stat().st_size
    if size > PICTURE_BYTES:
        sys.exit(f"{PICTURE} has {size:,} bytes, and at most {PICTURE_BYTES:,} are allowed: show less")
    console.print(f"Wrote {PICTURE.relative_to(ROOT)}, {size:,} bytes", highlight=False)


def take(shop: str, picture: Path) -> None:
    """Fill a cart in the shop at an address, and write a picture of it."""
    with chromium.running() as browser:
        page = browser.new_page(viewport=WINDOW, color_scheme="light", reduced_motion="reduce")
        page.goto(shop)
        for count, name in enumerate(PRODUCTS, start=1):
            page.locator("#products > li").filter(has_text=name).locator("[data-part=add]").click()
            expect(page.locator("#cart-count")).to_have_text(str(count))
        page.goto("about:blank")  # without the announcement of the last change
        page.goto(shop)
        page.locator("#open-cart").click()
        _apply(page, "WELCOME")
        page.screenshot(path=picture)


def _apply(page: Page, code: str) -> None:
    """Apply a discount code, and return when its announcement has gone."""
    page.locator("#discount-code").fill(code)
    page.locator("#discount-code").press("Enter")
    expect(page.locator("#discount")).to_be_visible()
    page.locator("#cart-title").focus()
    page.locator("#cart-items > li").first.scroll_into_view_if_needed()
    expect(page.locator("#announcement")).not_to_be_visible(timeout=20_000)


if __name__ == "__main__":
    main()
