"""Both APIs: hostile input is refused and changes no data.

Single fields, ids and tokens are in test_search_refusals.py and test_shop_refusals.py. Input that the server of the
local cloud does not pass on is in tests/integration/test_bad_input.py.
"""

import gzip
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from local.stack import Stack
from serverless_cart.domain.product import Product
from tests.support.shopper import (
    BANNED,
    INVALID_ITEM,
    ITEM_NOT_FOUND,
    NOT_FOUND,
    REGISTERED,
    TOO_LARGE,
    Shopper,
    assert_invalid,
)
from tools.support import figures
from tools.support.clients import ANSWERS, CART, INNARDS, ITEMS, TITLE, Customer, Visitor, sensitive_in
from tools.support.database import Database

ITEM: Final = {"id": "42", "index": "product", "title": TITLE}


@pytest.fixture(scope="module", autouse=True)
def _answers_are_counted() -> Iterator[None]:
    """Record the answers to the requests of this file."""
    before = Counter(ANSWERS)
    yield
    answers = ANSWERS - before
    figures.record(
        "bad input",
        "pytest tests/e2e/test_bad_input.py",
        requests=answers.total(),
        server_errors=sum(count for status, count in answers.items() if status >= 500 and status != 501),
        **{f"answers_{status}": count for status, count in sorted(answers.items())},
    )


# ----------------------------------------------------------------------------------------------------------------------
# Bodies
# ----------------------------------------------------------------------------------------------------------------------

DEEP: Final = 100_000
NOT_JSON: Final[dict[str, bytes]] = {
    "deep arrays": b'{"more": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"more": ' * DEEP + b"1" + b"}" * DEEP,
    "NaN": b'{"more": NaN}',
    "infinity": b'{"more": -Infinity}',
    "a number out of range": b'{"more": 1e9999999999999999999}',
    "an integer of 5,000 digits": b'{"more": %s}' % (b"9" * 5_000),
    "a byte order mark": b'\xef\xbb\xbf{"more": 1}',
    "UTF-16": '{"more": 1}'.encode("utf-16"),
    "a null byte": b'{"more": "\x00"}',
    "null bytes": b"\x00" * 100,
    "a control character": b'{"more": "\n"}',
    "two documents": b'{"more": 1}{"more": 1}',
    "a comment": b'{"more": 1} // 1',
    "a trailing comma": b'{"more": 1,}',
    "single quotes": b"{'more': 1}",
    "no quotes": b"{more: 1}",
    "half a document": b'{"more": {"more": 1}',
    "compressed": gzip.compress(b'{"more": 1}'),
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>',
    "a form": b"product=1&id=42&index=product&title=x",
}


def test_body_that_is_no_json_is_refused(untouched: Visitor, unchanged: Shopper) -> None:
    for name, body in NOT_JSON.items():
        for method in ("PUT", "PATCH"):
            assert (name, untouched.send(method, params=ITEM, data=body)) == (name, INVALID_ITEM)
        for method, path in (("POST", ITEMS), ("PATCH", CART), ("PATCH", f"{ITEMS}/{unchanged.item}")):
            assert_invalid(unchanged.customer.send(method, path, data=body), "validation error", "body")


NUMBERS: Final = ["1e400", "-1e400", "1e-400", "1e308", "9" * 400, "-" + "9" * 400, "0.1e-9999"]


def test_number_out_of_range_is_refused(untouched: Visitor, unchanged: Shopper) -> None:
    good, lamp = json.dumps(ITEM)[:-1], f'"product": {unchanged.lamp.id}'
    for number in NUMBERS:
        fields = [("PUT", "amount"), ("PATCH", "amount"), ("PUT", "id")]
        if "e-" not in number:  # a price is rounded
            fields.append(("PUT", "price"))
        for method, field in fields:
            assert untouched.send(method, data=f'{good}, "{field}": {number}}}') == INVALID_ITEM
            assert untouched.send(method, data=f'{good}, "{field}": [{number}]}}') == INVALID_ITEM
        for method, path, field, other in (
            ("POST", ITEMS, "quantity", lamp),
            ("PATCH", CART, "address", '"payment_method": 7'),
            ("PATCH", f"{ITEMS}/{unchanged.item}", "quantity", '"notes": "x"'),
        ):
            reply = unchanged.customer.send(method, path, data=f'{{{other}, "{field}": {number}}}')
            assert_invalid(reply, "validation error", field)


def test_last_of_repeated_names_counts(
    visitor: Visitor, customer: Customer, lamp: Product, other: Product, database: Database
) -> None:
    twice = b'{"id": "1", "id": "2", "index": "a", "index": "b", "title": "x", "amount": 0, "amount": 3}'
    assert visitor.send("PUT", data=twice) == REGISTERED
    assert {key: it.amount for key, it in database.session(visitor.hashid, visitor.session).items()} == {("b", "2"): 3}
    body = f'{{"product": {lamp.id}, "product": {other.id}, "quantity": 0, "quantity": 2}}'
    (item,) = customer.post(data=body).body["items"]
    assert (item["product"]["id"], item["quantity"]) == (other.id, 2)


NAMES: Final = ["__proto__", "constructor", "__class__", "$ref", "pk", "qty#1", "snap#1", ":n", "#n"]


def test_special_field_names_are_ignored(
    visitor: Visitor, customer: Customer, lamp: Product, database: Database
) -> None:
    for name in NAMES:
        for value in ("{}", '{"admin": true}', "1"):
            more = f'"{name}": {value}}}'
            assert visitor.send("PUT", data=f"{json.dumps(ITEM)[:-1]}, {more}") == REGISTERED
            assert customer.post(data=f'{{"product": {lamp.id}, {more}').status == 200
    requests = 3 * len(NAMES)
    (item,) = customer.read().body["items"]
    assert (item["product"]["id"], item["quantity"]) == (lamp.id, requests)
    assert {it.amount for it in database.session(visitor.hashid, visitor.session).values()} == {requests}
    row = database.cart(customer.owner)
    assert row is not None
    assert row.keys() & NAMES == {"pk"}


def test_12_megabytes_are_too_large(untouched: Visitor, unchanged: Shopper) -> None:
    body = b'{"more": "' + b"x" * 12_000_000 + b'"}'
    for method in ("PUT", "PATCH", "DELETE"):
        assert untouched.send(method, params=ITEM, data=body) == TOO_LARGE
    for method, path in (("POST", ITEMS), ("PATCH", CART), ("PATCH", f"{ITEMS}/{unchanged.item}")):
        assert unchanged.customer.send(method, path, data=body) == TOO_LARGE


TYPES: Final = [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
    "application/json; charset=utf-16", "application/json, text/html", "application/octet-stream", "image/png",
    "*/*", "", "x" * 4_000,
]  # fmt: skip


def test_body_is_json_with_any_content_type(
    visitor: Visitor, customer: Customer, lamp: Product, database: Database
) -> None:
    for count, content_type in enumerate(TYPES, 1):
        headers = {"Content-Type": content_type}
        assert visitor.send("PUT", data=json.dumps(ITEM), headers=headers) == REGISTERED
        assert database.session(visitor.hashid, visitor.session)["product", "42"].amount == count
        assert customer.post(data=json.dumps({"product": lamp.id}), headers=headers).body["quantity"] == count


# ----------------------------------------------------------------------------------------------------------------------
# Paths and methods
# ----------------------------------------------------------------------------------------------------------------------

# Without %2F and //, because the local cloud decodes a path and merges its slashes before it routes.
SEARCH_PATHS: Final = [
    "/6/{hashid}/stats/cart/x/../{session}", "/6/{hashid}/stats/cart/x/%2e%2e/{session}",
    "/6/{hashid}/stats/cart/..%2Fcart%2F{session}", "/6/{hashid}/../{hashid}/stats/cart/{session}",
    "/6/{hashid}/stats/./cart/{session}", "/6/{hashid}/stats/cart/{session}/x",
    "/6/{hashid}/stats/cart", "/6/{hashid}/stats/cart/", "/6/{hashid}/stats/CART/{session}", "/6//stats/cart/{session}",
    "/06/{hashid}/stats/cart/{session}", "/5/{hashid}/stats/cart/{session}", "/live/6/{hashid}/stats/cart/{session}",
    "/%2e%2e/live/6/{hashid}/stats/cart/{session}", "/6/{hashid}/stats/cart;x=1/{session}",
    "/6/{hashid}/stats/%63art%00/{session}",
]  # fmt: skip
SHOP_PATHS: Final = [
    "/api/shop/cart/items/../../cart", "/api/shop/./cart",
    "/api/shop/CART", "/API/shop/cart", "/api/shop/cart;x=1", "/api/shop/cart%00", "/api/shop/cart%20",
    "/api/shop/cart/%2e%2e/cart", "/api/shop/cart/items/{item}/..",
    "/live/api/shop/cart", "/api/shop/carts", "/api/shop", "/api/shop/customers/1/cart",
]  # fmt: skip
ITEM_PATHS: Final = [
    "/api/shop/cart/items/..", "/api/shop/cart/items/%2e%2e", "/api/shop/cart/items/.", "/api/shop/cart/items/{item};x",
    "/api/shop/cart/items/*", "/api/shop/cart/items/%2A", "/api/shop/cart/items/%23", "/api/shop/cart/items/{item}%00",
    "/api/shop/cart/items/{item}%23CART", "/api/shop/cart/items/CART%23demo%23customer-1",
]  # fmt: skip


def test_unknown_path_reaches_no_session(untouched: Visitor) -> None:
    for path in SEARCH_PATHS:
        spelled = path.format(hashid=untouched.hashid, session=untouched.session)
        for method in ("PUT", "PATCH", "DELETE"):
            reply = untouched.http.send(method, spelled, token=untouched.token, json=ITEM)
            assert (method, path, reply) == (method, path, NOT_FOUND)


def test_unknown_path_reaches_no_cart(unchanged: Shopper) -> None:
    for path in SHOP_PATHS:
        for method in ("POST", "PATCH", "DELETE"):
            body = {"product": unchanged.lamp.id, "address": 7}
            reply = unchanged.customer.send(method, path.format(item=unchanged.item), json=body)
            assert (method, path, reply) == (method, path, NOT_FOUND)


def test_path_without_item_id_reaches_no_item(unchanged: Shopper) -> None:
    for path in ITEM_PATHS:
        for method in ("PATCH", "DELETE"):
            reply = unchanged.customer.send(method, path.format(item=unchanged.item), json={"quantity": 5})
            assert (method, path, reply) == (method, path, ITEM_NOT_FOUND)


@pytest.mark.parametrize("method", ["HEAD", "TRACE", "CONNECT", "PROPFIND", "QUERY", "LINK", "BREW", "M-SEARCH"])
def test_unknown_method_is_not_found(untouched: Visitor, unchanged: Shopper, method: str) -> None:
    customer = unchanged.customer
    replies = [
        untouched.http.raw(method, untouched.path, headers={"Authorization": f"Token {untouched.token}"}),
        *(
            customer.http.raw(method, path, headers={"Authorization": f"Token {customer.token}"})
            for path in (CART, ITEMS, f"{ITEMS}/{unchanged.item}")
        ),
    ]
    for reply in replies:
        assert reply.status_code == 404
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        if method != "HEAD":
            assert reply.json() == {"error": "not found"}


# ----------------------------------------------------------------------------------------------------------------------
# Headers, byte for byte
# ----------------------------------------------------------------------------------------------------------------------


def exchange(stack: Stack, data: bytes) -> list[int]:
    """Send bytes unchanged and return the statuses of all answers until the server closes the connection."""
    address = urlsplit(stack.endpoint_url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(data)
        answers = b"".join(iter(lambda: connection.recv(65_536), b"")).decode("latin-1")
    assert not INNARDS.search(answers)
    assert not sensitive_in(answers)
    statuses = [int(status) for status in re.findall(r"HTTP/1\.[01] ([0-9]{3}) ", answers)]
    ANSWERS.update(statuses)
    return statuses


def request(visitor: Visitor, stack: Stack, *headers: bytes, item: str = "smuggled", close: bool = True) -> bytes:
    """Return the bytes of a good request to put an item in the visitor's cart, with additional headers."""
    body = json.dumps({**ITEM, "id": item}).encode()
    lines = [
        b"PUT %s HTTP/1.1" % (urlsplit(stack.search_url).path + visitor.path).encode(),
        b"Host: %s" % urlsplit(stack.search_url).netloc.encode(),
        *([b"Connection: close"] if close else []),
        *headers,
    ]
    if not any(b"Content-Length" in header for header in headers):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", b""]) + body


def authorization(token: str) -> bytes:
    """Return the header with a token."""
    return b"Authorization: Token " + token.encode()


FRAMINGS: Final[dict[str, list[bytes]]] = {
    "length and chunks": [b"Transfer-Encoding: chunked"],
    "unknown encoding": [b"Transfer-Encoding: xchunked"],
    "chunks within chunks": [b"Transfer-Encoding: chunked, chunked"],
    "chunks behind a tab": [b"Transfer-Encoding:\tchunked"],
    "two lengths": [b"Content-Length: 2", b"Content-Length: 44"],
    "a list of lengths": [b"Content-Length: 2, 44"],
    "a negative length": [b"Content-Length: -1"],
    "a length with a sign": [b"Content-Length: +44"],
    "no number": [b"Content-Length: x"],
    "a space before the colon": [b"Content-Length : 44"],
    "a null byte": [b"X-More: a\0b"],
    "a bare carriage return": [b"X-More: a\rAuthorization: Token x"],
    "no name": [b": x"],
    "no colon": [b"Authorization"],
    "a header of 100 KB": [b"X-More: " + b"x" * 100_000],
}


@pytest.mark.parametrize("name", FRAMINGS)
def test_ambiguous_request_is_refused(untouched: Visitor, stack: Stack, name: str) -> None:
    inner = request(untouched, stack, authorization(untouched.token), item="inner")
    outer = request(untouched, stack, authorization(untouched.token), *FRAMINGS[name], close=False)
    (status,) = exchange(stack, outer + inner)
    assert status in {400, 431, 501}


def test_bytes_after_a_body_are_a_new_request(visitor: Visitor, stack: Stack, database: Database) -> None:
    body = json.dumps({**ITEM, "id": "chunked"}).encode()
    path = (urlsplit(stack.search_url).path + visitor.path).encode()
    head = b"PUT %s HTTP/1.1\r\nHost: x\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head % (path, authorization(visitor.token)) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert exchange(stack, chunked + request(visitor, stack)) == [200, 403]
    assert database.session(visitor.hashid, visitor.session).keys() == {("product", "chunked")}


@pytest.mark.parametrize("order", ["a good one last", "a good one first", "twice the same"])
def test_two_authorization_headers_open_nothing(
    untouched: Visitor, unchanged: Shopper, stack: Stack, database: Database, order: str
) -> None:
    customer = unchanged.customer
    for good, method, path, api in (
        (untouched.token, "PUT", untouched.path, stack.search_url),
        (customer.token, "POST", ITEMS, stack.shop_url),
    ):
        bad = database.issue_nothing()
        tokens = {"a good one last": (bad, good), "a good one first": (good, bad), "twice the same": (good, good)}
        lines = b"\r\n".join(map(authorization, tokens[order]))
        body = json.dumps({**ITEM, "product": unchanged.lamp.id}).encode()
        target = f"{method} {urlsplit(api).path}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
        (status,) = exchange(stack, target + lines + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert status in {401, 403}


@pytest.mark.parametrize(
    "folded",
    [
        b"X-More: a\r\n Authorization: Token {token}",
        b"Authorization: Token {token}\r\n x",
        b"Authorization: Token {token}\r\n Token {token}",
        b"Authorization: Basic x\r\n\tToken {token}",
        b"X-More: a\r\n Authorization: Token {token}\r\n\tx",
    ],
)
def test_folded_header_opens_nothing(untouched: Visitor, stack: Stack, folded: bytes) -> None:
    header = folded.replace(b"{token}", untouched.token.encode())
    assert exchange(stack, request(untouched, stack, header)) in ([400], [403])


@pytest.mark.parametrize(
    ("name", "route", "status"),
    [
        ("If-Match", "select", 412),
        ("If-None-Match", "read", 200),
        ("Idempotency-Key", "select", 400),
        ("Origin", "select", 200),
    ],
)
def test_long_header_is_read_or_refused(shopper: Shopper, name: str, route: str, status: int) -> None:
    for value in ('"' * 8_001, '"9' * 4_000, "W/" * 4_000, '"' + "9" * 8_000 + '-0"', "(" * 8_000):
        assert shopper.ask(route, headers={name: value}).status == status


def test_unreadable_address_is_banned(shopper: Shopper) -> None:
    """The local cloud reports X-Forwarded-For; on AWS the address is that of the connection."""
    for address in ("", "x", "1.2.3.4.5", "0x7f.1", "203.0.113.7%00", "9" * 4_000):
        assert shopper.ask("read", headers={"X-Forwarded-For": address}) == BANNED
    for address in ("127.0.0.1", "::1"):
        assert shopper.ask("read", headers={"X-Forwarded-For": address}).status == 200
