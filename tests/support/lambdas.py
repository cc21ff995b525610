"""The functions behind the stack: how often they ran, what they logged, and what their roles may do."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local import environment
from local.stack import Stack
from tools.support import template
from tools.support.clients import unique

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient

ALIAS = "live"
FUNCTIONS = tuple(name.removesuffix("Function") for name in template.FUNCTIONS.values())
_ECHO_CREDENTIALS = """
import os

def handler(event, context):
    return {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
"""


@dataclass(frozen=True)
class Lambdas:
    """The stack's functions."""

    client: "LambdaClient"
    logs: "CloudWatchLogsClient"
    region: str

    @classmethod
    def of(cls, stack: Stack) -> "Lambdas":
        """Return the functions of a stack."""
        session = environment.session()
        # An update of a function first ends all of its running copies.
        patient = environment.CLIENT.merge(Config(read_timeout=600))
        return cls(
            client=session.client("lambda", endpoint_url=stack.endpoint_url, config=patient),
            logs=session.client("logs", endpoint_url=stack.endpoint_url, config=environment.CLIENT),
            region=stack.region,
        )

    def name(self, function: str) -> str:
        """Return the deployed name of one of `FUNCTIONS`."""
        pages = self.client.get_paginator("list_functions").paginate()
        names = [
            f["FunctionName"]
            for page in pages
            for f in page["Functions"]
            if f"-{function}Function" in f["FunctionName"]
        ]
        (name,) = names
        return name

    def log(self, function: str) -> list[str]:
        """Return every line that a function ever logged."""
        group = self._configuration(function)["LoggingConfig"]["LogGroup"]
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def runs(self) -> dict[str, int]:
        """Count how often each function ran, without those that the stream or the clock starts."""
        called = [name for name in FUNCTIONS if name not in {"StatisticsRollUp", "ReleaseHolds"}]
        return {name: sum(line.startswith("START ") for line in self.log(name)) for name in called}

    def in_the_role_of(self, function: str) -> boto3.Session:
        """Return a session with a function's rights.

        The credentials come from a throw-away function that is given the same role.
        """
        role = self._configuration(function)["Role"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("probe.py", _ECHO_CREDENTIALS)
        name = unique("probe")
        self.client.create_function(
            FunctionName=name,
            Role=role,
            Runtime=environment.RUNTIME,  # type: ignore[arg-type]
            Handler="probe.handler",
            Code={"ZipFile": code.getvalue()},
        )
        try:
            said = json.load(self.client.invoke(FunctionName=name)["Payload"])
        finally:
            self.client.delete_function(FunctionName=name)
        return boto3.Session(
            said["AWS_ACCESS_KEY_ID"], said["AWS_SECRET_ACCESS_KEY"], said["AWS_SESSION_TOKEN"], region_name=self.region
        )

    def with_database_at(self, endpoint_url: str, function: str) -> AbstractContextManager[None]:
        """Let a function find its database at another address, which waits a second at most for an answer."""
        return self.with_variables(function, AWS_ENDPOINT_URL_DYNAMODB=endpoint_url, DATABASE_TIMEOUT_SECONDS="1")

    def with_dependencies(self, layer: str, function: str) -> AbstractContextManager[None]:
        """Replace the layer of packages in the version of a function that the APIs call."""
        layers = [it["Arn"] for it in self._configuration(function)["Layers"]]
        changed = [layer if "-dependencies:" in it else it for it in layers]
        return self._with(function, {"Layers": changed}, {"Layers": layers})

    def with_variables(self, function: str, **changed: str) -> AbstractContextManager[None]:
        """Let the version of a function that the APIs call have another environment."""
        variables = self._configuration(function)["Environment"]["Variables"]
        return self._with(
            function,
            {"Environment": {"Variables": {**variables, **changed}}},
            {"Environment": {"Variables": variables}},
        )

    @contextmanager
    def _with(self, function: str, changed: dict[str, Any], original: dict[str, Any]) -> Iterator[None]:
        """Publish a version with a changed configuration, and let the APIs call it meanwhile."""
        name = self.name(function)
        served = self.client.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"]
        self._configure(name, changed)
        version = self.client.publish_version(FunctionName=name)["Version"]
        self.client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)
        try:
            yield
        finally:
            self.client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=served)
            self.client.delete_function(FunctionName=name, Qualifier=version)
            self._configure(name, original)

    def _configuration(self, function: str) -> "FunctionConfigurationResponseTypeDef":
        return self.client.get_function_configuration(FunctionName=self.name(function))

    def _configure(self, name: str, configuration: dict[str, Any]) -> None:
        self.client.update_function_configuration(FunctionName=name, **configuration)
        self.client.get_waiter("function_updated_v2").wait(FunctionName=name)
