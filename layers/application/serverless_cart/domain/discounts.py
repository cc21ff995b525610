"""The discount codes of a shop: when a code applies to a cart, and what it takes off (contract: Discount codes)."""

import unicodedata
from typing import Final, NamedTuple

from serverless_cart.domain.limits import DISCOUNT_CODE_LENGTH, MAX_SAFE_INTEGER

UNKNOWN: Final = "there is no such code, or it is not active"
"""The same for both, so that guessing finds no inactive codes."""


def normalised(code: str) -> str | None:
    """Return a code as it is compared, in any case and width; ``None`` for a text that no code can be.

    >>> normalised(" Summer-10 "), normalised("two words")
    ('SUMMER-10', None)
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", code.strip()).casefold()).upper()
    visible = text.isprintable() and not any(character.isspace() for character in text)
    return text if visible and 1 <= len(text) <= DISCOUNT_CODE_LENGTH else None


class DiscountCode(NamedTuple):
    """A code: either ``percent`` (1 to 100) or ``amount`` (minor currency units) off the subtotal of a cart.

    ``minimum`` is the lowest subtotal in minor units. ``starts_at`` and ``ends_at`` are the first and the last moment
    (milliseconds since 1970). ``uses`` are those of all customers. ``None`` is no limit.
    """

    code: str
    percent: int | None = None
    amount: int | None = None
    minimum: int = 0
    starts_at: int | None = None
    ends_at: int | None = None
    max_uses: int | None = None
    max_uses_per_customer: int | None = None
    active: bool = True
    uses: int = 0

    @property
    def key(self) -> str:
        """The code as it is compared. Raises `ValueError` for a text that no code can be."""
        key = normalised(self.code)
        if key is None:
            raise ValueError("not a discount code")
        return key

    def faults(self) -> list[str]:
        """List the rules that the terms of this code break; the list is empty if they are valid.

        >>> DiscountCode("TEN", percent=110).faults()
        ['percent must be an integer from 1 to 100']
        """
        amounts = {"amount": self.amount, "minimum": self.minimum}
        uses = {"max_uses": self.max_uses, "max_uses_per_customer": self.max_uses_per_customer}
        rules = {
            "a code takes off either a percentage or an amount": (self.percent is None) != (self.amount is None),
            "percent must be an integer from 1 to 100": self.percent is None or 1 <= self.percent <= 100,
            **{
                f"{name} must be an integer from 0 to 2^53-1": value is None or 0 <= value <= MAX_SAFE_INTEGER
                for name, value in amounts.items()
            },
            "the code ends before it starts": (
                self.starts_at is None or self.ends_at is None or self.starts_at <= self.ends_at
            ),
            **{
                f"{name} must be an integer from 1 to 2^53-1": value is None or 1 <= value <= MAX_SAFE_INTEGER
                for name, value in uses.items()
            },
        }
        return [rule for rule, holds in rules.items() if not holds]


class DiscountSnapshot(NamedTuple):
    """A code as the shop had it at ``read_at`` (milliseconds since 1970), and the customer's uses of it."""

    discount: DiscountCode
    customer_uses: int
    read_at: int

    def refusal(self, subtotal: int) -> str:
        """Return the reason why the code does not apply to a subtotal (minor units); empty if it applies."""
        it = self.discount
        reasons = {
            UNKNOWN: not it.active,
            "the code is not valid yet": it.starts_at is not None and self.read_at < it.starts_at,
            "the code is no longer valid": it.ends_at is not None and self.read_at > it.ends_at,
            "the code is used up": it.max_uses is not None and it.uses >= it.max_uses,
            "the customer has used up the code": (
                it.max_uses_per_customer is not None and self.customer_uses >= it.max_uses_per_customer
            ),
            f"the subtotal must be at least {it.minimum}": subtotal < it.minimum,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def amount_off(self, subtotal: int) -> int:
        """Return what the code takes off a subtotal, both in minor units: at most the subtotal, rounded down."""
        it = self.discount
        return subtotal * it.percent // 100 if it.percent is not None else min(it.amount or 0, subtotal)
