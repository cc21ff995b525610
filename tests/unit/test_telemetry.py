"""What a function writes to its log: one line of each request, from which CloudWatch takes the metrics, and faults."""

import functools
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import Response
from botocore.exceptions import ClientError

from serverless_cart.domain.errors import ItemNotFound
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App, Handler
from serverless_cart.web.response import json_response
from serverless_cart.web.shop_api import API
from tests.support.builders import Context
from tools.support.events import load

GET = load("cart/get")
SERVICES = itertools.count()

Line = dict[str, Any]
Run = Callable[[Callable[[Telemetry], None]], list[Line]]


def nothing(_telemetry: Telemetry) -> None:
    """Do nothing, as a route that needs no database."""


@pytest.fixture
def service() -> str:
    """Return a service of the test's own: a logger keeps the stream and the level of its first use."""
    return f"telemetry_{next(SERVICES)}"


@pytest.fixture
def run(service: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what serves a request by a route that takes this step, and returns the lines that it logged."""
    steps: list[Callable[[Telemetry], None]] = []

    @functools.cache  # loaded by the first request, in whose phase of the test pytest captures what is written
    def handler() -> Handler:
        telemetry = Telemetry(service)
        app = App(API, telemetry)

        @app.get(GET["resource"])
        def route() -> Response[str]:
            steps.pop()(telemetry)
            return json_response(200, "{}")

        return app.handler()

    def run(step: Callable[[Telemetry], None]) -> list[Line]:
        steps.append(step)
        handler()(GET, Context())
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def raising(error: Exception) -> Callable[[Telemetry], None]:
    """Return a step that fails."""

    def step(_telemetry: Telemetry) -> None:
        raise error

    return step


def calling(count: int) -> Callable[[Telemetry], None]:
    """Return a step that calls the database so often; the milliseconds of each call tell which it was."""

    def step(telemetry: Telemetry) -> None:
        for call in range(count):
            telemetry.observe_call("GetItem", float(call))

    return step


def dimensions(line: Line) -> list[list[str]]:
    """Return the dimension sets of a line's metrics."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    found: list[list[str]] = directive["Dimensions"]
    return found


def units(line: Line) -> dict[str, str]:
    """Return the metrics of a line with their units."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}


# ----------------------------------------------------------------------------------------------------------------------
# The line of a request
# ----------------------------------------------------------------------------------------------------------------------


def test_request_writes_one_line(run: Run, service: str) -> None:
    (line,) = run(calling(2))

    assert {name: line[name] for name in line if name not in {"_aws", "Requests", "DatabaseLatency"}} == {
        "service": service,
        "message": "answered",
        "method": "GET",
        "route": "/api/shop/cart",
        "status": 200,
        "database_calls": 2,
        "correlation_id": GET["requestContext"]["requestId"],
        "function_request_id": "c0ffee00-0000-4000-8000-000000000000",
    }


def test_line_declares_its_metrics(run: Run) -> None:
    def step(telemetry: Telemetry) -> None:
        telemetry.count("AddedItems")
        telemetry.observe_call("GetItem", 3.5)
        telemetry.observe_call("UpdateItem", 4.0)

    (line,) = run(step)

    assert line["_aws"]["Timestamp"] > 1_700_000_000_000
    assert [directive["Namespace"] for directive in line["_aws"]["CloudWatchMetrics"]] == ["ServerlessCart"]
    assert dimensions(line) == [["service"]]
    assert units(line) == {"Requests": "Count", "AddedItems": "Count", "DatabaseLatency": "Milliseconds"}
    assert (line["Requests"], line["AddedItems"], line["DatabaseLatency"]) == ([1.0], [1.0], [3.5, 4.0])


def test_refusal_has_its_reason_as_a_dimension(run: Run, service: str) -> None:
    (line,) = run(raising(ItemNotFound()))

    assert dimensions(line) == [["service"], ["service", "reason"]]
    assert (line["service"], line["reason"], line["status"]) == (service, "item not found", 404)
    assert (line["Requests"], line["Refusals"]) == ([1.0], [1.0])
    assert units(line) == {"Requests": "Count", "Refusals": "Count"}


def test_line_has_nothing_of_the_previous_one(run: Run) -> None:
    def step(telemetry: Telemetry) -> None:
        telemetry.observe_call("GetItem", 1.0)
        raise ItemNotFound

    run(step)
    (line,) = run(nothing)

    assert {"reason", "Refusals", "DatabaseLatency"} & set(line) == set()
    assert dimensions(line) == [["service"]]
    assert (line["Requests"], line["database_calls"], line["status"]) == ([1.0], 0, 200)


@pytest.mark.parametrize("calls", [99, 100, 101, 199, 200, 250])
def test_over_100_database_calls_lose_no_latency(run: Run, calls: int) -> None:
    lines = run(calling(calls))

    assert all(len(line.get("DatabaseLatency", [])) <= 100 for line in lines), "CloudWatch takes no more"
    values = [value for line in lines for value in line.get("DatabaseLatency", [])]
    assert values == [float(call) for call in range(calls)]
    assert [line["Requests"] for line in lines if "Requests" in line] == [[1.0]]
    described = [line for line in lines if line.get("message") == "answered"]
    assert described == lines[-1:]
    assert described[0]["database_calls"] == calls


# ----------------------------------------------------------------------------------------------------------------------
# Faults
# ----------------------------------------------------------------------------------------------------------------------


def test_fault_is_logged_by_type_and_place(run: Run, service: str) -> None:
    def step(_telemetry: Telemetry) -> None:
        raise KeyError("secret") from ValueError("secret")

    fault, line = run(step)

    assert (fault["level"], fault["message"], fault["fault"]) == ("ERROR", "fault", "KeyError")
    assert fault["frames"][-1].endswith(" step")
    assert fault["service"] == service
    assert fault["correlation_id"] == line["correlation_id"] == GET["requestContext"]["requestId"]
    assert fault["function_request_id"] == line["function_request_id"]
    assert (line["Faults"], line["status"], line["reason"]) == ([1.0], 500, "internal server error")
    assert (dimensions(line), line["outcome"]) == ([["service"], ["outcome"]], "fault")
    assert "_aws" not in fault
    assert "secret" not in json.dumps([fault, line])


def test_two_faults_share_a_dimension(run: Run) -> None:
    def step(telemetry: Telemetry) -> None:
        telemetry.faulted(ValueError(), "first")
        raise ValueError

    assert dimensions(run(step)[-1]) == dimensions(run(step)[-1]) == [["service"], ["outcome"]]


def test_fault_of_aws_is_logged_by_its_code(run: Run) -> None:
    answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": "secret"}}

    fault, line = run(raising(ClientError(answer, "GetItem")))

    assert (fault["fault"], fault["code"]) == ("ClientError", "AccessDeniedException")
    assert "secret" not in json.dumps([fault, line])


# ----------------------------------------------------------------------------------------------------------------------
# Level
# ----------------------------------------------------------------------------------------------------------------------


LEVELS = [
    ("DEBUG", ["detail", "news", "fault", "answered"]),
    ("INFO", ["news", "fault", "answered"]),
    ("WARNING", ["fault", "answered"]),
    ("ERROR", ["fault", "answered"]),
]


@pytest.mark.parametrize(
    ("variable", "level", "expected"),
    [
        *(("POWERTOOLS_LOG_LEVEL", *case) for case in LEVELS),
        *(("LOG_LEVEL", *case) for case in LEVELS),
        ("POWERTOOLS_LOG_LEVEL", "", ["news", "fault", "answered"]),
    ],
)
def test_level_does_not_filter_metrics(
    run: Run, variable: str, level: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POWERTOOLS_LOG_LEVEL", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, level)

    def step(telemetry: Telemetry) -> None:
        telemetry.logger.debug("detail")
        telemetry.logger.info("news")
        raise ValueError

    lines = run(step)

    assert [line["message"] for line in lines] == expected
    assert (lines[-1]["Requests"], lines[-1]["Faults"], lines[-1]["status"]) == ([1.0], [1.0], 500)
