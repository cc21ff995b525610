"""The limits of a product, and its item in the table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from serverless_cart.dynamodb.catalogue import product_from_item, product_to_item
from tests.support.builders import product

CONTROLS = ["\x00", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f"]
"""Characters that JSON escapes, with six bytes each."""
BLANKS = [
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\u2003",
    "\u2060",
    "\u2028",
    "\u200d\ufe0f",
    "\u2800",
    "\u3164",
    "\u0301",
    "\u00ad",
]
"""Texts that are shown as nothing, or only as a mark on another character."""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        *({"id": id_} for id_ in (0, 2**53 - 1)),
        {"ref": "x" * 64},
        *({"name": name} for name in ("ä" * 255, "🎁" * 128)),
        {"ref": 'a "b" \\ c', "name": '27" TV \\ Käse\u2028\x80'},
        *({"name": name} for name in ("\u0301a", "\ue000", "—", "🎁", "\U000105c0")),
        *({"image": image} for image in ("https://img.example/ä?a=b&c=%20#d'", "HTTP://[::1]/x", None, "", "x" * 512)),
        *({"image": image} for image in ("//img.example/7.jpg", "/7.jpg", "a/7.jpg?v=a:b", "7.jpg", "https://u:p@h/x")),
        *({"price": price, "discount": 0} for price in (0, limits.PRODUCT_PRICE)),
        {"discount": 1250},
        *({"stock": stock} for stock in (None, 0, 2**53 - 1)),
    ],
)
def test_product_at_its_limits_has_no_faults(changes: dict[str, Any]) -> None:
    assert product(**changes).faults() == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        *(({"id": id_}, "id") for id_ in (-1, 2**53)),
        *(({"ref": ref}, "ref") for ref in ("", "x" * 65, "ä" * 33, "\ud800", " x", "x\u00a0")),
        *(({"name": name}, "name") for name in ("", "x" * 256, "🎁" * 129, "a\ud83d")),
        *(({field: blank}, field) for field in ("ref", "name") for blank in BLANKS),
        *(({"image": image}, "image") for image in ("x" * 513, "\ud800", "-", ".", "?", "n/a", "None", "NULL")),
        *(
            ({"image": image}, "image")
            for image in (
                "javascript:alert(1)",
                "JaVaScRiPt:x",
                "data:image/png,x",
                "ftp://h/x",
                "file:///x",
                "x:y",
                "https:",
                "https://",
                "https:///x",
                "https:x",
                "http://?x",
                "//",
                "C:/images/7.jpg",
            )
        ),
        *(({field: f"a{control}b"}, field) for field in ("ref", "name") for control in CONTROLS),
        *(({"image": f"/a{character}b"}, "image") for character in [*CONTROLS, *BLANKS[:6], '"', "\\"]),
        *(({"price": price, "discount": 0}, "price") for price in (-1, limits.PRODUCT_PRICE + 1)),
        *(({"discount": discount}, "discount") for discount in (-1, 1251)),
        *(({"stock": stock}, "stock") for stock in (-1, 2**53)),
    ],
)
def test_product_beyond_a_limit_has_that_fault(changes: dict[str, Any], fault: str) -> None:
    (message,) = product(**changes).faults()

    assert message.startswith(f"{fault} must")


def test_all_faults_are_returned() -> None:
    assert len(product(-1, ref="", name="", image="x" * 513, price=-1, discount=-1, stock=-1).faults()) == 7
    assert len(product(ref="\n", name="🎁\n" * 128, image=" " * 513).faults()) == 8


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
count = st.integers(0)
products = st.builds(Product, count, text, text, st.none() | text, count, count, st.none() | count, st.booleans())


@given(products)
def test_item_keeps_the_product(original: Product) -> None:
    assert product_from_item(product_to_item("a shop#1", original)) == original
