"""Adds the two parts of an API's body that the emulator's gateway ignores.

These are the gateway responses (the gateway's own errors) and the mock integrations (the answers to preflight
requests). Both are read from the template after SAM's transform, and created with the calls of API Gateway.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from local import environment, settings

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient


def complete(endpoint_url: str) -> None:
    """Create the missing parts of each API of the deployed stack."""
    session = environment.session()
    stacks = session.client("cloudformation", endpoint_url=endpoint_url, config=environment.CLIENT)
    gateway = session.client("apigateway", endpoint_url=endpoint_url, config=environment.CLIENT)
    template: Any = stacks.get_template(StackName=settings.STACK_NAME, TemplateStage="Processed")["TemplateBody"]
    for resource in stacks.describe_stack_resources(StackName=settings.STACK_NAME)["StackResources"]:
        if resource["ResourceType"] == "AWS::ApiGateway::RestApi":
            body = template["Resources"][resource["LogicalResourceId"]]["Properties"]["Body"]
            _complete(gateway, resource["PhysicalResourceId"], body)


def _complete(gateway: "APIGatewayClient", api: str, body: dict[str, Any]) -> None:
    """Create the gateway responses and mocks of one API, and deploy them to its stages."""
    own_answers = body.get("x-amazon-apigateway-gateway-responses", {})
    for former in gateway.get_gateway_responses(restApiId=api)["items"]:
        if not former["defaultResponse"] and former["responseType"] not in own_answers:
            gateway.delete_gateway_response(restApiId=api, responseType=former["responseType"])
    for name, response in own_answers.items():
        gateway.put_gateway_response(restApiId=api, responseType=name, **response)
    pages = gateway.get_paginator("get_resources").paginate(restApiId=api)
    resources = {resource["path"]: resource["id"] for page in pages for resource in page["items"]}
    for path, method, operation in _mocks(body):
        _put_mock(gateway, api, resources[path], method, operation)
    for stage in gateway.get_stages(restApiId=api)["item"]:
        gateway.create_deployment(restApiId=api, stageName=stage["stageName"])


def _mocks(body: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and operation of each mock integration."""
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            if operation.get("x-amazon-apigateway-integration", {}).get("type") == "mock":
                yield path, method.upper(), operation


def _put_mock(gateway: "APIGatewayClient", api: str, resource: str, method: str, operation: dict[str, Any]) -> None:
    integration = operation["x-amazon-apigateway-integration"]
    where: Any = {"restApiId": api, "resourceId": resource, "httpMethod": method}
    gateway.put_method(**where, authorizationType="NONE")
    for status, response in operation["responses"].items():
        headers = {f"method.response.header.{name}": False for name in response.get("headers", {})}
        gateway.put_method_response(**where, statusCode=status, responseParameters=headers)
    gateway.put_integration(**where, type="MOCK", requestTemplates=integration["requestTemplates"])
    for response in integration["responses"].values():
        gateway.put_integration_response(**where, **response)
