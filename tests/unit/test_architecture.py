"""The shape of the code: who may import whom, what a cold start may load, and that every fixture serves a test."""

import ast
import doctest
import importlib
import json
import socket
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pytest_socket import SocketBlockedError

from tests.builders import EVENTS, ROOT
from tests.cold import run_cold

PACKAGE = ROOT / "layers" / "storefront" / "storefront"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FUNCTIONS = sorted(file.parent.name for file in (ROOT / "functions").glob("*/app.py"))


def test_there_is_something_to_look_at() -> None:
    assert {file.parent.name for file in SOURCES} == {"storefront", "domain", "service", "store", "web"}
    assert {"authorizer", "stats_cart", "cart", "cart_item", "cart_items"} == set(FUNCTIONS)


# ----------------------------------------------------------------------------------------------------------------------
# Dependencies point inward
# ----------------------------------------------------------------------------------------------------------------------

MAY_IMPORT = {
    "storefront": set[str](),
    "tokens": set[str](),
    "log": set[str](),
    "domain": {"storefront.domain"},
    "service": {"storefront.domain", "storefront.service"},
    "store": {"storefront.domain", "storefront.service.port", "storefront.store", "storefront.tokens"}
    | {"botocore", "mypy_boto3_dynamodb"},
    "web": {"storefront", "storefront.domain", "storefront.service", "storefront.tokens", "storefront.web"}
    | {"storefront.log", "botocore.exceptions", "pydantic", "pydantic_core"},
}
"""What each part may import beside the standard library; a package's name stands for all in it, but for our own."""


def imports(file: Path) -> Iterator[str]:
    """Name the modules that a file imports, ``from storefront import tokens`` as storefront.tokens."""
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


def allowed(module: str, part: str) -> bool:
    if module.partition(".")[0] in sys.stdlib_module_names:
        return True
    return any(
        module == permitted or (module.startswith(f"{permitted}.") and permitted != "storefront")
        for permitted in MAY_IMPORT[part]
    )


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_dependencies_point_inward(file: Path) -> None:
    own = file.relative_to(PACKAGE)
    part = own.parts[0] if len(own.parts) > 1 else {"__init__": "storefront"}.get(own.stem, own.stem)

    assert [module for module in imports(file) if not allowed(module, part)] == []


def test_stores_and_edge_do_not_know_each_other() -> None:
    for part, other in (("store", "storefront.web"), ("web", "storefront.store")):
        assert not allowed(other, part)
        assert not allowed(f"{other}.x", part)


CARTCTL = sorted((ROOT / "cartctl").rglob("*.py"))


@pytest.mark.parametrize("file", CARTCTL, ids=lambda file: str(file.relative_to(ROOT)))
def test_cartctl_stands_on_the_functions_own_package(file: Path) -> None:
    libraries = {"boto3", "botocore", "mypy_boto3_dynamodb", "requests", "rich", "typer"}
    ours = {"cartctl", "storefront"}
    roots = {module.partition(".")[0] for module in imports(file)}

    assert roots - sys.stdlib_module_names - libraries - ours == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_wires_our_own_parts_alone(function: str) -> None:
    outside = [
        module
        for module in imports(ROOT / "functions" / function / "app.py")
        if module.partition(".")[0] not in {*sys.stdlib_module_names, "storefront"}
    ]
    assert outside == []


def test_the_authorizer_names_no_part_of_the_edge() -> None:
    modules = set(imports(ROOT / "functions" / "authorizer" / "app.py"))

    assert {module for module in modules if module.startswith("storefront.")} <= {
        "storefront.log",
        "storefront.tokens",
        "storefront.store.table",
        "storefront.store.tokens",
    }


def test_our_source_never_names_the_tracer() -> None:
    """It costs 270 ms at import even where it is disabled (DESIGN: Facts already measured)."""
    sources = [*SOURCES, *(ROOT / "functions").rglob("*.py")]

    assert [str(file) for file in sources if "Tracer" in file.read_text() or "xray" in file.read_text().lower()] == []


# ----------------------------------------------------------------------------------------------------------------------
# What a cold start loads
# ----------------------------------------------------------------------------------------------------------------------

MODULES = {"authorizer": 15, "stats_cart": 26, "cart": 90, "cart_items": 90, "cart_item": 90}
"""What each function may load beyond a client of DynamoDB, whose modules are 331 (through boto3 they would be 391); 14,
24 and 86 were measured."""

BARE_CLIENT = "import botocore.session; botocore.session.get_session().create_client('dynamodb')"


@cache
def loaded(code: str) -> frozenset[str]:
    """Run code and name the modules that it leaves loaded."""
    return frozenset(json.loads(run_cold(f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))")))


def loaded_by(function: str) -> frozenset[str]:
    folder = str(ROOT / "functions" / function)
    return loaded(f"import sys; sys.path.insert(0, {folder!r}); import app")


def packages(modules: frozenset[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_loads_what_it_can_do_without(function: str) -> None:
    modules = loaded_by(function)

    assert "botocore" in modules
    assert (
        packages(modules)
        & {"boto3", "s3transfer", "aws_lambda_powertools", "aws_xray_sdk", "requests", "pytest", "moto", "yaml"}
        == set()
    )
    assert modules.isdisjoint({"storefront.domain.shop", "storefront.store.shops", "storefront.store.token_list"})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_little_beside_its_client(function: str) -> None:
    more = loaded_by(function) - loaded(BARE_CLIENT)

    assert len(more) <= MODULES[function], sorted(more)


def test_the_search_function_does_without_pydantic() -> None:
    assert "pydantic" not in loaded_by("stats_cart")


def test_the_authorizer_loads_our_own_modules_alone_beside_its_client() -> None:
    modules = loaded_by("authorizer")

    assert packages(modules) & {"pydantic", "pydantic_core", "aws_lambda_powertools", "annotated_types"} == set()
    assert not any(module.startswith("storefront.web") for module in modules)


# ----------------------------------------------------------------------------------------------------------------------
# Examples and fixtures
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    [*SOURCES, *(file for file in CARTCTL if file.stem != "__main__")],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_the_examples_in_docstrings_hold(file: Path) -> None:
    root = PACKAGE.parent if PACKAGE in file.parents else ROOT
    name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(name)

    assert doctest.testmod(module).failed == 0


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_unit_tests_open_no_socket() -> None:
    with pytest.raises(SocketBlockedError):
        socket.socket()


def test_every_fixture_serves_a_test_by_name() -> None:
    tests = "".join(file.read_text() for file in (ROOT / "tests").glob("[ui]*/*.py"))
    fixtures = sorted(EVENTS.glob("*/*.json"))

    unused = [str(file) for file in fixtures if f'{file.stem}"' not in tests]
    assert fixtures
    assert unused == []
