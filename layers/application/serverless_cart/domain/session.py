"""The cart of a search session: the events that fill it and what they may carry (contract: Search API)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple


class Session(NamedTuple):
    """A visitor's search session: the search engine's hashid, in lower case, and the id that the storefront gave it."""

    hashid: str
    id: str


@dataclass(frozen=True, slots=True)
class ItemKey:
    """What tells the items of a session apart."""

    index: str
    id: str


@dataclass(frozen=True, slots=True)
class SessionItemAddition:
    """An item is put in the cart: ``amount`` more of it. ``price`` is in the shop's currency, or not known."""

    key: ItemKey
    title: str
    amount: int
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class SessionItemRemoval:
    """``amount`` of an item is taken out of the cart."""

    key: ItemKey
    amount: int


@dataclass(frozen=True, slots=True)
class SessionItem:
    """An item of a session's cart as it stands.

    ``clicks`` counts the additions, ``amount`` what they added, less what was taken out again. ``added_at`` and
    ``updated_at`` are milliseconds since 1970, ``expires_at`` seconds.
    """

    key: ItemKey
    title: str
    amount: int
    clicks: int
    price: Decimal | None
    added_at: int
    updated_at: int
    expires_at: int
