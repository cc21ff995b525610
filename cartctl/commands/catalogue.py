"""``cartctl catalogue``: bringing a shop's products in, getting them out, looking at them."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from cartctl import catalogue_file
from cartctl.arguments import ShopName, Yes
from cartctl.catalogue_file import BadRow, Format, Row, format_of
from cartctl.catalogue_import import Import, Tally
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.output import Output
from cartctl.shell import App, Invocation, invocation
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import Catalogue
from serverless_cart.service.errors import Unavailable

app = App("The catalogue: the products of a shop, as CSV or as JSON Lines.")

STDIN: Final = "-"
TOLD: Final = 100
"""Bad rows that are told one by one."""


@app.command("import")
def import_(
    context: typer.Context,
    shop: ShopName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON Lines; - is standard input.")],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Else the file's name tells, or its first character.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare, write nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the products that are not in the file, unless a row was bad.")
    ] = False,
    ignore_unknown: Annotated[bool, typer.Option("--ignore-unknown", help="Leave out columns of other names.")] = False,
    errors: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all bad rows to it, as JSON Lines.", show_default=False)
    ] = None,
    yes: Yes = False,
) -> None:
    """Bring products in: new ones are added, changed ones written, unchanged ones left alone.

    CSV begins with a header that names the columns, in any order; the last three may be left out:

        id,ref,name,price,stock,image,discount,active
        123,MUG-WH,"Mug, white",1490,50,https://shop.example/mug.jpg,250,true

    JSON Lines has an object on each line, with the same names; null is no image and no limit of stock. Price and
    discount are minor units (1490 is 14.90), for one piece. An empty stock is no limit; active is true or false.

        cartctl catalogue import my-shop products.csv --dry-run

        cartctl catalogue import my-shop products.csv --prune

        zcat products.jsonl.gz | cartctl catalogue import my-shop -

    One product alone, set or changed:

        echo '{"id": 7, "ref": "CUP", "name": "Cup", "price": 990, "stock": 12}' | cartctl catalogue import my-shop -

    A bad row is told with its line and its reason, and the rest is imported; the exit code is then 4. Interrupted, it
    goes on where the same command is given again. Carts show a change within a minute.
    """
    run = invocation(context)
    if prune and not (yes or dry_run) and (file == STDIN or not sys.stdin.isatty()):
        raise CartctlError("Nobody is there to ask whether to prune: confirm with --yes.", ExitCode.USAGE)
    if errors and file != STDIN and errors.resolve() == Path(file).resolve():
        raise CartctlError("--errors names the catalogue itself: name another file.", ExitCode.USAGE)
    _look(run, shop)
    began = time.monotonic()
    with ExitStack() as opened:
        source = opened.enter_context(_reading(file))
        rows = _rows(source, file, form or format_of(file), ignore_unknown=ignore_unknown)
        report = _Report(run.out, opened.enter_context(_whole(errors)) if errors else None)
        catalogue = Catalogue(run.deployment.table, shop)
        work = opened.enter_context(closing(Import(catalogue, lambda: _look(run, shop), dry=dry_run)))
        with _interruptible(work.tally):
            with _progress(run.out, "Importing", work.tally, source) as done:
                work.load(rows, report.bad, done)
            gone = _pruned(run, work, yes=yes, dry=dry_run) if prune else None
    report.end()
    if dry_run:
        run.out.status("It was a dry run: nothing was written.")
    _summarise(run.out, shop, work.tally, gone, report.told, seconds=time.monotonic() - began, dry=dry_run)
    if work.tally.bad or (prune and not dry_run and work.tally.pruned != gone):
        raise typer.Exit(ExitCode.INCOMPLETE)


@app.command()
def export(
    context: typer.Context,
    shop: ShopName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else standard output.", show_default=False)
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="Else the file's name tells, or it is CSV.", show_default=False)
    ] = None,
) -> None:
    """Write the products to a file, by ascending id, as import reads them.

    cartctl catalogue export my-shop --output products.csv

    cartctl catalogue export my-shop --format jsonl | gzip > products.jsonl.gz
    """
    run = invocation(context)
    if run.out.as_json and not output:
        raise CartctlError("With --json, name the file with --output.", ExitCode.USAGE)
    shops.find(run, shop)
    form = form or (format_of(output.name) if output else None) or Format.CSV
    products = Catalogue(run.deployment.table, shop).products()
    with _whole(output) if output else _standard_output() as file:
        tally = Tally()
        # Where the products go to the screen, a bar has no place.
        with _progress(run.out, "Exporting", tally, shown=bool(output) or not sys.stdout.isatty()) as done:
            for piece in catalogue_file.written(_counted(products, tally, done), form):
                file.write(piece)
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
    """Show products as the table has them.

    cartctl catalogue show my-shop 123 124
    """
    run = invocation(context)
    shops.find(run, shop)
    ids = list(dict.fromkeys(product))
    found = Catalogue(run.deployment.table, shop).find(ids)
    run.out.rows(
        [found[id_]._asdict() for id_ in ids if id_ in found],
        ("Id", "Ref", "Name", "Price", "Discount", "Stock", "For sale", "Image"),
        (_shown(found[id_]) for id_ in ids if id_ in found),
        nothing="None of them is there.",
    )
    if missing := [str(id_) for id_ in ids if id_ not in found]:
        raise NotFoundError(f"The shop {shop} has no product {', '.join(missing)}.")


def _shown(it: Product) -> tuple[object, ...]:
    """Write a product for a person."""
    stock = "no limit" if it.stock is None else it.stock
    return it.id, it.ref, it.name, it.price, it.discount, stock, "yes" if it.active else "no", it.image


def _look(run: Invocation, shop: str) -> None:
    """Look that a shop is there and open. Raises `CartctlError`."""
    shops.check_not_deleting(shops.find(run, shop))


# ----------------------------------------------------------------------------------------------------------------------
# Importing
# ----------------------------------------------------------------------------------------------------------------------


def _rows(file: BinaryIO, name: str, form: Format | None, *, ignore_unknown: bool) -> Iterator[Row]:
    """Read a file. Raises `CartctlError`."""
    try:
        yield from catalogue_file.read(file, form, ignore_unknown=ignore_unknown)
    except OSError as error:
        raise CartctlError(f"{name} cannot be read: {error.strerror}.") from error


@dataclass
class _Report:
    """Tells of bad rows: the first to people, all of them to a file."""

    out: Output
    file: BinaryIO | None
    told: list[BadRow] = field(default_factory=list)
    left_out: int = 0

    def bad(self, row: BadRow) -> None:
        """Tell of one."""
        if self.file:
            self.file.write(json.dumps(asdict(row), ensure_ascii=False).encode() + b"\n")
        if len(self.told) == TOLD:
            self.left_out += 1
            return
        self.told.append(row)
        if not self.out.as_json:
            self.out.status(f"line {row.line}: {'; '.join(row.reasons)}")

    def end(self) -> None:
        """Tell how many were not told one by one."""
        if self.left_out and not self.out.as_json:
            where = "they are in the file of errors" if self.file else "--errors FILE takes them all"
            self.out.status(f"and {self.left_out} bad rows more: {where}.")


@contextmanager
def _interruptible(tally: Tally) -> Iterator[None]:
    """Say how far it came where it is interrupted. Raises `CartctlError`."""
    told = "{}: {} rows are done, and the same command again goes on."
    try:
        yield
    except KeyboardInterrupt:
        raise CartctlError(told.format("Interrupted", tally.rows), ExitCode.INTERRUPTED) from None
    except Unavailable as error:
        raise CartctlError(told.format("DynamoDB throttles or does not answer", tally.rows)) from error


def _pruned(run: Invocation, work: Import, *, yes: bool, dry: bool) -> int | None:
    """Remove what the file does not name and return how many products that are; nothing where that is uncertain."""
    if work.tally.bad or not work.tally.rows:
        why = "rows were bad" if work.tally.bad else "the file has no products"
        run.out.status(f"Nothing was pruned, because {why}.")
        return None
    gone = work.gone()
    if gone and not dry and (yes or _agreed(f"Remove {gone} products that are not in the file?")):
        with _progress(run.out, "Pruning", work.tally) as done:
            work.prune(done)
    return gone


def _agreed(question: str) -> bool:
    """Ask; whoever leaves the question says no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def _summarise(
    out: Output, shop: str, tally: Tally, gone: int | None, told: list[BadRow], *, seconds: float, dry: bool
) -> None:
    """Show what has become of the rows."""
    counts = {name: getattr(tally, name) for name in ("rows", "new", "changed", "unchanged", "bad")}
    pruned = {"not_in_file": gone, "pruned": tally.pruned}
    out.fields(
        {
            "shop": shop,
            **counts,
            **pruned,
            "dry_run": dry,
            "seconds": round(seconds, 3),
            "bad_rows": [asdict(row) for row in told],
        },
        {
            "Shop": shop,
            **{name.capitalize(): count for name, count in counts.items()},
            **({} if gone is None else {"Not in the file": gone, "Pruned": tally.pruned}),
            "Took": f"{seconds:.1f} s, {tally.rows / seconds:,.0f} rows a second",
        },
    )


# ----------------------------------------------------------------------------------------------------------------------
# Files and progress
# ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def _reading(name: str) -> Iterator[BinaryIO]:
    """Open a catalogue. Raises `CartctlError`."""
    if name == STDIN:
        yield sys.stdin.buffer
        return
    with ExitStack() as opened:
        try:
            file = opened.enter_context(Path(name).open("rb"))
        except OSError as error:
            raise CartctlError(f"{name} cannot be read: {error.strerror}.", ExitCode.USAGE) from error
        yield file


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is there as a whole or not at all. Raises `CartctlError`."""
    path = path.resolve()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    if path.exists() and not path.is_file():
        raise CartctlError(f"{path} is no ordinary file: name another.", ExitCode.USAGE)
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise CartctlError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Write to standard output. Raises `CartctlError` where nobody reads it to its end."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What is still to be flushed when Python ends has nowhere else to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CartctlError("Standard output was closed before all products were written.") from None


def _counted(products: Iterator[Product], tally: Tally, done: Callable[[], None]) -> Iterator[Product]:
    """Count products as they pass."""
    for product in products:
        tally.add(unchanged=1)
        if tally.rows % 1_000 == 0:
            done()
        yield product


@contextmanager
def _progress(
    out: Output, what: str, tally: Tally, file: BinaryIO | None = None, *, shown: bool = True
) -> Iterator[Callable[[], None]]:
    """Show how it goes on; what is yielded is to be called for each step. Threads may call it."""
    size = _size(file)

    def done() -> None:
        moved: dict[str, Any] = {"completed": file.tell()} if file and size else {}
        count = tally.pruned or tally.rows
        seconds = progress.tasks[task].elapsed or 1
        progress.update(task, **moved, count=count, rate=count / seconds)

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]:,}"),
        TextColumn("{task.fields[rate]:,.0f} a second"), TimeRemainingColumn(),
        console=out.stderr, transient=True, disable=not (shown and out.stderr.is_terminal),
    ) as progress:  # fmt: skip
        task: TaskID = progress.add_task(what, total=size, count=0, rate=0.0)
        yield done


def _size(file: BinaryIO | None) -> int | None:
    """Return the bytes of a file, if they can be known."""
    if file is None or not file.seekable():
        return None
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size
