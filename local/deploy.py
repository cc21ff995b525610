"""Building the template and deploying it to the emulator, with the real `sam`."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml
from botocore.exceptions import ClientError

from local import environment, settings
from local.errors import LocalCloudError
from local.lock import held
from local.stack import Deployment
from tools.build import Target, write_template

LEFT_OUT: Final = frozenset({
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::Logs::QueryDefinition",
    "AWS::WAFv2::WebACLAssociation",
})  # fmt: skip
"""Types of resources in nested stacks that the emulator does not know, and so are not deployed to it."""
LOCK: Final = settings.STATE / "build.lock"
"""Held while the build, which the clouds of one checkout share, is made or read."""
REASON_LINES: Final = 12
"""The most lines of SAM's output that are shown if it fails."""


def build(endpoint_url: str, log: Path) -> None:
    """Build for this host what changed since the last build; the caller holds `LOCK`. Raises `LocalCloudError`."""
    target = Target(environment.RUNTIME, environment.ARCHITECTURE)
    template = write_template(target, settings.STATE)
    built_for = settings.BUILD.with_suffix(".target")
    if not built_for.exists() or built_for.read_text() != str(target):  # SAM's cache ignores both
        shutil.rmtree(settings.CACHE, ignore_errors=True)
        built_for.write_text(str(target))
    run_sam("build", ["--template-file", str(template)], endpoint_url, log)
    for nested in settings.BUILD.glob("*/template.yaml"):
        content = yaml.safe_load(nested.read_text())
        content["Resources"] = {
            name: resource for name, resource in content["Resources"].items() if resource["Type"] not in LEFT_OUT
        }
        nested.write_text(yaml.safe_dump(content, sort_keys=False))


def deploy(endpoint_url: str, log: Path, parameters: Mapping[str, str]) -> Deployment:
    """Deploy the build. ``parameters`` are added to those of local/samconfig.toml and of this host.

    No other process can build meanwhile. Raises `LocalCloudError`.
    """
    overrides = {
        **settings.PARAMETERS,
        "Runtime": environment.RUNTIME,
        "Architecture": environment.ARCHITECTURE,
        **parameters,
    }
    arguments = ["--parameter-overrides", *(f"{name}={value}" for name, value in overrides.items())]
    start = datetime.now(UTC)
    try:
        with held(LOCK):
            run_sam("deploy", arguments, endpoint_url, log)
    except LocalCloudError as error:
        raise LocalCloudError("\n".join([str(error), *_failures(endpoint_url, start)])) from None
    return deployed(endpoint_url)


def deployed(endpoint_url: str, stack_name: str = settings.STACK_NAME) -> Deployment:
    """Return the outputs of a deployed stack."""
    client = environment.session().client("cloudformation", endpoint_url=endpoint_url, config=environment.CLIENT)
    (stack,) = client.describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return Deployment(
        search_url=_here(outputs["SearchUrl"], endpoint_url),
        shop_url=_here(outputs["ShopUrl"], endpoint_url),
        management_url=_here(outputs["ManagementUrl"], endpoint_url),
        endpoint_url=endpoint_url,
        region=settings.REGION,
        table_name=outputs["TableName"],
    )


def _here(url: str, endpoint_url: str) -> str:
    """Return the emulator's address of an API: ``url`` is https://<api>.execute-api.<region>…/<stage>."""
    address = urlsplit(url)
    api = address.netloc.partition(".")[0]
    return f"{endpoint_url}/restapis/{api}{address.path}/_user_request_"


def run_sam(command: str, arguments: list[str], endpoint_url: str, log: Path) -> None:
    """Run a command of SAM. Raises `LocalCloudError` with the end of its output."""
    with log.open("w") as output, tempfile.TemporaryDirectory() as scratch:  # SAM leaves folders behind
        process = subprocess.Popen(  # noqa: S603 - SAM itself
            [str(settings.SAM), command, "--config-file", str(settings.SAMCONFIG), "--config-env", "local", *arguments],
            cwd=settings.ROOT,
            env={**environment.of_sam(endpoint_url), "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group, which can be stopped as a whole
        )
        with _ended(process):
            process.wait()
    if process.returncode != 0:
        raise LocalCloudError(f"sam {command} failed:\n{_reason(log)}\nIts output is {log}")


def _reason(log: Path) -> str:
    """Return SAM's error message, or the last lines of its output."""
    lines = log.read_text(errors="replace").rstrip().splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("Error:")]
    return "\n".join(lines[errors[-1] if errors else 0 :][-REASON_LINES:])


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill a process and its children if the wait for it is interrupted."""
    try:
        yield
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _failures(endpoint_url: str, since: datetime) -> list[str]:
    """Return the resources that could not be created or changed since then, with the reasons."""
    client = environment.session().client("cloudformation", endpoint_url=endpoint_url, config=environment.CLIENT)
    try:
        events = client.describe_stack_events(StackName=settings.STACK_NAME)["StackEvents"]
    except ClientError:  # the deployment failed before it created the stack
        return []
    return [
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in events
        if event["Timestamp"] >= since and event["ResourceStatus"].endswith("_FAILED")
    ]
