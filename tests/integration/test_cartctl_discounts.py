"""cartctl discount: a shop's discount codes."""

import pytest

from tests.support.builders import product
from tests.support.bundle import Bundle
from tests.support.cart_requests import add, apply_discount
from tests.support.operator import Operator
from tools.support.events import SHOP

pytestmark = pytest.mark.every_engine


@pytest.fixture
def operator(operator: Operator) -> Operator:
    """Return an operator of a shop with one code."""
    operator.run("shop", "create", SHOP)
    operator.run("discount", "create", SHOP, "Ten", "--percent", "10", "--label", "for all")
    return operator


def test_code_is_created_with_its_limits(operator: Operator) -> None:
    created = operator.run(
        *("discount", "create", SHOP, " Off-500 ", "--amount", "500", "--minimum", "2000", "--max-uses", "9"),
        *("--max-uses-per-customer", "1", "--starts", "2026-06-01", "--ends", "2026-08-31T23:59:59+02:00"),
    )

    assert created.pop("created_at")
    assert created == {
        "code": "Off-500",
        "percent": None,
        "amount": 500,
        "minimum": 2000,
        "max_uses": 9,
        "uses": 0,
        "max_uses_per_customer": 1,
        "active": True,
        "label": "",
        "starts_at": "2026-06-01T00:00:00Z",
        "ends_at": "2026-08-31T21:59:59Z",
    }
    assert [code["code"] for code in operator.run("discount", "list", SHOP)] == ["Off-500", "Ten"]
    assert operator.run("discount", "show", SHOP, "TEN")["label"] == "for all"
    assert len(operator.type("discount", "list", SHOP, "--limit", "1").out.splitlines()) == 2


def test_disabled_code_is_refused_in_a_cart(operator: Operator, bundle: Bundle) -> None:
    bundle.sell(product())
    add(bundle)
    assert apply_discount(bundle, "ten").body["discount"] == 100

    assert operator.run("discount", "disable", SHOP, "ten")["active"] is False
    assert apply_discount(bundle, "ten").status == 400


def test_shop_is_deleted_with_its_codes(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cartctl.commands.shop.LONGEST_REQUEST", -60)
    operator.run("method", "add", SHOP, "shipping", "3", "--name", "Parcel")
    bundle.put({"pk": {"S": f"CUSTOMER#{SHOP}#customer-1"}, "sk": {"S": "USES"}})

    assert operator.run("shop", "delete", SHOP, "--yes")["discount_codes"] == 1
    assert bundle.rows() == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["create", "TEN", "--percent", "5"], 1, "already has the code TEN"),
        (["create", "NEW"], 2, "either a percentage or an amount"),
        (["create", "NEW", "--percent", "5", "--amount", "5"], 2, "either a percentage or an amount"),
        (["create", "NEW", "--percent", "101"], 2, "less than or equal to 100"),
        (["create", "NEW", "--amount", str(2**53)], 2, "from 0 to 2^53-1"),
        (["create", "two words", "--percent", "5"], 2, "visible characters"),
        (["create", "NEW", "--percent", "5", "--starts", "soon"], 2, "not a moment"),
        (["create", "NEW", "--percent", "5", "--starts", "2026-02-01", "--ends", "2026-01-01"], 2, "before it starts"),
        *((["show", "NONE"], 3, "has no discount code NONE"), (["disable", "NONE"], 3, "has no discount code NONE")),
    ],
)
def test_wrong_command_is_refused(operator: Operator, words: list[str], code: int, message: str) -> None:
    before = operator.run("discount", "list", SHOP)

    failed, shown = operator.fails("discount", words[0], SHOP, *words[1:])

    assert (failed, message in shown) == (code, True), shown
    assert operator.run("discount", "list", SHOP) == before
