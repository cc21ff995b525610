"""Parallel requests for shared carts: made from a seed, recorded, and compared with the reference model.

Every acknowledged change has a version of its cart, and versions never repeat: they put the changes in one order.
Applied in that order to the reference, each must lead to the recorded answer, and all to the cart that remains. The
version of a change is newer than all that were answered before it was sent; and a request that changes nothing (a
read, a replay, a refusal) must be right on a version of the time in which it was sent. A merge that moves something has
the next version of two carts, so the orders of all carts must fit together. A checkout empties the cart in one version,
and its order has what the cart had in the version before.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any, Final, Literal

from serverless_cart.domain import limits
from serverless_cart.domain.cart import Cart
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.domain.orders import Order
from serverless_cart.service.cart import Preconditions
from serverless_cart.service.ports import IdempotencyKey
from tests.support.builders import item as item_of
from tests.support.builders import product
from tests.support.reference_cart import Request, Rules
from tools.support.events import NOW
from tools.support.figures import record

CLIENTS: Final = 32
CARTS: Final = 4
GUESTS: Final = 2
"""Carts of guests, which follow those of customers in a history with merges."""
MERGES: Final = 16
"""Weight of merges in such a history."""
CHECKOUTS: Final = 16
"""Weight of checkouts in a history that has them."""
ITEMS: Final = 4
"""Distinct items of a cart in these histories: fewer than there are products."""
STOCK: Final[Mapping[int, int | None]] = {1: None, 2: 6, 3: 3, 4: None, 5: 6, 6: 1, 7: None, 8: 9}
"""The stock of each product."""
RULES: Final = Rules(Limits(cart_items=ITEMS, open_holds=10**6))

Kind = Literal["add", "revise", "annotate", "remove", "select", "clear", "read", "merge", "checkout"]
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
    guest: int = 0

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

    @classmethod
    def of_order(cls, order: Order) -> "Contents":
        """Return the contents of the cart that an order was made of."""
        return cls({item.product_id: (item.quantity, item.notes) for item in order.items}, order.selections.address)


@dataclass(frozen=True)
class Answer:
    """A client's answer; ``outcome`` is ``done``, ``replay`` or the contract's error.

    A refusal has no contents, and a version only if it is 412. ``changed`` is true if a merge has written the cart;
    ``guest_version`` is the new version of the guest's cart if something has moved. A checkout has the contents and the
    key of its ``order``; a repeated one has no version.
    """

    outcome: str
    version: int | None = None
    contents: Contents | None = None
    changed: bool = True
    guest_version: int | None = None
    order: str = ""


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


def operations(
    seed: int, count: int, clients: int = CLIENTS, guests: int = 0, checkouts: int = 0
) -> list[list[Operation]]:
    """Return each client's operations, ``count`` in total, the same for the same seed; merges only with guests.

    ``checkouts`` is their weight.
    """
    more: dict[Kind, int] = {"merge": MERGES * bool(guests), "checkout": checkouts}
    weights = {**WEIGHTS, **{kind: weight for kind, weight in more.items() if weight}}
    chance = random.Random(seed)  # noqa: S311 - it picks cases, not keys
    changes: dict[Kind, int] = {kind: weight for kind, weight in weights.items() if kind != "read"}
    keyed = {
        cart: [
            replace(_operation(chance, cart, changes), key=f"key-{cart}-{n}") for n in range(limits.IDEMPOTENCY_RECORDS)
        ]
        for cart in range(CARTS + guests)
    }
    made: list[list[Operation]] = [[] for _ in range(clients)]
    for number in range(count):
        operation = _operation(chance, chance.randrange(CARTS + guests), weights)
        if operation.kind != "read":
            if chance.random() < 0.35:
                known = chance.choice(keyed[operation.cart])
                operation = replace(operation, key=known.key) if chance.random() < 0.1 else known
            operation = replace(operation, on=chance.choices(ON, [6, 3, 1])[0])
        made[number % clients].append(operation)
    return made


def _operation(chance: random.Random, cart: int, weights: Mapping[Kind, int]) -> Operation:
    """Choose an operation without a key, on any version."""
    kinds = [kind for kind in weights if kind not in {"merge", "checkout"} or cart < CARTS]
    kind = chance.choices(kinds, [weights[kind] for kind in kinds])[0]
    id_, notes = chance.choice(list(STOCK)), f"note {chance.randrange(100)}"
    match kind:
        case "add":
            return Operation(cart, kind, id_, chance.randint(1, 3), chance.choice([None, None, notes]))
        case "revise":
            return Operation(cart, kind, id_, chance.randint(1, 8))
        case "annotate":
            return Operation(cart, kind, id_, notes=notes)
        case "select":
            return Operation(cart, kind, address=chance.randrange(1, 100))
        case "merge":
            return Operation(cart, kind, guest=CARTS + chance.randrange(GUESTS))
        case _:
            return Operation(cart, kind, id_ if kind == "remove" else 0)


def play(
    clients: Iterable[Sequence[Operation]], client: Callable[[], Callable[[Operation, int | None], Answer]]
) -> list[Event]:
    """Let all clients send at once, each one operation after another, and record what happens.

    ``client`` returns a client: a function that sends an operation with a version and returns the answer.
    """
    clients = list(clients)
    start = threading.Barrier(len(clients))

    def run(mine: Sequence[Operation]) -> list[Event]:
        send, seen, events = client(), dict.fromkeys(range(CARTS + GUESTS), 0), []
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


def after(cart: Cart, operation: Operation, version: int, order: str = "") -> Cart:
    """Return the cart after a change that has this version; a checkout has the key of its ``order``."""
    read = {operation.product: item_of(product(operation.product, stock=STOCK.get(operation.product)))}
    now = RULES.after(cart, operation.request, NOW, operation.preconditions(None).key, read)
    records = dict(now.idempotency_records)
    if operation.key:
        records[operation.key] = records[operation.key]._replace(order_key=order)
    return replace(now, version=version, idempotency_records=records)


def merges(cart: Cart, guest: Cart, operation: Operation, version: int) -> list[tuple[Cart, Cart]]:
    """Return both carts after a merge that gives the customer's this version, for each order of the guest's items.

    The order in which they were added is that of the clients' clocks, which a history does not have.
    """
    products = {id_: product(id_, stock=stock) for id_, stock in STOCK.items()}
    kept = RULES.after(cart, Request("select"), NOW, operation.preconditions(None).key, {})
    orders = [replace(guest, items=dict(order)) for order in permutations(guest.items.items())]
    return [
        (replace(kept, version=version, items=items), replace(guest, version=guest.version + 1, items=left))
        for items, left in (RULES.merged(cart, ordered, products) for ordered in orders)
    ]


def check(history: Iterable[Event], remaining: Mapping[int, Answer]) -> Counter[str]:
    """Compare a history, and the carts that it leaves as a read shows them, with the reference.

    Return the number of answers by outcome. Raises `HistoryError`.
    """
    history = list(history)
    changes = {cart: sorted(_changes(history, cart), key=lambda change: change[0]) for cart in remaining}
    carts = _in_one_order(changes)
    orders = _orders(history)
    for event in history:
        _check_time(event, changes, carts)
        if event.operation.kind == "checkout" and event.answer.contents != orders.get(event.answer.order):
            raise HistoryError(f"{event} must have answered {orders.get(event.answer.order)}")
    for cart, answer in remaining.items():
        last = carts[cart][max(carts[cart])]
        if (answer.version, answer.contents) != (last.version, Contents.of(last)):
            raise HistoryError(f"{answer} remains, and must be {last}")
    return Counter(event.answer.outcome for event in history)


Change = tuple[int, Event]
"""A version of a cart, and what led to it."""
Versions = Mapping[int, Mapping[int, Cart]]
"""Each cart at each of its versions."""


def _orders(history: Iterable[Event]) -> dict[str, Contents | None]:
    """Return the contents of each order by its key, and those of no order."""
    orders: dict[str, Contents | None] = {"": None}
    for event in history:
        if event.operation.kind == "checkout" and _is_change(event):
            if event.answer.order in orders:
                raise HistoryError(f"{event} has the order of another checkout")
            orders[event.answer.order] = event.answer.contents
    return orders


def _changes(history: Iterable[Event], cart: int) -> Iterator[Change]:
    for event in history:
        if event.operation.cart == cart and _is_change(event):
            yield _version(event), event
        if event.operation.guest == cart and event.answer.guest_version is not None:
            yield event.answer.guest_version, event


def _in_one_order(changes: Mapping[int, Sequence[Change]]) -> dict[int, dict[int, Cart]]:
    """Apply the changes of all carts, each when it is the next one of its carts."""
    carts = {cart: {0: Cart()} for cart in changes}
    pending = {cart: list(reversed(mine)) for cart, mine in changes.items()}
    while waiting := [mine[-1][1] for mine in pending.values() if mine]:
        ready = [
            event for event in waiting if all(pending[cart] and pending[cart][-1][1] is event for cart in _of(event))
        ]
        if not ready:
            raise HistoryError(f"no order of the merges fits: {waiting}")
        versions = {cart: pending[cart].pop()[0] for cart in _of(ready[0])}
        for cart, now in _apply(ready[0], carts).items():
            if versions[cart] in carts[cart]:
                raise HistoryError(f"version {versions[cart]} was given twice, the second time to {ready[0]}")
            carts[cart][versions[cart]] = now
            _check_bounds(now)
    return carts


def _of(event: Event) -> set[int]:
    """Return the carts that an event has changed."""
    operation = event.operation
    return {operation.cart} | ({operation.guest} if event.answer.guest_version is not None else set())


def _apply(event: Event, carts: Versions) -> dict[int, Cart]:
    """Return the carts that a change leads to. Raises `HistoryError` if it is wrong on the carts as they are."""
    operation, version = event.operation, _version(event)
    cart = carts[operation.cart][max(carts[operation.cart])]
    if cart.version and version > cart.version + 1:
        raise HistoryError(f"a change between {cart.version} and {version} was not answered: {event}")
    outcome = expected(cart, operation, event.version)
    if outcome != "done":
        raise HistoryError(f"{event} was done, and must be refused: {outcome}")
    if operation.kind != "merge":
        now = {operation.cart: after(cart, operation, version, event.answer.order)}
    elif event.answer.guest_version is None:
        now = {operation.cart: merges(cart, Cart(), operation, version)[0][0]}
    else:
        guest = carts[operation.guest][max(carts[operation.guest])]
        possible = merges(cart, guest, operation, version)
        both = next((it for it in possible if Contents.of(it[0]) == event.answer.contents), possible[0])
        if both[1].items == guest.items:
            raise HistoryError(f"{event} has moved something, and must move nothing of {Contents.of(guest)}")
        now = {operation.cart: both[0], operation.guest: both[1]}
    shown = Contents.of(cart if operation.kind == "checkout" else now[operation.cart])
    if event.answer.contents != shown:
        raise HistoryError(f"{event} must have answered {shown}")
    return now


def _is_change(event: Event) -> bool:
    answer = event.answer
    return answer.outcome == "done" and event.operation.kind != "read" and answer.version != 0 and answer.changed


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


def _check_time(event: Event, changes: Mapping[int, Sequence[Change]], carts: Versions) -> None:
    """Check that an answer is right on a version that the cart had while the client waited for it."""
    first, last = _time(event, changes[event.operation.cart])
    answer = event.answer
    if answer.guest_version is not None and answer.guest_version <= _time(event, changes[event.operation.guest])[0]:
        raise HistoryError(f"{event} was sent when version {answer.guest_version} was answered already")
    guests = [Cart()]
    if event.operation.kind == "merge":
        of_guest = _time(event, changes[event.operation.guest])
        guests = [it for version, it in carts[event.operation.guest].items() if of_guest[0] <= version <= of_guest[1]]
    mine = carts[event.operation.cart]
    if _is_change(event):
        if _version(event) <= first:
            raise HistoryError(f"{event} was sent when version {first} was answered already")
        before = mine.get(_version(event) - 1, Cart())
        if (
            event.operation.kind == "merge"
            and answer.guest_version is None
            and not _may_move_nothing(event, before, guests)
        ):
            raise HistoryError(f"{event} has moved nothing, and must have moved some of {guests}")
        return
    if answer.version is not None and not first <= answer.version <= last:
        raise HistoryError(f"{event} has a version that was not from {first} to {last}")
    versions = [version for version in mine if first <= version <= last and answer.version in {None, version}]
    if not any(_is_right(event, mine[version], guests) for version in versions):
        raise HistoryError(f"{event} is right on no version from {first} to {last}: {[mine[v] for v in versions]}")


def _may_move_nothing(event: Event, cart: Cart, guests: Sequence[Cart]) -> bool:
    """Return whether a merge may find nothing to move in one of these carts of its guest."""
    return any(merges(cart, guest, event.operation, 0)[0][1].items == guest.items for guest in guests)


def _time(event: Event, changes: Sequence[Change]) -> tuple[int, int]:
    """Return the first and the last version that a cart had while a client waited for an answer."""
    first = max((version for version, other in changes if other.ended < event.began), default=0)
    return first, max((version for version, other in changes if other.began <= event.ended), default=0)


def _is_right(event: Event, cart: Cart, guests: Sequence[Cart]) -> bool:
    """Return whether an answer that changes nothing is right on a version."""
    outcome, operation = expected(cart, event.operation, event.version), event.operation
    if outcome != event.answer.outcome:
        return False
    if outcome == "done" and operation.kind == "merge":
        if operation.key or not _may_move_nothing(event, cart, guests):
            return False
    elif outcome == "done" and RULES.changes(cart, operation.request):
        return False
    if outcome == "replay" and operation.kind == "checkout":
        return cart.idempotency_records[operation.key].order_key == event.answer.order
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
            "carts": len({event.operation.cart for event in history}),
            "seed": seed,
            "merges that moved something": sum(event.answer.guest_version is not None for event in history),
            "orders": len({event.answer.order for event in history} - {""}),
            **{name: outcomes.get(outcome, 0) for outcome, name in names.items()},
            "other refusals": sum(count for outcome, count in outcomes.items() if outcome not in names),
            "violations": 0,
        },
    )
