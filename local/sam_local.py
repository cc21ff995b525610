"""The files with which `sam local` runs this host's build on the emulator's table."""

import json
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from local import environment, settings
from local.containers import HOST_NAME, Bridge

FILES: Final = ("sam-local.json", "sam-local.toml", "authorizer.json")
"""The functions' variables, SAM's configuration, and an event of the authorizer with the demo shop's key."""
EVENT: Final = settings.ROOT / "events" / "authorizer" / "token.json"


class Described(Protocol):
    """The parts of the description of a local cloud that these files need."""

    @property
    def endpoint_url(self) -> str:
        """The address of the emulator."""

    @property
    def table_name(self) -> str:
        """The name of the table."""

    @property
    def api_key(self) -> str:
        """The API key of the demo shop."""


def files(folder: Path, stack: Described, bridge: Bridge | None) -> dict[str, str]:
    """Return the content of each of `FILES`; they are written to ``folder``."""
    endpoint_url = f"http://{HOST_NAME}:{urlsplit(stack.endpoint_url).port}"
    variables = {"TABLE_NAME": stack.table_name, "AWS_ENDPOINT_URL_DYNAMODB": endpoint_url}
    event = {**json.loads(EVENT.read_text()), "authorizationToken": f"Token {stack.api_key}"}
    variables_file, configuration_file, event_file = FILES
    return {
        variables_file: json.dumps({"Parameters": variables}, indent=2),
        configuration_file: _configuration(folder / variables_file, endpoint_url, bridge),
        event_file: json.dumps(event, indent=2),
    }


def _configuration(variables: Path, endpoint_url: str, bridge: Bridge | None) -> str:
    """Return SAM's configuration. Without a bridge, as on Docker Desktop, containers know the host's name already."""
    add_host = f'add_host = ["{HOST_NAME}:{bridge.address}"]\n' if bridge else ""
    both = f"""
template_file = "{settings.BUILD / "template.yaml"}"
env_vars = "{variables}"
region = "{settings.REGION}"
{add_host}parameter_overrides = [
  "Runtime={environment.RUNTIME}",
  "Architecture={environment.ARCHITECTURE}",
  "DynamoDBEndpoint={endpoint_url}",
]
"""
    return f"""version = 0.1

[default.local_invoke.parameters]{both}
[default.local_start_api.parameters]{both}warm_containers = "EAGER" # one container of each function, started at once
"""
