"""``cartctl catalogue``: importing, exporting and showing the products of a shop."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from cartctl import catalogue_file
from cartctl.arguments import ShopName, Yes
from cartctl.catalogue_file import BadRow, Format, Row, format_of
from cartctl.catalogue_import import Import, Tally
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.files import STDIN, open_input, replace_file, standard_output
from cartctl.output import Output
from cartctl.progress import tally_progress
from cartctl.shell import App, Invocation, invocation
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import Catalogue
from serverless_cart.service.errors import Unavailable

app = App("Import, export and show the products of a shop, as CSV or JSON Lines.")

LISTED_ROWS: Final = 100
"""The most bad rows that are listed one by one."""


@app.command("import")
def import_(
    context: typer.Context,
    shop: ShopName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON Lines; - reads standard input.")],
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Default: detected from the extension or the first character.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare; write nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete the products that are not in the file, unless it has bad rows.")
    ] = False,
    ignore_unknown: Annotated[bool, typer.Option("--ignore-unknown", help="Skip unknown columns.")] = False,
    errors: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all bad rows to a JSON Lines file.", show_default=False)
    ] = None,
    yes: Yes = False,
) -> None:
    """Import products: add the new ones and update the changed ones. Unchanged products are not written.

    CSV begins with a header that names the columns, in any order; the last three are optional:

        id,ref,name,price,stock,image,discount,active
        123,MUG-WH,"Mug, white",1490,50,https://shop.example/mug.jpg,250,true

    JSON Lines has one object per line with the same names; null means no image, or no limit of stock. Price and
    discount are minor units (1490 is 14.90) for one piece. An empty stock means no limit; active is true or false.

        cartctl catalogue import my-shop products.csv --dry-run

        cartctl catalogue import my-shop products.csv --prune

        zcat products.jsonl.gz | cartctl catalogue import my-shop -

    Add or change a single product:

        echo '{"id": 7, "ref": "CUP", "name": "Cup", "price": 990, "stock": 12}' | cartctl catalogue import my-shop -

    Bad rows are reported with their line and reason, and all other rows are imported; the exit code is then 4. After an
    interruption, run the same command again to continue. Carts show a change within a minute.
    """
    run = invocation(context)
    if prune and not (yes or dry_run) and (file == STDIN or not sys.stdin.isatty()):
        raise CartctlError("Cannot ask without a terminal: pass --yes to prune.", ExitCode.USAGE)
    if errors and file != STDIN and errors.resolve() == Path(file).resolve():
        raise CartctlError("--errors names the catalogue file itself: name another file.", ExitCode.USAGE)
    _check_shop(run, shop)
    start = time.monotonic()
    with ExitStack() as opened:
        source = opened.enter_context(open_input(file))
        rows = _rows(source, file, form or format_of(file), ignore_unknown=ignore_unknown)
        report = _BadRows(run.out, opened.enter_context(replace_file(errors)) if errors else None)
        catalogue = Catalogue(run.deployment.table, shop)
        work = opened.enter_context(closing(Import(catalogue, lambda: _check_shop(run, shop), dry=dry_run)))
        with _interruptible(work.tally):
            with tally_progress(run.out, "Importing", work.tally, source) as update:
                work.load(rows, report.add, update)
            missing = _prune(run, work, yes=yes, dry=dry_run) if prune else None
    report.end()
    if dry_run:
        run.out.status("Dry run: nothing was written.")
    _summarize(run.out, shop, work.tally, missing, report.listed, seconds=time.monotonic() - start, dry=dry_run)
    if work.tally.bad or (prune and not dry_run and work.tally.pruned != missing):
        raise typer.Exit(ExitCode.INCOMPLETE)


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
) -> None:
    """Export all products by ascending id, in a file that import can read.

    cartctl catalogue export my-shop --output products.csv

    cartctl catalogue export my-shop --format jsonl | gzip > products.jsonl.gz
    """
    run = invocation(context)
    if run.out.as_json and not output:
        raise CartctlError("--json needs --output: name the file of the products.", ExitCode.USAGE)
    shops.find(run, shop)
    form = form or (format_of(output.name) if output else None) or Format.CSV
    products = Catalogue(run.deployment.table, shop).products()
    with replace_file(output) if output else standard_output() as file:
        tally = Tally()
        # No progress bar among products that are printed on the screen.
        with tally_progress(run.out, "Exporting", tally, shown=bool(output) or not sys.stdout.isatty()) as update:
            for chunk in catalogue_file.written(_counted(products, tally, update), form):
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
    )
    if missing := [str(id_) for id_ in ids if id_ not in found]:
        raise NotFoundError(f"Shop {shop} has no product {', '.join(missing)}.")


def _table_row(product: Product) -> tuple[object, ...]:
    id_, ref, name, image, price, discount, stock, active = product
    return id_, ref, name, price, discount, "no limit" if stock is None else stock, "yes" if active else "no", image


def _check_shop(run: Invocation, shop: str) -> None:
    shops.check_not_deleting(shops.find(run, shop))


# ----------------------------------------------------------------------------------------------------------------------
# Importing and exporting
# ----------------------------------------------------------------------------------------------------------------------


def _rows(file: BinaryIO, name: str, form: Format | None, *, ignore_unknown: bool) -> Iterator[Row]:
    try:
        yield from catalogue_file.read(file, form, ignore_unknown=ignore_unknown)
    except OSError as error:
        raise CartctlError(f"Cannot read {name}: {error.strerror}.") from error


@dataclass
class _BadRows:
    """Reports bad rows: the first ones to people and in the result, all of them to a file."""

    out: Output
    file: BinaryIO | None
    listed: list[BadRow] = field(default_factory=list)
    unlisted: int = 0

    def add(self, row: BadRow) -> None:
        if self.file:
            self.file.write(json.dumps(asdict(row), ensure_ascii=False).encode() + b"\n")
        if len(self.listed) == LISTED_ROWS:
            self.unlisted += 1
            return
        self.listed.append(row)
        if not self.out.as_json:
            self.out.status(f"line {row.line}: {'; '.join(row.reasons)}")

    def end(self) -> None:
        if self.unlisted and not self.out.as_json:
            where = "see the file of --errors" if self.file else "pass --errors FILE to get all of them"
            self.out.status(f"and {self.unlisted} more bad rows: {where}.")


@contextmanager
def _interruptible(tally: Tally) -> Iterator[None]:
    """Report the number of finished rows after an interruption. Raises `CartctlError`."""
    message = "{}: {} rows are done. Run the same command again to continue."
    try:
        yield
    except KeyboardInterrupt:
        raise CartctlError(message.format("Interrupted", tally.rows), ExitCode.INTERRUPTED) from None
    except Unavailable as error:
        raise CartctlError(message.format("DynamoDB throttles or does not answer", tally.rows)) from error


def _prune(run: Invocation, work: Import, *, yes: bool, dry: bool) -> int | None:
    """Delete the products that are not in the file and return their number; ``None`` if the file may be incomplete."""
    if work.tally.bad or not work.tally.rows:
        reason = "the file has bad rows" if work.tally.bad else "the file has no products"
        run.out.status(f"Nothing was pruned, because {reason}.")
        return None
    missing = work.find_missing()
    if missing and not dry and (yes or _agreed(f"Delete {missing} products that are not in the file?")):
        with tally_progress(run.out, "Pruning", work.tally) as update:
            work.prune(update)
    return missing


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # the import itself is complete
        return False


def _summarize(
    out: Output, shop: str, tally: Tally, missing: int | None, listed: list[BadRow], *, seconds: float, dry: bool
) -> None:
    counts = {name: getattr(tally, name) for name in ("rows", "new", "changed", "unchanged", "bad")}
    out.fields(
        {
            "shop": shop,
            **counts,
            "not_in_file": missing,
            "pruned": tally.pruned,
            "dry_run": dry,
            "seconds": round(seconds, 3),
            "bad_rows": [asdict(row) for row in listed],
        },
        {
            "Shop": shop,
            **{name.capitalize(): count for name, count in counts.items()},
            **({} if missing is None else {"Not in the file": missing, "Pruned": tally.pruned}),
            "Time": f"{seconds:.1f} s, {tally.rows / seconds:,.0f} rows a second",
        },
    )


def _counted(products: Iterator[Product], tally: Tally, update: Callable[[], None]) -> Iterator[Product]:
    for product in products:
        tally.add(unchanged=1)
        if tally.rows % 1_000 == 0:
            update()
        yield product
