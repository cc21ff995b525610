"""Each function's role allows just what the function does, as the emulator evaluates the deployed policies."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local import environment
from local.stack import Stack
from tests.e2e.clients import unique
from tests.e2e.database import Database
from tests.e2e.lambdas import FUNCTIONS, Lambdas

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
    "DescribeTable": lambda client, table: client.describe_table(TableName=table),
    "UpdateTimeToLive": lambda client, table: client.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    ),
}
ALLOWED = {
    "Authorizer": {"GetItem"},
    "StatsCart": {"UpdateItem", "DeleteItem", "Query", "BatchWriteItem"},
    "Cart": {"GetItem", "BatchGetItem", "UpdateItem", "PutItem"},
    "CartItems": {"GetItem", "BatchGetItem", "UpdateItem", "PutItem"},
    "CartItem": {"GetItem", "BatchGetItem", "UpdateItem"},
}


@pytest.fixture(scope="module", params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> str:
    """Return each function in turn."""
    name = request.param
    assert isinstance(name, str)
    return name


@pytest.fixture(scope="module")
def client(function: str, lambdas: Lambdas, stack: Stack) -> "DynamoDBClient":
    """Return a client with the function's rights."""
    session = lambdas.in_the_role_of(function)
    return session.client("dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT)


def denied(call: Callable[["DynamoDBClient", str], object], client: "DynamoDBClient", table: str) -> bool:
    """Tell whether an action is denied; any other failure fails the test."""
    try:
        call(client, table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True
    return False


def test_a_role_allows_what_its_function_does_and_nothing_else(
    function: str, client: "DynamoDBClient", stack: Stack
) -> None:
    allowed = {action for action, call in ACTIONS.items() if not denied(call, client, stack.table_name)}
    assert allowed == ALLOWED[function]


def test_a_role_reaches_no_other_table(client: "DynamoDBClient", database: Database) -> None:
    table = unique("other")
    database.client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
    try:
        reached = {action for action, call in ACTIONS.items() if not denied(call, client, table)}
    finally:
        database.client.delete_table(TableName=table)
    assert reached == set()
