"""The README's commands of `sam local`, in containers, on a local cloud of their own: `make test-sam-local`."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from local import cloud, containers, settings
from local.emulator import free_port
from local.stack import Stack
from tools.support.template import FUNCTIONS

# `cloud.up` leaves the emulator running when it returns, of which Python warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
README: Final = settings.ROOT / "README.md"
IMAGE: Final = os.environ.get("SAM_LOCAL_IMAGE")
"""A local image for hosts that cannot pull Amazon's."""
START_SECONDS: Final = 600
"""The first start pulls and builds the image."""


def commands() -> list[str]:
    """Return the lines of the README's section."""
    section = README.read_text().partition("## `sam local`")[2].partition("\n## ")[0]
    return re.findall(r"^ {4}(.+)$", section, flags=re.MULTILINE)


EXPORT, AUTHORIZER, CART_ITEMS, START_API = commands()
PREFERRED: Final = ("post", "put", "list", "get", "init", "shipping", "schedule", "batch")
"""The event of a function that is sent, by its name: the first of these that exists."""
EVENTS: Final = {
    function: next(
        event for event in (f"events/{folder}/{name}.json" for name in PREFERRED) if (settings.ROOT / event).exists()
    )
    for folder, function in FUNCTIONS.items()
    if folder != "authorizer"
}
INVOCATIONS: Final = [
    AUTHORIZER,
    *(
        CART_ITEMS.replace("CartItemsFunction", function).replace("events/cart_items/post.json", event)
        for function, event in EVENTS.items()
    ),
]
"""The README's commands, for every function."""


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    """Run Podman's service if Docker does not run."""
    if not containers.is_engine_present():
        pytest.skip("sam local needs Docker or Podman")
    if subprocess.run(["docker", "ps"], capture_output=True, check=False).returncode == 0:  # noqa: S607
        yield
        return
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        address = f"unix://{folder}/podman.sock"
        service = subprocess.Popen(["podman", "system", "service", "--time", "0", address])  # noqa: S603, S607
        patch.setenv("DOCKER_HOST", address)
        containers.bridge.cache_clear()
        yield
        service.terminate()
        service.wait()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, _engine: None) -> Iterator[Path]:
    """Run a local cloud by `make up`'s own function, in a folder with the names that the README uses."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "events").symlink_to(settings.ROOT / "events")
    state = folder / ".local"
    try:
        cloud.up(free_port(), state)
        if IMAGE:
            configuration = state / "sam-local.toml"
            local_image = f'skip_pull_image = true\ninvoke_image = ["{IMAGE}"]\nregion = '
            configuration.write_text(configuration.read_text().replace("region = ", local_image))
        yield folder
    finally:
        cloud.down(state)


@pytest.fixture(scope="module")
def stack(checkout: Path) -> Stack:
    loaded = Stack.load(checkout / ".local")
    assert loaded
    return loaded


def shell(command: str, checkout: Path) -> subprocess.Popen[str]:
    """Start a command of the README in a shell of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.Popen(  # noqa: S603 - the README's own words
        ["/bin/bash", "-c", f"{EXPORT}\nexec {command}"],
        cwd=checkout,
        env={**own, "PATH": f"{settings.SAM.parent}{os.pathsep}{own['PATH']}", "SAM_CLI_TELEMETRY": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def invoked(command: str, checkout: Path) -> Any:
    """Run a command, and return the function's answer: the last line of JSON that is no metric."""
    with shell(command, checkout) as process:
        output, errors = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 0, errors
    lines = [line for line in output.splitlines() if line.startswith("{") and '"_aws"' not in line]
    assert lines, f"{output}\n{errors}"
    return json.loads(lines[-1])


def test_readme_has_the_commands_of_every_function() -> None:
    assert {command.split()[3] for command in INVOCATIONS} == set(FUNCTIONS.values())
    assert CART_ITEMS in INVOCATIONS
    assert START_API.startswith("sam local start-api ")


@pytest.mark.parametrize("command", INVOCATIONS, ids=lambda command: command.split()[3])
def test_function_answers(checkout: Path, command: str) -> None:
    answer = invoked(command, checkout)

    if "AuthorizerFunction" in command:
        assert {statement["Effect"] for statement in answer["policyDocument"]["Statement"]} == {"Allow"}
    elif "ReleaseHoldsFunction" in command:
        assert answer == {"ended": 0, "errors": 0}
    elif "StatisticsRollUpFunction" in command:
        assert answer["batchItemFailures"] == []
    else:
        # The guest of the merge's event is unknown; the checkout's cart may be empty, or filled by another event.
        expected = {"CartMergeFunction": {400}, "CheckoutFunction": {200, 400}}.get(command.split()[3], {200, 201})
        assert answer["statusCode"] in expected, answer


def test_without_make_up_the_missing_table_is_named(checkout: Path) -> None:
    configuration = checkout / "without.toml"
    built = (checkout / ".local" / "sam-local.toml").read_text()
    kept = [line for line in built.splitlines() if not line.startswith(("env_vars", "add_host"))]
    configuration.write_text("\n".join(line for line in kept if "DynamoDBEndpoint" not in line))
    command = INVOCATIONS[-1].replace('"$SAM_CONFIG"', str(configuration))

    with shell(command, checkout) as process:
        output, errors = process.communicate(timeout=START_SECONDS)

    assert "There is no table. Start one with make up" in output + errors


@pytest.fixture(scope="module")
def api(checkout: Path) -> Iterator[str]:
    """Run `sam local start-api`, on a free port."""
    port = free_port()
    with shell(f"{START_API} --port {port}", checkout) as process:
        url = f"http://{settings.HOST}:{port}"
        deadline = time.monotonic() + START_SECONDS
        try:
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    requests.get(url, timeout=30)
                    break
                except requests.RequestException:
                    time.sleep(0.5)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # a job in the background ignores Ctrl-C
            process.communicate(timeout=120)


def test_start_api_serves_both_apis(api: str, stack: Stack) -> None:
    with requests.Session() as http:
        http.trust_env = False
        product = next(product for product in stack.products if product.active and product.stock)
        visitor = {"Authorization": f"Token {stack.api_key}"}
        customer = {"Authorization": f"Token {stack.customer_tokens[0]}"}
        unknown = {"Authorization": f"Token {'f' * 40}"}
        event = {"id": "1", "index": "product", "title": "Mug"}
        cart = f"{api}/api/shop/cart"

        registered = http.put(f"{api}/6/{stack.hashid}/stats/cart/a", json=event, headers=visitor, timeout=60)
        added = http.post(f"{cart}/items", json={"product": product.id}, headers=customer, timeout=60)
        read = http.get(cart, headers=customer, timeout=60)
        refused = http.get(cart, headers=unknown, timeout=60)

    assert (registered.status_code, registered.json()) == (200, {"status": "registered"})
    assert (added.status_code, added.json()["count"]) == (200, 1)
    assert read.json() == added.json()
    assert refused.status_code == 403
