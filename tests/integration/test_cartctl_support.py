"""cartctl cart and cartctl session."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cartctl.commands import cart as carts
from cartctl.commands import session as sessions
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition
from serverless_cart.dynamodb.sessions import SessionStore
from tests.support.builders import OWNER, product
from tests.support.bundle import Bundle
from tests.support.cart_requests import add, read, select
from tests.support.operator import Operator
from tools.support.events import HASHID, NOW, SHOP

pytestmark = pytest.mark.every_engine

CUSTOMER = OWNER.customer
DAY = 24 * 3600


@pytest.fixture
def operator(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator of a shop with two products, at the time of the events."""
    monkeypatch.setattr(carts, "clock", bundle.clock)
    monkeypatch.setattr(sessions, "clock", bundle.clock)
    operator.run("shop", "create", SHOP, "--engine", HASHID, "--currency", "EUR")
    bundle.sell(product(), product(7, name="[Lamp]", price=500, discount=0))
    return operator


def test_cart_show_prints_the_shop_api_cart(operator: Operator, bundle: Bundle) -> None:
    add(bundle, quantity=2, notes="Please pack carefully")
    add(bundle, 7)
    select(bundle, address=4)
    assert operator.run("cart", "show", SHOP, CUSTOMER) == read(bundle).body

    bundle.sell(product(7, name="[Lamp]", price=500, discount=0, active=False))
    bundle.clock.forward(61_000)
    shown = operator.type("cart", "show", SHOP, CUSTOMER).out

    for part in ("Please pack carefully", "[Lamp] (not for sale)", "minor units of EUR", "no longer for sale"):
        assert part in shown
    assert f"Total {read(bundle).body['total']}" in shown


def test_cart_show_uses_the_deployment_price_age(operator: Operator, bundle: Bundle) -> None:
    add(bundle)
    bundle.sell(product(price=9_999))
    bundle.clock.forward(11_000)
    rows = bundle.rows()

    assert operator.run("cart", "show", SHOP, CUSTOMER)["items"][0]["unit_price"] != 9_999
    operator.deployment = replace(operator.deployment, parameters={"PriceAgeSeconds": "10"})
    shown = operator.run("cart", "show", SHOP, CUSTOMER)

    assert shown["items"][0]["unit_price"] == 9_999
    assert [warning["code"] for warning in shown["warnings"]] == ["price_changed"]
    assert bundle.rows() == rows, "the customer still has to learn of the price"


def test_cart_show_of_no_cart_is_empty(operator: Operator) -> None:
    assert operator.run("cart", "show", SHOP, "nobody")["is_empty"] is True
    assert operator.type("cart", "show", SHOP, "nobody").out == "The customer has no cart.\n"


@pytest.mark.parametrize("parameters", [{}, {"CartLifetimeDays": "2"}])
def test_cart_clear_asks_and_uses_the_lifetime(operator: Operator, bundle: Bundle, parameters: dict[str, str]) -> None:
    add(bundle, quantity=2)
    select(bundle, address=4)
    version = bundle.cart_row()["version"]
    operator.deployment = replace(operator.deployment, parameters=parameters)

    message = f"Empty the cart of {CUSTOMER}? Cannot ask without a terminal: pass --yes to confirm."
    assert operator.fails("cart", "clear", SHOP, CUSTOMER) == (2, message)
    cleared = operator.run("cart", "clear", SHOP, CUSTOMER, "--yes")

    assert (cleared["is_empty"], cleared["address"]) == (True, 4)
    assert read(bundle).body == cleared
    row = bundle.cart_row()
    assert int(row["version"]) == int(version) + 1
    assert int(row["expires_at"]) == NOW // 1000 + int(parameters.get("CartLifetimeDays", "30")) * DAY
    assert operator.type("cart", "show", SHOP, CUSTOMER).out.splitlines()[-2:] == ["The cart is empty.", "Total 0"]


def test_session_show_prints_unexpired_items(operator: Operator, bundle: Bundle) -> None:
    store = SessionStore(operator.deployment.table, bundle.clock)
    session = Session(HASHID, "s#1/*")
    store.add(session, SessionItemAddition(ItemKey("product", "b"), "Lamp", 2, Decimal("12.5")))
    bundle.clock.forward(1_000)
    store.add(session, SessionItemAddition(ItemKey("product", "a"), "[Mug]", 1, None))
    store.add(session, SessionItemAddition(ItemKey("product", "b"), "Lamp", 1, None))
    store.add(Session(HASHID, "s"), SessionItemAddition(ItemKey("product", "c"), "Other", 1, None))

    items = operator.run("session", "show", HASHID.upper(), "s#1/*")

    assert [(item["id"], item["title"], item["amount"], item["clicks"], item["price"]) for item in items] == [
        ("b", "Lamp", 3, 2, "12.5"),
        ("a", "[Mug]", 1, 1, None),
    ]
    assert "[Mug]" in operator.type("session", "show", HASHID, "s#1/*").out
    assert operator.fails("session", "show", "xyz", "s")[0] == 2
    bundle.clock.forward(DAY * 1000)
    assert operator.run("session", "show", HASHID, "s#1/*") == []
    assert operator.type("session", "show", HASHID, "s#1/*").out.startswith("The session has no items.")
