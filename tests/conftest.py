"""Options, selection and order of all tests, and what a run shares: its seed, its engines and its figures."""

import functools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from local import cloud, dynamodb_local, environment
from local.stack import Stack
from tools.support import figures
from tools.support.database import Database

pytest_plugins = ["tests.support.engines"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of these tests."""
    group = parser.getgroup("serverless-cart")
    group.addoption(
        "--dynamodb-local",
        action="store_true",
        help="run tests/integration, tests/store and tests/engine on DynamoDB Local",
    )
    group.addoption("--full", action="store_true", help="run at full size")
    seed = random.SystemRandom().randrange(10**9)
    group.addoption("--seed", type=int, default=seed, help="repeat a run's operations")


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed, which repeats the run's operations."""
    return f"seed: {config.getoption('--seed')} (--seed, or SEED= with make, repeats the operations)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run's engine cannot do, and put what is marked ``last`` at the end."""
    absent = "moto" if config.getoption("--dynamodb-local") else "engine"
    left_out = [item for item in items if item.get_closest_marker(absent)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted((item for item in items if item not in left_out), key=_place)


def _place(item: pytest.Item) -> int:
    last = item.get_closest_marker("last")
    return int(last.args[0]) if last and last.args else int(bool(last))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """Return the run's seed."""
    value: int = pytestconfig.getoption("--seed")
    return value


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Return whether the run is at full size."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="session")
def command(pytestconfig: pytest.Config, *, full: bool) -> str:
    """Return the command of make for this run, for the figures."""
    return "make test" + "-engine" * bool(pytestconfig.getoption("--dynamodb-local")) + " FULL=1" * full


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_each_file_once() -> Iterator[None]:
    """Cache the files of services and endpoints, which botocore reads again for every session."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(JSONFileLoader().load_file)
        patch.setattr(JSONFileLoader, "load_file", lambda _, file_path: read(file_path))
        yield


@pytest.fixture(scope="session")
def dynamodb_local_url() -> Iterator[str]:
    """Run DynamoDB Local and return its address."""
    with dynamodb_local.running() as url:
        yield url


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the stack's files."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(state: Path) -> Iterator[Stack]:
    """Start the stack of the local cloud, and delete it afterwards."""
    with cloud.running(port=0, state=state) as running:
        yield running


@pytest.fixture(scope="session")
def database(stack: Stack) -> Database:
    """Return the stack's table."""
    client = environment.session().client("dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    return Database(client, stack.table_name)


@pytest.fixture
def token(stack: Stack, database: Database) -> str:
    """Return the token of a new customer of the demo shop, whose cart is empty."""
    _, token = database.new_owner(database.token(stack.api_key).shop)
    return token


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send a worker's figures to the main process (pytest-xdist)."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = figures.taken()


def pytest_testnodedown(node: Any) -> None:
    """Merge the figures of a worker that has ended (pytest-xdist)."""
    figures.take(node.workeroutput["figures"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of this run."""
    lines = figures.recorded()
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
