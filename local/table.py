"""Adds the settings of the table that the emulator's CloudFormation ignores: TTL, backups and encryption.

They are read from the template after SAM's transform, and set with the calls of DynamoDB.
"""

from typing import Any

from local import environment, settings


def complete(endpoint_url: str) -> None:
    """Set the missing settings of the deployed stack's table."""
    session = environment.session()
    stacks = session.client("cloudformation", endpoint_url=endpoint_url, config=environment.CLIENT)
    dynamodb = session.client("dynamodb", endpoint_url=endpoint_url, config=environment.CLIENT)
    template: Any = stacks.get_template(StackName=settings.STACK_NAME, TemplateStage="Processed")["TemplateBody"]
    properties = template["Resources"]["Table"]["Properties"]
    resource = stacks.describe_stack_resource(StackName=settings.STACK_NAME, LogicalResourceId="Table")
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"]
    )
    dynamodb.update_table(TableName=name, SSESpecification={"Enabled": properties["SSESpecification"]["SSEEnabled"]})
