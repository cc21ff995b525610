"""Each view of the demo shop: for screen readers, on phones, in dark mode, and with all texts from one place."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from local.stack import Stack
from tests.browser.demo_shop import TAB_COMES_BACK, DemoShop, Visit
from tools.client_packages import MODULES
from tools.support.clients import unique
from tools.support.paths import ROOT

pytestmark = pytest.mark.last  # an open demo shop lists methods, and other tests need it without

AXE = MODULES / "axe-core" / "axe.min.js"
VIOLATIONS = """
async () => (await axe.run()).violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])
"""
TEXTS = ROOT / "demo" / "texts.js"
MARKED = """
const mark = (text) => {
  if (typeof text === "string") return `«${text}»`;
  if (typeof text === "function") return (...given) => mark(text(...given));
  return Object.fromEntries(Object.entries(text).map(([name, part]) => [name, mark(part)]));
};
export const texts = mark(plain);
"""
WORDS = """
() => {
  const texts = [document.title];
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) texts.push(nodes.currentNode.data);
  for (const name of ["aria-label", "placeholder", "title", "alt"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) texts.push(element.getAttribute(name));
  }
  return texts.map((text) => text.trim()).filter((text) => text && !/^«.*»$/s.test(text));
}
"""
DATA = re.compile(
    r"\W*|-?€[\d.,]+|\d+%?|ORD-\w{26}|\d+ \w+ \d{4} at \d\d:\d\d"  # amounts, keys of orders, dates
    r"|customer-\d|Pick up|Parcel|Express|Invoice|Card|A gift"
)
"""What is no text of the page: amounts, dates, keys, and names of customers and methods."""
MUG, KETTLE = "Stoneware mug, white", "Gooseneck kettle"
MUG_ID = 123
SETTINGS = (("light", 360), ("dark", 1280))
"""Colours depend on the scheme only, and places on the width only."""
HEADS = ((320, 210), (768, 170), (820, 170), (901, 80), (1024, 80))
"""Widths of the window, and the greatest height of the head, in pixels."""
FEW = 8
"""Products on the page, the first of the catalogue: axe-core looks at each element, and other tests sell lamps."""


def views(shop: DemoShop, stack: Stack) -> Iterator[str]:
    """Go through all views as a customer who fills a cart and pays, and name each."""
    page, customer = shop.page, unique("buyer")
    yield "products"
    page.locator("#products > li a").first.click()
    expect(page.locator("#product-dialog")).to_be_visible()
    yield "product"
    page.keyboard.press("Escape")
    page.locator("#open-cart").click()
    yield "empty cart"
    page.keyboard.press("Escape")
    shop.add(MUG).add(KETTLE).open_cart().write_notes(MUG, "A gift")
    page.locator("#discount-code").fill("unknown")
    page.keyboard.press("Enter")
    expect(page.locator("#discount-error")).to_be_visible()
    shop.place_order()
    yield "cart with errors"
    shop.choose("Parcel", "Card").place_order()
    yield "sign-in"
    shop.sign_in(customer)
    page.wait_for_url("**/pay.html*")
    yield "payment"
    page.locator("#cancel").click()
    expect(shop.order_status).to_be_visible()
    yield "order"
    page.locator("#orders-back").click()
    expect(page.locator("#order-list > li")).to_have_count(1)
    yield "orders"
    shop.open().add(MUG).open_cart()
    page.context.set_offline(True)
    shop.part(MUG, "more").click()
    expect(page.locator("#connection")).to_be_visible()
    yield "lost connection"
    page.context.set_offline(False)
    expect(shop.count).to_have_text("2")
    shop.storage("customer", stack.expired_token)
    shop.part(MUG, "more").click()
    expect(page.locator("#cart .sign-in-ended")).to_be_visible()
    yield "ended sign-in"
    for section in ("orders", "products"):
        shop.open(f"staff.html#{section}")
        expect(page.locator(f"#{section} li").first).to_be_visible()
        yield f"staff's {section}"
    shop.open("staff.html#statistics")
    expect(page.frame_locator("#charts").locator(".main-svg").last).to_be_visible()
    yield "staff's statistics"


def test_views_are_accessible_and_fit(visit: Visit, stack: Stack) -> None:
    shop = visit()
    shop.page.add_init_script(path=AXE)
    shop.page.route("**/products.json", serve_few)
    shop.open()
    problems = {
        (view, scheme, width): found
        for view in views(shop, stack)
        for scheme, width in SETTINGS
        if (found := problems_of(shop.page, scheme, width))
    }
    assert problems == {}


def serve_few(route: Route) -> None:
    route.fulfill(json={"results": route.fetch().json()["results"][:FEW]})


def problems_of(page: Page, scheme: str, width: int) -> list[object]:
    """Return what axe-core finds in a view, and whether the view is wider than the window."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 800})
    found: list[object] = page.evaluate(VIOLATIONS)
    is_wide = page.evaluate("document.documentElement.scrollWidth") > width
    return [*found, "horizontal scrolling"] if is_wide else found


def test_all_texts_are_in_one_place(visit: Visit, stack: Stack) -> None:
    """With marks around all texts of texts.js, each word of a page has them, unless it is data."""
    shop = visit()
    shop.page.route("**/texts.js", serve_marked)
    shop.page.route("**/products.json", serve_few)
    shop.open()
    names = {product.name for product in stack.products}
    words = {(view, word) for view in views(shop, stack) for word in shop.page.evaluate(WORDS)}
    assert {(view, word) for view, word in words if not DATA.fullmatch(word) and word not in names} == set()


def serve_marked(route: Route) -> None:
    script = TEXTS.read_text().replace("export const texts", "const plain") + MARKED
    route.fulfill(body=script, content_type="text/javascript")


def test_only_a_click_beside_a_dialog_closes_it(visit: Visit, stack: Stack) -> None:
    """Selecting text over its edge does not, nor a click on the status line, or on a cart that waits for a sign-in."""
    shop = visit()
    mouse, cart = shop.page.mouse, shop.page.locator("#cart")
    shop.page.locator("#sign-in").click()
    mouse.move(*middle_of(shop.page.locator("#sign-in-customer")))
    mouse.down()
    mouse.move(5, 5)
    mouse.up()
    expect(shop.page.locator("#sign-in-dialog")).to_be_visible()
    shop.sign_in(unique("buyer")).add(MUG).open_cart()
    for pieces, width in enumerate((1280, 800, 390), 2):
        shop.page.set_viewport_size({"width": width, "height": 700})
        shop.part(MUG, "more").click()
        expect(shop.said).to_contain_text(f"{pieces} pieces in the cart")
        mouse.click(*middle_of(shop.said))
        expect(cart).to_be_visible()
    shop.storage("customer", stack.expired_token)
    shop.page.evaluate(TAB_COMES_BACK)
    expect(shop.page.locator("#cart-content")).to_have_attribute("inert", "")
    mouse.click(*middle_of(shop.page.locator("#cart-content")))
    expect(cart).to_be_visible()

    shop.page.set_viewport_size({"width": 1280, "height": 700})
    mouse.click(5, 5)

    expect(cart).not_to_be_visible()


def middle_of(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_head_is_low_at_each_width_and_not_printed(visit: Visit) -> None:
    shop = visit().signed_in("customer-1")
    head = shop.page.locator(".head")
    for width, height in HEADS:
        shop.page.set_viewport_size({"width": width, "height": 800})
        box = head.bounding_box()
        assert box
        assert box["height"] <= height
        assert shop.page.evaluate("document.documentElement.scrollWidth") <= width

    shop.page.emulate_media(media="print")

    for surroundings in (head, shop.page.locator(".foot"), shop.said):
        expect(surroundings).not_to_be_visible()


def test_list_of_orders_shows_a_payment_elsewhere(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    shop.page.wait_for_url("**/pay.html*")
    other = visit("#orders", beside=shop)
    statuses = other.page.locator("#order-list .badge")
    expect(statuses).to_have_text(["Waits for payment"])
    shop.page.locator("#pay").click()
    expect(shop.order_status).to_have_text("In preparation")

    other.page.evaluate(TAB_COMES_BACK)

    expect(statuses).to_have_text(["In preparation"])


def test_closed_product_is_no_step_back(visit: Visit) -> None:
    shop = visit("staff.html").open()
    dialog, links = shop.page.locator("#product-dialog"), shop.page.locator("#products > li a")
    for link in (links.first, links.nth(30)):
        link.click()
        expect(dialog).to_be_visible()
        shop.page.keyboard.press("Escape")
        expect(shop.page).to_have_url(f"{shop.url}/")
        expect(link).to_be_focused()
        expect(link).to_be_in_viewport()
    links.first.click()
    shop.page.reload()
    expect(dialog).to_be_visible()
    shop.page.keyboard.press("Escape")
    expect(shop.page).to_have_url(f"{shop.url}/")
    shop.page.go_back()
    expect(shop.page).to_have_url(re.compile("staff"))

    shop.open(f"#products/{MUG_ID}")
    expect(dialog).to_be_visible()
    shop.page.keyboard.press("Escape")

    expect(links.first).to_be_visible()
    expect(shop.page).to_have_url(f"{shop.url}/#")


def test_left_payment_is_no_step_back(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    shop.page.locator("#cancel").click()
    shop.page.locator("#cancel-order").click()
    expect(shop.order_status).to_have_text("Cancelled")

    shop.page.go_back()

    expect(shop.page).to_have_url(f"{shop.url}/")
