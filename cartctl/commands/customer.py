"""``cartctl customer``: the tokens by which a shop's signed-in customers reach their carts."""

import csv
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Final

import typer
from rich.progress import Progress

from cartctl import tokens
from cartctl.arguments import Label, ShopName, checked, duration
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import App, Invocation, confirm, invocation
from serverless_cart.auth import Token, key_of
from serverless_cart.domain import validation as rules
from serverless_cart.dynamodb.token_registry import TOGETHER

app = App("Customer tokens: each opens one customer's cart in the Shop API.")

LIFETIME: Final = "90d"
COLUMNS: Final = ("customer", "token")

AnyCustomer = Annotated[
    str | None,
    typer.Argument(
        metavar="CUSTOMER",
        parser=checked(rules.parse_customer),
        help="The customer's id in the shop.",
        show_default=False,
    ),
]


@app.command()
def issue(
    context: typer.Context,
    shop: ShopName,
    customer: AnyCustomer = None,
    label: Label = "",
    expires_in: Annotated[
        int, typer.Option(parser=duration, metavar="DURATION", help="As in 90d, 12h, 30m; or never.")
    ] = LIFETIME,  # type: ignore[assignment] # Typer reads defaults as it reads what is typed
    from_file: Annotated[
        str, typer.Option(metavar="FILE", help="Issue one for each customer in it, a line each; - is standard input.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where --from-file writes the tokens (CSV), for you alone to read."),
    ] = None,
) -> None:
    """Issue a customer's token. It is shown this once: only its digest is stored.

        cartctl customer issue my-shop customer-1

        cartctl customer issue my-shop --from-file customers.txt --output tokens.csv

    Interrupted, the second goes on where it is given again with the same files: customers that have a token in the
    output are left out.
    """
    run = invocation(context)
    expires_at = tokens.expiry(expires_in)
    if from_file:
        if customer or not output:
            raise CartctlError("With --from-file, name no customer, and name a file with --output.", ExitCode.USAGE)
        _issue_many(run, Token("customer", shop, expires_at=expires_at), label, from_file, output)
        return
    if not customer or output:
        raise CartctlError("Name a customer, or many with --from-file and --output.", ExitCode.USAGE)
    token = Token("customer", shop, customer, expires_at)
    ((key, listed),) = tokens.issue(run, shop, [token], label)
    run.out.fields(
        {"token": key, **tokens.describe(listed)},
        {"Token": key, "Id": listed.id, "Customer": customer, "Label": label, "Expires": tokens.expires(listed)},
    )
    run.out.status("Keep the token now: it is shown this once.")


@app.command("list")
def list_(context: typer.Context, shop: ShopName, customer: AnyCustomer = None) -> None:
    """List the tokens of a shop's customers, or of one: enough to recognise one, never enough to use it.

    cartctl customer list my-shop

    cartctl customer list my-shop customer-1
    """
    run = invocation(context)
    shops.find(run, shop)
    listed = tokens.token_registry(run).customer_tokens(shop, customer)
    tokens.show_list(run, listed, "There are no customer tokens.")


@app.command()
def revoke(
    context: typer.Context,
    shop: ShopName,
    customer: AnyCustomer = None,
    id_: Annotated[list[str], typer.Option("--id", metavar="ID", help="Only these, as the list shows them.")] = [],
    stdin: tokens.Stdin = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Revoke the tokens of a customer, all or some. They stop working within a minute, the authorizer's cache time.

    cartctl customer revoke my-shop customer-1

    cartctl customer revoke my-shop customer-1 --id 3f1c92ab04de

    cartctl customer revoke my-shop --stdin < leaked.txt
    """
    run = invocation(context)
    if bool(customer) == stdin or (stdin and id_):
        raise CartctlError("Name the customer, or give the token that leaked with --stdin.", ExitCode.USAGE)
    shops.find(run, shop)
    if stdin:
        chosen = tokens.from_stdin(run, shop, "customer")
    else:
        listed = tokens.token_registry(run).customer_tokens(shop, customer)
        chosen = tokens.by_ids(listed, id_) if id_ else [it for it in listed if not it.token.revoked]
    if len(chosen) > 1:
        confirm(f"Revoke all {len(chosen)} tokens of {customer}?", yes=yes)
    tokens.revoke(run, chosen)


def _issue_many(run: Invocation, like: Token, label: str, names: str, output: Path) -> None:
    """Issue a token for each customer of a file and write them to another. Raises `CartctlError`."""
    with _reading(names) as lines, _writing(output) as (done, write):
        wanted, left_out = _customers(lines, done)
        issued = 0
        with Progress(console=run.out.stderr, transient=True, disable=not run.out.stderr.is_terminal) as progress:
            task = progress.add_task("Issuing", total=len(wanted))
            for start in range(0, len(wanted), TOGETHER):
                chunk = [
                    Token("customer", like.shop, name, like.expires_at) for name in wanted[start : start + TOGETHER]
                ]
                # Written once they are stored: whoever is interrupted in between has a token too many, not one too few.
                write((listed.token.customer, key) for key, listed in tokens.issue(run, like.shop, chunk, label))
                issued += len(chunk)
                progress.update(task, completed=issued)
    run.out.fields(
        {"issued": issued, "left_out": left_out, "output": str(output)},
        {"Issued": issued, "Had one before": left_out, "Written to": output},
    )


def _customers(lines: IO[str], done: set[str]) -> tuple[list[str], int]:
    """Read customers, a line each; return those that have no token yet, and how many have. Raises `CartctlError`."""
    wanted: dict[str, None] = {}
    left_out = 0
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                name = rules.parse_customer(line.strip())
            except ValueError as error:
                raise CartctlError(f"Line {number}: {error}. Nothing was issued.", ExitCode.USAGE) from None
            if name in done:
                left_out += 1
            wanted[name] = None
    except UnicodeDecodeError as error:
        raise CartctlError(f"The file of customers is not UTF-8 ({error.reason}).", ExitCode.USAGE) from None
    return [name for name in wanted if name not in done], left_out


@contextmanager
def _reading(name: str) -> Iterator[IO[str]]:
    """Open a file of customers. Raises `CartctlError`."""
    if name == "-":
        yield sys.stdin
        return
    with ExitStack() as opened:
        try:
            file = opened.enter_context(Path(name).open(encoding="utf-8-sig"))
        except OSError as error:
            raise CartctlError(f"{name} cannot be read: {error.strerror}.", ExitCode.USAGE) from None
        yield file


@contextmanager
def _writing(path: Path) -> Iterator[tuple[set[str], Any]]:
    """Open a file of tokens that its owner alone may read; yield the customers in it, and how to add to it.

    Raises `CartctlError` for a file that others may read, or that is another.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise CartctlError(f"{path} cannot be written: {error.strerror}.", ExitCode.USAGE) from None
    with os.fdopen(descriptor, "r+", encoding="utf-8", newline="") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise CartctlError(f"Others may read {path}: chmod 600 {path}, or name a new file.", ExitCode.USAGE)
        file.seek(0)
        written = file.read()
        rows = list(csv.reader(io.StringIO(written, newline="")))
        if rows and tuple(rows[0]) != COLUMNS:
            raise CartctlError(f"{path} is not a file of tokens: name a new one.", ExitCode.USAGE)
        writer = csv.writer(file)

        def write(more: Iterator[tuple[str, str]]) -> None:
            writer.writerows(more)
            file.flush()
            os.fsync(descriptor)

        if not rows:
            write(iter([COLUMNS]))
        elif not written.endswith("\n"):  # the machine stopped in the middle of a line
            file.write("\r\n")
        yield {row[0] for row in rows[1:] if len(row) == len(COLUMNS) and key_of(f"Token {row[1]}")}, write
