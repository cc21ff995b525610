"""The import of a catalogue: it compares 100 rows at a time with the table and writes the differences, in parallel.

A row changes the columns that it gives; all others stay as they are. After an interruption, the same import completes
the work: the rows that were written are then unchanged.
"""

import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from cartctl.chunks import Part, chunks
from cartctl.connection import THREADS
from cartctl.row_values import BadRow, GoodRow, Row
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import Catalogue, ProductGone
from serverless_cart.dynamodb.table import READ_BATCH

RECHECK_SECONDS: Final = 10.0
"""Seconds between two checks that the shop is still open. A deletion waits longer before it removes the products."""
DEFAULTS: Final[Mapping[str, Any]] = {"image": None, "discount": 0, "active": True}
"""The values of a new product that its row does not give. The others are required. Without a stock, for example, it
would sell without limit."""
REQUIRED: Final = tuple(name for name in Product._fields if name not in DEFAULTS)


@dataclass(frozen=True, slots=True)
class Change:
    """A product before and after a change; ``before`` is None for a new product."""

    before: Product | None
    after: Product

    @property
    def columns(self) -> dict[str, tuple[Any, Any]]:
        """The old and the new value of each column that differs; empty for a new product."""
        if self.before is None:
            return {}
        pairs = zip(Product._fields, self.before, self.after, strict=True)
        return {name: (old, new) for name, old, new in pairs if old != new}


@dataclass
class Tally:
    """The number of rows by their outcome, and of changes by their column. Threads may add to it."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    pruned: int = 0
    changed_columns: Counter[str] = field(default_factory=Counter)
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

    def add_outcomes(self, outcomes: Iterable[BadRow | Change]) -> None:
        """Count what became of some rows."""
        with self._lock:
            for outcome in outcomes:
                if isinstance(outcome, BadRow):
                    self.bad += 1
                elif outcome.before is None:
                    self.new += 1
                elif columns := outcome.columns:
                    self.changed += 1
                    self.changed_columns.update(columns.keys())
                else:
                    self.unchanged += 1


class Import:
    """One import into a shop's catalogue. Close it after use.

    Its methods raise `Unavailable`, and whatever interrupts them, when all running calls have finished; ``tally`` has
    the finished rows.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        tally: Tally,
        check_shop: Callable[[], None],
        writing: Callable[[], AbstractContextManager[None]] | None,
    ) -> None:
        """Rows are counted in ``tally``. ``check_shop`` raises if the shop does not exist or is being deleted.

        All writes happen in the context of ``writing``, which raises if they are not allowed any more. Without it,
        nothing is written.
        """
        self.tally = tally
        self._catalogue = catalogue
        self._check_shop = check_shop
        self._writing = writing
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

    def load(self, rows: Iterable[Row], report: Callable[[BadRow | Change], None], update: Callable[[], None]) -> None:
        """Write the good rows to the catalogue.

        Call ``report`` with each bad row and each new or changed product, in the order of the rows, and ``update``
        after each step.
        """
        reports = _InOrder(report)

        def load(part: tuple[int, list[Row]]) -> None:
            number, chunk = part
            stored = self._catalogue.find({row.values["id"] for row in chunk if isinstance(row, GoodRow)})
            outcomes = [row if isinstance(row, BadRow) else _merged(row, stored) for row in chunk]
            if self._writing:
                with self._writing():
                    outcomes = self._write(chunk, outcomes)
            self.tally.add_outcomes(outcomes)
            reports.add(number, [it for it in outcomes if isinstance(it, BadRow) or it.before != it.after])
            update()

        _in_parallel(load, enumerate(chunks(self._checked(rows), READ_BATCH)))

    def find_missing(self, update: Callable[[int], None]) -> tuple[int, int]:
        """Find the stored products that are in no row; `prune` deletes them.

        Return their number, and the number of products that were stored before the import. Call ``update`` with the
        number of the catalogue's partitions that are done.
        """
        listed = 0
        for partition, page in self._catalogue.ids():
            seen = self._ids.execute(
                f"SELECT id FROM seen WHERE id IN ({','.join(map(str, page))})"  # noqa: S608 - integers
            )
            missing = set(page).difference(id_ for (id_,) in seen)
            self._ids.executemany("INSERT OR IGNORE INTO missing VALUES (?)", ((id_,) for id_ in missing))
            listed += len(page)
            update(partition)
        (count,) = self._ids.execute("SELECT count(*) FROM missing").fetchone()
        return int(count), listed - (self.tally.new if self._writing else 0)

    def missing(self, most: int) -> list[int]:
        """Return the first ids that `find_missing` found, at most ``most``."""
        return [id_ for (id_,) in self._ids.execute("SELECT id FROM missing ORDER BY id LIMIT ?", (most,))]

    def prune(self, update: Callable[[], None]) -> None:
        """Delete the products that `find_missing` found."""
        assert self._writing  # noqa: S101 - an import that writes nothing prunes nothing
        writing = self._writing

        def remove(ids: list[int]) -> None:
            with writing():
                self._catalogue.remove(ids)
            self.tally.add(pruned=len(ids))
            update()

        _in_parallel(remove, chunks((id_ for (id_,) in self._ids.execute("SELECT id FROM missing")), READ_BATCH))

    def _checked(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield (self._duplicate(row) or row) if isinstance(row, GoodRow) else row
            if time.monotonic() - self._checked_at >= RECHECK_SECONDS:
                self._check_shop()
                self._checked_at = time.monotonic()

    def _duplicate(self, row: GoodRow) -> BadRow | None:
        """Return a bad row if an earlier row has the same id."""
        id_ = row.values["id"]
        if not 0 <= id_ <= limits.MAX_SAFE_INTEGER:
            return None  # the rules of a product refuse it
        if self._ids.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id_, row.line)).rowcount:
            return None
        (line,) = self._ids.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
        return BadRow(row.line, [f"id {id_} is already used in line {line}"])

    def _write(self, rows: list[Row], outcomes: list[BadRow | Change]) -> list[BadRow | Change]:
        """Write the changes; return the outcomes, with a bad row for each product that was deleted meanwhile."""
        changes = [outcome for outcome in outcomes if isinstance(outcome, Change)]
        self._catalogue.put(change.after for change in changes if change.before is None)
        return [self._update(row, outcome) for row, outcome in zip(rows, outcomes, strict=True)]

    def _update(self, row: Row, outcome: BadRow | Change) -> BadRow | Change:
        if isinstance(outcome, BadRow) or outcome.before is None or outcome.before == outcome.after:
            return outcome
        try:
            self._catalogue.change(outcome.before, outcome.after)
        except ProductGone:
            return BadRow(row.line, [f"product {outcome.after.id} was deleted during the import: import the row again"])
        return outcome


def merged(stored: Product | None, values: Mapping[str, Any]) -> tuple[Product | None, list[str]]:
    """Return a product with new values, and its faults; None if a new product lacks required values."""
    if stored is None:
        if missing := [name for name in REQUIRED if name not in values]:
            return None, [f"product {values['id']} is new, and a new product needs {', '.join(missing)}"]
        product = Product(**{**DEFAULTS, **values})
    else:
        product = stored._replace(**values)
    return product, [_with_kept_values(fault, product, values) for fault in product.faults()]


def _merged(row: GoodRow, stored: Mapping[int, Product]) -> BadRow | Change:
    before = stored.get(row.values["id"])
    after, faults = merged(before, row.values)
    return Change(before, after) if after and not faults else BadRow(row.line, faults)


def _with_kept_values(fault: str, product: Product, values: Mapping[str, Any]) -> str:
    """Add the values of columns that a rule names and the row does not give."""
    kept = [
        f"{name} {getattr(product, name)}"
        for name in Product._fields
        if name not in values and re.search(rf"\b{name}\b", fault)
    ]
    return f"{fault} (the product has {', '.join(kept)})" if kept else fault


class _InOrder:
    """Calls a function with the outcomes of numbered parts, in the order of their numbers. Threads may add parts."""

    def __init__(self, report: Callable[[BadRow | Change], None]) -> None:
        self._report = report
        self._next = 0
        self._waiting: dict[int, list[BadRow | Change]] = {}
        self._lock = threading.Lock()

    def add(self, number: int, outcomes: list[BadRow | Change]) -> None:
        with self._lock:
            self._waiting[number] = outcomes
            while self._next in self._waiting:
                for outcome in self._waiting.pop(self._next):
                    self._report(outcome)
                self._next += 1


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
