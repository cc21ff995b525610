"""Names that cannot collide: the table's keys, and the public ids."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain.cart import Owner
from serverless_cart.domain.public_ids import cart_id, item_id
from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.domain.validation import parse_customer as customer
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.keys import Key

# Short texts of separators and escapes, which are likely to collide.
texts = st.text(st.sampled_from("#*%/: 2304aä🎁\x00"), max_size=6) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=40
)
hashids = st.text(st.sampled_from("0123456789abcdef"), min_size=32, max_size=32)
numbers = st.integers(0, 2**53 - 1)
owners = st.builds(Owner, texts, texts)
sessions = st.builds(Session, hashids, texts)
item_keys = st.builds(ItemKey, texts, texts)


SCHEMES: dict[str, tuple[Callable[..., Any], st.SearchStrategy[tuple[Any, ...]]]] = {
    "shop": (keys.shop, st.tuples(texts)),
    "shop_entry": (keys.shop_entry, st.tuples(texts)),
    "token_entry": (keys.token_entry, st.tuples(texts, st.just("customer"), texts, hashids)),
    "product": (keys.product, st.tuples(texts, numbers)),
    "cart": (keys.cart, st.tuples(owners)),
    "session": (keys.session, st.tuples(sessions)),
    "session_item": (keys.session_item, st.tuples(sessions, item_keys)),
    "cart_id": (cart_id, st.tuples(owners)),
    "item_id": (item_id, st.tuples(owners, numbers)),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@given(st.data())
def test_different_names_have_different_keys(scheme: str, data: st.DataObject) -> None:
    make, names = SCHEMES[scheme]
    one, other = data.draw(names), data.draw(names)

    assert (make(*one) == make(*other)) is (one == other)


@pytest.mark.parametrize("separator", ["", "#", "%23", ":", "1:", "%", "%25"])
@given(st.tuples(texts, texts, texts), hashids)
def test_names_are_separate_in_a_key(separator: str, parts: tuple[str, str, str], hashid: str) -> None:
    first, middle, last = parts
    one, other = (first + separator + middle, last), (first, middle + separator + last)
    if one == other:
        return
    session = Session(hashid, "s")
    assert keys.cart(Owner(*one)) != keys.cart(Owner(*other))
    assert keys.session_item(session, ItemKey(*one)) != keys.session_item(session, ItemKey(*other))
    assert cart_id(Owner(*one)) != cart_id(Owner(*other))
    assert item_id(Owner(*one), 7) != item_id(Owner(*other), 7)


@given(texts, texts, numbers, sessions)
def test_text_stays_in_its_part_of_a_key(shop: str, customer: str, number: int, session: Session) -> None:
    for made, parts, prefix in (
        (keys.shop(shop).pk, 2, "SHOP"),
        (keys.shop_entry(shop).sk, 2, "SHOP"),
        (keys.tokens(shop), 2, "TOKENS"),
        (keys.customer_tokens(customer), 3, "CUSTOMER"),
        (keys.product(shop, number).pk, 3, "PRODUCT"),
        (keys.cart(Owner(shop, customer)).pk, 3, "CART"),
        (keys.session(session), 3, "SESSION"),
    ):
        assert made.split("#")[0] == prefix
        assert len(made.split("#")) == parts
        assert made.isascii()
        assert "*" not in made  # a wildcard of policies


def test_plain_key_is_readable() -> None:
    assert keys.token("ab") == ("TOKEN#ab", "TOKEN")
    assert keys.shop("demo") == ("SHOP#demo", "SHOP")
    assert keys.shop_entry("demo") == ("SHOPS", "SHOP#demo")
    assert keys.search_engine("e" * 32) == (f"ENGINE#{'e' * 32}", "ENGINE")
    assert keys.token_entry("demo", "api_key", "", "ab") == ("TOKENS#demo", "API_KEY#ab")
    assert keys.token_entry("demo", "management", "", "ab") == ("TOKENS#demo", "MANAGEMENT#ab")
    assert keys.token_entry("demo", "customer", "customer-1", "ab") == ("TOKENS#demo", "CUSTOMER#customer-1#ab")
    assert keys.token_version("demo", "customer-1") == ("TOKENS#demo", "CUSTOMER#customer-1#")
    assert keys.product("demo", 7) == ("PRODUCT#demo#07", "PRODUCT#0000000000000007")
    assert keys.cart(Owner("demo", "customer-1")) == ("CART#demo#customer-1", "CART")
    assert keys.session(Session("e" * 32, "s#1/ä*%")) == f"SESSION#{'e' * 32}#s%231%2F%C3%A4%2A%25"


@pytest.mark.parametrize(
    "longest",
    [
        keys.session_item(Session("e" * 32, "🎁" * 32), ItemKey("🎁" * 256, "🎁" * 256)),
        keys.cart(Owner("a" * 63, customer("🎁" * 64))),
        keys.token_entry("a" * 63, "customer", customer("🎁" * 64), "f" * 64),
    ],
)
def test_longest_names_fit_a_key(longest: Key) -> None:
    assert len(longest.pk.encode()) <= 2048
    assert len(longest.sk.encode()) <= 1024


@given(texts, numbers)
def test_products_are_in_order_of_ids(shop: str, number: int) -> None:
    key = keys.product(shop, number)

    assert key.pk in keys.catalogue(shop)
    assert keys.product_id(key) == number
    assert (key.sk < keys.product(shop, 2**52).sk) is (number < 2**52)


def test_catalogue_is_spread_evenly() -> None:
    spread = Counter(keys.product("demo", number).pk for number in range(0, 160_000, 16))

    assert set(spread) == set(keys.catalogue("demo"))
    assert max(spread.values()) < 2 * min(spread.values())


@given(owners, numbers)
def test_ids_are_exact_in_a_browser(owner: Owner, number: int) -> None:
    assert 0 <= cart_id(owner) < 2**53
    assert 0 <= item_id(owner, number) < 2**53


def test_ids_never_change() -> None:
    owner = Owner("demo", "customer-1")

    assert (cart_id(owner), item_id(owner, 123)) == (5649819036586078, 6877149277336005)
