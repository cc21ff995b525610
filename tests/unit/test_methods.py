"""What a selected shipping method costs, and which methods a shop offers (contract: Shipping and payment methods)."""

from collections.abc import Sequence

import pytest

from serverless_cart.domain.cart import Selections, Snapshots, price, stale
from serverless_cart.domain.methods import Method, PaymentMethod, ShippingMethod, ShippingSnapshot, offers
from serverless_cart.domain.methods import shipping_snapshot as snapshot_of
from tests.support.builders import OWNER, cart, free_shipping, item, product
from tools.support.events import NOW

PARCEL = ShippingMethod(3, "Parcel", cost=490, free_from=2000)
HIDDEN = PARCEL._replace(id=4, active=False)


@pytest.mark.parametrize(
    ("methods", "offered"),
    [
        ([], {0, 3, 4}),
        ([PARCEL, HIDDEN], {3}),
        ([HIDDEN], set()),
        ([PaymentMethod(0, "Cash"), PaymentMethod(4, "Card", active=False)], {0}),
    ],
)
def test_shop_offers_its_active_methods_or_any(methods: Sequence[Method], offered: set[int]) -> None:
    assert {id_ for id_ in (0, 3, 4) if offers(methods, id_)} == offered


@pytest.mark.parametrize(
    ("methods", "quantity", "cost", "warned"),
    [
        ([PARCEL], 1, 490, False),
        ([PARCEL], 2, 0, False),
        ([PARCEL._replace(free_from=None)], 2, 490, False),
        ([PARCEL._replace(free_from=2001)], 2, 490, False),
        ([HIDDEN, PARCEL._replace(active=False)], 1, 0, True),
        ([], 1, 0, False),
    ],
)
def test_shipping_costs_less_from_a_subtotal_on(
    methods: list[Method], quantity: int, cost: int, *, warned: bool
) -> None:
    it = cart(item(product(), quantity), selections=Selections(shipping_method=3))

    priced = price(OWNER, it, Snapshots(shipping={3: snapshot_of(methods, 3, NOW)}))

    assert (priced.subtotal, priced.shipping_cost, priced.total) == (1000 * quantity, cost, 1000 * quantity + cost)
    assert [(it.code, it.product_id) for it in priced.warnings] == [("shipping_unavailable", None)] * warned


@pytest.mark.parametrize("items", [[], [item(product(active=False))]])
def test_cart_that_sells_nothing_ships_for_nothing(items: list[object]) -> None:
    it = cart(*items, selections=Selections(shipping_method=3), shipping=snapshot_of([PARCEL], 3, NOW))  # type: ignore[arg-type]

    assert price(OWNER, it).total == 0


@pytest.mark.parametrize(
    ("known", "newer", "wanted"),
    [
        (None, None, 3),
        (free_shipping(3, NOW - 59_999), None, None),
        (free_shipping(3, NOW - 60_000), None, 3),
        (free_shipping(4), None, 3),
        (free_shipping(3, NOW - 60_000), free_shipping(3), None),
        (free_shipping(3), free_shipping(3, NOW - 60_000), None),
    ],
)
def test_shipping_method_is_read_again_after_a_minute(
    known: ShippingSnapshot | None, newer: ShippingSnapshot | None, wanted: int | None
) -> None:
    it = cart(selections=Selections(shipping_method=3), shipping=known)

    assert stale(it, Snapshots(shipping={3: newer} if newer else {}), NOW, 60).shipping == wanted
