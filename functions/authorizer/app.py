"""The authorizer of all APIs: finds the principal of a token, and allows its API (contract: Keys and tokens).

API Gateway caches the policy by token only, so it must be valid for every route: it lists all methods and paths that
this kind of principal may call. The functions check what depends on the request: search engine, address and origin. A
refusal is a policy too, because policies are cached and exceptions are not. The authorizer raises only if the table
cannot be read, and the gateway then answers 503.
"""

from typing import Any

from aws_lambda_powertools.utilities.data_classes.api_gateway_authorizer_event import (
    APIGatewayAuthorizerResponse,
    APIGatewayAuthorizerTokenEvent,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from serverless_cart import auth, bootstrap, cold_start
from serverless_cart.clock import clock
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry

METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
# Never a wildcard in front of the path: "*/6/*" would open PATCH /api/shop/cart/items/6/ to an API key.
MANAGEMENT = [(method, "/api/v2/*") for method in METHODS]
"""Every kind of key gets as far as the function, which answers 403 to the others: a Deny is 401 (docs/decisions.md)."""
GUESTS = [("POST", "/api/shop/guests"), ("POST", "/api/shop/guests/")]
ROUTES: dict[auth.Kind, list[tuple[str, str]]] = {
    "api_key": [*((method, "/6/*") for method in METHODS), *GUESTS, *MANAGEMENT],
    "customer": [*((method, "/api/shop/*") for method in METHODS), *MANAGEMENT],
    "management": MANAGEMENT,
}

telemetry = Telemetry("authorizer")
tokens = bootstrap.token_store(Environment.load(), telemetry)


@telemetry.metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the policy for the token of a request."""
    telemetry.begin(context.aws_request_id)
    request = APIGatewayAuthorizerTokenEvent(event)
    key = auth.key_of(request.authorization_token)
    digest = auth.digest(key) if key else ""
    principal = tokens.principal(digest, clock() / 1000) if key else None
    # The beginning of the digest: enough to find one caller's requests in the log.
    caller = digest[:8] or "malformed"
    telemetry.count("Authorizations")
    telemetry.count("Denials", int(principal is None))
    telemetry.finish(
        "authorized",
        caller=caller,
        kind=principal.kind if principal else None,
        shop=principal.shop if principal else None,
    )
    return policy(request, caller, principal)


def policy(request: APIGatewayAuthorizerTokenEvent, caller: str, principal: auth.Principal | None) -> dict[str, Any]:
    """Return the decision in API Gateway's format."""
    arn = request.parsed_arn
    response = APIGatewayAuthorizerResponse(
        principal_id=caller,
        region=arn.region,
        aws_account_id=arn.aws_account_id,
        api_id=arn.api_id,
        stage=arn.stage,
        context=principal.to_context() if principal else {},
        partition=arn.partition,
    )
    if principal is None:
        response.deny_all_routes()
    else:
        for method, path in ROUTES[principal.kind]:
            response.allow_route(method, path)
    return response.asdict()


cold_start.finish()
