"""The stack with Monitoring: its alarms, dashboard and topic exist, and a fault of a function raises its alarm."""

import json
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from local import deploy, environment, settings
from local.stack import Stack
from serverless_cart.dynamodb import keys
from tests.support import monitoring
from tests.support.lambdas import Lambdas
from tools.support.clients import Customer
from tools.support.database import Database

pytestmark = pytest.mark.last(4)  # it deploys

ADDRESS: Final = "ops@shop.example"
SECONDS: Final = 60

Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Turn monitoring on, and return a function that makes clients of the local cloud.

    It stays on: the local cloud sees no change if a condition becomes false.
    """
    log = tmp_path_factory.mktemp("deploy") / "deploy.log"
    deploy.deploy(stack.endpoint_url, log, {"Monitoring": "Enabled", "AlarmEmail": ADDRESS})

    def connect(service: Any) -> Any:
        return environment.session().client(service, endpoint_url=stack.endpoint_url, config=environment.CLIENT)

    return connect


def alarms(client: Client) -> dict[str, dict[str, Any]]:
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate()
    return {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}


def put(client: Client, line: dict[str, Any]) -> None:
    """Give CloudWatch the metrics of a line in the embedded metric format, which the local cloud does not read."""
    for directive in line["_aws"]["CloudWatchMetrics"]:
        data = [
            {
                "MetricName": metric["Name"],
                "Unit": metric["Unit"],
                "Values": line[metric["Name"]],
                "Dimensions": [{"Name": name, "Value": line[name]} for name in dimensions],
            }
            for metric in directive["Metrics"]
            for dimensions in directive["Dimensions"]
        ]
        client("cloudwatch").put_metric_data(Namespace=directive["Namespace"], MetricData=data)


def test_alarms_are_deployed(client: Client) -> None:
    found = alarms(client)
    wanted = {f"{settings.STACK_NAME}-{monitoring.name_of(it)}": it for it in monitoring.METRIC_ALARMS.values()}

    assert set(found) == set(wanted)
    for name, alarm in wanted.items():
        assert found[name]["MetricName"] == alarm["MetricName"]
        assert len(found[name]["AlarmActions"]) == len(alarm.get("AlarmActions", []))
        assert all(it["Value"] for it in found[name]["Dimensions"])


def test_dashboard_is_deployed(client: Client) -> None:
    name = f"{settings.STACK_NAME}-{settings.REGION}"
    body = json.loads(client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])

    assert len(body["widgets"]) == len(monitoring.DASHBOARD["widgets"])
    assert "${" not in json.dumps(body).replace("${LABEL}", "")


def test_address_gets_the_alarms(client: Client) -> None:
    (topic,) = {action for alarm in alarms(client).values() for action in alarm["AlarmActions"]}
    (subscription,) = client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]

    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", ADDRESS)


def test_fault_raises_its_alarm(client: Client, customer: Customer, database: Database, lambdas: Lambdas) -> None:
    name = f"{settings.STACK_NAME}-faults"
    assert alarms(client)[name]["StateValue"] == "INSUFFICIENT_DATA"
    key = keys.cart(customer.owner)
    broken = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "version": {"S": "not a number"}}
    database.client.put_item(TableName=database.name, Item=broken)

    assert customer.read().status == 500

    deadline = time.monotonic() + SECONDS
    while not (lines := [line for line in lambdas.log("Cart") if '"Faults"' in line]):
        assert time.monotonic() < deadline, "the fault is not in the log"
        time.sleep(0.2)
    put(client, json.loads(lines[-1]))
    assert alarms(client)[name]["StateValue"] == "ALARM"
