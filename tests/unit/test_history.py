"""The judge of parallel histories: it passes what a sound cart does, and nothing of what a broken one would do."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from serverless_cart.domain import limits
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.catalogue import product_to_item
from tests.support.builders import product
from tests.support.history import (
    CARTS,
    CLIENTS,
    ITEMS,
    STOCK,
    Answer,
    Contents,
    HistoryError,
    Operation,
    State,
    check,
    operations,
    play,
)
from tests.support.history_clients import ServiceClient
from tests.unit.memory import MemoryTable
from tools.support.events import SHOP

SEED, COUNT = 7, 1_200
OUTCOMES = {
    "done", "replay", "item not found", "cart has changed", "idempotency key reused", "insufficient stock",
    "cart is full",
}  # fmt: skip


class Shop:
    """Serves one request after another, soundly; a bug of a subclass shows once the carts are in use."""

    def __init__(self) -> None:
        self.states = {cart: [State(), State()] for cart in range(CARTS)}
        self.hits = 0

    def __call__(self, operation: Operation, version: int | None) -> Answer:
        state = self.states[operation.cart][-1]
        outcome = self.judge(state, operation, version)
        if outcome == "done" and state.changes(operation):
            state = self.change(state, operation)
            self.states[operation.cart].append(state)
        return self.told(operation, outcome, state)

    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        return state.judge(operation, version)

    def change(self, state: State, operation: Operation) -> State:
        return state.after(operation, (state.version or 1_000) + 1)

    def told(self, operation: Operation, outcome: str, state: State) -> Answer:
        if outcome in ("done", "replay"):
            return Answer(outcome, state.version, state.told(operation))
        return Answer(outcome, state.version if outcome == "cart has changed" else None)

    def shows(self, state: State) -> bool:
        """Tell whether the bug is to show now: from when a cart has some history."""
        now = state.version > 1_020
        self.hits += now
        return now


def line_of(state: State, operation: Operation) -> tuple[int, str]:
    return state.contents.lines.get(operation.product, (0, ""))


def with_line(state: State, operation: Operation, line: tuple[int, str] | None) -> State:
    """Return a cart in which another line stands, or none."""
    lines = {number: it for number, it in state.contents.lines.items() if number != operation.product}
    if line:
        lines[operation.product] = line
    return replace(state, contents=replace(state.contents, lines=lines))


class LosesAnAddition(Shop):
    def told(self, operation: Operation, outcome: str, state: State) -> Answer:
        answer = super().told(operation, outcome, state)
        if operation.kind == "add" and outcome == "done" and self.shows(state):
            before = self.states[operation.cart][-2]
            self.states[operation.cart][-1] = replace(before, version=state.version, used=state.used)
        return answer


class DoublesAnAddition(Shop):
    def told(self, operation: Operation, outcome: str, state: State) -> Answer:
        answer = super().told(operation, outcome, state)
        if operation.kind == "add" and outcome == "done" and self.shows(state):
            quantity, notes = line_of(state, operation)
            doubled = with_line(state, operation, (quantity + (operation.quantity or 0), notes))
            self.states[operation.cart][-1] = doubled
        return answer


class BringsALineBack(Shop):
    def told(self, operation: Operation, outcome: str, state: State) -> Answer:
        answer = super().told(operation, outcome, state)
        if operation.kind == "remove" and outcome == "done" and self.shows(state):
            before = self.states[operation.cart][-2]
            self.states[operation.cart][-1] = with_line(state, operation, line_of(before, operation))
        return answer


class BringsALineBackBySettingIt(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        outcome = super().judge(state, operation, version)
        gone = operation.kind == "annotate" and outcome == "item not found" and operation.key not in state.used
        return "done" if gone and self.shows(state) else outcome


class RepeatsAVersion(Shop):
    def change(self, state: State, operation: Operation) -> State:
        changed = super().change(state, operation)
        return replace(changed, version=state.version) if self.shows(state) else changed


class ChangesUntold(Shop):
    def change(self, state: State, operation: Operation) -> State:
        changed = super().change(state, operation)
        return replace(changed, version=changed.version + 1) if self.shows(state) else changed


class PassesTheNumberOfItems(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        outcome = super().judge(state, operation, version)
        return "done" if outcome == "cart is full" and self.shows(state) else outcome


class PassesTheStock(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        outcome = super().judge(state, operation, version)
        return "done" if outcome == "insufficient stock" and self.shows(state) else outcome


class AppliesAKeyTwice(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        outcome = super().judge(state, operation, version)
        return "done" if outcome == "replay" and operation.kind == "add" and self.shows(state) else outcome


class ReplaysWhatNeverWas(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        outcome = super().judge(state, operation, version)
        return "replay" if outcome == "done" and operation.key and self.shows(state) else outcome


class OverlooksAVersion(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        outcome = super().judge(state, operation, version)
        return "done" if outcome == "cart has changed" and self.shows(state) else outcome


class RefusesTheRightVersion(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        right = version == state.version and super().judge(state, operation, version) == "done"
        return "cart has changed" if right and self.shows(state) else super().judge(state, operation, version)


class RefusesWithoutReason(Shop):
    def judge(self, state: State, operation: Operation, version: int | None) -> str:
        outcome = super().judge(state, operation, version)
        return "insufficient stock" if outcome == "done" and operation.kind == "add" and self.shows(state) else outcome


class ReadsWhatIsPast(Shop):
    def told(self, operation: Operation, outcome: str, state: State) -> Answer:
        if operation.kind == "read" and self.shows(state):
            state = self.states[operation.cart][3]
        return super().told(operation, outcome, state)


class ReadsWhatNeverWas(Shop):
    def told(self, operation: Operation, outcome: str, state: State) -> Answer:
        answer = super().told(operation, outcome, state)
        if operation.kind == "read" and self.shows(state):
            return replace(answer, contents=Contents({1: (77, "")}))
        return answer


class ForgetsTheNotes(Shop):
    def change(self, state: State, operation: Operation) -> State:
        changed = super().change(state, operation)
        if operation.kind == "annotate" and self.shows(state):
            return with_line(changed, operation, line_of(state, operation))
        return changed


class OverwritesTheSelection(Shop):
    def change(self, state: State, operation: Operation) -> State:
        changed = super().change(state, operation)
        if operation.kind == "add" and self.shows(state):
            return replace(changed, contents=replace(changed.contents, address=None))
        return changed


class EmptiesHalf(Shop):
    def change(self, state: State, operation: Operation) -> State:
        changed = super().change(state, operation)
        if operation.kind == "clear" and len(state.contents.lines) > 1 and self.shows(state):
            return replace(
                changed, contents=replace(state.contents, lines=dict(list(state.contents.lines.items())[:1]))
            )
        return changed


def left_by(ask: Callable[[Operation, int | None], Answer]) -> Mapping[int, Answer]:
    return {cart: ask(Operation(cart, "read"), None) for cart in range(CARTS)}


def test_what_a_sound_cart_does_is_passed() -> None:
    shop = Shop()

    outcomes = check(play(operations(SEED, COUNT, clients=1), lambda: shop), left_by(shop))

    assert outcomes.keys() == OUTCOMES
    assert sum(outcomes.values()) == COUNT


def test_what_the_service_does_one_request_after_another_is_passed() -> None:
    table = MemoryTable()
    for number, stock in STOCK.items():
        table.rows[keys.product(SHOP, number)] = product_to_item(SHOP, product(number, stock=stock))
    ask = ServiceClient(table)

    assert check(play(operations(SEED, COUNT, clients=1), lambda: ask), left_by(ask)).keys() == OUTCOMES


BUGS = {
    LosesAnAddition: "must have told of|must be|right on no version|was done",
    DoublesAnAddition: "must have told of|must be|right on no version|was done",
    BringsALineBack: "must have told of|must be|right on no version|was done",
    BringsALineBackBySettingIt: "was done, and must have been: item not found",
    RepeatsAVersion: "was given twice",
    ChangesUntold: "that nobody was told of",
    PassesTheNumberOfItems: "was done, and must have been: cart is full",
    PassesTheStock: "was done, and must have been: insufficient stock",
    AppliesAKeyTwice: "was done, and must have been: replay",
    ReplaysWhatNeverWas: "is right on no version",
    OverlooksAVersion: "was done, and must have been: cart has changed",
    RefusesTheRightVersion: "is right on no version",
    RefusesWithoutReason: "is right on no version",
    ReadsWhatIsPast: "tells of a version that was not",
    ReadsWhatNeverWas: "is right on no version",
    ForgetsTheNotes: "must have told of",
    OverwritesTheSelection: "must have told of",
    EmptiesHalf: "must have told of",
}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_what_a_broken_cart_does_is_found(bug: type[Shop]) -> None:
    shop = bug()
    history = play(operations(SEED, COUNT, clients=1), lambda: shop)

    assert shop.hits
    with pytest.raises(HistoryError, match=BUGS[bug]):
        check(history, left_by(shop))


def test_a_change_that_is_missing_in_the_end_is_found() -> None:
    shop = Shop()
    history = play(operations(SEED, COUNT, clients=1), lambda: shop)
    left = dict(left_by(shop))
    for tampered in (
        replace(left[0], version=(left[0].version or 0) - 1),
        replace(left[0], contents=replace(left[0].contents or Contents(), lines={4: (9_000, "")})),
    ):
        with pytest.raises(HistoryError, match="left is"):
            check(history, {**left, 0: tampered})


def test_a_bound_is_held_against_every_version_whatever_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where judge and cart would overlook a bound together, no version passes it unseen."""
    shop = Shop()
    history = play(operations(SEED, COUNT, clients=1), lambda: shop)
    for name, value in (("ITEMS", ITEMS - 1), ("STOCK", {**STOCK, 5: 2})):
        with monkeypatch.context() as patch:
            patch.setattr(State, "judge", lambda *_: "done")
            patch.setattr(f"tests.support.history.{name}", value)
            with pytest.raises(HistoryError, match="holds"):
                check(history, left_by(shop))


def test_a_change_that_stands_before_what_was_told_earlier_is_found() -> None:
    shop = Shop()
    history = play(operations(SEED, COUNT, clients=1), lambda: shop)
    changes = [event for event in history if event.operation.cart == 0 and (event.answer.version or 0) > 1_010]
    late = next(event for event in changes if event.answer.outcome == "done" and event.operation.kind == "select")
    tampered = [
        replace(event, began=event.began + 9, ended=event.ended + 9) if event is late else event for event in history
    ]

    with pytest.raises(HistoryError, match="had been told already"):
        check(tampered, left_by(shop))


def test_a_seed_repeats_the_operations_and_keys_never_outnumber_what_a_cart_remembers() -> None:
    made = operations(SEED, COUNT)

    assert made == operations(SEED, COUNT) != operations(SEED + 1, COUNT)
    assert (len(made), sum(map(len, made))) == (CLIENTS, COUNT)
    for cart in range(CARTS):
        used = {it.key for asked in made for it in asked if it.cart == cart and it.key}
        assert 20 < len(used) <= limits.IDEMPOTENCY_RECORDS
