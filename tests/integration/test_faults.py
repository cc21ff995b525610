"""Every fault of the database at every call of every route: the answer, and the table afterwards.

A fault occurs once, lasts for all attempts of a call, or lasts from there on. The answer is one of the contract, within
the function's timeout; the table has the whole change or none of it; and a repetition with the key finds the change
made once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations as choices
from itertools import product as combinations
from typing import Any, Final

import pytest
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.retries.quota import RetryQuota

from serverless_cart.auth import Token, digest
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.guests import guest_customer
from serverless_cart.domain.methods import Kind, PaymentMethod, ShippingMethod
from serverless_cart.domain.orders import new_key
from serverless_cart.dynamodb import keys, token_registry
from serverless_cart.dynamodb.client import CONNECT_TIMEOUT
from serverless_cart.dynamodb.discounts import DiscountRecord, discount_to_item
from serverless_cart.dynamodb.methods import methods_to_item
from serverless_cart.dynamodb.table import ATTEMPTS, Table
from serverless_cart.dynamodb.token_registry import TokenRegistry
from serverless_cart.dynamodb.tokens import token_to_item
from serverless_cart.service import checkout, holds
from serverless_cart.service.errors import Unavailable
from tests.support import cart_requests as customer
from tests.support.builders import product
from tests.support.bundle import TABLE, Answer, Bundle, Instead, Item
from tests.support.cart_requests import CHANGES
from tools.support.events import DAY, MINUTE, SHOP, altered, load
from tools.support.figures import record
from tools.support.template import TEMPLATE

pytestmark = pytest.mark.every_engine

URL: Final = "http://database"
READ_TIMEOUT: Final = float(TEMPLATE["Parameters"]["DatabaseTimeoutSeconds"]["Default"])
FUNCTION_TIMEOUT: Final = TEMPLATE["Globals"]["Function"]["Timeout"]
LASTING: Final = 1_000
"""More attempts than any request makes."""
WRITES: Final = ("UpdateItem", "PutItem", "DeleteItem")
FIRST_ORDER: Final = new_key()
"""The key of the first order in the table."""


# ----------------------------------------------------------------------------------------------------------------------
# What can go wrong
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    ``raised`` replaces the answer after ``seconds``; ``answered`` is a status and a code. An ``ambiguous`` fault leaves
    open if the statement was carried out; if ``applied``, it was.
    """

    raised: Exception | None = None
    answered: tuple[int, str] | None = None
    seconds: float = 0.0
    ambiguous: bool = False
    applied: bool = False


FAULTS: Final = {
    "throttled": Fault(answered=(400, "ProvisionedThroughputExceededException")),
    "throttling": Fault(answered=(400, "ThrottlingException")),
    "too many requests": Fault(answered=(400, "RequestLimitExceeded")),
    "not reached": Fault(ConnectTimeoutError(endpoint_url=URL), seconds=CONNECT_TIMEOUT),
    "is_refusal": Fault(EndpointConnectionError(endpoint_url=URL)),
    "unprocessed": Fault(answered=(200, "")),
    "fails": Fault(answered=(500, "InternalServerError"), ambiguous=True),
    "fails, applied": Fault(answered=(500, "InternalServerError"), ambiguous=True, applied=True),
    "down": Fault(answered=(503, "ServiceUnavailable"), ambiguous=True),
    "reset": Fault(ConnectionClosedError(endpoint_url=URL), ambiguous=True),
    "reset, applied": Fault(ConnectionClosedError(endpoint_url=URL), ambiguous=True, applied=True),
    "slow": Fault(ReadTimeoutError(endpoint_url=URL), seconds=READ_TIMEOUT, ambiguous=True),
    "slow, applied": Fault(ReadTimeoutError(endpoint_url=URL), seconds=READ_TIMEOUT, ambiguous=True, applied=True),
}
UNPROCESSED: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    "BatchGetItem": lambda asked: {"Responses": {TABLE: []}, "UnprocessedKeys": asked},
    "BatchWriteItem": lambda asked: {"UnprocessedItems": asked},
}
"""The answer of a batch of which nothing was processed."""


@dataclass
class Injector:
    """Lets a number of attempts fail from one call on; ``seconds`` is the time that they would have taken."""

    bundle: Bundle
    fault: Fault
    place: int
    attempts: int
    seconds: float = 0.0
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        database = self.bundle.database
        database.before, database.instead, database.after = self.before, self.instead, self.after

    def before(self, operation: str) -> None:
        self.made.append(operation)
        if self.fault.raised and not self.fault.applied and self._strikes():
            self._raise()

    def instead(self, operation: str, asked: dict[str, Any]) -> Instead | None:
        if self.fault.answered is None or not self._strikes():
            return None
        status, code = self.fault.answered
        if status == 200:
            return Instead(200, UNPROCESSED[operation](asked["RequestItems"]))
        body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "arn:secret"}
        return Instead(status, body, self.fault.applied)

    def after(self, _operation: str) -> None:
        if self.fault.raised and self.fault.applied and self._strikes():
            self._raise()

    def _raise(self) -> None:
        assert self.fault.raised
        self.seconds += self.fault.seconds
        raise self.fault.raised

    def _strikes(self) -> bool:
        # The attempts of one call fail, or all from there on. Unprocessed items are requested by a new call.
        call = len(self.bundle.database.calls) - 1
        goes_on = self.attempts > ATTEMPTS or self.fault is FAULTS["unprocessed"]
        strikes = self.attempts > 0 and (call == self.place or (call > self.place and goes_on))
        self.attempts -= strikes
        return strikes


# ----------------------------------------------------------------------------------------------------------------------
# What is asked for
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A request, the rows before it, and the calls that it makes without a fault."""

    send: Callable[..., Answer]
    prepare: Callable[[Bundle], object]
    calls: list[str]
    is_change: bool = True
    status: int = 200


def aged(bundle: Bundle) -> None:
    """Fill the cart with three items with changed and aged prices."""
    for number in (7, 8, 123):
        bundle.sell(product(number))
        customer.add(bundle, number)
        bundle.sell(product(number, price=1000 + number, discount=0))
    bundle.clock.forward(60_000)


def offered(bundle: Bundle) -> None:
    """Fill the cart as `aged` does, with a shipping method and a discount code in the shop."""
    bundle.put(methods_to_item(SHOP, Kind.SHIPPING, [ShippingMethod(3, "Parcel", cost=490)], 1))
    bundle.put(discount_to_item(SHOP, DiscountRecord(DiscountCode("OFF", 10), "", 0)))
    customer.select(bundle, shipping_method=3)
    customer.apply_discount(bundle, "OFF")
    aged(bundle)


def expired(bundle: Bundle) -> None:
    """Let the cart expire and stay in the table."""
    customer.add(bundle)
    bundle.clock.forward(30 * DAY)


def nothing(_bundle: Bundle) -> None:
    """Start without a cart."""


def event(bundle: Bundle, name: str, amount: int = 2) -> Answer:
    body = {"id": "MUG-7", "index": "product", "title": "Enamel mug", "amount": amount}
    return bundle.send("stats_cart", altered(load(f"stats_cart/{name}"), body=body))


def with_item(bundle: Bundle) -> None:
    """Put an item in the session's cart."""
    event(bundle, "put", 5)


def with_expired_item(bundle: Bundle) -> None:
    """Let the session's item expire and stay in the table."""
    with_item(bundle)
    bundle.clock.forward(DAY)


def with_many_items(bundle: Bundle) -> None:
    """Put more items in the session's cart than one call deletes."""
    with_item(bundle)
    (held,) = bundle.client.scan(
        TableName=TABLE, FilterExpression="begins_with(pk, :of)", ExpressionAttributeValues={":of": {"S": "SESSION#"}}
    )["Items"]
    one: Item = dict(held)
    bundle.put(*({**one, "sk": {"S": f"CART#{number}"}} for number in range(29)))


def with_guest(bundle: Bundle) -> None:
    """Give a guest, and then the customer, a cart with aged prices."""
    guest = guest_customer(digest("2" * 40))
    bundle.put(token_to_item(digest("2" * 40), Token("customer", SHOP, guest, bundle.clock() // 1000 + 86_400)))
    bundle.sell(product(9))
    bundle.send("cart_items", altered(load("cart_items/post"), body={"product": 9}, authorizer={"customer": guest}))
    aged(bundle)


CASES: Final = {
    "read": Case(customer.read, aged, ["GetItem", "BatchGetItem", "UpdateItem"]),
    "add first": Case(CHANGES["add"], nothing, ["BatchGetItem", "UpdateItem"]),
    "add": Case(CHANGES["add"], aged, ["BatchGetItem", "BatchGetItem", "UpdateItem"]),
    "add after expiry": Case(CHANGES["add"], expired, ["BatchGetItem", "PutItem"]),
    "update quantity": Case(CHANGES["update quantity"], aged, ["GetItem", "BatchGetItem", "UpdateItem"]),
    "update notes": Case(CHANGES["update notes"], aged, ["GetItem", "BatchGetItem", "UpdateItem"]),
    "remove": Case(CHANGES["remove"], aged, ["GetItem", "BatchGetItem", "UpdateItem"]),
    "select": Case(CHANGES["select"], aged, ["GetItem", "BatchGetItem", "UpdateItem"]),
    "select after expiry": Case(CHANGES["select"], expired, ["GetItem", "PutItem"]),
    "select a method": Case(
        lambda bundle, headers=None: customer.select(bundle, headers, shipping_method=3),
        offered,
        ["BatchGetItem", "BatchGetItem", "UpdateItem"],
    ),
    "apply a discount": Case(
        lambda bundle, headers=None: customer.apply_discount(bundle, "OFF", headers),
        offered,
        ["BatchGetItem", "BatchGetItem", "UpdateItem"],
    ),
    "remove the discount": Case(customer.remove_discount, offered, ["GetItem", "BatchGetItem", "UpdateItem"]),
    "clear": Case(CHANGES["clear"], aged, ["GetItem", "UpdateItem"]),
}
MERGE: Final = Case(
    lambda bundle, headers=None: bundle.send("cart_merge", altered(load("cart_merge/post"), headers=headers or {})),
    with_guest,
    ["BatchGetItem", "BatchGetItem", "TransactWriteItems"],
)
CHECKOUT: Final = ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]


def to_order(bundle: Bundle) -> None:
    """Fill the cart with a discount code and methods, and let the customer see its prices."""
    offered(bundle)
    bundle.put(methods_to_item(SHOP, Kind.PAYMENT, [PaymentMethod(9, "Card", next_step="https://pay.example/")], 1))
    customer.select(bundle, payment_method=9)


def to_review(bundle: Bundle) -> None:
    """Change a price that the customer has seen, and the shipping cost."""
    to_order(bundle)
    bundle.sell(product(7, price=1, discount=0))
    bundle.put(methods_to_item(SHOP, Kind.SHIPPING, [ShippingMethod(3, "Parcel", cost=590)], 2))


def ordered(bundle: Bundle) -> None:
    """Order the cart, with a key, and begin another one."""
    to_order(bundle)
    customer.check_out(bundle, customer.once())
    customer.add(bundle)


CHECKOUTS: Final = {
    "with an item": Case(customer.check_out, customer.add, CHECKOUT),
    "with everything": Case(customer.check_out, to_order, CHECKOUT),
    "review": Case(customer.check_out, to_review, ["BatchGetItem", "BatchGetItem", "UpdateItem"], status=409),
}
REPLAY: Final = Case(customer.check_out, ordered, ["BatchGetItem", "GetItem"], is_change=False)


def of_order(function: str, name: str, body: Any = None) -> Callable[[Bundle], Answer]:
    """Return a request about the only order."""

    def send(bundle: Bundle) -> Answer:
        month = {"from": "20251101", "to": "20251130"}
        changes: dict[str, Any] = {"query": month} if name == "list" else {"path": {"key": FIRST_ORDER}}
        return bundle.send(function, altered(load(f"{function}/{name}"), body=body, **changes))

    return send


RETURNS: Final = ["GetItem", "BatchGetItem", "TransactWriteItems"]
ORDERS: Final = {
    "read": Case(of_order("orders", "get"), ordered, ["GetItem"], is_change=False),
    "list": Case(of_order("orders", "list"), ordered, ["Query", "BatchGetItem"], is_change=False),
    "cancel": Case(of_order("orders", "cancel"), ordered, RETURNS),
    "shop's list": Case(of_order("shop_orders", "list"), ordered, ["Query", "BatchGetItem"], is_change=False),
    "shop's order": Case(of_order("shop_orders", "get"), ordered, ["GetItem"], is_change=False),
    "paid": Case(
        of_order("shop_orders", "patch", {"status": "processing"}), ordered, ["GetItem", "TransactWriteItems"]
    ),
    "cancelled": Case(of_order("shop_orders", "patch", {"status": "cancelled"}), ordered, RETURNS),
}
METHODS: Final = Case(
    lambda bundle: bundle.send("methods", load("methods/shipping")), offered, ["GetItem"], is_change=False
)
EVENTS: Final = {
    "put": Case(lambda bundle: event(bundle, "put"), with_item, ["UpdateItem"]),
    "put after expiry": Case(lambda bundle: event(bundle, "put"), with_expired_item, ["UpdateItem"] * 2),
    "patch": Case(lambda bundle: event(bundle, "patch"), with_item, ["UpdateItem"]),
    "patch to zero": Case(lambda bundle: event(bundle, "patch", 5), with_item, ["UpdateItem", "DeleteItem"]),
    "delete": Case(
        lambda bundle: bundle.send("stats_cart", load("stats_cart/delete")),
        with_many_items,
        ["Query", "BatchWriteItem", "BatchWriteItem"],
    ),
}
RECORDED: Final = {
    f"{name}, {calls[-1]}": Case(
        lambda bundle, name=name: bundle.send("stats_events", load(f"stats_events/{name}")), prepare, calls
    )
    for name, prepare, calls in (
        *((name, nothing, ["PutItem"]) for name in ("init", "click", "image", "redirect")),
        ("checkout", nothing, ["Query", "PutItem"]),
        ("checkout", with_many_items, ["Query", "TransactWriteItems"]),
    )
}  # fmt: skip


def signed_in(bundle: Bundle) -> None:
    """Let the customer hold one token more than the limit allows beside a new one."""
    registry = TokenRegistry(Table(TABLE, bundle.client), bundle.clock)
    for _ in range(2):
        registry.sign_in(Token("customer", SHOP, "customer-1", bundle.clock.now // 1000 + 3600))


SIGNS: Final = {
    name: Case(lambda bundle, name=name: bundle.send("customer_tokens", load(f"customer_tokens/{name}")), signed_in,
               ["Query", "TransactWriteItems"])
    for name in ("post", "delete")
}  # fmt: skip


class Rows:
    """The table's items, to compare and to restore."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._table = Table(TABLE, bundle.client)

    def read(self) -> dict[tuple[str, str], Item]:
        items: list[Any] = self._bundle.client.scan(TableName=TABLE)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): _in_order(item) for item in items}

    def restore(self, rows: dict[tuple[str, str], Item]) -> None:
        current = self.read()
        for pk, sk in current.keys() - rows.keys():
            self._bundle.client.delete_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}})
        self._table.write_many({"PutRequest": {"Item": row}} for key, row in rows.items() if current.get(key) != row)


def _in_order(item: Item) -> Item:
    """Return an item with sorted sets, which engines return in any order."""
    return {
        name: {kind: sorted(it) if kind in ("NS", "SS") else it for kind, it in value.items()}
        for name, value in item.items()
    }


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that clients wait between attempts, without waiting.

    A client stops retrying after about fifty faults; here its quota never ends.
    """
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr(RetryQuota, "acquire", lambda *_: True)
    return waits


def test_client_without_quota_retries_nothing(shop: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RetryQuota, "acquire", lambda *_: False)
    rows = Rows(shop)
    before = rows.read()
    injector = Injector(shop, FAULTS["throttled"], 1, attempts=1)

    assert unavailable(CHANGES["add"](shop))
    assert injector.made == ["BatchGetItem", "UpdateItem"]
    assert rows.read() == before


@pytest.fixture
def measured(command: str) -> Iterator[list[float]]:
    """Return the list of the seconds that each correct request with a fault would have taken."""
    yield INJECTED
    longest = f"{max(INJECTED, default=0):.1f} s of {FUNCTION_TIMEOUT} s"
    record("faults", command, faults_answered_rightly=len(INJECTED), longest_answer=longest)


INJECTED: Final[list[float]] = []
DURATIONS: Final = (ATTEMPTS - 1, LASTING)
"""Attempts that fail: the most that one call can absorb, and all."""
OF_EACH_KIND: Final = ("throttled", "unprocessed", "reset", "slow, applied")
"""One fault of each kind, for a run below full size."""

Injection = tuple[str, Fault, int, int]
"""A fault by its name, the place of the call, and the attempts that fail."""
Injections = Callable[..., list[Injection]]


@pytest.fixture
def injections(*, full: bool) -> Injections:
    """Return a function that lists all faults of a request with these calls."""
    faults = [(name, fault) for name, fault in FAULTS.items() if full or name in OF_EACH_KIND]
    return lambda calls, durations=DURATIONS: [
        (name, fault, place, attempts)
        for (name, fault), place, attempts in combinations(faults, range(len(calls)), durations)
        if name != "unprocessed" or calls[place] in UNPROCESSED
    ]


def unavailable(answer: Answer) -> bool:
    """Return whether this is the contract's 503 with all its headers."""
    return (
        (answer.status, answer.body) == (503, {"error": "temporarily unavailable"})
        and int(answer.headers["Retry-After"]) > 0
        and answer.headers["Access-Control-Allow-Origin"] == "*"
        and answer.headers["Content-Type"] == "application/json"
    )


@dataclass(frozen=True)
class Struck:
    """A request that met a fault: the call, and if it was the last; ``name`` describes the fault."""

    name: str
    fault: Fault
    attempts: int
    operation: str
    last: bool
    answer: Answer


class Trial:
    """A request that succeeds once and is then repeated with every fault, each time on the same rows."""

    def __init__(self, shop: Bundle, case: Case, headers: dict[str, str] | None = None) -> None:
        self._shop, self._case, self._headers = shop, case, (headers,) if headers else ()
        self._rows = Rows(shop)
        case.prepare(shop)
        self.before = self.rows()
        self.sound = self.send()
        assert (self.sound.status in {case.status, 201}, shop.database.calls) == (True, case.calls)
        self.after = self.rows()
        assert (self.before != self.after) is case.is_change

    def send(self) -> Answer:
        return self._case.send(self._shop, *self._headers)

    def rows(self) -> dict[tuple[str, str], Item]:
        return self._rows.read()

    def meet(
        self, injections: Injections, waits: list[float], measured: list[float], durations: Sequence[int] = DURATIONS
    ) -> Iterator[Struck]:
        """Send it again for each injection; its seconds are recorded after the caller has checked it."""
        calls = self._case.calls
        for kind, fault, place, attempts in injections(calls, durations):
            name = f"{kind}, {attempts} times, at call {place}"
            self._rows.restore(self.before)
            waits.clear()
            injector = Injector(self._shop, fault, place, attempts)
            answer = self.send()
            self._shop.database.reset()
            seconds = injector.seconds + sum(waits)
            assert seconds < FUNCTION_TIMEOUT, name
            yield Struck(name, fault, attempts, calls[place], place == len(calls) - 1, answer)
            measured.append(seconds)


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name in CASES for key in ("", "k") if name != "read" or not key]
)
def test_cart_request_is_applied_once_or_not_at_all(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float], name: str, *, key: str
) -> None:
    trial = Trial(shop, CASES[name], {"Idempotency-Key": key} if key else None)

    for struck in trial.meet(injections, waits, measured):
        fault_name, fault, answer, is_write = struck.name, struck.fault, struck.answer, struck.operation in WRITES
        absorbable = ATTEMPTS
        if fault.ambiguous and is_write:
            absorbable = LASTING if key else 0  # a key shows whether the write was applied
        absorbed = struck.attempts < absorbable
        applied = absorbed or (fault.applied and is_write and struck.last)
        if absorbed:
            assert (answer.status, answer.body) == (200, trial.sound.body), fault_name
            assert "Idempotency-Replayed" not in answer.headers, fault_name
        else:
            assert unavailable(answer), fault_name
        assert trial.rows() == (trial.after if applied else trial.before), fault_name
        if key:
            again = trial.send()
            assert (again.status, again.headers.get("Idempotency-Replayed")) == (200, "true" if applied else None), (
                fault_name
            )
            assert trial.rows() == trial.after, fault_name


def test_methods_are_listed_or_unavailable(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float]
) -> None:
    trial = Trial(shop, METHODS)

    for struck in trial.meet(injections, waits, measured):
        if struck.attempts < ATTEMPTS:
            assert (struck.answer.status, struck.answer.body) == (200, trial.sound.body), struck.name
        else:
            assert unavailable(struck.answer), struck.name


@pytest.mark.parametrize("key", ["", "k"])
def test_merge_is_applied_once_or_not_at_all(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float], key: str
) -> None:
    trial = Trial(shop, MERGE, {"Idempotency-Key": key} if key else None)

    for struck in trial.meet(injections, waits, measured):
        if struck.attempts < ATTEMPTS:
            assert (struck.answer.status, struck.answer.body) == (200, trial.sound.body), struck.name
        else:
            assert unavailable(struck.answer), struck.name
            assert trial.rows() in (trial.before, trial.after), struck.name
        again = trial.send()
        assert (again.status, again.body["items"]) == (200, trial.sound.body["items"]), struck.name
        assert trial.rows() == trial.after, struck.name


@pytest.fixture
def order_keys(shop: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the first order in the table always the same key, so that a second one is a difference."""
    monkeypatch.setattr(checkout, "new_key", lambda: new_key() if shop.rows("ORDER#") else FIRST_ORDER)


def is_repeated_on_moto(shop: Bundle, struck: Struck) -> bool:
    """Return whether moto applies a transaction again: it ignores the token by which DynamoDB recognizes it."""
    return struck.operation == "TransactWriteItems" and struck.fault.applied and not shop.database.url


@pytest.mark.usefixtures("order_keys")
@pytest.mark.parametrize("key", ["", "k"])
@pytest.mark.parametrize("name", CHECKOUTS)
def test_checkout_makes_its_order_once_or_not_at_all(
    *, shop: Bundle, injections: Injections, waits: list[float], measured: list[float], name: str, key: str
) -> None:
    case = CHECKOUTS[name]
    trial = Trial(shop, case, customer.once(key) if key else None)

    for struck in trial.meet(injections, waits, measured, (*DURATIONS, ATTEMPTS)):
        if struck.attempts < ATTEMPTS and is_repeated_on_moto(shop, struck):
            continue
        rows, applied = trial.rows(), struck.fault.applied and struck.last
        if struck.attempts < ATTEMPTS or (struck.attempts == ATTEMPTS and struck.last):
            assert (struck.answer.status, struck.answer.body) == (case.status, trial.sound.body), struck.name
            assert "Idempotency-Replayed" not in struck.answer.headers
            applied = True
        else:
            assert unavailable(struck.answer), struck.name
        assert rows == (trial.after if applied else trial.before), struck.name
        again = trial.send()
        if key or not applied:
            assert (again.status, again.body) == (case.status, trial.sound.body), struck.name
            assert ("Idempotency-Replayed" in again.headers) == (applied and case.status == 200), struck.name
            assert trial.rows() == trial.after, struck.name
        elif case.status == 200:
            assert (again.status, again.body) == (400, {"error": "cart is empty"}), struck.name
            assert trial.rows() == trial.after, struck.name


@pytest.mark.usefixtures("order_keys")
def test_replayed_checkout_is_the_order_or_unavailable(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float]
) -> None:
    trial = Trial(shop, REPLAY, customer.once())

    for struck in trial.meet(injections, waits, measured):
        if struck.attempts < ATTEMPTS:
            assert customer.is_replay(struck.answer), struck.name
            assert struck.answer.body == {"order_key": FIRST_ORDER, "next_step": "https://pay.example/"}
        else:
            assert unavailable(struck.answer), struck.name
        assert trial.rows() == trial.after, struck.name


@pytest.mark.usefixtures("order_keys")
@pytest.mark.parametrize("name", ORDERS)
def test_order_changes_once_or_not_at_all(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float], name: str
) -> None:
    trial = Trial(shop, ORDERS[name])

    for struck in trial.meet(injections, waits, measured):
        if struck.attempts < ATTEMPTS:
            if is_repeated_on_moto(shop, struck):
                continue
            assert (struck.answer.status, struck.answer.body) == (200, trial.sound.body), struck.name
            assert trial.rows() == trial.after, struck.name
            continue
        assert struck.answer.status == 503, struck.name
        assert int(struck.answer.headers["Retry-After"]) > 0
        applied = struck.fault.applied and struck.last
        assert trial.rows() == (trial.after if applied else trial.before), struck.name
        again = trial.send()
        expected = (409, {"error": "order cannot be cancelled"}) if name == "cancel" and applied else None
        assert (again.status, again.body) == (expected or (200, trial.sound.body)), struck.name
        assert trial.rows() == trial.after, struck.name


@pytest.mark.usefixtures("order_keys")
def test_holds_end_once_or_in_the_next_run(
    shop: Bundle, injections: Injections, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "WORKERS", 1)
    monkeypatch.setattr(keys, "HOLD_PARTITIONS", 2)
    shop.seconds_left = TEMPLATE["Resources"]["ReleaseHoldsFunction"]["Properties"]["Timeout"]
    ordered(shop)
    shop.clock.forward(31 * MINUTE)
    rows = Rows(shop)
    before = rows.read()
    release = load("release_holds/schedule")
    shop.database.reset()
    assert shop.invoke("release_holds", release) == {"ended": 1, "errors": 0}
    after, calls = rows.read(), list(shop.database.calls)
    assert sorted(calls) == ["BatchGetItem", "BatchGetItem", "Query", "Query", "TransactWriteItems"]

    for kind, fault, place, attempts in injections(calls):
        rows.restore(before)
        waits.clear()
        shop.database.reset()
        injector = Injector(shop, fault, place, attempts)
        with suppress(Unavailable):
            shop.invoke("release_holds", release)
        assert injector.seconds + sum(waits) < shop.seconds_left
        shop.database.reset()
        name = f"{kind}, {attempts} times, at call {place}"
        assert rows.read() in (before, after), name
        assert (rows.read() == after) >= (attempts < ATTEMPTS), name
        shop.invoke("release_holds", release)
        assert rows.read() == after, name


@pytest.mark.parametrize("name", EVENTS)
def test_search_event_is_applied_once_or_not_at_all(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float], name: str
) -> None:
    trial = Trial(shop, EVENTS[name])

    for struck in trial.meet(injections, waits, measured):
        fault_name, fault, is_write = struck.name, struck.fault, struck.operation in WRITES
        if struck.attempts < ATTEMPTS and not (fault.ambiguous and is_write):
            assert (struck.answer.status, struck.answer.body) == (200, trial.sound.body), fault_name
            assert trial.rows() == trial.after, fault_name
            continue
        assert unavailable(struck.answer), fault_name
        if name == "delete":
            assert trial.after.keys() <= trial.rows().keys() <= trial.before.keys(), fault_name
            assert trial.send().status == 200, fault_name
            assert trial.rows() == trial.after, "emptying may be repeated"
        else:
            applied = fault.applied and is_write and struck.last
            assert trial.rows() == (trial.after if applied else trial.before), fault_name


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_event_counts_once_if_repeated(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float], name: str
) -> None:
    trial = Trial(shop, RECORDED[name])

    for struck in trial.meet(injections, waits, measured):
        if struck.attempts < ATTEMPTS:
            assert (struck.answer.status, struck.answer.body) == (200, trial.sound.body), struck.name
        else:
            assert unavailable(struck.answer), struck.name
            assert trial.rows() in (trial.before, trial.after), struck.name
            assert trial.send().status == 200, struck.name
        assert trial.rows() == trial.after, struck.name


@pytest.mark.parametrize("name", SIGNS)
def test_customer_signs_in_and_out_once_or_not_at_all(
    *,
    shop: Bundle,
    injections: Injections,
    waits: list[float],
    measured: list[float],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    keys = iter("45")
    monkeypatch.setattr(token_registry, "new_key", lambda: next(keys, "6") * 40)
    monkeypatch.setattr(token_registry, "CUSTOMER_TOKENS", 2)
    trial = Trial(shop, SIGNS[name])

    for struck in trial.meet(injections, waits, measured):
        if struck.attempts < ATTEMPTS:
            if struck.fault.applied and not shop.database.url:
                continue  # moto ignores the token by which DynamoDB recognizes a repeated transaction
            assert (struck.answer.status, struck.answer.body) == (trial.sound.status, trial.sound.body), struck.name
            assert trial.rows() == trial.after, struck.name
            continue
        assert struck.answer.status == 503, struck.name
        assert struck.answer.body == {"error": {"code": "unavailable", "message": "Temporarily unavailable"}}
        assert int(struck.answer.headers["Retry-After"]) > 0
        assert trial.rows() == (trial.after if struck.fault.applied and struck.last else trial.before), struck.name
        with monkeypatch.context() as patch:
            patch.setattr(token_registry, "new_key", lambda: "7" * 40)
            assert trial.send().status == trial.sound.status, "it may be repeated"


@pytest.mark.parametrize("name", ["token", "customer_token", "management_key", "unknown_key"])
def test_authorizer_answers_as_usual_or_raises(
    shop: Bundle, injections: Injections, waits: list[float], measured: list[float], name: str
) -> None:
    # The gateway answers 503 for what it raises; a fault never denies.
    shop.database.reset()
    sound = shop.authorize(load(f"authorizer/{name}"))
    for kind, fault, place, attempts in injections(list(shop.database.calls)):
        injection = f"{kind}, {attempts} times, at call {place}"
        waits.clear()
        shop.database.reset()
        injector = Injector(shop, fault, place, attempts)
        if attempts < ATTEMPTS:
            assert shop.authorize(load(f"authorizer/{name}")) == sound, injection
        else:
            with pytest.raises(Unavailable):
                shop.authorize(load(f"authorizer/{name}"))
        seconds = injector.seconds + sum(waits)
        assert seconds < FUNCTION_TIMEOUT, injection
        measured.append(seconds)


def test_slowest_successful_request_ends_before_timeout(
    shop: Bundle, waits: list[float], measured: list[float]
) -> None:
    """Every read answers only its last attempt, and two answers of the write are lost."""
    aged(shop)
    attempts: dict[int, int] = {}
    seconds, lost = 0.0, 0

    def slow(operation: str) -> None:
        nonlocal seconds, lost
        call = len(shop.database.calls)
        attempts[call] = attempts.get(call, 0) + 1
        if operation in WRITES:
            lost += 1
            silent = lost <= 2
        else:
            silent = attempts[call] < ATTEMPTS
        if silent:
            seconds += READ_TIMEOUT
            raise ReadTimeoutError(endpoint_url=URL)

    shop.database.before = slow

    answer = CHANGES["add"](shop, {"Idempotency-Key": "k"})

    assert answer.status == 200
    assert shop.cart_row()["qty#123"] == "2"
    assert shop.database.calls == [
        "BatchGetItem", "BatchGetItem", "UpdateItem", "GetItem", "UpdateItem", "GetItem", "UpdateItem",
    ]  # fmt: skip
    longest_backoff = sum(min(2.0**attempt, 20.0) for attempt in range(ATTEMPTS - 1))
    assert seconds == READ_TIMEOUT * (4 * (ATTEMPTS - 1) + 2)
    assert sum(waits) <= 4 * longest_backoff
    assert seconds + 4 * longest_backoff < FUNCTION_TIMEOUT
    measured.append(seconds + sum(waits))


class Slow:
    """Lets calls, by their places, last as long as a call can: they answer at the end of their last attempt.

    Every call of the ``lost`` operation is slow too, and is never answered.
    """

    def __init__(self, bundle: Bundle, places: Sequence[int], lost: str = "", *, applied: bool = False) -> None:
        self._bundle, self._places, self._lost, self._applied = bundle, places, lost, applied
        self._attempts: Counter[int] = Counter()
        bundle.seconds_left = FUNCTION_TIMEOUT
        bundle.database.calls.clear()
        bundle.database.before, bundle.database.after = self.before, self.after

    def before(self, operation: str) -> None:
        place = len(self._bundle.database.calls) - 1
        self._attempts[place] += 1
        if place not in self._places and operation != self._lost:
            return
        self._bundle.seconds_left -= READ_TIMEOUT
        if self._attempts[place] < ATTEMPTS:
            self._bundle.seconds_left -= 2.0 ** (self._attempts[place] - 1)  # the longest wait
            raise ReadTimeoutError(endpoint_url=URL)
        if operation == self._lost and not self._applied:
            raise ReadTimeoutError(endpoint_url=URL)

    def after(self, operation: str) -> None:
        if operation == self._lost:
            raise ReadTimeoutError(endpoint_url=URL)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("slow", [some for count in (2, 3, 4) for some in choices([0, 1, 3, 4], count)], ids=str)
def test_slow_checkout_ends_before_timeout(
    shop: Bundle, measured: list[float], slow: tuple[int, ...], *, applied: bool
) -> None:
    to_order(shop)
    Slow(shop, slow, "TransactWriteItems", applied=applied)

    answer = customer.check_out(shop)

    measured.append(FUNCTION_TIMEOUT - shop.seconds_left)
    assert shop.seconds_left > 0
    assert answer.status == (200 if applied else 503)
    assert len(shop.rows("ORDER#")) == applied


@pytest.mark.usefixtures("waits", "order_keys")
@pytest.mark.parametrize("slow", [range(count) for count in range(7)], ids=len)
def test_slow_cancel_ends_before_timeout(shop: Bundle, measured: list[float], slow: range) -> None:
    """Another request changes the order at the same time, so that the cancel begins again."""
    ordered(shop)
    Slow(shop, slow)
    reasons = {"message": "x", "CancellationReasons": [{"Code": "TransactionConflict"}]}
    conflict = Instead(400, {"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", **reasons})
    shop.database.instead = lambda *_: conflict if shop.database.calls == RETURNS else None

    answer = ORDERS["cancel"].send(shop)

    measured.append(FUNCTION_TIMEOUT - shop.seconds_left)
    assert shop.seconds_left > 0
    assert answer.status == (200 if shop.database.calls == RETURNS * 2 else 503)
    assert len(slow) > 2 or answer.status == 200


class Unprocessed:
    """Leaves all but the first key of some BatchGetItems unprocessed, as a throttled table does."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.asked: list[int] = []

    def __call__(self, operation: str, parsed: dict[str, Any]) -> None:
        if operation != "BatchGetItem":
            return
        found = parsed["Responses"][TABLE]
        self.asked.append(len(found))
        if self.left:
            self.left -= 1
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in found[1:]]
            parsed["Responses"] = {TABLE: found[:1]}
            parsed["UnprocessedKeys"] = {TABLE: {"Keys": keys}}


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("send", [customer.read, CHANGES["select"]], ids=["read", "select"])
def test_only_unprocessed_keys_are_requested_again(shop: Bundle, send: Any) -> None:
    aged(shop)
    shop.database.alter = unprocessed = Unprocessed(times=2)

    answer = send(shop)

    assert sorted(line["unit_price"] for line in answer.body["items"]) == [1007, 1008, 1123]
    assert shop.database.calls[:4] == ["GetItem", *["BatchGetItem"] * 3]
    assert unprocessed.asked == [3, 2, 1]
