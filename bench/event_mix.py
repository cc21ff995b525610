"""A believable minute of a shop's search events, as the table's stream delivers them."""

import random
import uuid
from typing import Any, Final, get_args

from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.domain.statistics import Counts, Figure, day_of, hour_of
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, key_attributes, number, text
from serverless_cart.dynamodb.session_changes import counts_of
from serverless_cart.dynamodb.statistics import day_text
from tools.support.events import HASHID, NOW

SHARES: Final = {"stats init": 0.15, "stats click": 0.65, "stats PUT": 0.15, "stats checkout": 0.05}
"""The share of each operation in the events of a shop."""
PRODUCTS: Final = 2_000
QUERIES: Final = 500
MINUTE: Final = 60_000
"""Milliseconds."""
_USERS: Final = 0.2
"""The share of sessions with a user id."""

Record = dict[str, Any]


def records(count: int, seed: int = 1) -> list[Record]:
    """Return the stream's records for this many events of one search engine within a minute."""
    chance = random.Random(seed)  # noqa: S311 - a simulation, which must repeat
    popular = [1 / rank for rank in range(1, PRODUCTS + 1)]
    kinds = chance.choices(list(SHARES), list(SHARES.values()), k=count)
    made = []
    for place, kind in enumerate(kinds):
        product = chance.choices(range(PRODUCTS), popular)[0]
        session = Session(HASHID, f"{chance.randrange(16**20):032x}")
        at = NOW + place * MINUTE // count
        new, old = _images(kind, session, product, at, chance)
        made.append(_record(place, new, old, at))
    return made


def counted(count: int) -> Counts:
    """Return what these events count."""
    counts = Counts()
    for record in records(count):
        counts.merge(counts_of(record))
    return counts


def full_day_row() -> Item:
    """Return the row of a day in which everything happened in every hour, on both devices."""
    names = (f"{figure}#{device}#{hour:02d}" for figure in get_args(Figure) for device in "dm" for hour in range(24))
    day = keys.day_row(keys.statistics(HASHID), day_text(day_of(hour_of(NOW))))
    return {**key_attributes(day), "expires_at": number(NOW // 1000), **dict.fromkeys(names, number(12_345))}


def _images(kind: str, session: Session, product: int, at: int, chance: random.Random) -> tuple[Item, Item | None]:
    """Return an item of the table after an event, and before it."""
    device = "mobile" if chance.random() < 0.6 else "desktop"
    common: Item = {"at": number(at), "device": text(device), "expires_at": number(at // 1000 + 86_400)}
    user = {"user": text(f"customer-{chance.randrange(10_000)}")} if chance.random() < _USERS else {}
    if kind == "stats init":
        return {**_key(session, "INIT"), **common, **user}, None
    if kind == "stats click":
        position = min(1 + int(chance.expovariate(0.3)), 50)
        query = f"blue mug {min(int(chance.paretovariate(1)), QUERIES)}"
        click = {"index": text("product"), "md5": text(f"{product:032x}"), "query": text(query)}
        event = f"CLICK#{uuid.UUID(int=chance.randrange(2**128))}"
        return {**_key(session, event), **common, **click, **user, "position": number(position)}, None
    key = keys.session_item(session, ItemKey("product", str(product)))
    item: Item = {
        **key_attributes(key),
        "index": text("product"),
        "id": text(str(product)),
        "title": text(f"Stoneware mug with a handle, glazed, colour {product}"),
        "price": {"N": "14.9"},
        "amount": number(1),
        "clicks": number(1),
        "device": text(device),
        "added_at": number(at),
        "updated_at": number(at),
        "expires_at": number(at // 1000 + 86_400),
    }
    if kind == "stats PUT":
        return item, None
    return {**item, "sold_at": number(at), "expires_at": number(at // 1000)}, item


def _key(session: Session, sort_key: str) -> Item:
    return {"pk": text(keys.session(session)), "sk": text(sort_key)}


def _record(place: int, new: Item, old: Item | None, at: int) -> Record:
    change: Record = {
        "Keys": {"pk": new["pk"], "sk": new["sk"]},
        "NewImage": new,
        "SequenceNumber": f"{10**20 + place}",
        "ApproximateCreationDateTime": at // 1000,
    }
    if old:
        change["OldImage"] = old
    return {"eventName": "MODIFY" if old else "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}
