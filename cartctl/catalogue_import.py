"""Importing a catalogue: rows are compared with the table by the hundred, and what differs is written, in parallel.

Whatever interrupts it, the same import again completes it: what has been written is found unchanged.
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

LOOKED_AFTER: Final = 10.0
"""Seconds after which it is looked again whether the shop is open: deleting one waits longer with the products."""

Part = TypeVar("Part")


@dataclass
class Tally:
    """What has become of the rows so far. Threads add to it."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    pruned: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def rows(self) -> int:
        """Rows that are done with."""
        return self.new + self.changed + self.unchanged + self.bad

    def add(self, *, new: int = 0, changed: int = 0, unchanged: int = 0, bad: int = 0, pruned: int = 0) -> None:
        """Count what has been done."""
        with self._lock:
            self.new += new
            self.changed += changed
            self.unchanged += unchanged
            self.bad += bad
            self.pruned += pruned


class Import:
    """One import into a shop's catalogue; a dry one writes nothing. To be closed.

    Its methods raise `Unavailable`, and whatever interrupts them when what was under way has finished; ``tally`` tells
    how far they came.
    """

    def __init__(self, catalogue: Catalogue, look: Callable[[], None], *, dry: bool) -> None:
        """``look`` raises where the shop takes no products any more."""
        self.tally = Tally()
        self._catalogue = catalogue
        self._look = look
        self._dry = dry
        self._looked_at = time.monotonic()
        # A database without a name lies on the disk, beyond a bounded cache, and goes with its connection.
        self._ids = sqlite3.connect("", isolation_level=None)
        self._ids.executescript("""
            PRAGMA journal_mode = OFF;
            CREATE TABLE seen (id INTEGER PRIMARY KEY, line INTEGER NOT NULL);
            CREATE TABLE gone (id INTEGER PRIMARY KEY);
        """)

    def close(self) -> None:
        """Forget the ids."""
        self._ids.close()

    def load(self, rows: Iterable[Row], bad: Callable[[BadRow], None], done: Callable[[], None]) -> None:
        """Bring the catalogue to what the good rows say. ``bad`` is told of each other one, ``done`` of every step."""

        def load(chunk: list[Product]) -> None:
            there = self._catalogue.find([product.id for product in chunk])
            differing = [product for product in chunk if there.get(product.id) != product]
            if not self._dry:
                self._catalogue.put(differing)
            new = len(chunk) - len(there)
            self.tally.add(new=new, changed=len(differing) - new, unchanged=len(chunk) - len(differing))
            done()

        _in_parallel(load, _chunks(self._good(rows, bad)))

    def gone(self) -> int:
        """Count the products of the catalogue that no good row named."""
        for page in self._catalogue.ids():
            named = self._ids.execute(
                f"SELECT id FROM seen WHERE id IN ({','.join(map(str, page))})"  # noqa: S608 - integers
            )
            gone = set(page).difference(id_ for (id_,) in named)
            self._ids.executemany("INSERT OR IGNORE INTO gone VALUES (?)", ((id_,) for id_ in gone))
        (count,) = self._ids.execute("SELECT count(*) FROM gone").fetchone()
        return int(count)

    def prune(self, done: Callable[[], None]) -> None:
        """Remove the products that `gone` counted."""

        def remove(chunk: list[int]) -> None:
            self._catalogue.remove(chunk)
            self.tally.add(pruned=len(chunk))
            done()

        _in_parallel(remove, _chunks(id_ for (id_,) in self._ids.execute("SELECT id FROM gone")))

    def _good(self, rows: Iterable[Row], bad: Callable[[BadRow], None]) -> Iterator[Product]:
        """Pass on the products of good rows, each id once."""
        for row in rows:
            refused = self._claimed(row) if isinstance(row, GoodRow) else row
            if refused:
                self.tally.add(bad=1)
                bad(refused)
            elif isinstance(row, GoodRow):
                yield row.product
            if time.monotonic() - self._looked_at >= LOOKED_AFTER:
                self._look()
                self._looked_at = time.monotonic()

    def _claimed(self, row: GoodRow) -> BadRow | None:
        """Refuse a row whose id an earlier good row has taken."""
        id_ = row.product.id
        if self._ids.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id_, row.line)).rowcount:
            return None
        (line,) = self._ids.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
        return BadRow(row.line, [f"id {id_} is that of line {line} too, which stands"])


def _chunks(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Gather parts by as many as one read takes."""
    chunk: list[Part] = []
    for part in parts:
        chunk.append(part)
        if len(chunk) == READ_BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _in_parallel(work: Callable[[Part], None], parts: Iterable[Part]) -> None:
    """Work on parts in `THREADS` threads, no more parts than that being held.

    The first failure, or an interruption, ends it, when all that was under way has finished.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        under_way: set[Future[None]] = set()
        for part in parts:
            if len(under_way) == THREADS:
                finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for it in finished:
                    it.result()
            under_way.add(pool.submit(work, part))
        for it in under_way:
            it.result()
