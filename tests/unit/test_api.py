"""The edge of the APIs: the order of the checks, and the answer to each refusal and each fault."""

import itertools
import json
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pytest
from aws_lambda_powertools.event_handler import Response

from serverless_cart.domain import errors
from serverless_cart.domain.cart import Cart, price
from serverless_cart.domain.errors import InvalidProduct, Refusal
from serverless_cart.service.cart import CartChanged
from serverless_cart.service.errors import Ambiguous, Unavailable
from serverless_cart.telemetry import Telemetry
from serverless_cart.web import checkout, management_api, refusals, search_api, shop_api, statistics
from serverless_cart.web.api import Api, App
from serverless_cart.web.request import Request
from serverless_cart.web.response import HEADERS, json_response, to_json
from serverless_cart.web.search_api import MissingSessionFields
from tests.support.builders import OWNER, SESSION, Context
from tools.support.events import HASHID, altered, load

EVENTS = {
    search_api.API.kind: load("stats_cart/put"),
    shop_api.API.kind: load("cart_items/post"),
    management_api.API.kind: load("customer_tokens/post"),
}
APIS = [search_api.API, shop_api.API, management_api.API]
SERVICES = itertools.count()

every_api = pytest.mark.parametrize("api", APIS, ids=lambda api: api.kind)


class Answer(NamedTuple):
    """An answer, and the lines that the function logged: that of the request, and that of a fault if there was one."""

    status: int
    text: str
    headers: dict[str, str]
    line: dict[str, Any]
    fault: dict[str, Any] | None

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> tuple[int, str]:
        error = self.body["error"]
        return self.status, error["code"] if isinstance(error, dict) else error


class Ask(Protocol):
    """Sends the API's own event, changed, to a function whose route answers or raises so."""

    def __call__(
        self, api: Api, outcome: Callable[[Request], Response[str]] | Exception | None = None, **changes: Any
    ) -> Answer: ...


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def ask(api: Api, outcome: Callable[[Request], Response[str]] | Exception | None = None, **changes: Any) -> Answer:
        # A logger keeps the stream of its first use, so every function here has a service of its own.
        app = App(api, Telemetry(f"api_{next(SERVICES)}"))
        event = EVENTS[api.kind]

        @app.route(event["resource"], event["httpMethod"])
        def route() -> Response[str]:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome(app.parsed_request) if outcome else json_response(200, "{}", common=api.headers)

        answer = app.handler()(altered(event, **changes), Context())

        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        *faults, line = lines
        assert "_aws" in line
        assert len(faults) <= 1
        assert line["status"] == answer["statusCode"]
        headers = {name: value for name, (value,) in answer["multiValueHeaders"].items()}
        return Answer(answer["statusCode"], answer["body"], headers, line, faults[0] if faults else None)

    return ask


# ----------------------------------------------------------------------------------------------------------------------
# Order of checks
# ----------------------------------------------------------------------------------------------------------------------

DENIED = (403, "access_denied")
FORBIDDEN = {
    "api_key": (403, "forbidden"),
    "customer": (401, "authentication required"),
    "management": (401, "not_authenticated"),
}
OTHER_KIND = {**FORBIDDEN, "management": DENIED}
BANNED, ORIGIN = (403, "banned ip"), (403, "origin not allowed")
NOT_FOUND, TOO_LARGE = (404, "not found"), (413, "request too large")
UNAVAILABLE = {"management": "unavailable"}
FAULT = {"management": "internal_error"}
FAULTY: list[dict[str, Any]] = [
    {"authorizer": {"kind": "nobody"}},
    {"address": "203.0.113.9"},
    {"headers": {"oRiGiN": "https://b.example"}},
    {"body": "x" * (2**20 + 1)},
    {"method": "LOCK"},
]


@pytest.mark.parametrize("api", [search_api.API, shop_api.API], ids=lambda api: api.kind)
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(5) for b in range(a, 5)])
def test_checks_come_in_contract_order(ask: Ask, api: Api, first: int, second: int) -> None:
    expected = [FORBIDDEN[api.kind], BANNED, ORIGIN, TOO_LARGE, NOT_FOUND][first]
    changes = {**FAULTY[second], **FAULTY[first]}
    listed = {"allowed_origins": "https://a.example https://shop.example"}
    changes["authorizer"] = listed | changes.get("authorizer", {})

    assert ask(api, **changes).error == expected


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in (0, 1, 3, 4) for b in (1, 2, 3, 4) if a <= b])
def test_management_checks_come_in_contract_order(ask: Ask, first: int, second: int) -> None:
    """Which leave out the origin."""
    codes = {0: FORBIDDEN["management"], 1: DENIED, 3: (413, "request_too_large"), 4: (404, "not_found")}
    listed = {"allowed_origins": "https://a.example"}
    changes = {**FAULTY[second], **FAULTY[first]}

    answer = ask(management_api.API, **changes | {"authorizer": listed | changes.get("authorizer", {})})

    assert answer.error == codes[first]


def test_search_engine_is_checked_before_address(ask: Ask) -> None:
    answer = ask(search_api.API, path={"hashid": "e" * 32}, address="203.0.113.9")

    assert answer.error == (403, "forbidden")


@every_api
@pytest.mark.parametrize("authorizer", [None, {"kind": "admin"}, {"kind": ""}, "other"])
def test_principal_of_another_kind_is_refused(ask: Ask, api: Api, authorizer: Any) -> None:
    if authorizer != "other":
        assert ask(api, authorizer=authorizer).error == FORBIDDEN[api.kind]
        return
    for other in FORBIDDEN.keys() - {api.kind}:
        assert ask(api, authorizer={"kind": other}).error == OTHER_KIND[api.kind]


@every_api
def test_forwarding_headers_are_ignored(ask: Ask, api: Api) -> None:
    assert ask(api, headers={"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}).status == 200


# ----------------------------------------------------------------------------------------------------------------------
# Routes
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "%23", "%2F", "..", "*", "{id}", "%C3%A4", "%0A", "a b", "<x>", "'\"", "~$"])
def test_any_path_parameter_reaches_its_route(ask: Ask, text: str) -> None:
    assert ask(search_api.API, path={"session_id": text}).status == 200


def test_route_has_the_seconds_left(ask: Ask) -> None:
    answer = ask(search_api.API, lambda request: json_response(200, to_json(request.time_left())))

    assert answer.body == 10.0


# ----------------------------------------------------------------------------------------------------------------------
# Refusals
# ----------------------------------------------------------------------------------------------------------------------


def all_refusals(kind: type[Refusal] = Refusal) -> set[type[Refusal]]:
    return {one for direct in kind.__subclasses__() for one in {direct, *all_refusals(direct)}}


def test_all_refusals_are_in_an_error_table() -> None:
    apis = (search_api.API, checkout.API, management_api.API, statistics.API)
    assert all_refusals() == {refusal for api in apis for refusal in api.errors}
    assert len(all_refusals()) >= 14


EDGE: dict[type[Refusal], tuple[int, str]] = {
    refusals.BannedAddress: BANNED,
    refusals.OriginNotAllowed: ORIGIN,
    refusals.NotFound: NOT_FOUND,
    refusals.RequestTooLarge: TOO_LARGE,
}
CONTRACT: dict[str, dict[type[Refusal], tuple[int, str]]] = {
    search_api.API.kind: {
        **EDGE,
        search_api.SessionIdTooLong: (400, "session_id should have 32 characters or less"),
        search_api.InvalidSessionItem: (400, "Invalid cart item data"),
        search_api.InvalidUserId: (400, "invalid_user_id"),
        search_api.InvalidDfid: (400, "Bad request, dfid is invalid"),
        search_api.OtherHashid: (400, "Item hashid must be the same as search engine hashid"),
        search_api.InvalidRedirectId: (400, "Invalid redirect id"),
        search_api.BadRequest: (400, "Bad request"),
        refusals.Unauthenticated: (403, "forbidden"),
        refusals.OtherKind: (403, "forbidden"),
    },
    shop_api.API.kind: {
        **EDGE,
        shop_api.InvalidRequest: (400, "validation error"),
        errors.InvalidProduct: (400, "invalid product"),
        errors.InsufficientStock: (400, "insufficient stock"),
        errors.CartFull: (400, "cart is full"),
        refusals.Unauthenticated: (401, "authentication required"),
        refusals.OtherKind: (401, "authentication required"),
        errors.ItemNotFound: (404, "item not found"),
        errors.IdempotencyKeyReused: (422, "idempotency key reused"),
    },
    management_api.API.kind: {
        management_api.BadParameters: (400, "bad_params"),
        refusals.Unauthenticated: (401, "not_authenticated"),
        refusals.OtherKind: DENIED,
        refusals.BannedAddress: DENIED,
        refusals.NotFound: (404, "not_found"),
        refusals.RequestTooLarge: (413, "request_too_large"),
    },
}


@pytest.mark.parametrize(
    ("api", "refusal"),
    [(api, refusal) for api in APIS for refusal in CONTRACT[api.kind]],
    ids=lambda it: it.__name__ if isinstance(it, type) else it.kind,
)
def test_refusal_is_the_contracts(ask: Ask, api: Api, refusal: type[Refusal]) -> None:
    answer = ask(api, refusal())

    status, error = CONTRACT[api.kind][refusal]
    assert answer.error == (status, error)
    assert answer.body.keys() == {"error"}
    assert answer.line["reason"] == error
    assert answer.line["Refusals"] == [1.0]


def test_missing_fields_are_listed(ask: Ask) -> None:
    answer = ask(search_api.API, MissingSessionFields(["index", "title"]))

    assert answer.error == (400, 'Following fields are missing: ["index", "title"]')
    assert answer.line["reason"] == "Following fields are missing", "a metric has few reasons"


def test_details_are_answered_beside_the_error(ask: Ask) -> None:
    answer = ask(shop_api.API, InvalidProduct({"product": ["no such product"]}))

    assert answer.body == {"error": "invalid product", "details": {"product": ["no such product"]}}


def test_management_error_has_code_message_and_details(ask: Ask) -> None:
    details = {"customer": ["too long"]}

    answer = ask(management_api.API, management_api.BadParameters(details))

    assert answer.body == {"error": {"code": "bad_params", "message": "Bad parameters error", "details": details}}
    plain = ask(management_api.API, ValueError()).body
    assert plain == {"error": {"code": "internal_error", "message": "Internal server error"}}


def test_changed_cart_is_412_with_its_tag(ask: Ask) -> None:
    answer = ask(shop_api.API, CartChanged(price(OWNER, Cart(version=9))))

    assert answer.error == (412, "cart has changed")
    assert answer.headers["ETag"].startswith('"9-')


# ----------------------------------------------------------------------------------------------------------------------
# Faults
# ----------------------------------------------------------------------------------------------------------------------


@every_api
@pytest.mark.parametrize("error", [Unavailable("arn:aws:dynamodb"), Ambiguous("arn:aws:dynamodb")], ids=repr)
def test_unavailable_database_is_503(ask: Ask, api: Api, error: Exception) -> None:
    answer = ask(api, error)

    reason = UNAVAILABLE.get(api.kind, "temporarily unavailable")
    assert answer.error == (503, reason)
    assert int(answer.headers["Retry-After"]) > 0
    assert "arn" not in answer.text
    assert answer.line["reason"] == reason
    assert answer.fault is None


@every_api
@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), RecursionError("secret")], ids=repr)
def test_fault_is_500_without_its_text(ask: Ask, api: Api, error: Exception) -> None:
    answer = ask(api, error)

    reason = FAULT.get(api.kind, "internal server error")
    assert answer.error == (500, reason)
    assert answer.fault
    assert answer.fault["fault"] == type(error).__name__
    assert (answer.line["Faults"], answer.line["reason"]) == ([1.0], reason)
    assert "secret" not in repr(answer)


# ----------------------------------------------------------------------------------------------------------------------
# Answers
# ----------------------------------------------------------------------------------------------------------------------


@every_api
@pytest.mark.parametrize("outcome", [None, refusals.NotFound(), Unavailable(), ValueError()], ids=repr)
def test_answer_has_type_and_cors_headers(ask: Ask, api: Api, outcome: Exception | None) -> None:
    answer = ask(api, outcome)

    assert answer.headers["Content-Type"] == "application/json"
    if api is management_api.API:
        assert {name for name in answer.headers if name.startswith("Access-Control")} == set()
        return
    assert HEADERS.items() <= answer.headers.items()
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(",")
    assert {"ETag", "Idempotency-Replayed", "Retry-After"} <= set(exposed)


def test_headers_join_the_common_ones(ask: Ask) -> None:
    answer = ask(shop_api.API, lambda _request: json_response(200, "{}", {"ETag": '"x"'}))

    assert (answer.status, answer.text) == (200, "{}")
    assert answer.headers == {**HEADERS, "ETag": '"x"'}


def test_answer_is_text_and_not_base64(capsys: pytest.CaptureFixture[str]) -> None:
    app = App(shop_api.API, Telemetry(f"api_{next(SERVICES)}"))
    event = EVENTS["customer"]
    app.post(event["resource"])(lambda: json_response(200, to_json("ä🎁")))

    answer = app.handler()(event, Context())

    assert (answer["body"], answer["isBase64Encoded"]) == ('"ä🎁"', False)
    assert capsys.readouterr().out


def test_json_is_compact_and_in_utf_8() -> None:
    assert to_json({"a": [1, "ä🎁"], "b": None}) == '{"a":[1,"ä🎁"],"b":null}'


def test_log_line_has_the_route_and_not_the_path(ask: Ask) -> None:
    line = ask(search_api.API).line

    assert (line["method"], line["route"], line["status"]) == ("PUT", "/6/{hashid}/stats/cart/{session_id}", 200)
    assert not {HASHID, SESSION} & {str(value) for value in line.values()}
    assert HASHID not in json.dumps(line)
