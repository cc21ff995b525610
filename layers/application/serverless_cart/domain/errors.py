"""The rules of a cart that a request can break, each with a status and a text in `web` (contract: Shop errors)."""

from collections.abc import Mapping, Sequence


class Refusal(Exception):
    """A request is refused for a reason that is in the contract.

    ``details`` has the messages by field; it is empty if the contract has no details for this refusal.
    """

    def __init__(self, details: Mapping[str, Sequence[str]] | None = None) -> None:
        """Keep the details out of the exception's text, which might be logged."""
        super().__init__()
        self.details = {field: list(messages) for field, messages in (details or {}).items()}


class InvalidProduct(Refusal):
    """There is no such product in this shop, or it is not for sale."""


class InsufficientStock(Refusal):
    """The item's new quantity would exceed the stock."""


class CartFull(Refusal):
    """The cart already has the maximum number of items, or the item the maximum quantity."""


class ItemNotFound(Refusal):
    """There is no such item in this customer's cart."""


class CartEmpty(Refusal):
    """The cart has no item that can be bought."""


class TooManyUnpaidOrders(Refusal):
    """The customer already has as many orders that wait for their payment as the deployment allows."""


class OrderNotFound(Refusal):
    """There is no such order of this customer, or of this shop."""


class OrderNotCancellable(Refusal):
    """The customer can no longer cancel the order: it has left `hold`."""


class InvalidTransition(Refusal):
    """An order in this status cannot change as asked."""


class NotAGuest(Refusal):
    """The token is not that of another customer who is a guest of this shop."""


class MethodNotOffered(Refusal):
    """The shop does not offer the selected shipping or payment method."""


class InvalidDiscountCode(Refusal):
    """There is no such discount code, or it does not apply to the cart."""


class IdempotencyKeyReused(Refusal):
    """The idempotency key belongs to another request."""
