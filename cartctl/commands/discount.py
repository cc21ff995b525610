"""``cartctl discount``: the discount codes of a shop."""

import itertools
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Annotated, Any

import typer

from cartctl import row_file
from cartctl.arguments import Label, ShopName, checked, minor_units, parse_moment
from cartctl.bad_rows import BadRows
from cartctl.commands import shop as shops
from cartctl.discount_file import DiscountFile
from cartctl.discount_import import DiscountImport
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.file_options import Delimiter, DryRun, Encoding, Errors, FileName, Form, IgnoreUnknown, Sheet, check_errors
from cartctl.files import open_input, replace_file
from cartctl.output import iso, moment
from cartctl.progress import count_progress
from cartctl.row_file import Reading, format_of
from cartctl.row_values import quoted
from cartctl.shell import App, Invocation, invocation, resumable
from serverless_cart.clock import clock
from serverless_cart.domain import limits
from serverless_cart.domain import validation as rules
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.dynamodb.discounts import DiscountExists, DiscountRecord, DiscountStore, ShopClosed

app = App("Create, import, list, show and disable the discount codes of a shop.")


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
        raise _closed(shop) from None
    _show(run, created)


@app.command("import")
def import_(
    context: typer.Context,
    shop: ShopName,
    file: FileName,
    percent: Percent = None,
    amount: Amount = None,
    minimum: Minimum = None,
    starts: Starts = None,
    ends: Ends = None,
    max_uses: MaxUses = None,
    max_uses_per_customer: MaxUsesPerCustomer = None,
    label: Label = "",
    form: Form = None,
    dry_run: DryRun = False,
    ignore_unknown: IgnoreUnknown = False,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    errors: Errors = None,
) -> None:
    """Create the discount codes of a file: all of them, or none if the file has bad rows.

    CSV begins with a header that names the columns, in any order. They are the options of discount create:

        code,percent,amount,minimum,starts,ends,max_uses,max_uses_per_customer,label
        SUMMER-10,10,,5000,2026-06-01,2026-08-31T23:59:59+02:00,1000,1,newsletter

    JSON Lines has one object per line with the same names. A workbook (.xlsx) has the same columns, and .gz files are
    unpacked. The last line must have a line ending, as a sign that the file is complete.

    Only code is required. The options are the values of rows that do not give one. Create the codes of one campaign,
    from a file with the header code:

        cartctl discount import my-shop codes.csv --percent 10 --ends 2026-08-31T23:59:59 --max-uses 1

        cartctl discount import my-shop codes.xlsx --dry-run

    Bad rows are reported with their line and reason, and nothing is created; the exit code is then 4. A code that
    exists with the same terms is left as it is, and one with other terms is a bad row. After an interruption, run the
    same command again to continue.
    """
    run = invocation(context)
    check_errors(errors, file)
    if percent is not None or amount is not None:
        _check_terms(DiscountCode("", percent, amount, minimum or 0, starts, ends, max_uses, max_uses_per_customer))
    options = {
        "percent": percent,
        "amount": amount,
        "minimum": minimum,
        "starts": starts,
        "ends": ends,
        "max_uses": max_uses,
        "max_uses_per_customer": max_uses_per_customer,
        "label": label,
    }
    shops.check_not_deleting(shops.find(run, shop))
    reading = Reading(form or format_of(file), ignore_unknown, delimiter, encoding, sheet)
    start = time.monotonic()
    with ExitStack() as opened:
        work = opened.enter_context(closing(DiscountImport(_store(run, shop), options)))
        opened.enter_context(resumable(lambda: f"{work.created} codes are created"))
        source = opened.enter_context(open_input(file))
        content = DiscountFile(source, reading)
        bad_rows = BadRows(run.out, opened.enter_context(replace_file(errors)) if errors else None)
        with count_progress(run.out, "Checking", lambda: work.rows, source) as update:
            work.check(row_file.rows(content, file, "Nothing was created."), bad_rows.add, update)
        if not (work.bad or dry_run):
            with count_progress(run.out, "Creating", lambda: work.created, work.new) as update:
                _create(work, shop, update)
    bad_rows.end()
    if work.bad or dry_run:
        run.out.status(
            "Dry run: nothing was created." if dry_run else "Nothing was created, because the file has bad rows."
        )
    counts = {name: getattr(work, name) for name in ("rows", "new", "existing", "bad", "created")}
    seconds = time.monotonic() - start
    run.out.fields(
        {
            "shop": shop,
            **counts,
            "dry_run": dry_run,
            "seconds": round(seconds, 3),
            "ignored_columns": content.ignored_columns,
            "bad_rows": bad_rows.listed,
        },
        {
            "Shop": shop,
            **{name.capitalize(): count for name, count in counts.items()},
            **({"Ignored columns": ", ".join(map(quoted, content.ignored_columns))} if content.ignored_columns else {}),
            "Time": f"{seconds:.1f} s, {work.rows / seconds:,.0f} rows a second",
        },
    )
    if work.bad:
        raise typer.Exit(ExitCode.INCOMPLETE)


def _create(work: DiscountImport, shop: str, update: Callable[[], None]) -> None:
    try:
        work.create(update)
    except ShopClosed:
        raise _closed(shop) from None


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


def _closed(shop: str) -> CartctlError:
    return CartctlError(f"Shop {shop} has just been closed: run cartctl shop show {shop} to see it.")


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
