"""js-doofinder 5.13.4, which was written for version 5 of Doofinder's API.

Its cart functions call routes of that version, which are 404 here. Its `Client.stats` reaches the cart's routes if the
option `version` contains the path up to the hashid and `requestOptions` has a method: it sends GET otherwise.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from local.stack import Stack
from tests.clients.conftest import Sessions
from tests.clients.items import ACCEPTED, ID, INDEX, REFUSED, TOO_LONG, Item
from tests.clients.library import FOLDER, Library, Outcome, running
from tests.support.shopper import REGISTERED
from tools import client_packages

SESSIONS = ["with space ü 🛒", "a?b%c", "🛒" * 32, "0" * 32]
"""Decoded: the library does not encode a session id, so its caller must.

The local cloud decodes a path once more than API Gateway, so no `%` stands before two hexadecimal digits.
"""
DONE = Outcome(returned=REGISTERED.body)


@pytest.fixture(scope="module")
def doofinder() -> Iterator[Library]:
    """Run js-doofinder."""
    with running("5.13.4", ["node", FOLDER / "call_js_doofinder.cjs", client_packages.MODULES]) as library:
        yield library


class Caller:
    """A storefront that uses js-doofinder."""

    def __init__(self, library: Library, stack: Stack, session: str) -> None:
        self.library, self.session, self.hashid = library, session, stack.hashid
        url = urlsplit(stack.search_url)
        self.stage = url.path.strip("/")
        self.options: dict[str, Any] = {
            "address": f"{url.scheme}://{url.netloc}",
            "apiKey": f"eu1-{stack.api_key.rpartition('-')[2]}",
        }

    def stats(self, method: str | None, **parameters: object) -> Outcome:
        """Call `Client.stats` for the cart."""
        return self.library.call(
            "stats",
            hashid=self.hashid,
            options={**self.options, "version": f"{self.stage}/6/{self.hashid}"},
            method=method,
            parameters=[f"cart/{quote(self.session, safe='')}", parameters],
        )

    def function(self, version: str, name: str, *parameters: object) -> Outcome:
        """Call a function of `Stats`."""
        options = {**self.options, "version": f"{self.stage}/{version}"}
        return self.library.call(name, hashid=self.hashid, options=options, parameters=[self.session, *parameters])

    def add(self, item: Item) -> Outcome:
        values = {"id": item.id, "index": item.index, "title": item.title, "amount": item.amount, "price": item.price}
        return self.stats("PUT", session_id=self.session, **values)

    def remove(self, **amount: object) -> Outcome:
        return self.stats("PATCH", session_id=self.session, id=ID, index=INDEX, **amount)

    def clear(self) -> Outcome:
        return self.stats("DELETE", session_id=self.session)


@pytest.fixture
def caller(doofinder: Library, stack: Stack, session: str) -> Caller:
    """Return a storefront with a new search session."""
    return Caller(doofinder, stack, session)


@pytest.mark.parametrize("version", ["5", "6", "6/{hashid}"])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("addToCart", [ID, 2, {"datatype": INDEX, "title": "Mug", "price": 9.95}]),
        ("addToCart", [ID, 2, {}]),
        ("removeFromCart", [ID, 1, INDEX]),
        ("removeFromCart", [ID, 1, None]),
        ("clearCart", []),
    ],
    ids=["add", "add only what is required", "remove", "remove only what is required", "clear"],
)
def test_cart_function_gets_not_found(
    caller: Caller,
    sessions: Sessions,
    version: str,
    name: str,
    parameters: list[object],
) -> None:
    sessions.put(caller.session, 5)
    before = sessions.cart(caller.session)

    answer = caller.function(version.format(hashid=caller.hashid), name, *parameters)

    assert answer == Outcome(raised=("error", 404, "not found"))
    assert sessions.cart(caller.session) == before


@pytest.mark.parametrize("case", ACCEPTED)
def test_stats_with_put_stores_the_item(caller: Caller, sessions: Sessions, case: str) -> None:
    item, amount, price = ACCEPTED[case]

    assert caller.add(item) == DONE
    assert sessions.cart(caller.session) == item.stored(amount, price)


def test_stats_with_put_needs_no_amount_or_price(caller: Caller, sessions: Sessions) -> None:
    item = Item()

    assert caller.stats("PUT", id=item.id, index=item.index, title=item.title) == DONE
    assert sessions.cart(caller.session) == item.stored(1, None)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_item_gets_its_message(caller: Caller, sessions: Sessions, case: str) -> None:
    item, message = REFUSED[case]

    assert caller.add(item) == Outcome(raised=("error", 400, message))
    assert sessions.cart(caller.session) == {}


@pytest.mark.parametrize(
    ("amount", "left"),
    [({"amount": 2}, 3), ({"amount": "2"}, 3), ({"amount": None}, 4), ({}, 4), ({"amount": 5}, None)],
    ids=str,
)
def test_stats_with_patch_subtracts_amount(
    caller: Caller,
    sessions: Sessions,
    amount: dict[str, object],
    left: int | None,
) -> None:
    sessions.put(caller.session, 5)

    assert caller.remove(**amount) == DONE
    assert sessions.amounts(caller.session) == ([] if left is None else [left])


def test_stats_with_delete_empties_the_cart(caller: Caller, sessions: Sessions) -> None:
    sessions.put(caller.session, 5)
    sessions.put(caller.session, 1, item_id="another")

    assert [caller.clear(), caller.clear()] == [DONE, DONE]
    assert sessions.cart(caller.session) == {}


def test_stats_without_method_gets_not_found(caller: Caller, sessions: Sessions) -> None:
    assert caller.stats(None, id="1", index="product", title="Mug") == Outcome(raised=("error", 404, "not found"))
    assert sessions.cart(caller.session) == {}


@pytest.mark.parametrize("session", SESSIONS)
def test_session_id_is_read_percent_decoded(caller: Caller, sessions: Sessions) -> None:
    assert caller.add(Item()) == DONE
    assert sessions.cart(caller.session) == Item().stored()
    assert caller.remove(amount=1) == DONE
    assert sessions.amounts(caller.session) == [1]
    assert caller.clear() == DONE
    assert sessions.cart(caller.session) == {}


@pytest.mark.parametrize("session", ["0" * 33, " " * 33])
def test_session_id_of_33_characters_is_refused(caller: Caller) -> None:
    error = Outcome(raised=("error", 400, TOO_LONG))

    assert [caller.add(Item()), caller.remove(), caller.clear()] == [error] * 3


@pytest.mark.parametrize("form", ["{hashid}-es", "{HASHID}", "{hashid}-"])
def test_hashid_with_suffix_or_in_upper_case(caller: Caller, sessions: Sessions, stack: Stack, form: str) -> None:
    caller.hashid = form.format(hashid=stack.hashid, HASHID=stack.hashid.upper())

    assert caller.add(Item()) == DONE
    assert sessions.cart(caller.session) == Item().stored()


@pytest.mark.parametrize(
    "wrong",
    [{"apiKey": f"eu1-{'0' * 40}"}, {"apiKey": "eu1-nothing"}, {"apiKey": "eu1"}, {"hashid": "f" * 32}],
    ids=str,
)
def test_wrong_key_or_hashid_is_forbidden(caller: Caller, wrong: dict[str, str]) -> None:
    caller.hashid = wrong.get("hashid", caller.hashid)
    caller.options["apiKey"] = wrong.get("apiKey", caller.options["apiKey"])
    error = Outcome(raised=("error", 403, "forbidden"))

    assert [caller.add(Item()), caller.remove(), caller.clear()] == [error] * 3


def test_key_in_headers_is_accepted(caller: Caller, key: str) -> None:
    del caller.options["apiKey"]
    caller.options |= {"zone": "eu1", "headers": {"Authorization": f"Token {key}"}}

    assert caller.clear() == DONE
