"""template.yaml as Python values, and a table like the one that it describes."""

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

import yaml

from tools.support.paths import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's functions (``!Ref x``) as ``{"Ref": x}``."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix == "Ref" else f"Fn::{suffix}"
    match node:
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case yaml.MappingNode():
            return {name: loader.construct_mapping(node, deep=True)}
        case yaml.ScalarNode():
            return {name: loader.construct_scalar(node)}
    raise TypeError(node)


_Loader.add_multi_constructor("!", _function)


def read_template(file: Path) -> dict[str, Any]:
    """Read a template."""
    content: dict[str, Any] = yaml.load(file.read_text(), _Loader)  # noqa: S506 - a safe loader
    return content


TEMPLATE: Final = read_template(ROOT / "template.yaml")


def resources_of_type(kind: str) -> list[str]:
    """Return the names of the template's resources of a type."""
    return [name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == kind]


FUNCTIONS: Final = {
    PurePath(TEMPLATE["Resources"][name]["Properties"]["CodeUri"]).name: name
    for name in resources_of_type("AWS::Serverless::Function")
}
"""The functions' names in the template, by their folders in functions/."""


def create_table(client: "DynamoDBClient", name: str) -> None:
    """Create a table with the template's own settings.

    TTL is off, because it uses the engine's clock and tests have another; DynamoDB may delete late anyway. The stream
    is off too: on DynamoDB Local every call is slower the more changes the stream has, which is not so on AWS.
    """
    settings = TEMPLATE["Resources"]["Table"]["Properties"]
    client.create_table(
        TableName=name,
        BillingMode=settings["BillingMode"],
        KeySchema=settings["KeySchema"],
        AttributeDefinitions=settings["AttributeDefinitions"],
        SSESpecification={"Enabled": settings["SSESpecification"]["SSEEnabled"]},
    )
