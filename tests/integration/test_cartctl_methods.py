"""cartctl method: a shop's shipping and payment methods."""

from typing import Any

import pytest

from cartctl.errors import CartctlError
from serverless_cart.domain import limits
from serverless_cart.domain.methods import Kind, ShippingMethod
from serverless_cart.dynamodb.methods import MethodStore
from tests.support.operator import Operator
from tools.support.events import SHOP

pytestmark = pytest.mark.every_engine


@pytest.fixture
def operator(operator: Operator) -> Operator:
    """Return an operator of a shop."""
    operator.run("shop", "create", SHOP)
    return operator


def add(operator: Operator, kind: str, id_: int, *options: str) -> dict[str, object]:
    added: dict[str, object] = operator.run("method", "add", SHOP, kind, str(id_), "--name", f"Method {id_}", *options)
    return added


def ids(operator: Operator, kind: str = "shipping") -> list[int]:
    return [method["id"] for method in operator.run("method", "list", SHOP, kind)]


def test_methods_are_added_with_their_values(operator: Operator) -> None:
    parcel = add(operator, "shipping", 3, "--cost", "490", "--free-from", "5000", "--description", "fast")
    card = add(operator, "payment", 3, "--next-step", "https://pay.example/{order_key}", "--inactive")

    assert parcel == {
        "id": 3,
        "name": "Method 3",
        "description": "fast",
        "active": True,
        "cost": 490,
        "free_from": 5000,
    }
    assert card == {
        "id": 3,
        "name": "Method 3",
        "description": None,
        "active": False,
        "pays_later": False,
        "next_step": "https://pay.example/{order_key}",
    }
    assert operator.run("method", "list", SHOP, "shipping") == [parcel]
    assert operator.run("method", "list", SHOP, "payment") == [card]


def test_order_is_the_operators(operator: Operator) -> None:
    for id_, options in ((1, []), (2, []), (3, ["--position", "1"]), (4, ["--position", "99"])):
        add(operator, "shipping", id_, *options)
    assert ids(operator) == [3, 1, 2, 4]

    operator.run("method", "set", SHOP, "shipping", "4", "--position", "2")

    assert ids(operator) == [3, 4, 1, 2]


def test_set_keeps_all_other_values(operator: Operator) -> None:
    parcel = add(operator, "shipping", 3, "--cost", "490", "--free-from", "5000", "--description", "fast")

    free = operator.run("method", "set", SHOP, "shipping", "3", "--free-from", "none", "--description", "")
    hidden = operator.run("method", "set", SHOP, "shipping", "3", "--inactive", "--cost", "0")

    assert free == {**parcel, "free_from": None, "description": None}
    assert hidden == {**free, "active": False, "cost": 0}


def test_method_is_removed_after_a_question(operator: Operator) -> None:
    add(operator, "shipping", 3)
    assert operator.fails("method", "remove", SHOP, "shipping", "3")[0] == 2

    assert operator.run("method", "remove", SHOP, "shipping", "3", "--yes") == {"removed": 3, "left": 0}
    assert "customers can select any id" in operator.type("method", "list", SHOP, "shipping").out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["add", "shipping", "3", "--name", "x"], 1, "already has shipping method 3"),
        (["add", "shipping", "4"], 2, "needs a name"),
        (["add", "shipping", "4", "--name", "x", "--pays-later"], 2, "--pays-later is for payment methods"),
        (["add", "payment", "4", "--name", "x", "--cost", "1"], 2, "--cost is for shipping methods"),
        (["set", "shipping", "3", "--cost", str(limits.SHIPPING_COST + 1)], 2, "--cost is at most"),
        (["set", "shipping", "3", "--free-from", str(2**53)], 2, "--free-from is at most"),
        (["set", "payment", "3", "--next-step", "http://pay.example"], 2, "no address of a next step"),
        (["set", "shipping", "3"], 2, "Nothing to change"),
        (["set", "payment", "3", "--inactive"], 3, "has no payment method 3"),
        (["remove", "shipping", "4", "--yes"], 3, "has no shipping method 4"),
    ],
)
def test_wrong_change_is_refused(operator: Operator, words: list[str], code: int, message: str) -> None:
    add(operator, "shipping", 3)
    before = operator.run("method", "list", SHOP, "shipping")

    failed, shown = operator.fails("method", words[0], SHOP, *words[1:])

    assert (failed, message in shown) == (code, True), shown
    assert operator.run("method", "list", SHOP, "shipping") == before


def test_shop_has_at_most_50_methods_of_a_kind(operator: Operator) -> None:
    methods = [ShippingMethod(id_, "x") for id_ in range(limits.METHODS)]
    MethodStore(operator.deployment.table).replace(SHOP, Kind.SHIPPING, methods, 0)

    assert "at most 50" in operator.fails("method", "add", SHOP, "shipping", "99", "--name", "x")[1]
    add(operator, "payment", 99)


def test_concurrent_change_is_not_overwritten(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    add(operator, "shipping", 3)
    read = MethodStore.read

    def read_before_another(*arguments: Any) -> Any:
        found = read(*arguments)
        monkeypatch.undo()
        add(operator, "shipping", 4)
        return found

    monkeypatch.setattr(MethodStore, "read", read_before_another)

    with pytest.raises(CartctlError, match="Someone else"):
        operator.run("method", "set", SHOP, "shipping", "3", "--inactive")
    assert ids(operator) == [3, 4]
