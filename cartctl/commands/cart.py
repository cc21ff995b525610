"""``cartctl cart``: customers' carts, for support staff."""

import typer

from cartctl import money
from cartctl.arguments import Customer, ShopName, Yes
from cartctl.commands import shop as shops
from cartctl.output import moment, text
from cartctl.shell import App, Invocation, confirm, invocation
from cartctl.terminal import Screen
from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner, PricedCart
from serverless_cart.dynamodb.carts import DynamoDBCartStore
from serverless_cart.service.cart import CartService, Preconditions
from serverless_cart.web.cart_json import cart_json

app = App("Show and empty customers' carts.")


@app.command()
def show(context: typer.Context, shop: ShopName, customer: Customer) -> None:
    """Show a customer's cart at the current prices of the catalogue. --json prints it as the Shop API returns it.

    cartctl cart show my-shop customer-1
    """
    run = invocation(context)
    currency = shops.find(run, shop).shop.currency
    show_cart(run, _carts(run).peek(Owner(shop, customer)), currency)


@app.command()
def clear(context: typer.Context, shop: ShopName, customer: Customer, yes: Yes = False) -> None:
    """Empty a customer's cart. The selected address, shipping and payment method stay.

    cartctl cart clear my-shop customer-1
    """
    run = invocation(context)
    shop_record = shops.find(run, shop)
    shops.check_not_deleting(shop_record)
    confirm(f"Empty the cart of {customer}?", yes=yes)
    show_cart(run, _carts(run).clear(Owner(shop, customer), Preconditions()).cart, shop_record.shop.currency)


def _carts(run: Invocation) -> CartService:
    limits = run.deployment.limits
    return CartService(DynamoDBCartStore(run.deployment.table, clock, limits), clock, limits)


def show_cart(run: Invocation, priced: PricedCart, currency: str) -> None:
    """Print a cart with its warnings."""
    data = cart_json(priced, currency)

    def amount(minor_units: int) -> str:
        return money.amount_text(minor_units, currency)

    def for_people(screen: Screen) -> None:
        cart = priced.cart
        if not cart.version:
            screen.print_line("The customer has no cart.")
            return
        unit = f"minor units of {currency}" if currency else "minor units"
        if money.decimal(1, currency) not in {None, "1"}:
            unit += f" ({currency} in brackets)"
        screen.print_line(
            f"Version {cart.version}, created {text(moment(cart.created_at))}, "
            f"updated {text(moment(cart.updated_at))}; amounts in {unit}"
        )
        run.out.table(
            ("Item", "Product", "SKU", "Name", "Quantity", "Unit", "Discount", "Total", "Notes"),
            (
                (
                    item_data["id"],
                    priced_item.product.id,
                    priced_item.product.ref,
                    priced_item.product.name + ("" if priced_item.product.active else " (not for sale)"),
                    priced_item.item.quantity,
                    amount(priced_item.product.price),
                    amount(priced_item.product.discount),
                    amount(priced_item.total),
                    priced_item.item.notes,
                )
                for item_data, priced_item in zip(data["items"], priced.items, strict=True)
            ),
            nothing="The cart is empty.",
            long=("SKU", "Name", "Notes"),
        )
        if priced.discount_code:
            screen.print_line(f"Discount {amount(priced.discount)} with the code {priced.discount_code}")
        if priced.shipping_cost:
            screen.print_line(f"Shipping {amount(priced.shipping_cost)}")
        screen.print_line((f"Total {amount(priced.total)}", "bold"))
        for warning in priced.warnings:
            screen.print_line((warning.message, "yellow"))

    run.out.show(data, for_people)
