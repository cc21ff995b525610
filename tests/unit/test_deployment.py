"""deployment/role.yaml and the workflow: who may deploy, what the roles may do, and how the jobs follow each other."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.support import guide
from tests.support.policies import listed
from tools.support.paths import ROOT
from tools.support.template import read_template

RESOURCES: dict[str, dict[str, Any]] = read_template(ROOT / "deployment" / "role.yaml")["Resources"]
STACK = "serverless-cart-staging"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "Stack": STACK,
    "SmokeShop": "smoke",
    "Artifacts.Arn": "arn:aws:s3:::builds",
    "ExecutionRole.Arn": "arn:aws:iam::123456789012:role/deploy-staging-ExecutionRole-1",
}
BOUNDLESS = {  # what has a random id, or no resource in IAM
    *("apigateway", "cloudformation:GetTemplateSummary", "cloudwatch:DescribeAlarms", "kms", "lambda"),
    *("logs", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe", "wafv2"),
    *("codedeploy:GetDeploymentConfig", "cloudformation:CreateChangeSet"),
}


def resolved(value: Any) -> Any:
    """Return a value with those of its functions."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: VALUES[found[1]], text)
        case {"Fn::GetAtt": str(name)}:
            return VALUES[name]
        case dict():
            return {key: resolved(one) for key, one in value.items()}
        case list():
            return [resolved(one) for one in value]
    return value


def statements(role: str) -> list[dict[str, Any]]:
    properties = RESOURCES[role]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    documents += [
        RESOURCES[it["Ref"]]["Properties"]["PolicyDocument"] for it in properties.get("ManagedPolicyArns", [])
    ]
    return [resolved(statement) for document in documents for statement in document["Statement"]]


def allowed(role: str, action: str, resource: str) -> bool:
    """Return whether a role may call an action on a resource, if all conditions are met."""
    return any(
        action in listed(statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        for statement in statements(role)
    )


ROLES = ["DeploymentRole", "ExecutionRole"]
PLACES = {
    "cloudformation:ExecuteChangeSet": ("arn:aws:cloudformation:eu-west-1:123456789012:stack/{}/1", ["DeploymentRole"]),
    "lambda:UpdateFunctionCode": ("arn:aws:lambda:eu-west-1:123456789012:function:{}-cart", ["ExecutionRole"]),
    "lambda:PublishLayerVersion": ("arn:aws:lambda:eu-west-1:123456789012:layer:{}-application", ["ExecutionRole"]),
    "iam:PutRolePolicy": ("arn:aws:iam::123456789012:role/{}-CartRole-1", ["ExecutionRole"]),
    "dynamodb:DeleteTable": ("arn:aws:dynamodb:eu-west-1:123456789012:table/{}-Table-1", ["ExecutionRole"]),
    "sqs:DeleteQueue": ("arn:aws:sqs:eu-west-1:123456789012:{}-StatisticsFailureQueue-1", ["ExecutionRole"]),
    "events:DeleteRule": ("arn:aws:events:eu-west-1:123456789012:rule/{}-ReleaseHolds-1", ["ExecutionRole"]),
    "logs:DeleteLogGroup": ("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/{}-cart", ["ExecutionRole"]),
    "cloudwatch:DeleteAlarms": ("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{}-faults", ["ExecutionRole"]),
}


@pytest.mark.parametrize("action", PLACES)
def test_role_changes_only_its_stack(action: str) -> None:
    resource, expected = PLACES[action]

    assert [role for role in ROLES if allowed(role, action, resource.format(STACK))] == expected
    assert not [role for role in ROLES if allowed(role, action, resource.format("serverless-cart-prod"))]


@pytest.mark.parametrize("role", ROLES)
def test_every_action_has_the_narrowest_resource(role: str) -> None:
    for statement in statements(role):
        actions = listed(statement["Action"])
        assert not any("*" in action for action in actions)
        for resource in listed(statement["Resource"]):
            named = STACK in resource or resource.startswith(("arn:aws:s3:::builds", VALUES["ExecutionRole.Arn"]))
            known = {it for action in actions for it in (action, action.partition(":")[0])} & BOUNDLESS
            assert named or known, (statement["Sid"], resource)


def test_only_named_roles_are_passed() -> None:
    passing = {
        (role, statement["Resource"], *listed(statement["Condition"]["StringEquals"]["iam:PassedToService"]))
        for role in ROLES
        for statement in statements(role)
        if "iam:PassRole" in listed(statement["Action"])
    }

    assert passing == {
        ("DeploymentRole", VALUES["ExecutionRole.Arn"], "cloudformation.amazonaws.com"),
        (
            *("ExecutionRole", f"arn:aws:iam::123456789012:role/{STACK}-*"),
            *("apigateway.amazonaws.com", "codedeploy.amazonaws.com", "lambda.amazonaws.com"),
        ),
    }


def test_deployments_need_the_execution_role() -> None:
    creating = next(it for it in statements("DeploymentRole") if it["Sid"] == "DeployWithTheExecutionRole")

    assert creating["Condition"] == {"StringEquals": {"cloudformation:RoleArn": VALUES["ExecutionRole.Arn"]}}
    for action in ("CreateStack", "UpdateStack", "DeleteStack"):
        assert not allowed("DeploymentRole", f"cloudformation:{action}", "*")


def test_role_may_run_the_doctor() -> None:
    values = {"REGION": "eu-west-1", "ACCOUNT": "123456789012", "STACK": STACK, "TABLE": f"{STACK}-Table-1"}

    for statement in guide.policy("doctor", **values):
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                assert allowed("DeploymentRole", action, resource), (action, resource)


def test_policies_fit_iams_limits() -> None:
    for name, resource in RESOURCES.items():
        inline = [it["PolicyDocument"] for it in resource["Properties"].get("Policies", [])]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            document = resolved(resource["Properties"]["PolicyDocument"])
            assert len(json.dumps(document, separators=(",", ":"))) < 6_144, name
        elif inline:
            assert len(json.dumps(resolved(inline), separators=(",", ":"))) < 10_240, name
