"""The shared edge: in which order a request is judged, and in which words each API refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from storefront.domain import errors as refusals
from storefront.domain.cart import Cart, price
from storefront.domain.errors import Ambiguous, CartChanged, InvalidProduct, MissingSessionFields, Refusal, Unavailable
from storefront.web import errors, search_api, shop_api
from storefront.web.edge import Api, endpoint
from storefront.web.request import Request
from storefront.web.response import HEADERS, Response, to_json
from storefront.web.telemetry import Telemetry
from tests.builders import OWNER, altered, load

EVENTS = {search_api.API.kind: load("stats_cart/put_body"), shop_api.API.kind: load("cart_items/post")}
APIS = [search_api.API, shop_api.API]


class Context:
    """A run with ten seconds left."""

    aws_request_id = "c0ffee"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


class Recorder(Telemetry):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def begin(self, correlation_id: str, function_request_id: str) -> None:
        self.told.append(("begin", (correlation_id, function_request_id)))

    def count(self, name: str) -> None:
        self.told.append(("count", name))

    def refused(self, reason: str) -> None:
        self.told.append(("refused", reason))

    def faulted(self, error: BaseException) -> None:
        self.told.append(("faulted", type(error)))

    def answered(self, method: str, route: str, status: int) -> None:
        self.told.append(("answered", (method, route, status)))


def ask(api: Api, route: Callable[[Request], Response] | Exception | None, **changes: Any) -> dict[str, Any]:
    """Send the API's own event, changed, to an endpoint whose route answers or raises so."""
    recorder = Recorder()

    def run(request: Request) -> Response:
        if isinstance(route, Exception):
            raise route
        return route(request) if route else Response(200, "{}")

    event = altered(EVENTS[api.kind], **changes)
    answer = endpoint(api, recorder, {"PUT": run, "POST": run})(event, Context())
    assert [kind for kind, _ in recorder.told][:: len(recorder.told) - 1] == ["begin", "answered"]
    return {**answer, "told": recorder.told}


def words(answer: dict[str, Any]) -> tuple[int, str]:
    body = json.loads(answer["body"])
    return answer["statusCode"], body["error"]


FORBIDDEN = {"api_key": (403, "forbidden"), "customer": (401, "authentication required")}
BANNED, ORIGIN, NOT_FOUND, TOO_LARGE = (
    (403, "banned ip"),
    (403, "origin not allowed"),
    (404, "not found"),
    (413, "request too large"),
)
FAULTY: list[dict[str, Any]] = [
    {"authorizer": {"kind": "nobody"}},
    {"address": "203.0.113.9"},
    {"headers": {"oRiGiN": "https://b.example"}},
    {"body": "x" * (2**20 + 1)},
    {"method": "LOCK"},
]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.kind)
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(5) for b in range(a, 5)])
def test_a_request_is_judged_in_the_contract_s_order(api: Api, first: int, second: int) -> None:
    """Who asks, from which address, from which origin, and then the request; each pair both ways round."""
    expected = [FORBIDDEN[api.kind], BANNED, ORIGIN, TOO_LARGE, NOT_FOUND][first]
    changes = {**FAULTY[second], **FAULTY[first]}
    changes["authorizer"] = {
        "allowed_origins": "https://a.example https://shop.example",
        **changes.get("authorizer", {}),
    }

    assert words(ask(api, None, **changes)) == expected


def test_a_search_engine_that_is_not_the_key_s_is_refused_before_the_address_is_looked_at() -> None:
    answer = ask(search_api.API, None, path={"hashid": "e" * 32}, address="203.0.113.9")

    assert words(answer) == (403, "forbidden")


@pytest.mark.parametrize(
    ("api", "kind"), [(search_api.API, "customer"), (shop_api.API, "api_key")], ids=["search", "shop"]
)
def test_neither_kind_of_key_opens_the_other_api(api: Api, kind: str) -> None:
    assert words(ask(api, None, authorizer={"kind": kind})) == FORBIDDEN[api.kind]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.kind)
def test_a_request_without_an_authorizer_s_word_is_nobody_s(api: Api) -> None:
    assert words(ask(api, None, authorizer=None)) == FORBIDDEN[api.kind]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.kind)
def test_the_forwarding_headers_are_not_believed(api: Api) -> None:
    assert ask(api, None, headers={"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"})["statusCode"] == 200


# ----------------------------------------------------------------------------------------------------------------------
# Words
# ----------------------------------------------------------------------------------------------------------------------


def all_refusals(kind: type[Refusal] = Refusal) -> set[type[Refusal]]:
    return {one for direct in kind.__subclasses__() for one in {direct, *all_refusals(direct)}}


def test_every_refusal_has_its_words_in_one_api_or_in_both() -> None:
    assert all_refusals() == set(errors.SEARCH) | set(errors.SHOP)
    assert len(all_refusals()) >= 14


def test_what_the_edge_itself_refuses_has_words_in_both() -> None:
    both = {refusals.Unauthenticated, refusals.BannedAddress, refusals.OriginNotAllowed, refusals.NotFound}
    assert both | {refusals.RequestTooLarge} <= set(errors.SEARCH) & set(errors.SHOP)


CONTRACT = {
    search_api.API.kind: {
        refusals.SessionIdTooLong: (400, "session_id should have 32 characters or less"),
        refusals.InvalidSessionItem: (400, "Invalid cart item data"),
        refusals.Unauthenticated: (403, "forbidden"),
        refusals.BannedAddress: BANNED,
        refusals.OriginNotAllowed: ORIGIN,
        refusals.NotFound: NOT_FOUND,
        refusals.RequestTooLarge: TOO_LARGE,
    },
    shop_api.API.kind: {
        refusals.InvalidRequest: (400, "validation error"),
        refusals.InvalidProduct: (400, "invalid product"),
        refusals.InsufficientStock: (400, "insufficient stock"),
        refusals.CartFull: (400, "cart is full"),
        refusals.Unauthenticated: (401, "authentication required"),
        refusals.BannedAddress: BANNED,
        refusals.OriginNotAllowed: ORIGIN,
        refusals.NotFound: NOT_FOUND,
        refusals.RequestTooLarge: TOO_LARGE,
        refusals.IdempotencyKeyReused: (422, "idempotency key reused"),
    },
}


@pytest.mark.parametrize(
    ("api", "refusal"),
    [(api, refusal) for api in APIS for refusal in CONTRACT[api.kind]],
    ids=lambda it: it.__name__ if isinstance(it, type) else it.kind,
)
def test_each_refusal_is_worded_as_the_contract_has_it(api: Api, refusal: type[Refusal]) -> None:
    answer = ask(api, refusal())

    expected = CONTRACT[api.kind][refusal]
    assert words(answer) == expected
    assert json.loads(answer["body"]) == {"error": expected[1]}
    assert ("refused", expected[1]) in answer["told"]


@pytest.mark.parametrize("fields", [["id"], ["index", "title"], ["id", "index", "title"]])
def test_missing_fields_are_told_in_the_vendor_s_own_spelling(fields: list[str]) -> None:
    answer = ask(search_api.API, MissingSessionFields(fields))

    spelled = ", ".join(f'"{field}"' for field in fields)
    assert words(answer) == (400, f"Following fields are missing: [{spelled}]")
    assert ("refused", "fields are missing") in answer["told"], "a metric has few reasons"


def test_details_stand_beside_the_error_and_only_where_there_are_any() -> None:
    answer = ask(shop_api.API, InvalidProduct({"product": ["no such product"]}))

    assert json.loads(answer["body"]) == {"error": "invalid product", "details": {"product": ["no such product"]}}


def test_a_changed_cart_is_412_with_its_current_tag() -> None:
    answer = ask(shop_api.API, CartChanged(price(OWNER, Cart(version=9), {}, {})))

    assert words(answer) == (412, "cart has changed")
    assert answer["headers"]["ETag"].startswith('"9-')


# ----------------------------------------------------------------------------------------------------------------------
# Faults
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.kind)
@pytest.mark.parametrize("error", [Unavailable("arn:aws:dynamodb"), Ambiguous("arn:aws:dynamodb")], ids=repr)
def test_a_database_that_does_not_answer_is_503_and_says_when_to_try_again(api: Api, error: Exception) -> None:
    answer = ask(api, error)

    assert words(answer) == (503, "temporarily unavailable")
    assert int(answer["headers"]["Retry-After"]) > 0
    assert "arn" not in json.dumps(answer["body"])
    assert ("refused", "temporarily unavailable") in answer["told"]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.kind)
@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), RecursionError("secret")], ids=repr)
def test_a_fault_of_ours_is_500_and_its_text_is_told_nobody(api: Api, error: Exception) -> None:
    answer = ask(api, error)

    assert words(answer) == (500, "internal server error")
    assert ("faulted", type(error)) in answer["told"]
    assert "secret" not in repr(answer["told"]) + answer["body"]


def test_the_text_of_a_fault_appears_in_no_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    def burst(_request: Request) -> Response:
        message = "secret-text"
        raise ValueError(message) from KeyError("secret-cause")

    # Made here: a logger keeps the stream that stands when it is made.
    telemetry = Telemetry("test_the_text_of_a_fault")
    answer = endpoint(search_api.API, telemetry, {"PUT": burst})(EVENTS["api_key"], Context())

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    fault = next(line for line in lines if line.get("message") == "fault")
    assert (fault["fault"], fault["correlation_id"]) == ("ValueError", EVENTS["api_key"]["requestContext"]["requestId"])
    assert fault["frames"][-1].endswith(" burst")
    assert "secret" not in json.dumps([lines, answer])


# ----------------------------------------------------------------------------------------------------------------------
# Answers
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.kind)
@pytest.mark.parametrize("outcome", [None, refusals.NotFound(), Unavailable(), ValueError()], ids=repr)
def test_every_answer_carries_its_type_and_the_cors_headers(api: Api, outcome: Exception | None) -> None:
    answer = ask(api, outcome)

    assert HEADERS.items() <= answer["headers"].items()
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"
    exposed = answer["headers"]["Access-Control-Expose-Headers"].split(",")
    assert {"ETag", "Idempotency-Replayed", "Retry-After"} <= set(exposed)


def test_an_answer_s_own_headers_join_those_of_every_answer() -> None:
    assert Response(200, "{}", {"ETag": '"x"'}).to_proxy() == {
        "statusCode": 200,
        "headers": {**HEADERS, "ETag": '"x"'},
        "body": "{}",
    }


def test_json_is_compact_and_in_utf_8() -> None:
    assert to_json({"a": [1, "ä🎁"], "b": None}) == '{"a":[1,"ä🎁"],"b":null}'


def test_a_log_line_names_the_route_and_not_the_path() -> None:
    answer = ask(search_api.API, None)

    assert ("answered", ("PUT", "/6/{hashid}/stats/cart/{session_id}", 200)) in answer["told"]
