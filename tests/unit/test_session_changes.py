"""What a change of an item in a search session's partition counts."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from serverless_cart.domain.session import ItemKey
from serverless_cart.domain.statistics import CartItemUse, Click, EngineDay, Use, digest, hour_of
from serverless_cart.dynamodb.attributes import number, text
from serverless_cart.dynamodb.session_changes import counts_of
from tools.support.events import HASHID, NOW

Image = dict[str, Any] | None

HOUR = hour_of(NOW)
END = NOW // 1000 + 24 * 3600
EVENT = {"at": number(NOW), "device": text("mobile"), "expires_at": number(END)}
LATER = {**EVENT, "at": number(NOW + 1)}
NAMED = {**EVENT, "user": text("u1")}
CLICK = {**EVENT, "index": text("product"), "md5": text("a" * 32)}
FULL_CLICK = {**CLICK, "user": text("u1"), "query": text("mug"), "position": number(3), "custom_result": text("9")}
BANNER = {**EVENT, "id": text("7")}
TIMES = {"updated_at": number(NOW), "expires_at": number(END)}
TWO = {"index": text("product"), "id": text("1"), "title": text("Mug"), "device": text("mobile"), "amount": number(2),
       "price": {"N": "1.5"}, **TIMES}  # fmt: skip
THREE = {**TWO, "amount": number(3)}
EXPIRED = {**TWO, "expires_at": number(NOW // 1000)}
SOLD = {**TWO, "sold_at": number(NOW), "expires_at": number(NOW // 1000)}
BEFORE_DEVICES = {name: value for name, value in TWO.items() if name not in {"device", "price"}}

SESSION = digest("s#1")
ITEM = CartItemUse(HOUR, "mobile", "product", "1")
USE, OLD_USE = Use(HOUR, "mobile", SESSION), Use(HOUR, "desktop", SESSION)
LEAVES, OLD_LEAVES = USE._replace(hour=HOUR + 24), OLD_USE._replace(hour=HOUR + 24)
MONEY = Decimal("3.0")


def record(sk: str, old: Image, new: Image, **more: Any) -> dict[str, Any]:
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image}
    item = {"pk": text(f"SESSION#{HASHID}#s%231"), "sk": text(sk)}
    return {"dynamodb": {"Keys": item, "ApproximateCreationDateTime": NOW / 1000, **images}, **more}


def counted(record: dict[str, Any]) -> tuple[dict[str, int], dict[str, Any]]:
    """Return the totals by figure, and the details by kind; all are in one engine, day and hour."""
    days = list(counts_of(record))
    if not days:
        return {}, {}
    ((of_day, counts),) = days
    assert of_day == EngineDay(HASHID, HOUR // 24)
    assert {hour for _, _, hour in counts.totals.counts} <= {HOUR}
    totals: dict[str, int] = {figure: count for (figure, _, _), count in counts.totals.counts.items()}
    return totals, {kind: them for kind, them in counts.details.counts.items() if them}


@pytest.mark.parametrize(
    ("sk", "old", "new", "totals", "details"),
    [
        ("INIT", None, EVENT, {"inits": 1}, {}),
        ("INIT", None, NAMED, {"inits": 1, "identified_inits": 1},
         {"init_users": {USE._replace(id=digest("u1")): (1,)}}),
        ("INIT", EVENT, LATER, {"inits": 1}, {}),
        ("INIT", EVENT, EVENT, {}, {}),
        ("INIT", EVENT, None, {}, {}),
        ("CLICK#1", None, CLICK, {"clicks": 1}, {"clicks": {Click(HOUR, "mobile", "product", "a" * 32): (1,)}}),
        ("CLICK#1", None, FULL_CLICK, {"clicks": 1},
         {"clicks": {Click(HOUR, "mobile", "product", "a" * 32, "mug", 3, "9"): (1,)},
          "click_users": {USE._replace(id=digest("u1")): (1,)}}),
        ("CLICK#1", CLICK, CLICK, {}, {}),
        ("IMAGE#1", None, BANNER, {"images": 1}, {"banners": {USE._replace(id="7"): (1,)}}),
        ("IMAGE#1", BANNER, None, {}, {}),
        ("REDIRECT#1", None, BANNER, {"redirects": 1}, {"redirects": {USE._replace(id="7"): (1,)}}),
        ("CHECKOUT", None, {**EVENT, "count": number(1)}, {"checkouts": 1}, {}),
        ("CHECKOUT", {**EVENT, "count": number(1)}, {**EVENT, "count": number(2)}, {"checkouts": 1}, {}),
        ("CHECKOUT", {**EXPIRED, "count": number(5)}, {**EVENT, "count": number(1)}, {"checkouts": 1}, {}),
        ("CHECKOUT", {**EVENT, "count": number(2)}, None, {}, {}),
        ("CART#1", None, TWO, {"added": 2},
         {"items": {ITEM: (2, 0, 0, 0)}, "cart_sessions": {USE: (1,)}, "expiring": {LEAVES: (1, MONEY)}}),
        ("CART#1", TWO, THREE, {"added": 1},
         {"items": {ITEM: (1, 0, 0, 0)}, "cart_sessions": {USE: (1,)}, "expiring": {LEAVES: (0, MONEY / 2)}}),
        ("CART#1", THREE, TWO, {"removed": 1}, {"items": {ITEM: (0, 1, 0, 0)}, "expiring": {LEAVES: (0, -MONEY / 2)}}),
        ("CART#1", TWO, None, {"removed": 2}, {"items": {ITEM: (0, 2, 0, 0)}, "expiring": {LEAVES: (-1, -MONEY)}}),
        ("CART#1", EXPIRED, THREE, {"added": 3},
         {"items": {ITEM: (3, 0, 0, 0)}, "cart_sessions": {USE: (1,)}, "expiring": {LEAVES: (1, MONEY * 3 / 2)}}),
        ("CART#1", EXPIRED, None, {}, {}),
        ("CART#1", TWO, SOLD, {},
         {"items": {ITEM: (0, 0, 2, MONEY)}, "sales": {USE._replace(id="s#1"): (MONEY, 1)},
          "expiring": {LEAVES: (-1, -MONEY)}}),
        ("CART#1", SOLD, TWO, {"added": 2},
         {"items": {ITEM: (2, 0, 0, 0)}, "cart_sessions": {USE: (1,)}, "expiring": {LEAVES: (1, MONEY)}}),
        ("CART#1", SOLD, None, {}, {}),
        ("CART#1", None, BEFORE_DEVICES, {"added": 2},
         {"items": {ITEM._replace(device="desktop"): (2, 0, 0, 0)}, "cart_sessions": {OLD_USE: (1,)},
          "expiring": {OLD_LEAVES: (1, 0)}}),
        ("OTHER", None, EVENT, {}, {}),
    ],
)  # fmt: skip
def test_change_counts(sk: str, old: Image, new: Image, totals: dict[str, int], details: dict[str, Any]) -> None:
    assert counted(record(sk, old, new)) == (totals, details)


def test_title_is_kept() -> None:
    ((_, counts),) = counts_of(record("CART#1", None, TWO))

    assert counts.details.titles == {ItemKey("product", "1"): "Mug"}


def test_deletion_by_time_to_live_counts_nothing() -> None:
    by_ttl = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

    assert counted(record("CART#1", TWO, None, userIdentity=by_ttl)) == ({}, {})
    assert counted(record("CART#1", TWO, None, userIdentity=None))[0] == {"removed": 2}


def test_item_of_no_session_counts_nothing() -> None:
    cart = record("CART", None, TWO)
    cart["dynamodb"]["Keys"]["pk"] = text("CART#demo#customer")

    assert len(counts_of(cart)) == 0


def without(names: Iterable[str], image: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in image.items() if name not in names}


@pytest.mark.parametrize(
    ("sk", "image"),
    [
        *(("CLICK#1", without([name], CLICK)) for name in ("at", "index", "md5")),
        *(("CART#1", without([name], TWO)) for name in ("index", "id", "title", "amount", "updated_at")),
        ("CART#1", {**TWO, "amount": text("two")}),
        ("IMAGE#1", EVENT),
    ],
)
def test_record_of_another_form_raises(sk: str, image: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        counts_of(record(sk, None, image))
