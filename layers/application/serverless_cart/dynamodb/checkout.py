"""The checkout in the table: one transaction for the order, its stock, its discount code and the emptied cart."""

from dataclasses import replace
from typing import Final

from serverless_cart.domain.cart import Cart, Owner
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.methods import Kind
from serverless_cart.domain.orders import Order, OrderItem
from serverless_cart.dynamodb import keys, retries
from serverless_cart.dynamodb.attributes import key_attributes, number, read_optional_int, text
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_from_item, records_after, store_newer
from serverless_cart.dynamodb.expiry import require_alive
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.methods import methods_from_item
from serverless_cart.dynamodb.order_item import order_from_item
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.table import TransactionContended, TransactionRefused, Write
from serverless_cart.dynamodb.whole_carts import next_version, replacement
from serverless_cart.service.checkout_ports import Basket, CheckoutConflict, CheckoutStore
from serverless_cart.service.ports import Change

SPREAD: Final = 2
"""What is added to the attempt for `retries.wait_at_random`: the first wait is up to 40 ms."""


class DynamoDBCheckoutStore(DynamoDBCartStore, CheckoutStore):
    """Carts, products and new orders in the table."""

    def read_basket(self, owner: Owner, order_key: str | None) -> Basket:
        """Read with one BatchGetItem."""
        now = self._clock()
        cart_key, uses_key = keys.cart(owner), keys.uses(owner)
        order = keys.order(owner.shop, order_key) if order_key else None
        methods = {kind: keys.methods(owner.shop, kind) for kind in Kind}
        found = self._table.get_many([cart_key, uses_key, *methods.values(), *([order] if order else [])])
        return Basket(
            cart_from_item(found.get(cart_key), now),
            {kind: methods_from_item(found.get(key), kind) for kind, key in methods.items()},
            read_optional_int(found.get(uses_key, {}), "holds") or 0,
            order_from_item(owner.shop, found[order]) if order in found else None,
        )

    def find_order(self, shop: str, key: str) -> Order | None:
        """Read with one GetItem."""
        item = self._table.get(keys.order(shop, key))
        return order_from_item(shop, item) if item else None

    def record_review(self, owner: Owner, cart: Cart, change: Change) -> Cart:
        """Record with one UpdateItem."""
        write = Expression()
        require_alive(write, change.at)
        store_newer(write, cart, change)
        if change.key:
            write.set("reviewed_by", text(change.key.digest))
        else:
            write.remove("reviewed_by")
        return self._send(owner, write, change.at)

    def place(self, cart: Cart, order: Order, code: DiscountCode | None, change: Change, attempt: int = 0) -> None:
        """Write with one TransactWriteItems."""
        owner = Owner(order.shop, order.customer)
        records = records_after(cart, change, order.key)
        emptied = replace(
            next_version(cart, change), items={}, discount=None, reviewed_by="", idempotency_records=records
        )
        writes = [replacement(owner, cart, emptied, change.at, self._limits.cart_lifetime)]
        writes += [_sale(order.shop, item) for item in order.items if item.product_id in order.reserved]
        uses = None
        if code:
            writes.append(_use(order.shop, code))
            uses = Expression()
            uses.add(keys.use_of(code.key), number(1))
            if code.max_uses_per_customer is not None:
                uses.require_absent_or(keys.use_of(code.key), "<", number(code.max_uses_per_customer))
        writes += new_order_writes(order, self._limits.open_holds, uses)
        try:
            self._table.transact(writes, attempts=1)
        except (TransactionRefused, TransactionContended):
            retries.wait_at_random(SPREAD + attempt)
            raise CheckoutConflict from None


def _sale(shop: str, item: OrderItem) -> Write:
    """Take the pieces of a product, if enough are left and it is for sale at the price of the order."""
    sale = Expression()
    sale.require_equal("price", number(item.unit_price))
    sale.require_equal("discount", number(item.unit_discount))
    sale.require_equal("active", {"BOOL": True})
    sale.require(f"{sale.name('stock')} >= {sale.value(number(item.quantity))}")
    sale.add("stock", number(-item.quantity))
    return "Update", {"Key": key_attributes(keys.product(shop, item.product_id)), **sale.update()}


def _use(shop: str, code: DiscountCode) -> Write:
    """Count a use of a discount code, if it is active and has uses left."""
    use = Expression()
    use.require_equal("active", {"BOOL": True})
    if code.max_uses is not None:
        use.require(f"{use.name('uses')} < {use.value(number(code.max_uses))}")
    use.add("uses", number(1))
    return "Update", {"Key": key_attributes(keys.discount(shop, code.key)), **use.update()}
