"""What asks for a history's operations in this process, past HTTP and the functions."""

from storefront.domain.cart import Addition, Owner, PricedCart, Revision
from storefront.domain.errors import CartChanged, Refusal
from storefront.domain.identity import item_id
from storefront.service.cart import CartService, Outcome, Terms
from storefront.service.port import UsedKey
from storefront.store.carts import CartStore
from storefront.store.table import Table
from storefront.web import errors
from storefront.web.edge import clock
from tests.builders import SHOP
from tests.engine.history import Answer, Contents, Operation


def owner_of(operation: Operation) -> Owner:
    return Owner(SHOP, f"customer-{operation.cart}")


def contents_of(cart: PricedCart) -> Contents:
    lines = {number: (line.quantity, line.notes) for number, line in cart.cart.items.items()}
    return Contents(lines, cart.cart.selections.address)


class ServiceClient:
    """Asks the service as the functions do."""

    def __init__(self, table: Table) -> None:
        self._carts = CartService(CartStore(table, clock), clock)

    def __call__(self, operation: Operation, version: int | None) -> Answer:
        try:
            outcome = self._send(operation, version)
        except CartChanged as changed:
            return Answer("cart has changed", changed.current.cart.version)
        except Refusal as refusal:
            return Answer(errors.words(errors.SHOP, refusal)[1])
        told = contents_of(outcome.cart)
        if operation.kind in ("revise", "annotate"):
            line = told.lines.get(operation.product)
            if line is None:
                return Answer("item not found")
            told = Contents({operation.product: line})
        return Answer("replay" if outcome.replayed else "done", outcome.cart.cart.version, told)

    def _send(self, operation: Operation, version: int | None) -> Outcome:
        carts, owner = self._carts, owner_of(operation)
        key = UsedKey(operation.key, repr(operation.request)) if operation.key else None
        terms = Terms(key, None if version is None else frozenset({version}))
        item = item_id(owner, operation.product)
        match operation.kind:
            case "add":
                assert operation.quantity
                return carts.add(owner, Addition(operation.product, operation.quantity, operation.notes), terms)
            case "revise" | "annotate":
                return carts.revise(owner, item, Revision(operation.quantity, operation.notes), terms)
            case "remove":
                return carts.remove(owner, item, terms)
            case "select":
                return carts.select(owner, {"address": operation.address}, terms)
            case "clear":
                return carts.clear(owner, terms)
            case _:
                return Outcome(carts.read(owner))
