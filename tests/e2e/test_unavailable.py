"""Both APIs: what they answer while the database throttles, fails or keeps silent."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from storefront.domain.product import Product
from storefront.tokens import Token
from tests.e2e.clients import FAULT, REGISTERED, ROUTES, TITLE, UNAVAILABLE, Customer, Reply, Shopper, Visitor
from tests.e2e.database import Database
from tests.e2e.lambdas import Lambdas

ANSWERS: dict[str, tuple[int, str] | None] = {
    "throttles": (400, "ProvisionedThroughputExceededException"),
    "fails": (500, "InternalServerError"),
    "keeps silent": None,
    "refuses": (400, "AccessDeniedException"),
}

SAID = "not authorized to perform dynamodb:UpdateItem on arn:aws:dynamodb:eu-west-1:000000000000:table/the-table"
"""What the database says beside, and no client may read."""


class BrokenDatabase(ThreadingHTTPServer):
    """A DynamoDB that answers every request in one unhelpful way."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Answer)
        self.manner = "throttles"
        self.requests = 0
        self.closing = threading.Event()

    def begin(self, manner: str) -> None:
        """Count requests anew, and answer them in this manner."""
        self.manner, self.requests = manner, 0


class _Answer(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: BrokenDatabase

    def do_POST(self) -> None:
        """Answer as the database is told to."""
        self.server.requests += 1
        answer = ANSWERS[self.server.manner]
        if answer is None:
            self.server.closing.wait(30)
            return
        status, code = answer
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": SAID}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture(scope="module")
def broken_database() -> Iterator[BrokenDatabase]:
    """Run a broken database."""
    with BrokenDatabase() as server:
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
        for function in ("Cart", "CartItems", "CartItem"):
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
