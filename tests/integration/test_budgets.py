"""What each operation costs on any machine: calls, units, bytes and modules (`make bench` measures times)."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from bench.operations import Operation, operations, shared_rows
from bench.options import options
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.table import Table
from tests.support.bundle import TABLE, Bundle
from tests.support.cold import run_cold
from tools.support.events import HASHID, SHOP, load
from tools.support.item_size import size_of, write_units
from tools.support.paths import ROOT

SIZE = 20
"""Items of the largest carts here: moto is slow, and takes a set of a hundred for another than itself."""
LOG_BYTES = 700
"""Bytes that a request may write to the log, however large the cart; 638 were measured, of three calls."""
LINE_BYTES = 255
"""Bytes that an item of common size may take of its cart in the table; 248 were measured."""
OPERATIONS = {operation.title: operation for operation in operations() if (operation.size or 0) <= SIZE}


def carry_out(bundle: Bundle, operation: Operation) -> None:
    """Carry an operation out on the rows that it needs."""
    rows = [*shared_rows(products=SIZE), *operation.rows]
    Table(TABLE, bundle.client).write_many({"PutRequest": {"Item": row}} for row in rows)
    if operation.function == "authorizer":
        bundle.database.calls.clear()
        assert bundle.authorize(operation.event)["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    else:
        assert bundle.send(operation.function, operation.event).status in {200, 201}


@pytest.mark.parametrize("title", OPERATIONS)
def test_operation_makes_its_calls_and_logs_little(bundle: Bundle, title: str) -> None:
    carry_out(bundle, OPERATIONS[title])

    assert len(bundle.database.calls) == OPERATIONS[title].calls
    assert len(bundle.log_lines()) == 1
    assert len(bundle.logged()) <= LOG_BYTES


@pytest.mark.parametrize(
    "title", ["stats PUT", "stats PATCH", *(f"stats {event}" for event in ("init", "click", "image", "redirect"))]
)
def test_search_event_costs_one_write_unit(bundle: Bundle, title: str) -> None:
    carry_out(bundle, OPERATIONS[title])

    items = bundle.client.scan(TableName=TABLE)["Items"]
    (row,) = [item for item in items if item["pk"]["S"].startswith(keys.sessions(HASHID))]
    assert write_units(size_of(row), size_of(row)) == OPERATIONS[title].write_units == 1


def test_item_takes_few_bytes_of_its_cart(bundle: Bundle) -> None:
    carry_out(bundle, OPERATIONS[f"cart add, {SIZE}"])

    items = bundle.client.scan(TableName=TABLE)["Items"]
    (row,) = [item for item in items if item["pk"]["S"].startswith(keys.carts(SHOP))]
    assert len(row["products"]["NS"]) == SIZE
    assert size_of(row) <= SIZE * LINE_BYTES


def test_guide_has_the_cost_of_each_option() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|", (ROOT / "docs" / "operate.md").read_text(), re.MULTILINE
    )

    assert rows == [(it.parameter, f"{it.month:.2f}", f"{it.million:.2f}") for it in options()]


class EmptyDatabase(BaseHTTPRequestHandler):
    """A database that finds nothing and accepts every write."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"Responses": {}, "Attributes": {}, "Items": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def empty_database() -> Iterator[str]:
    """Run an empty database and return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyDatabase) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


FIRST = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = sys.argv[2]
event = json.load(sys.stdin)
out, sys.stdout = sys.stdout, sys.stderr
import app

class context:
    aws_request_id = "c0ffee"
    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:function"
    get_remaining_time_in_millis = staticmethod(lambda: 20_000)

ready = set(sys.modules)
status = app.handler(event, context).get("statusCode", 200)
json.dump([status, sorted(set(sys.modules) - ready)], out)
out.flush()
"""


@pytest.mark.parametrize(
    ("function", "event", "status"),
    [
        ("authorizer", "unknown_key", 200),
        ("stats_cart", "put", 200),
        ("stats_events", "click", 200),
        ("stats_events", "checkout", 200),
        ("cart", "get", 200),
        ("cart_items", "post", 400),
        ("cart_items", "patch", 404),
        ("cart_merge", "post", 400),
        ("checkout", "post", 400),
        ("guests", "post", 201),
        ("methods", "shipping", 200),
        ("customer_tokens", "post", 201),
        ("customer_cart", "get", 200),
        ("statistics", "get", 200),
    ],
)
def test_first_request_loads_no_module(empty_database: str, function: str, event: str, status: int) -> None:
    """Lambda gives the init a whole processor, and a request only a share in proportion to its memory."""
    output = run_cold(
        FIRST, str(ROOT / "functions" / function), empty_database, stdin=json.dumps(load(f"{function}/{event}"))
    )

    assert json.loads(output) == [status, []]
