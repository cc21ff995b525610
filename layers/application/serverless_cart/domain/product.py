"""A product of the catalogue, and its snapshot at one moment."""

import re
from typing import Final, NamedTuple

from serverless_cart.domain import limits

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_ADDRESS: Final = re.compile(r"[\x00-\x20\x7f\"\\]")


class Product(NamedTuple):
    """One product of a shop's catalogue.

    ``price`` and ``discount`` are minor currency units for one piece. ``stock`` is a number of pieces, ``None`` if
    unlimited. A product that is not ``active`` is not for sale.

    >>> Product(id=7, ref="MUG-7", name="Mug", image=None, price=1250, discount=250, stock=3, active=True).price
    1250
    """

    id: int
    ref: str
    name: str
    image: str | None
    price: int
    discount: int
    stock: int | None
    active: bool

    def faults(self) -> list[str]:
        """List the rules of the catalogue that this product breaks; the list is empty if it is valid.

        >>> Product(id=7, ref="MUG-7", name="Mug", image=None, price=100, discount=250, stock=3, active=True).faults()
        ['discount must be an integer from 0 to the price']
        """
        image = self.image or ""
        rules = {
            "id must be an integer from 0 to 2^53-1": 0 <= self.id <= limits.MAX_SAFE_INTEGER,
            f"ref must have 1 to {limits.PRODUCT_REF_BYTES} bytes": 1 <= _size(self.ref) <= limits.PRODUCT_REF_BYTES,
            f"name must have 1 to {limits.PRODUCT_NAME_LENGTH} characters": (
                1 <= len(self.name) <= limits.PRODUCT_NAME_LENGTH
            ),
            f"name must have at most {limits.PRODUCT_NAME_BYTES} bytes": _size(self.name) <= limits.PRODUCT_NAME_BYTES,
            f"image must have at most {limits.PRODUCT_IMAGE_BYTES} bytes": _size(image) <= limits.PRODUCT_IMAGE_BYTES,
            # JSON escapes them, which takes more bytes in a cart, and the largest cart must fit one item of the table.
            "ref and name must have no control characters": not _CONTROL.search(self.ref + self.name),
            "image must be an address, without spaces, quotes or backslashes": not _NO_ADDRESS.search(image),
            # A full cart's total stays exact in a browser: 100 items of 9,999 pieces at up to 9 * 10^9.
            f"price must be an integer from 0 to {limits.PRODUCT_PRICE}": 0 <= self.price <= limits.PRODUCT_PRICE,
            "discount must be an integer from 0 to the price": 0 <= self.discount <= max(self.price, 0),
            "stock must be an integer from 0 to 2^53-1, or nothing": (
                self.stock is None or 0 <= self.stock <= limits.MAX_SAFE_INTEGER
            ),
        }
        return [rule for rule, holds in rules.items() if not holds]


def _size(text: str) -> int:
    """Return the bytes of a text in UTF-8; one with lone surrogates, which UTF-8 lacks, exceeds every limit."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 1 << 30


class ProductSnapshot(NamedTuple):
    """A product as the catalogue had it at ``read_at`` (milliseconds since 1970, taken before the read was sent)."""

    product: Product
    read_at: int

    def replaces(self, other: "ProductSnapshot", reuse: int) -> bool:
        """Return whether to store this snapshot in place of another: it is ``reuse`` seconds newer, or it differs."""
        age = self.read_at - other.read_at
        return age >= reuse * 1000 or (age >= 0 and self.product != other.product)
