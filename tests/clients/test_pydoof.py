"""PyDoof 4.2.0 and 4.3.0. Only 4.2.0 has functions for PATCH and DELETE; 4.3.0 has the client's methods for them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from local.stack import Stack
from tests.clients.conftest import Sessions
from tests.clients.items import ACCEPTED, ID, INDEX, REFUSED, TOO_LONG, Item
from tests.clients.library import FOLDER, VENVS, Library, Outcome, running
from tests.support.shopper import REGISTERED

SESSIONS = ["with space ü 🛒", "a%23b%25c", "%F0%9F%9B%92" * 32, "0" * 32]
"""As a caller writes them: PyDoof quotes what a path may not contain, and leaves what is percent-encoded."""


@pytest.fixture(scope="module", params=["4.2.0", "4.3.0"])
def pydoof(request: pytest.FixtureRequest) -> Iterator[Library]:
    """Run a version of PyDoof."""
    python = VENVS / f"pydoof-{request.param}" / "bin" / "python"
    with running(request.param, [python, FOLDER / "call_pydoof.py"]) as library:
        yield library


class Caller:
    """A storefront that uses PyDoof."""

    def __init__(self, library: Library, stack: Stack, session: str) -> None:
        self.library, self.session, self.hashid = library, session, stack.hashid
        self.options = {"search_url": stack.search_url, "token": stack.api_key}

    def call(self, name: str, **arguments: Any) -> Outcome:
        return self.library.call(name, options=self.options, arguments=arguments)

    def add(self, item: Item) -> Outcome:
        values = {"item_id": item.id, "amount": item.amount, "title": item.title, "price": item.price}
        return self.call("add_to_cart", hashid=self.hashid, session_id=self.session, index_name=item.index, **values)

    def remove(self, amount: object) -> Outcome:
        if self.library.version == "4.2.0":
            item = {"index_name": INDEX, "item_id": ID, "amount": amount}
            return self.call("remove_from_cart", hashid=self.hashid, session_id=self.session, **item)
        return self.call("patch", url=self.path, query_params={"index": INDEX, "id": ID, "amount": amount})

    def clear(self) -> Outcome:
        if self.library.version == "4.2.0":
            return self.call("clear_cart", hashid=self.hashid, session_id=self.session)
        return self.call("delete", url=self.path)

    @property
    def path(self) -> str:
        return f"/6/{self.hashid}/stats/cart/{self.session}"


@pytest.fixture
def caller(pydoof: Library, stack: Stack, session: str) -> Caller:
    """Return a storefront with a new search session."""
    return Caller(pydoof, stack, session)


DONE = Outcome(returned=REGISTERED.body)


@pytest.mark.parametrize("case", ACCEPTED)
def test_add_to_cart_stores_the_item(caller: Caller, sessions: Sessions, case: str) -> None:
    item, amount, price = ACCEPTED[case]

    assert caller.add(item) == DONE
    assert sessions.cart(caller.session) == item.stored(amount, price)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_item_raises_its_message(caller: Caller, sessions: Sessions, case: str) -> None:
    item, message = REFUSED[case]

    assert caller.add(item) == Outcome(raised=("BadRequestError", 400, message))
    assert sessions.cart(caller.session) == {}


@pytest.mark.parametrize(("amount", "left"), [(2, 3), ("2", 3), (None, 4), ("", 4), (5, None), (6, None)])
def test_remove_from_cart_subtracts_amount(
    caller: Caller, sessions: Sessions, amount: object, left: int | None
) -> None:
    sessions.put(caller.session, 5)

    assert caller.remove(amount) == DONE
    assert sessions.amounts(caller.session) == ([] if left is None else [left])


def test_remove_from_empty_cart_changes_nothing(caller: Caller, sessions: Sessions) -> None:
    assert caller.remove(1) == DONE
    assert sessions.cart(caller.session) == {}


def test_clear_cart_empties_it(caller: Caller, sessions: Sessions) -> None:
    sessions.put(caller.session, 5)
    sessions.put(caller.session, 1, item_id="another")

    assert [caller.clear(), caller.clear()] == [DONE, DONE]
    assert sessions.cart(caller.session) == {}


@pytest.mark.parametrize("session", SESSIONS)
def test_session_id_is_read_percent_decoded(caller: Caller, sessions: Sessions) -> None:
    assert caller.add(Item()) == DONE
    assert sessions.cart(unquote(caller.session)) == Item().stored()
    assert caller.remove(1) == DONE
    assert sessions.amounts(unquote(caller.session)) == [1]
    assert caller.clear() == DONE
    assert sessions.cart(unquote(caller.session)) == {}


@pytest.mark.parametrize("session", ["0" * 33, "%20" * 33])
def test_session_id_of_33_characters_raises(caller: Caller) -> None:
    error = Outcome(raised=("BadRequestError", 400, TOO_LONG))

    assert [caller.add(Item()), caller.remove(1), caller.clear()] == [error] * 3


@pytest.mark.parametrize("form", ["{hashid}-es", "{HASHID}", "{hashid}-"])
def test_hashid_with_suffix_or_in_upper_case(caller: Caller, sessions: Sessions, stack: Stack, form: str) -> None:
    caller.hashid = form.format(hashid=stack.hashid, HASHID=stack.hashid.upper())

    assert caller.add(Item()) == DONE
    assert sessions.cart(caller.session) == Item().stored()


@pytest.mark.parametrize("wrong", [{"token": "0" * 40}, {"token": "nothing"}, {"hashid": "f" * 32}], ids=str)
def test_wrong_token_or_hashid_raises_forbidden(caller: Caller, wrong: dict[str, str]) -> None:
    caller.hashid = wrong.get("hashid", caller.hashid)
    caller.options["token"] = wrong.get("token", caller.options["token"])
    error = Outcome(raised=("ForbiddenError", 403, "forbidden"))

    assert [caller.add(Item()), caller.remove(1), caller.clear()] == [error] * 3


@pytest.mark.parametrize("zone", ["", "eu1-", "us1-", "ap1-"])
def test_token_with_or_without_zone_is_accepted(caller: Caller, key: str, zone: str) -> None:
    caller.options["token"] = zone + key

    assert caller.clear() == DONE
