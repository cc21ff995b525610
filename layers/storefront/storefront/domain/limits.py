"""Each limit of the contract, once.

Some are settings: a deployment may choose them, within bounds, by the parameter of template.yaml that bears the name.
"""

import os
from typing import Final


def _setting(name: str, default: int, lowest: int, highest: int) -> int:
    """Read a setting from the environment. Raises `ValueError` for one out of bounds: better no function at all."""
    value = int(os.environ.get(name) or default)
    if not lowest <= value <= highest:
        message = f"{name} must be from {lowest} to {highest}, not {value}"
        raise ValueError(message)
    return value


CART_ITEMS: Final = _setting("CART_ITEMS", 100, 1, 100)
"""Distinct items of a customer's cart. The largest cart of a hundred fits DynamoDB's 400 KB (docs/table.md)."""
ITEM_QUANTITY: Final = _setting("ITEM_QUANTITY", 9_999, 1, 9_999)
"""Quantity of one item of a customer's cart."""
NOTES_LENGTH: Final = 500
"""Characters of an item's notes."""
CART_LIFETIME: Final = _setting("CART_LIFETIME_DAYS", 30, 1, 365) * 24 * 3600
"""Seconds from a cart's last change until it is gone."""
PRICE_AGE: Final = _setting("PRICE_AGE_SECONDS", 60, 10, 60)
"""Seconds, from the reading of the catalogue, for which a price may be shown."""
PRICE_MARGIN: Final = 5
"""Seconds before `PRICE_AGE` at which a change reads a price anew, so that it is still fresh when the answer leaves."""
READING_KEPT: Final = PRICE_AGE // 3
"""Seconds for which a stored reading that still holds stays as it is, so that parallel additions do not contend."""
REMEMBERED_KEYS: Final = 32
"""Idempotency keys that a cart remembers."""
REMEMBERED_KEY_LIFETIME: Final = 24 * 3600
"""Seconds for which it remembers each."""
IDEMPOTENCY_KEY_LENGTH: Final = 255
"""Characters of an idempotency key."""
LARGEST_INTEGER: Final = 2**53 - 1
"""The largest integer that a browser reads exactly."""

SESSION_ID_LENGTH: Final = 32
"""Characters of a search session's id."""
SESSION_ITEM_LIFETIME: Final = _setting("SESSION_ITEM_LIFETIME_HOURS", 24, 1, 168) * 3600
"""Seconds from a session item's own last event until it leaves the session's cart."""
SESSION_ITEM_AMOUNT: Final = 10**6
"""Amount that one event may add or take away."""
SESSION_ITEM_PRICE: Final = 10**12
"""Highest price that an event may carry."""
SESSION_ITEM_PRICE_DECIMALS: Final = 6
"""Decimals to which such a price is kept."""
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
"""Bytes, in UTF-8, of the address of a product's image."""
PRODUCT_PRICE: Final = LARGEST_INTEGER // (100 * 9_999)
"""Highest price of one piece, in minor currency units: the total of the largest cart stays exact in a browser."""
EMPTYING_RESERVE: Final = 3
"""Seconds that must be left of a function's time to go on with emptying a large session."""
REQUEST_BYTES: Final = 2**20
"""Bytes of a request's body. The longest valid one has some 20,000; the rest is room for fields that are ignored."""
