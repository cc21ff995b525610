"""The check of parallel histories: it accepts those of a sound cart, and finds each of the bugs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart, Selections
from serverless_cart.service.cart import CartService
from tests.support import history
from tests.support.builders import product
from tests.support.history import (
    CARTS,
    CHECKOUTS,
    ITEMS,
    RULES,
    STOCK,
    Answer,
    Contents,
    HistoryError,
    Operation,
    check,
    play,
)
from tests.support.history_clients import ServiceClient
from tests.support.reference_cart import REFUSALS, Clock, FakeStore, Rules

SEED, COUNT = 7, 1_200
OUTCOMES = {"done", "replay", *REFUSALS.values()} - {"invalid product", "validation error", "invalid discount code"}
Client = Callable[[Operation, int | None], Answer]


class Shop:
    """Serves one request after another by the rules, but for a bug in one step, once a cart has been changed often.

    The bug returns the wrong result of its step, or ``None`` if the right one is right.
    """

    def __init__(self, step: str = "", bug: Callable[..., Any] = lambda *_: None) -> None:
        self.carts = {cart: [Cart(), Cart()] for cart in range(CARTS)}
        self.orders: dict[str, Contents] = {}
        self.step, self.bug, self.hits = step, bug, 0

    def __call__(self, operation: Operation, version: int | None) -> Answer:
        carts = self.carts[operation.cart]
        cart = now = carts[-1]
        outcome = self._result("decide", history.expected(cart, operation, version), cart, operation, version)
        if outcome == "done" and RULES.changes(cart, operation.request):
            now = self._result("change", self._after(cart, operation), cart, operation)
            carts.append(self._result("store", now, cart, operation))
        if outcome in REFUSALS.values():
            return Answer(outcome, cart.version if outcome == "cart has changed" else None)
        if operation.kind == "checkout":
            return self._ordered(outcome, cart, now, operation)
        shown = self._result("answer", now, now, operation, carts)
        return Answer(outcome, shown.version, Contents.of(shown))

    def _ordered(self, outcome: str, cart: Cart, now: Cart, operation: Operation) -> Answer:
        if outcome == "done":
            order = self._next_order()
            self.orders[order] = self._result("order", Contents.of(cart), cart, operation)
            return Answer(outcome, now.version, self.orders[order], order=order)
        record = cart.idempotency_records.get(operation.key)
        order = self._result("repeat", record.order_key if record else "", cart, operation, self.orders)
        return Answer(outcome, None, self.orders.get(order), order=order)

    def _next_order(self) -> str:
        return f"order-{len(self.orders)}"

    def _result(self, step: str, right: Any, cart: Cart, *arguments: Any) -> Any:
        wrong = self.bug(right, cart, *arguments) if step == self.step and cart.version > 1_020 else None
        self.hits += wrong is not None
        return right if wrong is None else wrong

    def _after(self, cart: Cart, operation: Operation) -> Cart:
        if RULES.lacks_item(cart, operation.request):
            operation = replace(operation, kind="add", quantity=1)
        order = self._next_order() if operation.kind == "checkout" else ""
        return history.after(cart, operation, (cart.version or 1_000) + 1, order)


def instead(outcome: str, of: str, *kinds: str) -> Callable[..., str | None]:
    """Return a bug that decides for another outcome of these operations, or of all."""

    def bug(right: str, _cart: Cart, operation: Operation, _version: int | None) -> str | None:
        return outcome if right == of and (not kinds or operation.kind in kinds) else None

    return bug


def after(kind: str, wrong: Callable[[Cart, Cart, Operation], Cart | None]) -> Callable[..., Cart | None]:
    """Return a bug in a change of this kind, by the cart after it and before it."""
    return lambda right, cart, operation, *_: wrong(right, cart, operation) if kind in {"", operation.kind} else None


def halved(right: Cart, old: Cart, _: Operation) -> Cart | None:
    return replace(right, items=dict([*old.items.items()][:1])) if old.items else None


def doubled(right: Cart, operation: Operation) -> Cart:
    item = right.items[operation.product]
    more = item._replace(quantity=item.quantity + (operation.quantity or 0))
    return replace(right, items={**right.items, operation.product: more})


CONTENTS = "must have answered|remains, and must be|right on no version|was done"
BUGS: dict[str, tuple[str, Callable[..., Any], str]] = {
    "addition lost": ("store", after("add", lambda it, old, _: replace(it, items=old.items)), CONTENTS),
    "addition counted twice": ("store", after("add", lambda it, _, operation: doubled(it, operation)), CONTENTS),
    "removed item back": ("store", after("remove", lambda it, old, _: replace(it, items=old.items)), CONTENTS),
    "removed item updated": (
        "decide",
        lambda right, cart, operation, _: "done" if (right, operation.kind) == ("item not found", "annotate")
        and operation.key not in cart.idempotency_records else None,
        "must be refused: item not found",
    ),
    "version repeated": ("change", after("", lambda it, old, _: replace(it, version=old.version)), "was given twice"),
    "change not answered": ("change", after("", lambda it, *_: replace(it, version=it.version + 1)), "not answered"),
    "too many items": ("decide", instead("done", "cart is full"), "must be refused: cart is full"),
    "stock exceeded": ("decide", instead("done", "insufficient stock"), "must be refused: insufficient stock"),
    "key applied twice": ("decide", instead("done", "replay", "add"), "must be refused: replay"),
    "new key replayed": (
        "decide",
        lambda right, _, operation, __: "replay" if right == "done" and operation.key else None,
        "is right on no version",
    ),
    "old version changed": ("decide", instead("done", "cart has changed"), "must be refused: cart has changed"),
    "current version refused": (
        "decide",
        lambda right, cart, _, version: "cart has changed" if (right, version) == ("done", cart.version) else None,
        "is right on no version",
    ),
    "addition refused": ("decide", instead("insufficient stock", "done", "add"), "is right on no version"),
    "read stale": (
        "answer",
        lambda _, __, operation, carts: carts[3] if operation.kind == "read" else None,
        "has a version that was not",
    ),
    "read wrong": (
        "answer",
        after("read", lambda it, _, __: replace(it, items={}, selections=Selections(77))),
        "is right on no version",
    ),
    "notes lost": ("change", after("annotate", lambda it, old, _: replace(it, items=old.items)), "must have answered"),
    "address lost": ("change", after("add", lambda it, *_: replace(it, selections=Selections())), "must have answered"),
    "half cleared": ("change", after("clear", halved), "must have answered"),
    "half ordered": ("change", after("checkout", halved), CONTENTS),
    "order without an item": (
        "order",
        lambda right, *_: replace(right, lines=dict([*right.lines.items()][1:])),
        "must have answered",
    ),
    "ordered twice": ("decide", instead("done", "replay", "checkout"), "must be refused: replay"),
    "other order repeated": (
        "repeat",
        lambda right, _, __, orders: next(it for it in orders if it != right),
        "is right on no version",
    ),
    "nothing ordered": ("decide", instead("done", "cart is empty"), "must be refused: cart is empty"),
}  # fmt: skip


def play_alone(client: Client, checkouts: int = CHECKOUTS) -> tuple[list[history.Event], Mapping[int, Answer]]:
    """Play a history with one client, and read what remains."""
    events = play(history.operations(SEED, COUNT, clients=1, checkouts=checkouts), lambda: client)
    return events, {cart: client(Operation(cart, "read"), None) for cart in range(CARTS)}


def test_sound_cart_is_accepted() -> None:
    outcomes = check(*play_alone(Shop()))

    assert outcomes.keys() == OUTCOMES
    assert sum(outcomes.values()) == COUNT


def test_service_is_accepted() -> None:
    catalogue = {id_: product(id_, stock=stock) for id_, stock in STOCK.items()}
    store = FakeStore(Clock(), catalogue, rules=RULES)
    carts = CartService(store, Clock(), RULES.limits)

    assert check(*play_alone(ServiceClient(carts), checkouts=0)).keys() == OUTCOMES - {"cart is empty"}


@pytest.mark.parametrize("name", BUGS)
def test_bug_is_found(name: str) -> None:
    step, bug, message = BUGS[name]
    shop = Shop(step, bug)
    events, remaining = play_alone(shop)

    assert shop.hits
    with pytest.raises(HistoryError, match=message):
        check(events, remaining)


@pytest.mark.parametrize("changes", [{"version": 1}, {"contents": Contents({4: (9_000, "")})}], ids=["version", "line"])
def test_missing_last_change_is_found(changes: dict[str, Any]) -> None:
    events, remaining = play_alone(Shop())

    with pytest.raises(HistoryError, match="remains, and must be"):
        check(events, {**remaining, 0: replace(remaining[0], **changes)})


@pytest.mark.parametrize(("name", "value"), [("ITEMS", ITEMS - 1), ("STOCK", {**STOCK, 5: 2})])
def test_bounds_are_checked_without_the_rules(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    events, remaining = play_alone(Shop())
    monkeypatch.setattr(Rules, "outcome", lambda *_, **__: "done")
    monkeypatch.setattr(history, name, value)

    with pytest.raises(HistoryError, match="holds"):
        check(events, remaining)


def test_change_older_than_an_answer_is_found() -> None:
    events, remaining = play_alone(Shop())
    changes = [event for event in events if event.operation.cart == 0 and (event.answer.version or 0) > 1_010]
    late = next(event for event in changes if event.answer.outcome == "done" and event.operation.kind == "select")
    moved = replace(late, began=late.began + 9, ended=late.ended + 9)

    with pytest.raises(HistoryError, match="was answered already"):
        check([moved if event is late else event for event in events], remaining)


def test_seed_repeats_the_operations() -> None:
    made = history.operations(SEED, COUNT)

    assert made == history.operations(SEED, COUNT) != history.operations(SEED + 1, COUNT)
    assert (len(made), sum(map(len, made))) == (history.CLIENTS, COUNT)


@pytest.mark.parametrize("cart", range(CARTS))
def test_cart_remembers_all_keys_of_a_history(cart: int) -> None:
    operations = history.operations(SEED, COUNT)

    used = {it.key for mine in operations for it in mine if it.cart == cart and it.key}
    assert 20 < len(used) <= limits.IDEMPOTENCY_RECORDS
