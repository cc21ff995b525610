"""The erasure of a customer: the figures of the orders stay, the person goes."""

from collections.abc import Iterator
from typing import Final

from serverless_cart.domain.cart import Owner
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_attributes, key_of
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.orders import DynamoDBOrderStore, erasure_writes
from serverless_cart.dynamodb.retries import wait_at_random
from serverless_cart.dynamodb.table import Table, TransactionContended, TransactionRefused
from serverless_cart.service.errors import Unavailable

MAX_CONFLICT_RETRIES: Final = 32
"""Maximum attempts when other requests change an order."""


class ErasureStore:
    """Erases customers. Its methods raise `Unavailable` and may be repeated."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._orders = DynamoDBOrderStore(table)

    def erase_orders(self, owner: Owner) -> Iterator[str]:
        """Remove a customer from the orders, one transaction each, and return their keys one by one."""
        for entry in self._table.items_of(keys.orders_of_customer(owner)):
            key = keys.listed_order(key_of(entry).sk)
            self._erase_order(owner, key, key_of(entry))
            yield key

    def erase_rest(self, owner: Owner) -> int:
        """Delete the customer's cart, uses, and tokens with their list; return the number of tokens."""
        entries = [
            key_of(it) for it in self._table.items_of(keys.tokens(owner.shop), keys.customer_tokens(owner.customer))
        ]
        tokens = [keys.token(digest) for entry in entries if (digest := keys.listed_digest(entry))]
        # The entries are deleted last, so that an interrupted erasure finds the tokens again.
        gone = [keys.cart(owner), keys.uses(owner), *tokens, *entries]
        self._table.write_many({"DeleteRequest": {"Key": key_attributes(key)}} for key in gone)
        return len(tokens)

    def _erase_order(self, owner: Owner, key: str, entry: Key) -> None:
        for attempt in range(MAX_CONFLICT_RETRIES):
            wait_at_random(attempt)
            order = self._orders.find(owner.shop, key)
            if order is None or order.customer != owner.customer:
                self._table.write_many([{"DeleteRequest": {"Key": key_attributes(entry)}}])
                return
            try:
                self._table.transact(erasure_writes(order), attempts=1)
            except (TransactionRefused, TransactionContended):
                continue
            return
        raise Unavailable
