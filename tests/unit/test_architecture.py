"""The structure of the code: its imports, what a cold start loads, and the examples in docstrings."""

import ast
import doctest
import graphlib
import importlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import SocketBlockedError

from tests.support.cold import initialised, load_function
from tools.support.paths import ROOT

PACKAGE = ROOT / "layers" / "application" / "serverless_cart"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FUNCTIONS = sorted(file.parent.name for file in (ROOT / "functions").glob("*/app.py"))


def test_every_part_has_sources() -> None:
    assert {file.parent.name for file in SOURCES} == {"serverless_cart", "domain", "service", "dynamodb", "web"}
    assert FUNCTIONS == [
        "authorizer",
        "cart",
        "cart_items",
        "cart_merge",
        "checkout",
        "customer_cart",
        "customer_tokens",
        "guests",
        "methods",
        "orders",
        "release_holds",
        "shop_orders",
        "statistics",
        "statistics_roll_up",
        "stats_cart",
        "stats_events",
    ]


# ----------------------------------------------------------------------------------------------------------------------
# Dependencies point inward
# ----------------------------------------------------------------------------------------------------------------------

OURS = "serverless_cart"
MAY_IMPORT = {
    "__init__": set[str](),
    "clock": set[str](),
    "cold_start": set[str](),
    "startup": {"serverless_cart_target"},
    "auth": {"domain"},
    "environment": {"domain", "pydantic"},
    "telemetry": {"aws_lambda_powertools", "botocore.exceptions"},
    "bootstrap": {"clock", "cold_start", "startup", "environment", "telemetry", "service", "dynamodb"},
    "domain": {"domain"},
    "service": {"domain", "service"},
    "dynamodb": {
        *("auth", "domain", "service.errors", "service.ports", "dynamodb"),
        *("service.checkout_ports", "service.order_ports"),
        *("boto3", "botocore", "mypy_boto3_dynamodb", "pydantic_core"),
    },
    "web": {
        *("auth", "telemetry", "domain", "service", "web"),
        *("aws_lambda_powertools", "pydantic", "pydantic_core"),
    },
}
"""What each part may import beside the standard library; a package's name stands for everything in it."""


def imports(file: Path) -> Iterator[str]:
    """Name the modules that a file imports, ``from serverless_cart import auth`` as serverless_cart.auth."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            for alias in node.names:
                inner = PACKAGE.parent.joinpath(*node.module.split("."), alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module


def is_allowed(module: str, part: str) -> bool:
    name = module.removeprefix(f"{OURS}.")
    return name.partition(".")[0] in sys.stdlib_module_names - {"domain"} or any(
        name == permitted or name.startswith(f"{permitted}.") for permitted in MAY_IMPORT[part]
    )


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_dependencies_point_inward(file: Path) -> None:
    own = file.relative_to(PACKAGE)
    part = own.parts[0] if len(own.parts) > 1 else own.stem

    assert [module for module in imports(file) if not is_allowed(module, part)] == []


def test_our_modules_import_in_no_circle() -> None:
    """Not even for types: `graphlib` raises `CycleError`."""
    graph = {
        ".".join((OURS, *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): {
            module for module in imports(file) if module.startswith(f"{OURS}.")
        }
        for file in SOURCES
    }

    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(SOURCES)


CARTCTL = sorted((ROOT / "cartctl").rglob("*.py"))


def roots(file: Path) -> set[str]:
    return {module.partition(".")[0] for module in imports(file)} - sys.stdlib_module_names


@pytest.mark.parametrize("file", CARTCTL, ids=lambda file: str(file.relative_to(ROOT)))
def test_cartctl_imports_the_package(file: Path) -> None:
    libraries = {"boto3", "botocore", "iso4217", "jinja2", "mypy_boto3_dynamodb", "openpyxl", "plotly", "requests"}
    libraries |= {"rich", "typer"}

    assert roots(file) <= {*libraries, "cartctl", OURS}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_import_package_and_powertools(function: str) -> None:
    assert roots(ROOT / "functions" / function / "app.py") <= {OURS, "aws_lambda_powertools"}


def test_authorizer_imports_nothing_of_web() -> None:
    modules = set(imports(ROOT / "functions" / "authorizer" / "app.py"))

    assert not any(module.startswith(f"{OURS}.web") for module in modules)


@pytest.mark.parametrize(
    ("folder", "others"),
    [
        ("bench", {"tests"}),
        ("tools", {"tests", "bench"}),
        ("local", {"tests", "bench"}),
        ("cartctl", {"tests", "bench", "tools", "local"}),
    ],
)
def test_folders_import_no_tests(folder: str, others: set[str]) -> None:
    files = list((ROOT / folder).rglob("*.py"))

    assert files
    assert {str(file): roots(file) & others for file in files if roots(file) & others} == {}


def test_only_budgets_import_bench() -> None:
    importers = {file.name for file in (ROOT / "tests").rglob("*.py") if "bench" in roots(file)}

    assert importers == {"test_budgets.py"}


def test_nothing_uses_the_tracer() -> None:
    """Its SDK costs 270 ms at import even if it is disabled; `Tracing: Active` needs no code."""
    sources = [*SOURCES, *(ROOT / "functions").rglob("*.py")]

    assert [str(file) for file in sources if "Tracer" in file.read_text() or "xray" in file.read_text().lower()] == []


# ----------------------------------------------------------------------------------------------------------------------
# What a cold start loads
# ----------------------------------------------------------------------------------------------------------------------

MODULES = {
    "authorizer": 180,
    "stats_cart": 250,
    "stats_events": 250,
    "cart": 260,
    "cart_items": 260,
    "cart_merge": 260,  # also tokens and guests
    "checkout": 270,  # also orders and methods
    "guests": 250,
    "statistics_roll_up": 230,
    "methods": 250,
    "customer_cart": 260,
    "customer_tokens": 250,
    "statistics": 260,  # also time zones and CSV
    "orders": 260,
    "shop_orders": 255,
    "release_holds": 250,
}
"""What each function may load beyond a bare boto3 client, whose modules are 390."""

BARE_CLIENT = "import boto3; boto3.client('dynamodb')"


def modules_of(function: str) -> frozenset[str]:
    return initialised(load_function(function)).modules


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_load_only_what_they_need(function: str) -> None:
    packages = {module.partition(".")[0] for module in modules_of(function)}

    assert {"boto3", "aws_lambda_powertools", "pydantic"} <= packages
    assert packages.isdisjoint({"aws_xray_sdk", "requests", "pytest", "moto", "yaml"})
    operators = {"domain.validation", "dynamodb.shops", "dynamodb.token_registry"}
    validation = {"domain.validation"}
    used = dict.fromkeys(("customer_cart", "statistics", "shop_orders"), validation)
    used["customer_tokens"] = validation | {"dynamodb.token_registry"}
    loaded = {part for part in operators if f"{OURS}.{part}" in modules_of(function)}
    assert loaded == used.get(function, set())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_load_few_modules(function: str) -> None:
    more = modules_of(function) - initialised(BARE_CLIENT).modules

    assert len(more) <= MODULES[function], sorted(more)


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        ("authorizer", {"web", "service.cart"}),
        ("stats_cart", {"service.cart", "web.search_events", "dynamodb.search_events"}),
        ("stats_events", {"service.cart", "web.search_cart"}),
        ("statistics_roll_up", {"web", "service.cart"}),
        ("customer_tokens", {"service.cart", "web.shop_api"}),
        ("customer_cart", {"web.shop_api", "dynamodb.token_registry"}),
        ("statistics", {"service.cart", "web.shop_api", "dynamodb.token_registry"}),
    ],
)
def test_functions_load_no_foreign_parts(function: str, parts: set[str]) -> None:
    assert not any(module.startswith(f"{OURS}.{part}") for module in modules_of(function) for part in parts)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_garbage_collection_is_on_after_init(function: str) -> None:
    assert initialised(load_function(function)).collects


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_socket_and_no_thread_after_init(function: str) -> None:
    """A snapshot keeps neither."""
    it = initialised(load_function(function))

    assert (it.sockets, it.threads) == ([], 1)


# ----------------------------------------------------------------------------------------------------------------------
# Examples and sockets
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    [*SOURCES, *(file for file in CARTCTL if file.stem != "__main__")],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_examples_in_docstrings_are_right(file: Path) -> None:
    root = PACKAGE.parent if PACKAGE in file.parents else ROOT
    name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(name)

    assert doctest.testmod(module).failed == 0


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_unit_tests_open_no_socket() -> None:
    with pytest.raises(SocketBlockedError):
        socket.socket()
