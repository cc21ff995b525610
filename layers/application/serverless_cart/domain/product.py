"""A product of the catalogue, and its snapshot at one moment."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from serverless_cart.domain import limits

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_NO_ADDRESS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s\u200b\u2060\ufeff\"\\]")
_WEB_ADDRESS: Final = re.compile(r"(https?:)?//([^/?#@]*@)?[\w\[].*", re.IGNORECASE)
_PATH: Final = re.compile(r"(?!//|[a-z][a-z0-9+.-]*:|(n/?a|none|null|nil)$).*\w.*", re.IGNORECASE)
"""A path without a scheme, and not what spreadsheets contain in place of an empty cell."""
_TEXTS: Final = ("ref", "name", "image")
_VISIBLE: Final = frozenset({"Co", "Cn"})
_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol that are shown as nothing: the fillers of Hangul, and a Braille cell without dots."""


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
        return value_faults(self._asdict())


def value_faults(values: Mapping[str, Any]) -> list[str]:
    """List the rules that some of a product's values break; a field that is absent breaks none.

    >>> value_faults({"id": -7, "price": 100})
    ['id must be an integer from 0 to 2^53-1']
    """
    faults = [fault for name in _TEXTS if values.get(name) is not None for fault in _text_faults(name, values[name])]
    price, discount, stock = values.get("price", 0), values.get("discount", 0), values.get("stock")
    rules = {
        "id must be an integer from 0 to 2^53-1": 0 <= values.get("id", 0) <= limits.MAX_SAFE_INTEGER,
        # A full cart's total stays exact in a browser: 100 items of 9,999 pieces at up to 9 * 10^9.
        f"price must be an integer from 0 to {limits.PRODUCT_PRICE} minor units": 0 <= price <= limits.PRODUCT_PRICE,
        "discount must be an integer from 0 to the price": (
            0 <= discount <= max(values.get("price", limits.PRODUCT_PRICE), 0)
        ),
        "stock must be an integer from 0 to 2^53-1, or nothing": stock is None or 0 <= stock <= limits.MAX_SAFE_INTEGER,
    }
    return faults + [rule for rule, holds in rules.items() if not holds]


def _text_faults(name: str, text: str) -> list[str]:
    if surrogate := _SURROGATE.search(text):
        return [f"{name} must be valid Unicode text: it has half of a character, \\u{ord(surrogate[0]):x}"]
    size = len(text.encode())
    if name == "image":
        rules = {
            f"image must have at most {limits.PRODUCT_IMAGE_BYTES} bytes": size <= limits.PRODUCT_IMAGE_BYTES,
            "image must be an address, without spaces, control characters, quotes or backslashes": (
                not _NO_ADDRESS.search(text)
            ),
            "image must be an address that begins with http:// or https://, or a path": (
                not text or bool(_WEB_ADDRESS.match(text) or _PATH.match(text))
            ),
        }
    else:
        visible = not text or any(map(_is_visible, text))
        rules = {
            # JSON escapes them, which takes more bytes in a cart, and the largest cart must fit one item of the table.
            f"{name} must have no control characters": not _CONTROL.search(text),
            f"{name} must have a visible character": visible,
        }
        if name == "ref":
            rules[f"ref must have 1 to {limits.PRODUCT_REF_BYTES} bytes"] = 1 <= size <= limits.PRODUCT_REF_BYTES
            rules["ref must not begin or end with a space"] = text == text.strip() or not visible
        else:
            most = limits.PRODUCT_NAME_LENGTH
            rules[f"name must have 1 to {most} characters"] = 1 <= len(text) <= most
            rules[f"name must have at most {limits.PRODUCT_NAME_BYTES} bytes"] = size <= limits.PRODUCT_NAME_BYTES
    return [rule for rule, holds in rules.items() if not holds]


def _is_visible(character: str) -> bool:
    from unicodedata import category  # noqa: PLC0415 - no function checks products

    # Letters, numbers, punctuation and symbols, and those of private use or of a later version of Unicode.
    return category(character) in _VISIBLE or (category(character)[0] in "LNPS" and character not in _BLANKS)


class ProductSnapshot(NamedTuple):
    """A product as the catalogue had it at ``read_at`` (milliseconds since 1970, taken before the read was sent)."""

    product: Product
    read_at: int

    def replaces(self, other: "ProductSnapshot", reuse: int) -> bool:
        """Return whether to store this snapshot in place of another: it is ``reuse`` seconds newer, or it differs."""
        age = self.read_at - other.read_at
        return age >= reuse * 1000 or (age >= 0 and self.product != other.product)
