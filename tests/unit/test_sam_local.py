"""The files of `sam local`, and the bridge of the container engine that they name."""

import json
import os
import sys
import tomllib
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace

import pytest

from local import containers, environment, sam_local, settings
from local.containers import Bridge, bridge_of
from tests.sam_local.test_sam_local import EVENTS
from tools.support.paths import ROOT
from tools.support.template import FUNCTIONS

STACK = SimpleNamespace(endpoint_url="http://127.0.0.1:4567", table_name="the-table", api_key=f"eu1-{'a' * 40}")
BRIDGE = Bridge("172.17.0.1", IPv4Network("172.17.0.0/16"))
DOCKER = [{"IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}}]
PODMAN = '[{"subnets": [{"subnet": "10.88.0.0/16", "gateway": "10.88.0.1"}]}]'
IPV6 = {"Subnet": "fd00::/64", "Gateway": "fd00::1"}


def written(bridge: Bridge | None) -> dict[str, str]:
    return sam_local.files(Path("/state"), STACK, bridge)


def test_files_are_those_that_are_removed() -> None:
    assert tuple(written(None)) == sam_local.FILES


@pytest.mark.parametrize("bridge", [None, BRIDGE])
def test_configuration_reaches_table_and_region(bridge: Bridge | None) -> None:
    commands = tomllib.loads(written(bridge)["sam-local.toml"])["default"]
    both = {
        "template_file": str(settings.BUILD / "template.yaml"),
        "env_vars": "/state/sam-local.json",
        "region": settings.REGION,
        **({"add_host": ["host.docker.internal:172.17.0.1"]} if bridge else {}),
        "parameter_overrides": [
            f"Runtime={environment.RUNTIME}",
            f"Architecture={environment.ARCHITECTURE}",
            "DynamoDBEndpoint=http://host.docker.internal:4567",
        ],
    }

    assert {command: section["parameters"] for command, section in commands.items()} == {
        "local_invoke": both,
        "local_start_api": {**both, "warm_containers": "EAGER"},
    }


def test_variables_name_table_and_address() -> None:
    assert json.loads(written(None)["sam-local.json"])["Parameters"] == {
        "TABLE_NAME": "the-table",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://host.docker.internal:4567",
    }


def test_authorizer_event_has_the_demo_shop_s_key() -> None:
    event = json.loads(written(None)["authorizer.json"])
    fixture = json.loads((ROOT / "events" / "authorizer" / "token.json").read_text())

    assert event == {**fixture, "authorizationToken": f"Token eu1-{'a' * 40}"}


@pytest.mark.parametrize(
    ("described", "found"),
    [
        (json.dumps(DOCKER), BRIDGE),
        (json.dumps([{"IPAM": {"Config": [IPV6, *DOCKER[0]["IPAM"]["Config"]]}}]), BRIDGE),
        (PODMAN, Bridge("10.88.0.1", IPv4Network("10.88.0.0/16"))),
        *((json.dumps([{"IPAM": {"Config": config}}]), None) for config in ([IPV6], None)),
        *((nothing, None) for nothing in ("[]", "")),
    ],
)
def test_bridge_is_read_from_the_engine(described: str, found: Bridge | None) -> None:
    assert bridge_of(described) == found


@pytest.mark.parametrize(
    ("platform", "user", "asked"),
    [("linux", 0, ["docker", "podman"]), ("linux", 1000, ["docker"]), ("darwin", 0, [])],
)
def test_engines_are_asked_only_on_linux(
    monkeypatch: pytest.MonkeyPatch, platform: str, user: int, asked: list[str]
) -> None:
    commands: list[str] = []

    def ask(command: tuple[str, ...]) -> str:
        commands.append(command[0])
        return ""

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(containers, "_output", ask)

    assert containers.bridge.__wrapped__() is None
    assert commands == asked


def test_every_function_has_an_event() -> None:
    """`make test-sam-local`, which needs a container engine, invokes each with it."""
    assert {"AuthorizerFunction", *EVENTS} == set(FUNCTIONS.values())
