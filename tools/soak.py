"""Mixed load on a separate local cloud for some minutes: every answer is checked, and no function's memory may grow.

`make soak MINUTES=10` runs it. The load never pauses. Functions start cold all the time: at the beginning, and then for
bursts of requests, each a little larger than the one before, while other instances are warm.
"""

import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from local import cloud, environment
from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.product import Product
from serverless_cart.domain.public_ids import item_id
from tools.support import figures, template
from tools.support.clients import NOTE, TITLE, Customer, Http, Reply, Visitor, unique
from tools.support.database import Database

FUNCTIONS: Final = [name.removesuffix("Function") for name in template.FUNCTIONS.values()]
CLIENTS: Final = 4
BURST: Final = 4
"""The most requests of one burst, which come in addition to those of the clients."""
SAMPLE_SECONDS: Final = 2.0
BURST_EVERY: Final = 10
"""Samples between two bursts."""
GROWTH: Final = 1.05
"""How much more memory a process may use in the last quarter than in the second, by the median."""
REQUESTS_OF_A_CUSTOMER: Final = 150
"""Requests after which a client continues as another customer and another visitor, with new tokens."""

Operation = tuple[str, int, frozenset[int], Callable[[], Reply]]
"""Its name, its weight among the others, the statuses that it may be answered with, and the request."""


@dataclass
class Client:
    """One client of a storefront: a visitor who searches, and a customer who has signed in."""

    database: Database
    stack: Stack
    products: list[Product]
    chance: Random
    http: tuple[Http, Http]

    def operations(self) -> list[Operation]:
        """Return the operations that one customer and one visitor choose from."""
        search, shop = self.http
        name = self.database.token(self.stack.api_key).shop
        owner, token = self.database.new_owner(name)
        key = self.database.issue(Token("api_key", name))
        visitor = Visitor(search, key, self.stack.hashid, unique("session")[:32])
        customer = Customer(shop, token, owner)
        stranger = replace(customer, token=self.database.issue_nothing())
        any_of, number = self.chance.choice, self.chance.randrange

        def product() -> int:
            return any_of(self.products).id

        def item() -> int:
            return item_id(owner, product())

        def repeated() -> Reply:
            body, headers = {"product": product(), "notes": NOTE}, {"Idempotency-Key": secrets.token_hex(8)}
            customer.post(json=body, headers=headers)
            return customer.post(json=body, headers=headers)

        ok, ok_or_gone = frozenset({200}), frozenset({200, 404})
        return [
            ("register an event", 30, ok, lambda: visitor.put(str(number(50)), title=TITLE, price=9.95)),
            ("take from a session", 8, ok, lambda: visitor.patch(str(number(50)))),
            ("empty a session", 1, ok, visitor.delete),
            ("add", 14, ok, lambda: customer.add(product(), quantity=1 + number(3))),
            ("add, and once more", 3, ok, repeated),
            ("read", 16, ok, customer.read),
            ("read an item", 4, ok_or_gone, lambda: customer.read_item(item())),
            ("update", 8, ok_or_gone, lambda: customer.update_item(item(), quantity=1 + number(9), notes=NOTE)),
            ("select", 4, ok, lambda: customer.select(address=number(9))),
            ("remove", 4, ok_or_gone, lambda: customer.remove(item())),
            ("clear", 1, ok, customer.clear),
            ("bad event", 3, frozenset({400}), lambda: visitor.put("", amount=0)),
            ("bad addition", 3, frozenset({400}), lambda: customer.add(product(), quantity=number(10_000, 10**9))),
            ("bad version", 1, frozenset({412}), lambda: customer.select(headers={"If-Match": '"1-0"'}, address=1)),
            ("strange token", 2, frozenset({401}), stranger.read),
            ("wrong token", 2, frozenset({403}), lambda: replace(visitor, token=token).put("1")),
        ]


@dataclass
class Load:
    """The load and its answers."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, client: Client) -> None:
        """Send requests until the load is over."""
        while not self.over.is_set():
            operations = client.operations()
            for _ in range(REQUESTS_OF_A_CUSTOMER):
                if not self.over.is_set():
                    weights = [weight for _, weight, _, _ in operations]
                    self.ask(client.chance.choices(operations, weights)[0])

    def ask(self, operation: Operation) -> None:
        """Send one request."""
        name, _, expected, request = operation
        reply = request()
        self.answers[name, reply.status] += 1
        if reply.status not in expected:
            self.unexpected.append(f"{name}: {reply.status} {reply.body}")


@dataclass(frozen=True)
class Sample:
    """The kilobytes of memory of every process, by function and process; ``at`` is the elapsed share of the time."""

    at: float
    memory: dict[tuple[str, int], int]


def sample(state: Path, at: float) -> Sample:
    """Sample the processes of the cloud whose files are in ``state``."""
    command = ["ps", "-A", "-ww", "-o", "pid=,rss=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own command
    line = re.compile(rf"^ *(\d+) +(\d+) .*{re.escape(str(state))}\S*-(\w+)Function-\S*worker", re.MULTILINE)
    return Sample(at, {(name, int(pid)): int(rss) for pid, rss, name in line.findall(listed)})


@dataclass(frozen=True)
class Process:
    """A function's process that lived from before the second quarter to the end; memory in kilobytes, by the median."""

    function: str
    second_quarter: float
    last_quarter: float

    @property
    def growth(self) -> float:
        """Memory of the last quarter, as a multiple of that of the second."""
        return self.last_quarter / self.second_quarter


def processes(samples: list[Sample]) -> list[Process]:
    """Compare the quarters."""
    first = next(sample for sample in samples if sample.at >= 0.25)

    def median(of: tuple[str, int], begin: float, end: float) -> float:
        return statistics.median(
            sample.memory[of] for sample in samples if begin <= sample.at < end and of in sample.memory
        )

    lived = sorted(first.memory.keys() & samples[-1].memory.keys())
    return [Process(of[0], median(of, 0.25, 0.5), median(of, 0.75, 2)) for of in lived]


def soak(stack: Stack, state: Path, seconds: float) -> tuple[Load, list[Sample]]:
    """Put load on a stack, and sample its functions."""
    client_of_table = environment.session().client(
        "dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT
    )
    database = Database(client_of_table, stack.table_name)
    products = [product for product in stack.products if product.active and product.stock is None]
    load, samples = Load(), []
    with ExitStack() as connections, ThreadPoolExecutor(CLIENTS + BURST) as pool:

        def client(seed: int) -> Client:
            http = tuple(Http(url, innards=stack.table_name) for url in (stack.search_url, stack.shop_url))
            for connection in http:
                connections.callback(connection.close)
            return Client(database, stack, products, Random(seed), (http[0], http[1]))  # noqa: S311 - no keys

        running: list[Future[None]] = [pool.submit(load.run, client(number)) for number in range(CLIENTS)]
        burst = client(CLIENTS)
        start = time.monotonic()
        try:
            while (at := (time.monotonic() - start) / seconds) < 1:
                ended, running_on = wait(running, SAMPLE_SECONDS, FIRST_EXCEPTION)
                for future in ended:
                    future.result()
                running = list(running_on)
                samples.append(sample(state, at))
                if len(samples) % BURST_EVERY == 0:
                    several = burst.chance.choice(burst.operations())
                    running += [pool.submit(load.ask, several) for _ in range(1 + round(at * (BURST - 1)))]
        finally:
            load.over.set()
        for future in running:
            future.result()
    return load, samples


def report(load: Load, samples: list[Sample], seconds: float, console: Console) -> list[str]:
    """Print the results, keep the figures, and return the faults."""
    total = load.answers.total()
    console.print(_table("Answers", ["request", "status", "answers"], (
        (name, str(status), f"{count:,}") for (name, status), count in sorted(load.answers.items())
    )))  # fmt: skip
    lived = processes(samples)
    rows = []
    for function in FUNCTIONS:
        of = [process for process in lived if process.function == function]
        started = {key for sample in samples for key in sample.memory if key[0] == function}
        if of:
            worst = max(of, key=lambda process: process.growth)
            before, after = (f"{kilobytes / 1024:.1f}" for kilobytes in (worst.second_quarter, worst.last_quarter))
            rows.append((function, str(len(started)), str(len(of)), before, after, f"{worst.growth - 1:+.1%}"))
    columns = ["function", "started", "compared", "MiB, second quarter", "MiB, last quarter", "growth"]
    console.print(_table("Memory of the process of each function that grew most", columns, rows))
    server_errors = sum(count for (_, status), count in load.answers.items() if status >= 500)
    figures.record(
        "soak",
        "make soak",
        minutes=f"{seconds / 60:g}",
        requests=total,
        requests_a_second=round(total / seconds),
        server_errors=server_errors,
        unexpected_answers=len(load.unexpected),
        cold_starts=len({key for sample in samples for key in sample.memory}),
        processes_compared=len(lived),
        largest_growth_of_memory=f"{max((process.growth for process in lived), default=1) - 1:+.1%}",
    )
    for line in figures.recorded():
        console.print(line, highlight=False)
    faults = load.unexpected[:20]
    if server_errors:
        faults.append(f"{server_errors} answers were 5xx")
    faults += [f"a process of {it.function} grew by {it.growth - 1:.1%}" for it in lived if it.growth > GROWTH]
    faults += [f"no process of {name} lived long enough" for name in {*FUNCTIONS} - {it.function for it in lived}]
    return faults


def _table(title: str, columns: list[str], rows: Iterable[tuple[str, ...]]) -> Table:
    """Build a table whose first column is text."""
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def main(minutes: Annotated[float, typer.Option(min=1, help="Duration of the load.")] = 10) -> None:
    """Put mixed load on a local cloud. Fail if an answer is not the contract's or memory grows."""
    console, seconds = Console(), minutes * 60
    patient = {"DatabaseTimeoutSeconds": "5"}  # a slow answer of a busy machine is no fault
    with (
        tempfile.TemporaryDirectory() as folder,
        cloud.running(state=Path(folder), parameters=patient, console=console) as stack,
    ):
        console.print(f"Load for {minutes:g} minutes …", highlight=False)
        load, samples = soak(stack, Path(folder), seconds)
    faults = report(load, samples, seconds, console)
    for fault in faults:
        console.print(fault, style="red", highlight=False)
    sys.exit(bool(faults))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
