"""cartctl cart and cartctl session: what support staff see, and may do."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cartctl.commands import cart as commands
from cartctl.commands import session as sessions
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition
from serverless_cart.dynamodb.sessions import SessionStore
from tests.builders import OWNER, product
from tests.integration.conftest import Bundle
from tests.integration.customer import add, read, select
from tests.integration.operator import Operator
from tools.support.events import HASHID, NOW, SHOP

CUSTOMER = OWNER.customer
DAY = 24 * 3600


@pytest.fixture
def operator(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Put an operator before a shop, at the moment of the events."""
    monkeypatch.setattr(commands, "clock", bundle.clock)
    monkeypatch.setattr(sessions, "clock", bundle.clock)
    operator = Operator(monkeypatch, capsys)
    operator.run("shop", "create", SHOP, "--engine", HASHID, "--currency", "EUR")
    bundle.sell(product(), product(7, name="[Lamp]", price=500, discount=0))
    return operator


# ----------------------------------------------------------------------------------------------------------------------
# Carts
# ----------------------------------------------------------------------------------------------------------------------


def test_a_cart_is_shown_as_the_customer_gets_it(operator: Operator, bundle: Bundle) -> None:
    add(bundle, quantity=2, notes="Please pack carefully")
    select(bundle, address=4)

    assert operator.run("cart", "show", SHOP, CUSTOMER) == read(bundle).body


def test_a_person_is_shown_the_items_the_total_and_the_warnings(operator: Operator, bundle: Bundle) -> None:
    add(bundle, quantity=2, notes="Please pack carefully")
    add(bundle, 7)
    bundle.sell(product(7, name="[Lamp]", price=500, discount=0, active=False))
    bundle.clock.forward(61_000)

    shown = operator.type("cart", "show", SHOP, CUSTOMER).out

    for said in ("Please pack carefully", "[Lamp] (not for sale)", "minor units of EUR", "is no longer for sale"):
        assert said in shown
    assert f"Total {read(bundle).body['total']}" in shown


def test_prices_are_no_older_than_the_deployment_allows(operator: Operator, bundle: Bundle) -> None:
    add(bundle)
    bundle.sell(product(price=9_999))
    bundle.clock.forward(11_000)

    assert operator.run("cart", "show", SHOP, CUSTOMER)["items"][0]["unit_price"] != 9_999
    operator.deployment = replace(operator.deployment, parameters={"PriceAgeSeconds": "10"})
    assert operator.run("cart", "show", SHOP, CUSTOMER)["items"][0]["unit_price"] == 9_999


def test_showing_a_cart_writes_nothing(operator: Operator, bundle: Bundle) -> None:
    add(bundle)
    before = bundle.rows()
    bundle.clock.forward(61_000)

    operator.run("cart", "show", SHOP, CUSTOMER)

    assert bundle.rows() == before


def test_a_cart_that_is_not_there_is_shown_as_empty(operator: Operator) -> None:
    assert operator.run("cart", "show", SHOP, "nobody")["is_empty"] is True
    assert operator.type("cart", "show", SHOP, "nobody").out == "There is no cart.\n"


@pytest.mark.parametrize("parameters", [{}, {"CartLifetimeDays": "2"}])
def test_a_cart_is_emptied_on_the_deployment_s_terms(
    operator: Operator, bundle: Bundle, parameters: dict[str, str]
) -> None:
    add(bundle, quantity=2)
    select(bundle, address=4)
    version = bundle.cart_row()["version"]
    operator.deployment = replace(operator.deployment, parameters=parameters)

    cleared = operator.run("cart", "clear", SHOP, CUSTOMER, "--yes")

    assert (cleared["is_empty"], cleared["address"]) == (True, 4)
    assert read(bundle).body == cleared
    row = bundle.cart_row()
    assert int(row["version"]) == int(version) + 1
    assert int(row["expires_at"]) == NOW // 1000 + int(parameters.get("CartLifetimeDays", "30")) * DAY
    assert operator.type("cart", "show", SHOP, CUSTOMER).out.splitlines()[-2:] == ["It is empty.", "Total 0"]


def test_emptying_is_asked_about(operator: Operator, bundle: Bundle) -> None:
    add(bundle)

    code, line = operator.fails("cart", "clear", SHOP, CUSTOMER)

    assert (code, line) == (2, f"Empty the cart of {CUSTOMER}? Nobody is there to ask: confirm with --yes.")
    assert read(bundle).body["count"] == 1


@pytest.mark.parametrize("command", [("show",), ("clear", "--yes")])
def test_a_shop_that_is_not_there_has_no_carts(operator: Operator, command: tuple[str, ...]) -> None:
    assert operator.fails("cart", command[0], "none", CUSTOMER, *command[1:])[0] == 3


# ----------------------------------------------------------------------------------------------------------------------
# Search sessions
# ----------------------------------------------------------------------------------------------------------------------


def test_a_session_s_items_are_shown_in_the_order_in_which_they_came(operator: Operator, bundle: Bundle) -> None:
    store = SessionStore(operator.deployment.table, bundle.clock)
    session = Session(HASHID, "s#1/*")
    store.add(session, SessionItemAddition(ItemKey("product", "b"), "Lamp", 2, Decimal("12.5")))
    bundle.clock.forward(1_000)
    store.add(session, SessionItemAddition(ItemKey("product", "a"), "[Mug]", 1, None))
    store.add(session, SessionItemAddition(ItemKey("product", "b"), "Lamp", 1, None))
    store.add(Session(HASHID, "s"), SessionItemAddition(ItemKey("product", "c"), "Other", 1, None))

    shown = operator.run("session", "show", HASHID.upper(), "s#1/*")

    assert [(it["id"], it["title"], it["amount"], it["clicks"], it["price"]) for it in shown] == [
        ("b", "Lamp", 3, 2, "12.5"),
        ("a", "[Mug]", 1, 1, None),
    ]
    assert "[Mug]" in operator.type("session", "show", HASHID, "s#1/*").out


def test_what_has_expired_is_not_shown(operator: Operator, bundle: Bundle) -> None:
    store = SessionStore(operator.deployment.table, bundle.clock)
    store.add(Session(HASHID, "s"), SessionItemAddition(ItemKey("product", "a"), "Mug", 1, None))
    bundle.clock.forward(DAY * 1000)

    assert operator.run("session", "show", HASHID, "s") == []
    assert operator.type("session", "show", HASHID, "s").out.startswith("The session has nothing in its cart")


def test_a_hashid_is_checked(operator: Operator) -> None:
    assert operator.fails("session", "show", "xyz", "s")[0] == 2
