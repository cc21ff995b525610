"""js-doofinder 7.0.2 and php-doofinder 7.0.7: the requests that they send, as recorded_requests.json contains them.

Their releases are not in the package registries that the tests use, so each request was recorded once, from the public
source; those of events were written from it. ``before`` is the amount of the item in the cart before the request,
``after`` the item afterwards, ``stored`` the attributes of the event. The value of
Content-Length follows from the body; PUT and PATCH without a body have 0.
"""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.stack import Stack
from tests.clients.conftest import Cart, Sessions
from tests.clients.library import FOLDER

RECORDED = json.loads((FOLDER / "recorded_requests.json").read_text())
REQUESTS = [
    (f"{library['library']}: {request['call']}", {**request, "headers": library["headers"]})
    for library in RECORDED
    for request in library["requests"]
]
OF_CARTS = [pytest.param(request, id=name) for name, request in REQUESTS if "item" in request]
OF_EVENTS = [pytest.param(request, id=name) for name, request in REQUESTS if "event" in request]
STATUS = {"registered": 200, "not found": 404}


def send(stack: Stack, request: dict[str, Any]) -> tuple[int, Any]:
    """Send a request exactly as recorded, and return status and body of the answer."""
    url = urlsplit(stack.search_url)
    names = {"{hashid}": stack.hashid, "{HASHID}": stack.hashid.upper(), "{key}": stack.api_key}

    def filled(text: str) -> str:
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    target = url.path + filled(request["path"]) + ("?" + filled(request["query"])) * bool(request["query"])
    body = None if request["body"] is None else filled(request["body"]).encode()
    connection = HTTPConnection(url.netloc, timeout=60)
    connection.putrequest(request["method"], target, skip_accept_encoding=True)
    for name, value in request["headers"].items():
        connection.putheader(name, filled(value))
    if body is not None or request["method"] in {"PUT", "PATCH"}:
        connection.putheader("Content-Length", str(len(body or b"")))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content)


def after(item: dict[str, str], fields: dict[str, Any] | None) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the cart that a record describes."""
    return {} if fields is None else {(item["index"], item["id"]): fields}


def described(cart: Cart) -> dict[tuple[str, str], dict[str, Any]]:
    """Return a cart as a record describes it."""
    return {
        key: {
            "amount": item.amount,
            "clicks": item.clicks,
            "title": item.title,
            "price": None if item.price is None else format(item.price, "f"),
        }
        for key, item in cart.items()
    }


def test_each_library_sends_every_method() -> None:
    sent = {library["library"]: {request["method"] for request in library["requests"]} for library in RECORDED}

    assert sent.keys() == {"js-doofinder 7.0.2", "php-doofinder 7.0.7"}
    assert all(methods >= {"PUT", "PATCH", "DELETE"} for methods in sent.values())


@pytest.mark.parametrize("request_", OF_CARTS)
def test_recorded_request_has_its_effect(stack: Stack, sessions: Sessions, request_: dict[str, Any]) -> None:
    session, item, answer = request_["session"], request_["item"], request_["answer"]
    if request_["before"]:
        sessions.put(session, request_["before"], item_id=item["id"], index=item["index"])

    expected = {"status" if answer == "registered" else "error": answer}
    assert send(stack, request_) == (STATUS.get(answer, 400), expected)
    assert described(sessions.cart(session)) == after(item, request_["after"])


@pytest.mark.parametrize("request_", OF_EVENTS)
def test_recorded_event_is_registered(stack: Stack, sessions: Sessions, request_: dict[str, Any]) -> None:
    assert send(stack, request_) == (200, {"status": request_["answer"]})

    stored = sessions.events(request_["session"])[request_["event"]]
    common = {"pk", "sk", "at", "device", "expires_at"}
    assert {name: value for name, value in stored.items() if name not in common} == request_["stored"]
