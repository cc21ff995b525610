"""The released Python client, unmodified, against the Search API; tests/clients has every value and release."""

from decimal import Decimal

import pytest
from pydoof.search_api import exceptions, stats  # type: ignore[import-untyped]
from pydoof.search_api.api_client import SearchAPIClient  # type: ignore[import-untyped]

from local.stack import Stack
from tests.support.shopper import REGISTERED
from tools.support.clients import TITLE, Visitor
from tools.support.database import Database, SessionItem


def test_cart_events_are_registered_or_raise(
    stack: Stack, visitor: Visitor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = SearchAPIClient(search_url=stack.search_url, token=stack.api_key)  # as its README does
    item = {"index_name": "product", "item_id": "a#1/ü", "amount": 2, "title": TITLE, "price": 9.95}
    item |= {"hashid": visitor.hashid, "session_id": visitor.session}
    for _ in range(2):
        assert stats.add_to_cart(client=client, **item) == REGISTERED.body
    with pytest.raises(exceptions.BadRequestError, match=r'Following fields are missing: \["id", "title"\]'):
        stats.add_to_cart(client=client, **{**item, "title": None, "item_id": ""})
    with pytest.raises(exceptions.ForbiddenError, match="forbidden"):
        stats.add_to_cart(client=client, **{**item, "hashid": "f" * 32})
    expected = SessionItem(amount=4, clicks=2, title=TITLE, price=Decimal("9.95"))
    assert database.session(visitor.hashid, visitor.session) == {("product", "a#1/ü"): expected}

    change = {"id": "a#1/ü", "index": "product", "amount": 1}
    assert client.patch(visitor.path, query_params=change) == REGISTERED.body
    assert database.session(visitor.hashid, visitor.session)["product", "a#1/ü"].amount == 3
    assert client.delete(visitor.path) == REGISTERED.body
    assert database.session(visitor.hashid, visitor.session) == {}


def test_session_events_are_registered(
    stack: Stack, visitor: Visitor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sent = {"hashid": visitor.hashid, "session_id": visitor.session, "search_url": stack.search_url}
    sent["token"] = stack.api_key
    dfid = f"{visitor.hashid}@product@{'0' * 32}"

    answers = [
        stats.init_session(**sent),
        stats.click_stats(dfid=dfid, query=TITLE, **sent),
        stats.log_banner_image_click(id="27", query=None, **sent),
        stats.log_redirect(redirection_id=28, query=TITLE, **sent),
        stats.log_checkout(**sent),
    ]

    assert answers == [REGISTERED.body] * 5
    events = database.events(visitor.hashid, visitor.session)
    assert events.keys() == {"INIT", "CLICK", "IMAGE", "REDIRECT", "CHECKOUT"}
    assert (events["CLICK"]["query"], events["IMAGE"]["id"], events["REDIRECT"]["id"]) == (TITLE, "27", "28")
    with pytest.raises(exceptions.BadRequestError, match="Bad request, dfid is invalid"):
        stats.click_stats(dfid="x", **sent)
