"""Finding a deployment: on AWS by the outputs of its stack, on this machine by the description of the local cloud."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, ProfileNotFound

from cartctl.errors import CartctlError, NotFoundError
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.dynamodb.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STACK: Final = "serverless-cart"
"""The stack's name in samconfig.yaml."""
CHECKOUT: Final = Path(__file__).resolve().parents[1]
"""The checkout that this code runs from. If cartctl was installed elsewhere, this is no checkout."""
LOCAL_CLOUD: Final = Path(".local") / "stack.json"
"""The file in a checkout that describes its running local cloud."""
OUTPUTS: Final = ("TableName", "SearchUrl", "ShopUrl")
"""The outputs that every stack has. An older one has no ManagementUrl."""
THREADS: Final = 16
"""The most concurrent requests of one command."""
ATTEMPTS: Final = 10
"""Attempts of a request, and of the unprocessed items of a batch: a table that scales up throttles for a while."""


class Resource(NamedTuple):
    """A resource of a stack: its type, its name in the template, and its name in AWS."""

    kind: str
    name: str
    physical: str


@dataclass(frozen=True)
class Deployment:
    """A deployed stack. ``parameters`` are those of template.yaml; only the local cloud has an ``endpoint_url``.

    ``management_url``, ``stream_arn``, ``failure_queue_url`` and ``version`` are empty if the stack is too old to have
    them.
    """

    session: boto3.Session
    stack: str
    table_name: str
    search_url: str
    shop_url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    endpoint_url: str | None = None
    management_url: str = ""
    stream_arn: str = ""
    failure_queue_url: str = ""
    version: str = ""

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client, which threads may share."""
        return self.session.client("dynamodb", endpoint_url=self.endpoint_url, config=self.client_config)

    @cached_property
    def table(self) -> Table:
        """The stack's table."""
        return Table(self.table_name, self.dynamodb, attempts=ATTEMPTS)

    def client(self, service: str) -> Any:  # noqa: ANN401 - a client of any service
        """Return a client of another service of the stack."""
        return self.session.client(service, endpoint_url=self.endpoint_url, config=self.client_config)  # type: ignore[call-overload]

    @cached_property
    def resources(self) -> list[Resource]:
        """The resources of the stack."""
        return self.resources_of(self.stack)

    def resources_of(self, stack: str) -> list[Resource]:
        """Return the resources of a stack, which may be nested in this one."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        return [
            Resource(it["ResourceType"], it["LogicalResourceId"], it.get("PhysicalResourceId", ""))
            for page in pages
            for it in page["StackResourceSummaries"]
        ]

    @property
    def client_config(self) -> Config:
        """The configuration of this deployment's clients."""
        return client_config(local=self.endpoint_url is not None)

    def setting(self, parameter: str, default: int) -> int:
        """Return a parameter of the stack, or ``default`` if the stack is too old to have it."""
        return int(self.parameters.get(parameter, default))

    @property
    def limits(self) -> Limits:
        """The limits that the stack's parameters set."""
        days, hours, minutes = 24 * 3600, 3600, 60
        contract = CONTRACT_LIMITS
        return Limits(
            cart_items=self.setting("CartItems", contract.cart_items),
            item_quantity=self.setting("ItemQuantity", contract.item_quantity),
            cart_lifetime=self.setting("CartLifetimeDays", contract.cart_lifetime // days) * days,
            price_age=self.setting("PriceAgeSeconds", contract.price_age),
            session_item_lifetime=self.setting("SessionItemLifetimeHours", contract.session_item_lifetime // hours)
            * hours,
            hold_lifetime=self.setting("HoldMinutes", contract.hold_lifetime // minutes) * minutes,
            open_holds=self.setting("OpenHolds", contract.open_holds),
        )


def client_config(*, local: bool) -> Config:
    """Return the configuration of clients; a local deployment is called without a proxy."""
    return Config(
        proxies={} if local else None,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=THREADS,
        connect_timeout=5,
        read_timeout=30,
    )


def on_aws(stack: str, profile: str | None, region: str | None) -> Deployment:
    """Find a stack by the AWS credential chain. Raises `CartctlError` and the errors of the SDK."""
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as error:
        raise CartctlError(
            f"There is no AWS profile {profile!r}: run aws configure list-profiles to see them."
        ) from error
    outputs, parameters = _described(session, stack, None)
    if missing := [name for name in OUTPUTS if name not in outputs]:
        raise CartctlError(
            f"Stack {stack} has no output {missing[0]}: name a stack of serverless-cart, or finish its deployment."
        )
    return Deployment(
        session,
        stack,
        outputs["TableName"],
        outputs["SearchUrl"],
        outputs["ShopUrl"],
        parameters=parameters,
        management_url=outputs.get("ManagementUrl", ""),
        stream_arn=outputs.get("StreamArn", ""),
        failure_queue_url=outputs.get("StatisticsFailureQueueUrl", ""),
        version=outputs.get("Version", ""),
    )


def local_cloud(checkout: Path = CHECKOUT) -> Path:
    """Return the description of this checkout's local cloud.

    If cartctl was installed elsewhere, the checkout is the current directory or one above it. Raises `CartctlError` if
    there is no description.
    """
    if (checkout / "template.yaml").exists():
        return checkout / LOCAL_CLOUD
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / LOCAL_CLOUD).exists():
            return folder / LOCAL_CLOUD
    raise CartctlError(
        f"No local cloud is running in {here} or above: change to a checkout of serverless-cart and run make up."
    )


def on_this_machine(description: Path | None = None) -> Deployment:
    """Return the local cloud that was started last. Raises `CartctlError` if none is running."""
    try:
        stack: dict[str, Any] = json.loads((description or local_cloud()).read_text())
    except FileNotFoundError:
        raise CartctlError("No local cloud is running: run make up to start it.") from None
    session = test_session(stack["region"])
    outputs, parameters = _described(session, STACK, stack["endpoint_url"])
    return Deployment(
        session,
        STACK,
        stack["table_name"],
        stack["search_url"],
        stack["shop_url"],
        parameters=parameters,
        endpoint_url=stack["endpoint_url"],
        management_url=stack.get("management_url", ""),
        stream_arn=outputs.get("StreamArn", ""),
        failure_queue_url=outputs.get("StatisticsFailureQueueUrl", ""),
        version=outputs.get("Version", ""),
    )


def test_session(region: str) -> boto3.Session:
    """Return a session of the emulator's test account, which ignores the profiles and variables of the shell."""
    nothing = (None, None, None, None)
    files = {
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator's public one
        region_name=region,
        botocore_session=botocore.session.Session({"profile": nothing, **files}),
    )


def _described(session: boto3.Session, stack: str, endpoint_url: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return a stack's outputs and parameters."""
    client = session.client(
        "cloudformation", endpoint_url=endpoint_url, config=client_config(local=endpoint_url is not None)
    )
    try:
        (described,) = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise NotFoundError(f"There is no stack {stack} in {session.region_name}: pass --stack or --region.") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    parameters = {
        parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described.get("Parameters", ())
    }
    return outputs, parameters
