"""stacks/monitoring.yaml: its metrics of AWS exist, and every alarm sends a message and has a runbook."""

import re
from typing import Any

import pytest

from local.deploy import LEFT_OUT
from tests.support import guide, monitoring
from tests.support.monitoring import COMPOSITE_ALARMS, METRIC_ALARMS, METRICS, OWN, Metric, resources
from tools.support.paths import ROOT
from tools.support.template import FUNCTIONS, TEMPLATE, read_template

AWS_METRICS = {
    # docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    ("AWS/ApiGateway", "ApiName"): {"4XXError", "5XXError", "Count", "Latency"},
    # docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html, and -view.html: "across all functions"
    ("AWS/Lambda", "FunctionName"): {"Duration", "Errors", "IteratorAge", "Throttles"},
    ("AWS/Lambda",): {"Throttles"},
    # docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    ("AWS/DynamoDB", "TableName"): {"ReadThrottleEvents", "WriteThrottleEvents"},
    # docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", "QueueName"): {"ApproximateNumberOfMessagesVisible"},
}
RUNBOOKS = set(re.findall(r"^#### ([\w-]+)$", guide.section("### Alarms"), flags=re.MULTILINE))
QUERIES = {monitoring.resolved(it["Name"]).strip("/"): it for it in resources("AWS::Logs::QueryDefinition").values()}
LOG_GROUPS = {
    it["Properties"]["LogGroupName"]["Fn::Sub"].replace("${AWS::StackName}", "")
    for it in TEMPLATE["Resources"].values()
    if it["Type"] == "AWS::Logs::LogGroup" and "/aws/lambda/" in it["Properties"]["LogGroupName"]["Fn::Sub"]
}
TOPIC = [{"Ref": "Topic"}]


def runbook(alarm: dict[str, Any]) -> str:
    found = re.search(r"Runbook ([\w-]+)$", alarm["AlarmDescription"])
    assert found
    return found[1]


@pytest.mark.parametrize("metric", sorted(it for it in METRICS if not it.namespace.startswith(OWN)))
def test_metric_of_aws_is_documented(metric: Metric) -> None:
    """And it is one of a resource of the template."""
    assert metric.name in AWS_METRICS[metric.namespace, *(name for name, _ in metric.dimensions)]
    for name, value in metric.dimensions:
        if name == "ApiName":
            apis = (it for it in TEMPLATE["Resources"].values() if it["Type"] == "AWS::Serverless::Api")
            assert f"${{AWS::StackName}}{value}" in {it["Properties"]["Name"]["Fn::Sub"] for it in apis}
        else:
            kinds = {"FunctionName": "AWS::Serverless::Function", "TableName": "AWS::DynamoDB::Table"}
            assert TEMPLATE["Resources"][value]["Type"] == kinds.get(name, "AWS::SQS::Queue")


def test_metrics_of_functions_are_in_their_namespace() -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]

    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == {"Fn::Sub": f"{OWN}${{AWS::StackName}}"}
    assert {it.namespace for it in METRICS if not it.namespace.startswith("AWS/")} == {OWN}


def test_dashboard_shows_every_function() -> None:
    for name in ("Duration", "Throttles"):
        shown = {it.dimensions for it in monitoring.of_dashboard() if it.name == name}
        assert shown == {(("FunctionName", function),) for function in FUNCTIONS.values()}


def test_widgets_do_not_overlap() -> None:
    places = [
        (x, y)
        for widget in monitoring.DASHBOARD["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24


@pytest.mark.parametrize("name", METRIC_ALARMS)
def test_alarm_sends_a_message(name: str) -> None:
    """Itself, or by a composite alarm, which then sends one for all of its alarms."""
    through = [it for it in COMPOSITE_ALARMS.values() if f'ALARM("${{{name}}}")' in it["AlarmRule"]["Fn::Sub"]]
    (sender,) = through or [METRIC_ALARMS[name]]

    assert sender["AlarmActions"] == TOPIC
    assert ("AlarmActions" in METRIC_ALARMS[name]) is (not through)


@pytest.mark.parametrize("name", METRIC_ALARMS)
def test_missing_data_is_treated_by_its_cause(name: str) -> None:
    special = {"HoldsLate": "breaching", "StatisticsDiscarded": "ignore"}

    assert METRIC_ALARMS[name]["TreatMissingData"] == special.get(name, "notBreaching")
    assert ("EvaluateLowSampleCountPercentile" in METRIC_ALARMS[name]) is ("ExtendedStatistic" in METRIC_ALARMS[name])


def test_table_suppresses_the_messages_of_its_symptoms() -> None:
    assert COMPOSITE_ALARMS["RequestsFail"]["ActionsSuppressor"] == {"Ref": "TableUnavailable"}
    assert COMPOSITE_ALARMS["TableUnavailable"]["AlarmActions"] == TOPIC


def test_every_alarm_has_a_runbook() -> None:
    alarms = [*METRIC_ALARMS.values(), *COMPOSITE_ALARMS.values()]

    assert {runbook(it) for it in alarms} == RUNBOOKS
    assert all(re.fullmatch(rf"{runbook(it)}(-\w+)?", monitoring.name_of(it)) for it in alarms)


def test_runbooks_name_the_saved_queries() -> None:
    text = guide.section("### Alarms")

    assert set(re.findall(r"query\s`([\w-]+)`", text)) == set(QUERIES)


@pytest.mark.parametrize("name", QUERIES)
def test_query_reads_logs_of_functions(name: str) -> None:
    groups = {monitoring.resolved(it) for it in QUERIES[name]["LogGroupNames"]}

    assert groups <= LOG_GROUPS
    assert groups == LOG_GROUPS or len(groups) == 1


def test_only_alarms_publish_to_the_encrypted_topic() -> None:
    (statement,) = resources("AWS::SNS::TopicPolicy")["TopicPolicy"]["PolicyDocument"]["Statement"]
    of_account, of_alarms = resources("AWS::KMS::Key")["Key"]["KeyPolicy"]["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "sns:Publish")
    assert statement["Principal"] == of_alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert monitoring.resolved(statement["Condition"]["ArnLike"]["aws:SourceArn"]) == "arn::cloudwatch:::alarm:-*"
    assert set(of_alarms["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    assert of_account["Principal"]["AWS"]["Fn::Sub"].endswith(":root")
    assert resources("AWS::SNS::Topic")["Topic"]["KmsMasterKeyId"] == {"Ref": "Key"}


def test_local_cloud_leaves_out_nothing_else() -> None:
    """`make lint` checks these types by cfn-lint's schema."""
    stacks = map(read_template, (ROOT / "stacks").glob("*.yaml"))

    assert {it["Type"] for stack in stacks for it in stack["Resources"].values()} >= LEFT_OUT


def test_monitoring_is_off_by_default() -> None:
    stack = TEMPLATE["Resources"]["MonitoringStack"]

    assert [TEMPLATE["Parameters"][it]["Default"] for it in ("Monitoring", "AlarmEmail")] == ["Disabled", ""]
    assert TEMPLATE["Conditions"][stack["Condition"]] == {"Fn::Equals": [{"Ref": "Monitoring"}, "Enabled"]}
    assert monitoring.STACK["Resources"]["Subscription"]["Condition"] == "HasEmail"
    assert set(stack["Properties"]["Parameters"]) <= set(monitoring.STACK["Parameters"])
