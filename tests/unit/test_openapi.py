"""docs/openapi.yaml against the code and template.yaml: routes, bodies, answers, errors and limits are the same."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import reduce
from itertools import combinations
from operator import getitem
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
import yaml
from aws_lambda_powertools.event_handler import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate

from serverless_cart.domain import errors, limits
from serverless_cart.domain.cart import NOT_FOR_SALE, Selections, Snapshots, price
from serverless_cart.domain.discounts import UNKNOWN, DiscountCode, DiscountSnapshot
from serverless_cart.domain.guests import not_merged
from serverless_cart.domain.limits import CONTRACT_LIMITS
from serverless_cart.domain.methods import Method, PaymentMethod, ShippingMethod, ShippingSnapshot
from serverless_cart.domain.statistics_period import Period
from serverless_cart.domain.statistics_reports import COLUMNS, Row, Selection
from serverless_cart.service.cart import CartChanged, Outcome
from serverless_cart.service.checkout import NeedsReview, Placed
from serverless_cart.service.errors import Unavailable
from serverless_cart.service.statistics import Report
from serverless_cart.web import (
    checkout,
    customer_orders,
    management_api,
    refusals,
    search_api,
    search_cart,
    search_events,
    shop_api,
    shop_orders,
    statistics,
)
from serverless_cart.web.api import App
from serverless_cart.web.cart_json import cart_json
from serverless_cart.web.order_json import order_json, order_summary
from serverless_cart.web.request import MAX_BODY_BYTES, Request
from tests.support.builders import OWNER, SESSION, cart, item, order, principal, product, snapshot, sold
from tools import openapi
from tools.support.events import HASHID, NOW
from tools.support.template import TEMPLATE

JSON = "application/json"
TEXT = openapi.DOCUMENT.read_text(encoding="utf-8")
DOCUMENT = yaml.safe_load(TEXT)
COMPONENTS = DOCUMENT["components"]
VALIDATOR = OAS31Validator({"components": COMPONENTS}, format_checker=oas31_format_checker)
RESOURCES = TEMPLATE["Resources"]


class Operation(NamedTuple):
    """An operation of the document. ``api`` is the template's name of its API."""

    name: str
    method: str
    path: str
    api: str
    document: Mapping[str, Any]
    answers: Mapping[int, Any]


def resolved(node: Any) -> Any:
    """Follow references."""
    while isinstance(node, dict) and "$ref" in node:
        node = reduce(getitem, node["$ref"].removeprefix("#/").split("/"), DOCUMENT)
    return node


def within(node: Any) -> Iterator[Any]:
    """List all objects in a part of the document. References are followed."""
    if isinstance(node, dict):
        yield node
        if "$ref" in node:
            yield from within(resolved(node))
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from within(part)


def constants(schema: Any) -> set[str]:
    """List the error texts of a schema."""
    schema = resolved(schema)
    if "oneOf" in schema:
        return {text for part in schema["oneOf"] for text in constants(part)}
    error = schema["properties"]["error"]
    if error["type"] == "object":
        error = error["properties"]["code"]
    return set(error["enum"]) if "enum" in error else {error["const"]}


APIS = {"/6/": "SearchApi", "/api/shop/": "ShopApi", "/api/v2/": "ManagementApi"}
OPERATIONS = [
    Operation(
        described["operationId"],
        method.upper(),
        path,
        next(api for beginning, api in APIS.items() if path.startswith(beginning)),
        described,
        {int(status): resolved(answer) for status, answer in described["responses"].items()},
    )
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
    if method != "servers"
]
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


class UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is there twice, as most tools do."""


def mapping(loader: UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value if key.value != "<<"]
    assert len(keys) == len(set(keys)), node.start_mark
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


UniqueKeys.add_constructor("tag:yaml.org,2002:map", mapping)


def test_document_is_valid_openapi_3_1() -> None:
    validate(yaml.load(TEXT, UniqueKeys))  # noqa: S506 - a safe loader


def test_generated_schemas_are_up_to_date() -> None:
    assert openapi.with_schemas(TEXT) == TEXT, "run `make openapi`"


def test_references_have_no_keyword_but_description() -> None:
    assert all(set(node) <= {"$ref", "description"} for node in within(DOCUMENT) if "$ref" in node)


def test_named_outputs_are_in_the_template() -> None:
    named = set(re.findall(r"(?:the output|the host in) (\w+)", TEXT))
    assert {"SearchUrl", "ShopUrl", "ManagementUrl"} <= named <= set(TEMPLATE["Outputs"])


def test_routes_are_those_of_the_template() -> None:
    deployed = [
        (event["Properties"]["Method"].upper(), event["Properties"]["Path"], event["Properties"]["RestApiId"]["Ref"])
        for resource in RESOURCES.values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if "RestApiId" in event["Properties"]
    ]
    assert sorted(deployed) == sorted((operation.method, operation.path, operation.api) for operation in OPERATIONS)


READERS: dict[str, Callable[[Request], object]] = {
    "addToSessionCart": search_cart.addition_of,
    "takeFromSessionCart": search_cart.removal_of,
    "initSession": search_events.start_of,
    "logClick": search_events.click_of,
    "logImage": search_events.banner_click_of,
    "logRedirect": search_events.redirect_of,
    "logCheckout": search_events.checkout_of,
    "addToCart": shop_api.addition_of,
    "selectForCart": shop_api.selections_of,
    "clearCart": shop_api.preconditions_of,
    "mergeGuestCart": shop_api.guest_of,
    "checkOut": checkout.checkout_of,
    "reviseItem": shop_api.item_update_of,
    "applyDiscountCode": shop_api.discount_code_of,
    "removeDiscountCode": shop_api.preconditions_of,
    "removeItem": shop_api.preconditions_of,
    "listOrders": customer_orders.order_query_of,
    "listShopOrders": shop_orders.order_query_of,
    "changeOrder": shop_orders.order_change_of,
    "issueCustomerToken": management_api.customer_and_lifetime_of,
    "revokeCustomerTokens": management_api.customer_of,
    "readCustomerCart": management_api.customer_of,
    "readStatistics": lambda request: statistics.selection_of(request, "inits"),
    "readStatisticsPart": lambda request: statistics.selection_of(request, "clicked_items/searches"),
}
BODIES = [operation for operation in OPERATIONS if operation.name in READERS and "requestBody" in operation.document]
every_body = pytest.mark.parametrize("operation", BODIES, ids=lambda operation: operation.name)


def asked(body: bytes = b"", headers: Mapping[str, str] | None = None, customer: str = "customer-1") -> Request:
    path = {"hashid": HASHID, "session_id": SESSION, "customer": customer}
    query = {"status": "paid"}
    return Request("POST", "/", principal(), path, query, headers or {}, body, "::1", "id", {}, lambda: 20.0)


def refusal(read: Callable[[Request], object], request: Request) -> errors.Refusal | None:
    try:
        read(request)
    except errors.Refusal as refused:
        return refused
    return None


def test_examples_match_their_schemas() -> None:
    for node in within([DOCUMENT["paths"], COMPONENTS["headers"]]):
        shown = [resolved(it)["value"] for it in node.get("examples", {}).values()]
        for value in [*shown, node["example"]] if "example" in node else shown:
            VALIDATOR.evolve(schema=node["schema"]).validate(value)


@every_body
def test_example_bodies_are_accepted(operation: Operation) -> None:
    for shown in operation.document["requestBody"]["content"][JSON]["examples"].values():
        assert refusal(READERS[operation.name], asked(json.dumps(shown["value"]).encode())) is None


NUMBERS = ["0", "1", "01", "1.0", "1.5", "1000000", "1000001", "1e", "-1", "0x1", " 1", "1.", ".5", "0.000001"]
NUMBERS += [
    "1000000000000",
    "1000000000000.0",
    "1000000000000.1",
    "1000000000001",
    "9" * 41,
    "0" * 34 + "5",
    "0" * 39 + "1",
    "0" * 40 + "1",
]
NUMBERS += ["0" * 33 + "1000000", "0" * 34 + "1000000", "0" * 27 + "1000000000000", "0" * 28 + "1000000000000"]
VALUES: st.SearchStrategy[object] = st.one_of(
    st.sampled_from([None, True, [], {}, -1, 0, 1, 0.5, 2.0, 9_999, 10_000, 2**53 - 1, 2**53, 1e12, 1e13]),
    st.sampled_from([10**6, 10**6 + 1, 10**30, 10**255, 10**257, -(10**254), -(10**256)]),
    st.sampled_from(["", *NUMBERS, *("\N{HOT BEVERAGE}" * size for size in (256, 257, 500, 501, 1_024, 1_025))]),
    st.integers(),
    st.text(["a", "0", " ", "\0", "\N{HOT BEVERAGE}"], max_size=8),
)


@every_body
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(data=st.data())
def test_parser_accepts_exactly_the_valid_bodies(operation: Operation, data: st.DataObject) -> None:
    media = operation.document["requestBody"]["content"][JSON]
    schema, valid = media["schema"], next(iter(media["examples"].values()))["value"]
    fields = st.dictionaries(st.sampled_from([*resolved(schema)["properties"], "unknown"]), VALUES, max_size=3)
    bodies = [fields, fields.map(lambda changed: valid | changed)]
    if operation.api != "SearchApi":  # which also reads the query string
        bodies += [st.sampled_from([None, [], "text", 1])]
    body = data.draw(st.one_of(bodies))
    refused = refusal(READERS[operation.name], asked(json.dumps(body).encode()))
    assert (refused is None) == VALIDATOR.evolve(schema=schema).is_valid(body)


@pytest.mark.parametrize(
    "operation", [it for it in OPERATIONS if it.api != "ManagementApi"], ids=lambda operation: operation.name
)
def test_preflight_allows_every_documented_header(operation: Operation) -> None:
    cors, (scheme,) = RESOURCES[operation.api]["Properties"]["Cors"], operation.document["security"][0]
    parameters = [COMPONENTS["securitySchemes"][scheme], *map(resolved, operation.document.get("parameters", []))]
    assert {it["name"] for it in parameters if it["in"] == "header"} <= set(cors["AllowHeaders"].strip("'").split(","))
    assert operation.method in cors["AllowMethods"].strip("'").split(",")


EDGE = {"SearchApi": search_api.API, "ShopApi": checkout.API, "ManagementApi": management_api.API}

MUG, GONE, DEAR = product(123), product(789, active=False), product(123, price=1251, stock=1)
LONGEST = {"ref": "r" * limits.PRODUCT_REF_BYTES, "name": "n" * limits.PRODUCT_NAME_LENGTH, "image": None}
HIGHEST = LONGEST | {"price": limits.PRODUCT_PRICE, "discount": limits.PRODUCT_PRICE}
MAXIMUM = limits.MAX_ITEM_QUANTITY
FULL = [item(product(2**53 - 1 - it, **HIGHEST), MAXIMUM) for it in range(CONTRACT_LIMITS.cart_items)]
SHIPPING = ShippingSnapshot(3, offered=False, cost=0, free_from=None, read_at=NOW)
DISABLED = DiscountSnapshot(DiscountCode("OFF", amount=1, active=False), customer_uses=0, read_at=NOW)
WARNED = price(
    OWNER,
    cart(item(MUG, 2), item(GONE), selections=Selections(shipping_method=3), shipping=SHIPPING, discount=DISABLED),
    Snapshots({123: snapshot(DEAR, NOW + 1)}),
)
CARTS = [price(OWNER, cart(created_at=None, updated_at=None)), WARNED, price(OWNER, cart(*FULL))]

METHODS: dict[str, list[Method]] = {
    "listShippingMethods": [
        ShippingMethod(2**53 - 1, "n", "d", cost=limits.SHIPPING_COST, free_from=limits.MAX_SAFE_INTEGER),
        ShippingMethod(0, "n" * limits.METHOD_NAME_LENGTH),
    ],
    "listPaymentMethods": [
        PaymentMethod(0, "n", "d" * limits.METHOD_DESCRIPTION_LENGTH, next_step="https://pay.example"),
        PaymentMethod(1, "n"),
    ],
}

ORDERS = [
    order(discount=1, discount_code="Spring", notes="Ring twice"),
    order(status="refunded", customer="", currency="", selections=Selections(), items=(sold(image=None),)),
]

OTHERS: dict[str, list[Response[str]]] = {
    **{name: [shop_api.methods_answer(methods)] for name, methods in METHODS.items()},
    "createGuest": [shop_api.guest_answer("0" * 40, NOW // 1000)],
    "checkOut": [
        checkout.checkout_answer(Placed(order(next_step=it), replayed=bool(it))) for it in (None, "https://a/")
    ],
}
"""The answers that have no cart and no order."""

ALWAYS = [kind() for kind in (*refusals.COMMON, refusals.Unauthenticated, refusals.OtherKind)]
SOMETIMES = [
    *(kind() for kind in (search_api.SessionIdTooLong, search_api.InvalidSessionItem, search_api.InvalidUserId)),
    *(kind() for kind in (search_api.InvalidDfid, search_api.OtherHashid, search_api.InvalidRedirectId)),
    search_api.BadRequest(),
    *(
        search_api.MissingEventFields(names)
        for pair in (("dfid", "session_id"), ("id", "session_id"), ("session_id", "id"))
        for names in (pair, pair[:1], pair[1:])
    ),
    *(kind() for kind in (errors.ItemNotFound, errors.IdempotencyKeyReused)),
    *(errors.CartFull({field: ["too many"]}) for field in ("product", "quantity")),
    *(kind() for kind in (errors.OrderNotFound, errors.OrderNotCancellable)),
    errors.InvalidTransition({"status": ["an order cannot change from shipped to hold"]}),
    errors.InvalidProduct(NOT_FOR_SALE),
    errors.InvalidDiscountCode({"code": [UNKNOWN]}),
    errors.InsufficientStock({"quantity": ["only 5 available"]}),
    CartChanged(WARNED),
    errors.CartEmpty(),
    errors.CartFull({"items": ["too many"]}),
    errors.TooManyUnpaidOrders({"order": ["too many"]}),
    *(NeedsReview(WARNED, total) for total in (None, 1)),
]
SUBSETS = [names for size in range(3) for names in combinations(("id", "index", "title"), size)]
FAULTY = [
    *(asked(json.dumps(dict.fromkeys(names, "text")).encode()) for names in SUBSETS),
    asked(b"[]", {"idempotency-key": " "}),
    asked(b'{"expires_in": 1}', customer=" "),
    asked(b'{"product": "", "quantity": 0, "notes": 0, "address": "", "shipping_method": "", "payment_method": ""}'),
    asked(b'{"code": ""}'),
    asked(b'{"total": ""}'),
]


def failures(operation: Operation) -> Iterator[Response[str]]:
    """List the errors of an operation's gateway, API and parser."""
    for answer in RESOURCES[operation.api]["Properties"]["GatewayResponses"].values():
        headers = {
            name: value.strip("'") for name, value in answer.get("ResponseParameters", {}).get("Headers", {}).items()
        }
        yield Response(answer["StatusCode"], JSON, answer["ResponseTemplates"][JSON], headers | {"Content-Type": JSON})
    app = App(EDGE[operation.api], Mock())
    app.context["parsed_request"] = asked()
    yield from (app._report_unavailable(Unavailable()), app._report_fault(ZeroDivisionError()))
    parsed = [refusal(READERS[operation.name], request) for request in FAULTY] if operation.name in READERS else []
    yield from (app._refuse(it) for it in (*ALWAYS, *parsed) if type(it) in app.api.errors)
    if operation.name == "mergeGuestCart":
        yield app._refuse(errors.NotAGuest({"token": ["must be a token of another customer, a guest of this shop"]}))
    if operation.name in {"selectForCart", "checkOut"}:
        yield app._refuse(
            errors.MethodNotOffered({"shipping_method": ["not offered"], "payment_method": ["not offered"]})
        )
    others = [app._refuse(it) for it in SOMETIMES if type(it) in app.api.errors]
    yield from (it for it in others if error_in(it) in errors_of(operation))


def order_list(more: dict[str, str]) -> Response[str]:
    body = {"results": [order_summary(it) for it in ORDERS], "total": len(ORDERS), "total_count": len(ORDERS)}
    return management_api.answer(200, body | more)


def successes(operation: Operation) -> Iterator[Response[str]]:
    """List an operation's answers with each cart."""
    if operation.api == "SearchApi":
        yield search_api.registered()
        return
    if operation.api == "ManagementApi":
        yield from {
            "issueCustomerToken": [management_api.token_answer("0" * 40, NOW // 1000)],
            "revokeCustomerTokens": [management_api.answer(200, {"revoked": number}) for number in (0, 50)],
            "listShopOrders": [order_list(it) for it in ({}, {"cursor": f"{NOW}.{ORDERS[0].key}"})],
            "readShopOrder": [management_api.answer(200, order_json(it)) for it in ORDERS],
            "changeOrder": [management_api.answer(200, order_json(it)) for it in ORDERS],
            "readCustomerCart": [management_api.answer(200, cart_json(it, "EUR")) for it in CARTS],
            "readStatistics": list(reports(part=False)),
            "readStatisticsPart": list(reports(part=True)),
        }[operation.name]
        return
    if "Order" in operation.name:
        listed = {"count": 2, "results": [order_summary(it) for it in ORDERS]}
        bodies = [listed] if operation.name == "listOrders" else [order_json(it) for it in ORDERS]
        yield from (shop_api.private_answer(it) for it in bodies)
        return
    if operation.name in OTHERS:
        yield from OTHERS[operation.name]
        return
    if operation.name == "readItem":
        yield from (shop_api.item_answer(asked(), it) for priced in CARTS for it in priced.items)
        return
    replays = {False, operation.name != "readCart"}
    for outcome in (Outcome(it, replayed=replayed) for it in CARTS for replayed in replays):
        yield shop_api.cart_answer(asked(), outcome)
    if operation.name == "readCart":
        yield shop_api.unless_known(asked(headers={"if-none-match": "*"}), shop_api.cart_answer(asked(), outcome))


VALUES_OF = {"title": "Mug", "query": "mug", "link": None, "displays": 0, "amount": Decimal("0.5")}
"""Values of a report's row, by name; all others are 1 or text."""
TEXTS = {"dfid", "product", "session", "id", "index"}


def reports(*, part: bool) -> Iterator[Response[str]]:
    """List an answer of each report whose name has a part, or has none."""
    for name, columns in COLUMNS.items():
        if ("/" in name) == part:
            row: Row = {it: VALUES_OF.get(it, "text" if it in TEXTS else 1) for it in columns}
            report = Report([row], Decimal("0.5") if name == "sales" else None)
            yield statistics.report_answer(name, Selection(Period(0, 1, (0,)), ()), report, "json")


def errors_of(operation: Operation) -> set[tuple[int, str]]:
    failed = [(status, answer["content"]) for status, answer in operation.answers.items() if status >= 400]
    return {(status, text) for status, content in failed for text in constants(content[JSON]["schema"])}


def error_in(response: Response[str]) -> tuple[int, str]:
    error = json.loads(response.body or "{}").get("error", "")
    return response.status_code, error["code"] if isinstance(error, dict) else error


@pytest.mark.parametrize("api", EDGE)
def test_errors_are_those_of_the_tables(api: str) -> None:
    operations = [operation for operation in OPERATIONS if operation.api == api]
    documented = {(status, re.sub(r"^\[.*\] |: \[.*", "", text)) for it in operations for status, text in errors_of(it)}
    unexpected = {error_in(it) for it in failures(operations[0]) if it.status_code in (429, 500, 503)}
    filtered = (403, "access_denied" if api == "ManagementApi" else "forbidden")  # by AWS WAF
    assert documented == {*EDGE[api].errors.values(), *unexpected, filtered}


@every_operation
def test_answers_and_headers_are_as_documented(operation: Operation) -> None:
    failed = [*failures(operation)]
    assert {error_in(it) for it in failed} == errors_of(operation)
    sent = set()
    for response in (*successes(operation), *failed):
        answer, headers = operation.answers[response.status_code], dict(response.headers)
        if response.body:
            assert headers.pop("Content-Type") == JSON
            VALIDATOR.evolve(schema=answer["content"][JSON]["schema"]).validate(json.loads(response.body))
        for name, value in headers.items() - {("Content-Type", JSON)}:
            schema = resolved(answer["headers"][name])["schema"]
            VALIDATOR.evolve(schema=schema).validate(int(str(value)) if schema["type"] == "integer" else value)
            sent.add((response.status_code, name))
        assert {name for name, it in answer["headers"].items() if resolved(it).get("required")} <= set(headers)
    assert sent == {(status, name) for status, it in operation.answers.items() for name in it["headers"]}


@every_operation
def test_answer_schemas_are_closed_and_complete(operation: Operation) -> None:
    for answer in operation.answers.values():
        for schema in within([media["schema"] for media in answer.get("content", {}).values()]):
            if schema.get("type") == "object":
                assert schema["additionalProperties"] is False
                assert "minProperties" in schema or set(schema["required"]) == set(schema["properties"])


def test_every_warning_is_documented() -> None:
    merged = not_merged({123: item(MUG)})
    documented = COMPONENTS["schemas"]["Warning"]["properties"]["code"]["enum"]
    assert {it.code for it in (*WARNED.warnings, *merged)} == {*documented}


@pytest.mark.parametrize(
    ("place", "limit"),
    [
        ("parameters/SessionId/schema/maxLength", limits.SESSION_ID_LENGTH),
        ("parameters/ItemId/schema/maxLength", limits.SESSION_ITEM_NAME_LENGTH),
        ("parameters/ItemIndex/schema/maxLength", limits.SESSION_ITEM_NAME_LENGTH),
        ("parameters/ItemTitle/schema/maxLength", limits.SESSION_ITEM_TITLE_LENGTH),
        ("parameters/ItemAmount/schema/maximum", limits.SESSION_ITEM_AMOUNT),
        ("parameters/ItemPrice/schema/maximum", limits.SESSION_ITEM_PRICE),
        ("parameters/EventSessionId/schema/maxLength", limits.SESSION_ID_LENGTH),
        ("parameters/EventUserId/schema/maxLength", limits.SEARCH_USER_LENGTH),
        ("parameters/EventQuery/schema/maxLength", limits.SEARCH_QUERY_LENGTH),
        ("parameters/EventPosition/schema/maximum", limits.SESSION_ITEM_AMOUNT),
        ("parameters/EventResourceId/schema/maxLength", limits.SEARCH_REFERENCE_LENGTH),
        ("parameters/EventSources/schema/maxItems", limits.CHECKOUT_SOURCES),
        ("parameters/IdempotencyKey/schema/maxLength", limits.IDEMPOTENCY_KEY_LENGTH),
        ("parameters/Limit/schema/maximum", limits.STATISTICS_ROWS),
        ("schemas/Id/maximum", limits.MAX_SAFE_INTEGER),
        ("schemas/Selection/maximum", limits.MAX_SAFE_INTEGER),
        ("schemas/Money/maximum", limits.MAX_SAFE_INTEGER),
        ("schemas/UnitMoney/maximum", limits.PRODUCT_PRICE),
        ("schemas/Notes/maxLength", limits.NOTES_LENGTH),
        ("schemas/MethodName/maxLength", limits.METHOD_NAME_LENGTH),
        ("schemas/MethodDescription/maxLength", limits.METHOD_DESCRIPTION_LENGTH),
        ("schemas/ShippingMethods/properties/results/maxItems", limits.METHODS),
        ("schemas/PaymentMethods/properties/results/maxItems", limits.METHODS),
        ("schemas/Cart/properties/count/maximum", CONTRACT_LIMITS.cart_items),
        ("schemas/Cart/properties/items/maxItems", CONTRACT_LIMITS.cart_items),
        ("schemas/Cart/properties/quantity/maximum", CONTRACT_LIMITS.cart_items * CONTRACT_LIMITS.item_quantity),
        ("schemas/Item/properties/quantity/maximum", CONTRACT_LIMITS.item_quantity),
        ("schemas/Item/properties/ref/maxLength", limits.PRODUCT_REF_BYTES),
        ("schemas/Item/properties/product/properties/name/maxLength", limits.PRODUCT_NAME_LENGTH),
        ("schemas/Item/properties/product/properties/image/maxLength", limits.PRODUCT_IMAGE_BYTES),
    ],
)
def test_limit_in_schema_matches_the_code(place: str, limit: int) -> None:
    assert reduce(getitem, place.split("/"), COMPONENTS) == limit


@pytest.mark.parametrize(
    "sentence",
    [
        f"No price in a response is older than {CONTRACT_LIMITS.price_age} seconds.",
        f"({CONTRACT_LIMITS.cart_items}) and the quantity of an item ({CONTRACT_LIMITS.item_quantity:,})",
        f"leaves its session's cart {CONTRACT_LIMITS.session_item_lifetime // 3600} hours after its own last event",
        f"it expires {CONTRACT_LIMITS.cart_lifetime // 86400} days after its last change",
        f"last {limits.IDEMPOTENCY_RECORDS} keys, each for at most {limits.IDEMPOTENCY_RECORD_LIFETIME // 3600} hours",
        f"at most {limits.SESSION_ID_LENGTH} characters after decoding",
        f"A period has at most {limits.STATISTICS_DAYS} days.",
        f"a body can have at most {MAX_BODY_BYTES // 2**20} MiB",
        f"The number of pieces to add, {shop_api.AddCartItem.model_fields['quantity'].default} if absent.",
        f"The number of pieces, {search_cart.AddSessionItem.model_fields['amount'].default} if absent.",
    ],
)
def test_limit_in_prose_matches_the_code(sentence: str) -> None:
    assert sentence in " ".join(TEXT.split())
