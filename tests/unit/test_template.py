"""The template: each function's rights, the gateway's own answers, and what must not be deployed."""

import json
import re
from typing import Any

import pytest

from serverless_cart import auth
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from serverless_cart.web.response import HEADERS
from tests.support.policies import listed, permits
from tests.unit.test_tokens import ACCEPTED, REFUSED
from tools.support.events import HASHID
from tools.support.paths import ROOT
from tools.support.template import TEMPLATE


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource.get("Properties", {})
        for name, resource in TEMPLATE["Resources"].items()
        if resource["Type"] == kind
    }


FUNCTIONS = resources("AWS::Serverless::Function")
ROLES = resources("AWS::IAM::Role")
APIS = resources("AWS::Serverless::Api")
TABLE = resources("AWS::DynamoDB::Table")["Table"]


def statements(role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        statement for policy in ROLES[role]["Policies"] for statement in policy["PolicyDocument"]["Statement"]
    ]
    return found


# ----------------------------------------------------------------------------------------------------------------------
# Functions and their roles
# ----------------------------------------------------------------------------------------------------------------------


def test_every_function_of_the_repository_is_deployed_and_no_other() -> None:
    deployed = {properties["CodeUri"] for properties in FUNCTIONS.values()}

    assert deployed == {f"functions/{file.parent.name}" for file in (ROOT / "functions").glob("*/app.py")}


def test_every_function_has_a_role_and_a_log_group_of_its_own() -> None:
    roles = [properties["Role"]["Fn::GetAtt"] for properties in FUNCTIONS.values()]
    logs = [properties["LoggingConfig"]["LogGroup"]["Ref"] for properties in FUNCTIONS.values()]

    assert sorted(roles) == sorted(f"{role}.Arn" for role in ROLES)
    assert sorted(logs) == sorted(resources("AWS::Logs::LogGroup"))
    for name, properties in FUNCTIONS.items():
        role = properties["Role"]["Fn::GetAtt"].removesuffix(".Arn")
        assert role == name.replace("Function", "Role")
        log = next(one for one in statements(role) if one["Sid"] == "WriteOwnLog")
        assert log["Resource"] == {"Fn::GetAtt": f"{properties['LoggingConfig']['LogGroup']['Ref']}.Arn"}
        assert set(log["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_logs_are_kept_for_so_long_and_no_longer() -> None:
    for properties in resources("AWS::Logs::LogGroup").values():
        assert properties["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("role", ROLES)
def test_no_right_is_a_wildcard_or_wider_than_the_one_table(role: str) -> None:
    assert "ManagedPolicyArns" not in ROLES[role]
    for statement in statements(role):
        assert statement["Effect"] == "Allow"
        assert {"NotAction", "NotResource"} & statement.keys() == set()
        assert not any("*" in action for action in listed(statement["Action"]))
        services = {action.partition(":")[0] for action in listed(statement["Action"])}
        assert services in ({"logs"}, {"dynamodb"})
        if services == {"dynamodb"}:
            assert statement["Resource"] == {"Fn::GetAtt": "Table.Arn"}
            (patterns,) = statement["Condition"].values()
            assert all(re.fullmatch(r"[A-Z]+#\*", pattern) for pattern in patterns["dynamodb:LeadingKeys"])
            assert "dynamodb:Scan" not in listed(statement["Action"])


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_assumed_by_lambda_alone(role: str) -> None:
    (trust,) = ROLES[role]["AssumeRolePolicyDocument"]["Statement"]

    assert (trust["Principal"], trust["Action"]) == ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")


TOKEN, SHOP = keys.token("0" * 64).pk, keys.shop("demo").pk
PRODUCT, CART = keys.product("demo", 7).pk, keys.cart(Owner("demo", "CART#customer")).pk
SESSION = keys.session_item(Session(HASHID, "CART#s"), ItemKey("i", "x")).pk
PARTITIONS = {"token": TOKEN, "shop": SHOP, "product": PRODUCT, "cart": CART, "session": SESSION}
ACTIONS = ("GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem",
           "ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "DeleteTable",
           "UpdateTable", "DescribeTable")  # fmt: skip
MAY = {
    "AuthorizerRole": {("GetItem", "token"), ("GetItem", "shop")},
    "StatsCartRole": {
        (action, "session") for action in ("UpdateItem", "DeleteItem", "Query", "BatchWriteItem")
    },
    "CartItemsRole": {
        ("BatchGetItem", "cart"),
        ("BatchGetItem", "product"),
        ("GetItem", "cart"),
        ("UpdateItem", "cart"),
        ("PutItem", "cart"),
    },
    "CartRole": {("BatchGetItem", "product"), ("GetItem", "cart"), ("UpdateItem", "cart"), ("PutItem", "cart")},
}  # fmt: skip


def test_every_role_is_looked_at() -> None:
    assert set(MAY) == set(ROLES)


@pytest.mark.parametrize("role", MAY)
def test_a_role_reaches_exactly_what_its_function_needs(role: str) -> None:
    reached = {
        (action, name)
        for action in ACTIONS
        for name, partition in PARTITIONS.items()
        if permits(statements(role), action, partition)
    }

    assert reached == MAY[role]


@pytest.mark.parametrize(
    ("role", "action", "partitions", "permitted"),
    [
        ("CartItemsRole", "BatchGetItem", [CART, PRODUCT], True),
        ("CartItemsRole", "BatchGetItem", [CART, PRODUCT, TOKEN], False),
        ("CartItemsRole", "BatchGetItem", [CART, SHOP], False),
        ("CartRole", "BatchGetItem", [PRODUCT, PRODUCT + "1"], True),
        ("CartRole", "BatchGetItem", [CART, PRODUCT], False),
        ("CartRole", "BatchGetItem", [PRODUCT, TOKEN], False),
        ("CartRole", "GetItem", [SHOP], False),
        ("CartItemsRole", "UpdateItem", ["cart#demo#customer"], False),
        ("CartItemsRole", "UpdateItem", ["XCART#demo#customer"], False),
        ("StatsCartRole", "BatchWriteItem", [SESSION, SESSION + "1"], True),
        ("StatsCartRole", "BatchWriteItem", [SESSION, CART], False),
        ("StatsCartRole", "Query", [""], False),
    ],
)
def test_one_forbidden_key_among_others_forbids_the_whole_request(
    role: str, action: str, partitions: list[str], *, permitted: bool
) -> None:
    assert permits(statements(role), action, *partitions) is permitted


# ----------------------------------------------------------------------------------------------------------------------
# Versions and their snapshots
# ----------------------------------------------------------------------------------------------------------------------

EVERY = TEMPLATE["Globals"]["Function"]
PARAMETERS = TEMPLATE["Parameters"]


def references(part: Any) -> set[str]:
    """Collect what a part of the template refers to, but for what belongs to a resource (``Fn::GetAtt``)."""
    if isinstance(part, list):
        return set().union(*map(references, part))
    if not isinstance(part, dict):
        return set()
    if "Ref" in part:
        return {part["Ref"]}
    return set().union(*map(references, part.values()))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_another_value_of_what_a_function_refers_to_publishes_a_version(name: str) -> None:
    """CloudFormation puts a new version where one had another description, and SAM where a layer has other content."""
    properties = {**EVERY, **FUNCTIONS[name]}
    configured = references({key: value for key, value in properties.items() if key not in {"Events", "LoggingConfig"}})
    layers = resources("AWS::Serverless::LayerVersion")
    described = re.findall(r"\$\{(\w+)\}", properties["VersionDescription"]["Fn::Sub"])

    assert sorted(described) == sorted(configured - set(layers))
    assert properties["AutoPublishAliasAllProperties"] is True
    assert all(layer["PublishLambdaVersion"] is True for layer in layers.values())


def test_a_version_s_description_fits_lambda_s_256_characters() -> None:
    longest = {
        "Table": f"{'stack' * 26:.128}-Table-0123456789ABC",
        "DynamoDBEndpoint": "http://host.docker.internal:65535",
        **{
            name: max(it["AllowedValues"], key=len)
            for name, it in PARAMETERS.items()
            if it["Type"] == "String" and "AllowedValues" in it
        },
        **{name: str(it["MaxValue"]) for name, it in PARAMETERS.items() if "MaxValue" in it},
    }
    text = FUNCTIONS["CartFunction"]["VersionDescription"]["Fn::Sub"]

    assert len(re.sub(r"\$\{(\w+)\}", lambda found: longest[found[1]], text)) <= 256


def test_the_apis_call_a_version_that_goes_with_its_snapshot_when_another_serves() -> None:
    assert (EVERY["AutoPublishAlias"], EVERY["VersionDeletionPolicy"]) == ("live", "Delete")


def test_snapshots_are_off_unless_asked_for_and_not_for_a_python_that_knows_none() -> None:
    parameter = PARAMETERS["SnapStart"]
    rule = TEMPLATE["Rules"]["SnapStartRuntime"]

    assert EVERY["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}
    assert (parameter["Default"], parameter["AllowedValues"]) == ("None", ["None", "PublishedVersions"])
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "SnapStart"}, "PublishedVersions"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Runtime"}, "python3.11"]}]}


# ----------------------------------------------------------------------------------------------------------------------
# APIs
# ----------------------------------------------------------------------------------------------------------------------

SAME = {
    "MISSING_AUTHENTICATION_TOKEN": (404, "not found"),
    "RESOURCE_NOT_FOUND": (404, "not found"),
    "DEFAULT_4XX": (404, "not found"),
    "REQUEST_TOO_LARGE": (413, "request too large"),
    "AUTHORIZER_FAILURE": (503, "temporarily unavailable"),
    "INTEGRATION_FAILURE": (503, "temporarily unavailable"),
    "INTEGRATION_TIMEOUT": (503, "temporarily unavailable"),
    "DEFAULT_5XX": (500, "internal server error"),
}
ANSWERS = {
    "SearchApi": SAME
    | {
        "UNAUTHORIZED": (403, "forbidden"),
        "ACCESS_DENIED": (403, "forbidden"),
        "THROTTLED": (429, "Too many requests"),
        "QUOTA_EXCEEDED": (429, "Too many requests"),
    },
    "ShopApi": SAME
    | {
        "UNAUTHORIZED": (401, "authentication required"),
        "ACCESS_DENIED": (401, "authentication required"),
        "THROTTLED": (429, "too many requests"),
        "QUOTA_EXCEEDED": (429, "too many requests"),
    },
}
CORS = {name: value for name, value in HEADERS.items() if name.startswith("Access-Control-")}


def test_the_two_apis_are_looked_at() -> None:
    assert set(ANSWERS) == set(APIS)


@pytest.mark.parametrize(("api", "kind"), [(api, kind) for api, answers in ANSWERS.items() for kind in answers])
def test_the_gateway_s_own_answers_are_the_contract_s(api: str, kind: str) -> None:
    answer = APIS[api]["GatewayResponses"][kind]
    status, error = ANSWERS[api][kind]

    assert answer["StatusCode"] == status
    assert list(answer["ResponseTemplates"]) == ["application/json"]
    assert json.loads(answer["ResponseTemplates"]["application/json"]) == {"error": error}


@pytest.mark.parametrize("api", APIS)
def test_the_gateway_s_own_answers_carry_the_same_cors_headers_as_the_functions(api: str) -> None:
    assert CORS
    for kind, answer in APIS[api]["GatewayResponses"].items():
        headers = {name: value.strip("'") for name, value in answer["ResponseParameters"]["Headers"].items()}
        assert CORS.items() <= headers.items(), kind
        assert ("Retry-After" in headers) is (answer["StatusCode"] in {429, 503}), kind


@pytest.mark.parametrize("api", APIS)
def test_no_answer_of_the_gateway_s_tells_more_than_its_error(api: str) -> None:
    for answer in APIS[api]["GatewayResponses"].values():
        text = answer["ResponseTemplates"]["application/json"]
        assert "$" not in text, "nothing of the request or the context is quoted"
        assert list(json.loads(text)) == ["error"]


def csv(value: str) -> set[str]:
    return set(value.strip("'").split(","))


@pytest.mark.parametrize("api", APIS)
def test_a_preflight_needs_no_token_and_allows_what_the_contract_has(api: str) -> None:
    cors = APIS[api]["Cors"]

    assert APIS[api]["Auth"]["AddDefaultAuthorizerToCorsPreflight"] is False
    assert cors["AllowOrigin"].strip("'") == HEADERS["Access-Control-Allow-Origin"]
    needed = {"Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"}
    assert needed <= csv(cors["AllowHeaders"])
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= csv(cors["AllowMethods"])


@pytest.mark.parametrize("api", APIS)
def test_every_request_is_judged_and_for_at_most_a_minute(api: str) -> None:
    auth = APIS[api]["Auth"]
    (authorizer,) = auth["Authorizers"].values()

    assert auth["DefaultAuthorizer"] in auth["Authorizers"]
    assert authorizer["FunctionPayloadType"] == "TOKEN"
    assert authorizer["FunctionArn"] == {"Fn::Sub": "${AuthorizerFunction.Arn}:live"}
    assert TEMPLATE["Resources"][api]["DependsOn"] == "AuthorizerFunctionAliaslive", (
        "the gateway is permitted to call it"
    )
    assert authorizer["Identity"]["Header"] == "Authorization"
    assert authorizer["Identity"]["ReauthorizeEvery"] == {"Ref": "AuthorizerCacheSeconds"}
    parameter = TEMPLATE["Parameters"]["AuthorizerCacheSeconds"]
    assert (parameter["Default"], parameter["MaxValue"]) == (60, 60)
    for properties in FUNCTIONS.values():
        for event in properties.get("Events", {}).values():
            assert event["Type"] == "Api"
            assert "Auth" not in event["Properties"], "no route has an exception"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("header", [*ACCEPTED, *REFUSED])
def test_the_gateway_takes_a_header_for_well_formed_where_the_authorizer_does(api: str, header: str) -> None:
    expression = APIS[api]["Auth"]["Authorizers"]["TokenAuthorizer"]["Identity"]["ValidationExpression"]

    # Java's matcher, which the gateway uses, matches the whole text.
    assert bool(re.fullmatch(expression, header)) is bool(auth.HEADER.fullmatch(header))


def test_there_is_no_open_stage_beside_the_intended_one() -> None:
    api = TEMPLATE["Globals"]["Api"]

    assert api["OpenApiVersion"] == "3.0.1", "without it SAM adds an open stage"
    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert [properties["StageName"] for properties in APIS.values()] == ["live", "live"]


def test_each_api_has_a_throttle_of_its_own() -> None:
    limits = {
        (setting["ThrottlingRateLimit"]["Ref"], setting["ThrottlingBurstLimit"]["Ref"])
        for properties in APIS.values()
        for setting in properties["MethodSettings"]
        if (setting["HttpMethod"], setting["ResourcePath"]) == ("*", "/*")
    }

    assert limits == {("SearchRateLimit", "SearchBurstLimit"), ("ShopRateLimit", "ShopBurstLimit")}


def test_the_routes_are_the_contract_s() -> None:
    routes = {
        (event["Properties"]["RestApiId"]["Ref"], event["Properties"]["Method"], event["Properties"]["Path"])
        for properties in FUNCTIONS.values()
        for event in properties.get("Events", {}).values()
    }

    session = "/6/{hashid}/stats/cart/{session_id}"
    assert routes == {
        *(("SearchApi", method, session) for method in ("PUT", "PATCH", "DELETE")),
        *(("ShopApi", method, "/api/shop/cart") for method in ("GET", "PATCH", "DELETE")),
        ("ShopApi", "POST", "/api/shop/cart/items"),
        *(("ShopApi", method, "/api/shop/cart/items/{id}") for method in ("PATCH", "DELETE")),
    }


def test_a_function_s_time_covers_its_database_calls_and_ends_before_the_gateway_s() -> None:
    assert TEMPLATE["Globals"]["Function"]["Timeout"] < 29


# ----------------------------------------------------------------------------------------------------------------------
# Table and layers
# ----------------------------------------------------------------------------------------------------------------------


def test_carts_outlive_the_stack_and_can_be_brought_back() -> None:
    table = TEMPLATE["Resources"]["Table"]

    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == {"Ref": "TableRetention"}
    assert TEMPLATE["Parameters"]["TableRetention"]["Default"] == "Retain"
    assert TABLE["DeletionProtectionEnabled"] == {"Fn::If": ["RetainTable", True, False]}
    assert TABLE["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert TABLE["SSESpecification"] == {"SSEEnabled": True}


def test_the_table_costs_nothing_idle_expires_its_items_and_streams_its_changes() -> None:
    assert TABLE["BillingMode"] == "PAY_PER_REQUEST"
    assert TABLE["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert TABLE["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_every_package_of_the_layer_is_pinned_with_its_hashes() -> None:
    text = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text().replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    assert len(pins) >= 3
    for pin in pins:
        assert re.match(r"[a-z0-9._-]+==[0-9][^ ]* .*--hash=sha256:[0-9a-f]{64}", pin), pin
    assert "--require-hashes" in (ROOT / "layers" / "dependencies" / "Makefile").read_text()
