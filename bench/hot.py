"""Hot product: checkouts a second of one product by the number of clients, on DynamoDB Local.

DynamoDB refuses a transaction that meets another one on the same item (`TransactionConflict`). DynamoDB Local lets it
wait instead. So the second half of the cases adds conflicts: a transaction takes at least `LATENCY`, and others of the
product are refused in that time. The last case leaves less time for retries, as if there were more clients.
"""

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from botocore.config import Config
from rich.table import Table as RichTable

from bench.growth import cart, product
from local import dynamodb_local, environment
from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.checkout import CheckoutRequest
from serverless_cart.dynamodb import keys, retries
from serverless_cart.dynamodb.attributes import Item, key_of, read_int
from serverless_cart.dynamodb.carts import cart_to_item
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.checkout import SPREAD, DynamoDBCheckoutStore
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.checkout import CheckoutService
from serverless_cart.service.deadline import CALL_TIME
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.ports import IdempotencyKey
from tools.support.events import SHOP
from tools.support.template import TEMPLATE, create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIMEOUT: Final[int] = TEMPLATE["Globals"]["Function"]["Timeout"]
"""Seconds of a function."""
SECONDS: Final = 10
"""Seconds for which clients begin checkouts, in each case."""
LATENCY: Final = 0.01
"""Seconds that a transaction takes at least in the cases with conflicts: an assumption."""
RETRY_AFTER: Final = 1.0
"""Seconds after which clients repeat a request that was answered with 503; they add as many at random."""
REFUSED: Final[Any] = {
    "Error": {"Code": "TransactionCanceledException"},
    "ResponseMetadata": {"HTTPStatusCode": 400},
    "CancellationReasons": [{"Code": "TransactionConflict"}],
}
"""The answer to a transaction that meets another one."""
STOCK: Final = 10**6
CUSTOMERS: Final = 4_000
"""Carts that are ready for checkout: more than the fastest case takes."""


class Case(NamedTuple):
    """A number of clients; ``time`` is the function's (seconds)."""

    clients: int
    has_conflicts: bool
    time: float = TIMEOUT


CASES: Final = (
    *(Case(clients, has_conflicts) for has_conflicts in (False, True) for clients in (1, 8, 32, 64)),
    Case(64, has_conflicts=True, time=CALL_TIME + 0.5),
)


class HotClient:
    """A client of DynamoDB that counts transactions and, if asked, refuses those that meet another one."""

    def __init__(self, client: "DynamoDBClient", *, has_conflicts: bool) -> None:
        self._client = client
        self._has_conflicts = has_conflicts
        self._product = threading.Lock()
        self.refused = 0
        self.times: list[float] = []

    def __getattr__(self, name: str) -> object:
        """Return what the client itself has."""
        return getattr(self._client, name)

    def transact_write_items(self, TransactItems: Any) -> None:  # noqa: ANN401, N803 - as boto3 has it
        """Send a transaction. Raises ``TransactionCanceledException`` while another one changes the product."""
        if not self._has_conflicts:
            self._send(TransactItems)
            return
        if not self._product.acquire(blocking=False):
            time.sleep(LATENCY / 2)
            self.refused += 1
            raise self._client.exceptions.TransactionCanceledException(REFUSED, "TransactWriteItems")
        try:
            self._send(TransactItems, LATENCY)
        finally:
            self._product.release()

    def _send(self, writes: list[Any], at_least: float = 0.0) -> None:
        start = time.perf_counter()
        self._client.transact_write_items(TransactItems=writes)
        time.sleep(max(0.0, start + at_least - time.perf_counter()))
        self.times.append(time.perf_counter() - start)


@dataclass
class Clients:
    """Clients that check out one prepared cart after another."""

    service: CheckoutService
    case: Case
    customers: Iterator[Owner]
    times: list[float] = field(default_factory=list)
    """Seconds from a checkout's first request to its order."""
    orders: Counter[str] = field(default_factory=Counter)
    """Answers with this order."""
    unavailable: int = 0
    in_time: int = 0

    def run(self, end: float) -> None:
        """Check out until a time; repeat what was answered with 503 until it is an order."""
        while time.perf_counter() < end:
            owner = next(self.customers)
            once = Preconditions(IdempotencyKey(owner.customer, ""))
            start = time.perf_counter()
            while not (order := self._send(owner, once)):
                self.unavailable += 1
                time.sleep(random.uniform(RETRY_AFTER, 2 * RETRY_AFTER))  # noqa: S311 - not a secret
            self.orders[order] += 1
            self.times.append(time.perf_counter() - start)
            self.in_time += time.perf_counter() <= end

    def _send(self, owner: Owner, once: Preconditions) -> str | None:
        ends = time.perf_counter() + self.case.time
        try:
            placed = self.service.check_out(owner, "EUR", CheckoutRequest(), once, lambda: ends - time.perf_counter())
        except Unavailable:
            return None
        return placed.order.key


def measure() -> dict[str, Any]:
    """Return the figures of each case. ``met`` is true if no order was lost, made twice or without stock.

    Raises `LocalCloudError`.
    """
    with dynamodb_local.running() as engine:
        cases = [_measure(engine, f"table-{place}", case) for place, case in enumerate(CASES)]
    return {"cases": cases, "attempts": attempts_in_time(), "met": all(case["differences"] == 0 for case in cases)}


def attempts_in_time() -> int:
    """Return how often a checkout that always meets another one is tried, if each of its 3 calls takes `LATENCY`."""
    left, attempt = TIMEOUT - CALL_TIME, 0
    while left > 0:
        left -= 3 * LATENCY + retries.longest_wait(SPREAD + attempt) / 2
        attempt += 1
    return attempt


def table(measured: dict[str, Any]) -> RichTable:
    """Format the result of `measure`."""
    caption = (
        f"conflicts: transactions of at least {LATENCY * 1000:.0f} ms, refused if they meet another one; "
        f"function time: for one request, {measured['attempts']} attempts fit in {TIMEOUT} s; "
        "orders: those that were answered; differences: orders, stock and carts that are not as they were answered"
    )
    shown = RichTable(title=f"Checkouts of one product, {SECONDS} s for each row", caption=caption)
    for place, name in enumerate(measured["cases"][0]):
        shown.add_column(name.replace("_", " "), justify="right" if place else "left")
    for case in measured["cases"]:
        shown.add_row(*(f"{figure:,}" if isinstance(figure, int) else str(figure) for figure in case.values()))
    return shown


def _measure(engine: str, name: str, case: Case) -> dict[str, Any]:
    settings = environment.CLIENT.merge(Config(max_pool_connections=case.clients))
    client = environment.session().client("dynamodb", endpoint_url=engine, config=settings)
    create_table(client, name)
    hot = HotClient(client, has_conflicts=case.has_conflicts)
    table = Table(name, cast("Any", hot))
    customers = [Owner(SHOP, f"customer-{number}") for number in range(CUSTOMERS)]
    rows = [cart_to_item(it, cart([1]), clock()) for it in customers]
    rows.append(product_to_item(SHOP, product(1)._replace(stock=STOCK)))
    table.write_many({"PutRequest": {"Item": row}} for row in rows)
    clients = Clients(CheckoutService(DynamoDBCheckoutStore(table, clock), clock), case, iter(customers))
    end = time.perf_counter() + SECONDS
    with ThreadPoolExecutor(case.clients) as pool:
        for done in [pool.submit(clients.run, end) for _ in range(case.clients)]:
            done.result()
    return {
        "clients": case.clients,
        "conflicts": "yes" if case.has_conflicts else "no",
        "function_time": f"{case.time:g} s",
        "orders": len(clients.orders),
        "a_second": round(clients.in_time / SECONDS),
        "transaction": f"{statistics.median(hot.times) * 1000:.0f} ms",
        "refused": hot.refused,
        "checkout_p50": f"{statistics.median(clients.times):.2f} s",
        "longest": f"{max(clients.times):.2f} s",
        "answers_503": clients.unavailable,
        "differences": _differences(client, name, clients),
    }


def _differences(client: "DynamoDBClient", name: str, clients: Clients) -> int:
    """Count the orders, pieces and carts that are not as the clients were answered."""
    pages: Any = client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
    rows: dict[keys.Key, Item] = {key_of(item): item for page in pages for item in page["Items"]}
    orders = {keys.listed_order(key.pk) for key in rows if keys.is_order(key)}
    full = sum(key.pk.startswith(keys.carts(SHOP)) and "products" in row for key, row in rows.items())
    sold = STOCK - read_int(rows[keys.product(SHOP, 1)], "stock")
    answers = clients.orders.total()
    return len(orders ^ set(clients.orders)) + abs(answers - sold) + abs(CUSTOMERS - answers - full)
