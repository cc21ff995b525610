"""Both APIs: input that no client of good will sends. It is refused, and reaches nobody's data.

What is refused of single fields, ids and tokens stands in test_search_refusals.py, test_shop_refusals.py and their
neighbours; what the local cloud's own server keeps from the functions is tried on them in
tests/integration/test_bad_input.py.
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
    ITEM_NOT_FOUND,
    NOT_FOUND,
    REGISTERED,
    TOO_LARGE,
    UNAUTHENTICATED,
    Shopper,
    assert_invalid,
)
from tools.support import figures
from tools.support.clients import ANSWERS, CART, INNARDS, ITEMS, TITLE, Customer, Reply, Visitor, sensitive_in
from tools.support.database import Database

INVALID: Final = Reply(400, {"error": "Invalid cart item data"})
ITEM: Final = {"id": "42", "index": "product", "title": TITLE}


@pytest.fixture(scope="module", autouse=True)
def _answers_are_counted() -> Iterator[None]:
    """Record what this file's requests were answered."""
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


@pytest.fixture
def untouched(visitor: Visitor, database: Database) -> Iterator[Visitor]:
    """Make a visitor with an item in the cart, and see that the test leaves the cart as it was."""
    assert visitor.put("42", amount=7) == REGISTERED
    before = database.session(visitor.hashid, visitor.session)
    yield visitor
    assert database.session(visitor.hashid, visitor.session) == before


@pytest.fixture
def unchanged(shopper: Shopper, database: Database) -> Iterator[Shopper]:
    """Make a customer with two lamps in the cart, which the test leaves as it is."""
    before = database.cart(shopper.customer.owner)
    yield shopper
    assert database.cart(shopper.customer.owner) == before


# ----------------------------------------------------------------------------------------------------------------------
# Bodies
# ----------------------------------------------------------------------------------------------------------------------

DEEP: Final = 100_000
NO_JSON: Final[dict[str, bytes]] = {
    "deep arrays": b'{"more": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"more": ' * DEEP + b"1" + b"}" * DEEP,
    "NaN": b'{"more": NaN}',
    "infinity": b'{"more": -Infinity}',
    "a number past all bounds": b'{"more": 1e9999999999999999999}',
    "an integer of 5,000 digits": b'{"more": %s}' % (b"9" * 5_000),
    "a byte order mark": b'\xef\xbb\xbf{"more": 1}',
    "UTF-16": '{"more": 1}'.encode("utf-16"),
    "a null byte": b'{"more": "\x00"}',
    "null bytes": b"\x00" * 100,
    "a control character": b'{"more": "\n"}',
    "two documents": b'{"more": 1}{"more": 1}',
    "a comment": b'{"more": 1} // 1',
    "a comma too many": b'{"more": 1,}',
    "single quotes": b"{'more': 1}",
    "no quotes": b"{more: 1}",
    "half a document": b'{"more": {"more": 1}',
    "compressed": gzip.compress(b'{"more": 1}'),
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>',
    "a form": b"product=1&id=42&index=product&title=x",
}


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_is_refused_by_every_route_that_takes_a_body(
    untouched: Visitor, unchanged: Shopper, name: str
) -> None:
    body = NO_JSON[name]
    for method in ("PUT", "PATCH"):
        assert untouched.send(method, params=ITEM, data=body) == INVALID
    for method, path in (("POST", ITEMS), ("PATCH", CART), ("PATCH", f"{ITEMS}/{unchanged.item}")):
        assert_invalid(unchanged.customer.send(method, path, data=body), "validation error", "body")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "1e308", "9" * 400, "-" + "9" * 400, "0.1e-9999"])
def test_a_number_past_what_a_field_holds_is_refused(untouched: Visitor, unchanged: Shopper, number: str) -> None:
    good = json.dumps(ITEM)[:-1]
    fields = [("PUT", "amount"), ("PATCH", "amount"), ("PUT", "id")]
    if "e-" not in number:  # a price is rounded
        fields.append(("PUT", "price"))
    for method, field in fields:
        assert untouched.send(method, data=f'{good}, "{field}": {number}}}') == INVALID
        assert untouched.send(method, data=f'{good}, "{field}": [{number}]}}') == INVALID
    lamp = f'"product": {unchanged.lamp.id}'
    for method, path, field, other in (
        ("POST", ITEMS, "quantity", lamp),
        ("PATCH", CART, "address", '"payment_method": 7'),
        ("PATCH", f"{ITEMS}/{unchanged.item}", "quantity", '"notes": "x"'),
    ):
        reply = unchanged.customer.send(method, path, data=f'{{{other}, "{field}": {number}}}')
        assert_invalid(reply, "validation error", field)


@pytest.mark.parametrize("text", [r"\ud800", r"\udfff", r"\udfff\ud800", r"a\udbff", r"\ud83d\u0041"])
def test_a_lone_surrogate_is_refused(untouched: Visitor, unchanged: Shopper, text: str) -> None:
    good = json.dumps(ITEM)[:-1]
    for method, fields in (("PUT", ITEM), ("PATCH", ("id", "index"))):
        for field in fields:
            assert untouched.send(method, data=f'{good}, "{field}": "{text}"}}') == INVALID
    lamp = f'"product": {unchanged.lamp.id}'
    reply = unchanged.customer.post(data=f'{{{lamp}, "notes": "{text}"}}')
    assert_invalid(reply, "validation error", "notes")
    reply = unchanged.customer.send("PATCH", f"{ITEMS}/{unchanged.item}", data=f'{{"notes": "{text}"}}')
    assert_invalid(reply, "validation error", "notes")


def test_of_a_name_that_comes_twice_the_last_counts(
    visitor: Visitor, customer: Customer, lamp: Product, other: Product, database: Database
) -> None:
    twice = b'{"id": "1", "id": "2", "index": "a", "index": "b", "title": "x", "amount": 0, "amount": 3}'
    assert visitor.send("PUT", data=twice) == REGISTERED
    assert {key: it.amount for key, it in database.session(visitor.hashid, visitor.session).items()} == {("b", "2"): 3}
    body = f'{{"product": {lamp.id}, "product": {other.id}, "quantity": 0, "quantity": 2}}'
    (item,) = customer.post(data=body).body["items"]
    assert (item["product"]["id"], item["quantity"]) == (other.id, 2)


def test_a_null_byte_in_a_text_is_a_character_like_another(
    visitor: Visitor, customer: Customer, lamp: Product, database: Database
) -> None:
    for id_, index in (("a\0", "b"), ("a", "b"), ("a", "\0b"), ("a\0b", "")):
        assert visitor.put(id_, index or "\0").status == 200
    assert len(database.session(visitor.hashid, visitor.session)) == 4
    assert customer.add(lamp.id, notes="a\0b").body["items"][0]["notes"] == "a\0b"


@pytest.mark.parametrize("name", ["__proto__", "constructor", "__class__", "$ref", "pk", "qty#1", "snap#1", ":n", "#n"])
def test_a_field_that_means_something_elsewhere_means_nothing_here(
    visitor: Visitor, customer: Customer, lamp: Product, database: Database, name: str
) -> None:
    for value in ("{}", '{"admin": true}', "1"):
        more = f'"{name}": {value}}}'
        assert visitor.send("PUT", data=f"{json.dumps(ITEM)[:-1]}, {more}") == REGISTERED
        assert customer.post(data=f'{{"product": {lamp.id}, {more}').status == 200
    (item,) = customer.read().body["items"]
    assert (item["product"]["id"], item["quantity"]) == (lamp.id, 3)
    assert {it.amount for it in database.session(visitor.hashid, visitor.session).values()} == {3}
    assert name not in (database.cart(customer.owner) or {}) or name == "pk"


@pytest.mark.parametrize("size", [10_000_000, 12_000_000])
def test_ten_megabytes_are_too_large(untouched: Visitor, unchanged: Shopper, size: int) -> None:
    body = b'{"more": "' + b"x" * size + b'"}'
    for method in ("PUT", "PATCH", "DELETE"):
        assert untouched.send(method, params=ITEM, data=body) == TOO_LARGE
    for method, path in (("POST", ITEMS), ("PATCH", CART), ("PATCH", f"{ITEMS}/{unchanged.item}")):
        assert unchanged.customer.send(method, path, data=body) == TOO_LARGE


TYPES: Final = [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
    "application/json; charset=utf-16", "application/json, text/html", "application/octet-stream", "image/png",
    "*/*", "", "x" * 4_000,
]  # fmt: skip


@pytest.mark.parametrize("content_type", TYPES, ids=lambda value: value[:32])
def test_a_body_is_json_whatever_its_content_type_says(
    visitor: Visitor, customer: Customer, lamp: Product, database: Database, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    assert visitor.send("PUT", data=json.dumps(ITEM), headers=headers) == REGISTERED
    assert database.session(visitor.hashid, visitor.session).keys() == {("product", "42")}
    assert customer.post(data=json.dumps({"product": lamp.id}), headers=headers).body["quantity"] == 1


# ----------------------------------------------------------------------------------------------------------------------
# Paths and methods
# ----------------------------------------------------------------------------------------------------------------------

# No route is spelled with %2F or // here: the local cloud decodes a path, and folds its slashes, before it routes.
NO_SEARCH_PATHS: Final = [
    "/6/{hashid}/stats/cart/x/../{session}", "/6/{hashid}/stats/cart/x/%2e%2e/{session}",
    "/6/{hashid}/stats/cart/..%2Fcart%2F{session}", "/6/{hashid}/../{hashid}/stats/cart/{session}",
    "/6/{hashid}/stats/./cart/{session}", "/6/{hashid}/stats/cart/{session}/x",
    "/6/{hashid}/stats/cart", "/6/{hashid}/stats/cart/", "/6/{hashid}/stats/CART/{session}", "/6//stats/cart/{session}",
    "/06/{hashid}/stats/cart/{session}", "/5/{hashid}/stats/cart/{session}", "/live/6/{hashid}/stats/cart/{session}",
    "/%2e%2e/live/6/{hashid}/stats/cart/{session}", "/6/{hashid}/stats/cart;x=1/{session}",
    "/6/{hashid}/stats/%63art%00/{session}",
]  # fmt: skip
NO_SHOP_PATHS: Final = [
    "/api/shop/cart/items/../../cart", "/api/shop/./cart",
    "/api/shop/CART", "/API/shop/cart", "/api/shop/cart;x=1", "/api/shop/cart%00", "/api/shop/cart%20",
    "/api/shop/cart/%2e%2e/cart", "/api/shop/cart/items/{item}/..",
    "/live/api/shop/cart", "/api/shop/carts", "/api/shop", "/api/shop/customers/1/cart",
]  # fmt: skip
NO_ITEM_PATHS: Final = [
    "/api/shop/cart/items/..", "/api/shop/cart/items/%2e%2e", "/api/shop/cart/items/.", "/api/shop/cart/items/{item};x",
    "/api/shop/cart/items/*", "/api/shop/cart/items/%2A", "/api/shop/cart/items/%23", "/api/shop/cart/items/{item}%00",
    "/api/shop/cart/items/{item}%23CART", "/api/shop/cart/items/CART%23demo%23customer-1",
]  # fmt: skip


@pytest.mark.parametrize("path", NO_SEARCH_PATHS)
def test_a_path_that_is_none_reaches_no_session(untouched: Visitor, path: str) -> None:
    spelled = path.format(hashid=untouched.hashid, session=untouched.session)
    for method in ("PUT", "PATCH", "DELETE"):
        reply = untouched.http.send(method, spelled, token=untouched.token, json=ITEM)
        assert (method, reply) == (method, NOT_FOUND)


@pytest.mark.parametrize("path", NO_SHOP_PATHS)
def test_a_path_that_is_none_reaches_no_cart(unchanged: Shopper, path: str) -> None:
    spelled = path.format(item=unchanged.item)
    for method in ("POST", "PATCH", "DELETE"):
        reply = unchanged.customer.send(method, spelled, json={"product": unchanged.lamp.id, "address": 7})
        assert (method, reply) == (method, NOT_FOUND)


@pytest.mark.parametrize("path", NO_ITEM_PATHS)
def test_a_segment_that_is_no_id_reaches_no_item(unchanged: Shopper, path: str) -> None:
    spelled = path.format(item=unchanged.item)
    for method in ("PATCH", "DELETE"):
        reply = unchanged.customer.send(method, spelled, json={"quantity": 5})
        assert (method, reply) == (method, ITEM_NOT_FOUND)


@pytest.mark.parametrize("method", ["HEAD", "TRACE", "CONNECT", "PROPFIND", "QUERY", "LINK", "BREW", "M-SEARCH"])
def test_a_method_that_no_route_has_is_not_found(untouched: Visitor, unchanged: Shopper, method: str) -> None:
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
    """Send bytes as they are and return the statuses of all that is answered until the server hangs up."""
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
    """Write a good request to put an item in the visitor's cart, with these headers beside the good ones."""
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
    """Write the header that carries a token."""
    return b"Authorization: Token " + token.encode()


FRAMINGS: Final[dict[str, list[bytes]]] = {
    "length and chunks": [b"Transfer-Encoding: chunked"],
    "chunks spelled strangely": [b"Transfer-Encoding: xchunked"],
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
def test_a_request_whose_end_or_headers_are_doubtful_is_refused_whole(
    untouched: Visitor, stack: Stack, name: str
) -> None:
    inner = request(untouched, stack, authorization(untouched.token), item="inner")
    outer = request(untouched, stack, authorization(untouched.token), *FRAMINGS[name], close=False)
    (status,) = exchange(stack, outer + inner)
    assert status in {400, 431, 501}


def test_what_comes_behind_a_body_is_a_request_of_its_own(visitor: Visitor, stack: Stack, database: Database) -> None:
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
def test_a_folded_header_opens_nothing(untouched: Visitor, stack: Stack, folded: bytes) -> None:
    header = folded.replace(b"{token}", untouched.token.encode())
    assert exchange(stack, request(untouched, stack, header)) in ([400], [403])


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "Idempotency-Key", "Origin"])
@pytest.mark.parametrize("value", ['"' * 8_001, '"9' * 4_000, "W/" * 4_000, '"' + "9" * 8_000 + '-0"', "(" * 8_000])
def test_a_long_header_is_read_or_refused_in_its_own_words(shopper: Shopper, name: str, value: str) -> None:
    expected = {"If-Match": 412, "If-None-Match": 200, "Idempotency-Key": 400, "Origin": 200}[name]
    route = "read" if name == "If-None-Match" else "select"
    assert shopper.ask(route, headers={name: value}).status == expected


@pytest.mark.parametrize("address", ["", "x", "127.0.0.1", "::1", "1.2.3.4.5", "0x7f.1", "203.0.113.7%00", "9" * 4_000])
def test_an_address_that_cannot_be_read_opens_no_shop_that_blocks_networks(shopper: Shopper, address: str) -> None:
    """The local cloud reports what X-Forwarded-For says; on AWS the address is the connection's own."""
    reply = shopper.ask("read", headers={"X-Forwarded-For": address})
    assert reply.status in {200, 403}
    assert (reply.status == 200) is (address in {"127.0.0.1", "::1"})


@pytest.mark.parametrize("form", ["Token {token}\u00a0", "Token\u3000{token}", "\uff34oken {token}", "{token}"])
def test_a_good_token_opens_nothing_in_another_form(unchanged: Shopper, form: str) -> None:
    header = form.format(token=unchanged.customer.token).encode()
    assert unchanged.ask("select", headers={"Authorization": header}) == UNAUTHENTICATED
