"""Parallel requests for shared carts: made from a seed, recorded, and held against a cart that knows no parallelism.

Every acknowledged change has a version of its cart, and versions never repeat: they put the changes in one order.
Played again in that order, one after another, each must come to the very answer that was given, and all to the cart
that is left. A change also stands behind all that had been answered before it was asked for; and what changed nothing
(a read, a replay, a refusal) must be right on some version of the time in which it was asked.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from serverless_cart.domain import limits
from serverless_cart.domain.limits import CONTRACT_LIMITS
from tools.support.figures import record

CLIENTS: Final = 32
CARTS: Final = 4
ITEMS: Final = 4
"""Distinct items that a cart may hold in these histories: fewer than there are products."""
STOCK: Final[Mapping[int, int | None]] = {1: None, 2: 6, 3: 3, 4: None, 5: 6, 6: 1, 7: None, 8: 9}
"""Products and how many there are of each."""

Kind = Literal["add", "revise", "annotate", "remove", "select", "clear", "read"]
On = Literal["any", "seen", "stale"]
ON: Final[Sequence[On]] = ("any", "seen", "stale")
WEIGHTS: Final[Mapping[Kind, int]] = {
    "add": 34, "revise": 14, "annotate": 8, "remove": 14, "select": 8, "clear": 4, "read": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """What a client asks for; ``on`` is the version that ``If-Match`` names: any, the one it saw last, one before."""

    cart: int
    kind: Kind
    product: int = 0
    quantity: int | None = None
    notes: str | None = None
    address: int | None = None
    key: str = ""
    on: On = "any"

    @property
    def request(self) -> "Operation":
        """What of it an idempotency key stands for."""
        return replace(self, key="", on="any")


@dataclass(frozen=True)
class Contents:
    """What a cart holds: quantity and notes of each product, and the selected address."""

    lines: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    address: int | None = None


@dataclass(frozen=True)
class Answer:
    """What a client is told; ``outcome`` is ``done``, ``replay`` or the contract's error.

    ``contents`` is the whole cart, or of a revision the one line. A refusal has none, and but for 412 no version.
    """

    outcome: str
    version: int | None = None
    contents: Contents | None = None


@dataclass(frozen=True)
class Event:
    """An operation and its answer; ``version`` is the one that it named. Times are seconds of one clock."""

    operation: Operation
    version: int | None
    began: float
    ended: float
    answer: Answer


class HistoryError(AssertionError):
    """A history that no cart can have which serves one request after another."""


# ----------------------------------------------------------------------------------------------------------------------
# Making a history
# ----------------------------------------------------------------------------------------------------------------------


def operations(seed: int, count: int, clients: int = CLIENTS) -> list[list[Operation]]:
    """Return each client's operations: so many in all, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - it picks cases, not keys
    changes: dict[Kind, int] = {kind: weight for kind, weight in WEIGHTS.items() if kind != "read"}
    keyed = {
        cart: [
            replace(_operation(chance, cart, changes), key=f"key-{cart}-{n}") for n in range(limits.IDEMPOTENCY_RECORDS)
        ]
        for cart in range(CARTS)
    }
    made: list[list[Operation]] = [[] for _ in range(clients)]
    for number in range(count):
        operation = _operation(chance, chance.randrange(CARTS), WEIGHTS)
        if operation.kind != "read":
            if chance.random() < 0.35:
                known = chance.choice(keyed[operation.cart])
                operation = replace(operation, key=known.key) if chance.random() < 0.1 else known
            operation = replace(operation, on=chance.choices(ON, [6, 3, 1])[0])
        made[number % clients].append(operation)
    return made


def _operation(chance: random.Random, cart: int, weights: Mapping[Kind, int]) -> Operation:
    """Draw an operation, as yet without a key and on any version."""
    kind = chance.choices(list(weights), list(weights.values()))[0]
    product, notes = chance.choice(list(STOCK)), f"note {chance.randrange(100)}"
    match kind:
        case "add":
            return Operation(cart, kind, product, chance.randint(1, 3), chance.choice([None, None, notes]))
        case "revise":
            return Operation(cart, kind, product, chance.randint(1, 8))
        case "annotate":
            return Operation(cart, kind, product, notes=notes)
        case "remove":
            return Operation(cart, kind, product)
        case "select":
            return Operation(cart, kind, address=chance.randrange(1, 100))
        case _:
            return Operation(cart, kind)


def play(
    clients: Iterable[Sequence[Operation]], client: Callable[[], Callable[[Operation, int | None], Answer]]
) -> list[Event]:
    """Let all clients ask at once, each one thing after another, and record what happens.

    ``client`` makes a client: what sends an operation, with the version to name, and returns the answer.
    """
    clients = list(clients)
    start = threading.Barrier(len(clients))

    def ask(asked: Sequence[Operation]) -> list[Event]:
        send, seen, events = client(), dict.fromkeys(range(CARTS), 0), []
        start.wait()
        for operation in asked:
            version = {"any": None, "seen": seen[operation.cart], "stale": seen[operation.cart] - 1}[operation.on]
            began = time.perf_counter()
            answer = send(operation, version)
            events.append(Event(operation, version, began, time.perf_counter(), answer))
            if answer.version is not None:
                seen[operation.cart] = answer.version
        return events

    with ThreadPoolExecutor(len(clients)) as pool:
        return [event for events in pool.map(ask, clients) for event in events]


# ----------------------------------------------------------------------------------------------------------------------
# A cart that knows no parallelism
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """A cart at one version, by the contract's words alone; ``used`` says for which request each key was used."""

    version: int = 0
    contents: Contents = field(default_factory=Contents)
    used: Mapping[str, Operation] = field(default_factory=dict)

    def judge(self, operation: Operation, version: int | None) -> str:
        """Say what must come of an operation that names a version: ``done``, ``replay`` or an error, in order."""
        absent = operation.kind in ("revise", "annotate", "remove") and operation.product not in self.contents.lines
        if operation.key in self.used:
            if self.used[operation.key] != operation.request:
                return "idempotency key reused"
            # A removal answers with the cart, and has no need of the line.
            return "item not found" if absent and operation.kind != "remove" else "replay"
        if absent:
            return "item not found"
        if version is not None and version != self.version:
            return "cart has changed"
        return self._room_for(operation)

    def _room_for(self, operation: Operation) -> str:
        """Say whether a cart and the stock have room for so much more, or so much, of a product."""
        lines, stock = self.contents.lines, STOCK.get(operation.product)
        held = lines.get(operation.product, (0, ""))[0] if operation.kind == "add" else 0
        if stock is not None and held + (operation.quantity or 0) > stock:
            return "insufficient stock" if operation.quantity else "done"
        full = operation.kind == "add" and operation.product not in lines and len(lines) >= ITEMS
        return "cart is full" if full else "done"

    def changes(self, operation: Operation) -> bool:
        """Tell whether an operation that is ``done`` changes anything: there is nothing to empty where no cart is."""
        return operation.kind != "read" and not (operation.kind == "clear" and self.version == 0)

    def after(self, operation: Operation, version: int) -> "State":
        """Return the cart after a change that makes this version of it."""
        lines, address = dict(self.contents.lines), self.contents.address
        quantity, notes = lines.get(operation.product, (0, ""))
        notes = notes if operation.notes is None else operation.notes
        match operation.kind:
            case "add":
                lines[operation.product] = (quantity + (operation.quantity or 0), notes)
            case "revise" | "annotate":
                lines[operation.product] = (operation.quantity or quantity, notes)
            case "remove":
                del lines[operation.product]
            case "select":
                address = operation.address
            case "clear":
                lines = {}
        used = {**self.used, operation.key: operation.request} if operation.key else self.used
        return State(version, Contents(lines, address), used)

    def told(self, operation: Operation) -> Contents | None:
        """Return what an answer to this operation says that is not refused; nothing where its line is not there."""
        if operation.kind not in ("revise", "annotate"):
            return self.contents
        line = self.contents.lines.get(operation.product)
        return Contents({operation.product: line}) if line else None


# ----------------------------------------------------------------------------------------------------------------------
# Holding the one against the other
# ----------------------------------------------------------------------------------------------------------------------


def check(history: Iterable[Event], left: Mapping[int, Answer]) -> Counter[str]:
    """Hold a history and the carts that it left, each as a read tells of it, against the sequential cart.

    Return how often each outcome was told. Raises `HistoryError`.
    """
    history = list(history)
    for cart in range(CARTS):
        _check_cart([event for event in history if event.operation.cart == cart], left[cart])
    return Counter(event.answer.outcome for event in history)


def _check_cart(events: Sequence[Event], left: Answer) -> None:
    """Hold one cart's events against the sequential cart."""
    changed = [event for event in events if _changed(event)]
    changed.sort(key=_version)
    states = {0: State()}
    state = states[0]
    for event in changed:
        version = _version(event)
        if version in states:
            raise HistoryError(f"version {version} was given twice, the second time to {event}")
        if state.version and version != state.version + 1:
            raise HistoryError(f"between {state.version} and {version} something changed that nobody was told of")
        expected = state.judge(event.operation, event.version)
        if expected != "done":
            raise HistoryError(f"{event} was done, and must have been: {expected}")
        state = states[version] = state.after(event.operation, version)
        _check_bounds(state)
        if event.answer.contents != state.told(event.operation):
            raise HistoryError(f"{event} must have told of {state.contents}")
    for event in events:
        _check_time(event, changed, states)
    if (left.version, left.contents) != (state.version, state.contents):
        raise HistoryError(f"left is {left}, and must be {state}")


def _changed(event: Event) -> bool:
    """Tell whether a client was told that it changed its cart."""
    return event.answer.outcome == "done" and event.operation.kind != "read" and event.answer.version != 0


def _version(event: Event) -> int:
    """Return the version that an answer names."""
    if event.answer.version is None:
        raise HistoryError(f"{event} names no version")
    return event.answer.version


def _check_bounds(state: State) -> None:
    """See that no version of a cart passes a bound by even one."""
    lines = state.contents.lines
    if len(lines) > ITEMS:
        raise HistoryError(f"{state} holds more than {ITEMS} items")
    for product, (quantity, _) in lines.items():
        stock = STOCK[product]
        if not 1 <= quantity <= (CONTRACT_LIMITS.item_quantity if stock is None else stock):
            raise HistoryError(f"{state} holds {quantity} of product {product}")


def _check_time(event: Event, changed: Sequence[Event], states: Mapping[int, State]) -> None:
    """See that an answer is right on a version that the cart had while the client waited for it."""
    first = max((_version(other) for other in changed if other.ended < event.began), default=0)
    last = max((_version(other) for other in changed if other.began <= event.ended), default=0)
    answer = event.answer
    if _changed(event):
        if _version(event) <= first:
            raise HistoryError(f"{event} was asked for when version {first} had been told already")
        return
    if answer.version is not None and not first <= answer.version <= last:
        raise HistoryError(f"{event} tells of a version that was not from {first} to {last}")
    versions = [version for version in states if first <= version <= last and answer.version in (None, version)]
    if not any(_is_right(event, states[version]) for version in versions):
        raise HistoryError(f"{event} is right on no version from {first} to {last}: {[states[v] for v in versions]}")


def _is_right(event: Event, state: State) -> bool:
    """Tell whether an answer that changed nothing is the one to be given on a version."""
    outcome = state.judge(event.operation, event.version)
    if outcome != event.answer.outcome or (outcome == "done" and state.changes(event.operation)):
        return False
    told = state.told(event.operation) if outcome in ("done", "replay") else None
    return event.answer.contents == told


def assert_whole(row: Mapping[str, Any]) -> None:
    """See that a stored cart, by its attributes, has every part of each of its lines and none of another."""
    held = {name.partition("#")[2] for name in row if name.startswith("qty#")}
    for part in ("snap", "added", "updated"):
        assert {name.partition("#")[2] for name in row if name.startswith(f"{part}#")} == held
    assert {name.partition("#")[2] for name in row if name.startswith("notes#")} <= held
    assert set(row.get("products", {"NS": []})["NS"]) == held


def record_outcomes(
    command: str, engine: str, history: Sequence[Event], outcomes: Mapping[str, int], seed: int
) -> None:
    """Record the figures of a history that was passed."""
    told = {"done": "changes and reads", "replay": "replays", "cart has changed": "conflicts"}
    record(
        "concurrency",
        command,
        **{
            f"operations on {engine}": len(history),
            "carts": CARTS,
            "seed": seed,
            **{name: outcomes.get(outcome, 0) for outcome, name in told.items()},
            "other refusals": sum(count for outcome, count in outcomes.items() if outcome not in told),
            "violations": 0,
        },
    )
