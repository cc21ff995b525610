"""What a request can be refused for. The web edge gives each its status and its words (contract: both error tables)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what refuses a search session's event, or a token, has no use for a cart
    from storefront.domain.cart import PricedCart


class Refusal(Exception):
    """A request is refused for a reason that the contract names.

    ``details`` says for each field what is wrong with it; it is empty where the contract has no details.
    """

    def __init__(self, details: Mapping[str, Sequence[str]] | None = None) -> None:
        """Keep the details out of the exception's text, which might be logged."""
        super().__init__()
        self.details = {field: list(messages) for field, messages in (details or {}).items()}


class Unauthenticated(Refusal):
    """The request carries no credential that opens this API."""


class BannedAddress(Refusal):
    """The client's address lies in one of the shop's blocked networks."""


class OriginNotAllowed(Refusal):
    """The shop lists allowed origins, and the request's is not among them."""


class NotFound(Refusal):
    """There is no such route or method."""


class RequestTooLarge(Refusal):
    """The body is larger than any request of the contract can be."""


class SessionIdTooLong(Refusal):
    """A search session's id has more than 32 characters."""


class InvalidSessionItem(Refusal):
    """A search session's item is malformed."""


class MissingSessionFields(Refusal):
    """A search session's item lacks required fields."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Name the missing fields, in the contract's order."""
        super().__init__()
        self.fields = list(fields)


class InvalidRequest(Refusal):
    """A Shop API request is not what its route takes; ``details`` says why."""


class InvalidProduct(Refusal):
    """There is no such product in this shop, or it is not for sale."""


class InsufficientStock(Refusal):
    """The item's new quantity would exceed the stock."""


class CartFull(Refusal):
    """The cart holds as many items, or as much of one, as it may."""


class ItemNotFound(Refusal):
    """There is no such item in this customer's cart."""


class CartChanged(Refusal):
    """The request names another version of the cart than the ``current`` one."""

    def __init__(self, current: "PricedCart") -> None:
        """Carry the current cart, for its entity tag."""
        super().__init__()
        self.current = current


class IdempotencyKeyReused(Refusal):
    """The idempotency key belongs to another request."""


class Unavailable(Exception):
    """The database throttles, or does not answer in time, retries included."""


class Ambiguous(Unavailable):
    """A write may or may not have been applied: its answer never came."""
