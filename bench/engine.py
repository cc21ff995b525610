"""A table on DynamoDB Local."""

from bench.functions import TABLE
from local import environment
from storefront.store.table import Table
from tests.template import TEMPLATE


def new_table(address: str, name: str = TABLE) -> Table:
    """Make the table from the template's own words."""
    client = environment.session().client("dynamodb", endpoint_url=address, config=environment.CLIENT)
    words = TEMPLATE["Resources"]["Table"]["Properties"]
    client.create_table(
        TableName=name,
        BillingMode=words["BillingMode"],
        KeySchema=words["KeySchema"],
        AttributeDefinitions=words["AttributeDefinitions"],
    )
    return Table(name, client)
