"""The APIs while the database throttles, fails, does not answer or loses its answers."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.product import Product
from tests.support.lambdas import Lambdas
from tests.support.shopper import FAULT, NO_ORDER, ORDER_ROUTES, REGISTERED, ROUTES, UNAVAILABLE, Shopper
from tools.support.clients import TITLE, Customer, Manager, Reply, Visitor
from tools.support.database import Database

ANSWERS: dict[str, tuple[int, str] | None] = {
    "throttles": (400, "ProvisionedThroughputExceededException"),
    "fails": (500, "InternalServerError"),
    "does not answer": None,
    "refuses": (400, "AccessDeniedException"),
}

MESSAGE = "not authorized to perform dynamodb:UpdateItem on arn:aws:dynamodb:eu-west-1:000000000000:table/the-table"
"""The database's message, which no client may read."""

LOSES: dict[str, bool] = {"resets": False, "resets when done": True, "does not answer when done": True}
"""How the answer of one write is lost, and whether the write was made; all other requests are answered."""


WRITES = (".UpdateItem", ".TransactWriteItems")
"""The ends of the targets of the writes whose answers are lost."""


class BrokenDatabase(ThreadingHTTPServer):
    """A DynamoDB that answers every request with one error, or loses one answer of the working one behind it."""

    daemon_threads = True

    def __init__(self, working: str) -> None:
        """Listen on a free port; ``working`` is the address of the one behind, host and port."""
        super().__init__(("127.0.0.1", 0), _Answer)
        self.working = working
        self.manner = "throttles"
        self.requests = 0
        self.remaining = 0
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def begin(self, manner: str) -> None:
        """Reset the count of requests, and answer them in this manner."""
        self.manner, self.requests, self.remaining = manner, 0, 1


class _Answer(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: BrokenDatabase

    def do_POST(self) -> None:
        """Answer in the manner of the database."""
        body_sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        if self.server.manner in LOSES:
            self._lose_one(body_sent)
            return
        answer = ANSWERS[self.server.manner]
        if answer is None:
            self.server.closing.wait(30)
            return
        status, code = answer
        content = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": MESSAGE}
        self._answer(status, json.dumps(content).encode())

    def _lose_one(self, body_sent: bytes) -> None:
        """Pass the request on, except the write that is lost."""
        lost = self.headers["X-Amz-Target"].endswith(WRITES) and self.server.remaining > 0
        self.server.remaining -= lost
        if LOSES[self.server.manner] or not lost:
            connection = HTTPConnection(self.server.working)
            connection.request("POST", "/", body_sent, dict(self.headers))
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
            connection.close()
        if not lost:
            self._answer(status, body)
        elif self.server.manner.startswith("resets"):
            # Closed without linger, a connection is reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        else:
            self.server.closing.wait(30)

    def _answer(self, status: int, body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def broken_database(stack: Stack) -> Iterator[BrokenDatabase]:
    """Run a broken database in front of the working one."""
    with BrokenDatabase(stack.endpoint_url.removeprefix("http://")) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


def assert_unavailable(reply: Reply, broken_database: BrokenDatabase) -> None:
    """Check that the client may retry, and that the database got only a few requests."""
    assert reply == UNAVAILABLE
    assert int(reply.headers["Retry-After"]) >= 1
    assert 1 <= broken_database.requests <= 3


def test_authorizer_without_database_denies_no_one(
    *, lambdas: Lambdas, database: Database, broken_database: BrokenDatabase, visitor: Visitor, customer: Customer
) -> None:
    visitor = replace(visitor, token=database.issue(Token("api_key", customer.owner.shop)))
    with lambdas.with_database_at(broken_database.url, "Authorizer"):
        broken_database.begin("throttles")
        assert_unavailable(customer.read(), broken_database)
        broken_database.begin("does not answer")
        assert_unavailable(visitor.put("42"), broken_database)
    assert customer.read().status == 200
    assert visitor.put("42") == REGISTERED


@pytest.fixture(scope="module")
def broken(lambdas: Lambdas, broken_database: BrokenDatabase) -> Iterator[BrokenDatabase]:
    """Let the functions use the broken database."""
    with ExitStack() as functions:
        for function in (
            *("StatsCart", "Cart", "CartItems", "Checkout", "Orders"),
            *("CustomerTokens", "CustomerCart", "Statistics", "ShopOrders"),
        ):
            functions.enter_context(lambdas.with_database_at(broken_database.url, function))
        yield broken_database


@pytest.mark.parametrize(
    ("manner", "method"),
    [
        ("throttles", "PUT"),
        ("throttles", "PATCH"),
        ("throttles", "DELETE"),
        ("fails", "PUT"),
        ("does not answer", "PUT"),
    ],
)
def test_search_request_is_503(
    visitor: Visitor, database: Database, broken: BrokenDatabase, manner: str, method: str
) -> None:
    broken.begin(manner)
    reply = visitor.send(method, json={"id": "42", "index": "product", "title": TITLE})
    assert_unavailable(reply, broken)
    assert database.session(visitor.hashid, visitor.session) == {}


@pytest.mark.parametrize(
    ("manner", "route"),
    [
        *(("throttles", route) for route in (*ROUTES, *ORDER_ROUTES)),
        *(("fails", "add"), ("does not answer", "add"), ("fails", "check out"), ("does not answer", "check out")),
    ],
)
def test_shop_request_is_503(
    *, customer: Customer, database: Database, broken: BrokenDatabase, lamp: Product, manner: str, route: str
) -> None:
    broken.begin(manner)
    assert_unavailable(Shopper(customer, lamp, 1).ask(route), broken)
    assert not database.has_cart(customer.owner)


@pytest.mark.parametrize("manner", ["throttles", "fails", "does not answer"])
def test_management_request_is_503(manager: Manager, broken: BrokenDatabase, manner: str) -> None:
    requests: list[Callable[[], Reply]] = [  # one of each function: each request takes seconds
        *(partial(send, "anna") for send in (manager.sign_in, manager.cart)),
        partial(manager.report, "inits"),
        partial(manager.change_order, NO_ORDER, status="shipped"),
    ]
    for send in requests:
        broken.begin(manner)
        reply = send()
        assert reply == Reply(503, {"error": {"code": "unavailable", "message": "Temporarily unavailable"}})
        assert int(reply.headers["Retry-After"]) >= 1
        assert 1 <= broken.requests <= 3


@pytest.mark.parametrize("manner", LOSES)
def test_add_without_its_answer_is_503(
    *, customer: Customer, database: Database, broken: BrokenDatabase, lamp: Product, manner: str
) -> None:
    broken.begin(manner)
    assert customer.add(lamp.id, quantity=2) == UNAVAILABLE
    assert broken.remaining == 0
    assert database.has_cart(customer.owner) is LOSES[manner]


@pytest.mark.parametrize("manner", LOSES)
def test_keyed_add_without_its_answer_is_made_once(
    customer: Customer, broken: BrokenDatabase, lamp: Product, manner: str
) -> None:
    broken.begin(manner)
    reply, again = (customer.add(lamp.id, quantity=2, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert broken.remaining == 0
    assert (reply.status, reply.body["quantity"]) == (200, 2)
    assert (again.body, again.headers["Idempotency-Replayed"]) == (reply.body, "true")


@pytest.mark.parametrize("manner", LOSES)
def test_checkout_without_its_answer_makes_one_order(
    customer: Customer, broken: BrokenDatabase, lamp: Product, manner: str
) -> None:
    customer.add(lamp.id, quantity=2)
    broken.begin(manner)
    reply, again = (customer.check_out(headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert broken.remaining == 0
    assert (reply.status, again.status, again.body) == (200, 200, reply.body)
    assert [it["key"] for it in customer.orders().body["results"]] == [reply.body["order_key"]]


def test_other_error_is_500(
    *, visitor: Visitor, customer: Customer, manager: Manager, broken: BrokenDatabase, lamp: Product
) -> None:
    broken.begin("refuses")
    for send in (manager.sign_in, manager.sign_out, manager.cart):
        assert send("anna") == Reply(500, {"error": {"code": "internal_error", "message": "Internal server error"}})
    assert visitor.put("42") == FAULT
    for route in ("read", "add", "update", "check out", "cancel order"):
        assert Shopper(customer, lamp, 1).ask(route) == FAULT
