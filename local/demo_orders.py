"""Two orders of the demonstration's customer that wait for payment, so that there are orders to show and to change."""

from typing import Final

from rich.console import Console

from local.call import call
from local.demo_terms import CARD, PICK_UP
from local.progress import step
from local.stack import Stack

ORDERS: Final = 2
NOTES: Final = "An order to try out"


def place(stack: Stack, console: Console) -> None:
    """Place the orders, unless the customer has orders or a cart already. Raises `LocalCloudError`."""
    api, token = f"{stack.shop_url}/api/shop", stack.demonstration_token
    if call("GET", f"{api}/customers/me/orders", token)["count"] or not call("GET", f"{api}/cart", token)["is_empty"]:
        return
    on_sale = (product for product in stack.products if product.active and product.stock != 0)
    cheapest = sorted(on_sale, key=lambda product: product.price - product.discount)[:ORDERS]
    with step(console, f"Placing {ORDERS} orders that wait for payment"):
        for product in cheapest:
            call("POST", f"{api}/cart/items", token, {"product": product.id})
            selections = {"shipping_method": PICK_UP, "payment_method": CARD, "notes": NOTES}
            call("POST", f"{api}/checkout/cart", token, selections)
