"""Scale: the request rate at which each kind of key is throttled first, by DynamoDB's published limits.

One partition serves 3,000 read units and 1,000 write units a second. Adaptive capacity soon gives a hot key a
separate partition, and splits a hot item collection by its sort keys; one item is never split. So a key pattern is
throttled first when its hottest item, or its hottest partition before the split, reaches these limits.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rich.table import Table

from bench.event_mix import counted, full_day_row
from bench.growth import cart, product
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.statistics import EngineDay, day_of, hour_of
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.carts import cart_to_item
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.statistics import Chunk, details_item
from tools.support.events import HASHID, NOW, SHOP
from tools.support.item_size import read_units, size_of, write_units
from tools.support.template import TEMPLATE

READS: Final = 3_000
WRITES: Final = 1_000
"""Units a second of one partition."""
CACHE: Final[int] = TEMPLATE["Parameters"]["AuthorizerCacheSeconds"]["Default"]
"""Seconds that the gateway keeps the authorizer's answer for a token."""
PRODUCTS: Final = 10_000
"""Products of the simulated shop. Their popularity follows Zipf's law."""
REQUESTS: Final = 200_000
"""Simulated requests."""
EVENTS: Final = 1_000
"""Events that the roll-up counts at once if there are many."""
CARTS: Final = (1, 5, 20, 100)
"""Items of a cart."""


@dataclass(frozen=True)
class Pattern:
    """A key pattern, with the read and write units of its hottest key per request.

    ``share`` is the share of the requests that use that key.
    """

    name: str
    per: str
    request: str
    reads: int = 0
    writes: int = 0
    share: float = 1.0

    @property
    def throttled_at(self) -> float:
        """The requests per second from which the key is throttled."""
        bounds = [limit / units for limit, units in ((READS, self.reads), (WRITES, self.writes)) if units]
        return min(bounds) / self.share


def measure() -> dict[str, Any]:
    """Return the rate from which each pattern is throttled, lowest first."""
    found = sorted(patterns(), key=lambda pattern: pattern.throttled_at)
    return {
        "patterns": [
            {"name": it.name, "per": it.per, "request": it.request, "throttled_at": round(it.throttled_at)}
            for it in found
        ]
    }


def table(measured: dict[str, Any]) -> Table:
    """Format the result of `measure`."""
    shown = Table(title="Where throttling begins", caption="requests a second to one shop, session or customer")
    for column in ("key", "of one", "request"):
        shown.add_column(column)
    shown.add_column("throttles at", justify="right")
    for it in measured["patterns"]:
        shown.add_row(it["name"], it["per"], it["request"], f"{it['throttled_at']:,}/s")
    return shown


def patterns() -> Iterator[Pattern]:
    """Yield the key patterns of docs/table.md, with the load of their hottest keys."""
    yield Pattern("TOKEN", "token", "any, while the gateway keeps no answers", reads=1)
    yield Pattern(
        "SHOP", "shop", f"any, from a customer who comes back each {CACHE} s", reads=1, share=1 / (CACHE or 1)
    )
    yield Pattern("SHOP", "shop", "any, each with a token that the gateway does not know yet", reads=1)
    yield Pattern("TOKENS", "shop", "a token is issued: its entry in the shop's list", writes=1)
    one_product = read_units(size_of(product_to_item(SHOP, product(1))))
    by_partition, by_product = popularity()
    yield Pattern("PRODUCT", "shop", "cart add, the hottest of 16 partitions", reads=one_product, share=by_partition)
    yield Pattern("PRODUCT", "shop", "cart add, the most popular product", reads=one_product, share=by_product)
    yield Pattern("PRODUCT", "product", "cart add of this one product", reads=one_product)
    yield Pattern("PRODUCT", "product", "checkout of this one product: a transaction", writes=2)
    yield Pattern("SHOPORDERS", "shop", "checkout: the order's entry in the list of the month", writes=2)
    yield Pattern("PRODUCT", "shop", "catalogue import, products evenly", writes=1, share=1 / keys.CATALOGUE_PARTITIONS)
    for items in CARTS:
        size = size_of(cart_to_item(Owner(SHOP, "customer"), cart(range(items)), NOW))
        yield Pattern("CART", "customer", f"cart read, {items} items", reads=read_units(size))
        yield Pattern(
            "CART", "customer", f"cart add, {items} items", reads=read_units(size), writes=write_units(size, size)
        )
    yield Pattern("SESSION", "session", "stats PUT, one item or many", writes=1)
    row, details = size_of(full_day_row()), size_of_details(EVENTS)
    for when, units in {
        "": write_units(row, row),
        ", details in the same partition": write_units(row, row) + write_units(0, details),
    }.items():
        yield Pattern(
            "STATS", "search engine", f"event, counted with 1,000 others{when}", writes=2 * units, share=1 / EVENTS
        )


def size_of_details(events: int) -> int:
    """Return the bytes of the details that this many events of a minute have."""
    ((_, counts),) = counted(events)
    chunk = Chunk("shardId-00000000000000000000-00000000", "0" * 40, "9" * 40)
    return size_of(details_item(EngineDay(HASHID, day_of(hour_of(NOW))), counts.details, chunk))


def popularity() -> tuple[float, float]:
    """Simulate adds of products, and return the shares of the hottest partition and of the hottest product."""
    chance = random.Random(0)  # noqa: S311 - the same requests every time
    weights = [1 / rank for rank in range(1, PRODUCTS + 1)]
    ids = chance.sample(range(1, 10 * PRODUCTS), PRODUCTS)
    asked = Counter(chance.choices(ids, weights, k=REQUESTS))
    partitions: Counter[str] = Counter()
    for id_, times in asked.items():
        partitions[keys.product(SHOP, id_).pk] += times
    return max(partitions.values()) / REQUESTS, max(asked.values()) / REQUESTS
