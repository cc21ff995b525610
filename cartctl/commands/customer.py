"""``cartctl customer``: the tokens with which a shop's signed-in customers open their carts."""

import csv
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import TaskProgressColumn, TextColumn

from cartctl import tokens
from cartctl.arguments import Customer, ExpiresIn, Label, OptionalCustomer, ShopName, Yes, checked
from cartctl.commands import shop as shops
from cartctl.commands.cart import show_cart
from cartctl.connection import THREADS
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.files import open_input
from cartctl.output import iso, moment
from cartctl.progress import progress_bar
from cartctl.shell import App, Invocation, confirm, invocation
from serverless_cart.auth import Token, digest, key_of, new_key
from serverless_cart.clock import clock
from serverless_cart.domain import validation as rules
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.errors import NotAGuest
from serverless_cart.domain.guests import guest_customer
from serverless_cart.dynamodb.erasure import ErasureStore
from serverless_cart.dynamodb.guests import GuestStore
from serverless_cart.dynamodb.merge import DynamoDBMergeStore
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.merge import MergeService

app = App("Issue, list and revoke customer tokens, each of which opens one customer's cart in the Shop API.")

LIFETIME: Final = "90d"
COLUMNS: Final = ("customer", "token")
CHUNK: Final = 64
"""Tokens that are issued between two writes of the output file."""


@app.command()
def issue(
    context: typer.Context,
    shop: ShopName,
    customer: OptionalCustomer = None,
    label: Label = "",
    expires_in: ExpiresIn = LIFETIME,  # type: ignore[assignment] # Typer parses defaults like typed values
    from_file: Annotated[
        str, typer.Option(metavar="FILE", help="Issue a token for each line, a customer id; - reads standard input.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV file for the tokens of --from-file; only you may read it."),
    ] = None,
) -> None:
    """Issue a customer's token. It is shown only once: the table stores its digest.

    A customer has at most 50 active tokens: a further one revokes the oldest.

        cartctl customer issue my-shop customer-1

        cartctl customer issue my-shop --from-file customers.txt --output tokens.csv

    After an interruption, run the second command again with the same files: it skips customers whose token is in the
    output file.
    """
    run = invocation(context)
    expires_at = tokens.expiry(expires_in)
    if from_file:
        if customer or not output:
            raise CartctlError("With --from-file, pass --output and no customer.", ExitCode.USAGE)
        _issue_many(run, Token("customer", shop, expires_at=expires_at), label, from_file, output)
        return
    if not customer or output:
        raise CartctlError("Name one customer, or pass both --from-file and --output.", ExitCode.USAGE)
    token = Token("customer", shop, checked(rules.parse_signed_in_customer)(customer), expires_at)
    key, record = tokens.issue(tokens.token_registry(run).sign_in, token, label)
    run.out.fields(
        {"token": key, **tokens.describe(record)},
        {"Token": key, "Id": record.id, "Customer": customer, "Label": label, "Expires": tokens.expires(record)},
    )
    run.out.status("Save the token now: it is not shown again.")


@app.command("list")
def list_(context: typer.Context, shop: ShopName, customer: OptionalCustomer = None) -> None:
    """List the tokens of a shop's customers, or of one customer: ids and last characters, never whole tokens.

    cartctl customer list my-shop

    cartctl customer list my-shop customer-1
    """
    run = invocation(context)
    shops.find(run, shop)
    records = tokens.token_registry(run).customer_tokens(shop, customer)
    tokens.show_list(run, records, "There are no customer tokens.")


@app.command()
def revoke(
    context: typer.Context,
    shop: ShopName,
    customer: OptionalCustomer = None,
    ids: Annotated[
        list[str], typer.Option("--id", metavar="ID", help="Revoke only this token of the customer; may repeat.")
    ] = [],
    stdin: tokens.Stdin = False,
    yes: Yes = False,
) -> None:
    """Revoke all or some tokens of a customer. They stop working within a minute, the default authorizer's cache time.

    cartctl customer revoke my-shop customer-1

    cartctl customer revoke my-shop customer-1 --id 3f1c92ab04de

    cartctl customer revoke my-shop --stdin < leaked.txt
    """
    run = invocation(context)
    if bool(customer) == stdin or (stdin and ids):
        raise CartctlError("Name the customer, or pass the leaked token with --stdin.", ExitCode.USAGE)
    shops.find(run, shop)
    if stdin:
        records = tokens.from_stdin(run, shop, "customer")
    else:
        listed = tokens.token_registry(run).customer_tokens(shop, customer)
        records = tokens.by_ids(listed, ids) if ids else [record for record in listed if not record.token.revoked]
    if len(records) > 1:
        confirm(f"Revoke all {len(records)} tokens of {customer}?", yes=yes)
    if customer and not ids:
        tokens.show_revoked(run, tokens.token_registry(run).sign_out(shop, customer))
    else:
        tokens.revoke(run, records)


@app.command()
def guest(context: typer.Context, shop: ShopName) -> None:
    """Create a guest, an anonymous customer, as a page does. The token is shown only once, and is valid for 30 days.

    cartctl customer guest my-shop
    """
    run = invocation(context)
    shops.check_not_deleting(shops.find(run, shop))
    key = new_key()
    expires_at = GuestStore(run.deployment.table, clock).create(shop, digest(key))
    customer = guest_customer(digest(key))
    run.out.fields(
        {"token": key, "customer": customer, "expires_at": iso(expires_at * 1000)},
        {"Token": key, "Customer": customer, "Expires": moment(expires_at * 1000)},
    )
    run.out.status("Save the token now: it is not shown again.")


@app.command()
def merge(context: typer.Context, shop: ShopName, customer: Customer) -> None:
    """Move a guest's items into a customer's cart, as at sign-in. Reads the guest's token from standard input.

    cartctl customer merge my-shop customer-1 < guest.txt
    """
    run = invocation(context)
    shop_record = shops.find(run, shop)
    shops.check_not_deleting(shop_record)
    limits = run.deployment.limits
    carts = MergeService(DynamoDBMergeStore(run.deployment.table, clock, limits), clock, limits)
    try:
        merged = carts.merge(Owner(shop, customer), digest(tokens.read_key()), Preconditions())
    except NotAGuest:
        raise NotFoundError(
            f"Shop {shop} has no other customer who is a guest with this token: check the token and the shop."
        ) from None
    show_cart(run, merged.cart, shop_record.shop.currency)


@app.command()
def erase(context: typer.Context, shop: ShopName, customer: Customer, yes: Yes = False) -> None:
    """Erase a customer: the tokens and the cart are deleted, and the orders keep their figures without the person.

    The tokens are revoked first. The rest follows after about 90 seconds, when no authorized request can be running.
    After an interruption, run the same command again to continue.

        cartctl customer erase my-shop customer-1
    """
    run = invocation(context)
    shops.check_not_deleting(shops.find(run, shop))
    confirm(f"Erase customer {customer} of shop {shop}? This cannot be undone.", yes=yes)
    registry = tokens.token_registry(run)
    registry.sign_out(shop, customer)
    revoked = [it.revoked_at for it in registry.customer_tokens(shop, customer) if it.revoked_at is not None]
    store, owner = ErasureStore(run.deployment.table), Owner(shop, customer)
    with progress_bar(run.out, TextColumn("{task.fields[count]}")) as progress:
        shops.wait_for_requests(progress, max(revoked, default=0), run.deployment)
        task = progress.add_task("Orders", total=None, count="")
        orders = 0
        for orders, _ in enumerate(store.erase_orders(owner), start=1):
            progress.update(task, count=f"{orders} erased")
        progress.update(task, total=1, completed=1)
        deleted = store.erase_rest(owner)
    run.out.fields(
        {"erased": customer, "orders": orders, "tokens": deleted},
        {"Erased": customer, "Orders": orders, "Tokens": deleted},
    )


def _issue_many(run: Invocation, template: Token, label: str, names: str, output: Path) -> None:
    """Issue a token like ``template`` for each customer of a file. Raises `CartctlError`."""
    with (
        open_input(names) as file,
        io.TextIOWrapper(file, encoding="utf-8-sig") as lines,
        _open_token_file(output) as (done, write),
    ):
        customers, skipped = _read_customers(lines, done)
        registry = tokens.token_registry(run)

        def issue_one(customer: str) -> tuple[str, str]:
            key, _ = tokens.issue(registry.sign_in, replace(template, customer=customer), label)
            return customer, key

        issued = 0
        with progress_bar(run.out, TaskProgressColumn()) as progress, ThreadPoolExecutor(THREADS) as pool:
            task = progress.add_task("Issuing", total=len(customers))
            for start in range(0, len(customers), CHUNK):
                # Stored first, written second: an interruption in between leaves an unused token, and not a dead one.
                chunk = list(pool.map(issue_one, customers[start : start + CHUNK]))
                write(iter(chunk))
                issued += len(chunk)
                progress.update(task, completed=issued)
    run.out.fields(
        {"issued": issued, "left_out": skipped, "output": str(output)},
        {"Issued": issued, "Skipped": skipped, "Written to": output},
    )


def _read_customers(lines: Iterable[str], done: set[str]) -> tuple[list[str], int]:
    """Read one customer id per line; return those that are not in ``done``, and the number of the others.

    Raises `CartctlError`.
    """
    customers: dict[str, None] = {}
    skipped = 0
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                customer = rules.parse_signed_in_customer(line.strip())
            except ValueError as error:
                raise CartctlError(
                    f"Line {number}: {error}: fix this line. Nothing was issued.", ExitCode.USAGE
                ) from None
            if customer in done:
                skipped += 1
            customers[customer] = None
    except UnicodeDecodeError as error:
        raise CartctlError(
            f"The file of customers is not UTF-8 ({error.reason}): save it as UTF-8. Nothing was issued.",
            ExitCode.USAGE,
        ) from None
    return [customer for customer in customers if customer not in done], skipped


@contextmanager
def _open_token_file(path: Path) -> Iterator[tuple[set[str], Any]]:
    """Open a token file that only its owner may read; yield its customers, and a function that appends tokens.

    Raises `CartctlError` if others may read the file, or if it is not a token file.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise CartctlError(f"Cannot write {path}: {error.strerror}. Name another file.", ExitCode.USAGE) from None
    with os.fdopen(descriptor, "r+", encoding="utf-8", newline="") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise CartctlError(f"Others may read {path}: run chmod 600 {path}, or name a new file.", ExitCode.USAGE)
        file.seek(0)
        content = file.read()
        rows = list(csv.reader(io.StringIO(content, newline="")))
        if rows and tuple(rows[0]) != COLUMNS:
            raise CartctlError(f"{path} is not a token file: name a new file.", ExitCode.USAGE)
        writer = csv.writer(file)

        def write(more: Iterator[tuple[str, str]]) -> None:
            writer.writerows(more)
            file.flush()
            os.fsync(descriptor)

        if not rows:
            write(iter([COLUMNS]))
        elif not content.endswith("\n"):  # the machine stopped in the middle of a line
            file.write("\r\n")
        yield {row[0] for row in rows[1:] if len(row) == len(COLUMNS) and key_of(f"Token {row[1]}")}, write
