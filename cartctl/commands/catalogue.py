"""``cartctl catalogue``: importing, exporting, showing and changing the products of a shop."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cartctl import catalogue_file, row_file
from cartctl.arguments import ShopName, Yes, minor_units
from cartctl.bad_rows import BadRows
from cartctl.catalogue_file import CatalogueFile, CatalogueReading
from cartctl.catalogue_import import Change, Import, Tally, merged
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.file_options import Delimiter, DryRun, Encoding, Errors, FileName, Form, IgnoreUnknown, Sheet, check_errors
from cartctl.files import STDIN, compressed, open_input, replace_file, standard_output
from cartctl.lease import LeaseLostError, catalogue_lease
from cartctl.money import currency_digits
from cartctl.output import Output
from cartctl.progress import count_progress, progress_bar
from cartctl.row_file import Format, format_of
from cartctl.row_values import BadRow, quoted
from cartctl.shell import App, Invocation, interrupted_by_signals, invocation, resumable
from cartctl.terminal import ask
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import Catalogue, ProductGone
from serverless_cart.dynamodb.keys import CATALOGUE_PARTITIONS

app = App("Import, export, show and change the products of a shop.")

LISTED_CHANGES: Final = 20
"""The most changes that a dry run lists, and the most products that it would delete."""
PRUNE_LIMIT: Final = 20
"""The share of a catalogue, in percent, that an import deletes without a question if it has ``--yes``."""


class Prices(StrEnum):
    """The unit of the amounts in a file."""

    MINOR = "minor"
    MAJOR = "major"


Unit = Annotated[
    Prices, typer.Option("--prices", help="Unit of price and discount: minor (1490) or major (14.90, by the currency).")
]


@app.command("import")
def import_(
    context: typer.Context,
    shop: ShopName,
    file: FileName,
    form: Form = None,
    dry_run: DryRun = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete the products that are not in the file, unless it has bad rows.")
    ] = False,
    prune_limit: Annotated[
        int | None,
        typer.Option(
            "--prune-limit",
            metavar="PERCENT",
            min=0,
            max=100,
            help=f"Share of the catalogue that --prune --yes may delete. Default: {PRUNE_LIMIT}.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Stop another import into this shop, and wait until it has stopped.")
    ] = False,
    ignore_unknown: IgnoreUnknown = False,
    prices: Unit = Prices.MINOR,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    spreadsheet: Annotated[
        bool, typer.Option("--spreadsheet", help="Remove the apostrophes that export --spreadsheet adds to texts.")
    ] = False,
    errors: Errors = None,
    yes: Yes = False,
) -> None:
    """Import products: add the new ones and update the changed ones. Unchanged products are not written.

    CSV begins with a header that names the columns, in any order:

        id,ref,name,price,stock,image,discount,active
        123,MUG-WH,"Mug, white",1490,50,https://shop.example/mug.jpg,250,true

    JSON Lines has one object per line with the same names; null means no image, or no limit of stock. Price and
    discount are minor units (1490 is 14.90) for one piece, or decimal numbers with --prices major. An empty stock means
    no limit; active is true or false. A workbook (.xlsx) has the same columns, and .gz files are unpacked. Column names
    match in any case. The last line must have a line ending, as a sign that the file is complete.

    Only id is required. A product keeps the values of columns that the file does not have. A new product needs ref,
    name, price and stock. Change prices only, with a file that has the columns id and price:

        cartctl catalogue import my-shop prices.csv

        cartctl catalogue import my-shop products.csv --dry-run

        cartctl catalogue import my-shop products.csv --prune

        cartctl catalogue import my-shop products.xlsx --sheet Products --prices major

        zcat products.jsonl.gz | cartctl catalogue import my-shop -

    Bad rows are reported with their line and reason, and all other rows are imported; the exit code is then 4. After an
    interruption, run the same command again to continue. Carts show a change within a minute.

    Only one import at a time can change a catalogue. --force stops the other one. An import that was killed does not
    block the next one for longer than a minute.

    If --prune would delete more than 20 percent of the catalogue, it asks even with --yes; --prune-limit allows more.
    """
    run = invocation(context)
    asks = prune and file != STDIN and sys.stdin.isatty()
    if prune and not (yes or dry_run or asks):
        raise CartctlError("Cannot ask without a terminal: pass --yes to prune.", ExitCode.USAGE)
    if prune_limit is not None and not prune:
        raise CartctlError("--prune-limit has no effect without --prune: add it.", ExitCode.USAGE)
    check_errors(errors, file)
    check_shop = partial(_check_shop, run, shop)
    reading = CatalogueReading(
        form=form or format_of(file),
        ignore_unknown=ignore_unknown,
        delimiter=delimiter,
        encoding=encoding,
        sheet=sheet,
        digits=_digits(run, shop, prices),
        spreadsheet=spreadsheet,
    )
    start = time.monotonic()
    tally = Tally()
    with ExitStack() as opened:
        opened.enter_context(resumable(lambda: _done(tally), LeaseLostError))
        source = opened.enter_context(open_input(file))
        content = CatalogueFile(source, reading)
        bad_rows = BadRows(run.out, opened.enter_context(replace_file(errors)) if errors else None)
        report = _Report(run.out, bad_rows, changes=dry_run)
        if dry_run:
            check_shop()
        lease = None if dry_run else opened.enter_context(catalogue_lease(run, shop, check_shop, force=force))
        catalogue = Catalogue(run.deployment.table, shop)
        work = opened.enter_context(closing(Import(catalogue, tally, check_shop, lease.writing if lease else None)))
        with count_progress(run.out, "Importing", lambda: tally.rows, source) as update:
            rows = row_file.rows(content, file, "Rows before the damage may be imported already.")
            work.load(rows, report.add, update)
        pruning = _Pruning(run.out, yes=yes, asks=asks, limit=PRUNE_LIMIT if prune_limit is None else prune_limit)
        missing = _prune(work, pruning, report, dry=dry_run) if prune else None
    report.end()
    if dry_run:
        run.out.status("Dry run: nothing was written.")
    ignored, seconds = content.ignored_columns, time.monotonic() - start
    _summarize(run.out, shop, tally, missing, report, ignored, seconds=seconds, dry=dry_run)
    if tally.bad or (prune and not dry_run and tally.pruned != missing):
        raise typer.Exit(ExitCode.INCOMPLETE)


def _pieces(text: str) -> str:
    if text != "none" and not (text.isascii() and text.isdigit() and len(text) < 20):
        raise typer.BadParameter(f"{text!r} is not a number of pieces: write 12, or none for no limit")
    return text


@app.command("set")
def set_(
    context: typer.Context,
    shop: ShopName,
    product: Annotated[
        int, typer.Argument(metavar="ID", min=0, max=limits.MAX_SAFE_INTEGER, help="Id of the product.")
    ],
    ref: Annotated[str | None, typer.Option(help="New reference.")] = None,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    image: Annotated[str | None, typer.Option(metavar="URL", help="New image; none removes it.")] = None,
    price: Annotated[
        int | None, typer.Option(parser=minor_units, metavar="AMOUNT", help="New price, in minor units.")
    ] = None,
    discount: Annotated[
        int | None, typer.Option(parser=minor_units, metavar="AMOUNT", help="New discount, in minor units.")
    ] = None,
    stock: Annotated[
        str | None, typer.Option(parser=_pieces, metavar="N", help="New stock; none for no limit.")
    ] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Whether it is for sale.")] = None,
) -> None:
    """Change one product; all other values stay. Carts show the change within a minute.

    cartctl catalogue set my-shop 123 --price 1290 --discount 0

    cartctl catalogue set my-shop 123 --stock none --inactive
    """
    run = invocation(context)
    given: dict[str, Any] = {
        "ref": ref,
        "name": name,
        "image": image,
        "price": price,
        "discount": discount,
        "active": active,
    }
    values: dict[str, Any] = {"id": product, **{column: it for column, it in given.items() if it is not None}}
    if image in {"", "none"}:
        values["image"] = None
    if stock is not None:
        values["stock"] = None if stock == "none" else int(stock)
    if len(values) == 1:
        raise CartctlError("Nothing to change: pass --price, --stock or another option.", ExitCode.USAGE)
    check_shop = partial(_check_shop, run, shop)
    catalogue = Catalogue(run.deployment.table, shop)
    gone = NotFoundError(
        f"Shop {shop} has no product {product}: check the id, or add the product with cartctl catalogue import."
    )
    try:
        with interrupted_by_signals(), catalogue_lease(run, shop, check_shop) as lease:
            before = catalogue.find([product]).get(product)
            if before is None:
                raise gone
            after, faults = merged(before, values)
            assert after  # noqa: S101 - the product is not new
            if faults:
                raise CartctlError(
                    f"Product {product} was not changed: {'; '.join(faults)}. Pass other values.", ExitCode.USAGE
                )
            change = Change(before, after)
            if change.columns:
                with lease.writing():
                    catalogue.change(before, after)
    except ProductGone:
        raise gone from None
    except LeaseLostError as error:
        raise CartctlError(f"{error}: run the same command again.") from error
    if not change.columns:
        run.out.status(f"Product {product} has these values already.")
    run.out.fields(
        {
            "shop": shop,
            "id": product,
            "changes": {column: {"old": old, "new": new} for column, (old, new) in change.columns.items()},
        },
        {
            "Product": product,
            **{
                column.capitalize(): f"{_shown(column, old)} -> {_shown(column, new)}"
                for column, (old, new) in change.columns.items()
            },
        },
    )


@app.command()
def export(
    context: typer.Context,
    shop: ShopName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.", show_default=False),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Default: detected from the extension, else CSV.", show_default=False),
    ] = None,
    prices: Unit = Prices.MINOR,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet", help="CSV that is safe to open in a spreadsheet: no text is taken for a formula."
        ),
    ] = False,
) -> None:
    """Export all products by ascending id, in a file that import can read.

    cartctl catalogue export my-shop --output products.csv

    cartctl catalogue export my-shop --output products.jsonl.gz

    A text that a spreadsheet could run as a formula, as in =HYPERLINK(…), is written as it is. For a file to be opened
    in a spreadsheet, pass --spreadsheet: an apostrophe then precedes such texts. Import the file with --spreadsheet
    too, which removes the apostrophes:

        cartctl catalogue export my-shop --spreadsheet --prices major --output products.csv

        cartctl catalogue import my-shop products.csv --spreadsheet --prices major
    """
    run = invocation(context)
    if run.out.as_json and not output:
        raise CartctlError("--json needs --output: name the file of the products.", ExitCode.USAGE)
    form = form or (format_of(output.name) if output else None) or Format.CSV
    if spreadsheet and form is not Format.CSV:
        raise CartctlError("--spreadsheet writes CSV: pass --format csv, or leave it out.", ExitCode.USAGE)
    if output and output.suffix.lower() in {".xlsx", ".xls", ".ods", ".zip"}:
        raise CartctlError(
            f"Products are not exported as {output.suffix}: name a .csv or .jsonl file. Spreadsheets open CSV.",
            ExitCode.USAGE,
        )
    shops.find(run, shop)
    digits = _digits(run, shop, prices)
    products = Catalogue(run.deployment.table, shop).products()
    with ExitStack() as opened:
        file = opened.enter_context(replace_file(output) if output else standard_output("products"))
        if output and output.suffix.lower() == ".gz":
            file = opened.enter_context(compressed(file))
        tally = Tally()
        # No progress bar among products that are printed on the screen.
        with count_progress(
            run.out, "Exporting", lambda: tally.rows, shown=bool(output) or not sys.stdout.isatty()
        ) as update:
            counted = _counted(products, tally, update)
            for chunk in catalogue_file.written(counted, form, digits=digits, spreadsheet=spreadsheet):
                file.write(chunk)
    if output:
        result = {"shop": shop, "products": tally.rows, "output": str(output), "format": form}
        run.out.fields(result, {"Shop": shop, "Products": tally.rows, "Written to": output})


@app.command()
def show(
    context: typer.Context,
    shop: ShopName,
    product: Annotated[
        list[int], typer.Argument(metavar="ID...", min=0, max=limits.MAX_SAFE_INTEGER, help="Ids of products.")
    ],
) -> None:
    """Show products of the catalogue.

    cartctl catalogue show my-shop 123 124
    """
    run = invocation(context)
    shops.find(run, shop)
    ids = list(dict.fromkeys(product))
    found = Catalogue(run.deployment.table, shop).find(ids)
    run.out.rows(
        [found[id_]._asdict() for id_ in ids if id_ in found],
        ("Id", "Ref", "Name", "Price", "Discount", "Stock", "For sale", "Image"),
        (_table_row(found[id_]) for id_ in ids if id_ in found),
        nothing="None of these products exists.",
        long=("Ref", "Name", "Image"),
    )
    if missing := [str(id_) for id_ in ids if id_ not in found]:
        raise NotFoundError(f"Shop {shop} has no product {', '.join(missing)}: check the ids.")


def _table_row(product: Product) -> tuple[object, ...]:
    id_, ref, name, image, price, discount, stock, active = product
    return id_, ref, name, price, discount, "no limit" if stock is None else stock, "yes" if active else "no", image


def _check_shop(run: Invocation, shop: str) -> None:
    shops.check_not_deleting(shops.find(run, shop))


# ----------------------------------------------------------------------------------------------------------------------
# Importing and exporting
# ----------------------------------------------------------------------------------------------------------------------


def _digits(run: Invocation, shop: str, prices: Prices) -> int | None:
    """Return the decimals of amounts, ``None`` for minor units. Raises `CartctlError` for a shop without a currency."""
    if prices is Prices.MINOR:
        return None
    currency = shops.find(run, shop).shop.currency
    try:
        return currency_digits(currency)
    except ValueError as error:
        raise CartctlError(
            f"--prices major needs the shop's currency, which is {currency!r} instead of an ISO 4217 code: "
            f"run cartctl shop set {shop} --currency with the code, as in EUR. Nothing was changed.",
            ExitCode.USAGE,
        ) from error


@dataclass
class _Report:
    """Reports bad rows, and the changes of a dry run."""

    out: Output
    bad_rows: BadRows
    changes: bool
    listed_changes: list[dict[str, Any]] = field(default_factory=list)
    listed_missing: list[int] = field(default_factory=list)
    unlisted_changes: int = 0

    def add(self, outcome: BadRow | Change) -> None:
        if isinstance(outcome, BadRow):
            self.bad_rows.add(outcome)
        elif self.changes:
            self._add_change(outcome)

    def add_missing(self, ids: list[int], count: int) -> None:
        """Report the products that a dry run would delete."""
        self.listed_missing = ids
        if not self.out.as_json:
            for id_ in ids:
                self.out.status(f"id {id_}: not in the file, would be deleted")
            if count > len(ids):
                self.out.status(f"and {count - len(ids)} more that would be deleted.")

    def end(self) -> None:
        if self.unlisted_changes and not self.out.as_json:
            self.out.status(f"and {self.unlisted_changes} more new or changed products.")
        self.bad_rows.end()

    def _add_change(self, change: Change) -> None:
        if len(self.listed_changes) == LISTED_CHANGES:
            self.unlisted_changes += 1
            return
        columns = change.columns
        self.listed_changes.append({
            "id": change.after.id,
            "new": change.before is None,
            "changes": {column: {"old": old, "new": new} for column, (old, new) in columns.items()},
        })  # fmt: skip
        if not self.out.as_json:
            parts = [
                f"{column} {_shown(column, old)} -> {_shown(column, new)}" for column, (old, new) in columns.items()
            ]
            self.out.status(f"id {change.after.id}: {', '.join(parts) or 'new'}")


def _shown(column: str, value: object) -> str:
    """Format a value of a product for people, without ambiguity."""
    if value is None:
        return "no limit" if column == "stock" else "none"
    return json.dumps(value, ensure_ascii=False)


def _done(tally: Tally) -> str:
    pruned = f" and {tally.pruned} products are pruned" if tally.pruned else ""
    return f"{tally.rows} rows are done{pruned}"


@dataclass(frozen=True)
class _Pruning:
    """Decides whether products may be deleted: by ``--yes`` and ``--prune-limit`` or, if it ``asks``, a person."""

    out: Output
    yes: bool
    asks: bool
    limit: int

    def check(self, missing: int, before: int) -> bool:
        percent = ceil(100 * missing / before)
        exceeds = 100 * missing > self.limit * before
        if self.yes and not exceeds:
            return True
        if self.asks:
            share = f" They are {percent} % of the catalogue." if exceeds else ""
            return _agreed(f"Delete {missing} products that are not in the file?{share}")
        self.refuse(missing, before, percent)
        return False

    def refuse(self, missing: int, before: int, percent: int) -> None:
        self.out.status(
            f"Nothing was pruned: {missing} of {before} products ({percent} %) are not in the file, more than "
            f"{self.limit} %. Check that the file is complete. To delete them, run the same command with "
            f"--prune-limit {percent}."
        )


def _prune(work: Import, pruning: _Pruning, report: _Report, *, dry: bool) -> int | None:
    """Delete the products that are not in the file and return their number; ``None`` if the file may be incomplete."""
    out, tally = pruning.out, work.tally
    if tally.bad or not tally.rows:
        reason = "the file has bad rows" if tally.bad else "the file has no products"
        out.status(f"Nothing was pruned, because {reason}.")
        return None
    with progress_bar(out) as progress:
        task = progress.add_task("Finding products that are not in the file", total=CATALOGUE_PARTITIONS)
        missing, before = work.find_missing(lambda done: progress.update(task, completed=done))
    if missing and dry:
        report.add_missing(work.missing(LISTED_CHANGES), missing)
    elif missing and pruning.check(missing, before):
        with count_progress(out, "Pruning", lambda: tally.pruned, missing) as update:
            work.prune(update)
    return missing


def _agreed(question: str) -> bool:
    try:
        return ask(question)
    except typer.Abort:  # the import itself is complete
        return False


def _summarize(
    out: Output,
    shop: str,
    tally: Tally,
    missing: int | None,
    report: _Report,
    ignored: list[str],
    *,
    seconds: float,
    dry: bool,
) -> None:
    counts = {name: getattr(tally, name) for name in ("rows", "new", "changed", "unchanged", "bad")}
    columns = {name: tally.changed_columns[name] for name in Product._fields if tally.changed_columns[name]}
    changed = f" ({', '.join(f'{name} {count}' for name, count in columns.items())})" if columns else ""
    out.fields(
        {
            "shop": shop,
            **counts,
            "changed_columns": columns,
            "not_in_file": missing,
            "pruned": tally.pruned,
            "dry_run": dry,
            "seconds": round(seconds, 3),
            "ignored_columns": ignored,
            "bad_rows": report.bad_rows.listed,
            **({"changes": report.listed_changes, "would_be_pruned": report.listed_missing} if dry else {}),
        },
        {
            "Shop": shop,
            **{name.capitalize(): count for name, count in counts.items()},
            "Changed": f"{tally.changed}{changed}",
            **({} if missing is None else {"Not in the file": missing, "Pruned": tally.pruned}),
            **({"Ignored columns": ", ".join(map(quoted, ignored))} if ignored else {}),
            "Time": f"{seconds:.1f} s, {tally.rows / seconds:,.0f} rows a second",
        },
    )


def _counted(products: Iterator[Product], tally: Tally, update: Callable[[], None]) -> Iterator[Product]:
    for product in products:
        tally.add(unchanged=1)
        if tally.rows % 1_000 == 0:
            update()
        yield product
