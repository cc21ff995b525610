"""One stack for all client libraries, and a new search session for each test."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from local.stack import Stack
from tests.clients.items import ID, INDEX
from tests.support.shopper import REGISTERED
from tools.support.clients import Http, Visitor
from tools.support.database import Database, SessionItem

Cart = dict[tuple[str, str], SessionItem]


@pytest.fixture(scope="session")
def key(stack: Stack) -> str:
    """Return the demo shop's API key without its zone."""
    return stack.api_key.rpartition("-")[2]


@pytest.fixture
def session() -> str:
    """Return the id of a new search session, of the largest length."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Sessions:
    """The carts of the demo shop's search sessions, without any client library."""

    stack: Stack
    database: Database

    def cart(self, session: str) -> Cart:
        """Return the cart of a session as the table contains it."""
        return self.database.session(self.stack.hashid, session)

    def events(self, session: str) -> dict[str, dict[str, Any]]:
        """Return the events of a session by kind, as the table contains them."""
        return self.database.events(self.stack.hashid, session)

    def amounts(self, session: str) -> list[int]:
        """Return the amounts of the items in the cart of a session."""
        return [item.amount for item in self.cart(session).values()]

    def put(self, session: str, amount: int, *, item_id: str = ID, index: str = INDEX) -> None:
        """Put an item into the cart of a session."""
        http = Http(self.stack.search_url, innards=self.stack.table_name)
        visitor = Visitor(http, self.stack.api_key, self.stack.hashid, quote(session, safe=""))
        body = {"id": item_id, "index": index, "title": "Before", "amount": amount}
        assert visitor.send("PUT", json=body) == REGISTERED
        http.close()


@pytest.fixture
def sessions(stack: Stack, database: Database) -> Sessions:
    """Return the search sessions of the demo shop."""
    return Sessions(stack, database)
