"""The demo shop where requests fail: what is said, what can be tried again, and what is forgotten."""

import pytest
from playwright.sync_api import Route, expect

from local.stack import Stack
from tests.browser.demo_shop import TAB_COMES_BACK, Held, Visit
from tools.support.clients import unique

pytestmark = pytest.mark.last  # an open demo shop lists methods, and other tests need it without

MUG, TEA, SPOON = "Stoneware mug, white", "Earl Grey", "Cooking spoon"
PAN = (201, "Cast-iron pan")
ITEMS, ITEM = "**/api/shop/cart/items", "**/api/shop/cart/items/*"
CORS = {"Access-Control-Allow-Origin": "*"}


def fail(request: Route) -> None:
    request.fulfill(status=500, json={"error": "internal server error"}, headers=CORS)


def test_all_failed_changes_are_tried_again(visit: Visit) -> None:
    """Two of them add the same product."""
    shop = visit()
    shop.page.route(ITEMS, fail)
    for name in (MUG, MUG, TEA):
        with shop.page.expect_response(ITEMS):
            shop.add_button(name).click()
    expect(shop.page.locator("#retry")).to_be_visible()
    shop.page.unroute_all(behavior="wait")

    shop.page.locator("#retry").click()

    expect(shop.count).to_have_text("3")
    expect(shop.page.locator("#failure")).not_to_be_visible()
    shop.open_cart()
    expect(shop.part(MUG, "quantity")).to_have_value("2")


@pytest.mark.parametrize("is_late", [False, True], ids=["after the failure", "before the failure"])
def test_new_quantity_replaces_one_that_fails(visit: Visit, *, is_late: bool) -> None:
    """Otherwise "Try again" would undo it."""
    shop = visit().add(MUG).open_cart()
    held = Held(shop, ITEM, times=1)
    shop.set_quantity(MUG, 3)
    request = held.first()

    if is_late:
        shop.set_quantity(MUG, 5)
    fail(request)
    if not is_late:
        expect(shop.page.locator("#retry")).to_be_visible()
        shop.set_quantity(MUG, 5)

    expect(shop.count).to_have_text("5")
    expect(shop.page.locator("#failure")).not_to_be_visible()


def test_failures_of_a_customer_are_not_the_next_one_s(visit: Visit) -> None:
    shop = visit().signed_in(unique("buyer"))
    shop.page.route(ITEMS, fail)
    shop.add_button(MUG).click()
    expect(shop.page.locator("#retry")).to_be_visible()
    held = Held(shop, ITEMS)
    shop.add_button(TEA).click()
    late = held.first()

    shop.page.locator("#sign-out").click()
    expect(shop.page.locator("#failure")).not_to_be_visible()
    with shop.page.expect_response(ITEMS):
        fail(late)

    shop.signed_in(unique("buyer")).page.unroute_all(behavior="wait")
    expect(shop.page.locator("#failure")).not_to_be_visible()
    shop.add(SPOON)


def test_refusal_to_the_next_customer_is_said(visit: Visit, stack: Stack) -> None:
    """The next customer, who signs in for a change of the one before, wants the change."""
    number, name = PAN
    shop = visit().signed_in(unique("buyer")).add(name).open_cart()
    shop.change_product(number, stock=0)
    shop.storage("customer", stack.expired_token)

    shop.part(name, "more").click()
    shop.sign_in(unique("buyer"))

    expect(shop.page.locator("#failure-text")).to_have_text("There are not enough pieces left.")


def test_change_leaves_what_was_not_read(visit: Visit) -> None:
    shop = visit().signed_in(unique("buyer")).add(MUG)
    shop.page.route("**/customers/me/orders?*", fail, times=1)
    shop.page.locator("#my-orders").click()
    expect(shop.page.locator("#failure-text")).to_contain_text("The shop has a fault.")

    shop.open_cart().part(MUG, "more").click()
    expect(shop.count).to_have_text("2")
    shop.page.locator("#retry").click()

    expect(shop.page.locator("#no-orders")).to_be_visible()
    expect(shop.page.locator("#failure")).not_to_be_visible()


def test_item_that_another_device_removed_goes(visit: Visit, stack: Stack) -> None:
    shop = visit().signed_in(unique("buyer")).add(MUG).add(TEA).open_cart()
    cart, token = f"{stack.shop_url}/api/shop/cart", shop.storage("customer")
    (tea,) = [item["id"] for item in shop.send("GET", cart, None, token)["items"] if TEA in item["product"]["name"]]
    shop.send("DELETE", f"{cart}/items/{tea}", None, token)

    shop.set_quantity(TEA, 5)

    expect(shop.page.locator("#failure-text")).to_have_text("This item is no longer in the cart.")
    expect(shop.item(TEA)).to_have_count(0)
    expect(shop.count).to_have_text("1")


def test_late_products_do_not_replace_newer_ones(visit: Visit) -> None:
    shop = visit()
    held = Held(shop, "**/products.json", times=1)
    shop.page.evaluate(TAB_COMES_BACK)
    older = held.first()
    body = older.fetch().body()
    shop.change_product(PAN[0], stock=2)
    shop.page.evaluate(TAB_COMES_BACK)
    left = shop.page.locator("#products > li").filter(has_text=PAN[1]).locator("[data-part=stock]")
    expect(left).to_have_text("Only 2 left")

    with shop.page.expect_response("**/products.json"):
        older.fulfill(body=body, content_type="application/json")

    shop.page.evaluate("new Promise(requestAnimationFrame)")
    expect(left).to_have_text("Only 2 left")


def test_error_of_a_server_in_between_is_said(visit: Visit) -> None:
    shop, page = visit(), "<h1>Bad gateway</h1>"
    late = {**CORS, "Access-Control-Expose-Headers": "Retry-After", "Retry-After": "60"}  # longer than the page waits
    second = Held(shop, ITEMS)
    shop.page.route(ITEMS, lambda request: request.fulfill(status=502, body=page, headers=CORS), times=1)
    shop.add_button(MUG).click()
    expect(shop.page.locator("#connection")).to_have_text("The shop is busy. Trying again …")

    second.first().fulfill(status=502, body=page, headers=late)

    expect(shop.page.locator("#failure-text")).to_contain_text("The shop is not available for the moment.")
    expect(shop.page.locator("#connection")).not_to_be_visible()


def test_list_shows_an_order_that_is_cancelled_late(visit: Visit) -> None:
    shop = visit().add(SPOON).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    shop.page.locator("#cancel").click()
    held = Held(shop, "**/cancel")
    shop.page.locator("#cancel-order").click()
    request = held.first()
    shop.page.locator("#orders-back").click()
    expect(shop.page.locator("#order-list .badge")).to_be_visible()

    request.continue_()

    expect(shop.page.locator("#order-list .badge")).to_have_text("Cancelled")


def test_refused_sign_in_and_payment_keep_the_focus(visit: Visit) -> None:
    shop = visit().add(SPOON).open_cart().choose("Pick up", "Card").place_order()
    shop.page.route("**/sign-in", fail, times=1)
    shop.page.locator("#sign-in-submit").press("Enter")
    expect(shop.page.locator("#sign-in-error")).to_be_visible()
    expect(shop.page.locator("#sign-in-submit")).to_be_focused()
    shop.sign_in(unique("buyer")).page.wait_for_url("**/pay.html*")
    shop.page.route("**/payments", fail, times=1)

    shop.page.locator("#pay").press("Enter")

    expect(shop.page.locator("#error")).to_be_visible()
    expect(shop.page.locator("#pay")).to_be_focused()


def test_unknown_order_cannot_be_paid(visit: Visit) -> None:
    shop = visit("pay.html?order=ORD-00000000000000000000000000&total=100&currency=EUR")

    shop.page.locator("#pay").click()

    expect(shop.page.locator("#error")).to_have_text("The shop does not know this order.")
    expect(shop.page.locator("#pay")).not_to_be_visible()
    shop.page.locator("#cancel").click()
    expect(shop.page.locator("#products > li").first).to_be_visible()
