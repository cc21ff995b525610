"""The key scheme of the table (docs/table.md).

Parts that come from a client are percent-encoded before they are joined, so that a ``#`` in a session id, an index or a
customer can never name another key.
"""

import hashlib
from typing import NamedTuple
from urllib.parse import quote

from storefront.domain.cart import Owner
from storefront.domain.session import ItemKey, Session


class Key(NamedTuple):
    """The primary key of an item in the table."""

    pk: str
    sk: str


def token(digest: str) -> Key:
    """Return the key of a token, by the digest of the key that it belongs to."""
    return Key(f"TOKEN#{digest}", "TOKEN")


def shop(name: str) -> Key:
    """Return the key of a shop's settings."""
    return Key(f"SHOP#{_part(name)}", "SHOP")


def shop_token(name: str, digest: str) -> Key:
    """Return the key of an entry in a shop's list of its tokens."""
    return Key(shop(name).pk, f"TOKEN#{digest}")


def product(shop_name: str, product_id: int) -> Key:
    """Return the key of a product in a shop's catalogue."""
    return Key(f"PRODUCT#{_part(shop_name)}#{product_id}", "PRODUCT")


def cart(owner: Owner) -> Key:
    """Return the key of a customer's cart."""
    return Key(f"CART#{_part(owner.shop)}#{_part(owner.customer)}", "CART")


def session(of: Session) -> str:
    """Return the partition of a search session's cart."""
    return f"SESSION#{of.hashid}#{_part(of.id)}"


def session_item(of: Session, item: ItemKey) -> Key:
    """Return the key of an item in a search session's cart.

    A sort key holds 1,024 bytes and an id alone can be more, so index and id are digested, the index's length in front
    so that the one cannot run into the other.
    """
    name = f"{len(item.index)}:{item.index}{item.id}"
    return Key(session(of), f"CART#{hashlib.sha256(name.encode()).hexdigest()}")


def _part(text: str) -> str:
    """Encode a part of a key. Raises `UnicodeEncodeError` for text that UTF-8 cannot hold."""
    return quote(text, safe="")
