"""When a discount code applies, and what it takes off (contract: Discount codes)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain.cart import Selections, price
from serverless_cart.domain.discounts import DiscountCode, DiscountSnapshot, normalised
from serverless_cart.domain.methods import ShippingSnapshot
from tests.support.builders import OWNER, cart, item, product
from tools.support.events import NOW


@pytest.mark.parametrize(
    ("code", "key"),
    [
        *(("summer", "SUMMER"), (" SUMMER ", "SUMMER"), ("ＳＵＭ", "SUM"), ("straße", "STRASSE"), ("x" * 64, "X" * 64)),  # noqa: RUF001
        *((code, None) for code in ("", " ", "a b", "a\tb", "a\x00", "a\u200b", "\ud800", "x" * 65, "ﬃ" * 32)),
    ],
)
def test_code_is_compared_in_any_case_and_width(code: str, key: str | None) -> None:
    assert normalised(code) == key


@given(st.text(min_size=1, max_size=20))
def test_normal_form_is_stable(text: str) -> None:
    key = normalised(text)

    if key is not None:
        assert {normalised(it) for it in (key, key.lower(), f" {key}")} <= {key, None}


@pytest.mark.parametrize(
    ("terms", "subtotal", "off"),
    [
        *(({"percent": 10}, 1999, 199), ({"percent": 100}, 7, 7), ({"percent": 33}, 100, 33), ({"percent": 1}, 99, 0)),
        *(({"amount": 500}, 1000, 500), ({"amount": 500}, 499, 499), ({"amount": 0}, 9, 0), ({"amount": 5}, 0, 0)),
        ({"percent": 100}, 2**53 - 1, 2**53 - 1),
    ],
)
def test_discount_is_rounded_down_and_at_most_the_subtotal(terms: dict[str, Any], subtotal: int, off: int) -> None:
    assert DiscountSnapshot(DiscountCode("X", **terms), 0, NOW).amount_off(subtotal) == off


@pytest.mark.parametrize(
    ("terms", "uses", "reason"),
    [
        ({}, 0, ""),
        ({"active": False}, 0, "not active"),
        *(({"starts_at": NOW}, 0, ""), ({"starts_at": NOW + 1}, 0, "not valid yet")),
        *(({"ends_at": NOW}, 0, ""), ({"ends_at": NOW - 1}, 0, "no longer valid")),
        *(({"max_uses": 3, "uses": 2}, 0, ""), ({"max_uses": 3, "uses": 3}, 0, "the code is used up")),
        *(({"max_uses_per_customer": 3}, 2, ""), ({"max_uses_per_customer": 3}, 3, "the customer has used up")),
        *(({"minimum": 1000}, 0, ""), ({"minimum": 1001}, 0, "at least 1001")),
    ],
)
def test_code_applies_within_its_limits(terms: dict[str, Any], uses: int, reason: str) -> None:
    code = DiscountSnapshot(DiscountCode("X", percent=10, **terms), uses, NOW)

    priced = price(OWNER, cart(item(product()), discount=code))

    assert (priced.discount, priced.discount_code) == (0 if reason else 100, "X")
    assert [it.code for it in priced.warnings] == ["discount_unavailable"] * bool(reason)
    assert reason in code.refusal(1000)


@pytest.mark.parametrize(
    ("terms", "faults"),
    [
        *(({"percent": 1}, ""), ({"percent": 100}, ""), ({"percent": 5, "starts_at": NOW, "ends_at": NOW}, "")),
        *(({"amount": 0}, ""), ({"amount": 2**53 - 1, "minimum": 2**53 - 1, "max_uses": 2**53 - 1}, "")),
        *(
            ({}, "either"),
            ({"percent": 5, "amount": 5}, "either"),
            ({"percent": 0}, "percent"),
            ({"percent": 101}, "percent"),
        ),
        *(({"amount": number}, "amount") for number in (-1, 2**53)),
        *(({"percent": 5, "minimum": number}, "minimum") for number in (-1, 2**53)),
        *(
            ({"percent": 5, name: number}, name)
            for name in ("max_uses", "max_uses_per_customer")
            for number in (0, 2**53)
        ),
        ({"percent": 5, "starts_at": NOW, "ends_at": NOW - 1}, "ends before it starts"),
    ],
)
def test_terms_have_limits(terms: dict[str, Any], faults: str) -> None:
    found = DiscountCode("X", **terms).faults()

    assert len(found) == bool(faults)
    assert faults in "".join(found)


def test_free_shipping_depends_on_the_subtotal_before_the_discount() -> None:
    code = DiscountSnapshot(DiscountCode("X", percent=10), 0, NOW)
    shipping = ShippingSnapshot(3, offered=True, cost=490, free_from=1000, read_at=NOW)
    it = cart(item(product()), discount=code, shipping=shipping, selections=Selections(shipping_method=3))

    priced = price(OWNER, it)

    assert (priced.subtotal, priced.discount, priced.shipping_cost, priced.total) == (1000, 100, 0, 900)
