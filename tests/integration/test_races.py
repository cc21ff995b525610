"""Two requests for one cart, the second between the read and the write of the first: nothing is lost or exceeded.

Each test is one interleaving in one thread and shows what the conditions say. tests/engine and tests/e2e show that the
engine keeps them under parallel requests.
"""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from serverless_cart.domain.public_ids import item_id
from tests.support.builders import OWNER, product
from tests.support.bundle import Answer, Bundle
from tests.support.cart_requests import CHANGES, add, is_replay, once, quantities, read, select, version, warnings
from tools.support.events import DAY, HOUR, altered, load

every_change = pytest.mark.parametrize("kind", CHANGES)
with_or_without = pytest.mark.parametrize("held", [0, 1], ids=["no cart", "cart"])


def stats(bundle: Bundle, method: str, amount: int = 1) -> Answer:
    body = {"id": "MUG-7", "index": "product", "title": "Enamel mug", "amount": amount}
    return bundle.send("stats_cart", altered(load(f"stats_cart/{method}"), body=body))


def before(bundle: Bundle, operation: str, do: Callable[[], object]) -> None:
    """Call ``do`` once, before the next call of an operation reaches the table."""

    def hook(called: str) -> None:
        if called == operation:
            bundle.database.before = None
            do()

    bundle.database.before = hook


def outcome(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.body.get("error")


@with_or_without
def test_parallel_adds_of_a_product_both_count(shop: Bundle, held: int) -> None:
    for _ in range(held):
        add(shop)
    before(shop, "UpdateItem", lambda: add(shop, quantity=2))

    answer = add(shop, quantity=3)

    assert quantities(answer) == {123: held + 5}
    assert shop.database.calls == ["BatchGetItem", "UpdateItem"], "only those of the other: this one did not retry"


def test_parallel_first_adds_share_the_new_cart(shop: Bundle) -> None:
    shop.sell(product(7))
    before(shop, "UpdateItem", lambda: add(shop, 7))

    assert quantities(add(shop)) == {7: 1, 123: 1}


def test_last_in_stock_goes_to_one_of_two(shop: Bundle) -> None:
    shop.sell(product(7, stock=3))
    add(shop, 7, quantity=2)
    before(shop, "UpdateItem", lambda: add(shop, 7))

    assert outcome(add(shop, 7)) == (400, "insufficient stock")
    assert shop.cart_row()["qty#7"] == "3"


@every_change
def test_one_key_is_applied_once(shop: Bundle, kind: str) -> None:
    start = version(add(shop))
    before(shop, "UpdateItem", lambda: CHANGES[kind](shop, once()))

    answer = CHANGES[kind](shop, once())

    assert is_replay(answer)
    assert version(answer) == start + 1


def test_one_key_creates_the_cart_once(shop: Bundle) -> None:
    before(shop, "UpdateItem", lambda: add(shop, quantity=2, headers=once()))

    answer = add(shop, quantity=2, headers=once())

    assert (quantities(answer), is_replay(answer)) == ({123: 2}, True)


@every_change
def test_one_version_is_changed_once(shop: Bundle, kind: str) -> None:
    tag = add(shop, quantity=2).headers["ETag"]
    before(shop, "UpdateItem", lambda: select(shop, {"If-Match": tag}, address=4))

    answer = CHANGES[kind](shop, {"If-Match": tag})

    assert outcome(answer) == (412, "cart has changed")
    assert answer.headers["ETag"] == read(shop).headers["ETag"]
    assert quantities(read(shop)) == {123: 2}


@every_change
def test_newer_price_of_another_change_is_kept(shop: Bundle, kind: str) -> None:
    shop.sell(product(7, price=100, discount=0))
    add(shop, 7)
    add(shop)
    shop.sell(product(7, price=120, discount=0))
    shop.clock.forward(HOUR)

    def select_with_a_newer_price() -> None:
        shop.clock.forward(1)
        shop.sell(product(7, price=130, discount=0))
        select(shop, address=4)

    before(shop, "UpdateItem", select_with_a_newer_price)
    answer = CHANGES[kind](shop)

    assert answer.status == 200
    if kind == "add":
        assert warnings(answer) == [("price_changed", item_id(OWNER, 7))]
        assert "from 100 to 130" in answer.body["warnings"][0]["message"]
    if kind != "clear":
        assert "130,0," in shop.cart_row()["snap#7"]
        assert {line["product"]["id"]: line["unit_price"] for line in read(shop).body["items"]}[7] == 130


@pytest.mark.parametrize("operation", ["PutItem", "BatchGetItem"])
def test_expired_cart_is_replaced_once_by_two_adds(shop: Bundle, operation: str) -> None:
    shop.sell(product(7), product(8))
    add(shop, 8)
    shop.clock.forward(30 * DAY)
    before(shop, operation, lambda: add(shop, 7))

    assert quantities(add(shop)) == {7: 1, 123: 1}


@pytest.mark.parametrize("expired", [False, True], ids=["no cart", "expired"])
def test_cart_is_created_once_by_two_selects(shop: Bundle, *, expired: bool) -> None:
    if expired:
        add(shop)
        shop.clock.forward(30 * DAY)
    before(shop, "PutItem" if expired else "UpdateItem", lambda: select(shop, address=4))

    answer = select(shop, payment_method=9)

    assert (answer.body["address"], answer.body["payment_method"], quantities(answer)) == (4, 9, {})


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "lost"])
def test_keyed_replacement_happens_once_without_an_answer(shop: Bundle, *, applied: bool) -> None:
    add(shop)
    shop.clock.forward(30 * DAY)

    def lose(operation: str) -> None:
        if operation == "PutItem":
            shop.database.before = shop.database.after = None
            raise ReadTimeoutError(endpoint_url="http://database")

    if applied:
        shop.database.after = lose
    else:
        shop.database.before = lose

    assert quantities(add(shop, quantity=2, headers=once())) == {123: 2}


@pytest.mark.parametrize("kind", ["update quantity", "update notes", "remove"])
@pytest.mark.parametrize("other", ["remove", "clear"])
def test_removed_item_is_never_restored(shop: Bundle, kind: str, other: str) -> None:
    shop.sell(product(7))
    add(shop, 7)
    add(shop)
    before(shop, "UpdateItem", lambda: CHANGES[other](shop))

    assert outcome(CHANGES[kind](shop)) == (404, "item not found")

    row = shop.cart_row()
    assert row.get("products") == (["7"] if other == "remove" else None)
    assert [name for name in row if name.endswith("#123")] == []


def amounts(bundle: Bundle) -> list[tuple[str, str]]:
    return [(row["amount"], row["clicks"]) for row in bundle.rows("SESSION#")]


@with_or_without
def test_parallel_puts_both_count(bundle: Bundle, held: int) -> None:
    for _ in range(held):
        stats(bundle, "put")
    before(bundle, "UpdateItem", lambda: stats(bundle, "put", 2))
    stats(bundle, "put", 3)

    assert amounts(bundle) == [(str(held + 5), str(held + 2))]


def test_item_put_during_its_removal_stays(bundle: Bundle) -> None:
    stats(bundle, "put", 2)
    before(bundle, "DeleteItem", lambda: stats(bundle, "put", 5))
    stats(bundle, "patch", 3)

    assert amounts(bundle) == [("4", "2")]


def test_item_removed_during_its_removal_stays_away(bundle: Bundle) -> None:
    stats(bundle, "put", 2)
    before(bundle, "DeleteItem", lambda: stats(bundle, "patch", 2))

    assert stats(bundle, "patch", 2).status == 200
    assert amounts(bundle) == []


def test_expired_item_is_replaced_once_by_two_puts(bundle: Bundle) -> None:
    stats(bundle, "put", 9)
    bundle.clock.forward(DAY)
    before(bundle, "UpdateItem", lambda: before(bundle, "UpdateItem", lambda: stats(bundle, "put", 2)))
    stats(bundle, "put", 3)

    assert amounts(bundle) == [("5", "2")]
