"""The functions' client of DynamoDB: one per process, with short timeouts, warmed up during init."""

import codecs
from collections.abc import Callable
from typing import Final

import boto3
from botocore.config import Config

from serverless_cart.dynamodb.attributes import key_attributes
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import ATTEMPTS, Table

CONNECT_TIMEOUT: Final = 1.0
"""Seconds."""


def connect(
    table_name: str, timeout: float, observe: Callable[[str, float], None], report_conflict: Callable[[], None]
) -> Table:
    """Connect to a table; ``timeout`` is the longest wait for one answer in seconds, the others are as in `Table`."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        parameter_validation=False,  # DynamoDB checks them too, and requests are parsed strictly
        user_agent="serverless-cart",  # botocore would build one for every call
    )
    client = boto3.client("dynamodb", config=config)
    # Signing a call that is never sent resolves the endpoint and the credentials during init instead of in the first
    # request. The first connection would load the codec, to encode the host's name.
    client.generate_presigned_url("get_item", Params={"TableName": table_name, "Key": key_attributes(Key("-", "-"))})
    codecs.lookup("idna")
    return Table(table_name, client, observe, report_conflict=report_conflict)
