"""template.yaml: roles, versions, the gateway's answers, routes, table and packages."""

import json
import re
import tomllib
from typing import Any

import pytest

from serverless_cart import auth
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.methods import Kind
from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from serverless_cart.web import management_api
from serverless_cart.web.response import HEADERS
from tests.support.policies import listed, permits
from tests.unit.test_tokens import ACCEPTED, REFUSED
from tools.support.events import HASHID
from tools.support.paths import ROOT
from tools.support.template import TEMPLATE, read_template


def resources(kind: str) -> dict[str, dict[str, Any]]:
    found = {name: resource for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == kind}
    return {name: resource.get("Properties", {}) for name, resource in found.items()}


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


def test_all_functions_are_deployed() -> None:
    deployed = {properties["CodeUri"] for properties in FUNCTIONS.values()}

    assert deployed == {f"functions/{file.parent.name}" for file in (ROOT / "functions").glob("*/app.py")}


def test_function_has_a_separate_role_and_log_group() -> None:
    roles = [properties["Role"]["Fn::GetAtt"] for properties in FUNCTIONS.values()]
    logs = [properties["LoggingConfig"]["LogGroup"]["Ref"] for properties in FUNCTIONS.values()]

    assert sorted(roles) == sorted(f"{role}.Arn" for role in ROLES)
    of_apis = {f"{api.removesuffix('Api')}AccessLog" for api in APIS}
    assert sorted(logs) == sorted(resources("AWS::Logs::LogGroup").keys() - of_apis)
    assert all(
        log["RetentionInDays"] == {"Ref": "LogRetentionDays"} for log in resources("AWS::Logs::LogGroup").values()
    )
    for name, properties in FUNCTIONS.items():
        role = properties["Role"]["Fn::GetAtt"].removesuffix(".Arn")
        assert role == name.replace("Function", "Role")
        log = next(one for one in statements(role) if one["Sid"] == "WriteOwnLog")
        assert log["Resource"] == {"Fn::GetAtt": f"{properties['LoggingConfig']['LogGroup']['Ref']}.Arn"}
        assert set(log["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}


@pytest.mark.parametrize("role", ROLES)
def test_permissions_have_no_wildcards(role: str) -> None:
    assert "ManagedPolicyArns" not in ROLES[role]
    for statement in statements(role):
        assert statement["Effect"] == "Allow"
        assert {"NotAction", "NotResource"} & statement.keys() == set()
        assert not any("*" in action for action in listed(statement["Action"]))
        services = {action.partition(":")[0] for action in listed(statement["Action"])}
        assert services in ({"logs"}, {"dynamodb"}, {"sqs"})
        if services == {"dynamodb"} and statement["Resource"] != {"Fn::GetAtt": "Table.StreamArn"}:
            assert statement["Resource"] == {"Fn::GetAtt": "Table.Arn"}
            (patterns,) = statement["Condition"].values()
            assert all(re.fullmatch(r"[A-Z]+#\*", pattern) for pattern in patterns["dynamodb:LeadingKeys"])
            assert "dynamodb:Scan" not in listed(statement["Action"])


@pytest.mark.parametrize("role", ROLES)
def test_only_lambda_assumes_roles(role: str) -> None:
    (trust,) = ROLES[role]["AssumeRolePolicyDocument"]["Statement"]

    assert (trust["Principal"], trust["Action"]) == ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")


TOKEN, SHOP = keys.token("0" * 64).pk, keys.shop("demo").pk
PRODUCT, CART = keys.product("demo", 7).pk, keys.cart(Owner("demo", "CART#customer")).pk
SESSION = keys.session_item(Session(HASHID, "CART#s"), ItemKey("i", "x")).pk
PARTITIONS = {
    "token": TOKEN,
    "tokens": keys.tokens("demo"),
    "shop": SHOP,
    "product": PRODUCT,
    "cart": CART,
    "session": SESSION,
    "statistics": keys.statistics(HASHID),
    "shop's statistics": keys.shop_statistics("demo"),
    "stream": keys.stream("shardId-1"),
    "methods": keys.methods("demo", Kind.SHIPPING).pk,
    "discount": keys.discount("demo", "CODE").pk,
    "discounts": keys.discounts("demo"),
    "customer": keys.uses(Owner("demo", "customer")).pk,
    "order": keys.order("demo", "ORD-1").pk,
    "orders": keys.orders_of_customer(Owner("demo", "customer")),
    "orders of a month": keys.orders_of_month("demo", "202511"),
    "hold": keys.hold("demo", "ORD-1", 0).pk,
}
ACTIONS = ("GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem",
           "ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "DeleteTable",
           "UpdateTable", "DescribeTable")  # fmt: skip
TERMS = ("product", "methods", "discount", "customer")
"""What the totals of a cart are read from."""
MAY = {
    "AuthorizerRole": {("GetItem", "token"), ("GetItem", "shop")},
    "StatsCartRole": {(action, "session") for action in ("UpdateItem", "DeleteItem", "Query", "BatchWriteItem")},
    "StatsEventsRole": {(action, "session") for action in ("PutItem", "UpdateItem", "Query")},
    "CartRole": {
        *(("BatchGetItem", name) for name in ("cart", *TERMS)),
        *((action, "cart") for action in ("GetItem", "UpdateItem", "PutItem")),
    },
}
MAY["CustomerCartRole"] = {*(("BatchGetItem", name) for name in TERMS), ("GetItem", "cart")}
MAY["CustomerTokensRole"] = {("Query", "tokens"), ("ConditionCheckItem", "shop")} | {
    (action, name) for action in ("PutItem", "UpdateItem", "DeleteItem") for name in ("token", "tokens")
}
MAY["MethodsRole"] = {("GetItem", "methods")}
MAY["StatisticsRole"] = {("Query", "statistics"), ("Query", "shop's statistics")}
MAY["GuestsRole"] = {("PutItem", "token")}
MAY["CartMergeRole"] = {
    *(("BatchGetItem", name) for name in ("token", "cart", *TERMS)),
    *((action, "cart") for action in ("PutItem", "UpdateItem", "ConditionCheckItem")),
    ("UpdateItem", "token"),
}
MAY["StatisticsRollUpRole"] = {("GetItem", "stream")} | {
    (action, name) for action in ("PutItem", "UpdateItem") for name in ("statistics", "shop's statistics", "stream")
}
MAY["CartItemsRole"] = MAY["CartRole"]
CHANGES_ORDERS = {
    ("GetItem", "order"),
    *(("BatchGetItem", name) for name in ("order", "product", "discount")),
    *(("UpdateItem", name) for name in ("order", "orders", "orders of a month", "customer", "product", "discount")),
    ("DeleteItem", "hold"),
}
MAY["OrdersRole"] = CHANGES_ORDERS | {("Query", "orders")}
MAY["ShopOrdersRole"] = CHANGES_ORDERS | {("Query", "orders of a month")}
MAY["CheckoutRole"] = {
    ("GetItem", "order"),
    *(("BatchGetItem", name) for name in ("cart", "order", *TERMS)),
    *(("PutItem", name) for name in ("cart", "order", "orders", "orders of a month", "hold")),
    *(("UpdateItem", name) for name in ("cart", "product", "discount", "customer")),
}
MAY["ReleaseHoldsRole"] = CHANGES_ORDERS | {("Query", "hold")}


@pytest.mark.parametrize("role", ROLES)
def test_role_permits_what_its_function_needs(role: str) -> None:
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
        ("CartRole", "BatchGetItem", [CART, PRODUCT], True),
        ("CartRole", "BatchGetItem", [PRODUCT, TOKEN], False),
        ("CartRole", "GetItem", [SHOP], False),
        ("CartItemsRole", "UpdateItem", ["cart#demo#customer"], False),
        ("CartItemsRole", "UpdateItem", ["XCART#demo#customer"], False),
        ("StatsCartRole", "BatchWriteItem", [SESSION, SESSION + "1"], True),
        ("StatsCartRole", "BatchWriteItem", [SESSION, CART], False),
        ("StatsCartRole", "Query", [""], False),
        ("CustomerTokensRole", "PutItem", [SHOP], False),
        ("CustomerTokensRole", "Query", [TOKEN], False),
        ("CustomerCartRole", "GetItem", [TOKEN], False),
    ],
)
def test_one_forbidden_key_forbids_the_request(
    role: str, action: str, partitions: list[str], *, permitted: bool
) -> None:
    assert permits(statements(role), action, *partitions) is permitted


def test_roll_up_loses_no_batch() -> None:
    """A batch that fails is repeated while the stream has it for long enough to be replayed, and then queued."""
    (event,) = FUNCTIONS["StatisticsRollUpFunction"]["Events"].values()
    source = event["Properties"]
    queue = resources("AWS::SQS::Queue")["StatisticsFailureQueue"]
    (reported,) = (one for one in statements("StatisticsRollUpRole") if one["Action"] == "sqs:SendMessage")

    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert source["TumblingWindowInSeconds"] > 0, "Lambda passes the shard only with a window"
    assert "ParallelizationFactor" not in source, "a shard has one order"
    assert "MaximumRetryAttempts" not in source
    assert source["MaximumRecordAgeInSeconds"] <= 6 * 3600
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["DestinationConfig"]["OnFailure"]["Destination"] == reported["Resource"]
    assert (queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]) == (14 * 24 * 3600, True)
    for pattern in (json.loads(one["Pattern"]) for one in source["FilterCriteria"]["Filters"]):
        assert pattern["dynamodb"]["Keys"]["pk"]["S"] in ([{"prefix": "SESSION#"}], [{"prefix": "ORDER#"}])


# ----------------------------------------------------------------------------------------------------------------------
# Versions and their snapshots
# ----------------------------------------------------------------------------------------------------------------------

EVERY = TEMPLATE["Globals"]["Function"]
PARAMETERS = TEMPLATE["Parameters"]


NOT_OF_A_VERSION = {"Events", "LoggingConfig", "ReservedConcurrentExecutions", "DeploymentPreference"}
"""Properties of a function that Lambda keeps outside of its versions."""


def references(part: Any) -> set[str]:
    """Return the names in the ``Ref`` of a part of the template, and of the conditions that it depends on."""
    if isinstance(part, list):
        return set().union(*map(references, part))
    if not isinstance(part, dict):
        return set()
    if "Ref" in part:
        return {part["Ref"]} - {"AWS::NoValue"}
    if "Fn::If" in part:
        condition, *values = part["Fn::If"]
        return references(TEMPLATE["Conditions"][condition]) | references(values)
    return set().union(*map(references, part.values()))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_changed_reference_publishes_a_version(name: str) -> None:
    """CloudFormation publishes a version if the description changes, and SAM if a layer changes."""
    properties = {**EVERY, **FUNCTIONS[name]}
    environment = [it.get("Environment", {}) for it in (EVERY, FUNCTIONS[name])]
    configured = references([environment, [it for key, it in properties.items() if key not in NOT_OF_A_VERSION]])
    layers = resources("AWS::Serverless::LayerVersion")
    described = re.findall(r"\$\{(\w+)\}", properties["VersionDescription"]["Fn::Sub"])

    assert sorted(described) == sorted(configured - set(layers))
    assert properties["AutoPublishAliasAllProperties"] is True
    assert (properties["AutoPublishAlias"], properties["VersionDeletionPolicy"]) == ("live", "Delete")
    assert all(layer["PublishLambdaVersion"] is True for layer in layers.values())


def test_version_description_fits_256_characters() -> None:
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
    for properties in FUNCTIONS.values():
        text = properties["VersionDescription"]["Fn::Sub"]
        assert len(re.sub(r"\$\{(\w+)\}", lambda found: longest[found[1]], text)) <= 256


def test_snapshots_are_optional() -> None:
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
    "AUTHORIZER_CONFIGURATION_ERROR": (503, "temporarily unavailable"),
    "INTEGRATION_FAILURE": (503, "temporarily unavailable"),
    "INTEGRATION_TIMEOUT": (503, "temporarily unavailable"),
    "DEFAULT_5XX": (500, "internal server error"),
}
SEARCH = dict.fromkeys(["UNAUTHORIZED", "ACCESS_DENIED", "WAF_FILTERED"], (403, "forbidden"))
SEARCH |= dict.fromkeys(["THROTTLED", "QUOTA_EXCEEDED"], (429, "Too many requests"))
SHOP_ONLY = dict.fromkeys(["UNAUTHORIZED", "ACCESS_DENIED"], (401, "authentication required"))
SHOP_ONLY |= dict.fromkeys(["THROTTLED", "QUOTA_EXCEEDED"], (429, "too many requests"))
MANAGEMENT = {
    **dict.fromkeys(["UNAUTHORIZED", "ACCESS_DENIED"], (401, "not_authenticated")),
    "WAF_FILTERED": (403, "access_denied"),
    **dict.fromkeys(["MISSING_AUTHENTICATION_TOKEN", "RESOURCE_NOT_FOUND", "DEFAULT_4XX"], (404, "not_found")),
    "REQUEST_TOO_LARGE": (413, "request_too_large"),
    **dict.fromkeys(["THROTTLED", "QUOTA_EXCEEDED"], (429, "too_many_requests")),
    **dict.fromkeys([name for name, (status, _) in SAME.items() if status == 503], (503, "unavailable")),
    "DEFAULT_5XX": (500, "internal_error"),
}
ANSWERS = {
    "SearchApi": SAME | SEARCH,
    "ShopApi": SAME | SHOP_ONLY | {"WAF_FILTERED": (403, "forbidden")},
    "ManagementApi": MANAGEMENT,
}
MESSAGES = {**management_api.MESSAGES, "too_many_requests": "Too many requests"}
CORS = {name: value for name, value in HEADERS.items() if name.startswith("Access-Control-")}


def test_all_apis_are_tested() -> None:
    assert set(ANSWERS) == set(APIS)
    assert all(set(answers) == set(APIS[api]["GatewayResponses"]) for api, answers in ANSWERS.items())
    assert CORS


@pytest.mark.parametrize(("api", "kind"), [(api, kind) for api, answers in ANSWERS.items() for kind in answers])
def test_gateway_answer_is_the_contracts(api: str, kind: str) -> None:
    answer = APIS[api]["GatewayResponses"][kind]
    status, error = ANSWERS[api][kind]

    assert answer["StatusCode"] == status
    assert list(answer["ResponseTemplates"]) == ["application/json"]
    text = answer["ResponseTemplates"]["application/json"]
    of_pages = api != "ManagementApi"
    assert json.loads(text) == {"error": error if of_pages else {"code": error, "message": MESSAGES[error]}}
    assert "$" not in text, "nothing of the request or the context is quoted"
    headers = {
        name: value.strip("'") for name, value in answer.get("ResponseParameters", {}).get("Headers", {}).items()
    }
    assert {name: value for name, value in headers.items() if name != "Retry-After"} == (CORS if of_pages else {})
    assert ("Retry-After" in headers) is (status in {429, 503})


def test_management_api_has_no_preflight() -> None:
    assert {"Cors", "DefinitionBody", "MergeDefinitions"}.isdisjoint(APIS["ManagementApi"])


@pytest.mark.parametrize("api", [api for api in APIS if api != "ManagementApi"])
def test_preflight_needs_no_token(api: str) -> None:
    cors = APIS[api]["Cors"]

    assert APIS[api]["Auth"]["AddDefaultAuthorizerToCorsPreflight"] is False
    assert cors["AllowOrigin"].strip("'") == HEADERS["Access-Control-Allow-Origin"]
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(cors["AllowMethods"].strip("'").split(","))


@pytest.mark.parametrize("api", APIS)
def test_authorizer_is_cached_for_at_most_a_minute(api: str) -> None:
    auth = APIS[api]["Auth"]
    (authorizer,) = auth["Authorizers"].values()

    assert auth["DefaultAuthorizer"] in auth["Authorizers"]
    assert authorizer["FunctionPayloadType"] == "TOKEN"
    assert authorizer["FunctionArn"] == {"Fn::Sub": "${AuthorizerFunction.Arn}:live"}
    assert TEMPLATE["Resources"][api]["DependsOn"] == "AuthorizerFunctionAliaslive"
    assert authorizer["Identity"]["Header"] == "Authorization"
    assert authorizer["Identity"]["ReauthorizeEvery"] == {"Ref": "AuthorizerCacheSeconds"}
    parameter = TEMPLATE["Parameters"]["AuthorizerCacheSeconds"]
    assert (parameter["Default"], parameter["MaxValue"]) == (60, 60)
    for name, properties in FUNCTIONS.items():
        for event in properties.get("Events", {}).values():
            if name == "ReleaseHoldsFunction":
                assert (event["Type"], event["Properties"]) == ("Schedule", {"Schedule": "rate(1 minute)"})
                continue
            assert event["Type"] in {"Api", "DynamoDB"}
            assert "Auth" not in event["Properties"]


@pytest.mark.parametrize("api", APIS)
def test_gateway_and_authorizer_accept_the_same_headers(api: str) -> None:
    expression = APIS[api]["Auth"]["Authorizers"]["TokenAuthorizer"]["Identity"]["ValidationExpression"]

    headers = [*ACCEPTED, *REFUSED]
    # Java's matcher, which the gateway uses, matches the whole text.
    assert [bool(re.fullmatch(expression, it)) for it in headers] == [bool(auth.HEADER.fullmatch(it)) for it in headers]


def test_there_is_one_stage() -> None:
    api = TEMPLATE["Globals"]["Api"]

    assert api["OpenApiVersion"] == "3.0.1"  # without it SAM adds an open stage
    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert [properties["StageName"] for properties in APIS.values()] == ["live"] * 3


def test_each_api_has_its_own_name() -> None:
    """API Gateway's metrics tell the APIs apart by nothing else."""
    names = {name: properties["Name"]["Fn::Sub"] for name, properties in APIS.items()}

    assert names == {
        "SearchApi": "${AWS::StackName}-search",
        "ShopApi": "${AWS::StackName}-shop",
        "ManagementApi": "${AWS::StackName}-management",
    }


def test_each_api_has_a_separate_throttle() -> None:
    limits = {
        (setting["ThrottlingRateLimit"]["Ref"], setting["ThrottlingBurstLimit"]["Ref"])
        for properties in APIS.values()
        for setting in properties["MethodSettings"]
        if (setting["HttpMethod"], setting["ResourcePath"]) == ("*", "/*")
    }

    assert limits == {(f"{name}RateLimit", f"{name}BurstLimit") for name in ("Search", "Shop", "Management")}


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [("POST", "/api/shop/guests", "Guest"), ("PUT", "/api/shop/cart/discount", "Discount")],
)
def test_route_that_invites_abuse_has_its_own_throttle(method: str, path: str, name: str) -> None:
    (setting,) = (it for it in APIS["ShopApi"]["MethodSettings"] if it["HttpMethod"] == method)

    assert setting["ResourcePath"] == "/" + path.replace("/", "~1")
    assert setting["ThrottlingRateLimit"] == {"Ref": f"{name}RateLimit"}
    assert setting["ThrottlingBurstLimit"] == {"Ref": f"{name}BurstLimit"}


def test_function_times_out_before_the_gateway() -> None:
    assert TEMPLATE["Globals"]["Function"]["Timeout"] < 29


# ----------------------------------------------------------------------------------------------------------------------
# Table and layers
# ----------------------------------------------------------------------------------------------------------------------


def test_table_is_retained_and_can_be_restored() -> None:
    table = TEMPLATE["Resources"]["Table"]

    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == {"Ref": "TableRetention"}
    assert TEMPLATE["Parameters"]["TableRetention"]["Default"] == "Retain"
    assert TABLE["DeletionProtectionEnabled"] == {"Fn::If": ["RetainTable", True, False]}
    assert TABLE["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert TABLE["SSESpecification"]["SSEEnabled"] is True


def test_table_has_ttl_and_stream_on_demand() -> None:
    assert TABLE["BillingMode"] == "PAY_PER_REQUEST"
    assert TABLE["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert TABLE["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_layers_are_named_by_their_stack() -> None:
    names = {name: layer["LayerName"]["Fn::Sub"] for name, layer in resources("AWS::Serverless::LayerVersion").items()}

    assert names == {
        "DependenciesLayer": "${AWS::StackName}-dependencies",
        "ApplicationLayer": "${AWS::StackName}-application",
    }


def test_packages_of_the_layer_have_hashes() -> None:
    text = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text().replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    assert len(pins) >= 3
    for pin in pins:
        assert re.match(r"[a-z0-9._-]+==[0-9][^ ]* .*--hash=sha256:[0-9a-f]{64}", pin), pin
    assert "--require-hashes" in (ROOT / "layers" / "dependencies" / "Makefile").read_text()


# ----------------------------------------------------------------------------------------------------------------------
# Options
# ----------------------------------------------------------------------------------------------------------------------

INTERFACE = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
STACKS = resources("AWS::CloudFormation::Stack")


def test_every_parameter_has_a_group_and_a_label() -> None:
    grouped = [name for group in INTERFACE["ParameterGroups"] for name in group["Parameters"]]

    assert sorted(grouped) == sorted(PARAMETERS)
    assert sorted(INTERFACE["ParameterLabels"]) == sorted(PARAMETERS)
    for group in INTERFACE["ParameterGroups"]:
        labels = [INTERFACE["ParameterLabels"][name]["default"] for name in group["Parameters"]]
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("name", "off"),
    [
        *((name, "Disabled") for name in ("GradualDeployment", "AccessLogs", "Tracing", "WebAcl")),
        *((name, 0) for name in PARAMETERS if name.endswith("Concurrency")),
        *((name, "") for name in PARAMETERS if name.endswith(("Domain", "Arn"))),
    ],
)
def test_options_are_off_by_default(name: str, off: object) -> None:
    assert PARAMETERS[name]["Default"] == off


def test_concurrency_is_reserved_by_api() -> None:
    for name, properties in FUNCTIONS.items():
        apis = {
            event["Properties"]["RestApiId"]["Ref"].removesuffix("Api")
            for event in properties.get("Events", {}).values()
            if event["Type"] == "Api"
        }
        api = "Authorizer" if name == "AuthorizerFunction" else next(iter(apis), None)
        reserved = properties.get("ReservedConcurrentExecutions")
        expected = {"Fn::If": [f"Reserves{api}", {"Ref": f"{api}Concurrency"}, {"Ref": "AWS::NoValue"}]}
        assert reserved == (expected if api else None)
        assert len(apis) <= 1


@pytest.mark.parametrize("api", APIS)
def test_access_log_names_no_customer_and_no_key(api: str) -> None:
    condition, setting, off = APIS[api]["AccessLogSetting"]["Fn::If"]
    format_ = json.loads(setting["Format"])

    assert (condition, off) == ("LogsAccess", {"Ref": "AWS::NoValue"})
    assert "$context.requestId" in format_.values()  # API Gateway requires it
    assert not any(
        re.search(r"path\b|query|header|body|authorizer\.(?!latency)|userAgent|extended", value)
        for value in format_.values()
        if value != "$context.resourcePath"
    )
    assert setting["DestinationArn"] == {"Fn::GetAtt": f"{api.removesuffix('Api')}AccessLog.Arn"}


def test_gradual_deployment_rolls_back_on_errors() -> None:
    preference = EVERY["DeploymentPreference"]
    gradual = TEMPLATE["Mappings"]["Deployments"]

    assert preference["Enabled"] == {"Fn::FindInMap": ["Deployments", {"Ref": "GradualDeployment"}, "Gradual"]}
    assert list(gradual) == PARAMETERS["GradualDeployment"]["AllowedValues"]
    assert [name for name, it in gradual.items() if it["Gradual"] == "false"] == ["Disabled"]
    alarms = resources("AWS::CloudWatch::Alarm")
    assert [it["Fn::If"][:2] for it in preference["Alarms"]] == [["DeploysGradually", {"Ref": it}] for it in alarms]
    assert {it["TreatMissingData"] for it in alarms.values()} == {"notBreaching"}


@pytest.mark.parametrize("name", ["TracePolicy", "TableKeyPolicy"])
def test_optional_right_is_that_of_all_functions(name: str) -> None:
    assert resources("AWS::IAM::Policy")[name]["Roles"] == [{"Ref": role} for role in ROLES]


def test_table_key_opens_only_the_table() -> None:
    (statement,) = resources("AWS::IAM::Policy")["TableKeyPolicy"]["PolicyDocument"]["Statement"]

    assert statement["Resource"] == {"Ref": "TableKeyArn"}
    assert list(statement["Condition"]["StringEquals"]) == ["kms:ViaService"]


@pytest.mark.parametrize("name", STACKS)
def test_nested_stack_gets_all_of_its_parameters(name: str) -> None:
    nested = read_template(ROOT / STACKS[name]["TemplateURL"])

    assert STACKS[name].get("Parameters", {}).keys() == nested.get("Parameters", {}).keys()
    assert TEMPLATE["Resources"][name]["Condition"] in TEMPLATE["Conditions"]


def test_web_acl_spares_the_shops_servers() -> None:
    """A server sends many requests from one address."""
    rules = read_template(ROOT / "stacks" / "protection.yaml")["Resources"]["WebAcl"]["Properties"]["Rules"]
    limit, *managed = rules

    spared = limit["Statement"]["RateBasedStatement"]["ScopeDownStatement"]["NotStatement"]["Statement"]
    starts = [it["ByteMatchStatement"] for it in spared["OrStatement"]["Statements"]]
    stage = APIS["ManagementApi"]["StageName"]
    assert [it["SearchString"] for it in starts] == [f"/{stage}/api/v2/", "/api/v2/"]
    assert {it["PositionalConstraint"] for it in starts} == {"STARTS_WITH"}
    assert [it["OverrideAction"]["Fn::If"][0] for it in managed] == ["OnlyCounts"] * 2


def test_domains_have_tls_1_2() -> None:
    nested = read_template(ROOT / "stacks" / "domains.yaml")["Resources"].values()
    names = [it["Properties"] for it in nested if it["Type"] == "AWS::ApiGateway::DomainName"]

    assert [it["SecurityPolicy"] for it in names] == ["TLS_1_2"] * 3


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert TEMPLATE["Outputs"]["Version"]["Value"] == project["version"]
