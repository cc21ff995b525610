"""Publishes orders of serverless-cart as events: a new order, and each change of its status or payment.

The events are for other systems of the shop: they name the order, and have nothing of the customer.
"""

import json
import os
from typing import Any
from urllib.parse import unquote

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import StreamRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="order_events")
events = boto3.client("events")


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Publish a batch in its order. Lambda delivers it again from the first record that could not be published."""
    changes = [record.dynamodb for record in DynamoDBStreamEvent(event).records if record.dynamodb]
    for change in changes:
        try:
            publish(change)
        except Exception:
            logger.exception("not published")
            return {"batchItemFailures": [{"itemIdentifier": change.sequence_number}]}
    return {"batchItemFailures": []}


def publish(change: StreamRecord) -> None:
    """Publish a change of an order. Raises `RuntimeError` if EventBridge does not accept the event."""
    new, old = change.new_image, change.old_image or {}
    if all(new[name] == old.get(name) for name in ("status", "is_paid")):
        return  # for example the erasure of the customer
    _, shop, key = map(unquote, new["pk"].split("#"))
    detail = {
        "shop": shop,
        "order": key,
        "status": new["status"],
        "is_paid": new["is_paid"],
        "version": int(new["version"]),
    }
    entry: Any = {
        "EventBusName": os.environ["EVENT_BUS_NAME"],
        "Source": "serverless-cart",
        "DetailType": "Order Changed" if old else "Order Created",
        "Time": int(new["updated_at"]) / 1000,
        "Detail": json.dumps(detail),
    }
    answer = events.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"event not accepted: {answer['Entries'][0]['ErrorCode']}")
    logger.info("published", **detail)
