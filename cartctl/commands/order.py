"""``cartctl order``: the orders of a shop."""

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from cartctl import money
from cartctl.arguments import ShopName, Yes, checked
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.output import moment
from cartctl.shell import App, Invocation, confirm, invocation
from cartctl.terminal import Screen
from serverless_cart.clock import clock
from serverless_cart.domain import validation as rules
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.errors import InvalidTransition, OrderNotFound
from serverless_cart.domain.limits import MAX_SAFE_INTEGER
from serverless_cart.domain.orders import STATUSES, Order, OrderChange, Status
from serverless_cart.dynamodb.orders import DynamoDBOrderStore
from serverless_cart.service.order_ports import OrderQuery
from serverless_cart.service.orders import OrderService
from serverless_cart.web.order_json import order_json, order_summary

app = App("List, show and change orders.")

PAGE: Final = 100
"""Orders that are read at a time."""
PATIENCE: Final = 30.0
"""Seconds for which a change is tried again if other requests change the order or its products."""
ENDS: Final = frozenset({"cancelled", "failed", "refunded"})
"""Statuses that cannot be left again."""


def _day(text: str) -> str:
    if not (len(text) == len("2026-01-31") and text.isascii()):
        raise ValueError(f"{text!r} is no day: write it as 2026-01-31")
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day: write it as 2026-01-31") from None
    return text


def _status(text: str) -> str:
    if text not in STATUSES:
        raise ValueError(f"{text!r} is no status: write one of {', '.join(STATUSES)}")
    return text


Key = Annotated[str, typer.Argument(metavar="KEY", help="The order's key, ORD-…", show_default=False)]


@app.command("list")
def list_(
    context: typer.Context,
    shop: ShopName,
    customer: Annotated[
        str | None,
        typer.Option(
            parser=checked(rules.parse_customer),
            metavar="ID",
            help="Only the orders of this customer, the newest first.",
        ),
    ] = None,
    status: Annotated[
        str | None, typer.Option(parser=checked(_status), metavar="STATUS", help="Only orders with this status.")
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", parser=checked(_day), metavar="DAY", help="First day in UTC; default: 30 days ago."),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", parser=checked(_day), metavar="DAY", help="Last day in UTC; default: today."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most orders.")] = 1_000,
) -> None:
    """List the orders of a shop, the oldest first, or those of a customer. Default: the last 30 days.

    cartctl order list my-shop --status processing

    cartctl order list my-shop --customer customer-1
    """
    run = invocation(context)
    currency = shops.find(run, shop).shop.currency
    wanted = next((it for it in STATUSES if it == status), None)
    if customer:
        if first or last:
            raise CartctlError("Pass either --customer, or --from and --to.", ExitCode.USAGE)
        _, orders = _orders(run).of_customer(Owner(shop, customer), wanted, limit, 0)
    else:
        orders = list(itertools.islice(_of_shop(run, shop, wanted, _period(first, last)), limit))
    run.out.rows(
        [order_summary(order) for order in orders],
        ("Order", "Status", "Created", "Customer", "Pieces", "Total", "Paid"),
        (
            (
                order.key,
                order.status,
                moment(order.created_at),
                order.customer,
                order.quantity,
                money.amount_text(order.total, order.currency or currency),
                money.amount_text(order.amount_paid, order.currency or currency),
            )
            for order in orders
        ),
        nothing="There are no such orders.",
        long=("Customer",),
    )


@app.command()
def show(context: typer.Context, shop: ShopName, key: Key) -> None:
    """Show an order with its items. --json prints it as the Management API returns it.

    cartctl order show my-shop ORD-1V9QK3T5M7X2B4C6D8E0F1G2H3
    """
    run = invocation(context)
    shops.find(run, shop)
    _show(run, _found(shop, key, lambda: _orders(run).find(shop, key)))


@app.command("set")
def set_(
    context: typer.Context,
    shop: ShopName,
    key: Key,
    status: Annotated[
        str, typer.Argument(metavar="STATUS", parser=checked(_status), help="New status.", show_default=False)
    ],
    amount_paid: Annotated[
        int | None, typer.Option(min=0, max=MAX_SAFE_INTEGER, help="Amount that is paid, in minor currency units.")
    ] = None,
    restock: Annotated[bool, typer.Option("--restock", help="Return the stock of a refunded order.")] = False,
    yes: Yes = False,
) -> None:
    """Change the status of an order. An order in hold that becomes processing counts as paid in full.

    cartctl order set my-shop ORD-1V9QK3T5M7X2B4C6D8E0F1G2H3 shipped

    cartctl order set my-shop ORD-1V9QK3T5M7X2B4C6D8E0F1G2H3 refunded --restock --yes
    """
    run = invocation(context)
    shops.check_not_deleting(shops.find(run, shop))
    if restock and status != "refunded":
        raise CartctlError("--restock is for the status refunded only: leave it out.", ExitCode.USAGE)
    if status in ENDS:
        confirm(f"Change order {key} to {status}? This cannot be undone.", yes=yes)
    wanted: Status = next(it for it in STATUSES if it == status)
    until = time.monotonic() + PATIENCE
    try:
        changed = _found(
            shop,
            key,
            lambda: _orders(run).change(
                shop, key, OrderChange(wanted, amount_paid, restock), lambda: until - time.monotonic()
            ),
        )
    except InvalidTransition as error:
        (reason,) = (message for messages in error.details.values() for message in messages)
        raise CartctlError(f"Order {key}: {reason}. Run cartctl order show {shop} {key} to see it.") from None
    _show(run, changed)


def _orders(run: Invocation) -> OrderService:
    return OrderService(DynamoDBOrderStore(run.deployment.table), clock)


def _period(first: str | None, last: str | None) -> tuple[int, int]:
    """Return the first and the last millisecond of a period."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end = datetime.fromisoformat(last).replace(tzinfo=UTC) if last else today
    start = datetime.fromisoformat(first).replace(tzinfo=UTC) if first else end - timedelta(days=30)
    if start > end:
        raise CartctlError("--from is after --to: pass an earlier first day.", ExitCode.USAGE)
    return int(start.timestamp() * 1000), int((end + timedelta(days=1)).timestamp() * 1000) - 1


def _of_shop(run: Invocation, shop: str, status: Status | None, period: tuple[int, int]) -> Iterator[Order]:
    query = OrderQuery(*period, status, PAGE)
    while True:
        page = _orders(run).of_shop(shop, query)
        yield from page.orders
        if page.cursor is None:
            return
        query = query._replace(after=page.cursor)


def _found(shop: str, key: str, find: Callable[[], Order]) -> Order:
    try:
        return find()
    except OrderNotFound:
        raise NotFoundError(f"Shop {shop} has no order {key}: run cartctl order list {shop} to see them.") from None


def _show(run: Invocation, order: Order) -> None:
    def amount(minor_units: int) -> str:
        return money.amount_text(minor_units, order.currency)

    def for_people(screen: Screen) -> None:
        screen.print_line(f"{order.key} is {order.status}, created {moment(order.created_at):%Y-%m-%d %H:%M} UTC")
        run.out.table(
            ("Product", "SKU", "Name", "Quantity", "Unit", "Discount", "Total", "Notes"),
            (
                (
                    item.product_id,
                    item.ref,
                    item.name,
                    item.quantity,
                    amount(item.unit_price),
                    amount(item.unit_discount),
                    amount(item.subtotal - item.discount),
                    item.notes,
                )
                for item in order.items
            ),
            nothing="The order has no items.",
            long=("SKU", "Name", "Notes"),
        )
        for name, value in (
            ("Discount", amount(order.discount) + (f", code {order.discount_code}" if order.discount_code else "")),
            ("Shipping", amount(order.shipping_cost)),
            ("Total", amount(order.total)),
            ("Paid", amount(order.amount_paid)),
            ("Customer", order.customer or "erased"),
            ("Notes", order.notes or "-"),
        ):
            screen.print_line((f"{name:<10}", "bold"), value)

    run.out.show(order_json(order), for_people)
