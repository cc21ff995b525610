"""What every kind of test shares: on which engine it runs, its seed, the local cloud's stack, and its figures."""

import functools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from local import cloud, dynamodb_local
from local.stack import Stack
from tools.support import figures


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of these tests."""
    group = parser.getgroup("serverless-cart")
    group.addoption(
        "--dynamodb-local",
        action="store_true",
        help="run on DynamoDB Local what runs on moto otherwise, and what runs nowhere else (tests/engine)",
    )
    group.addoption("--full", action="store_true", help="run at full size what `make test` runs at a smaller one")
    seed = random.SystemRandom().randrange(10**9)
    group.addoption("--seed", type=int, default=seed, help="repeat a run's operations")


def pytest_report_header(config: pytest.Config) -> str:
    """Say how the run's operations can be had again."""
    return f"seed: {config.getoption('--seed')} (--seed, or SEED= with make, repeats the operations)"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what needs the engine itself, unless it is asked for, and then what needs more of AWS than that."""
    tests = Path(__file__).parent
    left_out = "integration/test_cartctl_doctor.py" if config.getoption("--dynamodb-local") else "engine"
    return True if collection_path == tests / left_out else None


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """Return the run's seed."""
    value: int = pytestconfig.getoption("--seed")
    return value


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Tell whether the run is to be at full size."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="session")
def command(pytestconfig: pytest.Config, *, full: bool) -> str:
    """Return the command of make that makes such a run, for the figures."""
    return "make test" + "-engine" * bool(pytestconfig.getoption("--dynamodb-local")) + " FULL=1" * full


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_each_file_once() -> Iterator[None]:
    """Keep what botocore reads of services and endpoints, which it does anew for every session that a test begins."""
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
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start a stack of the tests' own; nothing of it is left behind."""
    with cloud.running(port=0, state=tmp_path_factory.mktemp("stack")) as running:
        yield running


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's figures to the process that started it (pytest-xdist)."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = figures.taken()


def pytest_testnodedown(node: Any) -> None:
    """Take over the figures of a worker that has ended (pytest-xdist)."""
    figures.take(node.workeroutput["figures"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of this run."""
    lines = figures.recorded()
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
