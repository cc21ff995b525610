"""The shipping and payment methods of shops: one item of the table for each shop and kind."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import from_json, to_json

from serverless_cart.domain.methods import Kind, Method, PaymentMethod, ShippingMethod
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, key_attributes, number, read_int, read_text, text
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import Table, TransactionRefused
from serverless_cart.dynamodb.tokens import still_open

_TYPES: Final[dict[Kind, type[ShippingMethod] | type[PaymentMethod]]] = {
    Kind.SHIPPING: ShippingMethod,
    Kind.PAYMENT: PaymentMethod,
}


class MethodsChanged(Exception):
    """Another operator changed the methods in the meantime, or the shop was closed."""


class MethodStore:
    """The methods of all shops. Its methods raise `Unavailable`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, shop: str, kind: Kind) -> tuple[list[Method], int]:
        """Read a shop's methods of a kind in their order, and their version: 0 if the shop never listed any."""
        item = self._table.get(keys.methods(shop, kind))
        return methods_from_item(item, kind), read_int(item, "version") if item else 0

    def replace(self, shop: str, kind: Kind, methods: Sequence[Method], version: int) -> None:
        """Write all methods of a kind, if they have the version that was read, in one transaction with the shop.

        Raises `MethodsChanged`.
        """
        unchanged = Expression()
        if version:
            unchanged.require_equal("version", number(version))
        else:
            unchanged.require_absent("version")
        item = methods_to_item(shop, kind, methods, version + 1)
        try:
            self._table.transact([still_open(shop), ("Put", {"Item": item, **unchanged.condition()})])
        except TransactionRefused:
            raise MethodsChanged from None


def methods_to_item(shop: str, kind: Kind, methods: Sequence[Method], version: int) -> Item:
    """Write a shop's methods of a kind as an item of the table."""
    listed: list[dict[str, Any]] = [method._asdict() for method in methods]
    return {
        **key_attributes(keys.methods(shop, kind)),
        "methods": text(to_json(listed).decode()),
        "version": number(version),
    }


def methods_from_item(item: Item | None, kind: Kind) -> list[Method]:
    """Read what `methods_to_item` wrote; no methods if there is no item."""
    return [_TYPES[kind](**fields) for fields in from_json(read_text(item, "methods"))] if item else []
