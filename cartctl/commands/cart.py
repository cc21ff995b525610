"""``cartctl cart``: what support staff see of a customer's cart, and may do with it."""

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cartctl.arguments import Customer, ShopName, Yes
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError
from cartctl.output import moment
from cartctl.shell import App, Invocation, confirm, invocation
from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner, PricedCart
from serverless_cart.dynamodb.carts import DynamoDBCartStore
from serverless_cart.service.cart import CartService, Preconditions
from serverless_cart.web.cart_json import cart_json

app = App("Customers' carts, for support staff.")


@app.command()
def show(context: typer.Context, shop: ShopName, customer: Customer) -> None:
    """Show a customer's cart at the catalogue's present prices; with --json as the Shop API answers it.

    cartctl cart show my-shop customer-1
    """
    run = invocation(context)
    currency = shops.find(run, shop).shop.currency
    _show(run, _carts(run).read(Owner(shop, customer)), currency)


@app.command()
def clear(context: typer.Context, shop: ShopName, customer: Customer, yes: Yes = False) -> None:
    """Empty a customer's cart. Its selections stay, as where the customer empties it.

    cartctl cart clear my-shop customer-1
    """
    run = invocation(context)
    shop_record = shops.find(run, shop)
    if shop_record.deletion_requested_at is not None:
        raise CartctlError(f"The shop {shop} is being deleted: cartctl shop delete {shop} finishes that.")
    confirm(f"Empty the cart of {customer}?", yes=yes)
    _show(run, _carts(run).clear(Owner(shop, customer), Preconditions()).cart, shop_record.shop.currency)


def _carts(run: Invocation) -> CartService:
    """Open the carts, with the deployment's limits."""
    limits = run.deployment.limits
    return CartService(DynamoDBCartStore(run.deployment.table, clock, limits), clock, limits)


def _show(run: Invocation, priced: PricedCart, currency: str) -> None:
    """Show a cart."""
    data = cart_json(priced)

    def for_people(console: Console) -> None:
        unit = f"minor units of {currency}" if currency else "minor units"
        if not priced.cart.version:
            console.print("There is no cart.")
            return
        console.print(
            f"Version {priced.cart.version}, made {moment(priced.cart.created_at):%Y-%m-%d %H:%M UTC}, "
            f"changed {moment(priced.cart.updated_at):%Y-%m-%d %H:%M UTC}; money in {escape(unit)}",
            soft_wrap=True,
        )
        lines = Table("Item", "Product", "SKU", "Name", "Quantity", "Unit", "Discount", "Total", "Notes", box=None)
        for shown, item in zip(data["items"], priced.items, strict=True):
            state = "" if item.product.active else " (not for sale)"
            lines.add_row(
                str(shown["id"]),
                str(item.product.id),
                escape(item.product.ref),
                escape(item.product.name + state),
                str(item.item.quantity),
                str(item.product.price),
                str(item.product.discount),
                str(item.total),
                escape(item.item.notes),
            )
        console.print(lines if priced.items else "It is empty.")
        console.print(f"[bold]Total {priced.total}[/]")
        for warning in priced.warnings:
            console.print(f"[yellow]{escape(warning.message)}[/]", soft_wrap=True)

    run.out.show(data, for_people)
