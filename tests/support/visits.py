"""Visits of search sessions, counted and written to the table as the roll-up does it."""

from decimal import Decimal
from typing import Final

from serverless_cart.domain.session import Device, ItemKey, Session
from serverless_cart.domain.statistics import HOUR, Click, Counts, Event, dfid_md5, hour_of
from serverless_cart.dynamodb.statistics import Chunk, count_writes
from serverless_cart.dynamodb.table import Table
from tools.support.events import HASHID

_PRICE: Final = Decimal("12.5")


def visit(
    counts: Counts, at: int, session: str, *, buys: bool = False, text: str = "mug", device: Device = "desktop"
) -> None:
    """Count a start, a click after a query, a cart with two pieces and, if the visitor ``buys`` them, a checkout.

    ``text`` is the query, and the index, the id and the title of the item; ``at`` is milliseconds since 1970.
    """
    event = Event(Session(HASHID, session), at, device)
    item, value, expires_at = ItemKey(text, text), 2 * _PRICE, at + 24 * HOUR
    counts.init(event)
    counts.click(event, Click(hour_of(at), device, text, dfid_md5(text), text))
    counts.added(event, item, 2)
    counts.title(event, item, text)
    counts.expiring(event, expires_at, 1, value)
    if buys:
        counts.checkout(event)
        counts.sold(event, item, 2, _PRICE)
        counts.expiring(event, expires_at, -1, -value)


def write(table: Table, counts: Counts) -> None:
    """Write the counts as one chunk."""
    table.transact(count_writes(counts, Chunk("shard", "0" * 40, "0" * 40), retention_days=400))
