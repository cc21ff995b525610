"""Items as storefronts pass them to the libraries, and what the table contains afterwards."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tools.support.database import SessionItem

ID = "a#1/ü+&="
INDEX = "my index/2"
TITLE = 'Tasse & "Löffel", 100 % + 🛒'
TOO_LONG = "session_id should have 32 characters or less"
INVALID = "Invalid cart item data"


@dataclass(frozen=True)
class Item:
    """An item as a caller gives it; an absent parameter is `None`."""

    id: str | int = ID
    index: str = INDEX
    title: str | None = TITLE
    amount: Any = 2
    price: Any = 9.95

    @property
    def key(self) -> tuple[str, str]:
        """The item's key in the table."""
        return self.index, str(self.id)

    def stored(self, amount: int = 2, price: str | None = "9.95") -> dict[tuple[str, str], SessionItem]:
        """Return the cart that contains the item only, after one click."""
        title = self.title or ""
        return {self.key: SessionItem(amount, 1, title, None if price is None else Decimal(price))}


ACCEPTED: dict[str, tuple[Item, int, str | None]] = {
    "all parameters": (Item(), 2, "9.95"),
    "amount and price null": (Item(amount=None, price=None), 1, None),
    "amount and price empty": (Item(amount="", price=""), 1, None),
    "numbers as strings": (Item(id=123, amount="3", price="9.90"), 3, "9.9"),
    "largest numbers": (Item(amount=1_000_000, price=1e12), 1_000_000, "1000000000000"),
    "price 0": (Item(price=0), 2, "0"),
    "price with seven decimals": (Item(price=1e-7), 2, "0"),
    "price with binary error": (Item(price=0.1 + 0.2), 2, "0.3"),
    "other scripts": (Item(id="../ä?#", index="índex%2F\t&x=1", title="日本語 <b>" + "é" * 200), 2, "9.95"),
}
"""Each with the amount and price that the table contains."""

REFUSED: dict[str, tuple[Item, str]] = {
    "amount 0": (Item(amount=0), INVALID),
    "amount 1.5": (Item(amount=1.5), INVALID),
    "amount a word": (Item(amount="many"), INVALID),
    "price below 0": (Item(price=-1), INVALID),
    "price with a comma": (Item(price="9,95"), INVALID),
    "title null": (Item(title=None), 'Following fields are missing: ["title"]'),
    "id and title empty": (Item(id="", title=""), 'Following fields are missing: ["id", "title"]'),
}
"""Each with the error."""
