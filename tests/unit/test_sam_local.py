"""The files of `sam local`, and the bridge of the container engine that they name."""

import json
import os
import sys
import tomllib
from ipaddress import IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local import containers, environment, sam_local, settings
from local.containers import Bridge, bridge_of
from tools.support.paths import ROOT

STACK = SimpleNamespace(endpoint_url="http://127.0.0.1:4567", table_name="the-table", api_key=f"eu1-{'a' * 40}")
BRIDGE = Bridge("172.17.0.1", IPv4Network("172.17.0.0/16"))
DOCKER = [{"IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}}]
PODMAN = [{"subnets": [{"subnet": "10.88.0.0/16", "gateway": "10.88.0.1"}]}]
BOTH_VERSIONS = [
    {"IPAM": {"Config": [{"Subnet": "fd00::/64", "Gateway": "fd00::1"}, *DOCKER[0]["IPAM"]["Config"]]}},
]


def written(bridge: Bridge | None) -> dict[str, str]:
    return sam_local.files(Path("/state"), STACK, bridge)


def configured(bridge: Bridge | None) -> dict[str, Any]:
    commands = tomllib.loads(written(bridge)["sam-local.toml"])["default"]
    return {command: section["parameters"] for command, section in commands.items()}


def test_files_are_those_that_are_removed() -> None:
    assert tuple(written(None)) == sam_local.FILES


@pytest.mark.parametrize("bridge", [None, BRIDGE])
def test_configuration_reaches_table_and_region(bridge: Bridge | None) -> None:
    both = configured(bridge)

    assert list(both) == ["local_invoke", "local_start_api"]
    for parameters in both.values():
        assert parameters["region"] == settings.REGION
        assert parameters["env_vars"] == "/state/sam-local.json"
        assert parameters["template_file"] == str(settings.BUILD / "template.yaml")
        assert parameters["parameter_overrides"] == [
            f"Runtime={environment.RUNTIME}",
            f"Architecture={environment.ARCHITECTURE}",
            "DynamoDBEndpoint=http://host.docker.internal:4567",
        ]
        assert "docker_network" not in parameters
        assert "127.0.0.1" not in str(parameters)


def test_variables_name_table_and_address() -> None:
    assert json.loads(written(None)["sam-local.json"])["Parameters"] == {
        "TABLE_NAME": "the-table",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://host.docker.internal:4567",
    }


def test_only_a_bridge_needs_a_host_name() -> None:
    assert configured(BRIDGE)["local_invoke"]["add_host"] == ["host.docker.internal:172.17.0.1"]
    assert configured(BRIDGE)["local_start_api"]["add_host"] == ["host.docker.internal:172.17.0.1"]
    assert "add_host" not in configured(None)["local_invoke"]


def test_only_start_api_keeps_containers() -> None:
    both = configured(None)

    assert both["local_start_api"]["warm_containers"] == "EAGER"
    assert "warm_containers" not in both["local_invoke"]


def test_authorizer_event_has_the_demo_shop_s_key() -> None:
    event = json.loads(written(None)["authorizer.json"])
    fixture = json.loads((ROOT / "events" / "authorizer" / "token.json").read_text())

    assert event == {**fixture, "authorizationToken": f"Token eu1-{'a' * 40}"}


@pytest.mark.parametrize(
    ("described", "found"),
    [
        (json.dumps(DOCKER), BRIDGE),
        (json.dumps(BOTH_VERSIONS), BRIDGE),
        (json.dumps(PODMAN), Bridge("10.88.0.1", IPv4Network("10.88.0.0/16"))),
        (json.dumps([{"IPAM": {"Config": [{"Subnet": "fd00::/64", "Gateway": "fd00::1"}]}}]), None),
        (json.dumps([{"IPAM": {"Config": None}}]), None),
        (json.dumps([]), None),
        ("", None),
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
