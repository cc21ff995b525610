"""template.yaml, read."""

from typing import TYPE_CHECKING, Any

import yaml

from tests.builders import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class _Loader(yaml.SafeLoader):
    """Reads a template, its functions (``!Ref x``) as ``{"Ref": x}``."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Read a function of CloudFormation's."""
    name = suffix if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)
    return {name: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _function)

TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a safe loader


def make_table(client: "DynamoDBClient", name: str) -> None:
    """Make a table of the template's own words.

    TTL stays off, since it goes by the engine's clock and tests have one of their own; deleting late is allowed to it.
    So does the stream, which on DynamoDB Local makes every call the slower the more changes it holds (not so on AWS).
    """
    words = TEMPLATE["Resources"]["Table"]["Properties"]
    client.create_table(
        TableName=name,
        BillingMode=words["BillingMode"],
        KeySchema=words["KeySchema"],
        AttributeDefinitions=words["AttributeDefinitions"],
        SSESpecification={"Enabled": words["SSESpecification"]["SSEEnabled"]},
    )
