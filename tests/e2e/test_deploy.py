"""Deployments that change only parameters, and the build as `sam local` reads it."""

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from local import deploy, environment, settings
from local.errors import LocalCloudError
from local.stack import Stack
from serverless_cart.domain.product import Product
from tests.support.lambdas import ALIAS, FUNCTIONS, Lambdas
from tools.support.clients import Customer

pytestmark = pytest.mark.last(4)  # it deploys lower limits

QUANTITY: Final = 3
EVENTS: Final = ("init", "click", "image", "redirect", "checkout")
SNAPSHOTS: Final = "None" if environment.RUNTIME == "python3.11" else "PublishedVersions"
READ: Final = """
import json, sys
from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

stacks, _ = SamLocalStackProvider.get_stacks(sys.argv[1])
routes = ApiProvider(stacks).api.routes
print(json.dumps({route.path: [route.function_name, route.authorizer_object.lambda_name] for route in routes}))
"""


@pytest.fixture(scope="module")
def _deployed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Deploy other values of parameters."""
    log = tmp_path_factory.mktemp("deploy") / "deploy.log"
    deploy.deploy(stack.endpoint_url, log, {"ItemQuantity": str(QUANTITY), "SnapStart": SNAPSHOTS, **options(stack)})


def options(stack: Stack) -> dict[str, str]:
    """Return all options that the local cloud has, turned on."""
    session = environment.session()
    acm = session.client("acm", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    kms = session.client("kms", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    return {
        "AccessLogs": "Enabled",
        "AccessLogRole": "Create",
        "Tracing": "Enabled",
        "SearchConcurrency": "50",
        "WebAcl": "Enabled",
        "CertificateArn": acm.request_certificate(DomainName="*.shop.example")["CertificateArn"],
        **{f"{api}Domain": f"{api.lower()}.shop.example" for api in ("Search", "Shop", "Management")},
        "TableKeyArn": kms.create_key()["KeyMetadata"]["Arn"],
    }


@pytest.mark.usefixtures("_deployed")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_alias_has_the_only_version_and_its_parameters(lambdas: Lambdas, function: str) -> None:
    name = lambdas.name(function)
    pages = lambdas.client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    (version,) = (one for page in pages for one in page["Versions"] if one["Version"] != "$LATEST")

    assert lambdas.client.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"] == version["Version"]
    assert version["Environment"]["Variables"]["ITEM_QUANTITY"] == str(QUANTITY)
    assert version["SnapStart"]["ApplyOn"] == SNAPSHOTS
    lambdas.client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version["Version"])


@pytest.mark.usefixtures("_deployed")
def test_options_apply(stack: Stack, lambdas: Lambdas) -> None:
    session = environment.session()
    gateway = session.client("apigateway", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    database = session.client("dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    groups = lambdas.logs.describe_log_groups(logGroupNamePrefix="/aws/apigateway/")["logGroups"]

    stages = [gateway.get_stages(restApiId=api["id"])["item"] for api in gateway.get_rest_apis()["items"]]
    assert [stage["tracingEnabled"] for (stage,) in stages] == [True] * 3
    names = gateway.get_domain_names()["items"]
    assert {it["domainName"]: it["securityPolicy"] for it in names} == {
        f"{api}.shop.example": "TLS_1_2" for api in ("search", "shop", "management")
    }
    assert [gateway.get_base_path_mappings(domainName=it["domainName"])["items"][0]["stage"] for it in names] == [
        "live"
    ] * 3
    waf = session.client("wafv2", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
    assert [it["Name"] for it in waf.list_web_acls(Scope="REGIONAL")["WebACLs"]] == [settings.STACK_NAME]
    assert len(groups) == 3
    assert "LogRole" in gateway.get_account()["cloudwatchRoleArn"]
    assert lambdas.client.get_function(FunctionName=lambdas.name("Cart"))["Configuration"]["TracingConfig"] == {
        "Mode": "Active"
    }
    assert database.describe_table(TableName=stack.table_name)["Table"]["SSEDescription"]["SSEType"] == "KMS"


@pytest.mark.usefixtures("_deployed")
def test_changed_limit_applies(customer: Customer, lamp: Product) -> None:
    assert customer.add(lamp.id, quantity=QUANTITY).status == 200
    assert customer.add(lamp.id).body["error"] == "cart is full"


def test_snapstart_needs_python_3_12(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match=r"SnapStart needs Runtime python3\.12 or later"):
        deploy.deploy(stack.endpoint_url, tmp_path / "log", {"Runtime": "python3.11", "SnapStart": "PublishedVersions"})


def test_sam_local_finds_functions_and_authorizers(build: Path) -> None:
    built = build / "template.yaml"
    run = subprocess.run(  # noqa: S603 - SAM's own code
        [str(settings.SAM.with_name("python")), "-c", READ, str(built)], capture_output=True, text=True, check=True
    )

    assert json.loads(run.stdout) == {
        "/6/{hashid}/stats/cart/{session_id}": ["StatsCartFunction", "AuthorizerFunction"],
        **{f"/6/{{hashid}}/stats/{event}": ["StatsEventsFunction", "AuthorizerFunction"] for event in EVENTS},
        "/api/shop/cart": ["CartFunction", "AuthorizerFunction"],
        "/api/shop/cart/discount": ["CartFunction", "AuthorizerFunction"],
        "/api/shop/cart/items": ["CartItemsFunction", "AuthorizerFunction"],
        "/api/shop/cart/items/{id}": ["CartItemsFunction", "AuthorizerFunction"],
        "/api/shop/cart/merge": ["CartMergeFunction", "AuthorizerFunction"],
        "/api/shop/checkout/cart": ["CheckoutFunction", "AuthorizerFunction"],
        "/api/shop/guests": ["GuestsFunction", "AuthorizerFunction"],
        "/api/shop/payment/methods": ["MethodsFunction", "AuthorizerFunction"],
        "/api/shop/shipping/methods": ["MethodsFunction", "AuthorizerFunction"],
        "/api/v2/customers/{customer}/tokens": ["CustomerTokensFunction", "AuthorizerFunction"],
        "/api/v2/customers/{customer}/cart": ["CustomerCartFunction", "AuthorizerFunction"],
        "/api/v2/stats/{report}": ["StatisticsFunction", "AuthorizerFunction"],
        "/api/v2/stats/{report}/{part}": ["StatisticsFunction", "AuthorizerFunction"],
        "/api/shop/customers/me/orders": ["OrdersFunction", "AuthorizerFunction"],
        "/api/shop/customers/me/orders/{key}": ["OrdersFunction", "AuthorizerFunction"],
        "/api/shop/customers/me/orders/{key}/cancel": ["OrdersFunction", "AuthorizerFunction"],
        "/api/v2/orders": ["ShopOrdersFunction", "AuthorizerFunction"],
        "/api/v2/orders/{key}": ["ShopOrdersFunction", "AuthorizerFunction"],
    }
