"""The import of discount codes: all rows are checked and compared with the table before the first code is created.

After an interruption, the same import completes the work: the codes that were created then exist with the same terms.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from cartctl.chunks import chunks
from cartctl.errors import CartctlError
from cartctl.row_values import BadRow, Row, quoted
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.dynamodb.discounts import CREATED_AT_ONCE, DiscountExists, DiscountRecord, DiscountStore
from serverless_cart.dynamodb.table import READ_BATCH

_OFF: Final = frozenset({"percent", "amount"})


class NewCode(NamedTuple):
    """A code of a file, with its label, and the line where its row begins."""

    line: int
    discount: DiscountCode
    label: str


class DiscountImport:
    """One import of codes into a shop. Close it after use.

    ``rows``, ``new``, ``existing`` and ``bad`` count the rows of the file, and ``created`` the codes that are created.
    """

    def __init__(self, store: DiscountStore, options: Mapping[str, Any]) -> None:
        """``options`` are the values of the columns that a row does not give."""
        self.rows = self.new = self.existing = self.bad = self.created = 0
        self._store = store
        self._options = options
        # A database without a name is a temporary file behind a bounded cache, deleted with its connection.
        self._codes = sqlite3.connect("", isolation_level=None)
        self._codes.executescript("""
            PRAGMA journal_mode = OFF;
            CREATE TABLE codes (line INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, code TEXT);
        """)

    def close(self) -> None:
        """Delete the temporary database."""
        self._codes.close()

    def check(self, rows: Iterable[Row], report: Callable[[BadRow], None], update: Callable[[], None]) -> None:
        """Check rows and compare them with the codes of the shop, 100 per call. Raises `Unavailable`.

        Call ``report`` with each bad row, in the order of the rows, and ``update`` after each step.
        """
        for chunk in chunks(rows, READ_BATCH):
            checked = [self._checked(row) for row in chunk]
            stored = self._store.find([row.discount.key for row in checked if isinstance(row, NewCode)])
            for row in checked:
                if bad := row if isinstance(row, BadRow) else self._compared(row, stored):
                    self.bad += 1
                    report(bad)
            self.rows += len(chunk)
            update()

    def create(self, update: Callable[[], None]) -> None:
        """Create the new codes, and call ``update`` after each transaction.

        Raises `CartctlError` for a code that was created meanwhile with other terms, `ShopClosed`, and `Unavailable`.
        """
        line = 0
        while page := self._page(line):
            line = page[-1].line
            self._create(page)
            update()

    def _checked(self, row: Row) -> NewCode | BadRow:
        if isinstance(row, BadRow):
            return row
        new = _completed(row.line, row.values, self._options)
        if faults := new.discount.faults():
            return BadRow(row.line, faults)
        key = new.discount.key
        if self._codes.execute("INSERT OR IGNORE INTO codes VALUES (?, ?, NULL)", (row.line, key)).rowcount:
            return new
        (line,) = self._codes.execute("SELECT line FROM codes WHERE key = ?", (key,)).fetchone()
        return BadRow(row.line, [f"code {quoted(new.discount.code)} is already used in line {line}"])

    def _compared(self, row: NewCode, stored: Mapping[str, DiscountRecord]) -> BadRow | None:
        """Keep a code that does not exist; return a bad row for one that exists with other terms."""
        if found := stored.get(row.discount.key):
            differences = _differences(found, row)
            self.existing += not differences
            return BadRow(row.line, [differences]) if differences else None
        self.new += 1
        code = json.dumps([row.line, row.discount, row.label])
        self._codes.execute("UPDATE codes SET code = ? WHERE line = ?", (code, row.line))
        return None

    def _page(self, line: int) -> list[NewCode]:
        """Return the next new codes after a line, as many as one transaction creates."""
        found = self._codes.execute(
            "SELECT code FROM codes WHERE line > ? AND code IS NOT NULL ORDER BY line LIMIT ?", (line, CREATED_AT_ONCE)
        )
        return [
            NewCode(number, DiscountCode(*terms), label)
            for number, terms, label in (json.loads(code) for (code,) in found)
        ]

    def _create(self, page: list[NewCode]) -> None:
        while page:
            try:
                self._store.create([row.discount for row in page], [row.label for row in page])
            except DiscountExists:
                page = self._absent(page)
            else:
                self.created += len(page)
                return

    def _absent(self, page: list[NewCode]) -> list[NewCode]:
        """Return the codes of a page that no one has created meanwhile. Raises `CartctlError` for other terms."""
        stored = self._store.find([row.discount.key for row in page])
        for row in page:
            if (found := stored.get(row.discount.key)) and (differences := _differences(found, row)):
                raise CartctlError(
                    f"Line {row.line}: {differences}. It was created during the import, and {self.created} codes of "
                    "the file are created. Change the line, and run the command again."
                )
        absent = [row for row in page if row.discount.key not in stored]
        self.new -= len(page) - len(absent)
        self.existing += len(page) - len(absent)
        return absent


def _completed(line: int, values: Mapping[str, Any], options: Mapping[str, Any]) -> NewCode:
    """Return the code of a row; a percentage in a row also replaces an amount of the options, and vice versa."""
    given = {name: value for name, value in values.items() if value is not None}
    replaced = _OFF if given.keys() & _OFF else frozenset()
    it = {name: value for name, value in options.items() if name not in replaced} | given
    discount = DiscountCode(
        code=it["code"],
        percent=it.get("percent"),
        amount=it.get("amount"),
        minimum=it.get("minimum") or 0,
        starts_at=it.get("starts"),
        ends_at=it.get("ends"),
        max_uses=it.get("max_uses"),
        max_uses_per_customer=it.get("max_uses_per_customer"),
    )
    return NewCode(line, discount, it.get("label") or "")


def _differences(stored: DiscountRecord, row: NewCode) -> str:
    """Return the reason why a stored code is not the one of a row; empty if it is."""
    old, new = _values(stored.discount, stored.label), _values(row.discount, row.label)
    differences = [
        f"{name} {_shown(name, old[name])} instead of {_shown(name, new[name])}"
        for name in old
        if old[name] != new[name]
    ]
    return f"code {quoted(row.discount.code)} exists already, with {', '.join(differences)}" if differences else ""


def _values(discount: DiscountCode, label: str) -> dict[str, Any]:
    return {
        "percent": discount.percent,
        "amount": discount.amount,
        "minimum": discount.minimum,
        "starts": discount.starts_at,
        "ends": discount.ends_at,
        "max_uses": discount.max_uses,
        "max_uses_per_customer": discount.max_uses_per_customer,
        "label": label,
        "state": "active" if discount.active else "disabled",
    }


def _shown(name: str, value: Any) -> str:  # noqa: ANN401 - the value of any column
    if value is None:
        return "none"
    if name in {"starts", "ends"}:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    return quoted(value) if name == "label" else str(value)
