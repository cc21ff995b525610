"""The staff's page of the demo shop in a real browser: orders and products."""

import pytest
from playwright.sync_api import expect

from local.shop_backend import ORDER_DAYS, ORDERS
from local.stack import Stack
from serverless_cart.domain.cart import Owner
from tests.browser.demo_shop import TAB_COMES_BACK, Held, Visit
from tools.support.clients import unique
from tools.support.database import Database

pytestmark = pytest.mark.last  # an open demo shop lists methods, and other tests need it without

TEA, SPOON = "Earl Grey", "Cooking spoon"
CANDLES, TRAY, WHISK = (312, "Beeswax"), (314, "Serving tray"), (212, "Balloon whisk")


def test_staff_refunds_an_order(visit: Visit) -> None:
    number, name = CANDLES
    shop = visit()
    shop.change_product(number, stock=7)
    shop.add(name).open_cart().choose("Pick up", "Invoice").place_order().sign_in(unique("buyer"))
    staff = visit("staff.html")
    sheet = staff.page.locator(".sheet").filter(has_text=shop.order_key)
    sheet.get_by_text("Refund", exact=True).click()
    staff.page.get_by_text("Refund now").click()
    expect(sheet).to_contain_text("Refunded")
    staff.page.locator("nav").get_by_text("Products").click()
    product = staff.page.locator("#product-list > li").filter(has_text=name)
    expect(product.locator("[data-part=stock]")).to_have_value("7")


def test_staff_s_price_warns_the_visitor(visit: Visit, stack: Stack, database: Database) -> None:
    customer, staff = unique("buyer"), visit("staff.html#products")
    shop = visit().signed_in(customer).add(TEA).open_cart()
    product = staff.page.locator("#product-list > li").filter(has_text=TEA)
    product.locator("[data-part=price]").fill("9.50")
    product.get_by_text("Save").click()
    expect(staff.said).to_contain_text("is saved.")

    database.age_prices(Owner(database.token(stack.api_key).shop, customer), 120)
    shop.page.evaluate(TAB_COMES_BACK)

    expect(shop.part(TEA, "warnings")).to_contain_text("it is now €9.50")
    staff.change_product(144, price=890)


def test_staff_saves_only_what_was_edited(visit: Visit) -> None:
    number, name = TRAY
    staff = visit("staff.html#products")
    product = staff.page.locator("#product-list > li").filter(has_text=name)
    product.wait_for()
    staff.change_product(number, stock=3)
    product.locator("[data-part=price]").fill("3.50")

    product.get_by_text("Save").click()

    expect(staff.said).to_contain_text("is saved.")
    expect(product.locator("[data-part=stock]")).to_have_value("3")
    discount = product.locator("[data-part=discount]")
    discount.fill("3.51")
    product.get_by_text("Save").click()
    assert discount.evaluate("(field) => field.validity.rangeOverflow")
    discount.fill("3.00")
    staff.change_product(number, stock=4, price=200)
    product.get_by_text("Save").click()
    expect(staff.page.locator("#failure-text")).to_contain_text("discount must be")
    staff.page.locator("nav").get_by_text("Orders").click()
    staff.page.locator("nav").get_by_text("Products").click()
    expect(product.locator("[data-part=stock]")).to_have_value("4")
    expect(discount).to_have_value("3.00")


def test_staff_s_unsaved_product_is_not_forgotten(visit: Visit) -> None:
    staff, sheets = visit("staff.html#products"), []
    for number, name in (TRAY, WHISK):
        staff.change_product(number, stock=3)
        sheets.append(staff.page.locator("#product-list > li").filter(has_text=name))
        sheets[-1].locator("[data-part=stock]").fill("8")
    staff.page.route(f"**/staff/products/{TRAY[0]}", lambda route: route.abort(), times=1)
    sheets[0].get_by_text("Save").click()
    expect(staff.page.locator("#failure-text")).to_have_text("Not saved. Try again")

    sheets[1].get_by_text("Save").click()
    expect(staff.said).to_contain_text(WHISK[1])
    staff.page.locator("#retry").click()

    expect(staff.said).to_contain_text(TRAY[1])
    expect(staff.page.locator("#failure")).not_to_be_visible()


def test_staff_s_second_try_shows_its_result(visit: Visit) -> None:
    staff = visit()
    staff.page.route("**/staff/orders?", lambda route: route.abort(), times=1)
    staff.open("staff.html")
    expect(staff.page.locator("#failure-text")).to_have_text("Not loaded. Try again")

    staff.page.locator("#retry").click()

    expect(staff.page.locator("#order-list > li, #no-orders").locator("visible=true").first).to_be_visible()
    period = f"The orders of the last {ORDER_DAYS} days, at most {ORDERS} of them."
    expect(staff.page.get_by_text(period)).to_be_visible()


def test_staff_keeps_its_place(visit: Visit) -> None:
    shop = visit().add(SPOON).open_cart().choose("Pick up", "Invoice").place_order().sign_in(unique("buyer"))
    staff = visit("staff.html")
    sheet = staff.page.locator(".sheet").filter(has_text=shop.order_key)
    sheet.get_by_text("Mark as shipped").click()
    expect(sheet.locator("[data-part=changes]")).to_be_focused()

    staff.page.locator("nav").get_by_text("Products").click()
    expect(staff.page.locator("#products-title")).to_be_focused()
    staff.page.locator(".skip").press("Enter")

    expect(staff.page.locator("#main")).to_be_focused()
    expect(staff.page.locator("#products")).to_be_visible()


def test_staff_s_filter_shows_its_latest_answer(visit: Visit) -> None:
    visit().add(SPOON).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    staff = visit("staff.html")
    statuses = staff.page.locator("#order-list .badge")
    expect(statuses.first).to_be_visible()
    held = Held(staff, "**/staff/orders?status=hold")
    staff.page.locator("#status-filter").select_option("hold")
    request = held.first()
    with staff.page.expect_response("**/staff/orders?status=shipped"):
        staff.page.locator("#status-filter").select_option("shipped")

    with staff.page.expect_response("**/staff/orders?status=hold") as late:
        request.continue_()

    late.value.finished()
    staff.page.evaluate("new Promise(requestAnimationFrame)")
    expect(statuses.filter(has_text="Waits for payment")).to_have_count(0)


def test_staff_s_search_finds_references(visit: Visit) -> None:
    staff = visit("staff.html#products")
    found = staff.page.locator("#product-list > li").locator("visible=true")
    staff.page.locator("#search").fill("tea-earl")
    expect(found).to_have_count(1)

    staff.page.locator("#search").fill("tea-earl mug")

    expect(found).to_have_count(0)
    expect(staff.page.locator("#found")).to_have_text("No product has all of these words.")


def test_staff_s_search_keeps_what_was_typed(visit: Visit) -> None:
    staff = visit("staff.html#products")
    product = staff.page.locator("#product-list > li").filter(has_text=TEA)
    product.locator("[data-part=price]").fill("99.99")
    staff.page.locator("#search").fill("kettle")
    expect(product).not_to_be_visible()

    staff.page.locator("#search").fill("")

    expect(product.locator("[data-part=price]")).to_have_value("99.99")
