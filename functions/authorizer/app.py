"""The authorizer of both APIs: whose token it is, and which methods and paths it opens.

API Gateway caches the answer by token only, so it must hold for every route: the policy lists all that this kind of
principal may call, and the functions check what depends on the request (search engine, address, origin). Every decision
is an answer, a refusal too, because an answer is cached and an exception is not. Only a table that cannot be read
raises, which the gateway answers with 503.
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
PATHS: dict[auth.Kind, str] = {"api_key": "/6/*", "customer": "/api/shop/*"}

telemetry = Telemetry("authorizer")
tokens = bootstrap.token_store(Environment.load(), telemetry)


@telemetry.metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Decide about the token of a request."""
    telemetry.begin(context.aws_request_id)
    request = APIGatewayAuthorizerTokenEvent(event)
    key = auth.key_of(request.authorization_token)
    digest = auth.digest(key) if key else ""
    principal = tokens.principal(digest, clock() / 1000) if key else None
    # Enough of the digest to follow one caller through the log, and no more.
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
    """Return the decision as API Gateway takes it."""
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
        for method in METHODS:
            response.allow_route(method, PATHS[principal.kind])
    return response.asdict()


cold_start.finish()
