"""A table on DynamoDB Local."""

from bench.functions import TABLE
from local import environment
from serverless_cart.dynamodb.table import Table
from tools.support.template import create_table


def new_table(address: str, name: str = TABLE) -> Table:
    """Create the table of the template."""
    client = environment.session().client("dynamodb", endpoint_url=address, config=environment.CLIENT)
    create_table(client, name)
    return Table(name, client)
