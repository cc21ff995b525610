"""The lease on a catalogue: two commands that change it at the same time never mix their changes."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from cartctl import app, lease
from cartctl.connection import Deployment, client_config
from cartctl.errors import CartctlError, ExitCode
from cartctl.lease import HOLD_SECONDS, LEASE_SECONDS
from cartctl.shell import Invocation
from serverless_cart.clock import clock
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.catalogue import Catalogue
from serverless_cart.dynamodb.leases import Lease, LeaseStore
from serverless_cart.dynamodb.shops import ShopStore
from tests.support.builders import product
from tests.support.bundle import TABLE, Bundle
from tests.support.operator import Operator

pytestmark = pytest.mark.every_engine

ROWS = 1_500
KILLED = Lease("f" * 32, "anna@one", 1_800_000_000_000)
HELD = "anna@one has been changing the catalogue of shop one since 2027-01-15 08:00 UTC"


class Importer:
    """An operator at another machine, whose calls are recorded in ``writes``, together with those of all others."""

    def __init__(self, price: int, folder: Path, writes: list[int], delay: float) -> None:
        self.deployment = Deployment(boto3.Session(), "serverless-cart", TABLE, "", "")
        self.file = folder / f"{price}.csv"
        rows = (f"{number},R,N,{price},{price}\n" for number in range(ROWS))
        self.file.write_text("id,ref,name,price,stock\n" + "".join(rows))
        self.has_written = threading.Event()
        self.price, self.writes, self.delay = price, writes, delay
        for operation in ("BatchWriteItem", "UpdateItem"):
            self.deployment.session.events.register(f"before-call.dynamodb.{operation}", self._on_write)

    def _on_write(self, params: dict[str, Any], **_: object) -> None:
        if "wanted_by" not in str(params):
            self.writes.append(self.price)
            self.has_written.set()
            if set(self.writes) == {self.price}:
                time.sleep(self.delay)

    def run(self, *options: str) -> int:
        """Import the file; return the exit code. Raises `CartctlError`."""
        words = ["catalogue", "import", "one", str(self.file), *options, "--json"]
        command = app._commands()
        return (
            command.main(words, prog_name="cartctl", standalone_mode=False, obj=Invocation(given=self.deployment)) or 0
        )


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.02)


@pytest.fixture
def _short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HOLD_SECONDS", 0.5)
    monkeypatch.setattr(lease, "LEASE_SECONDS", 2.0)


@pytest.fixture
def store(operator: Operator) -> LeaseStore:
    ShopStore(operator.deployment.table, clock).create(Shop("one"))
    return LeaseStore(operator.deployment.table, "one", clock)


@pytest.fixture
def both(store: LeaseStore, tmp_path: Path) -> list[Importer]:
    """Return two operators with different prices of the same products. The first is slow until the other writes."""
    assert store
    writes: list[int] = []
    return [Importer(1_000, tmp_path, writes, delay=0.2), Importer(2_000, tmp_path, writes, delay=0)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def start(pool: ThreadPoolExecutor, importer: Importer, *options: str) -> "Future[int]":
    """Start an import and wait until it writes."""
    running = pool.submit(importer.run, *options)
    assert importer.has_written.wait(timeout=60)
    return running


def prices(bundle: Bundle) -> set[tuple[str, str]]:
    rows = bundle.rows("PRODUCT#one#")
    assert len(rows) == ROWS, "the products, and no lease"
    return {(row["price"], row["stock"]) for row in rows}


def test_second_import_is_refused(both: list[Importer], pool: ThreadPoolExecutor, bundle: Bundle) -> None:
    first, second = both
    running = start(pool, first)

    with pytest.raises(
        CartctlError, match=r"has been changing the catalogue of shop one since .* UTC: wait until"
    ) as refused:
        second.run()

    assert "pass --force" in str(refused.value)
    assert running.result() == 0
    assert set(first.writes) == {1_000}
    assert prices(bundle) == {("1000", "1000")}


def test_forced_import_never_mixes_with_the_other(
    both: list[Importer], pool: ThreadPoolExecutor, bundle: Bundle
) -> None:
    first, second = both
    running = start(pool, first)

    assert second.run("--force") == 0

    with pytest.raises(CartctlError, match=r"^\S+ stopped this command with --force: \d+ rows are done\. Run the same"):
        running.result()
    assert first.writes == sorted(first.writes), "the first writes nothing after the second began"
    assert set(first.writes) == {1_000, 2_000}
    assert prices(bundle) == {("2000", "2000")}


@pytest.mark.usefixtures("_short_lease")
def test_import_without_renewal_stops_before_the_next_begins(
    both: list[Importer], pool: ThreadPoolExecutor, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = both

    def cut(request: Any, **_: object) -> None:
        if first.has_written.is_set() and b"renewals" in request.body:
            raise ReadTimeoutError(endpoint_url="https://dynamodb.invalid")

    first.deployment.session.events.register("before-send.dynamodb", cut)
    monkeypatch.setattr("cartctl.catalogue_import.THREADS", 1)
    running = start(pool, first)

    assert second.run() == 0

    with pytest.raises(CartctlError, match=r"^The lease on the catalogue could not be renewed for .* rows are done"):
        running.result()
    assert first.writes == sorted(first.writes)
    assert prices(bundle) == {("2000", "2000")}


@pytest.mark.usefixtures("_short_lease")
@pytest.mark.parametrize("command", [("import", "one", "-"), ("import", "one", "-", "--force"), ("set", "one", "7")])
def test_killed_import_blocks_only_for_a_while(
    operator: Operator, store: LeaseStore, bundle: Bundle, command: tuple[str, ...]
) -> None:
    bundle.sell(product(7), shop="one")
    store.take(KILLED)
    started = time.monotonic()
    options = ("--price", "5000") if command[0] == "set" else ()

    result = operator.type("catalogue", *command, *options, stdin="id,price\n7,5000\n")

    assert result.code == 0
    assert 2 <= time.monotonic() - started < 10
    assert result.err.startswith(f"{HELD}: ")
    assert [row.get("price") for row in bundle.rows("PRODUCT#")] == ["5000"], "the lease is released"


def test_lease_outlives_every_write_and_ends_soon() -> None:
    config: Any = client_config(local=False)

    assert HOLD_SECONDS + config.connect_timeout + config.read_timeout < LEASE_SECONDS < 120


@pytest.mark.parametrize("words", [("import", "one", "-"), ("set", "one", "7", "--price", "5000")])
def test_renewed_lease_refuses_every_change(
    operator: Operator, store: LeaseStore, bundle: Bundle, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.sell(product(7), shop="one")
    store.take(KILLED)
    renewed = [KILLED]
    monkeypatch.setattr("time.sleep", lambda _: renewed.append(store.renew(renewed[-1])))

    result = operator.type("catalogue", *words, stdin="id,price\n7,5000\n")

    message = f"Error: {HELD}: wait until that command has ended, or pass --force to catalogue import to stop it."
    assert (result.code, result.err.splitlines()[-1]) == (1, message)
    assert {row.get("price") for row in bundle.rows("PRODUCT#")} == {"1250", None}


def test_dry_run_needs_no_lease(operator: Operator, store: LeaseStore, bundle: Bundle) -> None:
    store.take(KILLED)
    before = bundle.rows()

    assert operator.type("catalogue", "import", "one", "-", "--dry-run", stdin="id,ref,name,price,stock\n").code == 0
    assert bundle.rows() == before


@pytest.mark.parametrize("words", [("import", "one", "-"), ("set", "one", "7", "--price", "5000")])
def test_interrupted_command_releases_the_lease(
    operator: Operator, store: LeaseStore, bundle: Bundle, words: tuple[str, ...]
) -> None:
    bundle.sell(product(7), shop="one")

    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    operator.deployment.dynamodb.meta.events.register("before-call.dynamodb.BatchGetItem", interrupt)

    code, line = operator.fails("catalogue", *words, stdin="id,price\n7,5000\n")

    assert (code, line.split(":")[0]) == (ExitCode.INTERRUPTED, "Interrupted")
    assert line.endswith("un the same command again to continue.")
    store.take(KILLED)


def test_shop_that_is_deleted_meanwhile_gets_no_import(
    operator: Operator, store: LeaseStore, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.take(KILLED)
    shops = ShopStore(operator.deployment.table, clock)

    def delete(_: float) -> None:
        shop_record = shops.find("one")
        if shop_record:
            shops.remove(shops.close(shop_record))

    monkeypatch.setattr("time.sleep", delete)

    result = operator.type("catalogue", "import", "one", "-", stdin="id,ref,name,price,stock\n7,R,N,1,1\n")

    assert (result.code, bundle.rows()) == (3, [])


@pytest.mark.usefixtures("store")
def test_lease_that_cannot_be_released_is_reported(operator: Operator, bundle: Bundle) -> None:
    def fail(**_: object) -> None:
        raise ReadTimeoutError(endpoint_url="https://dynamodb.invalid")

    operator.deployment.dynamodb.meta.events.register("before-send.dynamodb.DeleteItem", fail)

    result = operator.type("catalogue", "import", "one", "-", "--json", stdin="id,ref,name,price,stock\n7,R,N,1,1\n")

    assert (result.code, json.loads(result.out)["new"]) == (0, 1)
    assert "was not released (DynamoDB throttles or does not answer)" in result.err
    assert len(bundle.rows("PRODUCT#one#LEASE")) == 1


@pytest.mark.parametrize("clock_name", ["monotonic", "time"])
def test_machine_that_slept_writes_no_more(store: LeaseStore, clock_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its clocks stands still while it sleeps, or is set back."""
    held = lease.HeldLease(store, KILLED, lease._moment())
    held.check()
    now = getattr(time, clock_name)

    monkeypatch.setattr(f"cartctl.lease.time.{clock_name}", lambda: now() + HOLD_SECONDS)

    with pytest.raises(lease.LeaseLostError, match="could not be renewed"):
        held.check()


WRITES = {
    "put": lambda catalogue: catalogue.put([product(7, stock=9)]),
    "change": lambda catalogue: catalogue.change(product(7), product(7, stock=9)),
    "remove": lambda catalogue: catalogue.remove([7]),
}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("write", WRITES)
def test_write_that_outlives_its_lease_is_not_sent(operator: Operator, bundle: Bundle, write: str) -> None:
    bundle.sell(product(7), shop="one")
    run = Invocation(given=operator.deployment)
    catalogue = Catalogue(operator.deployment.table, "one")

    def write_without_lease(held: lease.HeldLease) -> None:
        with held.writing():
            held._lost = "lost"
            WRITES[write](catalogue)

    with lease.catalogue_lease(run, "one", lambda: None) as held, pytest.raises(lease.LeaseLostError):
        write_without_lease(held)

    catalogue.put([product(8)])  # the lease limits only its own writes
    assert catalogue.find([7, 8]) == {7: product(7), 8: product(8)}


@pytest.mark.usefixtures("store")
def test_lease_is_not_released_before_its_writes_end(operator: Operator, bundle: Bundle) -> None:
    """A second Ctrl-C ends the wait for running writes."""
    run = Invocation(given=operator.deployment)

    with lease.catalogue_lease(run, "one", lambda: None) as held:
        held.writers = 1

    assert len(bundle.rows("PRODUCT#one#LEASE")) == 1
    with pytest.raises(lease.LeaseLostError, match=r"^The command has ended$"):
        held.check()
