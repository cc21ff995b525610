"""All limits of the contract.

A deployment may set those of `Limits`, by the parameters of template.yaml; the constants below it are fixed.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that a deployment may lower or shorten. The defaults are the contract's."""

    cart_items: int = 100
    """Distinct items of a cart. The largest cart of 100 items fits DynamoDB's 400 KB (docs/table.md)."""
    item_quantity: int = 9_999
    """Quantity of one item of a cart."""
    cart_lifetime: int = 30 * 24 * 3600
    """Seconds from a cart's last change until it expires."""
    price_age: int = 60
    """Maximum age in seconds of a price in an answer, counted from when the catalogue was read."""
    session_item_lifetime: int = 24 * 3600
    """Seconds from a session item's last event until it leaves the session's cart."""
    hold_lifetime: int = 30 * 60
    """Seconds for which an order waits for its payment and reserves stock."""
    open_holds: int = 10
    """Orders of one customer that may wait for their payment at the same time."""

    @property
    def snapshot_reuse(self) -> int:
        """Seconds for which an unchanged snapshot is not rewritten, so that parallel additions do not conflict."""
        return self.price_age // 3

    @property
    def refresh_age(self) -> int:
        """Age in seconds from which a change reads a price again, so that it is still fresh in the answer."""
        return self.price_age - PRICE_MARGIN


CONTRACT_LIMITS: Final = Limits()
"""The limits of a deployment that sets no others."""

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that a browser reads exactly."""
MAX_ITEM_QUANTITY: Final = 9_999
"""Quantity of one item that no deployment may exceed."""
NOTES_LENGTH: Final = 500
"""Characters of an item's notes."""
PRICE_MARGIN: Final = 5
"""Seconds between `Limits.refresh_age` and `Limits.price_age`."""
IDEMPOTENCY_RECORDS: Final = 32
"""Idempotency keys that a cart remembers."""
IDEMPOTENCY_RECORD_LIFETIME: Final = 24 * 3600
"""Seconds for which a cart remembers an idempotency key."""
IDEMPOTENCY_KEY_LENGTH: Final = 255
"""Characters of an idempotency key."""

CUSTOMER_TOKENS: Final = 50
"""Active tokens of one customer; a further one revokes the oldest."""
ENDED_CUSTOMER_TOKENS: Final = 50
"""Revoked and expired tokens of one customer that stay listed; older ones are deleted when a token is issued."""
CUSTOMER_TOKEN_LIFETIME: Final = 30 * 24 * 3600
"""Seconds for which a customer token is valid if a request to the Management API names no others."""
MIN_CUSTOMER_TOKEN_LIFETIME: Final = 60
"""Fewest seconds that such a request may name."""
MAX_CUSTOMER_TOKEN_LIFETIME: Final = 365 * 24 * 3600
"""Most seconds that such a request may name."""

RESERVED_PRODUCTS: Final = 93
"""Products with limited stock in one order: one transaction takes 100 writes, and the order needs 7 of them."""
ORDERS_OF_A_CUSTOMER: Final = 100
"""Most orders in one answer to a customer."""
DEFAULT_ORDERS: Final = 10
"""Orders in an answer to a customer who asks for no other number."""
ORDERS_OFFSET: Final = 10_000
"""Most orders that a customer may skip."""
ORDERS_OF_A_SHOP: Final = 1_000
"""Most orders in one answer to a shop's server."""
DEFAULT_ORDERS_OF_A_SHOP: Final = 100
"""Orders in an answer to a server that asks for no other number."""

SESSION_ID_LENGTH: Final = 32
"""Characters of a search session's id."""
SEARCH_USER_LENGTH: Final = 36
"""Characters of a visitor's id in an event."""
SEARCH_QUERY_LENGTH: Final = 200
"""Characters of the search terms in an event."""
SEARCH_REFERENCE_LENGTH: Final = 64
"""Characters of the ids of custom results and of resources in an event, and of each source of a checkout."""
CHECKOUT_SOURCES: Final = 10
"""Sources of one checkout."""
SESSION_ITEM_AMOUNT: Final = 10**6
"""Largest amount of one event, and largest position of a clicked item."""
SESSION_ITEM_PRICE: Final = 10**12
"""Highest price of one event."""
SESSION_ITEM_PRICE_DECIMALS: Final = 6
"""Decimals to which the price of an event is rounded."""
SESSION_ITEM_NAME_LENGTH: Final = 256
"""Characters of a session item's id, and of its index."""
SESSION_ITEM_TITLE_LENGTH: Final = 1_024
"""Characters of a session item's title."""

PRODUCT_REF_BYTES: Final = 64
"""Bytes, in UTF-8, of a product's reference."""
PRODUCT_NAME_LENGTH: Final = 255
"""Characters of a product's name."""
PRODUCT_NAME_BYTES: Final = 512
"""Bytes, in UTF-8, of a product's name."""
PRODUCT_IMAGE_BYTES: Final = 512
"""Bytes, in UTF-8, of the URL of a product's image."""
PRODUCT_PRICE: Final = MAX_SAFE_INTEGER // (100 * MAX_ITEM_QUANTITY + 1)
"""Highest unit price in minor currency units: the total of the largest cart stays exact in a browser."""
STATISTICS_DAYS: Final = 400
"""Days of one report of the statistics."""
STATISTICS_ROWS: Final = 1_000
"""Rows of one report that are not days."""

DISCOUNT_CODE_LENGTH: Final = 64
"""Characters of a discount code."""

METHODS: Final = 50
"""Shipping methods of a shop, and payment methods; each kind is one item of the table."""
METHOD_NAME_LENGTH: Final = 100
"""Characters of a method's name."""
METHOD_DESCRIPTION_LENGTH: Final = 500
"""Characters of a method's description."""
NEXT_STEP_BYTES: Final = 2_048
"""Bytes, in UTF-8, of the address of a payment method's next step."""
SHIPPING_COST: Final = PRODUCT_PRICE
"""Highest cost of a shipping method in minor currency units; `PRODUCT_PRICE` leaves room for it in a total."""
