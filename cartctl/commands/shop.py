"""``cartctl shop``: opening, changing and closing shops."""

import secrets
import time
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from cartctl.arguments import ShopName, Yes, checked, settings_fit
from cartctl.connection import Deployment
from cartctl.errors import CartctlError, NotFoundError
from cartctl.output import iso, moment
from cartctl.shell import App, Invocation, confirm, invocation
from serverless_cart.clock import clock
from serverless_cart.domain import validation as rules
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.shops import EngineTaken, ShopChanged, ShopExists, ShopRecord, ShopStore

app = App("Shops: their search engines, blocked networks, allowed origins and currency.")

LONGEST_REQUEST: Final = 30
"""Seconds for which a request that was let in may be under way (the gateway's own limit is 29)."""

Engines = Annotated[
    list[str],
    typer.Option(
        "--engine", parser=checked(rules.parse_search_engine), metavar="HASHID", help="Search engine; may repeat."
    ),
]
Blocked = Annotated[
    list[str],
    typer.Option(
        "--block",
        parser=checked(rules.parse_blocked_network),
        metavar="CIDR",
        help="Network whose requests are refused; may repeat.",
    ),
]
Origins = Annotated[
    list[str],
    typer.Option(
        "--origin",
        parser=checked(rules.parse_allowed_origin),
        metavar="ORIGIN",
        help="Origin whose pages may call; any page may while none is named. May repeat.",
    ),
]
Currency = Annotated[
    str, typer.Option(parser=checked(rules.parse_currency), metavar="LABEL", help="Currency of the prices, as in EUR.")
]


def find(run: Invocation, name: str) -> ShopRecord:
    """Return a shop's registration. Raises `NotFoundError`."""
    found = _store(run).find(name)
    if found is None:
        raise NotFoundError(f"There is no shop {name}: cartctl shop list names them.")
    return found


@app.command()
def create(
    context: typer.Context,
    name: ShopName,
    engine: Engines = [],
    block: Blocked = [],
    origin: Origins = [],
    currency: Currency = "",
) -> None:
    """Open a shop. Where no search engine is named it gets one, with a new hashid.

    cartctl shop create my-shop --currency EUR

    cartctl shop create my-shop --origin https://my-shop.example --block 203.0.113.0/24
    """
    run = invocation(context)
    shop = Shop(
        name=name,
        search_engines=frozenset(engine or [secrets.token_hex(16)]),
        blocked_networks=frozenset(block),
        allowed_origins=frozenset(origin),
        currency=currency,
    )
    _check(shop)
    try:
        created = _store(run).create(shop)
    except ShopExists:
        raise CartctlError(f"There is a shop {name} already: cartctl shop set {name} changes it.") from None
    except EngineTaken as taken:
        raise _taken(taken) from None
    _show(run, created)


@app.command()
def show(context: typer.Context, name: ShopName) -> None:
    """Show a shop's settings.

    cartctl shop show my-shop
    """
    run = invocation(context)
    _show(run, find(run, name))


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the shops of the deployment.

    cartctl shop list
    """
    run = invocation(context)
    store = _store(run)
    found = [shop_record for name in store.names() if (shop_record := store.find(name))]
    run.out.rows(
        [_data(it) for it in found],
        ("Shop", "Search engines", "Blocked networks", "Allowed origins", "Currency", "Opened", "State"),
        (
            (
                it.shop.name,
                sorted(it.shop.search_engines),
                len(it.shop.blocked_networks),
                len(it.shop.allowed_origins),
                it.shop.currency,
                moment(it.created_at),
                "open" if it.deletion_requested_at is None else "deleting",
            )
            for it in found
        ),
        nothing="There are no shops: cartctl shop create opens one.",
    )


@app.command("set")
def set_(
    context: typer.Context,
    name: ShopName,
    engine: Engines = [],
    new_engine: Annotated[bool, typer.Option("--new-engine", help="Add a search engine with a new hashid.")] = False,
    remove_engine: Annotated[
        list[str], typer.Option(parser=checked(rules.parse_search_engine), metavar="HASHID", help="May repeat.")
    ] = [],
    block: Blocked = [],
    unblock: Annotated[
        list[str], typer.Option(parser=checked(rules.parse_blocked_network), metavar="CIDR", help="May repeat.")
    ] = [],
    origin: Origins = [],
    remove_origin: Annotated[
        list[str], typer.Option(parser=checked(rules.parse_allowed_origin), metavar="ORIGIN", help="May repeat.")
    ] = [],
    currency: Annotated[
        str | None, typer.Option(parser=checked(rules.parse_currency), metavar="LABEL", help="Empty for none.")
    ] = None,
) -> None:
    """Change a shop's settings; what is not named stays. It takes effect within a minute, the authorizer's cache time.

    cartctl shop set my-shop --block 203.0.113.7

    cartctl shop set my-shop --origin https://www.my-shop.example --remove-origin https://old.example
    """
    run = invocation(context)
    shop_record = find(run, name)
    check_not_deleting(shop_record)
    it = shop_record.shop
    shop = Shop(
        name=name,
        search_engines=_changed(
            "search engine",
            it.search_engines,
            [*engine, *([secrets.token_hex(16)] if new_engine else [])],
            remove_engine,
        ),
        blocked_networks=_changed("blocked network", it.blocked_networks, block, unblock),
        allowed_origins=_changed("origin", it.allowed_origins, origin, remove_origin),
        currency=it.currency if currency is None else currency,
    )
    _check(shop, shop_record.engines)
    try:
        changed = shop_record if shop == it else _store(run).change(shop_record, shop)
    except ShopChanged:
        raise CartctlError(f"Somebody else changed {name} just now: look at it and try again.") from None
    except EngineTaken as taken:
        raise _taken(taken) from None
    _show(run, changed)


@app.command()
def delete(context: typer.Context, name: ShopName, yes: Yes = False) -> None:
    """Delete a shop and all that belongs to it: tokens, products, carts and search sessions.

    First its tokens stop working; after the authorizer's cache time, when no request can be under way any more, the
    rest is removed. Interrupted, it goes on where the same command is given again.

        cartctl shop delete my-shop
    """
    run = invocation(context)
    shop_record = find(run, name)
    confirm(f"Delete the shop {name} with all its tokens, products, carts and sessions? There is no way back.", yes=yes)
    store = _store(run)
    try:
        shop_record = store.close(shop_record)
    except ShopChanged:
        raise CartctlError(f"Somebody else changed {name} just now: look at it and try again.") from None
    removed = {}
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"),
        TimeRemainingColumn(), console=run.out.stderr, transient=True, disable=not run.out.stderr.is_terminal,
    ) as progress:  # fmt: skip
        tokens = ((0, page) for page in store.tokens_of(shop_record))
        removed["tokens"] = _remove(store, progress, "Tokens", tokens) // 2
        _wait(progress, "Waiting for requests under way", shop_record, run.deployment)
        products = ((0, page) for page in store.products_of(shop_record))
        removed["products"] = _remove(store, progress, "Products", products)
        rest = store.carts_and_sessions_of(shop_record)
        removed["carts_and_session_items"] = _remove(
            store, progress, "Carts and search sessions", rest, of=_size_of(run.deployment)
        )
        store.remove(shop_record)
    run.out.fields(
        {"deleted": name, **removed},
        {"Deleted": name, **{kind.replace("_", " ").capitalize(): count for kind, count in removed.items()}},
    )


def _remove(
    store: ShopStore, progress: Progress, what: str, pages: Iterator[tuple[int, list[Key]]], of: int | None = None
) -> int:
    """Remove page after page and return how many items that were; each page says how many were looked at for it."""
    task = progress.add_task(what, total=of, count="")
    removed = 0
    for looked_at, page in pages:
        store.remove_items(page)
        removed += len(page)
        progress.update(task, advance=looked_at, count=f"{removed} removed")
    progress.update(task, total=1, completed=1)
    return removed


def _wait(progress: Progress, what: str, closed: ShopRecord, deployment: Deployment) -> None:
    """Wait until no request that was let in before the shop was closed can be under way any more."""
    assert closed.deletion_requested_at is not None  # noqa: S101 - it was closed
    quiet = deployment.setting("AuthorizerCacheSeconds", 60) + LONGEST_REQUEST
    task = progress.add_task(what, total=quiet, count="")
    while (passed := (clock() - closed.deletion_requested_at) / 1000) < quiet:
        progress.update(task, completed=passed)
        time.sleep(min(0.5, quiet - passed))
    progress.update(task, completed=quiet)


def _size_of(deployment: Deployment) -> int | None:
    """Return about how many items the table holds, as DynamoDB counted them some hours ago, if it did."""
    return deployment.dynamodb.describe_table(TableName=deployment.table_name)["Table"].get("ItemCount") or None


def _changed(what: str, values: frozenset[str], added: list[str], removed: list[str]) -> frozenset[str]:
    """Add to a set and take from it. Raises `NotFoundError` for what is to be taken from it and is not there."""
    if missing := sorted(set(removed) - values):
        raise NotFoundError(f"The shop has no {what} {missing[0]}: cartctl shop show lists them.")
    return (values - frozenset(removed)) | frozenset(added)


def _check(shop: Shop, engines: frozenset[str] = frozenset()) -> None:
    """Check a shop's settings as a whole; ``engines`` were the shop's before. Raises `CartctlError`."""
    if not shop.search_engines:
        raise CartctlError("A shop keeps at least one search engine: add one with --new-engine.")
    settings_fit(shop.search_engines | engines, shop.blocked_networks, shop.allowed_origins)


def check_not_deleting(shop_record: ShopRecord) -> None:
    """Refuse to work on a shop that has been closed. Raises `CartctlError`."""
    if shop_record.deletion_requested_at is not None:
        name = shop_record.shop.name
        raise CartctlError(f"The shop {name} is being deleted: cartctl shop delete {name} finishes that.")


def _taken(taken: EngineTaken) -> CartctlError:
    """Say that a search engine is another shop's."""
    return CartctlError(f"The search engine {taken.hashid} belongs to another shop.")


def _store(run: Invocation) -> ShopStore:
    """Open the shops of a deployment."""
    return ShopStore(run.deployment.table, clock)


def _show(run: Invocation, it: ShopRecord) -> None:
    """Show a shop."""
    run.out.fields(
        _data(it),
        {
            "Shop": it.shop.name,
            "Search engines": sorted(it.shop.search_engines),
            "Blocked networks": sorted(it.shop.blocked_networks),
            "Allowed origins": sorted(it.shop.allowed_origins) or "any",
            "Currency": it.shop.currency,
            "Opened": moment(it.created_at),
            "Changed": moment(it.updated_at),
            "State": "open" if it.deletion_requested_at is None else "being deleted",
        },
    )


def _data(it: ShopRecord) -> dict[str, Any]:
    """Describe a shop for a program."""
    return {
        "name": it.shop.name,
        "search_engines": sorted(it.shop.search_engines),
        "former_engines": sorted(it.former_engines),
        "blocked_networks": sorted(it.shop.blocked_networks),
        "allowed_origins": sorted(it.shop.allowed_origins),
        "currency": it.shop.currency,
        "created_at": iso(it.created_at),
        "updated_at": iso(it.updated_at),
        "deletion_requested_at": iso(it.deletion_requested_at),
    }
