"""``cartctl session``: what a visitor put in the cart, as the search engine's statistics have it."""

from typing import Annotated, Any

import typer

from cartctl.arguments import checked
from cartctl.output import iso, moment
from cartctl.shell import App, invocation
from serverless_cart.clock import clock
from serverless_cart.domain import validation as rules
from serverless_cart.domain.session import Session, SessionItem
from serverless_cart.dynamodb.sessions import SessionStore

app = App("Search sessions: the carts of visitors.")


@app.command()
def show(
    context: typer.Context,
    hashid: Annotated[
        str, typer.Argument(parser=checked(rules.parse_search_engine), metavar="HASHID", help="The search engine.")
    ],
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id, as the storefront chose it.")],
) -> None:
    """Show what a visitor put in the cart.

    cartctl session show 6a96504dc173514cab1e0198af92e6e9 4affa6
    """
    run = invocation(context)
    items = SessionStore(run.deployment.table, clock, run.deployment.limits).items(Session(hashid, session))
    run.out.rows(
        [_data(it) for it in items],
        ("Index", "Id", "Title", "Amount", "Clicks", "Price", "First", "Last", "Until"),
        (
            (
                it.key.index,
                it.key.id,
                it.title,
                it.amount,
                it.clicks,
                it.price,
                moment(it.added_at),
                moment(it.updated_at),
                moment(it.expires_at * 1000),
            )
            for it in items
        ),
        nothing="The session has nothing in its cart: its items go by themselves, a day after their last event.",
    )


def _data(it: SessionItem) -> dict[str, Any]:
    """Describe an item for a program."""
    return {
        "index": it.key.index,
        "id": it.key.id,
        "title": it.title,
        "amount": it.amount,
        "clicks": it.clicks,
        "price": None if it.price is None else format(it.price, "f"),
        "added_at": iso(it.added_at),
        "updated_at": iso(it.updated_at),
        "expires_at": iso(it.expires_at * 1000),
    }
