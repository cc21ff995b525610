"""The key scheme of the table (docs/table.md).

Parts that come from a client are percent-encoded before they are joined, so that a ``#`` in a session id or a customer
cannot lead to another key.
"""

import hashlib
import zlib
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import quote, unquote

if TYPE_CHECKING:  # no function needs all of these classes, and each lengthens a cold start
    from serverless_cart.auth import Kind
    from serverless_cart.domain.cart import Owner
    from serverless_cart.domain.methods import Kind as MethodKind
    from serverless_cart.domain.session import ItemKey, Session

CATALOGUE_PARTITIONS: Final = 16
"""Partitions of a shop's catalogue. Each takes 1,000 writes a second; listing the catalogue reads all of them."""

HOLD_PARTITIONS: Final = 16
"""Partitions of the holds of all shops. Each takes 1,000 writes a second; releasing holds reads all of them."""

SHOPS: Final = "SHOPS"
"""The partition that lists the shops of the deployment."""


class Key(NamedTuple):
    """The primary key of an item in the table."""

    pk: str
    sk: str


def token(digest: str) -> Key:
    """Return the key of a token, by the digest of its key."""
    return Key(f"TOKEN#{digest}", "TOKEN")


def is_token(key: Key) -> bool:
    """Return whether this is the key of a token, and not of an entry in a list."""
    return key.sk == "TOKEN"


def shop(name: str) -> Key:
    """Return the key of a shop's settings."""
    return Key(f"SHOP#{_part(name)}", "SHOP")


def shop_entry(name: str) -> Key:
    """Return the key of a shop in the list of shops."""
    return Key(SHOPS, f"SHOP#{_part(name)}")


def search_engine(hashid: str) -> Key:
    """Return the key of the entry that assigns a search engine to one shop."""
    return Key(f"ENGINE#{hashid}", "ENGINE")


def tokens(shop_name: str) -> str:
    """Return the partition of a shop's list of tokens. Settings have another, so that policies can differ."""
    return f"TOKENS#{_part(shop_name)}"


def api_keys() -> str:
    """Return the beginning of the sort keys of API keys in that list."""
    return "API_KEY#"


def management_keys() -> str:
    """Return the beginning of the sort keys of management keys in that list."""
    return "MANAGEMENT#"


def customer_tokens(customer: str | None = None) -> str:
    """Return the beginning of the sort keys of customer tokens in that list: of all, or of one customer."""
    return "CUSTOMER#" if customer is None else f"CUSTOMER#{_part(customer)}#"


def token_entry(shop_name: str, kind: "Kind", customer: str, digest: str) -> Key:
    """Return the key of an entry in a shop's list of its tokens; only a customer token has a ``customer``."""
    prefix = {"api_key": api_keys(), "management": management_keys(), "customer": customer_tokens(customer)}[kind]
    return Key(tokens(shop_name), f"{prefix}{digest}")


def token_version(shop_name: str, customer: str) -> Key:
    """Return the key of the version of a customer's tokens: in the list, just before the customer's entries."""
    return Key(tokens(shop_name), customer_tokens(customer))


def listed_digest(entry: Key) -> str:
    """Return the digest of the token that an entry of the list is for; empty for a version."""
    return entry.sk.rpartition("#")[2]


def catalogue(shop_name: str) -> list[str]:
    """Return the partitions of a shop's catalogue; in each, products are in the order of their ids."""
    return [f"PRODUCT#{_part(shop_name)}#{number:02d}" for number in range(CATALOGUE_PARTITIONS)]


def product(shop_name: str, product_id: int) -> Key:
    """Return the key of a product in a shop's catalogue."""
    digits = f"{product_id:016d}"
    partition = zlib.crc32(digits.encode()) % CATALOGUE_PARTITIONS
    return Key(f"PRODUCT#{_part(shop_name)}#{partition:02d}", f"PRODUCT#{digits}")


def product_id(key_: Key) -> int:
    """Return the id of the product with this key."""
    return int(key_.sk.rpartition("#")[2])


def catalogue_lease(shop_name: str) -> Key:
    """Return the key of the lease on a shop's catalogue. A policy for the shop's products includes it."""
    return Key(f"PRODUCT#{_part(shop_name)}#LEASE", "LEASE")


def methods(shop_name: str, kind: "MethodKind") -> Key:
    """Return the key of a shop's shipping methods, or of its payment methods."""
    return Key(f"METHODS#{_part(shop_name)}", kind.upper())


def carts(shop_name: str) -> str:
    """Return the beginning of the partitions of a shop's carts."""
    return f"CART#{_part(shop_name)}#"


def sessions(hashid: str) -> str:
    """Return the beginning of the partitions of a search engine's sessions."""
    return f"SESSION#{hashid}#"


def cart(owner: "Owner") -> Key:
    """Return the key of a customer's cart."""
    return Key(f"{carts(owner.shop)}{_part(owner.customer)}", "CART")


def customers(shop_name: str) -> str:
    """Return the beginning of the partitions of a shop's customers."""
    return f"CUSTOMER#{_part(shop_name)}#"


def uses(owner: "Owner") -> Key:
    """Return the key of a customer's open holds and uses of discount codes."""
    return Key(f"{customers(owner.shop)}{_part(owner.customer)}", "USES")


def use_of(discount_key: str) -> str:
    """Return the attribute that counts a customer's uses of a discount code, by the normalised code."""
    return f"use#{hashlib.sha256(discount_key.encode()).hexdigest()[:32]}"


def discount(shop_name: str, discount_key: str) -> Key:
    """Return the key of a discount code, by the normalised code."""
    return Key(f"DISCOUNT#{_part(shop_name)}#{_part(discount_key)}", "CODE")


def is_discount(key: Key) -> bool:
    """Return whether this is the key of a discount code, and not of an entry in a list."""
    return key.sk == "CODE"


def discounts(shop_name: str) -> str:
    """Return the partition that lists a shop's discount codes."""
    return f"DISCOUNTS#{_part(shop_name)}"


def discount_entry(shop_name: str, discount_key: str) -> Key:
    """Return the key of a discount code in that list, by the normalised code."""
    return Key(discounts(shop_name), f"CODE#{_part(discount_key)}")


def listed_discount_key(entry: Key) -> str:
    """Return the normalised discount code that an entry of the list is for."""
    return unquote(entry.sk.removeprefix("CODE#"))


def orders(shop_name: str) -> str:
    """Return the beginning of the partitions of a shop's orders."""
    return f"ORDER#{_part(shop_name)}#"


def order(shop_name: str, order_key: str) -> Key:
    """Return the key of an order."""
    return Key(f"{orders(shop_name)}{_part(order_key)}", "ORDER")


def orders_of_customers(shop_name: str) -> str:
    """Return the beginning of the partitions with the lists of the customers' orders."""
    return f"ORDERS#{_part(shop_name)}#"


def orders_of_customer(owner: "Owner") -> str:
    """Return the partition that lists a customer's orders by their age."""
    return f"{orders_of_customers(owner.shop)}{_part(owner.customer)}"


def orders_of_months(shop_name: str) -> str:
    """Return the beginning of the partitions with the lists of a shop's orders."""
    return f"SHOPORDERS#{_part(shop_name)}#"


def orders_of_month(shop_name: str, month: str) -> str:
    """Return the partition that lists a shop's orders of a month (``yyyymm``, in UTC) by their age."""
    return f"{orders_of_months(shop_name)}{month}"


def order_entry(created_at: int, order_key: str = "") -> str:
    """Return the sort key of an order in these lists; without a key, the one before all orders of that moment."""
    return f"{created_at:013d}#{_part(order_key)}"


def last_order_entry(created_at: int) -> str:
    """Return the sort key after all orders of a moment in these lists."""
    return f"{order_entry(created_at)}~"


def moment_of_entry(sk: str) -> int:
    """Return the moment at which the order of an entry of these lists was created."""
    return int(sk.partition("#")[0])


def is_order(key_: Key) -> bool:
    """Return whether this is the key of an order, and not of an entry in a list."""
    return key_.pk.startswith("ORDER#") and key_.sk == "ORDER"


def shop_of_order(key_: Key) -> str:
    """Return the shop of the order with this key."""
    return unquote(key_.pk.split("#")[1])


def listed_order(key_: str) -> str:
    """Return the key of the order that an entry of these lists is for, or that is in this partition."""
    return unquote(key_.rpartition("#")[2])


def holds() -> list[str]:
    """Return the partitions of the holds of all shops; in each, holds are in the order of their ends."""
    return [f"HOLDS#{number:02d}" for number in range(HOLD_PARTITIONS)]


def hold(shop_name: str, order_key: str, reserved_until: int) -> Key:
    """Return the key of a hold: of an order that waits for its payment until a time in milliseconds since 1970."""
    partition = zlib.crc32(order_key.encode()) % HOLD_PARTITIONS
    return Key(f"HOLDS#{partition:02d}", f"{holds_before(reserved_until)}#{_part(shop_name)}#{_part(order_key)}")


def holds_before(moment: int) -> str:
    """Return the sort key after all holds that end before a moment (milliseconds since 1970)."""
    return f"{moment:013d}"


def held_order(key: Key) -> tuple[str, str]:
    """Return the shop and the key of the order that a hold is for."""
    _, shop_name, order_key = key.sk.split("#")
    return unquote(shop_name), unquote(order_key)


def session(of: "Session") -> str:
    """Return the partition of a search session: its events and its cart."""
    return f"{sessions(of.hashid)}{_part(of.id)}"


def session_of(key: Key) -> "Session | None":
    """Return the search session to which an item belongs; ``None`` for other items."""
    kind, _, rest = key.pk.partition("#")
    if kind != "SESSION":
        return None
    from serverless_cart.domain.session import Session  # noqa: PLC0415 - only the roll-up needs it

    hashid, _, session_id = rest.partition("#")
    return Session(hashid, unquote(session_id))


def statistics(hashid: str) -> str:
    """Return the partition of a search engine's statistics."""
    return f"STATS#{hashid}"


def shop_statistics(shop_name: str) -> str:
    """Return the partition of a shop's own statistics: those of its orders."""
    return f"STATS#SHOP#{_part(shop_name)}"


def day_row(partition: str, day: str) -> Key:
    """Return the key of the totals on a day (``yyyymmdd``), in a partition of statistics."""
    return Key(partition, f"DAY#{day}")


def detail(partition: str, day: str, shard: str, sequence: str) -> Key:
    """Return the key of a day's details in one chunk of a shard, in a partition of statistics.

    ``sequence`` is the number of the chunk's last record.
    """
    return Key(partition, f"DETAIL#{day}#{shard}#{sequence}")


def stream(shard: str) -> str:
    """Return the partition of what is known about a shard of the table's stream."""
    return f"STREAM#{shard}"


def checkpoint(shard: str) -> Key:
    """Return the key of the sequence number up to which a shard of the stream has been counted."""
    return Key(stream(shard), "CHECKPOINT")


def replay(shard: str) -> Key:
    """Return the key of the number of replays of a shard."""
    return Key(stream(shard), "REPLAY")


def set_aside(shard: str, sequence: str = "") -> Key:
    """Return the key of a shard's record that could not be counted; without a number, the beginning of these keys."""
    return Key(stream(shard), f"ASIDE#{sequence}")


def session_items() -> str:
    """Return the beginning of the sort keys of the items in a search session's cart."""
    return "CART#"


def session_start(of: "Session") -> Key:
    """Return the key of the event that started a search session."""
    return Key(session(of), "INIT")


def session_checkout(of: "Session") -> Key:
    """Return the key of a search session's checkouts."""
    return Key(session(of), "CHECKOUT")


def session_event(of: "Session", kind: Literal["CLICK", "IMAGE", "REDIRECT"], event_id: str) -> Key:
    """Return the key of one event of a search session; ``event_id`` is unique for each request."""
    return Key(session(of), f"{kind}#{_part(event_id)}")


def session_item(of: "Session", item: "ItemKey") -> Key:
    """Return the key of an item in a search session's cart.

    A sort key holds 1,024 bytes and an id can be longer, so index and id are digested. The index's length comes first,
    so that no two pairs have the same text.
    """
    name = f"{len(item.index)}:{item.index}{item.id}"
    return Key(session(of), f"{session_items()}{hashlib.sha256(name.encode()).hexdigest()}")


def _part(text: str) -> str:
    """Encode a part of a key. Raises `UnicodeEncodeError` for text that is not valid in UTF-8."""
    return quote(text, safe="")
