"""What a function's memory holds once it is initialised, because a snapshot of it may be started many times over."""

import json
from pathlib import Path
from typing import Any

import pytest

from serverless_cart.dynamodb.table import ATTEMPTS
from tests.support.cold import run_cold
from tests.unit.test_architecture import FUNCTIONS, PACKAGE, SOURCES, imports
from tools.support.events import load
from tools.support.paths import ROOT

BEGIN = """
import json, os, sys, threading
sys.path.insert(0, sys.argv[1])
import app
"""

HELD = """
from pathlib import Path
held = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
sockets = [name for name in held if name.startswith("socket:")]
print(json.dumps({"sockets": sockets, "threads": threading.active_count()}))
"""

RESTORED = """
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


def answer(request, **_):
    sent = request.headers["amz-sdk-invocation-id"].decode()
    values = json.loads(request.body)["ExpressionAttributeValues"]
    os.write(out, json.dumps({"invocation": sent, "values": values}).encode() + b"\\n")
    raw = SimpleNamespace(stream=lambda: iter([b'{"Attributes": {}}']))
    return AWSResponse("http://database.invalid", 200, {}, raw)


app.sessions._table._client.meta.events.register("before-send.dynamodb", answer)
out = os.dup(1)
os.dup2(2, 1)
import time
at_rest = time.time_ns
for copy in (1, 2):
    child = os.fork()
    if not child:
        time.time_ns = lambda: at_rest() + copy * 3 * 86_400 * 10**9
        os._exit(0 if app.handler(event, context)["statusCode"] == 200 else 1)
    assert os.waitpid(child, 0)[1] == 0
"""

THROTTLED = """
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


def answer(**_):
    raw = SimpleNamespace(stream=lambda: iter([b'{"__type": "com.amazon.coral.availability#ThrottlingException"}']))
    return AWSResponse("http://database.invalid", 400, {}, raw)


app.sessions._table._client.meta.events.register("before-send.dynamodb", answer)
out = os.dup(1)
os.dup2(2, 1)
import random, time
at_rest = random.getstate()
for copy in (1, 2):
    child = os.fork()
    if not child:
        random.setstate(at_rest)  # which Python has drawn anew in a child, and Lambda does not in a copy
        waits = []
        time.sleep = waits.append
        app.handler(event, context)
        os.write(out, json.dumps(waits).encode() + b"\\n")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def run(function: str, code: str, event: object = None) -> str:
    """Run code in a Python of its own, behind a function's initialisation, and return what it prints."""
    return run_cold(BEGIN + code, str(ROOT / "functions" / function), stdin=json.dumps(event))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="a process's open files are listed on Linux alone")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_holds_no_connection_and_no_thread_once_it_is_initialised(function: str) -> None:
    assert json.loads(run(function, HELD)) == {"sockets": [], "threads": 1}


def test_two_copies_of_a_snapshot_share_no_id_and_no_time() -> None:
    event: dict[str, Any] = load("stats_cart/put_body")
    first, second = (json.loads(line) for line in run("stats_cart", RESTORED, event).splitlines())

    assert first["invocation"] != second["invocation"]
    times = [
        {int(value["N"]) for value in copy["values"].values() if "N" in value and int(float(value["N"])) > 10**9}
        for copy in (first, second)
    ]
    assert times[0]
    assert times[0] & times[1] == set()


def test_two_copies_of_a_snapshot_do_not_repeat_their_calls_at_the_same_moments() -> None:
    first, second = (
        json.loads(line) for line in run("stats_cart", THROTTLED, load("stats_cart/put_body")).splitlines()
    )

    assert len(first) == len(second) == ATTEMPTS - 1
    assert set(first) & set(second) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_snapshot_s_own_code_draws_nothing_at_random(function: str) -> None:
    """A restored copy would go on with the same random numbers; what the operating system gives is never the same."""
    sources = [*SOURCES, ROOT / "functions" / function / "app.py"]

    users = [str(file.relative_to(ROOT)) for file in sources if {"random", "uuid"} & set(imports(file))]
    assert users == ["layers/application/serverless_cart/dynamodb/retries.py"]  # which seeds it again after a failure
    users = [str(file.relative_to(PACKAGE)) for file in SOURCES if "secrets" in set(imports(file))]
    assert users == ["auth.py"]  # which creates keys for the operators, and none at import
