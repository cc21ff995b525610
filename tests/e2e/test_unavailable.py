"""Both APIs: what they answer while the database throttles, fails, keeps silent or loses its answers."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.domain.product import Product
from tests.support.lambdas import Lambdas
from tests.support.shopper import FAULT, REGISTERED, ROUTES, UNAVAILABLE, Shopper
from tools.support.clients import TITLE, Customer, Reply, Visitor
from tools.support.database import Database

ANSWERS: dict[str, tuple[int, str] | None] = {
    "throttles": (400, "ProvisionedThroughputExceededException"),
    "fails": (500, "InternalServerError"),
    "keeps silent": None,
    "refuses": (400, "AccessDeniedException"),
}

SAID = "not authorized to perform dynamodb:UpdateItem on arn:aws:dynamodb:eu-west-1:000000000000:table/the-table"
"""What the database says beside, and no client may read."""


LOSES: dict[str, bool] = {
    "resets": False,
    "resets when done": True,
    "keeps silent when done": True,
}
"""How the answer of one write is lost, and whether it was carried out; all else the database answers as ever."""


class BrokenDatabase(ThreadingHTTPServer):
    """A DynamoDB that answers every request in one unhelpful way, or loses one answer of the sound one behind it."""

    daemon_threads = True

    def __init__(self, sound: str) -> None:
        """Listen on a free port; ``sound`` is the address of the one behind, host and port."""
        super().__init__(("127.0.0.1", 0), _Answer)
        self.sound = sound
        self.manner = "throttles"
        self.requests = 0
        self.left = 0
        self.closing = threading.Event()

    def begin(self, manner: str) -> None:
        """Count requests anew, and answer them in this manner."""
        self.manner, self.requests, self.left = manner, 0, 1


class _Answer(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: BrokenDatabase

    def do_POST(self) -> None:
        """Answer as the database is told to."""
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        if self.server.manner in LOSES:
            self._lose_one(asked)
            return
        answer = ANSWERS[self.server.manner]
        if answer is None:
            self.server.closing.wait(30)
            return
        status, code = answer
        said = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": SAID}
        self._answer(status, json.dumps(said).encode())

    def _lose_one(self, asked: bytes) -> None:
        """Hand the request on, but for a write whose answer is to be lost."""
        lost = self.headers["X-Amz-Target"].endswith(".UpdateItem") and self.server.left > 0
        self.server.left -= lost
        if LOSES[self.server.manner] or not lost:
            connection = HTTPConnection(self.server.sound)
            connection.request("POST", "/", asked, dict(self.headers))
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
            connection.close()
        if not lost:
            self._answer(status, body)
        elif self.server.manner.startswith("resets"):
            # Closed without a linger, a connection is reset instead of ended in order.
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
        """Keep the tests' output clean."""


@pytest.fixture(scope="module")
def broken_database(stack: Stack) -> Iterator[BrokenDatabase]:
    """Run a broken database before the sound one."""
    with BrokenDatabase(stack.endpoint_url.removeprefix("http://")) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


@pytest.fixture(scope="module")
def address(broken_database: BrokenDatabase) -> str:
    """Return the broken database's address."""
    return f"http://127.0.0.1:{broken_database.server_port}"


def assert_unavailable(reply: Reply, broken_database: BrokenDatabase) -> None:
    """See that a client is told to come again, and that the database was asked a few times at most."""
    assert reply == UNAVAILABLE
    assert int(reply.headers["Retry-After"]) >= 1
    assert 1 <= broken_database.requests <= 3


@pytest.fixture(scope="class")
def search_without_database(lambdas: Lambdas, address: str) -> Iterator[None]:
    """Let the function of this API find the broken database."""
    with lambdas.with_database_at(address, "StatsCart"):
        yield


@pytest.mark.usefixtures("search_without_database")
class TestSearchApi:
    """The function of the Search API cannot reach the database."""

    @pytest.mark.parametrize(
        ("manner", "method"),
        [*(("throttles", method) for method in ("PUT", "PATCH", "DELETE")), ("fails", "PUT"), ("keeps silent", "PUT")],
    )
    def test_it_is_unavailable(
        self, visitor: Visitor, database: Database, broken_database: BrokenDatabase, manner: str, method: str
    ) -> None:
        broken_database.begin(manner)
        reply = visitor.send(method, json={"id": "42", "index": "product", "title": TITLE})
        assert_unavailable(reply, broken_database)
        assert database.session(visitor.hashid, visitor.session) == {}

    def test_a_fault_of_ours_is_told_as_such(self, visitor: Visitor, broken_database: BrokenDatabase) -> None:
        broken_database.begin("refuses")
        assert visitor.put("42") == FAULT


@pytest.fixture(scope="class")
def shop_without_database(lambdas: Lambdas, address: str) -> Iterator[None]:
    """Let the functions of this API find the broken database."""
    with ExitStack() as functions:
        for function in ("Cart", "CartItems"):
            functions.enter_context(lambdas.with_database_at(address, function))
        yield


@pytest.mark.usefixtures("shop_without_database")
class TestShopApi:
    """The functions of the Shop API cannot reach the database."""

    @pytest.mark.parametrize(
        ("manner", "route"), [*(("throttles", route) for route in ROUTES), ("fails", "add"), ("keeps silent", "add")]
    )
    def test_it_is_unavailable(
        self,
        *,
        customer: Customer,
        database: Database,
        broken_database: BrokenDatabase,
        lamp: Product,
        manner: str,
        route: str,
    ) -> None:
        broken_database.begin(manner)
        assert_unavailable(Shopper(customer, lamp, 1).ask(route), broken_database)
        assert not database.has_cart(customer.owner)

    @pytest.mark.parametrize("manner", LOSES)
    @pytest.mark.parametrize("key", ["", "k"])
    def test_an_addition_whose_answer_is_lost_is_made_once_with_a_key_and_told_without(
        self,
        *,
        customer: Customer,
        database: Database,
        broken_database: BrokenDatabase,
        lamp: Product,
        manner: str,
        key: str,
    ) -> None:
        broken_database.begin(manner)
        reply = customer.add(lamp.id, quantity=2, headers={"Idempotency-Key": key} if key else {})
        assert broken_database.left == 0
        if not key:
            assert reply == UNAVAILABLE
            assert database.has_cart(customer.owner) is LOSES[manner]
            return
        assert (reply.status, reply.body["quantity"]) == (200, 2)
        again = customer.add(lamp.id, quantity=2, headers={"Idempotency-Key": key})
        assert (again.body, again.headers["Idempotency-Replayed"]) == (reply.body, "true")

    @pytest.mark.parametrize("route", ["read", "add", "revise"])
    def test_a_fault_of_ours_is_told_as_such(
        self, customer: Customer, broken_database: BrokenDatabase, lamp: Product, route: str
    ) -> None:
        broken_database.begin("refuses")
        assert Shopper(customer, lamp, 1).ask(route) == FAULT


class TestAuthorizer:
    """The authorizer cannot reach the database."""

    def test_a_good_customer_is_no_stranger_and_is_let_in_as_soon_as_it_can(
        self,
        *,
        lambdas: Lambdas,
        database: Database,
        broken_database: BrokenDatabase,
        address: str,
        lamp: Product,
        visitor: Visitor,
        customer: Customer,
    ) -> None:
        visitor = replace(visitor, token=database.issue(Token("api_key", customer.owner.shop)))
        with lambdas.with_database_at(address, "Authorizer"):
            broken_database.begin("throttles")
            assert_unavailable(customer.add(lamp.id), broken_database)
            broken_database.begin("keeps silent")
            assert_unavailable(visitor.put("42"), broken_database)
        assert customer.add(lamp.id).status == 200
        assert visitor.put("42") == REGISTERED
