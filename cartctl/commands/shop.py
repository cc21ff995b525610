"""``cartctl shop``: creating, changing and deleting shops."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final

import typer
from rich.progress import Progress, TextColumn

from cartctl import money
from cartctl.arguments import ShopName, Yes, check_settings, checked
from cartctl.connection import Deployment
from cartctl.errors import CartctlError, NotFoundError
from cartctl.output import iso, moment
from cartctl.progress import progress_bar
from cartctl.shell import App, Invocation, confirm, invocation
from serverless_cart.clock import clock
from serverless_cart.domain import validation as rules
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.keys import CATALOGUE_PARTITIONS, HOLD_PARTITIONS, Key, is_discount, is_token
from serverless_cart.dynamodb.shops import EngineTaken, ShopChanged, ShopExists, ShopRecord, ShopStore

app = App("Create, change and delete shops: search engines, blocked networks, allowed origins, currency.")

LONGEST_REQUEST: Final = 30
"""Seconds that an authorized request may take (the gateway's own limit is 29)."""

Engines = Annotated[
    list[str],
    typer.Option(
        "--engine",
        parser=checked(rules.parse_search_engine),
        metavar="HASHID",
        help="Hashid of a search engine of the shop; may repeat.",
    ),
]
Blocked = Annotated[
    list[str],
    typer.Option(
        "--block",
        parser=checked(rules.parse_blocked_network),
        metavar="CIDR",
        help="Network or address to block, such as 203.0.113.0/24; may repeat.",
    ),
]
Origins = Annotated[
    list[str],
    typer.Option(
        "--origin",
        parser=checked(rules.parse_allowed_origin),
        metavar="ORIGIN",
        help="Origin whose pages may call the APIs; may repeat. Default: all origins.",
    ),
]
Currency = Annotated[
    str,
    typer.Option(
        parser=checked(money.parse_currency), metavar="CODE", help="ISO 4217 code of the prices' currency, such as EUR."
    ),
]


def find(run: Invocation, name: str) -> ShopRecord:
    """Return a shop's record. Raises `NotFoundError`."""
    shop_record = _store(run).find(name)
    if shop_record is None:
        raise NotFoundError(f"Shop {name} does not exist: run cartctl shop list to see the shops.")
    return shop_record


@app.command()
def create(
    context: typer.Context,
    name: ShopName,
    engine: Engines = [],
    block: Blocked = [],
    origin: Origins = [],
    currency: Currency = "",
) -> None:
    """Create a shop. Without --engine it gets one search engine with a new hashid.

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
        raise CartctlError(f"Shop {name} already exists: run cartctl shop set {name} to change it.") from None
    except EngineTaken as error:
        raise _engine_taken(error) from None
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
    shop_records = [shop_record for name in store.names() if (shop_record := store.find(name))]
    run.out.rows(
        [_describe(shop_record) for shop_record in shop_records],
        ("Shop", "Search engines", "Blocked networks", "Allowed origins", "Currency", "Created", "State"),
        (
            (
                shop_record.shop.name,
                sorted(shop_record.shop.search_engines),
                len(shop_record.shop.blocked_networks),
                len(shop_record.shop.allowed_origins),
                shop_record.shop.currency,
                moment(shop_record.created_at),
                _state(shop_record),
            )
            for shop_record in shop_records
        ),
        nothing="There are no shops: run cartctl shop create to create one.",
    )


@app.command("set")
def set_(
    context: typer.Context,
    name: ShopName,
    engine: Engines = [],
    new_engine: Annotated[bool, typer.Option("--new-engine", help="Add a search engine with a new hashid.")] = False,
    remove_engine: Annotated[
        list[str],
        typer.Option(
            parser=checked(rules.parse_search_engine), metavar="HASHID", help="Search engine to remove; may repeat."
        ),
    ] = [],
    block: Blocked = [],
    unblock: Annotated[
        list[str],
        typer.Option(
            parser=checked(rules.parse_blocked_network), metavar="CIDR", help="Network to unblock; may repeat."
        ),
    ] = [],
    origin: Origins = [],
    remove_origin: Annotated[
        list[str],
        typer.Option(
            parser=checked(rules.parse_allowed_origin), metavar="ORIGIN", help="Origin to remove; may repeat."
        ),
    ] = [],
    currency: Annotated[
        str | None,
        typer.Option(
            parser=checked(money.parse_currency), metavar="CODE", help="New currency, such as EUR; empty for none."
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Add, remove or change settings of a shop; all others stay. A change takes effect within a minute.

    A new currency does not convert prices, so it needs a confirmation if the shop has products.

    cartctl shop set my-shop --block 203.0.113.7

    cartctl shop set my-shop --origin https://www.my-shop.example --remove-origin https://old.example
    """
    run = invocation(context)
    shop_record = find(run, name)
    check_not_deleting(shop_record)
    before = shop_record.shop
    new_engines = [*engine, *([secrets.token_hex(16)] if new_engine else [])]
    shop = Shop(
        name=name,
        search_engines=_changed(name, "search engine", before.search_engines, new_engines, remove_engine),
        blocked_networks=_changed(name, "blocked network", before.blocked_networks, block, unblock),
        allowed_origins=_changed(name, "origin", before.allowed_origins, origin, remove_origin),
        currency=before.currency if currency is None else currency,
    )
    _check(shop, shop_record.engines)
    if shop.currency != before.currency and any(page for _, page in _store(run).products_of(shop_record)):
        confirm(_currency_question(name, before.currency, shop.currency), yes=yes)
    try:
        changed = shop_record if shop == before else _store(run).change(shop_record, shop)
    except ShopChanged:
        raise _shop_changed(name) from None
    except EngineTaken as error:
        raise _engine_taken(error) from None
    _show(run, changed)


@app.command()
def delete(context: typer.Context, name: ShopName, yes: Yes = False) -> None:
    """Delete a shop with its tokens, products, discount codes, carts, orders, search sessions and statistics.

    The tokens are deleted first. The rest follows after about 90 seconds, when no authorized request can be running.
    After an interruption, run the same command again to continue.

        cartctl shop delete my-shop
    """
    run = invocation(context)
    shop_record = find(run, name)
    confirm(
        f"Delete shop {name} with all that it has, from tokens to statistics? This cannot be undone.",
        yes=yes,
    )
    store = _store(run)
    try:
        shop_record = store.close(shop_record)
    except ShopChanged:
        raise _shop_changed(name) from None
    removed = {}
    with progress_bar(run.out, TextColumn("{task.fields[count]}")) as progress:
        tokens = ((0, page) for page in store.tokens_of(shop_record))
        removed["tokens"] = _remove(store, progress, "Tokens", tokens, counts=is_token)
        assert shop_record.deletion_requested_at is not None  # noqa: S101 - the shop has been closed
        wait_for_requests(progress, shop_record.deletion_requested_at, run.deployment)
        products = store.products_of(shop_record)
        removed["products"] = _remove(store, progress, "Products", products, total=CATALOGUE_PARTITIONS)
        codes = ((0, page) for page in store.discounts_of(shop_record))
        removed["discount_codes"] = _remove(store, progress, "Discount codes", codes, counts=is_discount)
        _remove(store, progress, "Holds", store.holds_of(shop_record), total=HOLD_PARTITIONS)
        rest = store.carts_orders_and_sessions_of(shop_record)
        removed["carts_orders_and_session_items"] = _remove(
            store, progress, "Carts, orders and search sessions", rest, total=_table_size(run.deployment)
        )
        statistics = store.statistics_of(shop_record)
        partitions = len(shop_record.engines) + 1
        removed["statistics"] = _remove(store, progress, "Statistics", statistics, total=partitions)
        store.remove(shop_record)
    run.out.fields(
        {"deleted": name, **removed},
        {"Deleted": name, **{kind.replace("_", " ").capitalize(): count for kind, count in removed.items()}},
    )


def _remove(
    store: ShopStore,
    progress: Progress,
    description: str,
    pages: Iterator[tuple[int, list[Key]]],
    total: int | None = None,
    counts: Callable[[Key], bool] = lambda _key: True,
) -> int:
    """Delete the items of each page and return the number of those that count.

    A page comes with its share of ``total``, the progress that it makes.
    """
    task = progress.add_task(description, total=total, count="")
    removed = 0
    for share, page in pages:
        store.remove_items(page)
        removed += sum(map(counts, page))
        progress.update(task, advance=share, count=f"{removed} deleted")
    progress.update(task, total=1, completed=1)
    return removed


def wait_for_requests(progress: Progress, since: int, deployment: Deployment) -> None:
    """Wait until every request has ended that was authorized before a moment (milliseconds since 1970)."""
    seconds = deployment.setting("AuthorizerCacheSeconds", 60) + LONGEST_REQUEST
    task = progress.add_task("Waiting for running requests", total=seconds, count="")
    while (passed := (clock() - since) / 1000) < seconds:
        progress.update(task, completed=passed)
        time.sleep(min(0.5, seconds - passed))
    progress.update(task, completed=seconds)


def _table_size(deployment: Deployment) -> int | None:
    """Return the table's item count, which DynamoDB updates every few hours, if it is known."""
    return deployment.dynamodb.describe_table(TableName=deployment.table_name)["Table"].get("ItemCount") or None


def _changed(name: str, setting: str, values: frozenset[str], added: list[str], removed: list[str]) -> frozenset[str]:
    """Return a setting's values after a change. Raises `NotFoundError` for a value to remove that is not there."""
    if missing := sorted(set(removed) - values):
        raise NotFoundError(f"Shop {name} has no {setting} {missing[0]}: run cartctl shop show {name} to see them.")
    return (values - frozenset(removed)) | frozenset(added)


def _currency_question(name: str, old: str, new: str) -> str:
    was, becomes = (f"{money.decimal(1290, code) or 1290} {code or 'without a currency'}" for code in (old, new))
    return (
        f"Shop {name} has products. Its prices and carts keep their numbers: 1290, which was {was}, becomes {becomes}. "
        f"Change the currency?"
    )


def _check(shop: Shop, engines: frozenset[str] = frozenset()) -> None:
    """Check the settings of a shop that also keeps its former ``engines``. Raises `CartctlError`."""
    if not shop.search_engines:
        raise CartctlError("A shop needs at least one search engine: add one with --new-engine.")
    check_settings(shop.search_engines | engines, shop.blocked_networks, shop.allowed_origins)


def check_not_deleting(shop_record: ShopRecord) -> None:
    """Raise `CartctlError` if the deletion of a shop has begun."""
    if shop_record.deletion_requested_at is not None:
        name = shop_record.shop.name
        raise CartctlError(f"Shop {name} is being deleted: run cartctl shop delete {name} to finish.")


def _shop_changed(name: str) -> CartctlError:
    return CartctlError(f"Someone else has just changed shop {name}: run cartctl shop show {name} and try again.")


def _engine_taken(error: EngineTaken) -> CartctlError:
    return CartctlError(f"Search engine {error.hashid} belongs to another shop: name another one.")


def _store(run: Invocation) -> ShopStore:
    return ShopStore(run.deployment.table, clock)


def _state(shop_record: ShopRecord) -> str:
    return "open" if shop_record.deletion_requested_at is None else "being deleted"


def _show(run: Invocation, shop_record: ShopRecord) -> None:
    shop = shop_record.shop
    run.out.fields(
        _describe(shop_record),
        {
            "Shop": shop.name,
            "Search engines": sorted(shop.search_engines),
            "Blocked networks": sorted(shop.blocked_networks),
            "Allowed origins": sorted(shop.allowed_origins) or "any",
            "Currency": shop.currency,
            "Created": moment(shop_record.created_at),
            "Updated": moment(shop_record.updated_at),
            "State": _state(shop_record),
        },
    )


def _describe(shop_record: ShopRecord) -> dict[str, Any]:
    shop = shop_record.shop
    return {
        "name": shop.name,
        "search_engines": sorted(shop.search_engines),
        "former_engines": sorted(shop_record.former_engines),
        "blocked_networks": sorted(shop.blocked_networks),
        "allowed_origins": sorted(shop.allowed_origins),
        "currency": shop.currency,
        "created_at": iso(shop_record.created_at),
        "updated_at": iso(shop_record.updated_at),
        "deletion_requested_at": iso(shop_record.deletion_requested_at),
    }
