"""What a shop may be called, and what its settings may say."""

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverless_cart.domain import validation as rules
from serverless_cart.web.access import check_address
from serverless_cart.web.refusals import BannedAddress
from tests.support.builders import principal

networks = st.ip_addresses().flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: str(ipaddress.ip_network(f"{address}/{length}", strict=False))
    )
)


def blocks(network: str, address: str) -> bool:
    """Tell whether a shop that blocks a network refuses an address."""
    try:
        check_address(principal(blocked_networks=frozenset({network})), address)
    except BannedAddress:
        return True
    return False


@given(networks)
def test_a_network_in_its_one_form_is_the_same_network_and_stays_so(network: str) -> None:
    normal = rules.parse_blocked_network(network)

    assert rules.parse_blocked_network(normal) == normal
    assert " " not in normal, "a space separates networks in an authorizer's context"
    assert blocks(normal, str(ipaddress.ip_network(normal).network_address))


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.0/24", "::ffff:203.0.113.9"),
        ("::ffff:203.0.113.0/120", "203.0.113.9"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8::/32", "2001:db8:1::1"),
        ("0.0.0.0/0", "1.2.3.4"),
    ],
)
def test_a_network_blocks_its_clients_however_it_was_written(written: str, address: str) -> None:
    assert blocks(rules.parse_blocked_network(written), address)


@pytest.mark.parametrize(
    ("rule", "text", "stored"),
    [
        (rules.parse_shop_name, "a", "a"),
        (rules.parse_shop_name, "shop-2", "shop-2"),
        (rules.parse_shop_name, "x" * 63, "x" * 63),
        (rules.parse_search_engine, "ABCDEF0123456789" * 2, "abcdef0123456789" * 2),
        (rules.parse_allowed_origin, "https://shop.example", "https://shop.example"),
        (rules.parse_allowed_origin, "http://LOCALHOST:3000/", "http://localhost:3000"),
        (rules.parse_allowed_origin, "http://shop.example:80", "http://shop.example"),
        (rules.parse_allowed_origin, "https://shop.example:80", "https://shop.example:80"),
        (rules.parse_allowed_origin, "http://[::1]:8080", "http://[::1]:8080"),
        (rules.parse_allowed_origin, "https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        (rules.parse_customer, "Zoë #1/*", "Zoë #1/*"),
        (rules.parse_customer, "x" * 256, "x" * 256),
        (rules.parse_label, "", ""),
        (rules.parse_label, "x" * 100, "x" * 100),
        (rules.parse_currency, "", ""),
        (rules.parse_currency, "EUR", "EUR"),
    ],
)
def test_what_is_allowed_has_one_form(rule: Callable[[str], str], text: str, stored: str) -> None:
    assert rule(text) == stored
    assert rule(stored) == stored


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *((rules.parse_shop_name, text) for text in ("", "A", "a_b", "-a", "a-", "ä", "a b", "a#b", "x" * 64, "a\n")),
        *((rules.parse_search_engine, text) for text in ("", "abc", "g" * 32, "0" * 33, "0" * 32 + "\n")),
        *((rules.parse_blocked_network, text) for text in ("", "x", "1.2.3.4/33", "1.2.3.4/8", "::1/129", "1.2.3.4 ")),
        *((rules.parse_blocked_network, text) for text in ("01.2.3.4", "fe80::1%eth0", "10.0.0.0/8 0.0.0.0/0", "*")),
        *((rules.parse_allowed_origin, text) for text in ("", "*", "null", "shop.example", "ftp://shop.example")),
        *(
            (rules.parse_allowed_origin, f"https://{text}")
            for text in ("", "a b", "a/b", "a?b", "a#b", "u@a", "ä.example")
        ),
        *(
            (rules.parse_allowed_origin, f"https://{text}")
            for text in ("a:x", "a:99999", "a,b", "*.example", "a:", "[x]")
        ),
        *((rules.parse_customer, text) for text in ("", " a", "a ", "a\x00", "a\u2028b", "\ud800", "ä" * 129)),
        *((rules.parse_label, text) for text in ("x" * 101, "a\nb", "\x1b[2J", "\ud800")),
        *((rules.parse_currency, text) for text in ("x" * 17, " EUR", "E\nR")),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_rule(rule: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match=r"\w{2}"):
        rule(text)


@given(st.text(max_size=20))
def test_an_origin_never_holds_what_separates_origins(text: str) -> None:
    try:
        stored = rules.parse_allowed_origin(f"https://{text}")
    except ValueError:
        return
    assert stored.split() == [stored]
    assert stored.isascii()


def test_all_settings_together_fit_an_authorizer_s_answer() -> None:
    rules.check_settings(frozenset(map(str, range(50))), frozenset())
    with pytest.raises(ValueError, match="at most 50 each"):
        rules.check_settings(frozenset(map(str, range(51))))
    rules.check_settings({"x" * 2047}, {"y" * 2047})
    with pytest.raises(ValueError, match="at most 4096 bytes together"):
        rules.check_settings({"x" * 2047}, {"y" * 2048})
