"""``cartctl session``: the cart of a visitor in the search engine's statistics."""

from typing import Annotated, Any

import typer

from cartctl.arguments import checked
from cartctl.output import iso, moment
from cartctl.shell import App, invocation
from serverless_cart.clock import clock
from serverless_cart.domain import validation as rules
from serverless_cart.domain.session import Session, SessionItem
from serverless_cart.dynamodb.sessions import SessionStore

app = App("Show search sessions: the carts of visitors.")


@app.command()
def show(
    context: typer.Context,
    hashid: Annotated[
        str, typer.Argument(parser=checked(rules.parse_search_engine), metavar="HASHID", help="The search engine.")
    ],
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session id that the storefront chose.")],
) -> None:
    """Show the items that a visitor added to the cart.

    cartctl session show 6a96504dc173514cab1e0198af92e6e9 4affa6
    """
    run = invocation(context)
    items = SessionStore(run.deployment.table, clock, run.deployment.limits).items(Session(hashid, session))
    run.out.rows(
        [_describe(item) for item in items],
        ("Index", "Id", "Title", "Amount", "Clicks", "Price", "Added", "Updated", "Expires"),
        (
            (
                item.key.index,
                item.key.id,
                item.title,
                item.amount,
                item.clicks,
                item.price,
                moment(item.added_at),
                moment(item.updated_at),
                moment(item.expires_at * 1000),
            )
            for item in items
        ),
        nothing="The session has no items. Items expire by themselves some time after their last event.",
        long=("Index", "Id", "Title"),
    )


def _describe(item: SessionItem) -> dict[str, Any]:
    return {
        "index": item.key.index,
        "id": item.key.id,
        "title": item.title,
        "amount": item.amount,
        "clicks": item.clicks,
        "price": None if item.price is None else format(item.price, "f"),
        "added_at": iso(item.added_at),
        "updated_at": iso(item.updated_at),
        "expires_at": iso(item.expires_at * 1000),
    }
