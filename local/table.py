"""Giving the emulator's table what its CloudFormation ignores: deletion by TTL, backups and encryption.

They are read from the template as SAM transformed it and put through DynamoDB's ordinary interface.
"""

from typing import Any

from local import environment, settings


def complete(endpoint_url: str) -> None:
    """Put what the emulator left out, for the table of the deployed stack."""
    session = environment.session()
    stacks = session.client("cloudformation", endpoint_url=endpoint_url, config=environment.CLIENT)
    dynamodb = session.client("dynamodb", endpoint_url=endpoint_url, config=environment.CLIENT)
    template: Any = stacks.get_template(StackName=settings.STACK_NAME, TemplateStage="Processed")["TemplateBody"]
    words = template["Resources"]["Table"]["Properties"]
    resource = stacks.describe_stack_resource(StackName=settings.STACK_NAME, LogicalResourceId="Table")
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=words["TimeToLiveSpecification"])
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification=words["PointInTimeRecoverySpecification"]
    )
    dynamodb.update_table(TableName=name, SSESpecification={"Enabled": words["SSESpecification"]["SSEEnabled"]})
