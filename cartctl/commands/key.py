"""``cartctl key``: the keys with which a shop's pages call the Search API, and its servers the Management API."""

from typing import Annotated, Final

import typer

from cartctl import tokens
from cartctl.arguments import ExpiresIn, Label, ShopName
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import App, invocation
from serverless_cart.auth import Kind, Token

app = App("Issue, list and revoke a shop's API keys, for its pages, and management keys, for its servers.")

ZONES: Final = ("eu1", "us1", "ap1")


KINDS: Final[dict[str, Kind]] = {"api": "api_key", "management": "management"}


def _zone(text: str) -> str:
    if text not in {*ZONES, "none"}:
        raise typer.BadParameter(f"choose from {', '.join(ZONES)} and none")
    return text


def _kind(text: str) -> Kind:
    if text not in KINDS:
        raise typer.BadParameter(f"{text!r} is not a kind of key: choose from {' and '.join(KINDS)}")
    return KINDS[text]


@app.command()
def issue(
    context: typer.Context,
    shop: ShopName,
    kind: Annotated[
        Kind,
        typer.Option(
            parser=_kind,
            metavar="|".join(KINDS),
            help="api opens the Search API and is public; management opens the Management API and is secret.",
        ),
    ] = "api",  # type: ignore[assignment] # Typer parses defaults like typed values
    label: Label = "",
    expires_in: ExpiresIn = "never",  # type: ignore[assignment] # Typer parses defaults like typed values
    zone: Annotated[
        str | None,
        typer.Option(
            parser=_zone,
            metavar="|".join(ZONES),
            help="Prefix that search clients expect, or none. Default: eu1 for an API key.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Issue an API key or a management key. It is shown only once: the table stores its digest.

    A management key is secret. It opens the tokens and carts of all customers: keep it on the shop's servers.

        cartctl key issue my-shop --label "search page"

        cartctl key issue my-shop --kind management --label "sign-in server"

        cartctl key issue my-shop --label "migration" --expires-in 7d --json
    """
    run = invocation(context)
    token = Token(kind, shop, expires_at=tokens.expiry(expires_in))
    bare, record = tokens.issue(tokens.token_registry(run).issue_key, token, label)
    zone = zone or ("eu1" if kind == "api_key" else "none")
    key = bare if zone == "none" else f"{zone}-{bare}"
    name = tokens.NAMES[token.kind]
    run.out.fields(
        {"key": key, **tokens.describe(record)},
        {name[0].upper() + name[1:]: key, "Id": record.id, "Label": label, "Expires": tokens.expires(record)},
    )
    run.out.status("Save the key now: it is not shown again.")


@app.command("list")
def list_(context: typer.Context, shop: ShopName) -> None:
    """List a shop's API keys and management keys: ids, labels and last characters, never whole keys.

    cartctl key list my-shop
    """
    run = invocation(context)
    shops.find(run, shop)
    records = tokens.token_registry(run).keys(shop)
    tokens.show_list(run, records, f"Shop {shop} has no keys: run cartctl key issue {shop} to issue one.")


@app.command()
def revoke(
    context: typer.Context,
    shop: ShopName,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Ids that cartctl key list shows.", show_default=False)
    ] = [],
    stdin: tokens.Stdin = False,
) -> None:
    """Revoke keys. They stop working within a minute, the default cache time of the authorizer.

    cartctl key revoke my-shop 3f1c92ab04de

    cartctl key revoke my-shop --stdin < leaked.txt
    """
    run = invocation(context)
    if bool(ids) == stdin:
        raise CartctlError("Name the ids of the keys, or pass the leaked key with --stdin.", ExitCode.USAGE)
    shops.find(run, shop)
    if stdin:
        records = tokens.from_stdin(run, shop, "api_key", "management")
    else:
        records = tokens.by_ids(tokens.token_registry(run).keys(shop), ids)
    tokens.revoke(run, records)
