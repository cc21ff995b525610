"""``cartctl key``: the API keys by which a shop's storefronts reach the Search API."""

from typing import Annotated, Final

import typer

from cartctl import tokens
from cartctl.arguments import Label, ShopName, duration
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import App, invocation
from serverless_cart.auth import Token

app = App("API keys: they open the Search API of a shop.")

ZONES: Final = ("eu1", "us1", "ap1")


def _zone(text: str) -> str:
    """Read a zone (contract: Keys and tokens)."""
    if text not in {*ZONES, "none"}:
        raise typer.BadParameter(f"choose from {', '.join(ZONES)} and none")
    return text


@app.command()
def issue(
    context: typer.Context,
    shop: ShopName,
    label: Label = "",
    expires_in: Annotated[
        int,
        typer.Option(parser=duration, metavar="DURATION", help="As in 90d, 12h, 30m; or never."),
    ] = "never",  # type: ignore[assignment] # Typer reads defaults as it reads what is typed
    zone: Annotated[
        str,
        typer.Option(
            parser=_zone, metavar="|".join(ZONES), help="Written in front, as search clients expect; or none."
        ),
    ] = "eu1",
) -> None:
    """Issue an API key. It is shown this once: only its digest is stored.

    cartctl key issue my-shop --label "search page"

    cartctl key issue my-shop --label "migration" --expires-in 7d --json
    """
    run = invocation(context)
    token = Token("api_key", shop, expires_at=tokens.expiry(expires_in))
    ((bare, listed),) = tokens.issue(run, shop, [token], label)
    key = bare if zone == "none" else f"{zone}-{bare}"
    run.out.fields(
        {"key": key, **tokens.describe(listed)},
        {"API key": key, "Id": listed.id, "Label": label, "Expires": tokens.expires(listed)},
    )
    run.out.status("Keep the key now: it is shown this once.")


@app.command("list")
def list_(context: typer.Context, shop: ShopName) -> None:
    """List a shop's API keys: enough to recognise one, never enough to use it.

    cartctl key list my-shop
    """
    run = invocation(context)
    shops.find(run, shop)
    listed = tokens.token_registry(run).api_keys(shop)
    tokens.show_list(run, listed, f"{shop} has no API keys: cartctl key issue {shop} issues one.")


@app.command()
def revoke(
    context: typer.Context,
    shop: ShopName,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Ids as the list shows them.", show_default=False)
    ] = [],
    stdin: tokens.Stdin = False,
) -> None:
    """Revoke API keys. They stop working within a minute, the authorizer's cache time.

    cartctl key revoke my-shop 3f1c92ab04de

    cartctl key revoke my-shop --stdin < leaked.txt
    """
    run = invocation(context)
    if bool(ids) == stdin:
        raise CartctlError("Name the keys by their ids, or give the one that leaked with --stdin.", ExitCode.USAGE)
    shops.find(run, shop)
    if stdin:
        chosen = tokens.from_stdin(run, shop, "api_key")
    else:
        chosen = tokens.by_ids(tokens.token_registry(run).api_keys(shop), ids)
    tokens.revoke(run, chosen)
