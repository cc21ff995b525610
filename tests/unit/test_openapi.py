"""docs/openapi.yaml against the code and template.yaml: each has all that the others have, and no more."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import combinations
from typing import Any, NamedTuple

import pytest
import yaml
from aws_lambda_powertools.event_handler import Response
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate
from pydantic import BaseModel

from serverless_cart.domain import limits
from serverless_cart.domain.cart import NOT_FOR_SALE, PricedCart, price
from serverless_cart.domain.errors import (
    CartFull,
    IdempotencyKeyReused,
    InsufficientStock,
    InvalidProduct,
    ItemNotFound,
    Refusal,
)
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.public_ids import item_id
from serverless_cart.service.cart import CartChanged, Outcome
from serverless_cart.service.errors import Unavailable
from serverless_cart.telemetry import Telemetry
from serverless_cart.web import refusals, search_api, shop_api
from serverless_cart.web.api import Api, App
from serverless_cart.web.refusals import BannedAddress, NotFound, OriginNotAllowed, RequestTooLarge, Unauthenticated
from serverless_cart.web.request import MAX_BODY_BYTES, Request
from serverless_cart.web.search_api import InvalidSessionItem, MissingSessionFields, SessionIdTooLong
from serverless_cart.web.shop_api import InvalidRequest
from tests.builders import OWNER, SESSION, Context, cart, item, principal, product, snapshot
from tools.build_page import page
from tools.support.events import HASHID
from tools.support.paths import ROOT
from tools.support.template import TEMPLATE

Json = Any
METHODS = ("get", "put", "post", "patch", "delete")
JSON = "application/json"

DOCUMENT = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
COMPONENTS = OAS31Validator({"components": DOCUMENT["components"]}, format_checker=oas31_format_checker)
RESOURCES = TEMPLATE["Resources"]


# ----------------------------------------------------------------------------------------------------------------------
# Reading the document
# ----------------------------------------------------------------------------------------------------------------------


class Operation(NamedTuple):
    """One operation of the document; ``api`` is the template's name of the API that its security belongs to."""

    method: str
    path: str
    api: str
    document: Mapping[str, Json]

    @property
    def name(self) -> str:
        """The operation's id."""
        return str(self.document["operationId"])


def resolved(node: Json) -> Json:
    """Follow a reference."""
    while isinstance(node, dict) and set(node) == {"$ref"}:
        target = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def validator(schema: Json) -> OAS31Validator:
    """Return a validator of one of the document's schemas."""
    return COMPONENTS.evolve(schema=schema)


def named(schema: str) -> OAS31Validator:
    """Return a validator of the schema of that name."""
    return validator({"$ref": f"#/components/schemas/{schema}"})


def constants(schema: Json) -> set[str]:
    """List the texts that the ``error`` of a schema may have."""
    schema = resolved(schema)
    if "oneOf" in schema:
        return {text for part in schema["oneOf"] for text in constants(part)}
    error = schema["properties"]["error"]
    return set(error["enum"]) if "enum" in error else {error["const"]}


def within(node: Json, seen: set[str] | None = None) -> Iterator[Json]:
    """Walk all mappings in a part of the document, those that it refers to included, each once."""
    seen = set() if seen is None else seen
    if isinstance(node, list):
        for part in node:
            yield from within(part, seen)
    if isinstance(node, dict):
        reference = node.get("$ref")
        if reference and reference not in seen:
            seen.add(reference)
            yield from within(resolved({"$ref": reference}), seen)
        yield node
        for part in node.values():
            yield from within(part, seen)


APIS = {"apiKey": "SearchApi", "customerToken": "ShopApi"}
OPERATIONS = [
    Operation(method.upper(), path, APIS["".join(described["security"][0])], described)
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
    if method in METHODS
]
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def errors_of(operation: Operation) -> set[tuple[int, str]]:
    """List the errors that an operation documents."""
    return {
        (int(status), text)
        for status, answer in operation.document["responses"].items()
        if int(status) >= 400
        for text in constants(resolved(answer)["content"][JSON]["schema"])
    }


def check_conforms(operation: Operation, status: int, headers: Mapping[str, str], body: str) -> None:
    """Check that an operation may answer so: status, every header and the whole body."""
    answer = resolved(operation.document["responses"][str(status)])
    documented = {name: resolved(header) for name, header in answer["headers"].items()}
    sent = {name: value for name, value in headers.items() if name != "Content-Type"}
    assert set(sent) <= set(documented)
    assert {name for name, header in documented.items() if header.get("required")} <= set(sent)
    for name, value in sent.items():
        schema = documented[name]["schema"]
        validator(schema).validate(int(value) if schema.get("type") == "integer" else value)
    if "content" in answer:
        assert headers["Content-Type"] == JSON
        validator(answer["content"][JSON]["schema"]).validate(json.loads(body))
    else:
        assert not body


# ----------------------------------------------------------------------------------------------------------------------
# The document by itself
# ----------------------------------------------------------------------------------------------------------------------


def test_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def _examples() -> Iterator[Any]:
    """List all examples with the schemas that they are examples of."""
    for node in within(DOCUMENT):
        if "schema" in node and "example" in node:
            yield pytest.param(node["schema"], node["example"], id=node.get("name", "header"))
        if "schema" in node and "examples" in node:
            for name, shown in node["examples"].items():
                yield pytest.param(node["schema"], resolved(shown)["value"], id=name)


@pytest.mark.parametrize(("schema", "shown"), [*_examples()])
def test_example_matches_its_schema(schema: Json, shown: Json) -> None:
    validator(schema).validate(shown)


@every_operation
def test_every_body_and_every_error_has_an_example(operation: Operation) -> None:
    answers = [resolved(answer) for answer in operation.document["responses"].values()]
    for described in [operation.document.get("requestBody", {}), *answers]:
        for media in described.get("content", {}).values():
            assert media["examples"]
    for answer in answers:
        if "ETag" not in answer["headers"] and "content" in answer:
            media = answer["content"][JSON]
            shown = [resolved(it)["value"] for it in media["examples"].values()]
            for part in media["schema"].get("oneOf", [media["schema"]]):
                assert any(validator(part).is_valid(it) for it in shown), part


def test_vendor_requests_are_among_the_examples() -> None:
    (add,) = (operation for operation in OPERATIONS if operation.name == "addToCart")
    shown = [it["value"] for it in add.document["requestBody"]["content"][JSON]["examples"].values()]
    assert {"product": 123, "quantity": 2, "notes": "Please pack carefully"} in shown
    assert {"product": 456} in shown


@every_operation
def test_answer_schemas_are_closed_and_complete(operation: Operation) -> None:
    for answer in operation.document["responses"].values():
        objects = [node for node in within(resolved(answer).get("content", {})) if node.get("type") == "object"]
        assert objects or "content" not in resolved(answer)
        for schema in objects:
            assert schema["additionalProperties"] is False
            assert set(schema.get("required", ())) <= set(schema["properties"])
            assert "minProperties" in schema or set(schema["required"]) == set(schema["properties"])


# ----------------------------------------------------------------------------------------------------------------------
# Routes
# ----------------------------------------------------------------------------------------------------------------------


def test_routes_are_those_of_the_template() -> None:
    deployed = [
        (event["Properties"]["Method"].upper(), event["Properties"]["Path"], event["Properties"]["RestApiId"]["Ref"])
        for resource in RESOURCES.values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
    ]
    assert sorted(deployed) == sorted((operation.method, operation.path, operation.api) for operation in OPERATIONS)


@every_operation
def test_operation_is_served_by_its_api(operation: Operation) -> None:
    variable = {"SearchApi": "search_api", "ShopApi": "shop_api"}[operation.api]
    for server in DOCUMENT["paths"][operation.path]["servers"]:
        assert f"{{{variable}}}" in server["url"]
        assert f"/{RESOURCES[operation.api]['Properties']['StageName']}" in server["url"]


# ----------------------------------------------------------------------------------------------------------------------
# Errors
# ----------------------------------------------------------------------------------------------------------------------

EDGE = {"SearchApi": search_api.API, "ShopApi": shop_api.API}
ANYWHERE = {Unauthenticated, BannedAddress, OriginNotAllowed, NotFound, RequestTooLarge}
PRECONDITIONS = {InvalidRequest, IdempotencyKeyReused, CartChanged}
REFUSALS: dict[str, set[type[Refusal]]] = {
    "addToSessionCart": {SessionIdTooLong, MissingSessionFields, InvalidSessionItem},
    "takeFromSessionCart": {SessionIdTooLong, MissingSessionFields, InvalidSessionItem},
    "emptySessionCart": {SessionIdTooLong, InvalidSessionItem},
    "addToCart": PRECONDITIONS | {InvalidProduct, InsufficientStock, CartFull},
    "readCart": set(),
    "selectForCart": PRECONDITIONS,
    "clearCart": PRECONDITIONS,
    "reviseItem": PRECONDITIONS | {ItemNotFound, InvalidProduct, InsufficientStock},
    "removeItem": PRECONDITIONS | {ItemNotFound},
}
"""What each operation may be refused for, in addition to what any may."""
REQUIRED = {"addToSessionCart": ("id", "index", "title"), "takeFromSessionCart": ("id", "index")}


def refusals_of(operation: Operation) -> Iterator[Refusal]:
    """Make everything that an operation may be refused for."""
    fields = REQUIRED.get(operation.name, ())
    for kind in ANYWHERE | REFUSALS[operation.name]:
        if kind is MissingSessionFields:
            for count in range(1, len(fields) + 1):
                yield from (MissingSessionFields(missing) for missing in combinations(fields, count))
        elif kind is CartChanged:
            yield CartChanged(PRICED["two items"])
        elif kind is InvalidRequest:
            yield InvalidRequest({"Idempotency-Key": ["is none"], "body": ["is none"]})
        elif kind is InvalidProduct:
            yield InvalidProduct(NOT_FOR_SALE)
        elif kind is InsufficientStock:
            yield InsufficientStock({"quantity": ["only 5 available"]})
        elif kind is CartFull:
            yield from (CartFull({field: ["too much"]}) for field in ("product", "quantity"))
        else:
            yield kind()


def gateway_answers(api: str) -> list[tuple[int, str, dict[str, str]]]:
    """List what the gateway answers by itself: status, body, headers."""
    answers = RESOURCES[api]["Properties"]["GatewayResponses"].values()
    return [
        (
            answer["StatusCode"],
            answer["ResponseTemplates"][JSON],
            {name: value.strip("'") for name, value in answer["ResponseParameters"]["Headers"].items()}
            | {"Content-Type": JSON},
        )
        for answer in answers
    ]


def answer_to(api: Api, error: Exception) -> tuple[int, dict[str, str], str]:
    """Return the status, headers and body of the answer to a request in which this is raised."""
    app = App(api, Telemetry("test_openapi"))

    @app.get("/route")
    def route() -> Response[str]:
        raise error

    sender = principal(kind=api.kind, customer="customer-1" if api.kind == "customer" else "")
    event = {
        "httpMethod": "GET",
        "resource": "/route",
        "pathParameters": {"hashid": HASHID},
        "requestContext": {"requestId": "1", "identity": {"sourceIp": "::1"}, "authorizer": sender.to_context()},
    }
    answer = app.handler()(event, Context())
    return answer["statusCode"], {name: value for name, (value,) in answer["multiValueHeaders"].items()}, answer["body"]


def test_every_refusal_belongs_to_an_operation() -> None:
    for api, edge in EDGE.items():
        kinds = set().union(*(REFUSALS[operation.name] for operation in OPERATIONS if operation.api == api))
        assert set(edge.errors) == ANYWHERE | kinds


@every_operation
def test_errors_are_those_of_code_and_gateway(operation: Operation) -> None:
    api = EDGE[operation.api]
    said = {(503, refusals.UNAVAILABLE), (500, refusals.FAULT)}
    for refusal in refusals_of(operation):
        status, text = api.errors[type(refusal)]
        said.add((status, api.describe(refusal, text)[0]))
    said |= {(status, json.loads(body)["error"]) for status, body, _ in gateway_answers(operation.api)}
    assert errors_of(operation) == said


@every_operation
def test_every_error_is_answered_as_documented(operation: Operation) -> None:
    for status, body, headers in gateway_answers(operation.api):
        check_conforms(operation, status, headers, body)
    for error in [*refusals_of(operation), Unavailable(), ZeroDivisionError()]:
        check_conforms(operation, *answer_to(EDGE[operation.api], error))


# ----------------------------------------------------------------------------------------------------------------------
# Answers
# ----------------------------------------------------------------------------------------------------------------------


def _priced() -> dict[str, PricedCart]:
    """Price carts of every kind: empty, ordinary, one that warns of everything, and the largest."""
    mug, tea, gone = product(123), product(456, image=None, stock=None), product(789, active=False)
    dear = product(123, price=mug.price + 1, stock=1)
    largest = [
        product(
            limits.MAX_SAFE_INTEGER - number,
            ref="r" * limits.PRODUCT_REF_BYTES,
            name="n" * limits.PRODUCT_NAME_LENGTH,
            image="i" * limits.PRODUCT_IMAGE_BYTES,
            price=limits.PRODUCT_PRICE,
            discount=limits.PRODUCT_PRICE,
        )
        for number in range(CONTRACT_LIMITS.cart_items)
    ]
    full = cart(
        *(item(it, CONTRACT_LIMITS.item_quantity, notes="\N{HOT BEVERAGE}" * limits.NOTES_LENGTH) for it in largest)
    )
    return {
        "empty": price(OWNER, cart(version=0, created_at=None, updated_at=None), {}, {}),
        "two items": price(OWNER, cart(item(mug, 2), item(tea)), {}, {}),
        "warnings": price(OWNER, cart(item(dear, 2), item(gone)), {123: snapshot(dear)}, {123: mug}),
        "largest": price(OWNER, full, {}, {}),
    }


PRICED = _priced()
every_cart = pytest.mark.parametrize("priced", PRICED.values(), ids=PRICED)


def answers_of(operation: Operation, priced: PricedCart) -> Iterator[Response[str]]:
    """List how an operation answers with a cart."""
    if operation.api == "SearchApi":
        yield search_api.registered()
    elif operation.name == "readCart":
        yield shop_api.cart_answer(Outcome(priced))
        yield shop_api.unless_known(asked("GET", headers={"if-none-match": "*"}), shop_api.cart_answer(Outcome(priced)))
    else:
        for outcome in (Outcome(priced), Outcome(priced, replayed=True)):
            if operation.name != "reviseItem":
                yield shop_api.cart_answer(outcome)
            else:
                for line in priced.items:
                    yield shop_api.item_answer(outcome, item_id(OWNER, line.product.id))


def asked(
    method: str, body: bytes = b"", query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Request:
    """Return a request."""
    return Request(
        method=method,
        route="/",
        principal=principal(),
        path={"hashid": HASHID, "session_id": SESSION},
        query=query or {},
        headers=headers or {},
        body=body,
        address="::1",
        time_left=lambda: 20.0,
    )


@every_operation
@every_cart
def test_every_answer_is_as_documented(operation: Operation, priced: PricedCart) -> None:
    for response in answers_of(operation, priced):
        headers = {name: str(value) for name, value in response.headers.items()}
        check_conforms(operation, response.status_code, headers, str(response.body))


@every_operation
def test_documented_headers_are_those_answered(operation: Operation) -> None:
    documented = {
        (int(status), name)
        for status, answer in operation.document["responses"].items()
        if int(status) < 400
        for name in resolved(answer)["headers"]
    }
    answered = {
        (response.status_code, name)
        for priced in PRICED.values()
        for response in answers_of(operation, priced)
        for name in response.headers
        if name != "Content-Type"
    }
    assert answered == documented


def test_every_warning_is_documented() -> None:
    body = json.loads(str(shop_api.cart_answer(Outcome(PRICED["warnings"])).body))
    documented = DOCUMENT["components"]["schemas"]["Warning"]["properties"]["code"]["enum"]
    assert {warning["code"] for warning in body["warnings"]} == set(documented)


def test_undocumented_field_is_noticed() -> None:
    body = json.loads(str(shop_api.cart_answer(Outcome(PRICED["warnings"])).body))
    assert named("Cart").is_valid(body)
    for part in (body, body["items"][0], body["items"][0]["product"], body["warnings"][0]):
        part["surprise"] = 1
        assert not named("Cart").is_valid(body)
        del part["surprise"]
    assert not named("NotFound").is_valid({"error": "not found", "surprise": 1})


def test_examples_of_carts_add_up() -> None:
    for name in ("Cart", "CartWithWarnings", "EmptyCart"):
        shown = DOCUMENT["components"]["examples"][name]["value"]
        for line in shown["items"]:
            assert line["subtotal"] == line["unit_price"] * line["quantity"]
            assert line["discount"] == line["unit_discount"] * line["quantity"]
            assert line["total"] == line["subtotal"] - line["discount"]
        assert shown["items_subtotal"] == sum(line["subtotal"] for line in shown["items"])
        assert shown["items_discount"] == sum(line["discount"] for line in shown["items"])
        assert shown["total"] == shown["subtotal"] == shown["items_subtotal"] - shown["items_discount"]
        assert shown["count"] == len(shown["items"])
        assert shown["quantity"] == sum(line["quantity"] for line in shown["items"])


# ----------------------------------------------------------------------------------------------------------------------
# Requests
# ----------------------------------------------------------------------------------------------------------------------

BOUNDS = ("type", "minimum", "maximum", "minLength", "maxLength", "pattern")


def bounds(schema: Json) -> dict[str, Any]:
    """Return what a field may be, however it is written: with a reference, or with a choice of null."""
    if "$ref" in schema:
        schema = {**resolved({"$ref": schema["$ref"]}), **schema}
    parts = schema.get("anyOf", [schema])
    found = {name: value for part in parts for name, value in part.items() if name in BOUNDS and name != "type"}
    types = [kind for part in parts for kind in ([part["type"]] if isinstance(part["type"], str) else part["type"])]
    return found | {"type": sorted(types)}


MODELS: dict[str, type[BaseModel]] = {
    "AddItem": shop_api.AddCartItem,
    "ReviseItem": shop_api.UpdateCartItem,
    "SelectForCart": shop_api.UpdateSelections,
}


@pytest.mark.parametrize("schema", MODELS)
def test_shop_api_bodies_match_the_models(schema: str) -> None:
    documented, code = DOCUMENT["components"]["schemas"][schema], MODELS[schema].model_json_schema()
    assert {name: bounds(field) for name, field in documented["properties"].items()} == {
        name: bounds(field) for name, field in code["properties"].items()
    }
    assert documented.get("required", []) == code.get("required", [])


def test_default_quantity_matches_the_model() -> None:
    documented = DOCUMENT["components"]["schemas"]["AddItem"]["properties"]["quantity"]["default"]
    assert documented == shop_api.AddCartItem.model_fields["quantity"].default


def is_accepted(read: Callable[[Request], object], request: Request) -> bool:
    """Return whether the code accepts a request."""
    try:
        read(request)
    except Refusal:
        return False
    return True


TEXT = st.text(["a", "0", " ", "#", "\0", '"', "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{HOT BEVERAGE}"], max_size=8)
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Time says nothing here: Hypothesis itself takes seconds for its first text on a busy machine."""

SHOP_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 9_999, 10_000, 2**53 - 1, 2**53, 10**30, 0.5, "2", [], {}]),
    st.sampled_from(["", "x" * 500, "x" * 501, "\N{HOT BEVERAGE}" * 500, "\N{HOT BEVERAGE}" * 501]),
    st.integers(),
    TEXT,
)
READERS: dict[str, tuple[Callable[[Request], object], tuple[str, ...]]] = {
    "AddItem": (shop_api.addition_of, ("product", "quantity", "notes")),
    "ReviseItem": (shop_api.item_update_of, ("quantity", "notes")),
    "SelectForCart": (shop_api.selections_of, ("address", "shipping_method", "payment_method")),
}


@pytest.mark.parametrize("schema", READERS)
@patient
@given(data=st.data())
def test_shop_api_accepts_documented_bodies_only(schema: str, data: st.DataObject) -> None:
    read, names = READERS[schema]
    fields: st.SearchStrategy[object] = st.dictionaries(st.sampled_from([*names, "unknown"]), SHOP_VALUES)
    body = data.draw(fields | st.sampled_from([None, [], "text", 1, True]))
    request = asked("POST", json.dumps(body).encode())
    assert is_accepted(read, request) == named(schema).is_valid(body)


NUMBERS = ["0", "1", "01", "1.0", "1.5", "1000000", "1000001", "1e", "-1", "0x1", " 1", "1.", ".5", "0.000001"]
NUMBERS += ["1000000000000", "1000000000000.0", "1000000000000.1", "1000000000001", "9" * 41, "0" * 34 + "5"]
SEARCH_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 10**6, 10**6 + 1, 10**12, 10**12 + 1, -1, 0.5, 1e12, 1e13, [], {}, [1]]),
    st.sampled_from([10**255, 10**257, -(10**254), -(10**256)]),
    st.sampled_from([*NUMBERS, "", "x" * 256, "x" * 257, "x" * 1_024, "x" * 1_025]),
    st.integers(),
    TEXT,
    st.from_regex(r"\A[0-9]{1,14}(\.[0-9]{1,8})?\Z", fullmatch=True),
)


@pytest.mark.parametrize(
    ("schema", "read"), [("SessionAddition", search_api.addition_of), ("SessionRemoval", search_api.removal_of)]
)
@patient
@given(data=st.data())
def test_search_api_accepts_documented_bodies_only(
    schema: str, read: Callable[[Request], object], data: st.DataObject
) -> None:
    fields = dict.fromkeys(("id", "index", "title", "amount", "price"), SEARCH_VALUES)
    good = {"id": "123", "index": "product", "title": "Mug"}
    given_ = data.draw(st.fixed_dictionaries({}, optional=fields))
    body = data.draw(st.sampled_from([given_, good | given_, good | dict([*given_.items()][:1])]))
    assert is_accepted(read, asked("PUT", json.dumps(body).encode())) == named(schema).is_valid(body)


@patient
@given(
    name=st.sampled_from(["id", "index", "title", "amount", "price"]),
    text=st.sampled_from([*NUMBERS, "x" * 256, "x" * 257, "x" * 1_024, "x" * 1_025]) | TEXT,
)
@example(name="amount", text="5")
def test_documented_query_string_is_accepted(name: str, text: str) -> None:
    (add,) = (operation for operation in OPERATIONS if operation.name == "addToSessionCart")
    parameters = {it["name"]: it["schema"] for it in map(resolved, add.document["parameters"])}
    value: object = text
    if parameters[name]["type"] != "string":
        try:
            value = json.loads(text)
        except ValueError:
            return
        if text != text.strip():
            return  # JSON allows spaces around a number; a parameter has none
    if validator(parameters[name]).is_valid(value):
        query = {"id": "123", "index": "product", "title": "Mug", name: text}
        addition = search_api.addition_of(asked("PUT", query=query))
        found: dict[str, object] = {"id": addition.key.id, "index": addition.key.index, "title": addition.title}
        found |= {"amount": addition.amount, "price": addition.price}
        assert found[name] == (text if parameters[name]["type"] == "string" else round(Decimal(text), 6))


@patient
@given(key=st.text([chr(code) for code in range(300)]) | st.sampled_from(["!" * 255, "!" * 256, ""]))
def test_idempotency_key_is_accepted_as_documented(key: str) -> None:
    schema = DOCUMENT["components"]["parameters"]["IdempotencyKey"]["schema"]
    request = asked("DELETE", headers={"idempotency-key": key})
    assert is_accepted(shop_api.preconditions_of, request) == validator(schema).is_valid(key)


@pytest.mark.parametrize("text", [HASHID, HASHID.upper(), HASHID[1:], HASHID + "0", "g" * 32, ""])
def test_hashid_is_accepted_as_documented(text: str) -> None:
    request = asked("PUT")
    schema = DOCUMENT["components"]["parameters"]["Hashid"]["schema"]
    asking = request._replace(path={"hashid": text})
    assert is_accepted(search_api.API.check, asking) == validator(schema).is_valid(text)


@every_operation
def test_cors_allows_every_documented_header(operation: Operation) -> None:
    cors = RESOURCES[operation.api]["Properties"]["Cors"]
    allowed = cors["AllowHeaders"].strip("'").split(",")
    headers = [it["name"] for it in map(resolved, operation.document.get("parameters", [])) if it["in"] == "header"]
    assert {*headers, "Authorization", "Content-Type"} <= set(allowed)
    assert operation.method in cors["AllowMethods"].strip("'").split(",")


@every_operation
def test_credential_header_is_the_authorizer_s(operation: Operation) -> None:
    (scheme,) = operation.document["security"][0]
    authorizer = RESOURCES[operation.api]["Properties"]["Auth"]["Authorizers"]["TokenAuthorizer"]["Identity"]
    described = DOCUMENT["components"]["securitySchemes"][scheme]
    assert (described["in"], described["name"]) == ("header", authorizer["Header"])


# ----------------------------------------------------------------------------------------------------------------------
# Limits
# ----------------------------------------------------------------------------------------------------------------------

LIMITS = {
    "parameters/SessionId/schema/maxLength": limits.SESSION_ID_LENGTH,
    "parameters/ItemId/schema/maxLength": limits.SESSION_ITEM_NAME_LENGTH,
    "parameters/ItemIndex/schema/maxLength": limits.SESSION_ITEM_NAME_LENGTH,
    "parameters/ItemTitle/schema/maxLength": limits.SESSION_ITEM_TITLE_LENGTH,
    "parameters/ItemAmount/schema/maximum": limits.SESSION_ITEM_AMOUNT,
    "parameters/ItemPrice/schema/maximum": limits.SESSION_ITEM_PRICE,
    "parameters/IdempotencyKey/schema/maxLength": limits.IDEMPOTENCY_KEY_LENGTH,
    "schemas/SessionItemId/maxLength": limits.SESSION_ITEM_NAME_LENGTH,
    "schemas/SessionItemIndex/maxLength": limits.SESSION_ITEM_NAME_LENGTH,
    "schemas/SessionAddition/properties/title/maxLength": limits.SESSION_ITEM_TITLE_LENGTH,
    "schemas/SessionAddition/properties/price/maximum": limits.SESSION_ITEM_PRICE,
    "schemas/SessionItemAmount/maximum": limits.SESSION_ITEM_AMOUNT,
    "schemas/Id/maximum": limits.MAX_SAFE_INTEGER,
    "schemas/Selection/maximum": limits.MAX_SAFE_INTEGER,
    "schemas/Money/maximum": limits.MAX_SAFE_INTEGER,
    "schemas/UnitMoney/maximum": limits.PRODUCT_PRICE,
    "schemas/Notes/maxLength": limits.NOTES_LENGTH,
    "schemas/Cart/properties/count/maximum": CONTRACT_LIMITS.cart_items,
    "schemas/Cart/properties/items/maxItems": CONTRACT_LIMITS.cart_items,
    "schemas/Cart/properties/quantity/maximum": CONTRACT_LIMITS.cart_items * CONTRACT_LIMITS.item_quantity,
    "schemas/Item/properties/quantity/maximum": CONTRACT_LIMITS.item_quantity,
    "schemas/Item/properties/ref/maxLength": limits.PRODUCT_REF_BYTES,
    "schemas/Item/properties/product/properties/name/maxLength": limits.PRODUCT_NAME_LENGTH,
    "schemas/Item/properties/product/properties/image/maxLength": limits.PRODUCT_IMAGE_BYTES,
}


@pytest.mark.parametrize("place", LIMITS)
def test_documented_limit_matches_the_code(place: str) -> None:
    found = DOCUMENT["components"]
    for step in place.split("/"):
        found = found[step]
    assert found == LIMITS[place]


@pytest.mark.parametrize(
    "sentence",
    [
        f"No price in an answer is older than {CONTRACT_LIMITS.price_age} seconds.",
        f"the items of a cart ({CONTRACT_LIMITS.cart_items})",
        f"the quantity of an item ({CONTRACT_LIMITS.item_quantity:,})",
        f"leaves its session's cart {CONTRACT_LIMITS.session_item_lifetime // 3600} hours after its own last event",
        f"it expires {CONTRACT_LIMITS.cart_lifetime // 86400} days after its last change",
        f"its last {limits.IDEMPOTENCY_RECORDS} keys,",
        f"keys, each for at most {limits.IDEMPOTENCY_RECORD_LIFETIME // 3600} hours",
        f"a body may have {MAX_BODY_BYTES // 2**20} MiB",
    ],
)
def test_limit_in_prose_matches_the_code(sentence: str) -> None:
    texts = [node["description"] for node in within(DOCUMENT) if isinstance(node.get("description"), str)]
    assert any(sentence in " ".join(text.split()) for text in texts)


# ----------------------------------------------------------------------------------------------------------------------
# The page
# ----------------------------------------------------------------------------------------------------------------------


def test_page_has_the_whole_document_and_loads_nothing() -> None:
    html = page(DOCUMENT, "Title")
    markup, _, rest = html.partition("<style>")
    assert "default-src 'none'" in markup
    assert "<link" not in html
    assert "<script src" not in html
    assert html.count("</script>") == 2
    shown = rest.partition("  spec: ")[2].partition(",\n  dom_id")[0]
    assert json.loads(shown) == DOCUMENT
