"""Whatever happens to a cart in whatever order: the service over its own store, held against a plain model.

The store is the functions' own, over a table in memory that reads its expressions as DynamoDB does; other requests come
between reading and writing, answers of writes are lost, and the catalogue and the time go on as they please.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serverless_cart.domain import cart as domain_cart
from serverless_cart.domain import limits
from serverless_cart.domain.cart import ItemAddition, ItemUpdate, PricedCart
from serverless_cart.domain.errors import (
    CartFull,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidProduct,
    ItemNotFound,
    Refusal,
)
from serverless_cart.domain.limits import Limits
from serverless_cart.domain.product import Product
from serverless_cart.domain.public_ids import item_id
from serverless_cart.dynamodb import carts, keys
from serverless_cart.dynamodb.carts import DynamoDBCartStore
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.keys import Key
from serverless_cart.service.cart import MAX_AMBIGUOUS_RETRIES, CartChanged, CartService, Outcome, Preconditions
from serverless_cart.service.errors import Ambiguous
from serverless_cart.service.ports import IdempotencyKey
from tests.support.builders import OWNER, product
from tests.unit.memory import Clock, MemoryTable
from tools.support.events import DAY, HOUR, SECOND, SHOP

NUMBERS: Final = (7, 8, 9, 10, 11)
UNKNOWN: Final = 404
SMALL: Final = {"CART_ITEMS": 2, "ITEM_QUANTITY": 40, "IDEMPOTENCY_RECORDS": 3}
LIMITS: Final = Limits(cart_items=SMALL["CART_ITEMS"], item_quantity=SMALL["ITEM_QUANTITY"])
"""Limits that are soon reached."""

Line = tuple[int, str]
"""A quantity and notes."""
Wish = tuple[Any, ...]
"""What is asked for, and what of it; a negative number is a product's place among those in the cart."""

NUMBER = st.sampled_from([*NUMBERS, *NUMBERS, UNKNOWN])
PLACE = st.integers(-3, -1)
QUANTITY = st.sampled_from([1, 1, 2, 3, 5, 6, 20, 26, SMALL["ITEM_QUANTITY"]])
NOTES = st.sampled_from([None, "", "red", "🎁"])
SELECTIONS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("address", "shipping_method", "payment_method"), st.sampled_from([None, 0, 1]))
)
EACH: Final[dict[str, st.SearchStrategy[Wish]]] = {
    "add": st.tuples(NUMBER, QUANTITY, NOTES),
    "revise": st.tuples(PLACE, QUANTITY, NOTES) | st.tuples(PLACE, st.none(), st.sampled_from(["", "red"])),
    "remove": st.tuples(PLACE),
    "select": st.tuples(SELECTIONS),
    "clear": st.just(()),
}
WISHES: Final = st.sampled_from(["add"] * 6 + ["revise"] * 4 + ["remove"] * 2 + ["clear"] * 2 + ["select"]).flatmap(
    lambda kind: EACH[kind].map(lambda words: (kind, *words))
)
KEYS: Final = st.sampled_from(["", "", "new"])
VERSIONS: Final = st.sampled_from(["any", "any", "any", "this", "another"])


@dataclass
class Model:
    """What a cart must be, by the contract's words alone; ``changed_at`` is nothing where there is no cart."""

    lines: dict[int, Line] = field(default_factory=dict)
    selections: dict[str, int] = field(default_factory=dict)
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    created_at: int | None = None
    changed_at: int | None = None

    def expire(self, now: int) -> None:
        """Forget all 30 days after the last change, which DynamoDB counts in whole seconds."""
        if self.changed_at is not None and (self.changed_at // SECOND) * SECOND + 30 * DAY <= now:
            self.__init__()  # type: ignore[misc]

    def remembered(self, now: int) -> dict[str, tuple[str, int]]:
        young = sorted((at, key, request) for key, (request, at) in self.keys.items() if now - at < DAY)
        return {key: (request, at) for at, key, request in young[-SMALL["IDEMPOTENCY_RECORDS"] :]}

    def remember(self, key: str, request: str, now: int) -> None:
        others = [(name, use) for name, use in self.remembered(now).items() if name != key]
        self.keys = dict(others[-(SMALL["IDEMPOTENCY_RECORDS"] - 1) :]) | {key: (request, now)}


@dataclass(frozen=True)
class Ask:
    """A request: what it is, how the service is asked for it, what the model says of it and does with it."""

    name: str
    send: Callable[[CartService, Preconditions], Outcome]
    judge: Callable[[Model], type[Refusal] | None]
    apply: Callable[[Model], None]
    product: int | None = None
    is_clear: bool = False


class Carts(RuleBasedStateMachine):
    """One customer's cart, a catalogue, the time, and all that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for module in (domain_cart, carts):
            self.patch.setattr(module, "IDEMPOTENCY_RECORDS", SMALL["IDEMPOTENCY_RECORDS"])
        self.clock, self.table, self.model = Clock(), MemoryTable(), Model()
        self.carts = CartService(DynamoDBCartStore(self.table, self.clock, LIMITS), self.clock, LIMITS)
        self.history: dict[int, list[tuple[int, Product]]] = {}
        self.version, self.seen = 0, {0}
        self.sent: list[tuple[Ask, str]] = []
        self.count = count(10)

    def teardown(self) -> None:
        self.patch.undo()

    @initialize()
    def open_the_shop(self) -> None:
        for number in NUMBERS:
            self._sell(product(number, price=100 * number, discount=number, stock=[None, 5, 25][number % 3]))

    # The world -------------------------------------------------------------------------------------------------------

    @rule(
        number=st.sampled_from(NUMBERS),
        price=st.integers(0, 10**9) | st.just(limits.PRODUCT_PRICE),
        share=st.sampled_from([0, 10, 100]),
    )
    def the_price_changes(self, number: int, price: int, share: int) -> None:
        self._sell(self._sold(number)._replace(price=price, discount=price * share // 100))

    @rule(number=st.sampled_from(NUMBERS), stock=st.sampled_from([None, 0, 1, 7, 30, 10**6]))
    def the_stock_changes(self, number: int, stock: int | None) -> None:
        self._sell(self._sold(number)._replace(stock=stock))

    @rule(number=st.sampled_from(NUMBERS), gone=st.booleans())
    def it_is_withdrawn_or_sold_again(self, number: int, *, gone: bool) -> None:
        it = self._sold(number)._replace(active=not self._sold(number).active)
        self._sell(it)
        if gone and not it.active:
            del self.table.rows[keys.product(SHOP, number)]

    @rule(
        by=st.sampled_from([SECOND, 21 * SECOND, 55 * SECOND, 60 * SECOND, HOUR, DAY - 1, DAY, 30 * DAY]),
        swept=st.booleans(),
    )
    def time_passes(self, by: int, *, swept: bool) -> None:
        """Sometimes DynamoDB deletes what has expired in time, and sometimes it does not."""
        self.clock.now += by
        row = self.table.rows.get(keys.cart(OWNER))
        if row and swept and int(row["expires_at"]["N"]) * SECOND <= self.clock.now:
            del self.table.rows[keys.cart(OWNER)]

    # Requests --------------------------------------------------------------------------------------------------------

    @rule(wish=WISHES, key=KEYS, versions=VERSIONS)
    def a_request_comes(self, wish: Wish, key: str, versions: str) -> None:
        changed = self._carry_out(self._ask(wish), self._key(key), self._versions(versions))
        if changed and key:
            row = self.table.rows[keys.cart(OWNER)]
            assert sum(name.startswith("key#") for name in row) <= SMALL["IDEMPOTENCY_RECORDS"]

    @rule(wish=WISHES, key=KEYS, versions=VERSIONS, other=WISHES, others=KEYS)
    def another_comes_between(self, wish: Wish, key: str, versions: str, other: Wish, others: str) -> None:
        self._between(self._ask(other), self._key(others))
        self._carry_out(self._ask(wish), self._key(key), self._versions(versions))

    @rule(wish=WISHES, other=WISHES, same=st.booleans())
    def two_with_one_key_come_at_once(self, wish: Wish, other: Wish, *, same: bool) -> None:
        ask, key = self._ask(wish), self._key("new")
        self._between(ask if same else self._ask(other), key)
        self._carry_out(ask, key, None)

    @rule(
        wish=WISHES,
        key=KEYS,
        fates=st.lists(st.sampled_from(["lost", "applied"]), min_size=1, max_size=MAX_AMBIGUOUS_RETRIES),
    )
    def its_answer_is_lost(self, wish: Wish, key: str, fates: list[str]) -> None:
        self.table.lost = iter(fates)
        self._carry_out(self._ask(wish), self._key(key), None, fate=fates[0])
        self.table.lost = iter(())

    @rule(back=st.integers(0, 4), same=st.booleans(), wish=WISHES)
    def a_key_comes_again(self, back: int, *, same: bool, wish: Wish) -> None:
        if self.sent:
            ask, key = self.sent[-1 - back % len(self.sent)]
            self._carry_out(ask if same else self._ask(wish), key, None)

    @invariant()
    def the_cart_is_the_model_s(self) -> None:
        writes = self.table.writes
        self.model.expire(self.clock.now)
        shown = self.carts.read(OWNER)
        assert self.table.writes == writes, "a read writes nothing"
        self._check(shown)
        assert shown.cart.version == (self.version if self.model.changed_at is not None else 0)

    # ------------------------------------------------------------------------------------------------------------------

    def _sell(self, it: Product) -> None:
        self.clock.now += 1
        self.history.setdefault(it.id, []).append((self.clock.now, it))
        self.table.rows[keys.product(SHOP, it.id)] = product_to_item(SHOP, it)

    def _sold(self, number: int) -> Product:
        return self.history[number][-1][1]

    def _versions(self, wish: str) -> frozenset[int] | None:
        self.model.expire(self.clock.now + 1)
        current = self.version if self.model.changed_at is not None else 0
        return {"any": None, "this": frozenset({current}), "another": frozenset({current + 1, 3})}[wish]

    def _key(self, wish: str) -> str:
        """Return an idempotency key that was never used, or none."""
        return f"key-{next(self.count)}" if wish else ""

    def _between(self, ask: Ask, key: str) -> None:
        """Let another request come between the next one's reading and its writing."""

        def between() -> None:
            self.table.between = lambda: None
            self.clock.now -= 1  # it takes no time of its own
            self._carry_out(ask, key, None)

        self.table.between = between

    def _ask(self, wish: Wish) -> Ask:
        """Word a request for the service and for the model."""
        kind, *rest = wish
        if rest and isinstance(rest[0], int) and rest[0] < 0:
            held = sorted(self.model.lines) or [7]
            rest[0] = held[rest[0] % len(held)]
            wish = (kind, *rest)
        if kind == "add":
            number, quantity, notes = rest
            return Ask(
                repr(wish),
                lambda carts, preconditions: carts.add(OWNER, ItemAddition(number, quantity, notes), preconditions),
                lambda model: self._may_add(model, number, quantity),
                lambda model: self._line(model, number, model.lines.get(number, (0, ""))[0] + quantity, notes),
            )
        if kind == "revise":
            number, quantity, notes = rest
            return Ask(
                repr(wish),
                lambda carts, preconditions: carts.update_item(
                    OWNER, item_id(OWNER, number), ItemUpdate(quantity, notes), preconditions
                ),
                lambda _model: self._may_hold(number, quantity) if quantity else None,
                lambda model: self._line(model, number, quantity or model.lines[number][0], notes),
                product=number,
            )
        if kind == "remove":
            (number,) = rest
            return Ask(
                repr(wish),
                lambda carts, preconditions: carts.remove(OWNER, item_id(OWNER, number), preconditions),
                lambda _model: None,
                lambda model: model.lines.pop(number) and None,
                product=number,
            )
        if kind == "select":
            (selections,) = rest
            return Ask(
                repr(wish),
                lambda carts, preconditions: carts.select(OWNER, selections, preconditions),
                lambda _model: None,
                lambda model: model.selections.update(selections),
            )
        return Ask(
            repr(wish),
            lambda carts, preconditions: carts.clear(OWNER, preconditions),
            lambda _model: None,
            lambda model: model.lines.clear(),
            is_clear=True,
        )

    def _line(self, model: Model, number: int, quantity: int, notes: str | None) -> None:
        model.lines[number] = (quantity, model.lines.get(number, (0, ""))[1] if notes is None else notes)

    def _may_hold(self, number: int, quantity: int) -> type[Refusal] | None:
        if number == UNKNOWN or not self._sold(number).active:
            return InvalidProduct
        stock = self._sold(number).stock
        return InsufficientStock if stock is not None and quantity > stock else None

    def _may_add(self, model: Model, number: int, quantity: int) -> type[Refusal] | None:
        quantity += model.lines.get(number, (0, ""))[0]
        full = quantity > SMALL["ITEM_QUANTITY"] or len({*model.lines, number}) > SMALL["CART_ITEMS"]
        return self._may_hold(number, quantity) or (CartFull if full else None)

    def _expected(self, ask: Ask, key: str, versions: frozenset[int] | None, now: int) -> type[Refusal] | str:
        """Say what must come of a request now: a refusal, a replay, a change, or nothing to do."""
        self.model.expire(now)
        version = self.version if self.model.changed_at is not None else 0
        remembered = self.model.remembered(now).get(key) if key else None
        refusals = [
            ItemNotFound if ask.product is not None and ask.product not in self.model.lines else None,
            CartChanged if versions is not None and version not in versions else None,
            ask.judge(self.model),
        ]
        if remembered:
            return "replay" if remembered[0] == ask.name else IdempotencyKeyReused
        refused = next((refusal for refusal in refusals if refusal), None)
        return refused or ("nothing" if ask.is_clear and self.model.changed_at is None else "change")

    def _carry_out(self, ask: Ask, key: str, versions: frozenset[int] | None, fate: str = "") -> bool:
        """Send a request and hold what comes of it against the model, which then follows. Tell whether it changed."""
        self.clock.now += 1
        if key:
            self.sent.append((ask, key))
        preconditions = Preconditions(IdempotencyKey(key, ask.name) if key else None, versions)
        result: type[Exception] | str
        outcome = None
        writes = self.table.writes
        try:
            outcome = ask.send(self.carts, preconditions)
        except (Refusal, Ambiguous) as refusal:
            result = type(refusal)
        else:
            result = "replay" if outcome.replayed else "done"
        self.table.between = lambda: None
        # By now whatever came between has happened, to the model too.
        now = self.clock.now
        expected = self._expected(ask, key, versions, now)
        if expected == "change" and fate and not key:
            assert result is Ambiguous
        else:
            assert result == {"change": "done", "nothing": "done"}.get(str(expected), expected)
        changed = expected == "change" and bool(key or fate != "lost")
        if changed:
            ask.apply(self.model)
            self.model.created_at = self.model.created_at or now
            self.model.changed_at = now
            if key:
                self.model.remember(key, ask.name, now)
            self._new_version(int(self.table.rows[keys.cart(OWNER)]["version"]["N"]))
            assert self.table.writes > writes
        if outcome:
            self._check(outcome.cart)
        return changed

    def _new_version(self, version: int) -> None:
        assert version not in self.seen, "no version is repeated"
        assert version > self.version
        self.seen.add(version)
        self.version = version

    def _check(self, shown: PricedCart) -> None:
        """Hold an answer against the model and against itself."""
        model, cart = self.model, shown.cart
        assert {number: (line.quantity, line.notes) for number, line in cart.items.items()} == model.lines
        chosen = {name: it for name, it in cart.selections._asdict().items() if it is not None}
        assert chosen == {name: it for name, it in model.selections.items() if it is not None}
        assert (cart.created_at, cart.updated_at) == (model.created_at, model.changed_at)
        assert set(cart.active_idempotency_records(self.clock.now)) == set(model.remembered(self.clock.now))
        self._check_money(shown)
        for line in shown.items:
            assert 0 < line.item.quantity <= SMALL["ITEM_QUANTITY"]
            self._check_age(line.product)
        unavailable = {warning.product_id for warning in shown.warnings if warning.code == "unavailable"}
        assert unavailable == {line.product.id for line in shown.items if not line.product.active}
        assert len(shown.items) <= SMALL["CART_ITEMS"]

    def _check_money(self, shown: PricedCart) -> None:
        counted = [line for line in shown.items if line.product.active]
        assert shown.items_subtotal == sum(line.product.price * line.item.quantity for line in counted)
        assert shown.items_discount == sum(line.product.discount * line.item.quantity for line in counted)
        assert shown.subtotal == shown.items_subtotal - shown.items_discount == sum(line.total for line in counted)
        assert shown.total == shown.subtotal - shown.discount
        assert shown.quantity == sum(line.item.quantity for line in shown.items)
        figures = [shown.items_subtotal, shown.items_discount, shown.subtotal, shown.discount, shown.total]
        figures += [figure for line in shown.items for figure in (line.subtotal, line.discount, line.total)]
        assert all(type(figure) is int and figure >= 0 for figure in figures)

    def _check_age(self, it: Product) -> None:
        """See that the catalogue said so less than 60 seconds ago."""
        said = self.history[it.id]
        ends = [since for since, _ in said[1:]] + [self.clock.now + 1]
        young = [of for (_, of), end in zip(said, ends, strict=True) if end > self.clock.now - 60 * SECOND]
        assert any(it == of or (not it.active and not of.active) for of in young)


Carts.TestCase.settings = settings(max_examples=70, stateful_step_count=50, deadline=None, derandomize=True)


TestCarts = Carts.TestCase


def test_the_table_in_memory_holds_rows_under_both_parts_of_their_key() -> None:
    table = MemoryTable()
    table.rows[Key("a", "b")] = {"pk": {"S": "a"}, "sk": {"S": "b"}}

    assert table.get(Key("a", "c")) is None
    assert list(table.get_many([Key("a", "b"), Key("b", "b")])) == [Key("a", "b")]
