"""Copies of one snapshot of an initialised function (SnapStart): they share no id, no time and no random number."""

import json

import pytest

from serverless_cart.dynamodb.table import ATTEMPTS
from tests.support.cold import load_function, run_cold
from tests.unit.test_architecture import FUNCTIONS, PACKAGE, SOURCES, imports
from tools.support.events import load
from tools.support.paths import ROOT

BEGIN = (
    load_function("stats_cart")
    + """
import json, os, random, time
from types import SimpleNamespace
from botocore.awsrequest import AWSResponse

event = json.load(sys.stdin)
context = SimpleNamespace(
    aws_request_id="c0ffee",
    function_name="function",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:function",
    get_remaining_time_in_millis=lambda: 20_000,
)
out = os.dup(1)
os.dup2(2, 1)


def write(value):
    os.write(out, json.dumps(value).encode() + b"\\n")


def response(status, body):
    return AWSResponse("http://database.invalid", status, {}, SimpleNamespace(stream=lambda: iter([body])))


def run_copies(answer, run):
    app.sessions._table._client.meta.events.register("before-send.dynamodb", answer)
    for copy in (1, 2):
        child = os.fork()
        if not child:
            os._exit(run(copy))
        assert os.waitpid(child, 0)[1] == 0
"""
)

RESTORED = """
def answer(request, **_):
    values = json.loads(request.body)["ExpressionAttributeValues"].values()
    times = [int(value["N"]) for value in values if "N" in value and float(value["N"]) > 10**9]
    write([request.headers["amz-sdk-invocation-id"].decode(), times])
    return response(200, b'{"Attributes": {}}')


def run(copy):
    time.time_ns = lambda: at_rest() + copy * 3 * 86_400 * 10**9
    return app.handler(event, context)["statusCode"] != 200


at_rest = time.time_ns
run_copies(answer, run)
"""

THROTTLED = """
def run(copy):
    random.setstate(at_rest)  # Python seeds again in a child, but Lambda does not in a copy
    waits = []
    time.sleep = waits.append
    app.handler(event, context)
    write(waits)
    return 0


at_rest = random.getstate()
throttled = b'{"__type": "com.amazon.coral.availability#ThrottlingException"}'
run_copies(lambda **_: response(400, throttled), run)
"""


def run(code: str) -> list[list[object]]:
    """Run code in a new Python after the initialisation, and return what each copy writes."""
    return [json.loads(line) for line in run_cold(BEGIN + code, stdin=json.dumps(load("stats_cart/put"))).splitlines()]


def test_copies_share_no_id_and_no_time() -> None:
    (first_id, first_times), (second_id, second_times) = run(RESTORED)

    assert first_id != second_id
    assert isinstance(first_times, list)
    assert isinstance(second_times, list)
    assert first_times
    assert set(first_times) & set(second_times) == set()


def test_copies_wait_different_times() -> None:
    first, second = run(THROTTLED)

    assert len(first) == len(second) == ATTEMPTS - 1
    assert set(first) & set(second) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_retries_use_random_numbers(function: str) -> None:
    """A copy continues with the same random numbers: `retries` seeds them after each failure."""
    sources = [*SOURCES, ROOT / "functions" / function / "app.py"]

    users = [str(file.relative_to(ROOT)) for file in sources if {"random", "uuid"} & set(imports(file))]
    assert users == ["layers/application/serverless_cart/dynamodb/retries.py"]
    users = [str(file.relative_to(PACKAGE)) for file in SOURCES if "secrets" in set(imports(file))]
    assert users == ["auth.py", "domain/orders.py"]  # which create keys, and none at import
