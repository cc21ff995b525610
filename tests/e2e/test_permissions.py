"""Each function's role allows only what the function does, as the emulator evaluates the deployed policies.

The emulator evaluates actions and resources, but not the condition on leading keys; tests/unit/test_template.py
evaluates that for the template's policies, and the deployed policies are shown to be the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from local import environment
from local.stack import Stack
from tests.support.lambdas import FUNCTIONS, Lambdas
from tests.unit import test_template as simulation
from tools.support import figures
from tools.support.clients import unique
from tools.support.database import Database
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient

KEY: dict[str, Any] = {"pk": {"S": "PROBE#1"}, "sk": {"S": "PROBE"}}
ACTIONS: dict[str, Callable[["DynamoDBClient", str], object]] = {
    "GetItem": lambda client, table: client.get_item(TableName=table, Key=KEY),
    "BatchGetItem": lambda client, table: client.batch_get_item(RequestItems={table: {"Keys": [KEY]}}),
    "Query": lambda client, table: client.query(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": KEY["pk"]}
    ),
    "Scan": lambda client, table: client.scan(TableName=table, Limit=1),
    "PutItem": lambda client, table: client.put_item(TableName=table, Item=KEY),
    "UpdateItem": lambda client, table: client.update_item(TableName=table, Key=KEY),
    "DeleteItem": lambda client, table: client.delete_item(TableName=table, Key=KEY),
    "BatchWriteItem": lambda client, table: client.batch_write_item(
        RequestItems={table: [{"DeleteRequest": {"Key": KEY}}]}
    ),
    "ConditionCheckItem": lambda client, table: client.transact_write_items(
        TransactItems=[
            {"ConditionCheck": {"TableName": table, "Key": KEY, "ConditionExpression": "attribute_not_exists(nothing)"}}
        ]
    ),
    "DescribeTable": lambda client, table: client.describe_table(TableName=table),
    "UpdateTimeToLive": lambda client, table: client.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    ),
}
ALLOWED = {function: {action for action, _ in simulation.MAY[f"{function}Role"]} for function in FUNCTIONS}


@pytest.fixture(scope="module", params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> str:
    """Return each function in turn."""
    name = request.param
    assert isinstance(name, str)
    return name


@pytest.fixture(scope="module")
def session(function: str, lambdas: Lambdas) -> boto3.Session:
    """Return a session with the function's rights."""
    return lambdas.in_the_role_of(function)


@pytest.fixture(scope="module")
def client(session: boto3.Session, stack: Stack) -> "DynamoDBClient":
    """Return a client with the function's rights."""
    return session.client("dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT)


@pytest.fixture(scope="module")
def iam(stack: Stack) -> "IAMClient":
    """Return a client of the roles' policies."""
    return environment.session().client("iam", endpoint_url=stack.endpoint_url, config=environment.CLIENT)


counts: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _rights_are_counted() -> Iterator[None]:
    """Record the number of rights that were tried."""
    yield
    figures.record("roles", "pytest tests/e2e/test_permissions.py", roles=len(FUNCTIONS), **counts)


def denied(call: Callable[["DynamoDBClient", str], object], client: "DynamoDBClient", table: str) -> bool:
    """Return whether an action is denied; any other failure fails the test."""
    try:
        call(client, table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True
    return False


def test_role_allows_only_what_its_function_does(function: str, client: "DynamoDBClient", stack: Stack) -> None:
    allowed = {action for action, call in ACTIONS.items() if not denied(call, client, stack.table_name)}
    assert allowed == ALLOWED[function]
    counts.update({"tried_on_the_table": len(ACTIONS), "permitted_on_the_table": len(allowed)})


def test_role_reaches_no_other_table(client: "DynamoDBClient", database: Database) -> None:
    table = unique("other")
    create_table(database.client, table)
    try:
        reached = {action for action, call in ACTIONS.items() if not denied(call, client, table)}
    finally:
        database.client.delete_table(TableName=table)
    assert reached == set()
    counts.update({"tried_on_another_table": len(ACTIONS), "permitted_on_another_table": len(reached)})


def test_role_reaches_no_other_service(session: boto3.Session, lambdas: Lambdas, stack: Stack) -> None:
    def client(service: Any) -> Any:
        return session.client(service, endpoint_url=stack.endpoint_url, config=environment.CLIENT)

    other = lambdas.client.get_function_configuration(FunctionName=lambdas.name("Authorizer"))
    attempts: dict[str, Callable[[], object]] = {
        "run a function": lambda: client("lambda").invoke(FunctionName=other["FunctionName"], Payload=b"{}"),
        "read a function's code": lambda: client("lambda").get_function(FunctionName=other["FunctionName"]),
        "change a function": lambda: client("lambda").update_function_configuration(
            FunctionName=other["FunctionName"], Timeout=3
        ),
        "read a log": lambda: client("logs").filter_log_events(logGroupName=other["LoggingConfig"]["LogGroup"]),
        "delete a log": lambda: client("logs").delete_log_group(logGroupName=other["LoggingConfig"]["LogGroup"]),
        "list streams": lambda: client("dynamodbstreams").list_streams(TableName=stack.table_name),
        "list roles": lambda: client("iam").list_roles(),
        "create a user": lambda: client("iam").create_user(UserName="x"),
        "assume another role": lambda: client("sts").assume_role(RoleArn=other["Role"], RoleSessionName="other"),
        "list the APIs": lambda: client("apigateway").get_rest_apis(),
        "list buckets": lambda: client("s3").list_buckets(),
        "list secrets": lambda: client("secretsmanager").list_secrets(),
        "list parameters": lambda: client("ssm").describe_parameters(),
        "delete the stack": lambda: client("cloudformation").delete_stack(StackName="x"),
    }
    succeeded = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except ClientError as error:
            assert error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}, name  # noqa: PT017
        else:
            succeeded.append(name)
    assert succeeded == []
    counts.update({"tried_elsewhere": len(attempts), "permitted_elsewhere": len(succeeded)})


@pytest.fixture(scope="module")
def actions() -> list[str]:
    """Return all actions of the services that the bundle uses, and of those that an attacker would try."""
    session = environment.session()
    models = [
        session.client(name).meta.service_model
        for name in ("dynamodb", "dynamodbstreams", "iam", "kms", "lambda", "logs", "secretsmanager", "ssm", "sts")
    ]
    operations = [f"{model.signing_name}:{name}" for model in models for name in model.operation_names]
    return [*operations, "dynamodb:ConditionCheckItem"]  # a part of a transaction


def test_role_allows_no_other_action_of_any_service(
    function: str, lambdas: Lambdas, iam: "IAMClient", stack: Stack, actions: list[str]
) -> None:
    configuration = lambdas.client.get_function_configuration(FunctionName=lambdas.name(function))
    table = f"arn:aws:dynamodb:{stack.region}:000000000000:table/{stack.table_name}"
    log = configuration["LoggingConfig"]["LogGroup"]
    allowed = set()
    for resource in (table, f"arn:aws:logs:{stack.region}:000000000000:log-group:{log}:log-stream:x"):
        results = iam.simulate_principal_policy(
            PolicySourceArn=configuration["Role"], ActionNames=actions, ResourceArns=[resource]
        )["EvaluationResults"]
        assert len(results) == len(actions)
        allowed |= {it["EvalActionName"] for it in results if it["EvalDecision"] == "allowed"}
    assert allowed == {f"dynamodb:{name}" for name in ALLOWED[function]} | {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    counts.update({"simulated_actions": len(actions), "permitted_of_them": len(allowed)})


def test_deployed_policies_are_the_simulated_ones(
    function: str, lambdas: Lambdas, iam: "IAMClient", stack: Stack
) -> None:
    configuration = lambdas.client.get_function_configuration(FunctionName=lambdas.name(function))
    role = configuration["Role"].rpartition("/")[2]
    log = configuration["LoggingConfig"]["LogGroup"]
    roll_up = lambdas.name("StatisticsRollUp")
    (source,) = lambdas.client.list_event_source_mappings(FunctionName=roll_up)["EventSourceMappings"]
    arns = {
        "Table.StreamArn": source["EventSourceArn"],
        "StatisticsFailureQueue.Arn": source["DestinationConfig"]["OnFailure"]["Destination"],
        "Table.Arn": f"arn:aws:dynamodb:{stack.region}:000000000000:table/{stack.table_name}",
        f"{function}LogGroup.Arn": f"arn:aws:logs:{stack.region}:000000000000:log-group:{log}:*",
    }
    deployed: list[Any] = [
        statement
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        for statement in cast("Any", iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])["Statement"]
    ]
    assert deployed == [
        {**statement, "Resource": arns[statement["Resource"]["Fn::GetAtt"]]}
        for statement in simulation.statements(f"{function}Role")
    ]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
