"""Names and settings of shops: validation and normal form."""

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
    try:
        check_address(principal(blocked_networks=frozenset({network})), address)
    except BannedAddress:
        return True
    return False


@given(networks)
def test_normal_form_of_a_network_is_stable(network: str) -> None:
    normal = rules.parse_blocked_network(network)

    assert rules.parse_blocked_network(normal) == normal
    assert " " not in normal, "a space separates networks in an authorizer's context"
    assert blocks(normal, str(ipaddress.ip_network(normal).network_address))


@pytest.mark.parametrize(
    ("written", "address"),
    [
        *((written, "203.0.113.7") for written in ("203.0.113.7", "::ffff:203.0.113.0/120", "::ffff:203.0.113.7")),
        *(("203.0.113.0/24", "::ffff:203.0.113.9"), ("2001:DB8::/32", "2001:db8:1::1"), ("0.0.0.0/0", "1.2.3.4")),
        ("::ffff:0:0/96", "1.2.3.4"),
    ],
)
def test_network_blocks_its_addresses(written: str, address: str) -> None:
    assert blocks(rules.parse_blocked_network(written), address)


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (rules.parse_shop_name, {"a": "a", "shop-2": "shop-2", "x" * 63: "x" * 63}),
        (rules.parse_search_engine, {"ABCDEF0123456789" * 2: "abcdef0123456789" * 2}),
        (rules.parse_allowed_origin, {name: name for name in ("https://shop.example", "https://shop.example:80")}),
        (rules.parse_allowed_origin, {name: name for name in ("http://[::1]:8080", "https://xn--bcher-kva.example")}),
        (rules.parse_allowed_origin, {"http://LOCALHOST:3000/": "http://localhost:3000"}),
        (rules.parse_allowed_origin, {"http://shop.example:80": "http://shop.example"}),
        (rules.parse_customer, {"Zoë #1/*": "Zoë #1/*", "x" * 256: "x" * 256}),
        (rules.parse_label, {"": "", "x" * 100: "x" * 100}),
        (rules.parse_method_name, {" Parcel ": "Parcel", "x" * 100: "x" * 100}),
        (rules.parse_method_description, {"": "", " ": "", "x" * 500: "x" * 500}),
        (rules.parse_next_step, {it: it for it in ("", "https://pay.example/{order_key}?t={total}&c={currency}")}),
        (rules.parse_next_step, {it: it for it in ("http://localhost:3000/{total}", "http://[::1]/")}),
    ],
)
def test_valid_value_is_normalized(rule: Callable[[str], str], values: dict[str, str]) -> None:
    for text, stored in values.items():
        assert rule(text) == stored
        assert rule(stored) == stored


@pytest.mark.parametrize(
    ("rule", "message", "values"),
    [
        (rules.parse_shop_name, "shop", ["", "A", "a_b", "-a", "a-", "ä", "a b", "a#b", "x" * 64, "a\n"]),
        (rules.parse_search_engine, "32 hex", ["", "abc", "g" * 32, "0" * 33, "0" * 32 + "\n"]),
        (rules.parse_blocked_network, "203.0.113.0/24", ["", "x", "1.2.3.4/33", "::1/129", "1.2.3.4 ", "01.2.3.4"]),
        (rules.parse_blocked_network, "203.0.113.0/24", ["1.2.3.4/8", "10.0.0.0/8 0.0.0.0/0", "*"]),
        (rules.parse_blocked_network, "interface", ["fe80::1%eth0"]),
        (rules.parse_allowed_origin, "origin", ["", "*", "null", "shop.example", "ftp://shop.example", "https://"]),
        (rules.parse_allowed_origin, "origin", [f"https://{text}" for text in ("a b", "a/b", "a?b", "a#b", "u@a")]),
        (rules.parse_allowed_origin, "origin", [f"https://{text}" for text in ("a:x", "a:99999", "a,b", "*.example")]),
        (rules.parse_allowed_origin, "origin", [f"https://{text}" for text in ("ä.example", "a:", "[x]", "u:p@a")]),
        (rules.parse_customer, "customer", ["", " a", "a ", "a\x00", "a\u2028b", "\ud800", "ä" * 129]),
        (rules.parse_signed_in_customer, "guest:", ["guest:", "guest:7"]),
        (rules.parse_method_name, "name", ["", " ", "x" * 101, "a\nb", "\ud800"]),
        (rules.parse_method_description, "description", ["x" * 501, "\x1b[2J", "\ud800"]),
        (
            rules.parse_next_step,
            "next step",
            ["x", "http://pay.example", "ftp://localhost", "javascript:alert(1)", "//x"],
        ),
        (rules.parse_next_step, "next step", [f"https://{it}" for it in ("", "a/{key}", "a/{", "a/}", "a/{{total}}")]),
        (
            rules.parse_next_step,
            "next step",
            [f"https://{it}" for it in ("{total}.example", "u@a", "a b", "a:99999", "[")],
        ),
        (rules.parse_next_step, "next step", [f"https://a/{it}" for it in ("x" * 2048, "ä", "\n", '"', "<")]),
        (rules.parse_label, "label", ["x" * 101, "a\nb", "\x1b[2J", "\ud800"]),
    ],
)
def test_invalid_value_is_refused(rule: Callable[[str], str], message: str, values: list[str]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=message):
            rule(value)


@given(st.text(max_size=20))
def test_origin_has_no_separators(text: str) -> None:
    try:
        stored = rules.parse_allowed_origin(f"https://{text}")
    except ValueError:
        return
    assert stored.split() == [stored]
    assert stored.isascii()


def test_number_and_size_of_settings_are_limited() -> None:
    rules.check_settings(frozenset(map(str, range(50))), frozenset())
    with pytest.raises(ValueError, match="at most 50 each"):
        rules.check_settings(frozenset(map(str, range(51))))
    rules.check_settings({"x" * 2047}, {"y" * 2047})
    with pytest.raises(ValueError, match="at most 4096 bytes together"):
        rules.check_settings({"x" * 2047}, {"y" * 2048})
