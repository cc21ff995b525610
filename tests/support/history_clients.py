"""What asks for a history's operations in this process, past HTTP and the functions."""

from serverless_cart.clock import clock
from serverless_cart.domain.cart import ItemAddition, ItemUpdate, Owner, PricedCart
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.limits import Limits
from serverless_cart.domain.public_ids import item_id
from serverless_cart.dynamodb.carts import DynamoDBCartStore
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.cart import CartChanged, CartService, Outcome, Preconditions
from serverless_cart.service.ports import IdempotencyKey
from serverless_cart.web.shop_api import ERRORS
from tests.support.history import ITEMS, Answer, Contents, Operation
from tools.support.events import SHOP


def owner_of(operation: Operation) -> Owner:
    return Owner(SHOP, f"customer-{operation.cart}")


def contents_of(cart: PricedCart) -> Contents:
    lines = {number: (line.quantity, line.notes) for number, line in cart.cart.items.items()}
    return Contents(lines, cart.cart.selections.address)


class ServiceClient:
    """Asks the service as the functions do."""

    def __init__(self, table: Table) -> None:
        limits = Limits(cart_items=ITEMS)
        self._carts = CartService(DynamoDBCartStore(table, clock, limits), clock, limits)

    def __call__(self, operation: Operation, version: int | None) -> Answer:
        try:
            outcome = self._send(operation, version)
        except CartChanged as changed:
            return Answer("cart has changed", changed.current.cart.version)
        except Refusal as refusal:
            return Answer(ERRORS[type(refusal)][1])
        told = contents_of(outcome.cart)
        if operation.kind in ("revise", "annotate"):
            line = told.lines.get(operation.product)
            if line is None:
                return Answer("item not found")
            told = Contents({operation.product: line})
        return Answer("replay" if outcome.replayed else "done", outcome.cart.cart.version, told)

    def _send(self, operation: Operation, version: int | None) -> Outcome:
        carts, owner = self._carts, owner_of(operation)
        key = IdempotencyKey(operation.key, repr(operation.request)) if operation.key else None
        preconditions = Preconditions(key, None if version is None else frozenset({version}))
        item = item_id(owner, operation.product)
        match operation.kind:
            case "add":
                assert operation.quantity
                return carts.add(
                    owner, ItemAddition(operation.product, operation.quantity, operation.notes), preconditions
                )
            case "revise" | "annotate":
                return carts.update_item(owner, item, ItemUpdate(operation.quantity, operation.notes), preconditions)
            case "remove":
                return carts.remove(owner, item, preconditions)
            case "select":
                return carts.select(owner, {"address": operation.address}, preconditions)
            case "clear":
                return carts.clear(owner, preconditions)
            case _:
                return Outcome(carts.read(owner))
