"""The released Python client, unmodified, against the Search API."""

from decimal import Decimal
from typing import Any

import pytest
from pydoof.search_api import exceptions, stats  # type: ignore[import-untyped]
from pydoof.search_api.api_client import SearchAPIClient  # type: ignore[import-untyped]

from local.stack import Stack
from tests.support.shopper import REGISTERED
from tools.support.clients import TITLE, Visitor
from tools.support.database import Database, SessionItem


@pytest.fixture
def client(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> SearchAPIClient:
    """Make a client as its README does, without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return SearchAPIClient(search_url=stack.search_url, token=stack.api_key)


def item(visitor: Visitor, **other: Any) -> dict[str, Any]:
    """Return the arguments with which pydoof adds an item to a cart."""
    arguments = {"index_name": "product", "item_id": "a#1/ü", "amount": 2, "title": TITLE, "price": 9.95}
    return {"hashid": visitor.hashid, "session_id": visitor.session, **arguments, **other}


def test_cart_events_are_registered(client: SearchAPIClient, visitor: Visitor, database: Database) -> None:
    for _ in range(2):
        assert stats.add_to_cart(client=client, **item(visitor)) == REGISTERED.body
    expected = SessionItem(amount=4, clicks=2, title=TITLE, price=Decimal("9.95"))
    assert database.session(visitor.hashid, visitor.session) == {("product", "a#1/ü"): expected}

    change = {"id": "a#1/ü", "index": "product", "amount": 1}
    assert client.patch(visitor.path, query_params=change) == REGISTERED.body
    assert database.session(visitor.hashid, visitor.session)["product", "a#1/ü"].amount == 3
    assert client.delete(visitor.path) == REGISTERED.body
    assert database.session(visitor.hashid, visitor.session) == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"session_id": "s" * 33}, "session_id should have 32 characters or less"),
        ({"title": None, "item_id": ""}, 'Following fields are missing: ["id", "title"]'),
        ({"amount": 0}, "Invalid cart item data"),
    ],
)
def test_bad_request_raises_its_error(
    client: SearchAPIClient, visitor: Visitor, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(exceptions.BadRequestError) as refused:
        stats.add_to_cart(client=client, **item(visitor, **wrong))
    assert (refused.value.http_status, refused.value.message) == (400, message)


@pytest.mark.parametrize("wrong", [{"token": "0" * 40}, {"token": "nothing"}, {"hashid": "f" * 32}], ids=str)
def test_forbidden_request_raises_its_error(stack: Stack, visitor: Visitor, wrong: dict[str, str]) -> None:
    options = {"search_url": stack.search_url, "token": stack.api_key}
    with pytest.raises(exceptions.ForbiddenError) as refused:
        stats.add_to_cart(**{**options, **item(visitor), **wrong})
    assert (refused.value.http_status, refused.value.message) == (403, "forbidden")
