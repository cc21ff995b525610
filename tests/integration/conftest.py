"""The deployed bundle in one process, on moto, or on DynamoDB Local with --dynamodb-local."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from serverless_cart import auth
from serverless_cart.domain.shop import Shop
from tests.support.builders import OWNER, product
from tests.support.bundle import Bundle, Loaded, bundle_on_new_table, loaded_functions
from tests.support.operator import Operator
from tools.support.events import HASHID, SHOP

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="session")
def _engine_url(request: pytest.FixtureRequest) -> str:
    """Return the engine's address; empty for moto."""
    asked_for = request.config.getoption("--dynamodb-local")
    return str(request.getfixturevalue("dynamodb_local_url")) if asked_for else ""


@pytest.fixture(scope="session")
def _loaded(_engine_url: str) -> Iterator[Loaded]:
    with loaded_functions(_engine_url) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def _client(_loaded: Loaded) -> "DynamoDBClient":
    """Return a client whose calls are not counted."""
    return boto3.Session().client("dynamodb")


@pytest.fixture
def bundle(_loaded: Loaded, _client: "DynamoDBClient") -> Iterator[Bundle]:
    """Return the bundle over an empty table, at the moment of the events."""
    with bundle_on_new_table(_loaded, _client) as bundle:
        yield bundle


@pytest.fixture
def shop(bundle: Bundle) -> Bundle:
    """Return the bundle with the demo shop: its settings, the events' keys and the seed request's product."""
    bundle.open_shop(
        Shop(SHOP, frozenset({HASHID}), frozenset({"203.0.113.0/24", "2001:db8:bad::/48"})),
        **{
            f"key_{'0' * 40}": auth.Token("api_key", SHOP),
            f"key_{'1' * 40}": auth.Token("customer", SHOP, OWNER.customer),
            f"key_{'3' * 40}": auth.Token("management", SHOP),
        },
    )
    bundle.sell(product())
    return bundle


@pytest.fixture
def operator(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Return an operator of a deployment without shops."""
    assert bundle.rows() == []
    return Operator(monkeypatch, capsys)
