"""`cartctl order`, and the erasure of a customer."""

import json
from typing import Any

import pytest

import cartctl.tokens
from cartctl.commands import customer as customers
from cartctl.commands import order as orders
from cartctl.commands import shop as shops
from serverless_cart.dynamodb.erasure import ErasureStore
from tests.integration.test_orders import make, send
from tests.support import cart_requests
from tests.support.builders import OWNER, product, sold
from tests.support.bundle import Bundle
from tests.support.operator import Operator
from tools.support.events import DAY, NOW, SHOP

NOVEMBER = ("--from", "2025-11-01", "--to", "2025-11-30")


@pytest.fixture
def operator(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator of a shop with a product."""
    for module in (orders, shops, customers, cartctl.tokens):
        monkeypatch.setattr(module, "clock", bundle.clock)
    monkeypatch.setattr(shops, "LONGEST_REQUEST", -60)  # no command waits
    operator.run("shop", "create", SHOP, "--currency", "EUR")
    bundle.sell(product(stock=5))
    return operator


def test_list_shows_a_period_or_a_customer(operator: Operator, bundle: Bundle) -> None:
    made = [make(bundle, created_at=NOW + age * DAY, customer=f"c{age % 2}") for age in range(4)]
    make(bundle, created_at=NOW + 30 * DAY)

    listed = operator.run("order", "list", SHOP, *NOVEMBER)
    assert [it["key"] for it in listed] == [it.key for it in made]
    listed = operator.run("order", "list", SHOP, "--customer", "c1", "--status", "hold")
    assert [it["key"] for it in listed] == [made[3].key, made[1].key]
    assert operator.run("order", "list", SHOP, *NOVEMBER, "--status", "shipped") == []
    assert len(operator.run("order", "list", SHOP, *NOVEMBER, "--limit", "2")) == 2


def test_show_is_the_management_apis_answer(operator: Operator, bundle: Bundle) -> None:
    made = make(bundle, notes="Ring twice", discount=100, discount_code="Spring")

    assert operator.run("order", "show", SHOP, made.key) == send(bundle, "shop_orders", "get", made.key).body
    text = operator.type("order", "show", SHOP, made.key).out
    assert all(part in text for part in (made.key, "hold", "REF-123", "1150 (11.50)", "Spring", "Ring twice"))


def test_set_changes_the_status_and_returns_stock(operator: Operator, bundle: Bundle) -> None:
    made = make(bundle, reserved={123: 2})

    assert operator.run("order", "set", SHOP, made.key, "processing")["is_paid"]
    assert operator.fails("order", "set", SHOP, made.key, "refunded")[0] == 2, "asks first"
    refunded = operator.run("order", "set", SHOP, made.key, "refunded", "--restock", "--amount-paid", "0", "--yes")
    assert (refunded["status"], refunded["amount_paid"]) == ("refunded", 0)
    assert [row["stock"] for row in bundle.rows("PRODUCT#")] == ["7"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("show", SHOP, "ORD-1"), 3, "Shop demo has no order ORD-1: run cartctl order list demo to see them."),
        (("set", SHOP, "KEY", "completed"), 1, "an order cannot change from hold to completed. Run cartctl order show"),
        (("set", SHOP, "KEY", "paid"), 2, "'paid' is no status: write one of hold, processing"),
        (("set", SHOP, "KEY", "shipped", "--restock"), 2, "--restock is for the status refunded only"),
        (("list", SHOP, "--from", "2025-02-30"), 2, "'2025-02-30' is no day: write it as 2026-01-31"),
        (("list", SHOP, "--from", "2026-01-31", "--to", "2026-01-30"), 2, "--from is after --to"),
        (("list", SHOP, "--customer", "c", "--from", "2026-01-31"), 2, "Pass either --customer, or --from and --to."),
    ],
    ids=lambda it: it[0] if isinstance(it, tuple) else None,
)
def test_wrong_request_says_what_to_do(
    operator: Operator, bundle: Bundle, words: tuple[str, ...], code: int, message: str
) -> None:
    made = make(bundle)
    before = bundle.rows()

    failed = operator.fails("order", *(made.key if word == "KEY" else word for word in words))

    assert failed[0] == code
    assert message in failed[1]
    assert bundle.rows() == before


def personal(bundle: Bundle) -> list[dict[str, Any]]:
    return [row for row in bundle.rows() if any(it in json.dumps(row) for it in (OWNER.customer, "secret"))]


def test_erasure_keeps_figures_and_no_person(operator: Operator, bundle: Bundle) -> None:
    operator.run("customer", "issue", SHOP, OWNER.customer)
    cart_requests.add(bundle, notes="secret")
    made = [make(bundle, notes="secret", items=(sold(notes="secret"),), reserved={123: 1}) for _ in range(3)]
    other = make(bundle, customer="customer-2")
    figures = operator.run("order", "list", SHOP, *NOVEMBER)

    assert operator.run("customer", "erase", SHOP, OWNER.customer, "--yes") == {
        "erased": OWNER.customer, "orders": 3, "tokens": 1,
    }  # fmt: skip

    assert personal(bundle) == []
    kept = operator.run("order", "list", SHOP, *NOVEMBER)
    gone = {"customer": None, "notes": "", "address": None}
    assert kept == [it | gone if it["key"] != other.key else it for it in figures]
    assert send(bundle, "orders", "get", made[0].key).status == 404
    assert operator.run("order", "set", SHOP, made[0].key, "cancelled", "--yes")["status"] == "cancelled"
    assert personal(bundle) == []
    assert operator.run("customer", "erase", SHOP, OWNER.customer, "--yes")["orders"] == 0


def test_erasure_waits_for_running_requests(
    operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.run("customer", "issue", SHOP, OWNER.customer)
    monkeypatch.setattr(shops, "LONGEST_REQUEST", 30)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        bundle.clock.forward(int(seconds * 1000))

    monkeypatch.setattr("time.sleep", sleep)
    operator.run("customer", "erase", SHOP, OWNER.customer, "--yes")

    assert sum(waits) == pytest.approx(90)


def test_erasure_reads_a_changed_order_again(
    operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(bundle)
    table = operator.deployment.table
    send_it = table.transact

    def interrupted(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(table, "transact", send_it)
        assert send(bundle, "shop_orders", "patch", made.key, body={"status": "processing"}).status == 200
        send_it(*args, **kwargs)

    monkeypatch.setattr(table, "transact", interrupted)

    assert list(ErasureStore(table).erase_orders(OWNER)) == [made.key]
    (row,) = bundle.rows("ORDER#")
    assert (row["status"], "customer" in row) == ("processing", False)


def test_deletion_of_a_shop_takes_its_orders(operator: Operator, bundle: Bundle) -> None:
    make(bundle)
    other = make(bundle, shop="other")

    operator.run("shop", "delete", SHOP, "--yes")

    assert {row["pk"] for row in bundle.rows() if SHOP in str(row)} <= {f"CUSTOMER#{SHOP}#{OWNER.customer}"}
    assert [row["sk"] for row in bundle.rows("HOLDS#") if other.key in row["sk"]]
