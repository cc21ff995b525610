"""The tokens in the table: the principal of a key, and a shop's lists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from serverless_cart.auth import Principal, Token, digest
from serverless_cart.domain.limits import CUSTOMER_TOKENS
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys, token_registry
from serverless_cart.dynamodb.attributes import number
from serverless_cart.dynamodb.retries import LONGEST_WAIT
from serverless_cart.dynamodb.table import Table, TransactionContended
from serverless_cart.dynamodb.token_registry import (
    MAX_CONFLICT_RETRIES,
    ShopNotOpen,
    TokenRecord,
    TokenRegistry,
    record_to_items,
)
from serverless_cart.dynamodb.tokens import DELETION_REQUESTED_AT, TokenStore, shop_to_item, token_to_items
from serverless_cart.service.errors import Unavailable
from tests.support.engines import Put, Rows
from tools.support.events import HASHID, NOW

pytestmark = pytest.mark.every_engine

KEY, NAME = "0" * 40, "a shop # 1"
SHOP = Shop(
    NAME,
    frozenset({HASHID, "f" * 32}),
    frozenset({"203.0.113.0/24", "2001:db8:bad::/48"}),
    frozenset({"https://shop.example"}),
    "EUR",
)


@pytest.mark.parametrize("token", [Token("api_key", NAME), Token("customer", NAME, "zoë", expires_at=NOW // 1000 + 1)])
@pytest.mark.parametrize("shop", [SHOP, Shop(NAME)], ids=["guarded", "bare"])
def test_principal_has_its_token_and_its_shop(
    table: Table, put: Put, calls: list[str], token: Token, shop: Shop
) -> None:
    put(shop_to_item(shop), *token_to_items(digest(KEY), token))

    assert TokenStore(table).principal(digest(KEY), NOW / 1000) == Principal.of(token, shop)
    assert calls == ["GetItem"] * 2


@pytest.mark.parametrize(
    "token",
    [
        Token("customer", NAME, "c", expires_at=NOW // 1000),
        Token("customer", NAME, "c", revoked=True),
        Token("api_key", NAME, revoked=True),
        Token("api_key", "another shop"),
    ],
)
def test_inactive_token_has_no_principal(table: Table, put: Put, token: Token) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), token))

    assert TokenStore(table).principal(digest(KEY), NOW / 1000) is None


def test_token_of_a_closed_shop_has_no_principal(table: Table, put: Put) -> None:
    closed = {**shop_to_item(SHOP), DELETION_REQUESTED_AT: number(NOW)}
    put(closed, *token_to_items(digest(KEY), Token("api_key", NAME)))

    assert TokenStore(table).principal(digest(KEY), NOW / 1000) is None


def test_unknown_key_is_one_read(table: Table, put: Put, calls: list[str]) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), Token("api_key", NAME)))

    assert TokenStore(table).principal(digest("1" * 40), NOW / 1000) is None
    assert calls == ["GetItem"]


def test_token_is_in_its_shops_list(table: Table, put: Put, rows: Rows) -> None:
    put(shop_to_item(SHOP), *token_to_items(digest(KEY), Token("api_key", NAME)))

    entry = keys.token_entry(NAME, "api_key", "", digest(KEY))
    assert set(rows()) == {keys.token(digest(KEY)), keys.shop(NAME), entry}
    assert list(table.keys_of(keys.tokens(NAME))) == [[entry]]


@dataclass
class Customer:
    """A customer of an open shop, whose requests come at different times."""

    registry: TokenRegistry
    table: Table
    now: int = NOW

    def clock(self) -> int:
        self.now += 1
        return self.now

    def sign_in(self, lifetime: int | None = 3600) -> str:
        """Return the digest of a new token."""
        expires_at = None if lifetime is None else self.now // 1000 + lifetime
        key, record = self.registry.sign_in(Token("customer", NAME, "c", expires_at))
        assert record.digest == digest(key)
        return record.digest

    def sign_out(self) -> list[str]:
        return [record.digest for record in self.registry.sign_out(NAME, "c")]

    def hold(self, count: int) -> list[str]:
        """Give the customer tokens of an earlier version, which had no limit; return their digests."""
        records = [
            TokenRecord(Token("customer", NAME, "c", NOW // 1000 + 3600), f"{number:064d}", "", "0000", number)
            for number in range(count)
        ]
        items = [item for record in records for item in record_to_items(record)]
        self.table.write_many({"PutRequest": {"Item": item}} for item in items)
        return [record.digest for record in records]

    def active(self) -> list[str]:
        """Return the tokens that open the shop, after comparing them with the list."""
        records = [*self.registry.customer_tokens(NAME, "c")]
        opening = {it.digest for it in records if TokenStore(self.table).principal(it.digest, self.now / 1000)}
        assert opening == {it.digest for it in records if it.token.is_active(self.now / 1000)}
        return sorted(opening)


@pytest.fixture
def customer(table: Table, put: Put) -> Customer:
    """Return a customer without tokens."""
    put(shop_to_item(SHOP))
    customer = Customer(None, table)  # type: ignore[arg-type] # which needs the clock
    customer.registry = TokenRegistry(table, customer.clock)
    return customer


Interrupt = Callable[[Callable[[], object]], None]


@pytest.fixture
def interrupt(table: Table, monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Return a function that lets a request come between the next read and its transaction."""
    transact = table.transact

    def interrupt(request: Callable[[], object]) -> None:
        def interrupted(*arguments: Any, **options: Any) -> None:
            monkeypatch.setattr(table, "transact", transact)
            request()
            transact(*arguments, **options)

        monkeypatch.setattr(table, "transact", interrupted)

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return interrupt


def test_lists_have_one_kind_of_one_customer(customer: Customer) -> None:
    registry = customer.registry
    for kind in ("management", "api_key"):
        registry.issue_key(Token(kind, NAME))
    for name in ("c", "c2"):
        registry.sign_in(Token("customer", NAME, name))

    assert [it.token.kind for it in registry.keys(NAME)] == ["api_key", "management"]
    assert [it.token.customer for it in registry.customer_tokens(NAME, "c")] == ["c"]
    assert sorted(it.token.customer for it in registry.customer_tokens(NAME)) == ["c", "c2"]


def test_sign_in_is_two_calls_and_expires(customer: Customer, rows: Rows, calls: list[str]) -> None:
    for seconds in (60, 3600, 120):
        calls.clear()
        customer.sign_in(seconds)
        assert calls == ["Query", "TransactWriteItems"]

    ends = {key: int(row["expires_at"]["N"]) - NOW // 1000 for key, row in rows().items() if key != keys.shop(NAME)}
    version = ends.pop(keys.token_version(NAME, "c"))
    assert sorted(ends.values()) == [60, 60, 120, 120, 3600, 3600]
    assert version == 3600, "the last token's"
    customer.sign_in(None)
    assert "expires_at" not in rows()[keys.token_version(NAME, "c")]


@pytest.mark.parametrize(("held", "revoked"), [(0, 0), (1, 0), (49, 0), (50, 1), (51, 2), (98, 49), (120, 71)])
def test_newest_fifty_tokens_are_active(customer: Customer, held: int, revoked: int) -> None:
    """More than fifty are only held since an earlier version, which had no limit."""
    before = customer.hold(held)

    last = customer.sign_in()

    assert customer.active() == sorted([*before[revoked:], last])
    listed = {it.digest for it in customer.registry.customer_tokens(NAME, "c") if it.revoked_at}
    assert set(before[max(0, revoked - 50) : revoked]) <= listed <= set(before[:revoked])


def test_expired_tokens_count_as_absent(customer: Customer) -> None:
    expired = customer.hold(CUSTOMER_TOKENS)
    customer.now = NOW + 3_600_000

    last = customer.sign_in()

    assert customer.active() == customer.sign_out() == [last]
    assert {it.digest for it in customer.registry.customer_tokens(NAME, "c") if it.revoked_at}.isdisjoint(expired)


@pytest.mark.parametrize(("sign_out", "listed"), [(False, 3 + 2), (True, 2 + 1)])
def test_login_loop_fills_no_table(
    customer: Customer, rows: Rows, monkeypatch: pytest.MonkeyPatch, *, sign_out: bool, listed: int
) -> None:
    monkeypatch.setattr(token_registry, "CUSTOMER_TOKENS", 3)
    monkeypatch.setattr(token_registry, "ENDED_CUSTOMER_TOKENS", 2)
    sizes = []
    for _ in range(9):
        customer.sign_in()
        if sign_out:
            customer.sign_out()
        sizes.append(len(rows()))

    assert max(sizes) == sizes[-1] == 2 * listed + 2, "two items each, the version and the shop"


@pytest.mark.parametrize("held", [0, CUSTOMER_TOKENS - 1, CUSTOMER_TOKENS])
def test_parallel_sign_in_keeps_the_limit(customer: Customer, interrupt: Interrupt, held: int) -> None:
    before = customer.hold(held)
    among: list[str] = []
    interrupt(lambda: among.append(customer.sign_in()))

    last = customer.sign_in()

    assert customer.active() == sorted([*before, *among, last][-CUSTOMER_TOKENS:])


def test_sign_in_repeats_both_calls_on_conflict(customer: Customer, interrupt: Interrupt, calls: list[str]) -> None:
    interrupt(customer.sign_in)

    customer.sign_in()

    assert calls == ["Query", "Query", *["TransactWriteItems"] * 2, "Query", "TransactWriteItems"]


@pytest.mark.parametrize(("held", "transactions"), [(0, 0), (1, 1), (49, 1), (50, 2), (99, 3)])
def test_sign_out_revokes_all_once(customer: Customer, calls: list[str], held: int, transactions: int) -> None:
    former = customer.hold(held)
    calls.clear()

    assert customer.sign_out() == former
    assert calls == ["Query", *["TransactWriteItems"] * transactions]
    assert customer.active() == customer.sign_out() == []


def test_sign_in_during_sign_out_is_revoked_too(customer: Customer, interrupt: Interrupt) -> None:
    first = customer.sign_in()
    among: list[str] = []
    interrupt(lambda: among.append(customer.sign_in()))

    assert customer.sign_out() == [first, *among]
    assert customer.active() == []


def test_sign_out_during_sign_in_comes_before_it(customer: Customer, interrupt: Interrupt) -> None:
    first = customer.sign_in()
    among: list[list[str]] = []
    interrupt(lambda: among.append(customer.sign_out()))

    last = customer.sign_in()

    assert among == [[first]]
    assert customer.active() == [last]


@pytest.mark.parametrize("settings", [None, {**shop_to_item(SHOP), DELETION_REQUESTED_AT: number(NOW)}])
def test_shop_that_is_not_open_issues_nothing(table: Table, put: Put, rows: Rows, settings: Any) -> None:
    put(*([settings] if settings else []))
    registry, before = TokenRegistry(table, lambda: NOW), rows()

    for issue, token in (
        (registry.sign_in, Token("customer", NAME, "c")),
        (registry.issue_key, Token("management", NAME)),
    ):
        with pytest.raises(ShopNotOpen):
            issue(token)
    assert rows() == before


@pytest.mark.parametrize("request_", [Customer.sign_in, Customer.sign_out])
def test_endless_contention_is_unavailable(
    customer: Customer, monkeypatch: pytest.MonkeyPatch, request_: Callable[[Customer], object]
) -> None:
    first = customer.sign_in()
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)

    def contend(*_: object, attempts: int) -> None:
        assert attempts == 1
        raise TransactionContended

    monkeypatch.setattr(customer.table, "transact", contend)
    with pytest.raises(Unavailable):
        request_(customer)
    assert len(waits) == MAX_CONFLICT_RETRIES - 1
    assert len(set(waits)) > 10, "random"
    assert max(waits) <= LONGEST_WAIT
    assert customer.active() == [first]
