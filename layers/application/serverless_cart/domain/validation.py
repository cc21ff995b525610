"""The rules for the names and settings of shops, and for the texts of their methods and discount codes.

Each function returns its argument in the form in which it is stored. It raises `ValueError` with a message for the
operator.
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from serverless_cart.domain import limits
from serverless_cart.domain.discounts import normalised
from serverless_cart.domain.guests import PREFIX

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HASHID: Final = re.compile(r"[0-9a-f]{32}")
_HOST: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9-]+|\[[0-9a-f:]+\]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_ADDRESS: Final = re.compile(r"[ \"<>\\^`|@]")
_PLACEHOLDER: Final = re.compile(r"\{(?:order_key|total|currency)\}")
_BRACE: Final = re.compile(r"[{}]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

SETTING_VALUES: Final = 50
"""Maximum number of a shop's search engines, of its blocked networks and of its allowed origins."""
SETTINGS_BYTES: Final = 4_096
"""Bytes of all of them together: the authorizer passes them to the functions with every request."""
CUSTOMER_BYTES: Final = 256
"""Bytes of a customer's id in UTF-8: percent-encoded, it must fit a sort key."""
LABEL_LENGTH: Final = 100
"""Characters of a token's label."""


def parse_shop_name(text: str) -> str:
    """Return a shop's name.

    >>> parse_shop_name("demo-2")
    'demo-2'
    """
    if not _NAME.fullmatch(text):
        raise ValueError("a shop's name has 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end")
    return text


def parse_search_engine(text: str) -> str:
    """Return the hashid of a search engine, in lower case (contract: Search parameters)."""
    hashid = text.lower()
    if not _HASHID.fullmatch(hashid):
        raise ValueError(f"{text!r} is no hashid: it has 32 hexadecimal characters")
    return hashid


def parse_blocked_network(text: str) -> str:
    """Return a network in CIDR notation, a single address as a network of one.

    >>> parse_blocked_network("203.0.113.7"), parse_blocked_network("::ffff:203.0.113.0/120")
    ('203.0.113.7/32', '203.0.113.0/24')
    """
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        reason = str(error).removeprefix(f"{text!r} ").removeprefix(f"{text} ")
        raise ValueError(f"{text!r} {reason}: write it as 203.0.113.0/24 or 2001:db8::/32") from None
    if isinstance(network, ipaddress.IPv6Network):
        if network.network_address.scope_id:
            raise ValueError(f"{text!r} names a network interface, which no client's address does")
        mapped = network.network_address.ipv4_mapped
        if mapped and network.prefixlen >= 96:  # clients are compared by their mapped address
            network = ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    return str(network)


def parse_allowed_origin(text: str) -> str:
    """Return an origin as browsers send it: scheme and host in lower case, no default port, no path.

    >>> parse_allowed_origin("HTTPS://Shop.example:443/")
    'https://shop.example'
    """
    rule = f"{text!r} is no origin: write it as https://shop.example or http://localhost:3000"
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        raise ValueError(rule) from None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    plain = parts.path in {"", "/"} and not parts.query and not parts.fragment and text.isascii()
    if parts.scheme not in _DEFAULT_PORTS or not plain or not _HOST.fullmatch(host):
        raise ValueError(rule)
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, _DEFAULT_PORTS[parts.scheme]} else "")


def parse_customer(text: str) -> str:
    """Return a customer's id, which the shop chooses."""
    if not text or text != text.strip() or _CONTROL.search(text) or not _encodes(text):
        raise ValueError("a customer's id is a text without control characters and without spaces at its ends")
    if len(text.encode()) > CUSTOMER_BYTES:
        raise ValueError(f"a customer's id has at most {CUSTOMER_BYTES} bytes")
    return text


def parse_signed_in_customer(text: str) -> str:
    """Return the id of a customer who is no guest: guests get their tokens with their ids."""
    customer = parse_customer(text)
    if customer.startswith(PREFIX):
        raise ValueError(f"a customer's id does not begin with {PREFIX}, which marks guests")
    return customer


def parse_label(text: str) -> str:
    """Return the label of a token, which operators see in lists; empty for none."""
    if len(text) > LABEL_LENGTH or _CONTROL.search(text) or not _encodes(text):
        raise ValueError(f"a label has at most {LABEL_LENGTH} characters, none of them control characters")
    return text


def parse_method_name(text: str) -> str:
    """Return the name of a shipping or payment method, which customers see."""
    if not text.strip() or len(text) > limits.METHOD_NAME_LENGTH or _CONTROL.search(text) or not _encodes(text):
        raise ValueError(f"a method's name has 1 to {limits.METHOD_NAME_LENGTH} characters, no control characters")
    return text.strip()


def parse_method_description(text: str) -> str:
    """Return the description of a method, which customers see; empty for none."""
    most = limits.METHOD_DESCRIPTION_LENGTH
    if len(text) > most or _CONTROL.search(text) or not _encodes(text):
        raise ValueError(f"a method's description has at most {most} characters, none of them control characters")
    return text.strip()


def parse_discount_code(text: str) -> str:
    """Return a discount code, in any case (contract: Discount codes)."""
    if normalised(text) is None:
        raise ValueError(f"a code has 1 to {limits.DISCOUNT_CODE_LENGTH} visible characters, no spaces")
    return text.strip()


def parse_next_step(text: str) -> str:
    """Return the address of a payment method's next step, with placeholders; empty for none.

    >>> parse_next_step("https://pay.example/{order_key}?amount={total}&in={currency}")
    'https://pay.example/{order_key}?amount={total}&in={currency}'
    """
    rule = (
        f"{text!r} is no address of a next step: write it as https://pay.example/pay?order={{order_key}}, with the "
        "placeholders {order_key}, {total} and {currency}; http is only for localhost"
    )
    try:
        parts = urlsplit(text)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
        plain = text.isascii() and text.isprintable() and not _NO_ADDRESS.search(text)
        placed = not _BRACE.search(_PLACEHOLDER.sub("", text)) and not _BRACE.search(parts.netloc)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(rule) from None
    if text and not (secure and plain and placed and named and len(text) <= limits.NEXT_STEP_BYTES):
        raise ValueError(rule)
    return text


def check_settings(*settings: Collection[str]) -> None:
    """Check that a shop's settings fit the authorizer's answer. Raises `ValueError`."""
    if any(len(values) > SETTING_VALUES for values in settings):
        raise ValueError(f"a shop has at most {SETTING_VALUES} each of search engines, blocked networks and origins")
    if sum(len(value) + 1 for values in settings for value in values) > SETTINGS_BYTES:
        raise ValueError(f"a shop's search engines, networks and origins have at most {SETTINGS_BYTES} bytes together")


def _encodes(text: str) -> bool:
    """Return whether a text is valid in UTF-8: it has no lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
