"""Anything that may happen to a cart, in any order: the service over a store, compared with the reference model.

Other requests come between reading and writing, answers of writes are lost, the catalogue changes, and time passes.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final, TypeVar, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serverless_cart.domain import cart as domain_cart
from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, Price, PricedCart
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.limits import Limits
from serverless_cart.domain.methods import Kind, Method, PaymentMethod, ShippingMethod
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb import carts
from serverless_cart.service.cart import MAX_AMBIGUOUS_RETRIES, CartService, Outcome, Preconditions
from serverless_cart.service.errors import Ambiguous
from serverless_cart.service.ports import CartStore, IdempotencyKey
from tests.support.builders import OWNER, product
from tests.support.reference_cart import REFUSALS, Clock, Interposed, Request, Rules, shown_as
from tools.support.events import DAY, HOUR, SECOND

T = TypeVar("T")
LIMITS: Final = Limits(cart_items=2, item_quantity=40)
RULES: Final = Rules(LIMITS, records=3)
"""Limits that are soon reached."""
IDS: Final = (7, 8, 9, 10, 11)
UNKNOWN: Final = 404

held = st.integers(-3, -1)
"""A product of the cart, by its place."""
quantities = st.sampled_from([1, 1, 2, 3, 5, 6, 20, 26, LIMITS.item_quantity])
notes = st.sampled_from([None, "", "red", "🎁"])
selections = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("address", "shipping_method", "payment_method"), st.sampled_from([None, 0, 1]))
)
KINDS: Final[dict[str, st.SearchStrategy[Request]]] = {
    "add": st.builds(Request, st.just("add"), st.sampled_from([*IDS, *IDS, UNKNOWN]), quantities, notes),
    "update": st.builds(Request, st.just("update"), held, quantities, notes)
    | st.builds(Request, st.just("update"), held, st.none(), st.sampled_from(["", "red"])),
    "remove": st.builds(Request, st.just("remove"), held),
    "select": st.builds(Request, st.just("select"), selections=selections),
    "clear": st.just(Request("clear")),
    "apply": st.builds(Request, st.just("apply"), code=st.sampled_from(["ten", " Ten ", "OFF", "none", "two words"])),
    "withdraw": st.just(Request("withdraw")),
}
requests = st.sampled_from(
    ["add"] * 6 + ["update"] * 4 + ["remove"] * 2 + ["clear"] * 2 + ["select"] + ["apply"] * 2 + ["withdraw"]
).flatmap(KINDS.__getitem__)
PriceChange = tuple[int, int, bool]
"""A product of the cart, by its place, its new price, and whether it is on sale."""
new_prices = st.lists(
    st.tuples(held, st.sampled_from([0, 500, 10**9]), st.sampled_from([True, True, False])), max_size=2
)
keyed = st.sampled_from([False, False, True])
versions = st.sampled_from(["any", "any", "any", "this", "another"])


class CartMachine(RuleBasedStateMachine):
    """One customer's cart and a catalogue. A subclass gives the store and writes to it, past the service."""

    def open_store(self, clock: Clock) -> CartStore:
        """Return an empty store with `LIMITS`."""
        raise NotImplementedError

    def put(self, it: Product) -> None:
        """Write a product."""
        raise NotImplementedError

    def delete(self, it: Product) -> None:
        """Delete a product."""
        raise NotImplementedError

    def put_code(self, code: DiscountCode, uses: int) -> None:
        """Write a discount code, and the customer's uses of it."""
        raise NotImplementedError

    def put_methods(self, kind: Kind, methods: list[Method]) -> None:
        """Write the shop's methods of a kind."""
        raise NotImplementedError

    def sweep(self) -> None:
        """Delete the expired cart, as DynamoDB does at some time."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for module in (domain_cart, carts):
            self.patch.setattr(module, "IDEMPOTENCY_RECORDS", RULES.records)
        self.clock = Clock()
        self.store = Interposed(self.open_store(self.clock))
        self.carts = CartService(cast("CartStore", self.store), self.clock, LIMITS)
        self.cart = Cart()
        self.last_shown: dict[int, Price] = {}
        """The prices that the customer has seen."""
        self.arrives = True
        """Whether answers reach the customer."""
        self.catalogue: dict[int, list[tuple[int, Product]]] = {}
        self.methods: dict[Kind, list[tuple[int, list[Method]]]] = {kind: [(0, [])] for kind in Kind}
        self.codes: dict[str, list[tuple[int, tuple[DiscountCode, int]]]] = {}
        self.sent: list[tuple[Request, IdempotencyKey]] = []
        self.count = count(10)

    def teardown(self) -> None:
        self.patch.undo()

    @initialize()
    def open_the_shop(self) -> None:
        for id_ in IDS:
            self._sell(product(id_, price=100 * id_, discount=id_, stock=[None, 5, 25][id_ % 3]))

    # The world -------------------------------------------------------------------------------------------------------

    @rule(
        id_=st.sampled_from(IDS),
        price=st.integers(0, 10**9) | st.just(limits.PRODUCT_PRICE),
        share=st.sampled_from([0, 10, 100]),
    )
    def price_changes(self, id_: int, price: int, share: int) -> None:
        self._sell(self._sold(id_)._replace(price=price, discount=price * share // 100))

    @rule(id_=st.sampled_from(IDS), stock=st.sampled_from([None, 0, 1, 7, 30, 10**6]))
    def stock_changes(self, id_: int, stock: int | None) -> None:
        self._sell(self._sold(id_)._replace(stock=stock))

    @rule(id_=st.sampled_from(IDS), deleted=st.booleans())
    def sale_ends_or_begins(self, id_: int, *, deleted: bool) -> None:
        it = self._sold(id_)._replace(active=not self._sold(id_).active)
        self._sell(it)
        if deleted and not it.active:
            self.delete(it)

    @rule(
        by=st.sampled_from([SECOND, 21 * SECOND, 55 * SECOND, 60 * SECOND, HOUR, DAY - 1, DAY, 30 * DAY]),
        swept=st.booleans(),
    )
    def time_passes(self, by: int, *, swept: bool) -> None:
        self.clock.now += by
        if swept and RULES.current(self.cart, self.clock.now).replaces_expired:
            self.sweep()
            self.cart = Cart()

    @rule(
        kind=st.sampled_from(Kind),
        offered=st.lists(st.integers(0, 1), max_size=2, unique=True),
        active=st.booleans(),
        cost=st.sampled_from([0, 490, limits.SHIPPING_COST]),
        free_from=st.sampled_from([None, 0, 700, 5000]),
    )
    def methods_change(self, kind: Kind, offered: list[int], cost: int, free_from: int | None, *, active: bool) -> None:
        methods: list[Method] = [
            ShippingMethod(id_, "Parcel", None, active, cost, free_from)
            if kind is Kind.SHIPPING
            else PaymentMethod(id_, "Card", None, active)
            for id_ in offered
        ]
        self.clock.now += 1
        self.methods[kind].append((self.clock.now, methods))
        self.put_methods(kind, methods)

    @rule(
        code=st.sampled_from(["TEN", "OFF"]),
        off=st.sampled_from([(1, None), (10, None), (100, None), (None, 0), (None, 700), (None, 10**9)]),
        minimum=st.sampled_from([0, 0, 700, 5000]),
        moments=st.sampled_from([(None, None), (-HOUR, HOUR), (HOUR, None), (None, -1), (-HOUR, 30 * SECOND)]),
        uses_left=st.sampled_from([(None, None), (5, 2), (4, None), (None, 1)]),
        uses=st.integers(0, 1),
        active=st.sampled_from([True, True, True, False]),
    )
    def code_changes(self, code: str, uses: int, *, active: bool, **terms: Any) -> None:
        self.clock.now += 1
        moments = (None if it is None else self.clock.now + it for it in terms["moments"])
        (percent, amount), (starts_at, ends_at), (most, most_of_one) = terms["off"], moments, terms["uses_left"]
        it = DiscountCode(
            code.title(), percent, amount, terms["minimum"], starts_at, ends_at, most, most_of_one, active, uses=4
        )
        self.codes.setdefault(code, []).append((self.clock.now, (it, uses)))
        self.put_code(it, uses)

    # Requests --------------------------------------------------------------------------------------------------------

    @rule(request=requests, keyed=keyed, versions=versions)
    def request_comes(self, request: Request, versions: str, *, keyed: bool) -> None:
        self._send(self._placed(request), self._new_key(request, keyed=keyed), self._versions(versions))

    @rule(request=requests, keyed=keyed, versions=versions, other=requests, other_keyed=keyed)
    def another_comes_between(
        self, request: Request, versions: str, other: Request, *, keyed: bool, other_keyed: bool
    ) -> None:
        request, other = self._placed(request), self._placed(other)
        self._interpose(other, self._new_key(other, keyed=other_keyed))
        self._send(request, self._new_key(request, keyed=keyed), self._versions(versions))

    @rule(request=requests, other=requests, same=st.booleans())
    def two_with_one_key_come_at_once(self, request: Request, other: Request, *, same: bool) -> None:
        request = self._placed(request)
        other = request if same else self._placed(other)
        key = self._new_key(request, keyed=True)
        assert key
        self._interpose(other, IdempotencyKey(key.digest, repr(other)))
        self._send(request, key)

    @rule(
        request=requests,
        keyed=keyed,
        fates=st.lists(st.sampled_from(["lost", "applied"]), min_size=1, max_size=MAX_AMBIGUOUS_RETRIES),
    )
    def answer_is_lost(self, request: Request, fates: list[str], *, keyed: bool) -> None:
        request = self._placed(request)
        self._send(request, self._new_key(request, keyed=keyed), fates=fates)

    @rule(request=requests, before=new_prices, meanwhile=new_prices, repeated=st.booleans())
    def answer_never_arrives(
        self, request: Request, before: Sequence[PriceChange], meanwhile: Sequence[PriceChange], *, repeated: bool
    ) -> None:
        """Change the cart without the customer seeing it. The client then repeats the request, or reads the cart."""
        request = self._placed(request)
        key = IdempotencyKey(f"key-{next(self.count)}", repr(request))
        self._reprice(before)
        self.arrives = False
        self._send(request, key)
        self.arrives = True
        self._reprice(meanwhile)
        if repeated:
            self._send(request, key)

    @rule(back=st.integers(0, 4), same=st.booleans(), other=requests)
    def key_comes_again(self, back: int, other: Request, *, same: bool) -> None:
        if self.sent:
            request, key = self.sent[-1 - back % len(self.sent)]
            request = request if same else self._placed(other)
            self._send(request, IdempotencyKey(key.digest, repr(request)))

    @invariant()
    def customer_reads(self) -> None:
        """Read the cart before each change, as the client does; only a new price is recorded."""
        self.store.calls.clear()
        before = RULES.current(self.cart, self.clock.now)
        self._check(self.carts.read(OWNER))
        assert self.store.calls.count("record") == (self.cart != before)

    # -----------------------------------------------------------------------------------------------------------------

    def _sell(self, it: Product) -> None:
        self.clock.now += 1
        self.catalogue.setdefault(it.id, []).append((self.clock.now, it))
        self.put(it)

    def _reprice(self, changes: Sequence[PriceChange]) -> None:
        for place, price, active in changes:
            id_ = self._placed(Request("remove", place)).product
            self._sell(self._sold(id_)._replace(price=price, discount=0, active=active))
        self.clock.now += 60 * SECOND

    def _sold(self, id_: int) -> Product:
        return self.catalogue[id_][-1][1]

    def _placed(self, request: Request) -> Request:
        """Return a request with a product's id for its place in the cart."""
        ids = sorted(self.cart.items) or [IDS[0]]
        if request.product >= 0:
            return request
        return Request(request.kind, ids[request.product % len(ids)], request.quantity, request.notes)

    def _new_key(self, request: Request, *, keyed: bool) -> IdempotencyKey | None:
        return IdempotencyKey(f"key-{next(self.count)}", repr(request)) if keyed else None

    def _versions(self, which: str) -> frozenset[int] | None:
        version = RULES.current(self.cart, self.clock.now + 1).version
        return {"any": None, "this": frozenset({version}), "another": frozenset({version + 1, 3})}[which]

    def _interpose(self, request: Request, key: IdempotencyKey | None) -> None:
        """Send another request between the next one's read and its write."""

        def between() -> None:
            self.store.between = lambda: None
            self.clock.now -= 1  # it takes no time
            self._send(request, key)

        self.store.between = between

    def _send(
        self,
        request: Request,
        key: IdempotencyKey | None,
        versions: frozenset[int] | None = None,
        fates: Sequence[str] = (),
    ) -> None:
        """Send a request, compare what it leads to with the rules, and apply it to the reference."""
        self.clock.now += 1
        began = RULES.current(self.cart, self.clock.now)
        self.store.lost = iter(fates)
        outcome: Outcome | None = None
        preconditions = Preconditions(key, versions)
        try:
            outcome = request.send(self.carts, preconditions)
        except Ambiguous:
            result = "ambiguous"
        except Refusal as refusal:
            result = REFUSALS[type(refusal)]
        else:
            result = "replay" if outcome.replayed else "done"
        self.store.between, self.store.lost = lambda: None, iter(())
        if key:
            self.sent.append((request, key))
        # If another request came between, the reference has it by now.
        now, self.cart = self.clock.now, RULES.current(self.cart, self.clock.now)
        sold = self._sold(request.product) if request.product in self.catalogue else None
        methods = {kind: known[-1][1] for kind, known in self.methods.items()}
        expected = RULES.outcome(self.cart, request, sold, preconditions, now=now, methods=methods)
        changed = expected == "done" and RULES.changes(self.cart, request)
        if expected == "done" and request.kind == "apply" and not self._may_apply(request.code, result):
            expected, changed = "invalid discount code", False
        if changed and fates and not key:
            expected, changed = "ambiguous", fates[0] == "applied"
        assert result == expected
        if changed:
            self._apply(request, key, began)
        if outcome:
            self._check(outcome.cart)

    def _may_apply(self, text: str, result: str) -> bool:
        """Return whether a code applies; as the result has it, if that depends on the prices of the last minute."""
        code, uses = self.codes.get(text.strip().upper(), [(0, (None, 0))])[-1][1]
        offs = {RULES.discount(code, uses, subtotal, self.clock.now) is not None for subtotal in self._subtotals()}
        return offs == {True} or (len(offs) == 2 and result != "invalid discount code")

    def _subtotals(self) -> set[int]:
        """Return the subtotals that the cart may have, by the prices of the last minute."""
        totals = {0}
        for id_, item in self.cart.items.items():
            young = _young(self.catalogue[id_], self.clock.now)
            prices = {it.active * (it.price - it.discount) * item.quantity for it in young}
            totals = {total + price for total in totals for price in prices}
        return totals

    def _apply(self, request: Request, key: IdempotencyKey | None, began: Cart) -> None:
        """Apply a change to the reference, which takes over the snapshots that the store has with it.

        The change acknowledges what answers had reported when it began.
        """
        after = self.store.store.read(OWNER)
        stored = after.items
        for id_, held in self.cart.items.items():
            if id_ not in stored:
                continue
            seen = began.items.get(id_)
            acknowledged = seen and (seen.last_shown, seen.changed_from) == (held.last_shown, held.changed_from)
            expected = RULES.showing(
                held._replace(changed_from=None) if acknowledged else held, stored[id_].snapshot.product
            )
            assert (stored[id_].last_shown, stored[id_].changed_from) == expected
        for item in stored.values():
            self._check_age(item.snapshot.product, item.snapshot.read_at)
        version, self.cart = (
            self.cart.version,
            RULES.after(
                self.cart, request, self.clock.now, key, stored, shipping=after.shipping, discount=after.discount
            ),
        )
        assert self.cart.version > version

    def _check(self, shown: PricedCart) -> None:
        """Compare an answer with the reference, and what it shows with what the customer was last shown."""
        now, cart = self.clock.now, RULES.current(self.cart, self.clock.now)
        warnings = []
        items = {}
        for line in shown.items:
            held = cart.items[line.product.id]
            warnings += [(code, line.product.id) for code in RULES.warnings(held, line.product)]
            assert (line.item.last_shown, line.item.changed_from) == RULES.showing(held, line.product)
            new = line.item.last_shown != held.last_shown
            items[line.product.id] = shown_as(held, line.item) if new else held
            self._check_age(line.product, now)
            if line.product.active and self.arrives:
                price, known = Price.of(line.product), self.last_shown.get(line.product.id)
                assert known in {None, price} or ("price_changed", line.product.id) in warnings
                self.last_shown[line.product.id] = price
        selected = shown.cart.selections.shipping_method
        expected = [
            (off or 0, cost, ["discount_unavailable"] * (off is None) + codes)
            for off in self._offs(shown, now)
            for cost, codes in (RULES.shipping(selected, it, shown) for it in _young(self.methods[Kind.SHIPPING], now))
        ]
        of_cart = [warning.code for warning in shown.warnings if warning.product_id is None]
        assert (shown.discount, shown.shipping_cost, of_cart) in expected
        assert [(warning.code, warning.product_id) for warning in shown.warnings if warning.product_id] == warnings
        self.cart = replace(cart, items=items) if cart.version else cart
        if self.arrives:
            self.last_shown = {id_: price for id_, price in self.last_shown.items() if id_ in items}
        assert _without_records(shown.cart) == _without_records(self.cart)
        assert list(shown.cart.items) == list(self.cart.items)
        assert RULES.remembered(shown.cart, now) == RULES.remembered(self.cart, now)
        assert_sums(shown)

    def _offs(self, shown: PricedCart, now: int) -> set[int | None]:
        """Return what the cart's code may take off, as it was at each moment of the last minute."""
        if shown.cart.discount is None:
            assert shown.discount_code is None
            return {0}
        key = shown.cart.discount.discount.key
        assert (shown.discount_code or "").upper() == key
        young = _young(self.codes[key], now)
        moments = [now, *range(now - 60 * SECOND + 1, now, SECOND)]
        return {RULES.discount(code, uses, shown.subtotal, at) for code, uses in young for at in moments}

    def _check_age(self, it: Product, at: int) -> None:
        """Check that the catalogue had a product so less than 60 seconds before this time."""
        assert any(it == of or (not it.active and not of.active) for of in _young(self.catalogue[it.id], at))


def _young(known: Sequence[tuple[int, T]], at: int) -> list[T]:
    """Return the values that were current less than 60 seconds before this time, of values with their beginnings."""
    ends = [since for since, _ in known[1:]] + [at + 1]
    return [value for (_, value), end in zip(known, ends, strict=True) if end > at - 60 * SECOND]


def assert_sums(shown: PricedCart) -> None:
    """Check that the sums of a cart are those of its items on sale, exact and not negative."""
    counted = [line for line in shown.items if line.product.active]
    assert shown.items_subtotal == sum(line.product.price * line.item.quantity for line in counted)
    assert shown.items_discount == sum(line.product.discount * line.item.quantity for line in counted)
    assert shown.subtotal == shown.items_subtotal - shown.items_discount == sum(line.total for line in counted)
    assert shown.total == shown.subtotal - shown.discount + shown.shipping_cost
    assert shown.quantity == sum(line.item.quantity for line in shown.items)
    figures = [
        shown.items_subtotal,
        shown.items_discount,
        shown.subtotal,
        shown.discount,
        shown.total,
        shown.shipping_cost,
    ]
    figures += [figure for line in shown.items for figure in (line.subtotal, line.discount, line.total)]
    assert all(type(figure) is int and 0 <= figure <= limits.MAX_SAFE_INTEGER for figure in figures)


def _without_records(cart: Cart) -> dict[str, Any]:
    return {name: getattr(cart, name) for name in Cart.__dataclass_fields__ if name != "idempotency_records"}
