"""What each option of the template costs in a month, from published prices (prices.toml): `python -m bench.options`."""

import json
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from bench.cost import MILLION, MONTH, PRICES
from tools.support.paths import ROOT
from tools.support.template import FUNCTIONS, TEMPLATE, read_template, resources_of_type

LONGEST: Final = {
    "$context.requestTimeEpoch": "1763728496789",
    "$context.requestId": "5e1d7b01-0000-4000-8000-000000000001",
    "$context.identity.sourceIp": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "$context.httpMethod": "DELETE",
    "$context.resourcePath": "/6/{hashid}/stats/cart/{session_id}",
    "$context.error.responseType": "-",
    "$context.wafResponseCode": "-",
}
"""Values of a common request in an access log; all others have up to four digits."""
ENTRY_BYTES: Final = 26
"""Bytes that CloudWatch Logs adds to each entry."""


class Option(NamedTuple):
    """An option by its parameter, and its dollars a month and per million requests."""

    parameter: str
    month: float
    million: float


def options() -> list[Option]:
    """Return the options that cost something."""
    rules = read_template(ROOT / "stacks" / "protection.yaml")["Resources"]["WebAcl"]["Properties"]["Rules"]
    waf = PRICES["waf"]
    alarms = len(resources_of_type("AWS::CloudWatch::Alarm"))
    return [
        Option("AccessLogs", 0.0, access_log_bytes() * PRICES["logs"]["gigabyte"] * MILLION / 2**30),
        Option("Monitoring", monitoring_month(), 0.0),
        Option("Tracing", 0.0, PRICES["xray"]["trace"] * MILLION),
        Option("WebAcl", waf["web_acl_month"] + len(rules) * waf["rule_month"], waf["request"] * MILLION),
        Option("GradualDeployment", alarms * PRICES["cloudwatch"]["alarm_month"], 0.0),
        Option("TableKeyArn", PRICES["kms"]["key_month"], 0.0),
        Option("SnapStart", len(FUNCTIONS) * snapshot_month(), 0.0),
    ]


def access_log_bytes() -> int:
    """Return the bytes that one request adds to an access log."""
    setting: dict[str, Any] = TEMPLATE["Resources"]["SearchApi"]["Properties"]["AccessLogSetting"]["Fn::If"][1]
    line = {name: LONGEST.get(value, "0000") for name, value in json.loads(setting["Format"]).items()}
    return len(json.dumps(line)) + ENTRY_BYTES


def snapshot_month() -> float:
    """Return what keeping the snapshot of one function of common size costs in a month."""
    gigabytes: float = TEMPLATE["Globals"]["Function"]["MemorySize"] / 1024
    kept: float = PRICES["snapstart"]["kept_gigabyte_second"]
    return gigabytes * MONTH * kept


def monitoring_month() -> float:
    """Return what stacks/monitoring.yaml costs in a month, without the queries that someone runs."""
    prices = {
        "AWS::CloudWatch::Alarm": PRICES["cloudwatch"]["alarm_month"],
        "AWS::CloudWatch::CompositeAlarm": PRICES["cloudwatch"]["composite_alarm_month"],
        "AWS::CloudWatch::Dashboard": PRICES["cloudwatch"]["dashboard_month"],
        "AWS::KMS::Key": PRICES["kms"]["key_month"],
    }
    resources = read_template(ROOT / "stacks" / "monitoring.yaml")["Resources"].values()
    return float(sum(prices.get(resource["Type"], 0.0) for resource in resources))


def main() -> None:
    """Print the table."""
    table = Table("parameter", "dollars a month", "and per million requests")
    for parameter, month, million in options():
        table.add_row(parameter, f"{month:.2f}", f"{million:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
