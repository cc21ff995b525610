"""``cartctl key``: the API keys with which a shop's storefronts call the Search API."""

from typing import Annotated, Final

import typer

from cartctl import tokens
from cartctl.arguments import ExpiresIn, Label, ShopName
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import App, invocation
from serverless_cart.auth import Token

app = App("Issue, list and revoke API keys, which open the Search API of a shop.")

ZONES: Final = ("eu1", "us1", "ap1")


def _zone(text: str) -> str:
    if text not in {*ZONES, "none"}:
        raise typer.BadParameter(f"choose from {', '.join(ZONES)} and none")
    return text


@app.command()
def issue(
    context: typer.Context,
    shop: ShopName,
    label: Label = "",
    expires_in: ExpiresIn = "never",  # type: ignore[assignment] # Typer parses defaults like typed values
    zone: Annotated[
        str,
        typer.Option(parser=_zone, metavar="|".join(ZONES), help="Prefix that search clients expect, or none."),
    ] = "eu1",
) -> None:
    """Issue an API key. It is shown only once: the table stores its digest.

    cartctl key issue my-shop --label "search page"

    cartctl key issue my-shop --label "migration" --expires-in 7d --json
    """
    run = invocation(context)
    token = Token("api_key", shop, expires_at=tokens.expiry(expires_in))
    ((bare, record),) = tokens.issue(run, shop, [token], label)
    key = bare if zone == "none" else f"{zone}-{bare}"
    run.out.fields(
        {"key": key, **tokens.describe(record)},
        {"API key": key, "Id": record.id, "Label": label, "Expires": tokens.expires(record)},
    )
    run.out.status("Save the key now: it is not shown again.")


@app.command("list")
def list_(context: typer.Context, shop: ShopName) -> None:
    """List a shop's API keys: ids, labels and last characters, never whole keys.

    cartctl key list my-shop
    """
    run = invocation(context)
    shops.find(run, shop)
    records = tokens.token_registry(run).api_keys(shop)
    tokens.show_list(run, records, f"Shop {shop} has no API keys: run cartctl key issue {shop} to issue one.")


@app.command()
def revoke(
    context: typer.Context,
    shop: ShopName,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Ids that cartctl key list shows.", show_default=False)
    ] = [],
    stdin: tokens.Stdin = False,
) -> None:
    """Revoke API keys. They stop working within a minute, the default cache time of the authorizer.

    cartctl key revoke my-shop 3f1c92ab04de

    cartctl key revoke my-shop --stdin < leaked.txt
    """
    run = invocation(context)
    if bool(ids) == stdin:
        raise CartctlError("Name the ids of the keys, or pass the leaked key with --stdin.", ExitCode.USAGE)
    shops.find(run, shop)
    if stdin:
        records = tokens.from_stdin(run, shop, "api_key")
    else:
        records = tokens.by_ids(tokens.token_registry(run).api_keys(shop), ids)
    tokens.revoke(run, records)
