"""cartctl shop: opening, changing and closing shops."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cartctl.commands import shop as commands
from serverless_cart import auth
from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.shops import ShopStore
from serverless_cart.dynamodb.tokens import TokenStore
from tests.builders import product
from tests.integration.conftest import Bundle
from tests.integration.operator import Operator
from tools.support.events import HASHID

OTHER = "0123456789abcdef" * 2


@pytest.fixture
def operator(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Put an operator before an empty table."""
    assert bundle.rows() == []
    return Operator(monkeypatch, capsys)


# ----------------------------------------------------------------------------------------------------------------------
# Opening and showing
# ----------------------------------------------------------------------------------------------------------------------


def test_a_shop_that_is_opened_without_more_gets_a_search_engine(operator: Operator) -> None:
    created = operator.run("shop", "create", "one")

    assert re.fullmatch("[0-9a-f]{32}", *created["search_engines"])
    assert (created["name"], created["currency"], created["deletion_requested_at"]) == ("one", "", None)
    assert (created["blocked_networks"], created["allowed_origins"]) == ([], [])
    assert operator.run("shop", "show", "one") == created


def test_a_shop_is_opened_with_settings_in_their_one_form(operator: Operator) -> None:
    created = operator.run(
        *("shop", "create", "one", "--engine", HASHID.upper(), "--currency", "EUR"),
        *("--block", "203.0.113.7", "--block", "2001:DB8::/32", "--block", "::ffff:198.51.100.0/120"),
        *("--origin", "HTTPS://Shop.example:443/", "--origin", "http://localhost:3000"),
    )

    assert created["search_engines"] == [HASHID]
    assert created["blocked_networks"] == ["198.51.100.0/24", "2001:db8::/32", "203.0.113.7/32"]
    assert created["allowed_origins"] == ["http://localhost:3000", "https://shop.example"]
    assert created["currency"] == "EUR"


def test_shops_are_listed_by_name(operator: Operator) -> None:
    assert operator.run("shop", "list") == []
    assert operator.type("shop", "list").out == "There are no shops: cartctl shop create opens one.\n"
    shops = [operator.run("shop", "create", name) for name in ("b", "a")]

    assert operator.run("shop", "list") == shops[::-1]
    assert [line.split()[0] for line in operator.type("shop", "list").out.splitlines()] == ["Shop", "a", "b"]


def test_a_shop_is_not_opened_twice(operator: Operator) -> None:
    created = operator.run("shop", "create", "one")

    assert operator.fails("shop", "create", "one") == (
        1,
        "There is a shop one already: cartctl shop set one changes it.",
    )
    assert operator.run("shop", "show", "one") == created


def test_no_two_shops_share_a_search_engine(operator: Operator) -> None:
    operator.run("shop", "create", "one", "--engine", HASHID)
    taken = (1, f"The search engine {HASHID} belongs to another shop.")

    assert operator.fails("shop", "create", "two", "--engine", OTHER, "--engine", HASHID) == taken
    assert operator.fails("shop", "show", "two")[0] == 3, "all or nothing"
    operator.run("shop", "create", "two", "--engine", OTHER)
    assert operator.fails("shop", "set", "two", "--engine", HASHID) == taken
    assert operator.run("shop", "show", "two")["search_engines"] == [OTHER]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "One"), "a shop's name has 1 to 63 lower-case letters"),
        (("create", "-one"), "No such option"),
        (("create", "one#two"), "a shop's name"),
        (("create", "x" * 64), "a shop's name"),
        (("create", ""), "a shop's name"),
        (("create", "one", "--engine", "abc"), "'abc' is no hashid"),
        (("create", "one", "--block", "203.0.113.7/24"), "has host bits set: write it as 203.0.113.0/24"),
        (("create", "one", "--block", "203.0.113.256"), "does not appear to be an IPv4 or IPv6 network"),
        (("create", "one", "--block", "fe80::1%eth0"), "names a network interface"),
        (("create", "one", "--origin", "shop.example"), "is no origin"),
        (("create", "one", "--origin", "https://shop.example/path"), "is no origin"),
        (("create", "one", "--origin", "https://a b"), "is no origin"),
        (("create", "one", "--origin", "https://u:p@shop.example"), "is no origin"),
        (("create", "one", "--origin", "https://shop.example:99999"), "is no origin"),
        (("create", "one", "--origin", "null"), "is no origin"),
        (("create", "one", "--currency", "x" * 17), "a currency label has at most 16 characters"),
        (("show",), "Missing argument 'SHOP'"),
        (("show", "one", "--nope"), "No such option: --nope"),
        (("nope",), "No such command 'nope'"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line_and_nothing_is_done(
    operator: Operator, bundle: Bundle, arguments: tuple[str, ...], said: str
) -> None:
    code, line = operator.fails("shop", *arguments)

    assert code == 2
    assert said in line
    assert bundle.rows() == []


def test_a_shop_has_no_more_settings_than_an_authorizer_s_answer_holds(operator: Operator) -> None:
    many = [word for n in range(51) for word in ("--block", f"10.0.0.{n}")]
    long = [word for n in range(25) for word in ("--origin", f"https://{'x' * 180}{n}.example")]

    assert "at most 50 each" in operator.fails("shop", "create", "one", *many)[1]
    assert "at most 4096 bytes together" in operator.fails("shop", "create", "one", *long)[1]
    operator.run("shop", "create", "one", *many[:100])
    assert "at most 50 each" in operator.fails("shop", "set", "one", "--block", "192.0.2.1")[1]


def test_what_is_not_there_is_told(operator: Operator) -> None:
    told = (3, "There is no shop one: cartctl shop list names them.")

    for command in ("show", "set", "delete"):
        assert operator.fails("shop", command, "one") == told


# ----------------------------------------------------------------------------------------------------------------------
# Changing
# ----------------------------------------------------------------------------------------------------------------------


def test_settings_are_added_and_taken_away_and_the_others_stay(operator: Operator) -> None:
    created = operator.run(
        "shop", "create", "one", "--engine", HASHID, "--block", "203.0.113.0/24", "--currency", "EUR"
    )
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


def test_a_search_engine_that_a_shop_gave_up_stays_its_own(operator: Operator) -> None:
    operator.run("shop", "create", "one", "--engine", HASHID)
    operator.run("shop", "set", "one", "--new-engine", "--remove-engine", HASHID)

    assert "belongs to another shop" in operator.fails("shop", "create", "two", "--engine", HASHID)[1]
    assert HASHID in operator.run("shop", "set", "one", "--engine", HASHID)["search_engines"]


def test_what_a_shop_has_not_cannot_be_taken_away(operator: Operator) -> None:
    operator.run("shop", "create", "one")

    assert operator.fails("shop", "set", "one", "--unblock", "192.0.2.1") == (
        3,
        "The shop has no blocked network 192.0.2.1/32: cartctl shop show lists them.",
    )
    engine = operator.run("shop", "show", "one")["search_engines"][0]
    assert "at least one search engine" in operator.fails("shop", "set", "one", "--remove-engine", engine)[1]


def test_a_change_that_somebody_else_outran_is_refused(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.run("shop", "create", "one")
    found = ShopStore.find

    def outrun(store: ShopStore, name: str) -> object:
        shop_record = found(store, name)
        assert shop_record
        store.change(shop_record, replace(shop_record.shop, currency="USD"))
        return shop_record

    monkeypatch.setattr(ShopStore, "find", outrun)
    line = operator.fails("shop", "set", "one", "--currency", "EUR")[1]
    monkeypatch.undo()

    assert line == "Somebody else changed one just now: look at it and try again."


def test_a_change_of_nothing_writes_nothing(operator: Operator) -> None:
    created = operator.run("shop", "create", "one", "--currency", "EUR")

    assert operator.run("shop", "set", "one", "--currency", "EUR") == created


# ----------------------------------------------------------------------------------------------------------------------
# Closing
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_shops(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Open two shops that have one of everything, in a world where nothing is under way that must be waited for."""
    sessions = SessionStore(operator.deployment.table, bundle.clock)
    for name, hashid in (("one", HASHID), ("one-more", OTHER)):
        operator.run("shop", "create", name, "--engine", hashid)
        operator.run("key", "issue", name)
        for customer in ("anna", "bob"):
            operator.run("customer", "issue", name, customer)
            cart = keys.cart(Owner(name, customer))
            bundle.put({"pk": {"S": cart.pk}, "sk": {"S": cart.sk}})
        bundle.sell(*(product(number) for number in range(27)), shop=name)
        for number in range(3):
            sessions.add(Session(hashid, "s"), SessionItemAddition(ItemKey("product", str(number)), "title", 1, None))
    monkeypatch.setattr(commands, "LONGEST_REQUEST", -60)
    return operator


def test_all_that_belongs_to_a_shop_is_deleted_and_nothing_of_another(two_shops: Operator, bundle: Bundle) -> None:
    of_other = [row for row in bundle.rows() if "one-more" in str(row) or OTHER in str(row)]
    assert len(bundle.rows()) == 2 * len(of_other)

    deleted = two_shops.run("shop", "delete", "one", "--yes")

    assert deleted == {"deleted": "one", "tokens": 3, "products": 27, "carts_and_session_items": 5}
    assert bundle.rows() == of_other
    two_shops.run("shop", "create", "one", "--engine", HASHID)


def test_sessions_of_an_engine_that_the_shop_gave_up_are_deleted_too(two_shops: Operator, bundle: Bundle) -> None:
    two_shops.run("shop", "set", "one", "--new-engine", "--remove-engine", HASHID)

    two_shops.run("shop", "delete", "one", "--yes")

    assert bundle.rows(f"SESSION#{HASHID}") == bundle.rows(f"ENGINE#{HASHID}") == []


@pytest.mark.parametrize("calls", range(1, 7))
def test_a_deletion_that_was_interrupted_goes_on(two_shops: Operator, bundle: Bundle, calls: int) -> None:
    left = [calls]

    def stop(**_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    events = two_shops.deployment.dynamodb.meta.events
    of_other = [row for row in bundle.rows() if "one-more" in str(row) or OTHER in str(row)]
    for call in ("BatchWriteItem", "TransactWriteItems"):
        events.register(f"before-call.dynamodb.{call}", stop)
    interrupted = two_shops.type("shop", "delete", "one", "--yes")
    for call in ("BatchWriteItem", "TransactWriteItems"):
        events.unregister(f"before-call.dynamodb.{call}", stop)

    assert (interrupted.code, interrupted.err.splitlines()[-1]) == (130, "Error: Interrupted.")
    assert two_shops.run("shop", "show", "one")["deletion_requested_at"]
    two_shops.run("shop", "delete", "one", "--yes")
    assert bundle.rows() == of_other


def test_a_shop_that_is_being_deleted_opens_to_nobody_and_takes_nothing(two_shops: Operator, bundle: Bundle) -> None:
    key = two_shops.run("customer", "issue", "one", "carl")["token"]
    store = TokenStore(two_shops.deployment.table)
    assert store.principal(auth.digest(key), 0)
    shop_record = ShopStore(two_shops.deployment.table, bundle.clock).find("one")
    assert shop_record
    ShopStore(two_shops.deployment.table, bundle.clock).close(shop_record)

    assert store.principal(auth.digest(key), 0) is None
    told = "The shop one is being deleted: cartctl shop delete one finishes that."
    assert two_shops.fails("shop", "set", "one", "--currency", "EUR") == (1, told)
    assert two_shops.fails("cart", "clear", "one", "anna", "--yes") == (1, told)
    for command in (("key", "issue", "one"), ("customer", "issue", "one", "dora")):
        assert two_shops.fails(*command) == (3, "There is no open shop one: cartctl shop list names them.")
    assert "being deleted" in two_shops.type("shop", "show", "one").out


def test_requests_that_were_let_in_before_are_waited_for(
    two_shops: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "LONGEST_REQUEST", 30)
    slept: list[float] = []
    began = clock()
    monkeypatch.setattr(commands, "clock", lambda: began + int(sum(slept) * 1000))
    monkeypatch.setattr(commands, "time", SimpleNamespace(sleep=slept.append))

    def late_request(**_: object) -> None:
        if sum(slept) < 80:
            bundle.put({"pk": {"S": "CART#one#late"}, "sk": {"S": "CART"}})

    two_shops.deployment.dynamodb.meta.events.register("before-call.dynamodb.BatchWriteItem", late_request)
    two_shops.run("shop", "delete", "one", "--yes")

    assert 89 < sum(slept) <= 90, "the authorizer's cache time, and the longest request"
    assert bundle.rows("CART#one#") == []


def test_a_deletion_is_asked_about(two_shops: Operator, bundle: Bundle) -> None:
    rows = bundle.rows()

    code, line = two_shops.fails("shop", "delete", "one")

    assert code == 2
    assert line.endswith("Nobody is there to ask: confirm with --yes.")
    assert bundle.rows() == rows
