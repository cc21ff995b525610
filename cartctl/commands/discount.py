"""``cartctl discount``: the discount codes of a shop."""

import itertools
from typing import Annotated, Any

import typer

from cartctl.arguments import Label, ShopName, checked, minor_units, parse_moment
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.output import iso, moment
from cartctl.shell import App, Invocation, invocation
from serverless_cart.clock import clock
from serverless_cart.domain import limits
from serverless_cart.domain import validation as rules
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.dynamodb.discounts import DiscountExists, DiscountRecord, DiscountStore, ShopClosed

app = App("Create, list, show and disable the discount codes of a shop.")


Code = Annotated[
    str,
    typer.Argument(
        metavar="CODE", parser=checked(rules.parse_discount_code), help="The code, in any case.", show_default=False
    ),
]
Percent = Annotated[int | None, typer.Option(min=1, max=100, help="Percentage off the subtotal.")]
Amount = Annotated[
    int | None, typer.Option(parser=minor_units, metavar="AMOUNT", help="Amount off the subtotal, in minor units.")
]
Minimum = Annotated[
    int | None, typer.Option(parser=minor_units, metavar="AMOUNT", help="Lowest subtotal, in minor units.")
]
Starts = Annotated[
    int | None,
    typer.Option(parser=checked(parse_moment), metavar="TIME", help="First moment, UTC by default: 2026-06-01."),
]
Ends = Annotated[
    int | None,
    typer.Option(parser=checked(parse_moment), metavar="TIME", help="Last moment: 2026-08-31T23:59:59+02:00."),
]
MaxUses = Annotated[
    int | None, typer.Option(min=1, max=limits.MAX_SAFE_INTEGER, help="Orders that may use it. Default: any number.")
]
MaxUsesPerCustomer = Annotated[
    int | None, typer.Option(min=1, max=limits.MAX_SAFE_INTEGER, help="Orders of one customer. Default: any number.")
]


@app.command()
def create(
    context: typer.Context,
    shop: ShopName,
    code: Code,
    percent: Percent = None,
    amount: Amount = None,
    minimum: Minimum = None,
    starts: Starts = None,
    ends: Ends = None,
    max_uses: MaxUses = None,
    max_uses_per_customer: MaxUsesPerCustomer = None,
    label: Label = "",
) -> None:
    """Create a discount code, with either a percentage or an amount. An existing code is not changed.

    cartctl discount create my-shop SUMMER-10 --percent 10 --minimum 5000 --ends 2026-08-31T23:59:59

    cartctl discount create my-shop WELCOME --amount 500 --max-uses-per-customer 1
    """
    run = invocation(context)
    discount = DiscountCode(code, percent, amount, minimum or 0, starts, ends, max_uses, max_uses_per_customer)
    _check_terms(discount)
    shops.check_not_deleting(shops.find(run, shop))
    try:
        (created,) = _store(run, shop).create([discount], [label])
    except DiscountExists:
        raise CartctlError(
            f"Shop {shop} already has the code {code}: name another one, or run cartctl discount show {shop} {code}."
        ) from None
    except ShopClosed:
        raise CartctlError(f"Shop {shop} has just been closed: run cartctl shop show {shop} to see it.") from None
    _show(run, created)


@app.command("list")
def list_(
    context: typer.Context,
    shop: ShopName,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Most codes to list.")] = 1_000,
) -> None:
    """List the discount codes in their order.

    cartctl discount list my-shop --limit 100
    """
    run = invocation(context)
    shops.find(run, shop)
    found = list(itertools.islice(_store(run, shop).all(), limit + 1))
    records = found[:limit]
    run.out.rows(
        [_describe(record) for record in records],
        ("Code", "Off", "Minimum", "Starts", "Ends", "Uses", "Per customer", "State", "Label"),
        (
            (
                it.code,
                _off(it),
                it.minimum,
                moment(it.starts_at),
                moment(it.ends_at),
                _uses(it),
                it.max_uses_per_customer,
                _state(it),
                record.label,
            )
            for record in records
            for it in [record.discount]
        ),
        nothing=f"Shop {shop} has no discount codes: run cartctl discount create {shop} to create one.",
        long=("Code", "Label"),
    )
    if len(found) > limit:
        run.out.status(f"There are more than {limit} codes: pass a higher --limit to see them.")


@app.command()
def show(context: typer.Context, shop: ShopName, code: Code) -> None:
    """Show a discount code and its uses.

    cartctl discount show my-shop SUMMER-10
    """
    run = invocation(context)
    shops.find(run, shop)
    _show(run, _find(run, shop, code))


@app.command()
def disable(context: typer.Context, shop: ShopName, code: Code) -> None:
    """Disable a discount code for good. Carts show it within a minute; orders keep it.

    cartctl discount disable my-shop SUMMER-10
    """
    run = invocation(context)
    shops.check_not_deleting(shops.find(run, shop))
    disabled = _store(run, shop).disable(_find(run, shop, code))
    if disabled is None:
        raise _unknown(shop, code)
    _show(run, disabled)


def _check_terms(discount: DiscountCode) -> None:
    if faults := discount.faults():
        raise CartctlError(f"Nothing was created: {'; '.join(faults)}. Pass other options.", ExitCode.USAGE)


def _store(run: Invocation, shop: str) -> DiscountStore:
    return DiscountStore(run.deployment.table, shop, clock)


def _find(run: Invocation, shop: str, code: str) -> DiscountRecord:
    found = list(_store(run, shop).find([DiscountCode(code).key]).values())
    if not found:
        raise _unknown(shop, code)
    return found[0]


def _unknown(shop: str, code: str) -> NotFoundError:
    return NotFoundError(f"Shop {shop} has no discount code {code}: run cartctl discount list {shop} to see them.")


def _show(run: Invocation, record: DiscountRecord) -> None:
    it = record.discount
    run.out.fields(
        _describe(record),
        {
            "Code": it.code,
            "Off": _off(it),
            "Minimum": it.minimum,
            "Starts": moment(it.starts_at),
            "Ends": moment(it.ends_at),
            "Uses": _uses(it),
            "Uses per customer": it.max_uses_per_customer,
            "State": _state(it),
            "Label": record.label,
            "Created": moment(record.created_at),
        },
    )


def _describe(record: DiscountRecord) -> dict[str, Any]:
    it = record.discount
    times = {"starts_at": iso(it.starts_at), "ends_at": iso(it.ends_at)}
    return {**it._asdict(), **times, "label": record.label, "created_at": iso(record.created_at)}


def _off(discount: DiscountCode) -> str:
    return f"{discount.percent} %" if discount.percent is not None else str(discount.amount)


def _uses(discount: DiscountCode) -> str:
    return str(discount.uses) if discount.max_uses is None else f"{discount.uses} of {discount.max_uses}"


def _state(discount: DiscountCode) -> str:
    return "active" if discount.active else "disabled"
