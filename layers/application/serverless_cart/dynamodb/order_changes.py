"""What a change of an order means for the statistics (docs/table.md)."""

from collections.abc import Mapping
from typing import Any

from serverless_cart.domain.statistics import Counts
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import key_of, read_int
from serverless_cart.dynamodb.order_item import read_total


def counts_of(record: Mapping[str, Any]) -> Counts:
    """Return what a stream record counts: an order as it was made, in the hour of its creation.

    Its later changes count nothing. Raises `KeyError`, `ValueError` or `TypeError` for a record that is not as this
    version writes it.
    """
    counts = Counts()
    key = key_of(record["dynamodb"]["Keys"])
    if keys.is_order(key) and record["eventName"] == "INSERT":
        made = record["dynamodb"]["NewImage"]
        counts.order(keys.shop_of_order(key), read_int(made, "created_at"), read_total(made))
    return counts
