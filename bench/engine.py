"""A table on DynamoDB Local."""

from bench.functions import TABLE
from local import environment
from storefront.store.table import Table
from tests.template import make_table


def new_table(address: str, name: str = TABLE) -> Table:
    """Make the table from the template's own words."""
    client = environment.session().client("dynamodb", endpoint_url=address, config=environment.CLIENT)
    make_table(client, name)
    return Table(name, client)
