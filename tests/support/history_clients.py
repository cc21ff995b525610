"""The client that sends a history's operations to the service, without HTTP and functions."""

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.errors import Refusal
from serverless_cart.service.cart import CartChanged, CartService
from tests.support.history import Answer, Contents, Operation
from tests.support.reference_cart import REFUSALS
from tools.support.events import SHOP


def owner_of(operation: Operation) -> Owner:
    return Owner(SHOP, f"customer-{operation.cart}")


class ServiceClient:
    """Calls the service as the functions do."""

    def __init__(self, carts: CartService) -> None:
        self._carts = carts

    def __call__(self, operation: Operation, version: int | None) -> Answer:
        try:
            outcome = operation.request.send(self._carts, operation.preconditions(version), owner_of(operation))
        except CartChanged as changed:
            return Answer("cart has changed", changed.current.cart.version)
        except Refusal as refusal:
            return Answer(REFUSALS[type(refusal)])
        contents = Contents.of(outcome.cart.cart)
        return Answer("replay" if outcome.replayed else "done", outcome.cart.cart.version, contents)
