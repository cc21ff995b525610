"""cartctl shop: creating, changing and deleting shops."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cartctl.commands import shop as shops
from serverless_cart import auth
from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.leases import Lease, LeaseStore
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.shops import ShopStore
from serverless_cart.dynamodb.tokens import TokenStore
from tests.support.builders import product
from tests.support.bundle import Bundle, Item
from tests.support.operator import Operator
from tools.support.events import HASHID

pytestmark = pytest.mark.every_engine

OTHER = "0123456789abcdef" * 2


def test_create_without_options_draws_an_engine(operator: Operator) -> None:
    created = operator.run("shop", "create", "one")

    assert re.fullmatch("[0-9a-f]{32}", *created["search_engines"])
    assert (created["name"], created["currency"], created["deletion_requested_at"]) == ("one", "", None)
    assert (created["blocked_networks"], created["allowed_origins"]) == ([], [])
    assert operator.run("shop", "show", "one") == created


def test_create_normalizes_settings(operator: Operator) -> None:
    created = operator.run(
        *("shop", "create", "one", "--engine", HASHID.upper(), "--currency", "eur"),
        *("--block", "203.0.113.7", "--block", "2001:DB8::/32", "--block", "::ffff:198.51.100.0/120"),
        *("--origin", "HTTPS://Shop.example:443/", "--origin", "http://localhost:3000"),
    )

    assert created["search_engines"] == [HASHID]
    assert created["blocked_networks"] == ["198.51.100.0/24", "2001:db8::/32", "203.0.113.7/32"]
    assert created["allowed_origins"] == ["http://localhost:3000", "https://shop.example"]
    assert created["currency"] == "EUR"


def test_shops_are_listed_once_and_by_name(operator: Operator) -> None:
    assert operator.run("shop", "list") == []
    assert operator.type("shop", "list").out == "There are no shops: run cartctl shop create to create one.\n"
    created = [operator.run("shop", "create", name) for name in ("b", "a")]
    assert operator.fails("shop", "create", "a") == (1, "Shop a already exists: run cartctl shop set a to change it.")

    assert operator.run("shop", "list") == created[::-1]
    assert [line.split()[0] for line in operator.type("shop", "list").out.splitlines()] == ["Shop", "a", "b"]


def test_engine_of_another_shop_is_refused(operator: Operator) -> None:
    operator.run("shop", "create", "one", "--engine", HASHID)
    refused = (1, f"Search engine {HASHID} belongs to another shop: name another one.")

    assert operator.fails("shop", "create", "two", "--engine", OTHER, "--engine", HASHID) == refused
    assert operator.fails("shop", "show", "two")[0] == 3, "all or nothing"
    operator.run("shop", "create", "two", "--engine", OTHER)
    assert operator.fails("shop", "set", "two", "--engine", HASHID) == refused
    assert operator.run("shop", "show", "two")["search_engines"] == [OTHER]
    operator.run("shop", "set", "one", "--new-engine", "--remove-engine", HASHID)
    assert operator.fails("shop", "set", "two", "--engine", HASHID) == refused, "a former engine stays reserved"
    assert HASHID in operator.run("shop", "set", "one", "--engine", HASHID)["search_engines"]


def test_number_and_size_of_settings_are_limited(operator: Operator) -> None:
    many = [word for n in range(51) for word in ("--block", f"10.0.0.{n}")]
    long = [word for n in range(25) for word in ("--origin", f"https://{'x' * 180}{n}.example")]

    assert "at most 50" in operator.fails("shop", "create", "one", *many)[1]
    assert re.search("at most 4,?096 bytes", operator.fails("shop", "create", "one", *long)[1])
    operator.run("shop", "create", "one", *many[:100])
    assert "at most 50" in operator.fails("shop", "set", "one", "--block", "192.0.2.1")[1]


def test_set_adds_and_removes_settings(operator: Operator, bundle: Bundle) -> None:
    settings = ("--engine", HASHID, "--block", "203.0.113.0/24", "--currency", "EUR")
    created = operator.run("shop", "create", "one", *settings)
    rows = bundle.rows()
    assert (operator.run("shop", "set", "one", *settings), bundle.rows()) == (created, rows), "no change"
    changed = operator.run(
        *("shop", "set", "one", "--new-engine", "--engine", OTHER, "--remove-engine", HASHID),
        *("--block", "192.0.2.1", "--unblock", "203.0.113.0/24", "--origin", "https://shop.example"),
    )

    assert len(changed["search_engines"]) == 2
    assert OTHER in changed["search_engines"]
    assert changed["former_engines"] == [HASHID]
    assert changed["blocked_networks"] == ["192.0.2.1/32"]
    assert changed["allowed_origins"] == ["https://shop.example"]
    assert (changed["currency"], changed["created_at"]) == ("EUR", created["created_at"])
    assert operator.run("shop", "set", "one", "--currency", "", "--remove-origin", "https://shop.example") == {
        **changed,
        "currency": "",
        "allowed_origins": [],
        "updated_at": operator.run("shop", "show", "one")["updated_at"],
    }


@pytest.mark.parametrize(
    ("old", "new", "amounts"),
    [
        ("EUR", "JPY", "1290, which was 12.90 EUR, becomes 1290 JPY"),
        ("EUR", "kwd", "1290, which was 12.90 EUR, becomes 1.290 KWD"),
        ("EUR", "", "1290, which was 12.90 EUR, becomes 1290 without a currency"),
        ("", "EUR", "1290, which was 1290 without a currency, becomes 12.90 EUR"),
        ("Taler", "USD", "1290, which was 1290 Taler, becomes 12.90 USD"),
    ],
)
def test_new_currency_of_products_is_confirmed(
    operator: Operator, bundle: Bundle, old: str, new: str, amounts: str
) -> None:
    store = ShopStore(operator.deployment.table, bundle.clock)
    store.create(Shop("one", frozenset({HASHID}), currency=old))  # a former version took any text
    change = ("shop", "set", "one", "--currency", new)
    bundle.sell(product(), shop="one")

    code, line = operator.fails(*change)

    assert code == 2
    assert amounts in line
    assert line.endswith("Change the currency? Cannot ask without a terminal: pass --yes to confirm.")
    assert operator.run("shop", "show", "one")["currency"] == old
    assert operator.run(*change, "--yes")["currency"] == new.upper()


def test_currency_is_not_asked_for_in_vain(operator: Operator, bundle: Bundle) -> None:
    operator.run("shop", "create", "one", "--currency", "EUR")
    assert operator.run("shop", "set", "one", "--currency", "USD")["currency"] == "USD", "no products"
    bundle.sell(product(), shop="one")

    for unchanged in (("--currency", "usd"), ("--new-engine",)):
        assert operator.run("shop", "set", "one", *unchanged)["currency"] == "USD"


def test_removing_absent_or_last_setting_fails(operator: Operator) -> None:
    engine = operator.run("shop", "create", "one")["search_engines"][0]

    message = "Shop one has no blocked network 192.0.2.1/32: run cartctl shop show one to see them."
    assert operator.fails("shop", "set", "one", "--unblock", "192.0.2.1") == (3, message)
    assert "at least one search engine" in operator.fails("shop", "set", "one", "--remove-engine", engine)[1]


def test_concurrent_change_is_refused(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.run("shop", "create", "one")
    find = ShopStore.find

    def find_and_change(store: ShopStore, name: str) -> object:
        shop_record = find(store, name)
        assert shop_record
        store.change(shop_record, replace(shop_record.shop, currency="USD"))
        return shop_record

    monkeypatch.setattr(ShopStore, "find", find_and_change)

    message = "Someone else has just changed shop one: run cartctl shop show one and try again."
    assert operator.fails("shop", "set", "one", "--currency", "EUR") == (1, message)


@pytest.fixture
def two_shops(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Create two shops with tokens, products, carts and sessions, and let a deletion not wait for requests."""
    sessions = SessionStore(operator.deployment.table, bundle.clock)
    for name, hashid in (("one", HASHID), ("one-more", OTHER)):
        operator.run("shop", "create", name, "--engine", hashid)
        operator.run("key", "issue", name)
        for customer in ("anna", "bob"):
            operator.run("customer", "issue", name, customer)
            cart = keys.cart(Owner(name, customer))
            bundle.put({"pk": {"S": cart.pk}, "sk": {"S": cart.sk}})
        bundle.sell(*(product(number) for number in range(27)), shop=name)
        LeaseStore(operator.deployment.table, name, clock).take(Lease("owner", "killed@host", clock()))
        for number in range(3):
            sessions.add(Session(hashid, "s"), SessionItemAddition(ItemKey("product", str(number)), "title", 1, None))
        bundle.put(*(statistics_row(partition) for partition in (keys.statistics(hashid), keys.shop_statistics(name))))
    monkeypatch.setattr(shops, "LONGEST_REQUEST", -60)
    return operator


def statistics_row(partition: str) -> Item:
    row = keys.day_row(partition, "20260101")
    return {"pk": {"S": row.pk}, "sk": {"S": row.sk}, "inits#d#00": {"N": "1"}}


def rows_of_other_shop(bundle: Bundle) -> list[Item]:
    return [row for row in bundle.rows() if "one-more" in str(row) or OTHER in str(row)]


@pytest.mark.parametrize("former", [False, True])
def test_delete_removes_everything_of_the_shop(two_shops: Operator, bundle: Bundle, *, former: bool) -> None:
    others = rows_of_other_shop(bundle)
    assert len(bundle.rows()) == 2 * len(others)
    if former:
        two_shops.run("shop", "set", "one", "--new-engine", "--remove-engine", HASHID)

    deleted = two_shops.run("shop", "delete", "one", "--yes")

    assert deleted == {
        "deleted": "one",
        "tokens": 3,
        "products": 27,
        "discount_codes": 0,
        "carts_orders_and_session_items": 5,
        "statistics": 2,
    }
    assert bundle.rows() == others
    two_shops.run("shop", "create", "one", "--engine", HASHID)


@pytest.mark.parametrize("calls", range(1, 8))
def test_interrupted_delete_continues(two_shops: Operator, bundle: Bundle, calls: int) -> None:
    remaining = [calls]

    def stop(**_: object) -> None:
        remaining[0] -= 1
        if remaining[0] < 0:
            raise KeyboardInterrupt

    events = two_shops.deployment.dynamodb.meta.events
    others = rows_of_other_shop(bundle)
    for call in ("BatchWriteItem", "TransactWriteItems"):
        events.register(f"before-call.dynamodb.{call}", stop)
    interrupted = two_shops.type("shop", "delete", "one", "--yes")
    for call in ("BatchWriteItem", "TransactWriteItems"):
        events.unregister(f"before-call.dynamodb.{call}", stop)

    message = "Error: Interrupted: run the same command again to continue."
    assert (interrupted.code, interrupted.err.splitlines()[-1]) == (130, message)
    assert two_shops.run("shop", "show", "one")["deletion_requested_at"]
    two_shops.run("shop", "delete", "one", "--yes")
    assert bundle.rows() == others


@pytest.mark.parametrize(
    ("command", "code", "rows"),
    [
        (("create", "two", "--engine", "f" * 32), 0, 0),
        (("set", "one", "--engine", "f" * 32), 0, 0),
        (("create", "two", "--engine", OTHER), 1, 1),
        (("set", "one", "--engine", OTHER), 1, 1),
        (("set", "one", "--engine", HASHID), 0, 1),
    ],
)
def test_new_engine_has_no_statistics_of_others(
    two_shops: Operator, bundle: Bundle, command: tuple[str, ...], code: int, rows: int
) -> None:
    partition = keys.statistics(command[-1])
    bundle.put(statistics_row(partition))
    two_shops.run("shop", "set", "one", "--new-engine", "--remove-engine", HASHID)

    assert two_shops.type("shop", *command).code == code
    assert len(bundle.rows(partition)) == rows


def test_new_shop_has_no_statistics_of_its_name(two_shops: Operator, bundle: Bundle) -> None:
    bundle.put(statistics_row(keys.shop_statistics("two")))

    for name, code, rows in (("one-more", 1, 1), ("two", 0, 0)):
        assert two_shops.type("shop", "create", name).code == code
        assert len(bundle.rows(keys.shop_statistics(name))) == rows


def test_shop_being_deleted_is_closed(two_shops: Operator, bundle: Bundle) -> None:
    digest = auth.digest(two_shops.run("customer", "issue", "one", "carl")["token"])
    tokens = TokenStore(two_shops.deployment.table)
    assert tokens.principal(digest, 0)
    store = ShopStore(two_shops.deployment.table, bundle.clock)
    shop_record = store.find("one")
    assert shop_record
    store.close(shop_record)

    assert tokens.principal(digest, 0) is None
    deleting = (1, "Shop one is being deleted: run cartctl shop delete one to finish.")
    assert two_shops.fails("shop", "set", "one", "--currency", "EUR") == deleting
    assert two_shops.fails("cart", "clear", "one", "anna", "--yes") == deleting
    for name in ("one", "none"):
        message = f"Shop {name} does not exist or is being deleted: run cartctl shop list to see the shops."
        for command in (("key", "issue", name), ("customer", "issue", name, "dora")):
            assert two_shops.fails(*command) == (3, message)
    assert "being deleted" in two_shops.type("shop", "show", "one").out
    assert "being deleted" in two_shops.type("shop", "list").out


def test_delete_waits_for_running_requests(
    two_shops: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shops, "LONGEST_REQUEST", 30)
    slept: list[float] = []
    start = clock()
    monkeypatch.setattr(shops, "clock", lambda: start + int(sum(slept) * 1000))
    monkeypatch.setattr(shops, "time", SimpleNamespace(sleep=slept.append))

    def late_request(**_: object) -> None:
        if sum(slept) < 80:
            bundle.put({"pk": {"S": "CART#one#late"}, "sk": {"S": "CART"}})

    two_shops.deployment.dynamodb.meta.events.register("before-call.dynamodb.BatchWriteItem", late_request)
    two_shops.run("shop", "delete", "one", "--yes")

    assert 89 < sum(slept) <= 90, "the authorizer's cache time, and the longest request"
    assert bundle.rows("CART#one#") == []


def test_delete_asks_first(two_shops: Operator, bundle: Bundle) -> None:
    rows = bundle.rows()

    code, line = two_shops.fails("shop", "delete", "one")

    assert code == 2
    assert line.endswith("This cannot be undone. Cannot ask without a terminal: pass --yes to confirm.")
    assert bundle.rows() == rows
