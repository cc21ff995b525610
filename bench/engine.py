"""A table on DynamoDB Local."""

from bench.functions import TABLE
from local import environment
from serverless_cart.dynamodb.table import Table
from tools.support.template import create_table


def new_table(address: str, name: str = TABLE) -> Table:
    """Make the table from the template's own words."""
    client = environment.session().client("dynamodb", endpoint_url=address, config=environment.CLIENT)
    create_table(client, name)
    return Table(name, client)
