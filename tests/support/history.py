"""Parallel requests for shared carts: made from a seed, recorded, and compared with the reference model.

Every acknowledged change has a version of its cart, and versions never repeat: they put the changes in one order.
Applied in that order to the reference, each must lead to the recorded answer, and all to the cart that remains. The
version of a change is newer than all that were answered before it was sent; and a request that changes nothing (a
read, a replay, a refusal) must be right on a version of the time in which it was sent.
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
from serverless_cart.domain.cart import Cart
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.ports import IdempotencyKey
from tests.support.builders import item as item_of
from tests.support.builders import product
from tests.support.reference_cart import Request, Rules
from tools.support.events import NOW
from tools.support.figures import record

CLIENTS: Final = 32
CARTS: Final = 4
ITEMS: Final = 4
"""Distinct items of a cart in these histories: fewer than there are products."""
STOCK: Final[Mapping[int, int | None]] = {1: None, 2: 6, 3: 3, 4: None, 5: 6, 6: 1, 7: None, 8: 9}
"""The stock of each product."""
RULES: Final = Rules(Limits(cart_items=ITEMS))

Kind = Literal["add", "revise", "annotate", "remove", "select", "clear", "read"]
On = Literal["any", "seen", "stale"]
ON: Final[Sequence[On]] = ("any", "seen", "stale")
WEIGHTS: Final[Mapping[Kind, int]] = {
    "add": 34, "revise": 14, "annotate": 8, "remove": 14, "select": 8, "clear": 4, "read": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """A client's request; ``on`` is the version that ``If-Match`` names: any, the last one seen, or the one before."""

    cart: int
    kind: Kind
    product: int = 0
    quantity: int | None = None
    notes: str | None = None
    address: int | None = None
    key: str = ""
    on: On = "any"

    @property
    def request(self) -> Request:
        """The request, without its preconditions."""
        selections = {"address": self.address} if self.kind == "select" else {}
        match self.kind:
            case "revise" | "annotate":
                return Request("update", self.product, self.quantity, self.notes)
            case kind:
                return Request(kind, self.product, self.quantity, self.notes, selections)

    def preconditions(self, version: int | None) -> Preconditions:
        """Return the key, with the request that it belongs to, and the version that is named."""
        key = IdempotencyKey(self.key, repr(self.request)) if self.key else None
        return Preconditions(key, None if version is None else frozenset({version}))


@dataclass(frozen=True)
class Contents:
    """The contents of a cart: quantity and notes by product, and the selected address."""

    lines: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    address: int | None = None

    @classmethod
    def of(cls, cart: Cart) -> "Contents":
        """Return the contents of a cart."""
        return cls({id_: (item.quantity, item.notes) for id_, item in cart.items.items()}, cart.selections.address)


@dataclass(frozen=True)
class Answer:
    """A client's answer; ``outcome`` is ``done``, ``replay`` or the contract's error.

    A refusal has no contents, and a version only if it is 412.
    """

    outcome: str
    version: int | None = None
    contents: Contents | None = None


@dataclass(frozen=True)
class Event:
    """An operation, the version that it named, and its answer. Times are seconds of one clock."""

    operation: Operation
    version: int | None
    began: float
    ended: float
    answer: Answer


class HistoryError(AssertionError):
    """A history that is impossible for a cart that serves one request after another."""


# ----------------------------------------------------------------------------------------------------------------------
# A history
# ----------------------------------------------------------------------------------------------------------------------


def operations(seed: int, count: int, clients: int = CLIENTS) -> list[list[Operation]]:
    """Return each client's operations, ``count`` in total, the same for the same seed."""
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
    """Choose an operation without a key, on any version."""
    kind = chance.choices(list(weights), list(weights.values()))[0]
    id_, notes = chance.choice(list(STOCK)), f"note {chance.randrange(100)}"
    match kind:
        case "add":
            return Operation(cart, kind, id_, chance.randint(1, 3), chance.choice([None, None, notes]))
        case "revise":
            return Operation(cart, kind, id_, chance.randint(1, 8))
        case "annotate":
            return Operation(cart, kind, id_, notes=notes)
        case "remove":
            return Operation(cart, kind, id_)
        case "select":
            return Operation(cart, kind, address=chance.randrange(1, 100))
        case _:
            return Operation(cart, kind)


def play(
    clients: Iterable[Sequence[Operation]], client: Callable[[], Callable[[Operation, int | None], Answer]]
) -> list[Event]:
    """Let all clients send at once, each one operation after another, and record what happens.

    ``client`` returns a client: a function that sends an operation with a version and returns the answer.
    """
    clients = list(clients)
    start = threading.Barrier(len(clients))

    def run(mine: Sequence[Operation]) -> list[Event]:
        send, seen, events = client(), dict.fromkeys(range(CARTS), 0), []
        start.wait()
        for operation in mine:
            version = {"any": None, "seen": seen[operation.cart], "stale": seen[operation.cart] - 1}[operation.on]
            began = time.perf_counter()
            answer = send(operation, version)
            events.append(Event(operation, version, began, time.perf_counter(), answer))
            if answer.version is not None:
                seen[operation.cart] = answer.version
        return events

    with ThreadPoolExecutor(len(clients)) as pool:
        return [event for events in pool.map(run, clients) for event in events]


# ----------------------------------------------------------------------------------------------------------------------
# Its check
# ----------------------------------------------------------------------------------------------------------------------


def expected(cart: Cart, operation: Operation, version: int | None) -> str:
    """Return the outcome that an operation must have on this version of its cart."""
    request, sold = operation.request, product(operation.product, stock=STOCK.get(operation.product))
    return RULES.outcome(cart, request, sold, operation.preconditions(version), now=NOW)


def after(cart: Cart, operation: Operation, version: int) -> Cart:
    """Return the cart after a change that has this version."""
    read = {operation.product: item_of(product(operation.product, stock=STOCK.get(operation.product)))}
    return replace(RULES.after(cart, operation.request, NOW, operation.preconditions(None).key, read), version=version)


def check(history: Iterable[Event], remaining: Mapping[int, Answer]) -> Counter[str]:
    """Compare a history, and the carts that it leaves as a read shows them, with the reference.

    Return the number of answers by outcome. Raises `HistoryError`.
    """
    history = list(history)
    for cart in range(CARTS):
        _check_cart([event for event in history if event.operation.cart == cart], remaining[cart])
    return Counter(event.answer.outcome for event in history)


def _check_cart(events: Sequence[Event], remaining: Answer) -> None:
    changes = sorted(filter(_is_change, events), key=_version)
    cart = Cart()
    carts = {0: cart}
    for event in changes:
        version = _version(event)
        if version in carts:
            raise HistoryError(f"version {version} was given twice, the second time to {event}")
        if cart.version and version != cart.version + 1:
            raise HistoryError(f"a change between {cart.version} and {version} was not answered")
        outcome = expected(cart, event.operation, event.version)
        if outcome != "done":
            raise HistoryError(f"{event} was done, and must be refused: {outcome}")
        cart = carts[version] = after(cart, event.operation, version)
        _check_bounds(cart)
        if event.answer.contents != Contents.of(cart):
            raise HistoryError(f"{event} must have answered {Contents.of(cart)}")
    for event in events:
        _check_time(event, changes, carts)
    if (remaining.version, remaining.contents) != (cart.version, Contents.of(cart)):
        raise HistoryError(f"{remaining} remains, and must be {cart}")


def _is_change(event: Event) -> bool:
    return event.answer.outcome == "done" and event.operation.kind != "read" and event.answer.version != 0


def _version(event: Event) -> int:
    if event.answer.version is None:
        raise HistoryError(f"{event} has no version")
    return event.answer.version


def _check_bounds(cart: Cart) -> None:
    """Check the bounds without the rules."""
    if len(cart.items) > ITEMS:
        raise HistoryError(f"{cart} holds more than {ITEMS} items")
    for id_, item in cart.items.items():
        stock = STOCK[id_]
        if not 1 <= item.quantity <= (CONTRACT_LIMITS.item_quantity if stock is None else stock):
            raise HistoryError(f"{cart} holds {item.quantity} of product {id_}")


def _check_time(event: Event, changes: Sequence[Event], carts: Mapping[int, Cart]) -> None:
    """Check that an answer is right on a version that the cart had while the client waited for it."""
    first = max((_version(other) for other in changes if other.ended < event.began), default=0)
    last = max((_version(other) for other in changes if other.began <= event.ended), default=0)
    answer = event.answer
    if _is_change(event):
        if _version(event) <= first:
            raise HistoryError(f"{event} was sent when version {first} was answered already")
        return
    if answer.version is not None and not first <= answer.version <= last:
        raise HistoryError(f"{event} has a version that was not from {first} to {last}")
    versions = [version for version in carts if first <= version <= last and answer.version in {None, version}]
    if not any(_is_right(event, carts[version]) for version in versions):
        raise HistoryError(f"{event} is right on no version from {first} to {last}: {[carts[v] for v in versions]}")


def _is_right(event: Event, cart: Cart) -> bool:
    """Return whether an answer that changes nothing is right on a version."""
    outcome = expected(cart, event.operation, event.version)
    if outcome != event.answer.outcome or (outcome == "done" and RULES.changes(cart, event.operation.request)):
        return False
    contents = Contents.of(cart) if outcome in {"done", "replay"} else None
    return event.answer.contents == contents


def assert_whole(row: Mapping[str, Any]) -> None:
    """Check that a stored cart, by its attributes, has all attributes of each of its products, and of no other."""
    held = {name.partition("#")[2] for name in row if name.startswith("qty#")}
    for part in ("snap", "added", "updated"):
        assert {name.partition("#")[2] for name in row if name.startswith(f"{part}#")} == held
    assert {name.partition("#")[2] for name in row if name.startswith("notes#")} <= held
    assert set(row.get("products", {"NS": []})["NS"]) == held


def record_outcomes(
    command: str, engine: str, history: Sequence[Event], outcomes: Mapping[str, int], seed: int
) -> None:
    """Record the figures of a history without violations."""
    names = {"done": "changes and reads", "replay": "replays", "cart has changed": "conflicts"}
    record(
        "concurrency",
        command,
        **{
            f"operations on {engine}": len(history),
            "carts": CARTS,
            "seed": seed,
            **{name: outcomes.get(outcome, 0) for outcome, name in names.items()},
            "other refusals": sum(count for outcome, count in outcomes.items() if outcome not in names),
            "violations": 0,
        },
    )
