"""The checks of `cartctl doctor` for what no request shows: the stream's reader, the schedule, logs, traces, alarms."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cartctl.connection import Deployment
from cartctl.findings import REDEPLOY, Finding, State

ALARM_TYPES: Final = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
STAGE: Final = "live"
MOST_NAMES: Final = 100
"""The most alarms that one call describes."""
_WAIT: Final = "Wait until it is done, then run cartctl doctor again."


def event_source(deployment: Deployment) -> Iterator[Finding]:
    """Check that Lambda reads the table's stream for the statistics, and that its last batch succeeded."""
    log = f"aws logs tail /aws/lambda/{deployment.stack}-statistics-roll-up"
    for uuid in _physical(deployment, "AWS::Lambda::EventSourceMapping"):
        mapping = deployment.client("lambda").get_event_source_mapping(UUID=uuid)
        state, result = mapping["State"], mapping.get("LastProcessingResult", "No records processed")
        seen = f"The reader of the stream is {state}; last result: {result}"
        if state == "Disabled":
            advice = f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"
            yield Finding("event source", State.FAILURE, seen, advice)
        elif state != "Enabled":
            yield Finding("event source", State.WARNING, seen, _WAIT)
        elif mapping["EventSourceArn"] != _stream_arn(deployment):
            seen = "The reader of the stream reads the stream of an earlier table"
            advice = 'The table was restored: docs/operate.md, "After a restore"'
            yield Finding("event source", State.FAILURE, seen, advice)
        elif result.startswith("PROBLEM"):
            yield Finding("event source", State.FAILURE, seen, f"Statistics wait until this is fixed. Its log: {log}")
        else:
            yield Finding("event source", State.OK, seen)
        return
    yield Finding("event source", State.FAILURE, "Nothing reads the stream: there are no statistics", REDEPLOY)


def failure_queue(deployment: Deployment) -> Iterator[Finding]:
    """Check that Lambda has discarded no batch of the stream."""
    if not deployment.failure_queue_url:
        yield Finding("failure queue", State.FAILURE, "The stack is older than this cartctl: it has none", REDEPLOY)
        return
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = deployment.client("sqs").get_queue_attributes(QueueUrl=deployment.failure_queue_url, AttributeNames=names)
    count = sum(int(answer["Attributes"].get(name, 0)) for name in names)
    if count:
        advice = 'docs/operate.md, "Statistics are late or incomplete". Within 24 hours: cartctl stats replay'
        yield Finding("failure queue", State.WARNING, f"{count} batches of statistics were discarded", advice)
    else:
        yield Finding("failure queue", State.OK, "No batch of statistics was discarded")


def schedule(deployment: Deployment) -> Iterator[Finding]:
    """Check that holds which were not paid in time are ended every minute."""
    for name in _physical(deployment, "AWS::Events::Rule"):
        rule = deployment.client("events").describe_rule(Name=name)
        seen = f"The rule for unpaid orders is {rule['State']}: {rule['ScheduleExpression']}"
        if rule["State"] == "DISABLED":
            yield Finding("schedule", State.FAILURE, seen, f"aws events enable-rule --name {name}")
        else:
            yield Finding("schedule", State.OK, seen)
        return
    yield Finding("schedule", State.FAILURE, "Nothing ends unpaid orders: they keep their stock", REDEPLOY)


def api_settings(deployment: Deployment) -> Iterator[Finding]:
    """Check that access logs, traces and the web ACL of the APIs are as the parameters say."""
    client = deployment.client("apigateway")
    differences = [
        difference
        for resource in deployment.resources
        if resource.kind == "AWS::ApiGateway::RestApi"
        for difference in _differences(
            deployment.parameters, resource.name, client.get_stage(restApiId=resource.physical, stageName=STAGE)
        )
    ]
    if differences:
        yield Finding("API settings", State.FAILURE, "; ".join(differences), REDEPLOY)
    else:
        yield Finding("API settings", State.OK, "Access logs, traces and the web ACL are as the parameters say")


def alarms(deployment: Deployment) -> Iterator[Finding]:
    """Check that the alarms exist, that each notifies someone, and that none is in ALARM."""
    if deployment.parameters.get("Monitoring", "Disabled") != "Enabled":
        yield Finding("alarms", State.OK, "There are none (Monitoring=Disabled)")
        return
    nested = [deployment.resources_of(stack) for stack in _physical(deployment, "AWS::CloudFormation::Stack")]
    names = {
        it.physical.rpartition(":alarm:")[2]
        for it in (*deployment.resources, *(it for resources in nested for it in resources))
        if it.kind in ALARM_TYPES
    }
    described = _described(deployment, sorted(names))
    rules = " ".join(alarm.get("AlarmRule", "") for alarm in described.values())
    missing = sorted(names - described.keys())
    silent = [
        name
        for name, alarm in described.items()
        if not (alarm["ActionsEnabled"] and alarm["AlarmActions"]) and not _is_named(name, rules)
    ]
    raised = [name for name, alarm in described.items() if alarm["StateValue"] == "ALARM"]
    if not names or missing:
        seen = f"Alarms are missing: {', '.join(missing) or 'all of them'} (Monitoring=Enabled)"
        yield Finding("alarms", State.FAILURE, seen, REDEPLOY)
    elif silent:
        yield Finding("alarms", State.FAILURE, f"Alarms that notify no one: {', '.join(silent)}", REDEPLOY)
    elif raised:
        advice = 'docs/operate.md, "Monitoring", says what each alarm means'
        yield Finding("alarms", State.WARNING, f"In ALARM: {', '.join(raised)}", advice)
    else:
        yield Finding("alarms", State.OK, f"{len(names)} alarms, none in ALARM")


def _stream_arn(deployment: Deployment) -> str | None:
    return deployment.dynamodb.describe_table(TableName=deployment.table_name)["Table"].get("LatestStreamArn")


def _physical(deployment: Deployment, kind: str) -> Iterator[str]:
    return (it.physical for it in deployment.resources if it.kind == kind)


def _described(deployment: Deployment, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the alarms of these names that exist."""
    client = deployment.client("cloudwatch")
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(names), MOST_NAMES):
        answer = client.describe_alarms(
            AlarmNames=names[start : start + MOST_NAMES], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        for alarm in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())):
            found[alarm["AlarmName"]] = alarm
    return found


def _is_named(alarm: str, rules: str) -> bool:
    """Return whether the rule of a composite alarm names an alarm, or its ARN."""
    return bool(re.search(rf'[(":]{re.escape(alarm)}[")]', rules))


def _differences(parameters: Mapping[str, str], api: str, stage: Mapping[str, Any]) -> Iterator[str]:
    """Yield how a stage differs from the parameters; a stack that is too old has none of them."""
    settings = {
        "AccessLogs": bool((stage.get("accessLogSettings") or {}).get("destinationArn")),
        "Tracing": bool(stage.get("tracingEnabled")),
    }
    for parameter, is_on in settings.items():
        if is_on != (parameters.get(parameter, "Disabled") == "Enabled"):
            yield f"{api} is {'on' if is_on else 'off'} against {parameter}={parameters.get(parameter, 'Disabled')}"
    if parameters.get("WebAcl") == "Enabled" and not stage.get("webAclArn"):  # otherwise it may be the operator's own
        yield f"{api} is off against WebAcl=Enabled"
