"""Parses DynamoDB's answers as plain JSON, without botocore's parser.

botocore's parser examines every attribute value for binary values and times, which this table does not have. A cart
of 100 items has 500 attributes: docs/decisions.md gives the figure. An answer that is not JSON is a fault; botocore's
parser would return it without an item, and the cart would look empty.
"""

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPERATIONS: Final = (
    "GetItem", "BatchGetItem", "Query", "Scan", "UpdateItem", "PutItem", "DeleteItem", "BatchWriteItem",
)  # fmt: skip
"""Operations whose answers have items. Other answers may have times, which need botocore's parser."""


def install(client: "DynamoDBClient") -> None:
    """Read the answers of this client's `OPERATIONS` as plain JSON."""
    for operation in OPERATIONS:
        client.meta.events.register(f"before-parse.dynamodb.{operation}", _parse)


def _parse(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_context: object) -> None:
    if response_dict["status_code"] < 300:  # errors stay with botocore's parser
        customized_response_dict.update(from_json(response_dict["body"], cache_strings="keys"))
        response_dict["body"] = b"{}"
