"""The example of order events: its stack reads the stream of the bundle's table, and publishes an order's statuses."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aws_lambda_powertools
import pytest

from local import deploy, environment, settings
from local.stack import Stack
from serverless_cart.clock import clock
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.table import Table
from tests.support.builders import order
from tests.support.lambdas import Lambdas
from tools.support.clients import Manager, unique
from tools.support.database import Database
from tools.support.paths import ROOT

pytestmark = pytest.mark.last(4)  # it deploys

EXAMPLE: Final = ROOT / "examples" / "order-events" / "template.yaml"
LAYER: Final = "powertools"
SECONDS: Final = 60


def powertools() -> bytes:
    """Return Powertools as a layer; the emulator's interpreter has its dependencies."""
    (package,) = map(Path, aws_lambda_powertools.__path__)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as layer:
        for file in package.rglob("*.py"):
            layer.write(file, Path("python") / file.relative_to(package.parent))
    return packed.getvalue()


@pytest.fixture
def receive(stack: Stack, lambdas: Lambdas, tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """Deploy the example; yield a function that takes events from a queue, to which a rule on its bus sends them."""

    def client(service: Any) -> Any:
        return environment.session().client(service, endpoint_url=stack.endpoint_url, config=environment.CLIENT)

    name = unique("order-events")
    layer = lambdas.client.publish_layer_version(LayerName=LAYER, Content={"ZipFile": powertools()})
    client("ssm").put_parameter(Name=name, Value=layer["LayerVersionArn"], Type="String")
    (bundle,) = client("cloudformation").describe_stacks(StackName=settings.STACK_NAME)["Stacks"]
    (stream,) = (it["OutputValue"] for it in bundle["Outputs"] if it["OutputKey"] == "StreamArn")
    options = ["--template-file", str(EXAMPLE), "--stack-name", name]
    parameters = [f"StreamArn={stream}", f"PowertoolsLayer={name}"]
    deploy.run_sam("deploy", [*options, "--parameter-overrides", *parameters], stack.endpoint_url, tmp_path / "log")

    sqs, events = client("sqs"), client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=name, EventPattern='{"source": ["serverless-cart"]}')
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])

    def receive() -> list[str]:
        received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        for message in received:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in received]

    yield receive
    client("cloudformation").delete_stack(StackName=name)


def test_paid_order_is_published(
    receive: Callable[[], list[str]], manager: Manager, shop: str, database: Database
) -> None:
    made = order(shop=shop, customer=unique("wilhelmina"), created_at=clock(), notes="Ring twice")
    Table(database.name, database.client).transact(new_order_writes(made, open_holds=1))
    paid = manager.send("PATCH", f"/api/v2/orders/{made.key}", "", json={"status": "processing"})

    end, texts = time.monotonic() + SECONDS, list[str]()
    while len(texts) < 2 and time.monotonic() < end:
        texts += [text for text in receive() if made.key in text]
    found = [json.loads(text) for text in texts]
    assert not any(private in text for private in (made.customer, made.notes) for text in texts)
    detail = {"shop": shop, "order": made.key}
    assert paid.status == 200
    assert [(it["source"], it["detail-type"], it["detail"]) for it in found] == [
        ("serverless-cart", "Order Created", {**detail, "status": "hold", "is_paid": False, "version": 1}),
        ("serverless-cart", "Order Changed", {**detail, "status": "processing", "is_paid": True, "version": 2}),
    ]
