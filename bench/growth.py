"""Growth: the time of an add and a read by the number of carts, products and items, on DynamoDB Local.

Tables and carts of all sizes take turns, so that other work of the machine slows all of them.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from rich.table import Table as RichTable

from bench.engine import new_table
from local import dynamodb_local
from serverless_cart.domain.cart import Cart, CartItem, ItemAddition, Owner
from serverless_cart.domain.product import Product, ProductSnapshot
from serverless_cart.dynamodb.attributes import Item
from serverless_cart.dynamodb.carts import DynamoDBCartStore, cart_to_item
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.table import Table
from serverless_cart.service.cart import CartService, Preconditions
from tools.support.events import NOW, SHOP

STORED: Final = (1, 1_000, 100_000)
"""The number of carts in a table, and of products."""
ITEMS: Final = (1, 5, 20, 100)
"""The number of items in the measured cart."""
USUAL: Final = 5
"""The number of items in the cart while the table grows."""
FLAT: Final = 1.25
"""The largest accepted ratio of the time in the largest table to that in the smallest."""

Operation = Callable[[], object]


def measure(rounds: int = 200) -> dict[str, Any]:
    """Return the median times of an add and a read in milliseconds, by stored carts and by items in the cart.

    ``ratios`` compares the largest table with the smallest: the median of the turns' ratios. ``met`` is true if no
    ratio exceeds `FLAT`. Raises `LocalCloudError`.
    """
    with dynamodb_local.running() as engine:
        tables = {size: _filled(engine, size) for size in STORED}
        cases = {f"{size:,} carts": _operations(table, USUAL) for size, table in tables.items()}
        cases |= {f"{items} items": _operations(tables[STORED[0]], items) for items in ITEMS}
        times: dict[str, dict[str, list[float]]] = {case: {"add": [], "read": []} for case in cases}
        for turn in range(rounds):
            for case, operations in cases.items() if turn % 2 else reversed(cases.items()):
                for name, carry_out in operations.items():
                    times[case][name].append(_timed(carry_out))
    smallest, largest = (times[f"{size:,} carts"] for size in (STORED[0], STORED[-1]))
    ratios = {
        name: statistics.median(last / first for last, first in zip(largest[name], smallest[name], strict=True))
        for name in smallest
    }
    return {
        "times": {case: {name: statistics.median(of[name]) for name in of} for case, of in times.items()},
        "ratios": ratios,
        "at_most": FLAT,
        "met": all(ratio <= FLAT for ratio in ratios.values()),
    }


def table(measured: dict[str, Any]) -> RichTable:
    """Format the result of `measure`."""
    ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in measured["ratios"].items())
    caption = f"largest table against smallest: {ratios}; at most {measured['at_most']}"
    shown = RichTable(title="Growth, in ms", caption=caption)
    shown.add_column(f"carts and products stored (of {USUAL} items), or items in the cart")
    for name in ("add", "read"):
        shown.add_column(name, justify="right")
    for case, of in measured["times"].items():
        shown.add_row(case, *(f"{milliseconds:.2f}" for milliseconds in of.values()))
    return shown


def _filled(engine: str, size: int) -> Table:
    """Create a table with ``size`` carts and ``size`` products."""
    filled = new_table(engine, f"table-{size}")
    for start in range(0, size, 1_000):
        rows = _rows(range(start, min(start + 1_000, size)))
        filled.write_many({"PutRequest": {"Item": row}} for row in rows)
    return filled


def _rows(numbers: range) -> Iterator[Item]:
    for number in numbers:
        yield cart_to_item(Owner(SHOP, f"customer-{number}"), cart([number + 1]), NOW)
        yield product_to_item(SHOP, product(number + 1))


def _operations(of: Table, items: int) -> dict[str, Operation]:
    """Return an add to a cart with this many items, and a read of it."""
    owner = Owner(SHOP, f"with-{items}")
    rows = [cart_to_item(owner, cart(range(1, items + 1)), NOW)]
    rows += [product_to_item(SHOP, product(id_)) for id_ in range(1, items + 1)]
    of.write_many({"PutRequest": {"Item": row}} for row in rows)
    service = CartService(DynamoDBCartStore(of, lambda: NOW), lambda: NOW)
    return {
        "add": lambda: service.add(owner, ItemAddition(1, 1, None), Preconditions()),
        "read": lambda: service.read(owner),
    }


def cart(products: Iterable[int]) -> Cart:
    """Return a cart with one of each product."""
    items = {id_: CartItem(id_, 1, "", NOW, NOW, ProductSnapshot(product(id_), NOW)) for id_ in products}
    return Cart(version=NOW, created_at=NOW, updated_at=NOW, items=items)


def product(id_: int) -> Product:
    """Return a product."""
    image = f"https://images.example/{id_}.jpg"
    return Product(id_, f"REF-{id_}", f"Product {id_}", image, price=1_490, discount=0, stock=None, active=True)


def _timed(carry_out: Operation) -> float:
    start = time.perf_counter()
    carry_out()
    return (time.perf_counter() - start) * 1000
