"""Entity tags: If-Match changes one version of a cart, If-None-Match reads what has changed."""

import pytest

from serverless_cart.dynamodb import keys
from tests.support.builders import OWNER, product
from tests.support.bundle import TABLE, Bundle
from tests.support.cart_requests import CALLS, CHANGES, add, is_refusal, read, select, version
from tools.support.events import DAY, HOUR, SECOND, load

NO_VERSION = '"1-0"'
"""The entity tag of a version that no cart has."""
every_change = pytest.mark.parametrize("kind", CHANGES)


def test_version_is_never_used_twice(shop: Bundle) -> None:
    seen = [version(add(shop)) for _ in range(3)]
    shop.clock.forward(30 * DAY)
    seen += [version(add(shop)) for _ in range(2)]
    key = keys.cart(OWNER)
    shop.client.delete_item(TableName=TABLE, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})
    shop.clock.forward(DAY)
    seen += [version(add(shop)) for _ in range(2)]

    assert seen == sorted(set(seen))


def test_changed_price_changes_the_tag_not_the_version(shop: Bundle) -> None:
    before = add(shop)
    shop.sell(product(price=1300))
    shop.clock.forward(HOUR)

    after = read(shop)

    assert after.headers["ETag"] != before.headers["ETag"]
    assert version(after) == version(before)
    refused = select(shop, {"If-Match": NO_VERSION}, address=4)
    assert refused.headers["ETag"] == after.headers["ETag"]
    assert add(shop, headers={"If-Match": before.headers["ETag"]}).status == 200


@every_change
@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"1-0", "2-ab", {tag}', "*", ""])
def test_change_of_the_current_version_is_made(shop: Bundle, kind: str, form: str) -> None:
    current = add(shop)

    answer = CHANGES[kind](shop, {"If-Match": form.format(tag=current.headers["ETag"])})

    assert (answer.status, version(answer) > version(current)) == (200, True)
    assert shop.database.calls == CALLS[kind]


@every_change
def test_change_of_another_version_is_412(shop: Bundle, kind: str) -> None:
    old = add(shop).headers["ETag"]
    current = add(shop).headers["ETag"]
    row = shop.cart_row()
    bare = current.strip('"').partition("-")[0]
    forms = [old, f"{NO_VERSION}, {old}", f"W/{old}", '"nonsense"', "nonsense", '""', '"*"', '"x-y"', '"0-0"', bare]

    for form in [*forms, f'"{bare}"', NO_VERSION, f'"{bare}0-0"', '"' * 8_001, '"' + "9" * 8_000 + '-0"', "W/" * 4_000]:
        answer = CHANGES[kind](shop, {"If-Match": form})
        assert is_refusal(answer, 412, "cart has changed"), form[:40]
        assert answer.headers["ETag"] == current

    assert shop.cart_row() == row
    assert CHANGES[kind](shop, {"If-Match": current}).status == 200


@pytest.mark.parametrize("kind", ["add", "select", "clear"])
def test_absent_cart_has_a_version_too(shop: Bundle, kind: str) -> None:
    refusal = CHANGES[kind](shop, {"If-Match": NO_VERSION})
    assert is_refusal(refusal, 412, "cart has changed")
    assert refusal.headers["ETag"] == read(shop).headers["ETag"]
    assert shop.rows("CART#") == []

    assert CHANGES[kind](shop, {"If-Match": refusal.headers["ETag"]}).status == 200
    again = CHANGES[kind](shop, {"If-Match": refusal.headers["ETag"]})
    assert again.status == (200 if kind == "clear" else 412)
    assert bool(shop.rows("CART#")) is (kind != "clear")


@pytest.mark.parametrize("name", ["get_if_none_match", "get_other_case_headers"])
def test_known_empty_cart_is_304(shop: Bundle, name: str) -> None:
    answer = shop.send("cart", load(f"cart/{name}"))

    assert (answer.status, answer.text) == (304, "")
    assert answer.headers["ETag"] == read(shop).headers["ETag"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Access-Control-Expose-Headers"]


def test_tag_is_valid_until_cart_or_price_changes(shop: Bundle) -> None:
    tag = add(shop).headers["ETag"]
    assert read(shop, If_None_Match=tag).status == 304
    assert shop.database.calls == ["GetItem"]

    shop.clock.forward(59 * SECOND)
    shop.sell(product(price=1300))
    assert read(shop, If_None_Match=tag).status == 304, "the price that was read is still young"
    shop.clock.forward(SECOND)
    dearer = read(shop, If_None_Match=tag)
    assert (dearer.status, dearer.body["total"]) == (200, 1050)

    changed = select(shop, address=4)
    assert read(shop, If_None_Match=dearer.headers["ETag"]).body == {**changed.body, "warnings": []}
    assert read(shop, If_None_Match="*").status == 304


@every_change
def test_change_ignores_if_none_match(shop: Bundle, kind: str) -> None:
    add(shop)

    assert CHANGES[kind](shop, {"If-None-Match": "*"}).status == 200
