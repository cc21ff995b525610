"""The demo shop in a real browser: purchases, two tabs, and what goes wrong."""

import re

import pytest
from playwright.sync_api import Route, expect

from local.demo_terms import INVOICE, PICK_UP
from local.stack import Stack
from serverless_cart.domain.cart import Owner
from tests.browser.demo_shop import TAB_COMES_BACK, DemoShop, Held, Visit
from tools.support.clients import unique
from tools.support.database import Database

pytestmark = pytest.mark.last  # an open demo shop lists methods, and other tests need it without

MUG, KETTLE, TEA, SPOON = "Stoneware mug, white", "Gooseneck kettle", "Earl Grey", "Cooking spoon"
PRESS, BOOK, GRINDER, CANDLES, MOKA, NAPKINS, APRON = (
    (135, "French press, copper"),
    (403, "Bread at Home"),
    (138, "coffee grinder"),
    (312, "Beeswax"),
    (137, "Moka pot, 6 cups"),
    (308, "Linen napkins"),
    (310, "Apron"),
)
CORS = {"Access-Control-Allow-Origin": "*"}
LINES = (
    "(element) => { const text = new Range(); text.selectNodeContents(element); return text.getClientRects().length; }"
)
CLICK_TWICE = "(button) => { button.click(); button.click(); }"
CLICK_TEN_TIMES = "(button) => { for (let n = 0; n < 10; n += 1) button.click(); }"


def test_purchase_from_search_to_statistics(visit: Visit) -> None:
    shop = visit()
    shop.page.locator("#search").fill("white mug")
    expect(shop.page.locator("#products > li")).to_have_count(1)
    shop.add(MUG).page.locator("#search").fill("")
    shop.add(KETTLE).open_cart().write_notes(MUG, "A gift").page.keyboard.press("Tab")
    expect(shop.said).to_have_text("Notes saved.")
    shop.page.locator("#discount-code").fill("welcome")
    shop.page.keyboard.press("Enter")
    expect(shop.page.locator("#applied-code")).to_have_text("Code WELCOME")

    shop.choose("Parcel", "Card").place_order().sign_in(unique("buyer"))
    expect(shop.page.locator("#amount")).to_have_text("€65.07")
    shop.page.locator("#pay").click()

    expect(shop.order_status).to_have_text("In preparation")
    expect(shop.page.locator("#order-total")).to_have_text("€65.07")
    expect(shop.page.locator("#order-items")).to_contain_text("Notes: A gift")
    assert [name for name, _ in shop.events] == ["init", "click", "cart", "cart", "checkout"]
    assert shop.events[1][1].items() >= {"query": "white mug", "position": 1}.items()
    assert shop.refused == []
    staff = visit("staff.html")
    sheet = staff.page.locator(".sheet").filter(has_text=shop.order_key)
    expect(sheet).to_contain_text("In preparation")
    sheet.get_by_text("Mark as shipped").click()
    expect(sheet).to_contain_text("Shipped")
    staff.page.locator("nav").get_by_text("Statistics").click()
    expect(staff.page.frame_locator("#charts").locator(".main-svg").first).to_be_visible()
    shop.page.go_back()
    assert "pay.html" not in shop.page.url


def test_order_is_cancelled_while_it_waits(visit: Visit) -> None:
    shop = visit().add(SPOON).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    shop.page.locator("#cancel").click()
    expect(shop.order_status).to_have_text("Waits for payment")
    expect(shop.page.locator("#order-reserved")).to_contain_text("min left")
    expect(shop.page.locator("#pay-order")).to_be_visible()

    shop.page.locator("#cancel-order").click()

    expect(shop.order_status).to_have_text("Cancelled")
    expect(shop.page.locator("#pay-order, #cancel-order").locator("visible=true")).to_have_count(0)
    shop.page.locator("#orders-back").click()
    expect(shop.page.locator("#order-list > li")).to_contain_text(["Cancelled"])


def test_changed_price_is_reviewed(visit: Visit) -> None:
    number, name = GRINDER
    shop = visit().signed_in(unique("buyer")).add(name).open_cart().choose("Pick up", "Invoice")
    shop.change_product(number, price=9990)

    shop.place_order()

    expect(shop.part(name, "warnings")).to_have_text("The price has changed: it is now €84.90.")
    expect(shop.page.locator("#review")).to_contain_text("The new total is €84.90.")
    expect(shop.page.locator("#place-order")).to_have_text("Place order for €84.90")
    shop.place_order()
    expect(shop.page.locator("#order-total")).to_have_text("€84.90")


def test_order_is_paid_once(visit: Visit) -> None:
    shop = visit().add(SPOON).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    shop.page.wait_for_url("**/pay.html*")
    shop.page.set_viewport_size({"width": 360, "height": 800})
    assert shop.page.locator("dt").first.evaluate(LINES) == 1
    shop.page.route("**/payments", lose_answer, times=1)
    shop.page.locator("#pay").click()
    expect(shop.page.locator("#error")).to_have_text("No connection.")

    shop.page.locator("#pay").click()

    expect(shop.page.locator("#error")).to_contain_text("already paid")
    expect(shop.page.locator("#pay")).not_to_be_visible()
    shop.page.get_by_text("See the order").click()
    expect(shop.order_status).to_have_text("In preparation")


def test_last_piece_is_sold_once(visit: Visit) -> None:
    number, name = PRESS
    first, second = visit(), visit()
    first.change_product(number, stock=1)
    for shop in (first, second):
        shop.open().signed_in(unique("buyer")).add(SPOON).add(name).open_cart().choose("Pick up", "Invoice")

    first.place_order()
    expect(first.order_status).to_have_text("In preparation")
    second.place_order()

    expect(second.part(name, "warnings")).to_have_text("Sold out. Remove it to place the order.")
    expect(second.page.locator("#review")).to_contain_text("needs your decision")
    second.part(name, "remove").click()
    expect(second.item(name)).to_have_count(0)
    second.place_order()

    expect(second.order_status).to_have_text("In preparation")


def test_fewer_pieces_resolve_a_small_stock(visit: Visit) -> None:
    number, name = BOOK
    shop = visit()
    shop.change_product(number, stock=3)
    shop.signed_in(unique("buyer")).add(name).add(name).add(name).open_cart().choose("Pick up", "Invoice")
    shop.change_product(number, stock=2)
    shop.place_order()
    expect(shop.part(name, "warnings")).to_contain_text("Only 2 left")

    shop.part(name, "reduce").click()
    expect(shop.part(name, "quantity")).to_have_value("2")
    expect(shop.part(name, "quantity")).to_be_focused()
    shop.place_order()

    expect(shop.order_status).to_have_text("In preparation")


def test_two_tabs_lose_no_change(visit: Visit) -> None:
    tabs = [shop := visit(), visit(beside=shop)]

    for tab in tabs:
        tab.add_button(MUG).evaluate(CLICK_TEN_TIMES)

    for tab in tabs:
        expect(tab.count).to_have_text("20")
        expect(tab.open_cart().part(MUG, "quantity")).to_have_value("20")


def test_notes_of_two_tabs_are_both_shown(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart()
    other = visit(beside=shop).open_cart()
    shop.write_notes(MUG, "Gift wrap")

    other.write_notes(MUG, "Blue ribbon").page.keyboard.press("Tab")

    expect(shop.part(MUG, "conflict")).to_contain_text("“Blue ribbon”")
    expect(shop.part(MUG, "notes-field")).to_have_value("Gift wrap")
    shop.part(MUG, "save-mine").click()
    expect(other.part(MUG, "notes-field")).to_have_value("Gift wrap")


def test_notes_do_not_replace_unseen_ones(visit: Visit, stack: Stack) -> None:
    shop = visit().add(MUG).open_cart().write_notes(MUG, "Gift wrap")
    item = f"{stack.shop_url}/api/shop/cart/items/{shop.item(MUG).get_attribute('data-key')}"
    shop.send("PATCH", item, {"notes": "Blue ribbon"}, shop.storage("guest"))

    shop.page.keyboard.press("Tab")

    expect(shop.part(MUG, "conflict")).to_contain_text("“Blue ribbon”")
    expect(shop.part(MUG, "notes-field")).to_have_value("Gift wrap")
    shop.part(MUG, "use-theirs").click()
    expect(shop.part(MUG, "notes-field")).to_have_value("Blue ribbon")


def test_cart_is_kept_when_a_sign_in_ends(visit: Visit, stack: Stack) -> None:
    customer = unique("buyer")
    shop = visit().signed_in(customer).add(MUG).open_cart()
    shop.storage("customer", stack.expired_token)

    shop.part(MUG, "more").click()

    ended = shop.page.locator("#cart .sign-in-ended")
    expect(ended).to_contain_text("Your sign-in has ended. Sign in again: your cart is kept.")
    expect(shop.page.locator("#cart-content")).to_have_attribute("inert", "")
    expect(shop.part(MUG, "name")).to_be_visible()
    shop.sign_in(customer)
    expect(ended).not_to_be_visible()
    expect(shop.part(MUG, "quantity")).to_have_value("2")


def test_ended_sign_in_shows_no_empty_cart(visit: Visit, stack: Stack) -> None:
    shop = visit().signed_in(unique("buyer")).add(MUG)
    shop.storage("customer", stack.expired_token)

    shop.open().page.locator("#open-cart").click()

    expect(shop.page.locator("#cart .sign-in-ended")).to_be_visible()
    expect(shop.page.locator("#cart-last-known, #cart-empty").locator("visible=true")).to_have_count(0)


def test_unsaved_notes_prevent_an_order(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart().choose("Pick up", "Invoice").write_notes(MUG, "Gift wrap")
    shop.page.route("**/api/shop/cart/items/*", lambda route: route.fulfill(status=500, json={"error": "no"}), times=1)

    shop.place_order()

    expect(shop.part(MUG, "conflict")).to_have_text(re.compile("Your notes are not saved yet."))
    shop.part(MUG, "more").click()
    expect(shop.count).to_have_text("2")
    expect(shop.page.locator("#retry")).to_be_visible()
    shop.place_order()
    expect(shop.part(MUG, "notes-field")).to_be_focused()
    expect(shop.page.locator("#sign-in-dialog")).not_to_be_visible()
    shop.part(MUG, "save-mine").click()
    expect(shop.part(MUG, "summary")).to_have_text("Notes: Gift wrap")
    shop.place_order()
    expect(shop.page.locator("#sign-in-dialog")).to_be_visible()


def test_only_product_off_sale_is_named(visit: Visit) -> None:
    number, name = CANDLES
    shop = visit().signed_in(unique("buyer")).add(name).open_cart().choose("Pick up", "Invoice")
    shop.change_product(number, active=False)

    shop.place_order()

    expect(shop.part(name, "warnings")).to_contain_text("No longer for sale.")


def test_lost_connection_is_waited_for(visit: Visit) -> None:
    shop = visit().add(MUG)
    shop.page.context.set_offline(True)
    shop.add_button(MUG).click()
    expect(shop.page.locator("#connection")).to_have_text("No connection. Trying again …")

    shop.page.context.set_offline(False)

    expect(shop.count).to_have_text("2")
    expect(shop.page.locator("#connection")).not_to_be_visible()


def test_unsaved_notes_can_be_sent_again(visit: Visit) -> None:
    shop = visit()
    shop.page.clock.install()
    shop.open().add(MUG).open_cart().write_notes(MUG, "A gift").page.context.set_offline(True)
    shop.page.keyboard.press("Tab")
    expect(shop.page.locator("#connection")).to_have_text("No connection. Trying again …")
    shop.page.clock.fast_forward(60_000)
    expect(shop.page.locator("#failure-text")).to_have_text("Not saved. Try again")
    expect(shop.part(MUG, "notes-field")).to_have_value("A gift")

    shop.page.context.set_offline(False)
    shop.page.locator("#retry").click()

    expect(shop.part(MUG, "summary")).to_have_text("Notes: A gift")


@pytest.mark.parametrize("gives_up", [False, True], ids=["one answer", "all answers"])
def test_lost_answers_double_nothing(visit: Visit, stack: Stack, *, gives_up: bool) -> None:
    """The server applies the change, and its answers are lost."""
    shop = visit()
    shop.page.clock.install()
    shop.open().page.route(f"{stack.shop_url}/api/shop/cart/items", lose_answer, times=None if gives_up else 1)

    shop.add_button(MUG).click()
    if gives_up:
        expect(shop.page.locator("#connection")).to_be_visible()
        shop.page.clock.fast_forward(60_000)
        expect(shop.page.locator("#failure-text")).to_have_text("Not saved. Try again")
        shop.page.unroute_all(behavior="wait")
        shop.page.locator("#retry").click()

    expect(shop.said).to_contain_text("added. 1 piece in the cart.")
    expect(shop.count).to_have_text("1")


def lose_answer(route: Route) -> None:
    route.fetch()
    route.abort()


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (403, "banned ip", "does not serve your network"),
        (500, "internal server error", "The shop has a fault"),
        (418, "teapot", "Something went wrong"),
    ],
)
def test_each_error_has_a_text(visit: Visit, stack: Stack, status: int, error: str, text: str) -> None:
    shop = visit()
    answer = {"status": status, "json": {"error": error}, "headers": CORS}
    shop.page.route(f"{stack.shop_url}/api/shop/guests", lambda route: route.fulfill(**answer))

    shop.add_button(MUG).click()

    expect(shop.page.locator("#failure-text")).to_contain_text(text)


def test_blocked_origin_is_said_clearly(visit: Visit, stack: Stack) -> None:
    """The page has the keys of a shop that allows another origin."""
    other = {"api_key": stack.second_shop.api_key, "hashid": stack.second_shop.hashid}
    shop = visit()
    shop.page.route("**/settings.json", lambda route: route.fulfill(json={**route.fetch().json(), **other}))

    shop.open().add_button(MUG).click()

    expect(shop.page.locator("#failure-text")).to_have_text(re.compile("does not accept requests from this site"))


def test_refused_quantity_does_not_stay(visit: Visit) -> None:
    number, name = MOKA
    shop = visit()
    shop.change_product(number, stock=2)
    quantity = shop.open().add(name).open_cart().part(name, "quantity")

    quantity.fill("50")
    quantity.press("Enter")

    expect(shop.page.locator("#failure-text")).to_have_text("There are not enough pieces left.")
    expect(quantity).to_have_value("1")


def test_sign_out_takes_what_a_customer_typed(visit: Visit) -> None:
    """What a guest typed comes along, as the cart does."""
    shop = visit().add(MUG).open_cart()
    notes = shop.page.locator("#order-notes")
    notes.fill("For my neighbour")
    shop.choose("Pick up", "Invoice").place_order().page.keyboard.press("Escape")
    shop.page.keyboard.press("Escape")
    customer, other = unique("buyer"), unique("buyer")
    shop.signed_in(customer)
    expect(shop.said).to_have_text(f"Signed in as {customer}. Your cart came along.")
    expect(notes).to_have_value("For my neighbour")
    expect(shop.page.locator("#sign-out")).to_be_focused()

    shop.page.locator("#sign-out").press("Enter")

    expect(shop.page.locator("#sign-in")).to_be_focused()
    expect(notes).to_have_value("")
    expect(shop.signed_in(other).said).to_have_text(f"Signed in as {other}.")


def test_cancelled_sign_in_has_no_effect(visit: Visit) -> None:
    shop = visit()
    held = Held(shop, "**/sign-in")
    shop.page.locator("#sign-in").click()
    shop.page.locator("#sign-in-customer").fill(unique("buyer"))
    shop.page.keyboard.press("Enter")
    request = held.first()
    shop.page.keyboard.press("Escape")

    request.continue_()

    expect(shop.page.locator("#sign-in-submit")).to_be_enabled()
    expect(shop.page.locator("#sign-in")).to_be_visible()
    expect(shop.page.locator("#signed-in-as")).not_to_be_visible()


def test_late_order_does_not_land_on_the_list(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart().choose("Pick up", "Invoice").place_order().sign_in(unique("buyer"))
    order = f"**/orders/{shop.order_key}*"
    expect(shop.order_status).to_be_visible()
    held = Held(shop, order)
    shop.page.reload()
    request = held.first()
    shop.page.locator("#orders-back").click()
    expect(shop.page.locator("#order-list > li")).to_have_count(1)

    with shop.page.expect_response(order):
        request.continue_()

    shop.page.locator(".skip").press("Enter")
    expect(shop.page.locator("#main")).to_be_focused()
    expect(shop.page.locator("#order-list")).to_be_visible()
    assert not shop.page.locator("#order").is_visible()


def test_address_is_followed_from_the_start(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart().choose("Pick up", "Invoice").place_order().sign_in(unique("buyer"))
    expect(shop.order_status).to_be_visible()
    held = Held(shop, "**/products.json")
    shop.page.reload()
    expect(shop.order_status).to_be_visible()

    shop.page.locator("#orders-back").click()

    expect(shop.page.locator("#order-list > li")).to_have_count(1)
    held.first().continue_()


def test_order_paid_elsewhere_cannot_be_cancelled(visit: Visit) -> None:
    shop = visit().add(SPOON).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    shop.page.locator("#cancel").click()
    expect(shop.page.locator("#cancel-order")).to_be_visible()
    shop.send("POST", f"{shop.url}/payments", {"order": shop.order_key})

    shop.page.locator("#cancel-order").click()

    expect(shop.page.locator("#failure-text")).to_have_text("This order can no longer be cancelled.")
    expect(shop.order_status).to_have_text("In preparation")
    expect(shop.page.locator("#orders-title")).to_be_focused()


def test_ended_reservation_is_said(visit: Visit) -> None:
    shop = visit().add(SPOON).open_cart().choose("Pick up", "Card").place_order().sign_in(unique("buyer"))
    shop.page.locator("#cancel").click()
    expect(shop.page.locator("#pay-order")).to_be_visible()
    shop.page.clock.install()
    shop.page.reload()
    expect(shop.page.locator("#pay-order")).to_be_visible()

    shop.page.clock.fast_forward("24:00:00")

    expect(shop.page.locator("#order-reserved")).to_have_text("The reservation has ended.")
    expect(shop.page.locator("#pay-order, #cancel-order").locator("visible=true")).to_have_count(0)


def test_product_dialog_follows_the_address(visit: Visit) -> None:
    """Back closes it, pressing Enter twice adds once, and what is no longer for sale cannot be added."""
    number, _ = MOKA
    shop = visit()
    dialog = shop.page.locator("#product-dialog")
    shop.page.locator("#products > li a").first.click()
    expect(dialog).to_be_visible()
    shop.page.go_back()
    expect(dialog).not_to_be_visible()

    shop.page.locator("#products > li a").first.click()
    shop.page.locator("#product-form").evaluate("(form) => { form.requestSubmit(); form.requestSubmit(); }")
    expect(dialog).not_to_be_visible()
    expect(shop.count).to_have_text("1")

    shop.change_product(number, active=False)
    shop.open(f"#products/{number}").page.reload()
    expect(dialog.locator("[data-part=add]")).to_have_text("No longer for sale")
    expect(dialog.locator("[data-part=add]")).to_be_disabled()


@pytest.mark.parametrize(("width", "height"), [(640, 360), (320, 640)])
def test_small_windows_show_the_cart(visit: Visit, width: int, height: int) -> None:
    shop = visit(viewport={"width": width, "height": height}).add(MUG).open_cart()
    shop.part(MUG, "more").click()
    expect(shop.said).to_be_visible()

    content, said = shop.page.locator("#cart-content").bounding_box(), shop.said.bounding_box()
    assert content
    assert said
    assert content["y"] + content["height"] <= said["y"] + 1
    expect(shop.part(MUG, "quantity")).to_be_in_viewport(ratio=1)


def test_keyboard_keeps_its_place(visit: Visit) -> None:
    shop = visit().add(MUG).add(TEA)
    keyboard = shop.page.keyboard
    shop.page.locator("#open-cart").focus()
    keyboard.press("Enter")
    shop.part(MUG, "more").focus()
    keyboard.press("Enter")
    expect(shop.part(MUG, "quantity")).to_have_value("2")
    expect(shop.count).to_have_text("3")
    expect(shop.part(MUG, "more")).to_be_focused()

    shop.part(MUG, "remove").press("Enter")
    expect(shop.page.locator("#cart-items")).to_be_focused()
    shop.part(TEA, "remove").press("Enter")
    expect(shop.page.locator("#cart-title")).to_be_focused()
    keyboard.press("Escape")

    expect(shop.page.locator("#open-cart")).to_be_focused()


def test_late_answer_does_not_move_the_focus(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart()
    held = Held(shop, "**/cart/discount")
    shop.page.locator("#discount-code").fill("WELCOME")
    shop.page.keyboard.press("Enter")
    request = held.first()
    shop.page.locator("#order-notes").focus()

    request.continue_()

    expect(shop.said).to_contain_text("Code WELCOME applied.")
    expect(shop.page.locator("#order-notes")).to_be_focused()


def test_number_left_is_read_with_the_cart(visit: Visit, stack: Stack, database: Database) -> None:
    number, name = NAPKINS
    customer, shop = unique("buyer"), visit()
    shop.signed_in(customer).add(SPOON).add(name).open_cart().set_quantity(name, 5)
    expect(shop.count).to_have_text("6")
    shop.change_product(number, stock=2)
    database.age_prices(Owner(database.token(stack.api_key).shop, customer), 120)

    shop.part(SPOON, "more").click()

    expect(shop.part(name, "warnings")).to_have_text("Only 2 left, fewer than you want.")
    expect(shop.part(name, "reduce")).to_have_text("Set to 2")


def test_shelf_follows_the_prices(visit: Visit) -> None:
    """When the tab comes back, and when the cart has another price."""
    number, name = APRON
    shop = visit()
    price = shop.page.locator("#products > li").filter(has_text=name).locator("[data-part=price]")
    shop.change_product(number, price=4590)
    shop.page.evaluate(TAB_COMES_BACK)
    expect(price).to_have_text("€45.90")

    shop.change_product(number, price=4690)
    shop.add(name)

    expect(price).to_have_text("€46.90")


def test_two_changes_ask_for_one_sign_in(visit: Visit, stack: Stack) -> None:
    customer = unique("buyer")
    shop = visit().signed_in(customer).add(MUG).open_cart().choose("Pick up", "Invoice")
    shop.storage("customer", stack.expired_token)

    shop.part(MUG, "more").evaluate(CLICK_TWICE)
    shop.sign_in(customer)

    expect(shop.count).to_have_text("3")
    shop.place_order()
    expect(shop.order_status).to_have_text("In preparation")


def test_cancelled_sign_in_ends_all_that_wait(visit: Visit, stack: Stack) -> None:
    shop = visit().signed_in(unique("buyer")).add(MUG).open_cart()
    shop.storage("customer", stack.expired_token)
    shop.part(MUG, "more").evaluate(CLICK_TWICE)
    expect(shop.page.locator("#sign-in-dialog")).to_be_visible()
    shop.page.keyboard.press("Escape")
    shop.page.locator("#cart .go-on-as-guest").click()
    shop.page.keyboard.press("Escape")

    shop.add(SPOON).open_cart().choose("Pick up", "Invoice").place_order()

    expect(shop.page.locator("#sign-in-dialog")).to_be_visible()


def test_choices_of_an_ended_sign_in_stay_there(visit: Visit, stack: Stack) -> None:
    shop = visit().signed_in(unique("buyer")).add(MUG).open_cart().choose("Express", "Invoice")
    shop.page.keyboard.press("Escape")
    shop.storage("customer", stack.expired_token)
    shop.page.evaluate(TAB_COMES_BACK)
    shop.page.locator("main .ask-to-sign-in").locator("visible=true").click()

    shop.sign_in(unique("buyer")).add(SPOON).open_cart()

    expect(shop.page.locator(".method")).to_have_count(5)
    expect(shop.page.locator(".method :checked")).to_have_count(0)


def test_cancel_during_a_merge_comes_too_late(visit: Visit) -> None:
    shop = visit().add(MUG)
    customer, held = unique("buyer"), Held(shop, "**/cart/merge")
    shop.page.locator("#sign-in").click()
    shop.page.locator("#sign-in-customer").fill(customer)
    shop.page.keyboard.press("Enter")
    request = held.first()
    expect(shop.page.locator("#sign-in-dialog .close")).to_be_disabled()
    shop.page.keyboard.press("Escape")
    expect(shop.page.locator("#sign-in-dialog")).to_be_visible()

    request.continue_()

    expect(shop.page.locator("#sign-in-dialog")).not_to_be_visible()
    expect(shop.page.locator("#signed-in-as")).to_have_text(f"Signed in as {customer}")
    expect(shop.count).to_have_text("1")


def test_search_events_count_each_piece_once(visit: Visit) -> None:
    shop = visit().add(MUG).open_cart().set_quantity(MUG, 5)
    expect(shop.count).to_have_text("5")
    shop.part(MUG, "less").evaluate(CLICK_TWICE)
    expect(shop.count).to_have_text("3")

    with shop.page.expect_request(lambda request: request.method == "PATCH" and '"amount":3' in str(request.post_data)):
        shop.part(MUG, "remove").click()

    events = [(body["amount"], body.get("price")) for name, body in shop.events if name == "cart"]
    assert events == [(1, 12.4), (4, 12.4), (1, None), (1, None), (3, None)]


@pytest.mark.parametrize(
    "script",
    ["Object.defineProperty(window, 'localStorage', { get() { throw new DOMException(); } })",
     "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"],
    ids=["blocked", "full"],
)  # fmt: skip
def test_sign_in_works_without_storage(visit: Visit, script: str) -> None:
    shop = visit()
    shop.page.add_init_script(script)
    customer = unique("buyer")

    shop.open().add(MUG).signed_in(customer)

    expect(shop.page.locator("#signed-in-as")).to_have_text(f"Signed in as {customer}")
    expect(shop.count).to_have_text("1")
    shop.page.locator("#sign-out").click()
    expect(shop.page.locator("#sign-in")).to_be_visible()


def test_emptied_quantity_is_restored(visit: Visit) -> None:
    quantity = visit().add(MUG).add(MUG).open_cart().part(MUG, "quantity")

    quantity.fill("")
    quantity.press("Enter")

    expect(quantity).to_have_value("2")


def test_visitors_of_a_new_shop_are_new(visit: Visit, stack: Stack) -> None:
    """Each start of the local cloud has another shop."""
    shop = visit().signed_in(unique("buyer")).add(MUG)
    other = {"api_key": stack.second_shop.api_key, "hashid": stack.second_shop.hashid}
    shop.page.route("**/settings.json", lambda route: route.fulfill(json={**route.fetch().json(), **other}))

    shop.open()

    expect(shop.page.locator("#sign-in")).to_be_visible()
    expect(shop.page.locator("main .sign-in-ended")).not_to_be_visible()


def customers_token(shop: DemoShop, customer: str) -> str:
    token: str = shop.send("POST", f"{shop.url}/sign-in", {"customer": customer})["token"]
    return token


@pytest.mark.parametrize("is_same", [True, False], ids=["changed elsewhere", "another customer's"])
def test_unseen_cart_is_not_ordered(visit: Visit, stack: Stack, *, is_same: bool) -> None:
    """The sign-in ends at the checkout. The cart after the next one differs, or only its customer does."""
    first, other = unique("buyer"), unique("buyer")
    shop = visit().signed_in(first).add(SPOON).open_cart().choose("Pick up", "Invoice")
    shop.storage("customer", stack.expired_token)
    second = first if is_same else other
    token = customers_token(shop, second)
    shop.send("POST", f"{stack.shop_url}/api/shop/cart/items", {"product": 211}, token)
    if not is_same:
        shop.send(
            "PATCH", f"{stack.shop_url}/api/shop/cart", {"shipping_method": PICK_UP, "payment_method": INVOICE}, token
        )

    shop.place_order().sign_in(second)

    expect(shop.page.locator("#review")).to_contain_text("Something has changed since you looked.")
    expect(shop.page.locator("#review")).to_be_focused()
    expect(shop.count).to_have_text("2" if is_same else "1")
    shop.place_order()
    expect(shop.page.locator("#order-total")).to_have_text("€19.80" if is_same else "€9.90")


@pytest.mark.parametrize("is_lost", [True, False], ids=["lost answer", "other device"])
def test_order_that_was_not_answered_is_found(visit: Visit, stack: Stack, *, is_lost: bool) -> None:
    checkout = f"{stack.shop_url}/api/shop/checkout/cart"
    shop = visit().signed_in(unique("buyer")).add(SPOON).open_cart().choose("Pick up", "Invoice")
    if is_lost:
        shop.page.route(checkout, fault_after_order, times=1)
        shop.place_order().page.locator("#retry").click()
    else:
        shop.send("POST", checkout, {}, shop.storage("customer"))
        shop.place_order()

    expect(shop.said).to_contain_text("If it was ordered, you find the order here.")
    expect(shop.page.locator("#order-list > li")).to_have_count(1)


def fault_after_order(route: Route) -> None:
    route.fetch()
    route.fulfill(status=500, json={"error": "internal server error"}, headers=CORS)
