"""The import of a catalogue: it compares 100 rows at a time with the table and writes the differences, in parallel.

After an interruption, the same import completes the work: the rows that were written are then unchanged.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cartctl.catalogue_file import BadRow, GoodRow, Row
from cartctl.connection import THREADS
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import Catalogue
from serverless_cart.dynamodb.table import READ_BATCH

RECHECK_SECONDS: Final = 10.0
"""Seconds between two checks that the shop is still open. A deletion waits longer before it removes the products."""

Part = TypeVar("Part")


@dataclass
class Tally:
    """The number of rows by their outcome. Threads may add to it."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    pruned: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def rows(self) -> int:
        """The number of finished rows."""
        return self.new + self.changed + self.unchanged + self.bad

    def add(self, *, new: int = 0, changed: int = 0, unchanged: int = 0, bad: int = 0, pruned: int = 0) -> None:
        """Add to the counts."""
        with self._lock:
            self.new += new
            self.changed += changed
            self.unchanged += unchanged
            self.bad += bad
            self.pruned += pruned


class Import:
    """One import into a shop's catalogue; a ``dry`` one writes nothing. Close it after use.

    Its methods raise `Unavailable`, and whatever interrupts them, when all running calls have finished; ``tally`` has
    the finished rows.
    """

    def __init__(self, catalogue: Catalogue, check_shop: Callable[[], None], *, dry: bool) -> None:
        """``check_shop`` raises if the shop does not exist or is being deleted."""
        self.tally = Tally()
        self._catalogue = catalogue
        self._check_shop = check_shop
        self._dry = dry
        self._checked_at = time.monotonic()
        # A database without a name is a temporary file behind a bounded cache, deleted with its connection.
        self._ids = sqlite3.connect("", isolation_level=None)
        self._ids.executescript("""
            PRAGMA journal_mode = OFF;
            CREATE TABLE seen (id INTEGER PRIMARY KEY, line INTEGER NOT NULL);
            CREATE TABLE missing (id INTEGER PRIMARY KEY);
        """)

    def close(self) -> None:
        """Delete the temporary database."""
        self._ids.close()

    def load(self, rows: Iterable[Row], bad: Callable[[BadRow], None], update: Callable[[], None]) -> None:
        """Write the good rows to the catalogue. Call ``bad`` with each bad row, and ``update`` after each step."""

        def load(products: list[Product]) -> None:
            stored = self._catalogue.find([product.id for product in products])
            differing = [product for product in products if stored.get(product.id) != product]
            if not self._dry:
                self._catalogue.put(differing)
            new = len(products) - len(stored)
            self.tally.add(new=new, changed=len(differing) - new, unchanged=len(products) - len(differing))
            update()

        _in_parallel(load, _chunks(self._products(rows, bad)))

    def find_missing(self) -> int:
        """Return the number of stored products that are in no good row; `prune` deletes them."""
        for page in self._catalogue.ids():
            seen = self._ids.execute(
                f"SELECT id FROM seen WHERE id IN ({','.join(map(str, page))})"  # noqa: S608 - integers
            )
            missing = set(page).difference(id_ for (id_,) in seen)
            self._ids.executemany("INSERT OR IGNORE INTO missing VALUES (?)", ((id_,) for id_ in missing))
        (count,) = self._ids.execute("SELECT count(*) FROM missing").fetchone()
        return int(count)

    def prune(self, update: Callable[[], None]) -> None:
        """Delete the products that `find_missing` found."""

        def remove(ids: list[int]) -> None:
            self._catalogue.remove(ids)
            self.tally.add(pruned=len(ids))
            update()

        _in_parallel(remove, _chunks(id_ for (id_,) in self._ids.execute("SELECT id FROM missing")))

    def _products(self, rows: Iterable[Row], bad: Callable[[BadRow], None]) -> Iterator[Product]:
        for row in rows:
            bad_row = self._duplicate(row) if isinstance(row, GoodRow) else row
            if bad_row:
                self.tally.add(bad=1)
                bad(bad_row)
            elif isinstance(row, GoodRow):
                yield row.product
            if time.monotonic() - self._checked_at >= RECHECK_SECONDS:
                self._check_shop()
                self._checked_at = time.monotonic()

    def _duplicate(self, row: GoodRow) -> BadRow | None:
        """Return a bad row if an earlier good row has the same id."""
        id_ = row.product.id
        if self._ids.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id_, row.line)).rowcount:
            return None
        (line,) = self._ids.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
        return BadRow(row.line, [f"id {id_} is already used in line {line}"])


def _chunks(parts: Iterable[Part]) -> Iterator[list[Part]]:
    chunk: list[Part] = []
    for part in parts:
        chunk.append(part)
        if len(chunk) == READ_BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _in_parallel(work: Callable[[Part], None], parts: Iterable[Part]) -> None:
    """Process parts in `THREADS` threads, and hold no more parts than that.

    The first failure, or an interruption, is raised when all running parts have finished.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        running: set[Future[None]] = set()
        for part in parts:
            if len(running) == THREADS:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
            running.add(pool.submit(work, part))
        for future in running:
            future.result()
