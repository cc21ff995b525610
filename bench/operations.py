"""The measured operations: for each an event of API Gateway, and the items of the table before it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from serverless_cart import auth
from serverless_cart.domain import statistics
from serverless_cart.domain.cart import Cart, CartItem, Owner
from serverless_cart.domain.discounts import DiscountCode, DiscountSnapshot
from serverless_cart.domain.guests import guest_customer
from serverless_cart.domain.limits import RESERVED_PRODUCTS
from serverless_cart.domain.methods import Kind, ShippingMethod
from serverless_cart.domain.orders import Order, OrderItem
from serverless_cart.domain.product import Product, ProductSnapshot
from serverless_cart.domain.public_ids import item_id
from serverless_cart.domain.session import Device, ItemKey, Session
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import Item, key_attributes, number
from serverless_cart.dynamodb.carts import cart_to_item
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.discounts import DiscountRecord, discount_to_item
from serverless_cart.dynamodb.methods import methods_to_item
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.statistics import Chunk, day_text, details_item, total_name
from serverless_cart.dynamodb.token_registry import TokenRecord, record_to_items
from serverless_cart.dynamodb.tokens import shop_to_item, token_to_item, token_to_items
from tools.support.events import DAY, HASHID, HOUR, NOW, SECOND, SHOP, Event, altered, load

SIZES: Final = (1, 5, 20, 100)
"""Items of a cart or session after the operation, or before it if it deletes items."""
FRESH: Final = NOW - 10 * SECOND
"""When a fresh price was read."""
AGED: Final = NOW - 90 * SECOND
"""When a stale price was read."""
FIRST: Final = 100_000
"""The lowest id of the products."""
DEVICES: Final[tuple[Device, ...]] = ("desktop", "mobile")
API_KEY: Final = "0" * 40
"""The key of the authorizer's event."""


@dataclass(frozen=True)
class Operation:
    """One request in one state of the table.

    ``size`` is the number of items, ``None`` if it does not matter. ``rows`` are the items of the table that only this
    operation needs. ``at_most`` and ``write_units`` are targets, and ``calls`` is the number in docs/table.md.
    """

    name: str
    function: str
    event: Event
    calls: int
    size: int | None = None
    rows: Sequence[Item] = field(repr=False, default=())
    at_most: float | None = None
    write_units: int | None = None

    @property
    def title(self) -> str:
        """Return the unique name of the operation."""
        return self.name if self.size is None else f"{self.name}, {self.size}"


def shared_rows(products: int = max(SIZES)) -> list[Item]:
    """Return the items that all operations need: the shop, its token and its products."""
    shop = Shop(SHOP, frozenset({HASHID}))
    return [
        shop_to_item(shop),
        *token_to_items(auth.digest(API_KEY), auth.Token("api_key", SHOP)),
        *(product_to_item(SHOP, _product(number)) for number in range(products)),
    ]


def operations() -> list[Operation]:
    """Return all operations in the order of the report."""
    return [
        Operation("authorizer", "authorizer", load("authorizer/token"), calls=2),
        Operation("guest create", "guests", load("guests/post"), calls=1, write_units=1),
        Operation("method list", "methods", load("methods/shipping"), calls=1, rows=[_methods()]),
        *_session_operations(),
        Operation(
            "issue a token",
            "customer_tokens",
            load("customer_tokens/post"),
            2,
            rows=_tokens("customer-1", 3),
            write_units=8,
        ),
        Operation(
            "customer cart",
            "customer_cart",
            altered(load("customer_cart/get"), path={"customer": "peek-5"}),
            1,
            5,
            _cart("peek-5", 5),
        ),
        *_statistics_operations(),
        *_order_operations(),
        *(operation for size in SIZES for operation in _cart_operations(size)),
    ]


def _session_operations() -> Iterator[Operation]:
    put = altered(load("stats_cart/put"), path={"session_id": "put"})
    yield Operation(
        "stats PUT", "stats_cart", put, 1, rows=_session("put", 1, ItemKey("product", "MUG-7")),
        at_most=1.25, write_units=1,
    )  # fmt: skip
    patch = altered(load("stats_cart/patch"), path={"session_id": "patch"}, body={"id": "MUG-7", "index": "product"})
    rows = _session("patch", 1, ItemKey("product", "MUG-7"))
    yield Operation("stats PATCH", "stats_cart", patch, 1, rows=rows, write_units=1)
    for name in ("init", "click", "image", "redirect"):
        yield Operation(f"stats {name}", "stats_events", load(f"stats_events/{name}"), 1, write_units=1)
    body = {"session_id": "checkout"}
    checkout = altered(load("stats_events/checkout"), body=body)
    yield Operation("stats checkout", "stats_events", checkout, 2, 0, write_units=1)
    for size in SIZES[:-1]:  # more than 99 items take a second transaction
        checkout = altered(load("stats_events/checkout"), body={"session_id": f"checkout-{size}"})
        rows = _session(f"checkout-{size}", size)
        yield Operation("stats checkout", "stats_events", checkout, 2, size, rows, write_units=2 * (1 + size))
    for size in SIZES:
        id_ = f"delete-{size}"
        delete = altered(load("stats_cart/delete"), path={"session_id": id_})
        calls = 1 + math.ceil(size / 25)
        yield Operation("stats DELETE", "stats_cart", delete, calls, size, _session(id_, size), write_units=size)


def _cart_operations(size: int) -> Iterator[Operation]:
    bound = {5: 1.25, 100: 1.5}.get(size)
    # Adds the last product, which is not in the cart yet.
    body = {"product": FIRST + size - 1, "quantity": 2}

    event = _of(load("cart_items/post"), f"add-{size}", body=body)
    yield Operation("cart add", "cart_items", event, 2, size, _cart(f"add-{size}", size - 1), bound)

    event = _of(load("cart/get"), f"read-{size}")
    yield Operation("cart read", "cart", event, 1, size, _cart(f"read-{size}", size), bound)

    path = {"id": str(item_id(Owner(SHOP, f"update-{size}"), FIRST))}
    event = _of(load("cart_items/patch"), f"update-{size}", path=path, body={"quantity": 3})
    yield Operation("item update", "cart_items", event, 3, size, _cart(f"update-{size}", size))

    path = {"id": str(item_id(Owner(SHOP, f"remove-{size}"), FIRST))}
    event = _of(load("cart_items/delete"), f"remove-{size}", path=path)
    yield Operation("item remove", "cart_items", event, 2, size, _cart(f"remove-{size}", size))

    event = _of(load("cart/patch"), f"select-{size}", body={"address": 7})
    yield Operation("cart select", "cart", event, 2, size, _cart(f"select-{size}", size))

    event = _of(load("cart/discount_put"), f"discount-{size}", body={"code": "SPRING"})
    rows = [*_cart(f"discount-{size}", size), _discount(SHOP)]
    yield Operation("discount apply", "cart", event, 2, size, rows)

    yield _checkout(min(size, RESERVED_PRODUCTS))

    event = _of(load("cart/delete"), f"clear-{size}")
    yield Operation("cart clear", "cart", event, 2, size, _cart(f"clear-{size}", size))

    event = _of(load("cart/get"), f"aged-read-{size}")
    yield Operation("cart read, aged", "cart", event, 2, size, _cart(f"aged-read-{size}", size, AGED))

    if size > 1:
        held, merge = size * 2 // 5, f"merge-{size}"
        token = auth.digest(f"{size:040}")
        rows = [
            token_to_item(token, auth.Token("customer", SHOP, guest_customer(token), 2**31)),
            *_cart(merge, held),
            *_cart(guest_customer(token), size),
        ]
        event = _of(load("cart_merge/post"), merge, body={"token": f"{size:040}"})
        yield Operation("cart merge", "cart_merge", event, 3, size, rows)

        event = _of(load("cart_items/post"), f"aged-add-{size}", body=body)
        yield Operation("cart add, aged", "cart_items", event, 3, size, _cart(f"aged-add-{size}", size - 1, AGED))


def _checkout(size: int) -> Operation:
    """Return the checkout of a cart with a discount code; all orders have one key, so each is in a separate shop."""
    shop = f"checkout-{size}"
    event = altered(load("checkout/post"), authorizer={"shop": shop, "customer": "c"}, body={"shipping_method": 1})
    code = DiscountSnapshot(DiscountCode("SPRING", percent=10), customer_uses=0, read_at=FRESH)
    rows = [
        _methods(shop),
        _discount(shop),
        *(product_to_item(shop, _product(number)) for number in range(size)),
        cart_to_item(Owner(shop, "c"), replace(_cart_of(size), discount=code), FRESH),
    ]
    return Operation("checkout", "checkout", event, 3, size, rows)


def _order_operations() -> Iterator[Operation]:
    items = 5
    list_ = {"customer": "orders"}
    listed = [_order(number, "orders", items) for number in range(10)]
    rows = [row for it in listed for row in _order_rows(it)]
    event = altered(load("orders/list"), authorizer=list_)
    yield Operation("orders list", "orders", event, 2, rows=rows)
    event = altered(load("orders/get"), authorizer=list_, path={"key": listed[0].key})
    yield Operation("order read", "orders", event, 1, rows=rows)
    held = _order(10, "cancel", items)
    event = altered(load("orders/cancel"), authorizer={"customer": "cancel"}, path={"key": held.key})
    yield Operation("order cancel", "orders", event, 3, items, _order_rows(held))
    paid = _order(11, "pay", items)
    event = altered(load("shop_orders/patch"), path={"key": paid.key}, body={"status": "processing"})
    yield Operation("order change", "shop_orders", event, 2, items, _order_rows(paid))
    event = altered(load("shop_orders/list"), query={"from": "20251101", "to": "20251130", "limit": "10"})
    yield Operation("orders of a shop", "shop_orders", event, 2, rows=rows)


def _order(number: int, customer: str, items: int) -> Order:
    sold = [_product(place) for place in range(items)]
    return Order(
        shop=SHOP,
        key=f"ORD-{number:026}",
        customer=customer,
        created_at=FRESH + number,
        updated_at=FRESH,
        items=tuple(OrderItem(it.id, it.ref, it.name, it.image, 1, "", it.price, it.discount) for it in sold),
        reserved_until=NOW + HOUR,
        currency="EUR",
        reserved={it.id: 1 for it in sold},
    )


def _order_rows(order: Order) -> list[Item]:
    """Return an order with its entries in lists and its hold."""
    return [write["Item"] for kind, write in new_order_writes(order, open_holds=1) if kind == "Put"]


def _methods(shop: str = SHOP) -> Item:
    """Return a shop's shipping methods."""
    listed = [ShippingMethod(id_, f"Parcel {id_}", cost=490, free_from=5_000) for id_ in range(1, 4)]
    return methods_to_item(shop, Kind.SHIPPING, listed, 1)


def _discount(shop: str) -> Item:
    return discount_to_item(shop, DiscountRecord(DiscountCode("SPRING", percent=10, max_uses=1_000), "", FRESH))


def _tokens(customer: str, count: int) -> list[Item]:
    """Return the tokens of a customer who has signed in before."""
    token = auth.Token("customer", SHOP, customer, expires_at=NOW // 1000 + 3600)
    version = keys.token_version(SHOP, customer)
    records = [TokenRecord(token, auth.digest(str(number)), "page", "0000", FRESH) for number in range(count)]
    return [
        {"pk": {"S": version.pk}, "sk": {"S": version.sk}, "version": {"N": str(FRESH)}},
        *(item for record in records for item in record_to_items(record)),
    ]


def _statistics_operations() -> Iterator[Operation]:
    totals, details = _statistics()
    query = {"from": "20250824", "to": "20251121"}
    event = altered(load("statistics/get"), path={"report": "inits"}, query=query)
    yield Operation("inits of 90 days", "statistics", event, 1, rows=totals)
    event = altered(load("statistics/get"), path={"report": "banners"}, query=query)
    yield Operation("banners of 90 days", "statistics", event, 1, rows=details)


def _statistics() -> tuple[list[Item], list[Item]]:
    """Return the totals and the details of 90 days, each with 48 sessions and 48 clicks on five banners."""
    totals, details, last = [], [], NOW // DAY
    for day in range(last - 89, last + 1):
        counts = statistics.Counts()
        for place in range(48):
            at = day * DAY + place * HOUR // 2
            event = statistics.Event(Session(HASHID, str(place)), at, DEVICES[place % 2])
            counts.init(event)
            counts.image(event, str(place % 5))
        ((of_day, counted),) = counts
        row = keys.day_row(keys.statistics(HASHID), day_text(day))
        figures = {total_name(*key): number(count) for key, count in counted.totals.counts.items()}
        totals.append({**key_attributes(row), **figures})
        details.append(details_item(of_day, counted.details, Chunk("shard", "0" * 40, "0" * 40)))
    return totals, details


def _of(event: Event, customer: str, **changes: Any) -> Event:  # noqa: ANN401 - JSON is anything
    """Return the event for another customer."""
    return altered(event, authorizer={"customer": customer}, **changes)


def _product(number: int) -> Product:
    """Return a product of common size: about 180 bytes in a cart line."""
    return Product(
        id=FIRST + number,
        ref=f"MUG-STONE-{number:04d}",
        name=f"Stoneware mug with a handle, glazed, colour {number}",
        image=f"https://img.shop.example/catalogue/products/{FIRST + number}/front-640.webp",
        price=1490 + number,
        discount=250,
        stock=500,
        active=True,
    )


def _cart(customer: str, size: int, read_at: int = FRESH) -> list[Item]:
    """Return a cart in the table; nothing if ``size`` is 0."""
    return [cart_to_item(Owner(SHOP, customer), _cart_of(size, read_at), FRESH)] if size else []


def _cart_of(size: int, read_at: int = FRESH) -> Cart:
    """Return a cart, one in five items of which has notes."""
    lines = {
        FIRST + number: CartItem(
            product_id=FIRST + number,
            quantity=1 + number % 3,
            notes="" if number % 5 else "Please wrap it as a gift",
            added_at=FRESH + number,
            updated_at=FRESH + number,
            snapshot=ProductSnapshot(_product(number), read_at),
        )
        for number in range(size)
    }
    return Cart(version=FRESH, created_at=FRESH, updated_at=FRESH, items=lines)


def _session(id_: str, size: int, first: ItemKey | None = None) -> list[Item]:
    names = [first or ItemKey("product", "0"), *(ItemKey("product", str(number)) for number in range(1, size))]
    return [
        {
            "pk": {"S": key.pk},
            "sk": {"S": key.sk},
            "index": {"S": name.index},
            "id": {"S": name.id},
            "title": {"S": "Stoneware mug with a handle, glazed"},
            "price": {"N": "14.9"},
            "amount": {"N": "4"},
            "clicks": {"N": "2"},
            "added_at": {"N": str(FRESH)},
            "updated_at": {"N": str(FRESH)},
            "expires_at": {"N": str(NOW // 1000 + 3600)},
        }
        for name in names
        for key in [keys.session_item(Session(HASHID, id_), name)]
    ]
