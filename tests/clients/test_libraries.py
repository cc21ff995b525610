"""PyDoof 4.2.0 and 4.3.0, and js-doofinder 5.13.4, as released, against the Search API."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Stack
from tests.clients.conftest import Sessions
from tests.clients.items import ACCEPTED, ID, INDEX, REFUSED, TITLE, TOO_LONG, Item
from tests.clients.library import Library, Outcome, running
from tests.clients.storefronts import COMMANDS, JsDoofinder, PyDoof, Storefront
from tests.support.shopper import REGISTERED

DONE = Outcome(returned=REGISTERED.body)
NOT_FOUND = Outcome(raised=("error", 404, "not found"))
only_js = pytest.mark.parametrize("library", ["5.13.4"], indirect=True)


@pytest.fixture(scope="module", params=COMMANDS)
def library(request: pytest.FixtureRequest) -> Iterator[Library]:
    """Run a version of a library."""
    with running(request.param, COMMANDS[request.param]) as library:
        yield library


@pytest.fixture
def storefront(library: Library, stack: Stack, session: str) -> Storefront:
    """Return a storefront with a new search session."""
    return (JsDoofinder if library.version == "5.13.4" else PyDoof)(library, stack, session)


def refusal(storefront: Storefront, status: int, message: str) -> Outcome:
    return Outcome(raised=(storefront.errors[status], status, message))


@pytest.mark.parametrize("case", ACCEPTED)
def test_added_item_is_stored(storefront: Storefront, sessions: Sessions, session: str, case: str) -> None:
    item, amount, price = ACCEPTED[case]

    assert storefront.add(item) == DONE
    assert sessions.cart(session) == item.stored(amount, price)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_item_gets_its_message(storefront: Storefront, sessions: Sessions, session: str, case: str) -> None:
    item, message = REFUSED[case]

    assert storefront.add(item) == refusal(storefront, 400, message)
    assert sessions.cart(session) == {}


@pytest.mark.parametrize(("amount", "left"), [(2, 3), ("2", 3), (None, 4), ("", 4), (5, None), (6, None)])
def test_removal_subtracts_amount(
    storefront: Storefront, sessions: Sessions, session: str, amount: object, left: int | None
) -> None:
    sessions.put(session, 5)

    assert storefront.remove(amount) == DONE
    assert sessions.amounts(session) == ([] if left is None else [left])


def test_clear_empties_the_cart(storefront: Storefront, sessions: Sessions, session: str) -> None:
    sessions.put(session, 5)
    sessions.put(session, 1, item_id="another")

    assert [storefront.clear(), storefront.clear(), storefront.remove(1)] == [DONE] * 3
    assert sessions.cart(session) == {}


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("init", {}),
        ("click", {"dfid": "{hashid}@product@0123456789abcdef0123456789abcdef", "query": TITLE}),
        ("image", {"id": 27, "query": TITLE}),
        ("redirect", {"id": "27"}),
        ("checkout", {}),
    ],
)
def test_event_is_registered(
    *, storefront: Storefront, sessions: Sessions, session: str, event: str, fields: dict[str, Any]
) -> None:
    sessions.put(session, 5)
    fields = {name: str(value).format(hashid=storefront.hashid) for name, value in fields.items()}

    assert storefront.event(event, **fields) == DONE

    ((kind, stored),) = sessions.events(session).items()
    assert kind == event.upper()
    assert {name: stored[name] for name in fields if name != "dfid"} == {
        name: value for name, value in fields.items() if name != "dfid"
    }
    assert sessions.amounts(session) == ([] if event == "checkout" else [5])


# The local cloud decodes a path once more than API Gateway, so no `%` stands before two hexadecimal digits.
@pytest.mark.parametrize("session", ["with space ü 🛒", "a#b?c%d", "🛒" * 32, "0" * 32])
def test_session_id_is_read_percent_decoded(storefront: Storefront, sessions: Sessions, session: str) -> None:
    assert storefront.add(Item()) == DONE
    assert sessions.cart(session) == Item().stored()
    assert storefront.remove(1) == DONE
    assert sessions.amounts(session) == [1]
    assert storefront.clear() == DONE
    assert sessions.cart(session) == {}


@pytest.mark.parametrize("session", ["0" * 33, " " * 33])
def test_session_id_of_33_characters_is_refused(storefront: Storefront) -> None:
    error = refusal(storefront, 400, TOO_LONG)

    assert [storefront.add(Item()), storefront.remove(1), storefront.clear()] == [error] * 3


@pytest.mark.parametrize("form", ["{hashid}-es", "{HASHID}", "{hashid}-"])
def test_hashid_with_suffix_or_in_upper_case(
    storefront: Storefront, sessions: Sessions, session: str, form: str
) -> None:
    storefront.hashid = form.format(hashid=storefront.hashid, HASHID=storefront.hashid.upper())

    assert storefront.add(Item()) == DONE
    assert sessions.cart(session) == Item().stored()


@pytest.mark.parametrize("wrong", [{"key": "0" * 40}, {"key": "nothing"}, {"hashid": "f" * 32}], ids=str)
def test_wrong_key_or_hashid_is_forbidden(storefront: Storefront, key: str, wrong: dict[str, str]) -> None:
    storefront.hashid = wrong.get("hashid", storefront.hashid)
    storefront.use(wrong.get("key", key))
    error = refusal(storefront, 403, "forbidden")

    assert [storefront.add(Item()), storefront.remove(1), storefront.clear()] == [error] * 3


@pytest.mark.parametrize("library", ["4.2.0", "4.3.0"], indirect=True)
@pytest.mark.parametrize("zone", ["", "eu1-", "us1-", "ap1-"])
def test_token_with_or_without_zone_is_accepted(storefront: Storefront, key: str, zone: str) -> None:
    storefront.use(zone + key)

    assert storefront.clear() == DONE


# ----------------------------------------------------------------------------------------------------------------------
# js-doofinder only
# ----------------------------------------------------------------------------------------------------------------------


@only_js
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
    *, storefront: JsDoofinder, sessions: Sessions, session: str, version: str, name: str, parameters: list[object]
) -> None:
    sessions.put(session, 5)
    before = sessions.cart(session)

    assert storefront.function(version.format(hashid=storefront.hashid), name, *parameters) == NOT_FOUND
    assert sessions.cart(session) == before


@only_js
def test_stats_needs_a_method_but_no_amount_or_price(storefront: JsDoofinder, sessions: Sessions, session: str) -> None:
    item = Item()

    assert storefront.stats(None, id=item.id, index=item.index, title=item.title) == NOT_FOUND
    assert sessions.cart(session) == {}
    assert storefront.stats("PUT", id=item.id, index=item.index, title=item.title) == DONE
    assert storefront.stats("PUT", id=item.id, index=item.index, title=item.title) == DONE
    assert storefront.stats("PATCH", id=item.id, index=item.index) == DONE
    assert sessions.amounts(session) == [1]


@only_js
def test_key_needs_a_zone_or_is_in_headers(storefront: JsDoofinder, key: str) -> None:
    storefront.options["apiKey"] = "eu1"
    assert storefront.clear() == refusal(storefront, 403, "forbidden")

    del storefront.options["apiKey"]
    storefront.options |= {"zone": "eu1", "headers": {"Authorization": f"Token {key}"}}
    assert storefront.clear() == DONE
