"""docs/operate.md: its tables are complete, and its policies allow only what their commands need."""

import json
import re
from typing import Any

import botocore.session
import pytest

from cartctl.errors import ExitCode
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.methods import Kind
from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from tests.support import guide
from tests.support.operator import commands
from tests.support.policies import Asked, judge, listed, permits
from tools.support.events import HASHID

PLACEHOLDERS = {"REGION": "eu-west-1", "ACCOUNT": "123456789012", "STACK": "serverless-cart", "TABLE": "the-table"}


def statements(policy: str) -> list[dict[str, Any]]:
    return guide.policy(policy, **PLACEHOLDERS)


def test_every_command_has_a_policy() -> None:
    assert set(guide.SERVED) == set(commands())
    assert all(guide.SERVED.values())


def test_exit_codes_are_complete() -> None:
    assert list(guide.EXIT_CODES) == [int(code) for code in ExitCode]


PARTITIONS = {
    "SHOPS": keys.SHOPS,
    "SHOP": keys.shop("demo").pk,
    "ENGINE": keys.search_engine(HASHID).pk,
    "TOKENS": keys.tokens("demo"),
    "TOKEN": keys.token("0" * 64).pk,
    "PRODUCT": keys.product("demo", 7).pk,
    "CART": keys.cart(Owner("demo", "SHOP#customer")).pk,
    "STATS": keys.statistics(HASHID),
    "STREAM": keys.stream("shardId-1"),
    "METHODS": keys.methods("demo", Kind.SHIPPING).pk,
    "DISCOUNT": keys.discount("demo", "CODE").pk,
    "DISCOUNTS": keys.discounts("demo"),
    "CUSTOMER": keys.uses(Owner("demo", "SHOP#customer")).pk,
    "SESSION": keys.session_item(Session(HASHID, "CART#s"), ItemKey("i", "x")).pk,
    "ORDER": keys.order("demo", "ORD-1").pk,
    "ORDERS": keys.orders_of_customer(Owner("demo", "SHOP#customer")),
    "SHOPORDERS": keys.orders_of_month("demo", "202511"),
    "HOLDS": keys.holds()[0],
}
KEYED = ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem",
         "ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete")  # fmt: skip
UNKEYED = ("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups", "UpdateTable", "DeleteTable",
           "UpdateTimeToLive", "UpdateContinuousBackups", "ExportTableToPointInTime", "RestoreTableToPointInTime",
           "DescribeStream", "GetRecords")  # fmt: skip
MAY: dict[str, dict[str, str]] = {
    "reading": {
        "GetItem": "SHOP CART METHODS ORDER",
        "BatchGetItem": "PRODUCT METHODS DISCOUNT CUSTOMER ORDER",
        "Query": "SHOPS TOKENS PRODUCT SESSION DISCOUNTS SHOPORDERS ORDERS STATS",
    },
    "doctor": {"Query": "SHOPS"},
    "support": {
        "GetItem": "SHOP CART",
        "BatchGetItem": "PRODUCT METHODS DISCOUNT CUSTOMER",
        "UpdateItem": "CART",
        "Query": "SESSION",
    },
    "catalogue": {
        "GetItem": "SHOP",
        **dict.fromkeys(("BatchGetItem", "Query", "BatchWriteItem", "UpdateItem", "PutItem", "DeleteItem"), "PRODUCT"),
    },
    "keys": {
        "GetItem": "SHOP TOKEN TOKENS",
        "BatchGetItem": "TOKEN CART PRODUCT METHODS DISCOUNT CUSTOMER",
        "ConditionCheckItem": "SHOP CART",
        "PutItem": "TOKEN TOKENS CART",
        "UpdateItem": "TOKEN TOKENS CART",
        "DeleteItem": "TOKEN TOKENS",
        "Query": "TOKENS",
    },
    "shops": {
        "GetItem": "SHOP ENGINE",
        "Query": "SHOPS TOKENS PRODUCT DISCOUNTS HOLDS STATS",
        "PutItem": "SHOPS SHOP ENGINE",
        "DeleteItem": "SHOPS SHOP",
        "BatchWriteItem": (
            "TOKEN TOKENS PRODUCT CART SESSION ENGINE METHODS DISCOUNT DISCOUNTS CUSTOMER "
            "ORDER ORDERS SHOPORDERS HOLDS STATS"
        ),
    },
    "sales": {
        "GetItem": "SHOP METHODS",
        "ConditionCheckItem": "SHOP",
        "PutItem": "METHODS DISCOUNT DISCOUNTS",
        "BatchGetItem": "DISCOUNT",
        "UpdateItem": "DISCOUNT",
        "Query": "DISCOUNTS",
    },
    "orders": {
        "GetItem": "SHOP ORDER",
        "Query": "SHOPORDERS ORDERS",
        "BatchGetItem": "ORDER PRODUCT DISCOUNT",
        "UpdateItem": "ORDER ORDERS SHOPORDERS CUSTOMER PRODUCT DISCOUNT",
        "DeleteItem": "HOLDS",
    },
    "erasure": {
        "GetItem": "SHOP ORDER",
        "Query": "ORDERS TOKENS",
        "PutItem": "TOKEN TOKENS",
        "UpdateItem": "TOKEN TOKENS ORDER",
        "DeleteItem": "ORDERS",
        "BatchWriteItem": "CART CUSTOMER ORDERS TOKEN TOKENS",
    },
    "statistics": {"GetItem": "STREAM", **dict.fromkeys(("Query", "PutItem", "UpdateItem"), "STATS STREAM")},
}
MAY_EXAMINE = {
    "reading": {"DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"},
    "doctor": {"DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"},
    "shops": {"DescribeTable"},
    "statistics": {"DescribeStream", "GetRecords"},
}


def test_every_policy_is_tested() -> None:
    assert list(MAY) == list(guide.POLICIES)
    assert len(guide.blocks("json")) == len(guide.POLICIES)


@pytest.mark.parametrize("policy", MAY)
def test_policy_allows_only_what_its_commands_need(policy: str) -> None:
    reached = {
        (action, name)
        for action in KEYED
        for name, partition in PARTITIONS.items()
        if permits(statements(policy), action, partition)
    }
    examined = {action for action in UNKEYED if permits(statements(policy), action)}

    assert reached == {(action, name) for action, names in MAY[policy].items() for name in names.split()}
    assert examined == MAY_EXAMINE.get(policy, set())


@pytest.mark.parametrize("policy", MAY)
def test_policy_is_one_that_iam_accepts(policy: str) -> None:
    services = botocore.session.get_session()
    real = {"dynamodb:ConditionCheckItem", "lambda:InvokeFunction", "apigateway:GET"} | {  # have no such operation
        f"{service.removesuffix('streams')}:{operation}"
        for service in ("dynamodb", "dynamodbstreams", "cloudformation", "sqs", "lambda", "events", "cloudwatch")
        for operation in services.get_service_model(service).operation_names
    }
    here = "eu-west-1:123456789012"
    stack = f"arn:aws:cloudformation:{here}:stack/serverless-cart"
    resources = {
        "dynamodb": f"arn:aws:dynamodb:{here}:table/the-table",
        "ReadTheStream": f"arn:aws:dynamodb:{here}:table/the-table/stream/*",
        "sqs": f"arn:aws:sqs:{here}:serverless-cart-StatisticsFailureQueue-*",
        "cloudformation": f"{stack}/*",
        "ListTheResources": [f"{stack}/*", f"{stack}-*"],
        "lambda": f"arn:aws:lambda:{here}:function:serverless-cart-*",
        "DescribeTheReaderOfTheStream": f"arn:aws:lambda:{here}:event-source-mapping:*",
        "events": f"arn:aws:events:{here}:rule/serverless-cart-*",
        "apigateway": "arn:aws:apigateway:eu-west-1::/restapis/*/stages/live",
        "cloudwatch": "*",
    }

    for statement in statements(policy):
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert set(listed(statement["Action"])) <= real
        (service,) = {action.partition(":")[0] for action in listed(statement["Action"])}
        assert statement["Resource"] == resources.get(statement["Sid"], resources[service])
    sids = [statement["Sid"] for statement in statements(policy)]
    assert len(sids) == len(set(sids))
    filled = json.dumps(statements(policy), separators=(",", ":"))
    assert len(filled) < 6_000
    assert not re.search("|".join(rf"\b{name}\b" for name in PLACEHOLDERS), filled)


@pytest.mark.parametrize("policy", MAY)
def test_action_limited_by_key_needs_a_key(policy: str) -> None:
    """``ForAllValues`` is true for a request without a key."""
    for statement in statements(policy):
        limited = "dynamodb:LeadingKeys" in json.dumps(statement.get("Condition", {}))
        actions = {action.partition(":")[2] for action in listed(statement["Action"])}
        assert limited is bool(actions & set(KEYED))
        assert not limited or actions <= set(KEYED)
        patterns = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
        assert all(re.fullmatch(r"[A-Z]+#\*|SHOPS", pattern) for pattern in patterns)


def test_only_the_doctor_policy_invokes_functions() -> None:
    """The functions trust the principal in an event."""
    invoking = [policy for policy in MAY if "lambda:InvokeFunction" in json.dumps(statements(policy))]

    assert invoking == ["doctor"]


ONLY_KEYS = Asked("Scan", attributes=("pk", "sk"), select="SPECIFIC_ATTRIBUTES")


@pytest.mark.parametrize(
    ("asked", "permitted"),
    [
        (ONLY_KEYS, True),
        *((ONLY_KEYS._replace(attributes=attributes), False) for attributes in (("pk", "sk", "notes#7"), ("price",))),
        *((ONLY_KEYS._replace(select=select, attributes=()), False) for select in ("ALL_ATTRIBUTES", "COUNT")),
    ],
)
def test_shops_policy_scans_only_keys(asked: Asked, *, permitted: bool) -> None:
    assert judge(statements("shops"), asked) is permitted
    assert not any(judge(statements(policy), asked) for policy in MAY if policy != "shops")


def test_catalogue_policy_can_be_limited_to_one_shop() -> None:
    text = json.dumps(statements("catalogue"))
    limited = json.loads(text.replace("SHOP#*", "SHOP#my-shop").replace("PRODUCT#*", "PRODUCT#my-shop#*"))

    assert "SHOP#*" in text
    for shop, permitted in (("my-shop", True), ("my-shop-2", False), ("demo", False)):
        assert permits(limited, "GetItem", keys.shop(shop).pk) is permitted
        assert permits(limited, "BatchWriteItem", keys.product(shop, 7).pk) is permitted
        assert permits(limited, "PutItem", keys.catalogue_lease(shop).pk) is permitted
