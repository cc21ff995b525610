"""A function's log: lines of JSON, from which CloudWatch takes the metrics."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from storefront import log
from storefront.log import Metric
from storefront.web.telemetry import Telemetry
from tests.builders import ROOT

CALL = Metric("DatabaseLatency", "Milliseconds", [3.5, 4.0])


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_tells_cloudwatch_which_of_its_fields_are_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    log.write("cart", "INFO", [CALL, Metric("Refusals", "Count", [1.0], by="reason")], reason="not found")

    (line,) = lines(capsys.readouterr().out)
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "ServerlessCart",
            "Dimensions": [["service"]],
            "Metrics": [{"Name": "DatabaseLatency", "Unit": "Milliseconds"}],
        },
        {
            "Namespace": "ServerlessCart",
            "Dimensions": [["service", "reason"]],
            "Metrics": [{"Name": "Refusals", "Unit": "Count"}],
        },
    ]
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000
    assert (line["DatabaseLatency"], line["Refusals"]) == ([3.5, 4.0], [1.0])
    assert (line["service"], line["reason"], line["level"]) == ("cart", "not found", "INFO")


def test_a_line_without_metrics_has_nothing_for_cloudwatch_to_take(capsys: pytest.CaptureFixture[str]) -> None:
    log.write("cart", "ERROR", [], message="fault")

    assert lines(capsys.readouterr().out) == [{"level": "ERROR", "service": "cart", "message": "fault"}]


@pytest.mark.parametrize(
    ("level", "told"),
    [("DEBUG", ["INFO", "ERROR"]), ("", ["INFO", "ERROR"]), ("WARNING", [None, "ERROR"]), ("ERROR", [None, "ERROR"])],
)
def test_what_is_below_the_level_is_left_out_and_metrics_never_are(level: str, told: list[str | None]) -> None:
    code = """
from storefront import log
log.write("cart", "INFO", [log.Metric("Refusals", "Count", [1.0], by="reason")], reason="r", status=400)
log.write("cart", "ERROR", [], fault="KeyError")
log.write("cart", "DEBUG", [])
"""
    run = subprocess.run(  # noqa: S603 - our own code, and no shell
        [sys.executable, "-c", code],
        env={**os.environ, "LOG_LEVEL": level, "PYTHONPATH": str(ROOT / "layers" / "storefront")},
        capture_output=True,
        text=True,
        check=True,
    )

    written = [line for line in lines(run.stdout) if line.get("level") != "DEBUG"]
    assert [line.get("level") for line in written] == told
    assert written[0]["Refusals"] == [1.0]
    assert (written[0]["service"], written[0]["reason"]) == ("cart", "r")
    assert ("status" in written[0]) is (told[0] == "INFO")


def test_no_metric_has_more_values_in_a_line_than_cloudwatch_takes(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("stats_cart")
    telemetry.begin("c", "f")
    for call in range(250):
        telemetry.observe_call("BatchWriteItem", float(call))
    telemetry.answered("DELETE", "/6", 200)

    written = lines(capsys.readouterr().out)
    assert [len(line["DatabaseLatency"]) for line in written] == [100, 100, 50]
    values = [value for line in written for value in line["DatabaseLatency"]]
    assert values == [float(call) for call in range(250)]
    assert [line.get("database_calls") for line in written] == [None, None, 250]


def test_a_request_reports_nothing_of_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("cart")
    telemetry.begin("first", "f")
    telemetry.observe_call("GetItem", 1.0)
    telemetry.refused("not found")
    telemetry.answered("GET", "/", 404)
    telemetry.begin("second", "f")
    telemetry.answered("GET", "/", 200)

    _, second = lines(capsys.readouterr().out)
    assert second["correlation_id"] == "second"
    assert {"reason", "Refusals", "DatabaseLatency"} & set(second) == set()
    assert (second["Requests"], second["database_calls"]) == ([1.0], 0)
